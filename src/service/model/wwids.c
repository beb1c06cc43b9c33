/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "service/model/wwids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int wwids_add(struct wwids *wwids, const char *wwid)
{
    char **list = reallocarray(wwids->list, wwids->n + 1, sizeof(*list));
    if (!list)
        return -ENOMEM;
    wwids->list = list;
    list[wwids->n] = strdup(wwid);
    if (!list[wwids->n])
        return -ENOMEM;
    wwids->n++;
    return 0;
}

void wwids_clear(struct wwids *wwids)
{
    while (wwids->n > 0)
        free(wwids->list[--wwids->n]);
    free(wwids->list);
    wwids->list = NULL;
}
