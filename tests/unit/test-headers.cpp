/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The public headers in a program of C++17. */

#include <iscsi-wmi/iscsi-wmi.h>

#include <string>

static void on_event(const iscsiwmi_event *event, void *userdata)
{
    *static_cast<std::string *>(userdata) += event->Path;
}

int main()
{
    iscsiwmi_client *client = nullptr;
    iscsiwmi_path path = {1, 0, 0, 1, ISCSIWMI_CONNECTED, 0};
    iscsiwmi_lb_policies policies = {2, ISCSIWMI_LB_FAILOVER, 1, &path};
    iscsiwmi_dsm_path dsm_path = {1, 0, 0, 1};
    iscsiwmi_dsm_lb_policy dsm_policy = {1, ISCSIWMI_DSM_FAILOVER, 1, 0, &dsm_path};
    uint32_t status = STATUS_SUCCESS;
    std::string seen;

    if (iscsiwmi_client_new(&client) < 0)
        return 1;
    bool fails = iscsiwmi_client_watch(client, on_event, &seen) < 0 &&
                 iscsiwmi_set_load_balance_policy(client, 3, &policies, &status) < 0 &&
                 iscsiwmi_dsm_set_load_balance_policy(client, "x", &dsm_policy, &status) < 0;
    std::string error = iscsiwmi_client_error(client);
    iscsiwmi_client_free(client);
    return fails && !error.empty() && status == STATUS_SUCCESS ? 0 : 1;
}
