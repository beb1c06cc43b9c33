/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "multipath/drop-in.h"
#include "multipath/mpathd.h"
#include "service/multipathd/configuration.h"

#define ALL_KEYWORDS 1101U /* 0.11.1 */

void configuration_done(struct configuration *configuration)
{
    mpath_conf_freep(&configuration->shown);
    mpath_conf_freep(&configuration->files);
}

int configuration_ask(struct configuration *configuration, int timeout_ms)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *shown = NULL;
    _cleanup_free_ char *answer = NULL;
    int r = 0;

    if (configuration->version == 0)
        r = mpathd_version(timeout_ms, &configuration->version);
    if (r >= 0)
        r = mpathd_config(timeout_ms, &answer);
    if (r >= 0)
        r = mpath_conf_shown(configuration->version, answer, &shown);
    if (r < 0)
        return r;
    mpath_conf_freep(&configuration->shown);
    configuration->shown = TAKE_PTR(shown);
    return 0;
}

int configuration_read(struct configuration *configuration, const char *text)
{
    _cleanup_(mpath_conf_freep) struct mpath_conf *files = NULL;
    const struct mpath_release all = mpath_release_of(ALL_KEYWORDS);

    int r = drop_in_path(configuration->ours);
    if (r >= 0)
        r = drop_in_read(configuration->shown ? mpath_conf_release(configuration->shown) : &all,
                         text, &files, &configuration->digest);
    if (r < 0)
        return r;
    mpath_conf_freep(&configuration->files);
    configuration->files = TAKE_PTR(files);
    return 0;
}
