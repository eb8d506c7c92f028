/* spend.h: what the calls of a day cost so far, and the breaker that stops new ones. The day is UTC's. Running calls count with what they
 * cost by now, as if each second were charged; their end puts the real sum in its place. */
#ifndef BROKER_SPEND_H
#define BROKER_SPEND_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/rates.h"

struct spend {
    double limit; /* of a day; 0 = none */
    int64_t day;  /* whose sum this is: days since 1970, UTC */
    double ended; /* calls that ended on this day */
    /* running calls: their sum at time t is setup + t·per_us − since */
    double setup, per_us, since;
    uint32_t running;
    bool tripped; /* the alarm of this day was given */
};

void spend_answered(struct spend *spend, const struct rate *rate, int64_t answer_us);
/* The same call's end. */
void spend_ended(struct spend *spend, const struct rate *rate, int64_t answer_us, int64_t end_us);
double spend_sum(struct spend *spend, int64_t now_us);
/* New calls may begin. */
bool spend_allows(struct spend *spend, int64_t now_us);

#endif
