/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The public headers in a program of C99: that this compiles is most of the test. */

#include <iscsi-wmi/iscsi-wmi.h>

#include <stddef.h>
#include <string.h>

/* Nothing of the bus' own shows. */
#ifdef SD_BUS_ERROR_NULL
#error "a public header names sd-bus"
#endif

static void on_event(const struct iscsiwmi_event *event, void *userdata)
{
    (void)event;
    (void)userdata;
}

int main(void)
{
    const uint32_t status = ISDSC_PATH_COUNT_MISMATCH;
    const uint8_t bytes[ISCSIWMI_GUID_SIZE] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                               0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    struct iscsiwmi_client *client;
    struct iscsiwmi_manager *manager;
    char guid[ISCSIWMI_GUID_TEXT_SIZE];
    uint32_t policy = 0;

    iscsiwmi_guid_format(bytes, guid);
    if (strcmp(guid, "33221100-5544-7766-8899-aabbccddeeff") != 0 ||
        strcmp(iscsiwmi_status_symbol(status), "ISDSC_PATH_COUNT_MISMATCH") != 0 ||
        iscsiwmi_lb_policy_parse("weighted-paths", &policy) != 0 ||
        policy != ISCSIWMI_LB_WEIGHTED_PATHS ||
        iscsiwmi_dsm_policy_parse("least-blocks", &policy) != 0 ||
        policy != ISCSIWMI_DSM_LEAST_BLOCKS ||
        strcmp(iscsiwmi_status_symbol(STATUS_NO_SUCH_DEVICE), "STATUS_NO_SUCH_DEVICE") != 0)
        return 1;
    if (iscsiwmi_client_new(&client) < 0)
        return 1;
    /* Without a connection all fail, and say so. */
    if (iscsiwmi_get_manager(client, &manager) == 0 ||
        iscsiwmi_client_watch(client, on_event, NULL) == 0 || !*iscsiwmi_client_error(client))
        return 1;
    iscsiwmi_client_free(client);
    iscsiwmi_client_free(NULL);
    iscsiwmi_free(NULL);
    return 0;
}
