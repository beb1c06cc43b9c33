/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/detection.h"

#include <stddef.h>
#include <string.h>

#include "basic/macros.h"

/* The prio of RDAC arrays in multipathd's own table. */
#define PRIO_RDAC "rdac"

/* What stands above and below a device section of ours, for one product; NULL: nothing. */
struct setting {
    const struct mpath_value *above, *below;
};

static const enum mpath_keyword keywords[] = {
    MPATH_DETECT_PRIO,
    MPATH_PRIO,
    MPATH_DETECT_PGPOLICY,
    MPATH_DETECT_PGPOLICY_USE_TPG,
};

enum {
    DETECT,
    PRIO,
    DETECT_GROUPS,
    BY_TARGET,
    N_SETTINGS,
};

static bool has_any(const struct mpath_value *device)
{
    for (size_t i = 0; i < N_SETTINGS; i++)
        if (device[keywords[i]].text)
            return true;
    return false;
}

static void detection_set(const struct mpath_value **at, const struct mpath_value *value)
{
    if (!*at && value->text)
        *at = value;
}

/* What the files have, best first. */
static int find_settings(const struct mpath_conf *files, const char *ours,
                         const struct detection_disk *disk, struct setting settings[N_SETTINGS])
{
    for (size_t i = 0; i < N_SETTINGS; i++)
        detection_set(&settings[i].above, mpath_conf_override(files, keywords[i]));
    for (size_t at = mpath_conf_n_devices(files); at-- > 0;) {
        const struct mpath_value *device = mpath_conf_device(files, at);
        int r = has_any(device) ? mpath_device_matches(device, disk->vendor, disk->product) : 0;

        if (r < 0)
            return r;
        if (r == 0)
            continue;
        bool later = mpath_conf_is_later(files, device[MPATH_VENDOR].file, ours);
        for (size_t i = 0; i < N_SETTINGS; i++)
            detection_set(later ? &settings[i].above : &settings[i].below, &device[keywords[i]]);
    }
    return 0;
}

static bool is_exact(const char *regex)
{
    size_t length = strlen(regex);

    return length >= 2 && regex[0] == '^' && regex[length - 1] == '$';
}

static bool has(const struct mpath_value *value, const char *text)
{
    return value && value->text && strcmp(value->text, text) == 0;
}

/* Whether that looks like an entry_device(): multipathd's own table has no such section. */
static bool is_like_ours(const struct mpath_value *device)
{
    return has(&device[MPATH_DETECT_PRIO], "no") && is_exact(device[MPATH_VENDOR].text) &&
           is_exact(device[MPATH_PRODUCT].text);
}

/* What of multipathd's own table decides, below all files: its detect_prio, and RDAC arrays. */
static int find_built_in(const struct mpath_conf *shown, const struct detection_disk *disk,
                         struct setting *detect, bool *ret_is_rdac)
{
    for (size_t at = shown ? mpath_conf_n_devices(shown) : 0; at-- > 0;) {
        const struct mpath_value *device = mpath_conf_device(shown, at);
        bool is_rdac = has(&device[MPATH_PRIO], PRIO_RDAC);

        if (!device[MPATH_VENDOR].text || !device[MPATH_PRODUCT].text || is_like_ours(device) ||
            (!is_rdac && !device[MPATH_DETECT_PRIO].text))
            continue;
        int r = mpath_device_matches(device, disk->vendor, disk->product);
        if (r < 0)
            return r;
        if (r == 0)
            continue;
        detection_set(&detect->below, &device[MPATH_DETECT_PRIO]);
        *ret_is_rdac = *ret_is_rdac || is_rdac;
    }
    return 0;
}

/*
 * What multipathd takes for a disk that says that it has asymmetric access: the kernel's states,
 * but for RDAC arrays, which balance by being asked.
 */
static const char *detected_prio(const struct detection_disk *disk, bool is_rdac)
{
    if (!disk->has_access || (is_rdac && disk->alua != DSM_ALUA_EXPLICIT))
        return "alua";
    return "sysfs";
}

int detection_find(const struct mpath_conf *files, const struct mpath_conf *shown, const char *ours,
                   const struct detection_disk *disk, struct detection *ret)
{
    struct setting settings[N_SETTINGS] = {0};
    const struct mpath_value *detect, *prio, *by_target;
    bool is_rdac = false;
    int r;

    r = find_settings(files, ours, disk, settings);
    if (r >= 0)
        r = find_built_in(shown, disk, &settings[DETECT], &is_rdac);
    if (r < 0)
        return r;
    for (size_t i = 0; i < N_SETTINGS; i++)
        detection_set(&settings[i].below, mpath_conf_default(files, keywords[i]));

    *ret = (struct detection){0};
    detect = settings[DETECT].above ?: settings[DETECT].below;
    if (disk->alua == DSM_ALUA_NONE || has(detect, "no"))
        return 0;
    ret->prio = detected_prio(disk, is_rdac);
    ret->is_unseen = !disk->is_followed;
    ret->insists = settings[DETECT].above;
    prio = settings[PRIO].above;
    ret->other = prio && !has(prio, ret->prio) ? prio : NULL;
    by_target = settings[BY_TARGET].above ?: settings[BY_TARGET].below;
    if (has(by_target, "yes") &&
        !has(settings[DETECT_GROUPS].above ?: settings[DETECT_GROUPS].below, "no"))
        ret->by_target = by_target;
    return 0;
}

bool detection_matters(const struct detection *detection, bool several)
{
    return detection->prio && (several || detection->by_target || detection->is_unseen);
}

bool detection_needs_section(const struct detection *detection, bool several)
{
    return detection_matters(detection, several) && !detection->other;
}

const struct mpath_value *detection_override(const struct detection *detection, bool several,
                                             enum mpath_keyword *ret_keyword)
{
    if (!detection_matters(detection, several) || (!detection->insists && !detection->other))
        return NULL;
    if (!several && detection->by_target) {
        *ret_keyword = MPATH_DETECT_PGPOLICY_USE_TPG;
        return detection->by_target;
    }
    *ret_keyword = detection->insists ? MPATH_DETECT_PRIO : MPATH_PRIO;
    return detection->insists ?: detection->other;
}
