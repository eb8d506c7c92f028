/* spend.c: see spend.h. */
#include "broker/spend.h"

#include "core/log.h"

#define DAY_US 86400000000LL

/* At midnight what has ended is forgotten; running calls stay in the sum until they end. */
static void day_turn(struct spend *spend, int64_t now_us)
{
    int64_t day = now_us / DAY_US;
    if (day <= spend->day) return; /* also a clock that was set back */
    spend->day = day;
    spend->ended = 0;
    spend->tripped = false;
}

static double per_us(const struct rate *rate) { return rate->per_minute / 60e6; }

void spend_answered(struct spend *spend, const struct rate *rate, int64_t answer_us)
{
    spend->running++;
    spend->setup += rate->setup;
    spend->per_us += per_us(rate);
    spend->since += per_us(rate) * (double)answer_us;
}

void spend_ended(struct spend *spend, const struct rate *rate, int64_t answer_us, int64_t end_us)
{
    day_turn(spend, end_us);
    spend->running--;
    spend->setup -= rate->setup;
    spend->per_us -= per_us(rate);
    spend->since -= per_us(rate) * (double)answer_us;
    if (!spend->running) spend->setup = spend->per_us = spend->since = 0; /* no rounding error outlives the calls */
    spend->ended += rate_cost(rate, (end_us - answer_us) / 1000);
}

double spend_sum(struct spend *spend, int64_t now_us)
{
    day_turn(spend, now_us);
    double running = spend->setup + (double)now_us * spend->per_us - spend->since;
    return spend->ended + (running > 0 ? running : 0);
}

bool spend_allows(struct spend *spend, int64_t now_us)
{
    if (spend->limit <= 0) return true;
    double sum = spend_sum(spend, now_us);
    if (sum < spend->limit) return true;
    if (!spend->tripped)
        log_crit(NULL, "today's calls cost %.2f, limits.spend_per_day is %g: no new calls until midnight UTC or a higher limit", sum,
                 spend->limit);
    spend->tripped = true;
    return false;
}
