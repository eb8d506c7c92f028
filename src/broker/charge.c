/* charge.c: see charge.h. */
#include "broker/charge.h"

/* By the number as the permit read it, on the trunk that carries it. */
static const struct rate *rate_of(const struct call *call)
{
    char e164[PERMIT_NUMBER_MAX];
    bool as_given;
    if (call->inbound || !call->trunk || !call->trunk->rates) return NULL;
    if (number_normalise(&call->broker->permit, call->number, e164, sizeof e164, &as_given) < 0) return NULL;
    return rates_find(call->trunk->rates, e164);
}

void charge_begin(struct call *call)
{
    const struct rate *rate = call->charged ? NULL : rate_of(call);
    if (!rate) return;
    call->rate = *rate;
    call->charged = true;
    spend_answered(&call->broker->spend, rate, call->at.answer);
}

int64_t charge_end(struct call *call)
{
    if (!call->charged) return 0;
    call->charged = false;
    spend_ended(&call->broker->spend, &call->rate, call->at.answer, call->at.end);
    return (int64_t)(rate_cost(&call->rate, (call->at.end - call->at.answer) / 1000) * 1e6 + 0.5);
}
