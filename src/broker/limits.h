/* limits.h: FreeSWITCH's `limit`: how many calls hold a resource (realm and id), or took it within an interval. Counted per
 * worker, so that what a dead worker's calls held is given back. */
#ifndef BROKER_LIMITS_H
#define BROKER_LIMITS_H

#include "broker/state.h"

/* take (value = max, below 0 = only counted; interval in s, 0 = held until released), release, select, reset. `key` is "realm\x1fid".
 * take: whether it was taken. select: the count as `value` in out. */
bool limit_operate(struct broker *broker, const struct post_message *message, const char *op, const char *key, struct kv *out);
void limits_worker_lost(struct broker *broker, uint32_t worker);
void limits_clear(struct broker *broker);

#endif
