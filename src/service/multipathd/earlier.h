/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What an earlier run has told multipathd. At a boot, targets log in one after another: maps that
 * have not come yet keep their entries (service/reconcile/gone.h says how long), so that multipathd
 * builds them as they are to be.
 */

#include "service/model/model.h"

struct earlier {
    char **devices; /* sections of the file, for products of maps that are expected */
    size_t n_devices;
};

/* From the drop-in: what no policy can be the reason for is left out. A warning where it fails. */
void earlier_load(struct host *host, struct earlier *ret);
void earlier_done(struct earlier *earlier);
