/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "service/model/model.h"

/*
 * What is missing on this host for policies to work: a NULL-terminated list of sentences, none
 * where all is well. To be freed, the sentences are constant. NULL: out of memory.
 */
const char **conditions(const struct host *host);
