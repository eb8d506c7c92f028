/* zone_file.c: one file of /usr/share/zoneinfo (TZif, RFC 9636). libc's own reader hangs on the process-wide TZ, which no engine with
 * threads can switch. */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/zone_own.h"

#define FILE_MAX (256u << 10)

struct reader {
    const uint8_t *at, *end;
};

static int64_t big_endian(struct reader *r, int bytes)
{
    uint64_t value = 0;
    if (r->end - r->at < bytes) {
        r->at = r->end;
        return 0;
    }
    for (int i = 0; i < bytes; i++) value = value << 8 | *r->at++;
    return bytes == 4 ? (int32_t)value : (int64_t)value;
}

struct counts {
    uint32_t isut, isstd, leap, time, type, chars;
};

static bool read_header(struct reader *r, struct counts *c)
{
    if (r->end - r->at < 44 || memcmp(r->at, "TZif", 4) != 0) return false;
    r->at += 20;
    c->isut = (uint32_t)big_endian(r, 4), c->isstd = (uint32_t)big_endian(r, 4), c->leap = (uint32_t)big_endian(r, 4);
    c->time = (uint32_t)big_endian(r, 4), c->type = (uint32_t)big_endian(r, 4), c->chars = (uint32_t)big_endian(r, 4);
    return c->time < 10000 && c->type > 0 && c->type <= 256 && c->leap < 1000 && c->chars < 10000 && c->isut <= 256 && c->isstd <= 256;
}

static bool skip(struct reader *r, size_t bytes)
{
    if ((size_t)(r->end - r->at) < bytes) return false;
    r->at += bytes;
    return true;
}

static size_t body_bytes(const struct counts *c, size_t time_bytes)
{
    return c->time * (time_bytes + 1) + c->type * 6 + c->chars + c->leap * (time_bytes + 4) + c->isstd + c->isut;
}

static bool read_body(struct zone *z, struct reader *r, const struct counts *c)
{
    const uint8_t *body = r->at;
    if (!skip(r, body_bytes(c, 8))) return false;
    struct reader times = { body, r->end }, types = { body + c->time * 9, r->end };
    int32_t offset_of_type[256];
    for (uint32_t i = 0; i < c->type; i++) {
        offset_of_type[i] = (int32_t)big_endian(&types, 4);
        types.at += 2;
    }
    z->count = c->time;
    z->first = offset_of_type[0];
    z->times = calloc(c->time + 1, sizeof *z->times);
    z->offsets = calloc(c->time + 1, sizeof *z->offsets);
    if (!z->times || !z->offsets) return false;
    for (uint32_t i = 0; i < c->time; i++) {
        uint8_t type = body[c->time * 8 + i];
        z->times[i] = big_endian(&times, 8);
        z->offsets[i] = type < c->type ? offset_of_type[type] : 0;
    }
    return true;
}

/* --- the footer: "EST5EDT,M3.2.0,M11.1.0/2" (POSIX.1 TZ) ------------------------------------------------------------ */

static const char *skip_name(const char *p)
{
    if (*p == '<') {
        const char *close = strchr(p, '>');
        return close ? close + 1 : p;
    }
    while (isalpha((unsigned char)*p)) p++;
    return p;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static const char *take_time(const char *p, int32_t *out)
{
    int sign = *p == '-' ? -1 : 1;
    int32_t parts[3] = { 0 };
    p += *p == '-' || *p == '+';
    for (int i = 0; i < 3; i++) {
        char *end;
        parts[i] = (int32_t)strtol(p, &end, 10);
        p = end;
        if (*p != ':') break;
        p++;
    }
    *out = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
    return p;
}

static const char *take_change(const char *p, struct zone_change *out)
{
    int used = 0;
    out->second = 7200;
    if (sscanf(p, ",M%d.%d.%d%n", &out->month, &out->week, &out->weekday, &used) != 3) return NULL;
    p += used;
    return *p == '/' ? take_time(p + 1, &out->second) : p;
}

static void read_rule(struct zone *z, const char *text)
{
    int32_t west;
    const char *p = take_time(skip_name(text), &west);
    z->standard = -west;
    const char *name = p;
    p = skip_name(p);
    if (p == name) return; /* no summer time */
    z->summer = z->standard + 3600;
    if (*p && *p != ',') {
        p = take_time(p, &west);
        z->summer = -west;
    }
    p = take_change(p, &z->to_summer);
    z->has_rule = p && take_change(p, &z->to_standard);
}

/* Days from 1970-01-01 to y-m-1 (H. Hinnant's civil calendar). */
static int64_t days_to_month(int64_t y, int m)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static int64_t change_in_year(const struct zone_change *c, int64_t year, int32_t offset)
{
    int64_t first = days_to_month(year, c->month);
    int64_t next = c->month == 12 ? days_to_month(year + 1, 1) : days_to_month(year, c->month + 1);
    int64_t day = first + ((c->weekday - (first + 4) % 7) % 7 + 7) % 7 + (c->week - 1) * 7;
    while (day >= next) day -= 7;
    return day * 86400 + c->second - offset;
}

static int32_t rule_offset(const struct zone *z, int64_t utc_s)
{
    int64_t year = 1970 + utc_s / 31556952;
    int64_t summer = change_in_year(&z->to_summer, year, z->standard), standard = change_in_year(&z->to_standard, year, z->summer);
    bool in = summer < standard ? utc_s >= summer && utc_s < standard : utc_s >= summer || utc_s < standard;
    return in ? z->summer : z->standard;
}

int32_t zone_offset(const struct zone *z, int64_t utc_s)
{
    size_t low = 0, high = z->count;
    while (low < high) { /* the first transition after utc_s */
        size_t middle = (low + high) / 2;
        if (z->times[middle] <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == z->count && z->has_rule) return rule_offset(z, utc_s);
    return low ? z->offsets[low - 1] : z->count ? z->first : z->has_rule ? rule_offset(z, utc_s) : z->standard ? z->standard : z->first;
}

/* --- the file ---------------------------------------------------------------------------------------------------------- */

static bool parse(struct zone *z, const uint8_t *data, size_t length)
{
    struct reader r = { data, data + length };
    struct counts c;
    if (!read_header(&r, &c) || data[4] < '2' || !skip(&r, body_bytes(&c, 4)) || !read_header(&r, &c) || !read_body(z, &r, &c))
        return false;
    if (r.end - r.at > 2 && *r.at == '\n') read_rule(z, (const char *)r.at + 1); /* data is zero-terminated */
    return true;
}

static bool name_good(const char *name, size_t length)
{
    if (length == 0 || length >= sizeof((struct zone *)0)->name || name[0] == '/') return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("_/-", name[i])) return false;
    return true;
}

struct zone *zone_read(const char *name, size_t length)
{
    char path[128];
    if (!name_good(name, length)) return NULL;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", (int)length, name);
    FILE *f = fopen(path, "re");
    struct zone *z = f ? calloc(1, sizeof *z) : NULL;
    uint8_t *data = z ? calloc(1, FILE_MAX + 1) : NULL;
    size_t n = data ? fread(data, 1, FILE_MAX, f) : 0;
    bool good = n > 0 && parse(z, data, n);
    if (f) fclose(f);
    free(data);
    if (good) {
        memcpy(z->name, name, length);
        return z;
    }
    if (z) {
        free(z->times);
        free(z->offsets);
    }
    free(z);
    return NULL;
}
