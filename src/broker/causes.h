/* causes.h: hangup causes: FreeSWITCH's names and numbers, and both mappings to SIP, which are no inverses of each other
 * (480 received is NO_USER_RESPONSE, NO_USER_RESPONSE sent is 408). After FreeSWITCH's switch_channel.c and mod_sofia;
 * RFC 3326 for the Reason header. */
#ifndef BROKER_CAUSES_H
#define BROKER_CAUSES_H

#include <stdbool.h>
#include <stddef.h>

/* The ones that the broker itself gives. Any number of the table may pass through it. */
enum cause {
    CAUSE_NONE = 0,
    CAUSE_NO_ROUTE_DESTINATION = 3,
    CAUSE_NORMAL_CLEARING = 16,
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
    CAUSE_MEDIA_TIMEOUT = 804,
    CAUSE_PICKED_OFF = 805,
    CAUSE_PROGRESS_TIMEOUT = 807,
    CAUSE_INVALID_GATEWAY = 808,
    CAUSE_GATEWAY_DOWN = 809,
    CAUSE_INVALID_URL = 810,
    CAUSE_INVALID_PROFILE = 811,
};

/* "USER_BUSY"; "UNKNOWN" for a number that is none. Static text. */
const char *cause_name(int cause);
/* A name of any case or a number; an unknown name is NORMAL_CLEARING, NULL or "" too. */
int cause_number(const char *name);
/* What a final response (or the 408 of our own transaction timer) says: 1..127, or above for FreeSWITCH's own. */
int cause_from_sip(int status);
/* The response code with which an unanswered inbound call is refused for this cause. */
int cause_to_sip(int cause);
/* The standard phrase of a status that the broker sends by a cause. */
const char *sip_phrase_of(int status);

/* A Reason header's value ("Q.850;cause=17;text=…", several values comma-separated): true and *cause if it holds a
 * Q.850 or FreeSWITCH cause of 1..999. Bounded, tolerant of spaces and case; anything else is false. */
bool cause_from_reason(const char *reason, int *cause);
/* Writes the Reason header's value for a cause: Q.850 below 128, otherwise SIP; LOSE_RACE and PICKED_OFF say that the call
 * was completed elsewhere. "" for CAUSE_NONE. */
void cause_write_reason(int cause, char *out, size_t size);

#endif
