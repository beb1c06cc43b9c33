/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The header's place differs: Debian installs it flat, its manual names a folder. */
#include "build-config.h"

#ifdef HAVE_LIBOPENISCSIUSR_SUBDIR
#include <libopeniscsiusr/libopeniscsiusr.h>
#else
#include <libopeniscsiusr.h>
#endif
