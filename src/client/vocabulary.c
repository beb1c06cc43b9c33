/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Windows' vocabulary as src/wmi has it, under public names. */

#include "iscsi-wmi/names.h"
#include "wmi/dsm.h"
#include "wmi/guid.h"
#include "wmi/policy.h"
#include "wmi/status.h"

const char *iscsiwmi_status_symbol(uint32_t status)
{
    const struct status_info *info = status_find(status);

    return info ? info->symbol : NULL;
}

const char *iscsiwmi_status_text(uint32_t status)
{
    const struct status_info *info = status_find(status);

    return info ? info->text : NULL;
}

int iscsiwmi_status_parse(const char *text, uint32_t *ret_status)
{
    return status_parse(text, ret_status);
}

const char *iscsiwmi_lb_policy_name(uint32_t policy)
{
    return lb_policy_name(policy);
}

int iscsiwmi_lb_policy_parse(const char *text, uint32_t *ret_policy)
{
    return lb_policy_parse(text, ret_policy);
}

const char *iscsiwmi_dsm_policy_name(uint32_t policy)
{
    return dsm_policy_name(policy);
}

int iscsiwmi_dsm_policy_parse(const char *text, uint32_t *ret_policy)
{
    return dsm_policy_parse(text, ret_policy);
}

void iscsiwmi_guid_format(const uint8_t guid[ISCSIWMI_GUID_SIZE],
                          char ret_text[ISCSIWMI_GUID_TEXT_SIZE])
{
    guid_format(guid, ret_text);
}

int iscsiwmi_guid_parse(const char *text, uint8_t ret_guid[ISCSIWMI_GUID_SIZE])
{
    return guid_parse(text, ret_guid);
}
