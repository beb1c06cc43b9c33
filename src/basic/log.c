/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "basic/log.h"
#include "basic/sanitize.h"

void log_line(int priority, const char *format, ...)
{
    char text[2048];
    va_list ap;

    if (priority == LOG_DEBUG) {
        const char *level = getenv("SYSTEMD_LOG_LEVEL");
        if (!level || strcmp(level, "debug") != 0)
            return;
    }
    va_start(ap, format);
    vsnprintf(text, sizeof(text), format, ap);
    va_end(ap);

    /* One call, so that lines of this process and its children do not mix. */
    fprintf(stderr, "<%d>%s\n", priority, sanitize(text, SINK_JOURNAL));
}
