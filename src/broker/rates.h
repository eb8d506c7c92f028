/* rates.h: what a trunk's calls cost: a table of E.164 prefixes, the longest one that fits counts.
 *
 * The file (trunks.*.rates) has a line per prefix, separated by comma, semicolon or tab; a first line that holds no number is a heading:
 *
 *   prefix, price per minute [, setup [, first seconds [, step seconds]]]
 *   1,      0.0045
 *   49,     0.0120,            0.001,   30,              6
 *
 * `setup` is paid by each answered call, `first` at least is charged, what comes after it in whole steps (both 1 s unless given).
 * Prices are in the currency of your contract; nothing here knows which. */
#ifndef BROKER_RATES_H
#define BROKER_RATES_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

#define RATES_MAX 1000000u

struct rate {
    double per_minute, setup;
    uint32_t first_s, step_s;
};

struct rates;

/* Reads a file. -EINVAL, -ENOENT …, and in `error` one line that names file, line and mend. Blocks: at the start and on helper threads
 * only. */
int rates_load(struct rates **out, const char *path, struct buf *error);
void rates_free(struct rates *rates); /* NULL is harmless */
size_t rates_count(const struct rates *rates);
/* Of the longest prefix of a number in E.164 digits; NULL if there is none. */
const struct rate *rates_find(const struct rates *rates, const char *e164);
/* What a call of that many milliseconds costs, rounded up to its steps; 0 ms = it was not answered and costs nothing. */
double rate_cost(const struct rate *rate, int64_t billsec_ms);

#endif
