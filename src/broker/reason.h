/* reason.h: the hangup causes that the broker itself gives, and their way over the wire: the Reason header of RFC 3326.
 * Names, numbers and the mappings to SIP are core/causes.h. */
#ifndef BROKER_REASON_H
#define BROKER_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "core/causes.h"

enum {
    CAUSE_NO_ROUTE_DESTINATION = 3,
    CAUSE_USER_BUSY = 17,
    CAUSE_NO_ANSWER = 19,
    CAUSE_CALL_REJECTED = 21,
    CAUSE_DESTINATION_OUT_OF_ORDER = 27,
    CAUSE_INVALID_NUMBER_FORMAT = 28,
    CAUSE_NORMAL_UNSPECIFIED = 31,
    CAUSE_NORMAL_CIRCUIT_CONGESTION = 34,
    CAUSE_NETWORK_OUT_OF_ORDER = 38,
    CAUSE_NORMAL_TEMPORARY_FAILURE = 41,
    CAUSE_SWITCH_CONGESTION = 42,
    CAUSE_OUTGOING_CALL_BARRED = 52,
    CAUSE_INCOMPATIBLE_DESTINATION = 88,
    CAUSE_RECOVERY_ON_TIMER_EXPIRE = 102,
    CAUSE_ORIGINATOR_CANCEL = 487,
    CAUSE_CRASH = 700,
    CAUSE_SYSTEM_SHUTDOWN = 701,
    CAUSE_LOSE_RACE = 702,
    CAUSE_MANAGER_REQUEST = 703,
    CAUSE_ALLOTTED_TIMEOUT = 802,
    CAUSE_PICKED_OFF = 805,
    CAUSE_PROGRESS_TIMEOUT = 807,
    CAUSE_INVALID_GATEWAY = 808,
    CAUSE_GATEWAY_DOWN = 809,
    CAUSE_INVALID_URL = 810,
    CAUSE_INVALID_PROFILE = 811,
};

/* The standard phrase of a status that the broker sends by a cause. */
const char *sip_phrase_of(int status);

/* A Reason header's value ("Q.850;cause=17;text=…", several values comma-separated): true and *cause if it holds a
 * Q.850 or FreeSWITCH cause of 1..999. Bounded, tolerant of spaces and case; anything else is false. */
bool cause_from_reason(const char *reason, int *cause);
/* Writes the Reason header's value for a cause: Q.850 below 128, otherwise SIP; LOSE_RACE and PICKED_OFF say that the call
 * was completed elsewhere. "" for CAUSE_NONE. */
void cause_write_reason(int cause, char *out, size_t size);

#endif
