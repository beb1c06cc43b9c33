/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What multipathd sends as its answer: the length, as it may be, and the text. */

#include <errno.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "multipath/mpathd.h"

/* All that the socket takes without anybody who reads. */
#define INPUT_MAX 65536U

static void check_reply(const char *reply, const uint8_t *data, size_t size)
{
    size_t length;
    unsigned version;

    CHECK(size > sizeof(length));
    memcpy(&length, data, sizeof(length));
    CHECK(length >= 1 && length <= size - sizeof(length));
    CHECK(strlen(reply) < length);
    CHECK(memcmp(reply, data + sizeof(length), strlen(reply)) == 0);
    if (mpathd_parse_version(reply, &version) >= 0)
        CHECK(strstr(reply, "multipath-tools v"));
    if (mpathd_is_marginal(reply, "36001"))
        CHECK(strstr(reply, "marginal=36001"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_close_ int ours = -1, theirs = -1;
    _cleanup_free_ char *reply = NULL;
    int fds[2], r;

    if (size > INPUT_MAX)
        return 0;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    ours = fds[0];
    theirs = fds[1];
    if (size > 0)
        CHECK(send(theirs, data, size, 0) == (ssize_t)size);
    CHECK(shutdown(theirs, SHUT_WR) == 0);

    r = mpathd_exchange(ours, "show config", 1000, &reply);
    if (r >= 0)
        check_reply(reply, data, size);
    else
        CHECK(!reply && r == -EPROTO);
    return 0;
}
