/* utf8.h: is a text UTF-8, as JSON and databases insist on? */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include <stdbool.h>

/* RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
bool utf8_valid(const char *text);

#endif
