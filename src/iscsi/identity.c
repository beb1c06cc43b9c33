/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SHA-256 by itself, which OpenSSL 3 discourages: by way of EVP the first digest reads openssl.cnf
 * and sets all algorithms up, 1.5 MiB of a process that has no other use for them.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/macros.h"
#include "iscsi/identity.h"

static uint64_t id_of_parts(const char *const *parts, size_t n)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX md;

    SHA256_Init(&md);
    for (size_t i = 0; i < n; i++)
        SHA256_Update(&md, parts[i], strlen(parts[i]) + (i + 1 < n));
    SHA256_Final(digest, &md);

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
