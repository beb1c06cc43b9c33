/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/identity.h"

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);

static uint64_t id_of_parts(const char *const *parts, size_t n)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();

    /* SHA-256 is in every libcrypto; without memory for its context there is no going on. */
    if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
        abort();
    for (size_t i = 0; i < n; i++)
        if (EVP_DigestUpdate(md, parts[i], strlen(parts[i]) + (i + 1 < n)) != 1)
            abort();
    if (EVP_DigestFinal_ex(md, digest, NULL) != 1)
        abort();

    uint64_t id = 0;
    for (size_t i = 0; i < sizeof(id); i++)
        id = id << 8 | digest[i];
    return id;
}

uint64_t adapter_id(const char *initiator)
{
    return id_of_parts((const char *const[]){"adapter", initiator}, 2);
}

uint64_t session_id(const char *initiator, const char *target)
{
    return id_of_parts((const char *const[]){"session", initiator, target}, 3);
}

uint64_t connection_id(const char *initiator, const char *target, const char *iface,
                       const char *address, uint16_t port, unsigned rank)
{
    char port_text[8], rank_text[16];

    snprintf(port_text, sizeof(port_text), "%u", port);
    snprintf(rank_text, sizeof(rank_text), "%u", rank);
    return id_of_parts((const char *const[]){"connection", initiator, target, iface, address,
                                             port_text, rank_text},
                       rank > 0 ? 7 : 6);
}

/* Where "-lun-" and the number at the end of an ID_PATH begin; its length where there are none. */
static size_t length_without_lun(const char *id_path)
{
    static const char infix[] = "-lun-";
    const char *last = NULL;

    for (const char *at = id_path; (at = strstr(at, infix)); at++)
        last = at;
    if (!last || last[strlen(infix)] == '\0' ||
        last[strlen(infix) + strspn(last + strlen(infix), "0123456789abcdefx")] != '\0')
        return strlen(id_path);
    return (size_t)(last - id_path);
}

uint64_t path_id(const char *id_path)
{
    _cleanup_free_ char *port = strndup(id_path, length_without_lun(id_path));

    if (!port)
        abort();
    return id_of_parts((const char *const[]){"path", port}, 2);
}
