/* check.c: what happens when the code is wrong. */
#include "core/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/log.h"

void check_failed(const char *file, int line, const char *function, const char *expression)
{
    char text[512];
    snprintf(text, sizeof text, "%s:%d: %s: this must hold and does not: %s", file, line, function, expression);
    log_fatal(text);
    abort();
}
