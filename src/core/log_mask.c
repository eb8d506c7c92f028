/* log_mask.c: telephone numbers in a line of the log, made unreadable. */
#include <ctype.h>
#include <string.h>

#include "core/log_internal.h"

#define NUMBER_LEAST 7 /* digits: shorter ones are extensions, ports, counts */
#define NUMBER_MOST  15
#define SHOWN_FIRST  3
#define SHOWN_LAST   2

/* Part of a longer word (a uuid, a time, an address, a decimal fraction) is no number. */
static bool joins(char c) { return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.'; }

void log_mask(char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t digits = 0;
        while (at + digits < length && isdigit((unsigned char)text[at + digits])) digits++;
        if (!digits) {
            at++;
            continue;
        }
        size_t end = at + digits;
        bool alone = (at == 0 || !joins(text[at - 1])) &&
                     (end == length || !joins(text[end]) ||
                      (text[end] == '.' && (end + 1 == length || !isdigit((unsigned char)text[end + 1]))));
        if (alone && digits >= NUMBER_LEAST && digits <= NUMBER_MOST)
            memset(text + at + SHOWN_FIRST, '*', digits - SHOWN_FIRST - SHOWN_LAST);
        at = end;
    }
}
