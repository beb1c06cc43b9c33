/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/names.h"
#include "cli/path-options.h"
#include "cli/show.h"
#include "cli/text.h"

static int cmd_policy_show(const struct report_session *session)
{
    int r = show_session(session);

    if (r < 0)
        return r;
    putchar('\n');
    return show_connections(session);
}

int run_policy_get(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    const struct report_session *session = NULL;
    char *message = NULL;
    int r = cli_fetch_report(cli, &report);

    if (r != EXIT_OK)
        return r;
    if (cli->n_args > 0 && names_session(report, cli->args[0], &session, &message) < 0)
        return cli_fail_name(message);
    if (cli->json)
        return json_print(json_sessions(report, session));
    if (report->n_sessions == 0) {
        puts("No iSCSI session on this host.");
        return EXIT_OK;
    }
    r = session ? cmd_policy_show(session) : show_policies(report);
    return r < 0 ? cli_fail_memory() : EXIT_OK;
}

/* A number goes to the service whatever it is: whether there is such a policy is for it to say. */
static int cmd_policy_parse(const char *text, uint32_t *ret_policy)
{
    if (iscsiwmi_lb_policy_parse(text, ret_policy) >= 0 || text_parse_u32(text, ret_policy) >= 0)
        return EXIT_OK;
    return cli_usage("'%s' is no policy: 1 FAILOVER, 2 ROUND_ROBIN, 3 ROUND_ROBIN_WITH_SUBSET, "
                     "4 DYN_LEAST_QUEUE_DEPTH, 5 WEIGHTED_PATHS, 6 VENDOR_SPECIFIC",
                     text);
}

/* The path of a connection, which joins the request behind the others where it is not in it yet. */
static struct iscsiwmi_path *cmd_policy_take_path(struct iscsiwmi_path *paths, size_t *n,
                                                  uint64_t connection_id)
{
    for (size_t i = 0; i < *n; i++)
        if (paths[i].UniqueConnectionId == connection_id)
            return &paths[i];
    paths[*n].UniqueConnectionId = connection_id;
    return &paths[(*n)++];
}

static int cmd_policy_take_option(const struct report_session *session,
                                  const struct path_option *option, struct iscsiwmi_path *paths,
                                  size_t *n)
{
    const struct report_connection *connection;
    struct iscsiwmi_path *path;
    uint32_t weight;
    int status = path_option_find(option, &session->connections, &connection, &weight);

    if (status != EXIT_OK)
        return status;
    path = cmd_policy_take_path(paths, n, connection->id);
    if (option->kind == PATH_WEIGHT)
        path->PathWeight = weight;
    else
        path->PrimaryPath = 1;
    return EXIT_OK;
}

/*
 * All connections of the session: those that options name, in the order given, which is the order
 * of a failover, then the rest by ID. paths has room for all of them.
 */
static int cmd_policy_fill_paths(const struct cli *cli, const struct report_session *session,
                                 uint32_t policy, struct iscsiwmi_path *paths)
{
    bool any_primary = false;
    size_t n = 0;

    for (size_t i = 0; i < cli->n_paths; i++) {
        int status = cmd_policy_take_option(session, &cli->paths[i], paths, &n);

        if (status != EXIT_OK)
            return status;
        any_primary = any_primary || cli->paths[i].kind == PATH_PRIMARY;
    }
    for (size_t i = 0; i < session->connections.n; i++)
        cmd_policy_take_path(paths, &n, session->connections.items[i].id);
    if (policy == ISCSIWMI_LB_ROUND_ROBIN && !any_primary)
        for (size_t i = 0; i < n; i++)
            paths[i].PrimaryPath = 1;
    return EXIT_OK;
}

static int cmd_policy_set(struct cli *cli, const struct report *report,
                          const struct report_session *session, uint32_t policy)
{
    size_t n = session->connections.n;
    _cleanup_free_ struct iscsiwmi_path *paths = calloc(n ? n : 1, sizeof(*paths));
    const struct report_adapter *adapter = report_find_adapter(report, session);
    struct iscsiwmi_lb_policies request = {
        .UniqueSessionId = session->id,
        .LoadBalancePolicy = policy,
        .iSCSI_PathCount = (uint32_t)n,
        .iSCSI_Paths = paths,
    };
    uint32_t status;
    int r;

    if (!paths)
        return cli_fail_memory();
    if (!adapter)
        return cli_fail("%s has no adapter any more: is %s still in /etc/iscsi?", session->target,
                        session->initiator);
    r = cmd_policy_fill_paths(cli, session, policy, paths);
    if (r != EXIT_OK)
        return r;
    if (iscsiwmi_set_load_balance_policy(cli->client, adapter->id, &request, &status) < 0)
        return cli_fail_client(cli);
    return cli_finish(status);
}

int run_policy_set(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    const struct report_session *session;
    char *message = NULL;
    uint32_t policy;
    int status;

    if ((status = cmd_policy_parse(cli->args[1], &policy)) != EXIT_OK ||
        (status = path_options_check(cli)) != EXIT_OK ||
        (status = cli_fetch_report(cli, &report)) != EXIT_OK)
        return status;
    if (names_session(report, cli->args[0], &session, &message) < 0)
        return cli_fail_name(message);
    return cmd_policy_set(cli, report, session, policy);
}

int run_policy_clear(struct cli *cli)
{
    _cleanup_report_ struct report *report = NULL;
    const struct report_session *session;
    char *message = NULL;
    int status = cli_fetch_report(cli, &report);

    if (status != EXIT_OK)
        return status;
    if (names_session(report, cli->args[0], &session, &message) < 0)
        return cli_fail_name(message);
    return cmd_policy_set(cli, report, session, ISCSIWMI_LB_VENDOR_SPECIFIC);
}

static int cmd_policy_show_default(struct cli *cli)
{
    _cleanup_result_ struct iscsiwmi_manager *manager = NULL;
    int status = cli_fetch_manager(cli, &manager);

    if (status != EXIT_OK)
        return status;
    if (cli->json)
        return json_print(json_default(manager));
    show_default_policy(manager);
    return EXIT_OK;
}

int run_policy_default(struct cli *cli)
{
    uint32_t policy;
    int status;

    if (cli->n_args == 0)
        return cmd_policy_show_default(cli);
    if ((status = cli_parse_disk_policy(cli->args[0], &policy)) != EXIT_OK ||
        (status = cli_connect(cli)) != EXIT_OK)
        return status;
    if (iscsiwmi_set_default_load_balance_policy(cli->client, policy) < 0)
        return cli_fail_client(cli);
    return EXIT_OK;
}
