/* numbers.c: see numbers.h. */
#include "campaign/numbers.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define RAW_MAX 32

/* Digits only, and whether a '+' led them. */
static int strip(const char *text, char raw[RAW_MAX], bool *plus, const char **reason)
{
    size_t n = 0;
    *plus = false;
    if (strncasecmp(text, "tel:", 4) == 0) text += 4;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (isdigit(c)) {
            if (n == RAW_MAX - 1) {
                *reason = "too many digits";
                return -EINVAL;
            }
            raw[n++] = (char)c;
        } else if (c == '+' && n == 0 && !*plus) {
            *plus = true;
        } else if (c == 0xc2 && (unsigned char)text[1] == 0xa0) {
            text++; /* a no-break space, as spreadsheets write it */
        } else if (!strchr(" \t-.()/", c)) {
            *reason = isalpha(c) ? "letters in the number" : "strange characters in the number";
            return -EINVAL;
        }
    }
    raw[n] = 0;
    if (n == 0) *reason = "no number";
    return n ? 0 : -EINVAL;
}

static bool begins(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

/* A number of `country` without international prefix. */
static void join_national(const char *raw, const char *country, char *out, size_t size)
{
    size_t length = strlen(raw);
    if (strcmp(country, "1") == 0) {
        snprintf(out, size, "%s%s", length == 11 && raw[0] == '1' ? "" : "1", raw);
        return;
    }
    bool whole = begins(raw, country) && length >= 11; /* 447911123456: written whole, only without '+' */
    if (raw[0] == '0' && strcmp(country, "39") != 0) raw++;
    snprintf(out, size, "%s%s", whole ? "" : country, raw);
}

/* The North American plan: 1, area code and exchange of the form [2-9]XX. */
static const char *check(const char *number)
{
    size_t length = strlen(number);
    if (number[0] == '0') return "no country code begins with 0";
    if (length > 15) return "more than 15 digits";
    if (length < 8) return "too short";
    if (number[0] != '1') return NULL;
    if (length != 11) return "a North American number has 10 digits after the 1";
    return number[1] < '2' || number[4] < '2' ? "no such North American number (area code and exchange begin with 2 to 9)" : NULL;
}

int number_to_e164(const char *text, const char *country, char out[NUMBER_SIZE], const char **reason)
{
    char raw[RAW_MAX], number[RAW_MAX + 8];
    bool plus;
    *reason = NULL;
    if (strip(text, raw, &plus, reason)) return -EINVAL;
    bool nanp = country && strcmp(country, "1") == 0;
    if (plus)
        snprintf(number, sizeof number, "%s", raw);
    else if (nanp && begins(raw, "011"))
        snprintf(number, sizeof number, "%s", raw + 3);
    else if (begins(raw, "00"))
        snprintf(number, sizeof number, "%s", raw + 2);
    else if (country && *country)
        join_national(raw, country, number, sizeof number);
    else
        *reason = "no country code (write +… or set numbers.default_country)";
    if (!*reason) *reason = check(number);
    if (*reason) return -EINVAL;
    memcpy(out, number, strlen(number) + 1);
    return 0;
}
