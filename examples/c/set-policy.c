/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * set-policy TARGET POLICY [PORTAL...]: sets the load-balance policy of the session to a target, by
 * Windows' number; the paths through these portals are the primaries.
 */

#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iscsi-wmi/iscsi-wmi.h>

/* The session to a target; it is a part of *ret_host. */
static const struct iscsiwmi_session *
find_session(struct iscsiwmi_client *client, const char *target, struct iscsiwmi_host **ret_host)
{
    if (iscsiwmi_get_host(client, ret_host) < 0)
        errx(1, "%s", iscsiwmi_client_error(client));
    for (uint32_t i = 0; i < (*ret_host)->SessionCount; i++)
        if (strcmp((*ret_host)->Sessions[i]->TargetName, target) == 0)
            return (*ret_host)->Sessions[i];
    errx(1, "no session to %s", target);
}

/* The session's entry of MSiSCSI_QueryLBPolicy, which has one for each session of the adapter. It
 * is a part of *ret_query. */
static struct iscsiwmi_lb_policies *find_policies(struct iscsiwmi_client *client,
                                                  const struct iscsiwmi_session *session,
                                                  struct iscsiwmi_query_lb_policy **ret_query)
{
    if (iscsiwmi_get_query_lb_policy(client, session->UniqueAdapterId, ret_query) < 0)
        errx(1, "%s", iscsiwmi_client_error(client));
    for (uint32_t i = 0; i < (*ret_query)->SessionCount; i++)
        if ((*ret_query)->LoadBalancePolicies[i].UniqueSessionId == session->UniqueSessionId)
            return &(*ret_query)->LoadBalancePolicies[i];
    errx(1, "the session has gone");
}

static void print(const char *when, const struct iscsiwmi_lb_policies *policies)
{
    printf("%s: policy %" PRIu32 "\n", when, policies->LoadBalancePolicy);
    for (uint32_t i = 0; i < policies->iSCSI_PathCount; i++) {
        const struct iscsiwmi_path *path = &policies->iSCSI_Paths[i];

        printf("  path %016" PRIx64 " weight %" PRIu32 " primary %" PRIu32 "\n",
               path->UniqueConnectionId, path->PathWeight, path->PrimaryPath);
    }
}

/* Makes the session's paths through a portal primaries. */
static void set_primary(struct iscsiwmi_lb_policies *policies,
                        const struct iscsiwmi_session *session, const char *portal)
{
    bool found = false;

    for (uint32_t i = 0; i < session->ConnectionCount; i++) {
        if (strcmp(session->Connections[i]->PersistentAddress, portal) != 0)
            continue;
        for (uint32_t j = 0; j < policies->iSCSI_PathCount; j++) {
            struct iscsiwmi_path *path = &policies->iSCSI_Paths[j];

            if (path->UniqueConnectionId == session->Connections[i]->UniqueConnectionId)
                path->PrimaryPath = found = true;
        }
    }
    if (!found)
        errx(1, "no connection through %s", portal);
}

int main(int argc, char **argv)
{
    struct iscsiwmi_query_lb_policy *query = NULL, *after = NULL;
    struct iscsiwmi_status_description *description;
    const struct iscsiwmi_session *session;
    struct iscsiwmi_host *host = NULL;
    struct iscsiwmi_lb_policies *policies;
    struct iscsiwmi_client *client;
    uint32_t status;
    char *end = NULL;
    unsigned long policy = argc < 3 ? 0 : strtoul(argv[2], &end, 10);

    if (argc < 3 || *end)
        errx(1, "usage: set-policy TARGET POLICY [PORTAL...]");
    if (iscsiwmi_client_new(&client) < 0)
        errx(1, "out of memory");
    if (iscsiwmi_client_connect(client, NULL) < 0)
        errx(1, "%s", iscsiwmi_client_error(client));
    session = find_session(client, argv[1], &host);
    policies = find_policies(client, session, &query);
    print("before", policies);

    /*
     * What was read goes back with another policy and other primaries. Each path of the session has
     * to be there, once; their order is the order of a failover. PrimaryPath counts for policies 1
     * to 3, PathWeight for policy 5: the lowest is the best, unless Manager.PathWeightOrder says
     * otherwise.
     */
    policies->LoadBalancePolicy = (uint32_t)policy;
    for (uint32_t i = 0; i < policies->iSCSI_PathCount; i++)
        policies->iSCSI_Paths[i].PrimaryPath = 0;
    for (char **portal = argv + 3; *portal; portal++)
        set_primary(policies, session, *portal);
    if (iscsiwmi_set_load_balance_policy(client, session->UniqueAdapterId, policies, &status) < 0)
        errx(1, "%s", iscsiwmi_client_error(client));
    if (iscsiwmi_describe_status(client, status, &description) < 0)
        errx(1, "%s", iscsiwmi_client_error(client));
    if (status != 0)
        errx(1, "0x%08" PRIX32 " %s: %s", status, description->Symbol, description->Text);
    printf("Status: 0x%08" PRIX32 " %s\n", status, description->Symbol);
    print("after", find_policies(client, session, &after));

    iscsiwmi_free(after);
    iscsiwmi_free(description);
    iscsiwmi_free(query);
    iscsiwmi_free(host);
    iscsiwmi_client_free(client);
    return 0;
}
