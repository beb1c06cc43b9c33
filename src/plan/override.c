/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/override.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "basic/macros.h"
#include "plan/entry.h"

/* An entry as a configuration of its own. */
static int read_entry(const struct mpath_release *release, const char *entry,
                      struct mpath_conf **ret)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;
    _cleanup_free_ char *text = NULL;
    int length, r;

    length = asprintf(&text, "multipaths {\n%s}\n", entry);
    if (length < 0) {
        text = NULL;
        return -ENOMEM;
    }
    r = mpath_conf_new(release, &conf);
    if (r >= 0)
        r = mpath_conf_read(conf, "", false, text, (size_t)length);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(conf);
    return 0;
}

static bool same_value(const struct mpath_value *a, const struct mpath_value *b)
{
    return a->text && b->text && strcmp(a->text, b->text) == 0;
}

static struct override override_of(const struct mpath_value *value, enum mpath_keyword keyword)
{
    return (struct override){value->file, value->line, mpath_keyword_name(keyword)};
}

bool override_in_detection(const struct override_map *map, struct override *ret)
{
    const struct mpath_value *value;
    enum mpath_keyword keyword;

    if (!map->detection)
        return false;
    value = detection_override(map->detection, entry_has_several(map->entry), &keyword);
    if (value)
        *ret = override_of(value, keyword);
    return value;
}

int override_find(const struct mpath_conf *files, const struct override_map *map,
                  struct override *ret)
{
    const struct mpath_value *winning = mpath_conf_multipath(files, map->wwid), *ours;
    _cleanup_(mpath_conf_freep) struct mpath_conf *entry = NULL;
    int r;

    r = read_entry(mpath_conf_release(files), map->entry, &entry);
    if (r < 0)
        return r;
    ours = mpath_conf_multipath(entry, map->wwid);
    for (enum mpath_keyword i = 0; winning && ours && i < N_MPATH_KEYWORDS; i++) {
        if (!ours[i].text || !winning[i].text || same_value(&ours[i], &winning[i]) ||
            strcmp(winning[i].file, map->ours) == 0)
            continue;
        *ret = override_of(&winning[i], i);
        return true;
    }
    return override_in_detection(map, ret);
}

bool override_marginal(const struct mpath_conf *files, struct override *ret)
{
    const struct mpath_value *value = mpath_conf_default(files, MPATH_MARGINAL_PATHGROUPS);

    if (!value->text || strcmp(value->text, "off") == 0)
        return false;
    *ret = override_of(value, MPATH_MARGINAL_PATHGROUPS);
    return true;
}

int override_entry_in_force(const struct mpath_conf *shown, const char *wwid, const char *entry)
{
    const struct mpath_value *in_force = mpath_conf_multipath(shown, wwid), *ours;
    _cleanup_(mpath_conf_freep) struct mpath_conf *conf = NULL;
    int r;

    if (!in_force)
        return false;
    r = read_entry(mpath_conf_release(shown), entry, &conf);
    if (r < 0)
        return r;
    ours = mpath_conf_multipath(conf, wwid);
    for (enum mpath_keyword i = 0; ours && i < N_MPATH_KEYWORDS; i++)
        if (ours[i].text && !same_value(&ours[i], &in_force[i]))
            return false;
    return ours != NULL;
}
