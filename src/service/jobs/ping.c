/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "basic/clock.h"
#include "basic/log.h"
#include "basic/macros.h"
#include "service/base/timer.h"
#include "service/jobs/ping-socket.h"
#include "service/jobs/ping.h"
#include "wmi/status.h"

/* Packets that one wake-up takes: a flood of them must not keep the loop. */
#define RECEIVE_MAX 64

#define IPV4_HEADER_MAX 60U

/* One call from its first request to its answer. */
struct ping {
    struct host *host;
    struct sockaddr_storage address;
    struct ping_format format;
    struct ping_progress progress;
    int fd;
    sd_event_source *io_source;
    struct timer timer;
    ping_done_t done;
    void *userdata;
    struct ping *next; /* in host->pings */
    uint8_t packet[IPV4_HEADER_MAX + PING_PACKET_MAX];
};

static void ping_free(struct ping *ping)
{
    if (!ping)
        return;
    sd_event_source_disable_unref(ping->io_source);
    timer_done(&ping->timer);
    closep(&ping->fd);
    free(ping);
}

DEFINE_CLEANUP(struct ping *, ping_free);

static void ping_finish(struct ping *ping, uint32_t status)
{
    struct ping **p = &ping->host->pings;

    while (*p != ping)
        p = &(*p)->next;
    *p = ping->next;
    ping->done(status, ping->progress.n_received, ping->userdata);
    ping_free(ping);
}

static void ping_send_one(struct ping *ping)
{
    size_t size = ping_build(&ping->format, (uint16_t)ping->progress.n_sent, ping->packet);
    uint64_t now = monotonic_usec();

    ping_sent(&ping->progress, now, ping_socket_send(ping->fd, ping->packet, size) >= 0);
}

/* Does what is due. The call may be gone afterwards. */
static void ping_proceed(struct ping *ping)
{
    uint64_t until = 0;
    enum ping_step step;

    while ((step = ping_next(&ping->progress, monotonic_usec(), &until)) == PING_SEND)
        ping_send_one(ping);
    if (step == PING_DONE) {
        ping_finish(ping, ping->progress.n_failed == ping->progress.count ? ISDSC_SEND_FAILED
                                                                          : STATUS_SUCCESS);
        return;
    }
    if (timer_set_at(&ping->timer, until) < 0)
        ping_finish(ping, ISDSC_OUT_OF_RESOURCES);
}

static int ping_on_packet(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    struct ping *ping = userdata;
    struct sockaddr_storage from;
    uint16_t sequence;

    for (int i = 0; i < RECEIVE_MAX; i++) {
        ssize_t n = ping_socket_receive(fd, ping->packet, sizeof(ping->packet), &from);
        if (n == -EAGAIN)
            break;
        if (n < 0)
            continue; /* somebody on the way says no: not an answer, the time decides */
        if ((size_t)n <= sizeof(ping->packet) && ping_same_host(&from, &ping->address) &&
            ping_parse(&ping->format, ping->packet, (size_t)n, &sequence))
            ping_answered(&ping->progress, sequence, monotonic_usec());
    }
    ping_proceed(ping);
    return 0;
}

static int ping_on_time(sd_event_source *source, uint64_t usec, void *userdata)
{
    ping_proceed(userdata);
    return 0;
}

static uint32_t ping_status_of_error(int r)
{
    switch (r) {
    case -EACCES:
    case -EPERM:
        log_warning("No ICMP socket: net.ipv4.ping_group_range does not have the service's group, "
                    "and CAP_NET_RAW is missing.");
        return ISDSC_REQUEST_NOT_SUPPORTED;
    case -EAFNOSUPPORT:
    case -EPROTONOSUPPORT:
        return ISDSC_ADDRESS_TYPE_NOT_SUPPORTED; /* a host without IPv6 */
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
        return ISDSC_OUT_OF_RESOURCES;
    default:
        return ISDSC_SEND_FAILED;
    }
}

static uint32_t ping_prepare(struct ping *ping, const struct ping_request *request)
{
    uint32_t status = ping_check(request, &ping->address);
    if (status != STATUS_SUCCESS)
        return status;

    int r = ping_socket_open(&ping->address, &ping->fd, &ping->format.raw);
    if (r < 0)
        return ping_status_of_error(r);
    ping->format.ipv6 = ping->address.ss_family == AF_INET6;
    ping->format.size = request->size;
    if (getrandom(&ping->format.token, sizeof(ping->format.token), GRND_NONBLOCK) < 0)
        ping->format.token = monotonic_usec(); /* only to tell calls apart */
    ping->format.id = (uint16_t)ping->format.token;
    ping_begin(&ping->progress, request);

    timer_init(&ping->timer, ping->host->event, 1000, ping_on_time, ping);
    r = sd_event_add_io(ping->host->event, &ping->io_source, ping->fd, EPOLLIN, ping_on_packet,
                        ping);
    return r < 0 ? ISDSC_OUT_OF_RESOURCES : STATUS_SUCCESS;
}

void ping_start(struct host *host, const struct ping_request *request, ping_done_t done,
                void *userdata)
{
    uint32_t status = ISDSC_OUT_OF_RESOURCES;

    _cleanup_(ping_freep) struct ping *ping = calloc(1, sizeof(*ping));
    if (ping) {
        ping->host = host;
        ping->fd = -1;
        ping->done = done;
        ping->userdata = userdata;
        status = ping_prepare(ping, request);
    }
    if (!ping || status != STATUS_SUCCESS) {
        done(status, 0, userdata);
        return;
    }

    ping->next = host->pings;
    host->pings = ping;
    ping_proceed(TAKE_PTR(ping));
}

void ping_cancel(struct host *host, const void *userdata)
{
    for (struct ping *ping = host->pings; ping; ping = ping->next)
        if (ping->userdata == userdata) {
            ping_finish(ping, ISDSC_SERVICE_UNAVAILABLE);
            return;
        }
}

void ping_cancel_all(struct host *host)
{
    while (host->pings)
        ping_finish(host->pings, ISDSC_SERVICE_UNAVAILABLE);
}
