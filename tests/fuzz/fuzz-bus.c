/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The arguments of the methods: the first byte chooses the method and the byte order, the rest is
 * the message's body. What can be read can be checked, and the checks answer with a known status.
 */

#include "bus/arguments.h"
#include "fuzz.h"
#include "wire.h"
#include "wmi/status.h"

#define BIG_ENDIAN_BIT 0x80U

/* A value is counted as eight bytes at least, and a container in the body may take four. */
#define VALUE_COST 16U

/* --- SetLoadBalancePolicy --------------------------------------------------------------------- */

static uint32_t check_lb_as(const struct lb_request *request, struct lb_session session)
{
    uint32_t status;

    session.known = session.any_up = session.has_map = true;
    status = lb_check(request, &session);
    CHECK(status_find(status));
    return status;
}

static void read_lb(sd_bus_message *message, size_t size)
{
    _cleanup_free_ struct lb_path *paths = NULL;
    struct lb_request request;
    uint64_t ids[PATHS_MAX];
    size_t n;

    if (lb_request_read(message, &request, &paths) < 0) {
        CHECK(!paths);
        return;
    }
    CHECK(request.paths == paths && request.n_paths <= size / sizeof(*paths));
    CHECK(request.n_paths <= PATHS_MAX);
    (void)check_lb_as(&request, (struct lb_session){0});

    /* A session of just these paths: what is wrong then is in the request. */
    n = request.n_paths;
    for (size_t i = 0; i < n; i++)
        ids[i] = paths[i].connection_id;
    if (check_lb_as(&request, (struct lb_session){.connections = ids, .n_connections = n}))
        return;
    CHECK(lb_policy_name(request.policy));
    CHECK(request.path_count <= request.n_paths);
    CHECK(request.policy == LB_VENDOR_SPECIFIC || request.path_count == n);
}

/* --- DsmSetLoadBalancePolicy and DsmSetLoadBalancePolicyALUA -----------------------------------
 */

static void check_dsm(const struct dsm_request *request)
{
    struct dsm_fact facts[PATHS_MAX];
    struct dsm_disk disk = {.present = true, .paths = facts};
    uint32_t status;

    for (size_t i = 0; i < request->n_paths; i++)
        facts[disk.n_paths++] = (struct dsm_fact){
            .id = request->paths[i].id,
            .failed = request->paths[i].failed & 1,
            .state = request->paths[i].group_state & 1 ? dsm_wanted_state(&request->paths[i])
                                                       : DSM_STATE_NOT_USED,
        };
    status = dsm_check(request, &disk);
    CHECK(status == STATUS_SUCCESS || status_find(status));
    if (status != STATUS_SUCCESS)
        return;
    CHECK(dsm_policy_name(request->policy));
    CHECK(request->policy == DSM_NONE || request->path_count == disk.n_paths);
}

static void read_dsm_v1(sd_bus_message *message, size_t size)
{
    _cleanup_free_ struct dsm_path *paths = NULL;
    struct dsm_request request;

    if (dsm_request_read(message, &request, &paths) < 0) {
        CHECK(!paths);
        return;
    }
    CHECK(request.paths == paths && request.n_paths <= size / 24 && request.n_paths <= PATHS_MAX);
    check_dsm(&request);
}

static void read_dsm_v2(sd_bus_message *message, size_t size)
{
    _cleanup_free_ struct dsm_path *paths = NULL;
    struct dsm_request request;

    if (dsm_request_read_alua(message, &request, &paths) < 0) {
        CHECK(!paths);
        return;
    }
    CHECK(request.paths == paths && request.n_paths <= size / 64 && request.n_paths <= PATHS_MAX);
    check_dsm(&request);
}

/* --- The others ------------------------------------------------------------------------------- */

static void read_ping(sd_bus_message *message, size_t size)
{
    struct ping_request request;
    struct sockaddr_storage address;
    uint32_t status;

    if (ping_request_read(message, &request) < 0)
        return;
    CHECK(request.address.ipv6_size <= size && strlen(request.address.text) < size);
    status = ping_check(&request, &address);
    CHECK(status_find(status));
    if (status != STATUS_SUCCESS)
        return;
    CHECK(address.ss_family == AF_INET || address.ss_family == AF_INET6);
    CHECK(request.count >= 1 && request.count <= PING_COUNT_MAX);
    CHECK(request.size <= PING_SIZE_MAX);
}

static const struct {
    const char *signature;
    void (*read)(sd_bus_message *message, size_t size);
} methods[] = {
    {"(tuua(ttuuuu))", read_lb},
    {"(uuuua(ttuu))", read_dsm_v1},
    {"(uuuua(ttuuuuuuuyyquut))", read_dsm_v2},
    {"uuu(uuayuus)", read_ping},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sd_bus_message *message;
    struct wire wire;
    size_t method;

    if (size == 0 || size > WIRE_BODY_MAX)
        return 0;
    method = (data[0] & ~BIG_ENDIAN_BIT) % ELEMENTSOF(methods);
    wire_open(&wire);
    wire_write(&wire, &(struct wire_message){
                          .big_endian = data[0] & BIG_ENDIAN_BIT,
                          .path = "/x",
                          .interface = "x.y",
                          .member = "Z",
                          .signature = methods[method].signature,
                          .body = data + 1,
                          .size = size - 1,
                      });
    message = wire_receive(&wire);
    if (message) {
        int r = arguments_fit(message, ARGUMENTS_MAX);
        CHECK(r != 0 || VALUE_COST * size > ARGUMENTS_MAX);
        methods[method].read(message, size);
    }
    sd_bus_message_unref(message);
    wire_close(&wire);
    return 0;
}
