/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* How far kernel and multipathd agree with the policies in force for one map. */

#include "service/model/model.h"

/* As the model has it; a map that is gone is pending. */
void map_agreement_read(const struct host_map *map, struct map_agreement *ret);

/* Takes over the worse of each; the reason of the one that is worse in all counts. */
void map_agreement_merge(struct map_agreement *into, const struct map_agreement *other);

/* "Applied", ...; "Agrees", ...: as the bus has them. */
const char *agreement_word(enum agreement agreement);
const char *mpathd_agreement_word(enum mpathd_agreement agreement);
