/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "basic/log.h"
#include "basic/macros.h"
#include "multipath/dm.h"
#include "plan/plan.h"
#include "service/model/model.h"
#include "service/model/settings.h"

#define BOOT "boot" /* that of the last start */
#define DEFAULT_POLICY "default-load-balance-policy"
#define WEIGHT_ORDER "path-weight-order"
#define LOWEST_FIRST "lowest-first"
#define HIGHEST_FIRST "highest-first"

static int load_default_policy(struct host *host)
{
    _cleanup_free_ char *text = NULL;
    unsigned long policy;

    int r = store_get_setting(host->store, DEFAULT_POLICY, &text);
    if (r < 0)
        return r == -ENODATA ? 0 : r;
    policy = strtoul(text, NULL, 10);
    if (policy <= DSM_VENDOR_SPECIFIC && dsm_can_be_default((uint32_t)policy))
        host->default_policy = (uint32_t)policy;
    return 0;
}

_Static_assert(BOOT_SIZE == SD_ID128_STRING_MAX, "a boot's ID is a 128-bit one");

int settings_boot(char ret[BOOT_SIZE])
{
    sd_id128_t id;

    int r = sd_id128_get_boot(&id);
    if (r >= 0)
        sd_id128_to_string(id, ret);
    return r;
}

/* A boot that is not known, or was not saved, is another one than that of the last start. */
static int load_boot(struct host *host)
{
    _cleanup_free_ char *last = NULL;
    char this[BOOT_SIZE];

    int r = store_get_setting(host->store, BOOT, &last);
    if (r < 0)
        return r == -ENODATA ? 0 : r;
    host->same_boot = settings_boot(this) >= 0 && strcmp(last, this) == 0;
    return 0;
}

int settings_load(struct host *host)
{
    _cleanup_free_ char *order = NULL;

    int r = store_get_setting(host->store, WEIGHT_ORDER, &order);
    if (r < 0 && r != -ENODATA)
        return r;
    host->highest_first = order && strcmp(order, HIGHEST_FIRST) == 0;
    r = load_default_policy(host);
    return r < 0 ? r : load_boot(host);
}

void settings_note_boot(struct host *host)
{
    char this[BOOT_SIZE];

    if (host->same_boot)
        return;
    int r = settings_boot(this);
    if (r < 0) {
        log_warning("Which boot this is cannot be told: %s.", strerror(-r));
        return;
    }
    r = store_put_setting(host->store, BOOT, this);
    if (r < 0)
        log_warning("That the service has run in this boot cannot be saved: %s.", strerror(-r));
}

const char *settings_weight_order(const struct host *host)
{
    return host->highest_first ? HIGHEST_FIRST : LOWEST_FIRST;
}

int settings_set_weight_order(struct host *host, const char *order)
{
    bool highest_first = strcmp(order, HIGHEST_FIRST) == 0;

    if (!highest_first && strcmp(order, LOWEST_FIRST) != 0)
        return -EINVAL;
    int r = store_put_setting(host->store, WEIGHT_ORDER, order);
    if (r < 0)
        return r;
    host->highest_first = highest_first;
    return 0;
}

int settings_set_default_policy(struct host *host, uint32_t policy)
{
    char text[16];

    if (!dsm_can_be_default(policy))
        return -EINVAL;
    snprintf(text, sizeof(text), "%u", (unsigned)policy);
    int r = store_put_setting(host->store, DEFAULT_POLICY, text);
    if (r < 0)
        return r;
    host->default_policy = policy;
    return 0;
}

struct store_disk_policy *settings_default_for(const struct host_map *map)
{
    enum dsm_policy policy = (enum dsm_policy)map->host->default_policy;
    struct store_disk_policy *given;

    if (policy == DSM_NONE || map->handler_moves_lun ||
        !dm_selector_available(plan_selector(dsm_to_lb(policy))))
        return NULL;
    given = calloc(1, sizeof(*given));
    if (!given)
        return NULL;
    *given = (struct store_disk_policy){
        .wwid = strdup(map->wwid),
        .policy = policy,
        .by_default = true,
    };
    if (!given->wwid) {
        free(given);
        return NULL;
    }
    return given;
}
