#include "core/causes.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <strings.h>

#include "core/check.h"

struct cause {
    int number;
    const char *name;
    int sip; /* what refuses an INVITE with it; 0 = 480 */
};

static const struct cause causes[] = {
    { 0, "NONE", 0 },
    { 1, "UNALLOCATED_NUMBER", 404 },
    { 2, "NO_ROUTE_TRANSIT_NET", 404 },
    { 3, "NO_ROUTE_DESTINATION", 404 },
    { 6, "CHANNEL_UNACCEPTABLE", 0 },
    { 7, "CALL_AWARDED_DELIVERED", 0 },
    { 16, "NORMAL_CLEARING", 0 },
    { 17, "USER_BUSY", 486 },
    { 18, "NO_USER_RESPONSE", 408 },
    { 19, "NO_ANSWER", 0 },
    { 20, "SUBSCRIBER_ABSENT", 0 },
    { 21, "CALL_REJECTED", 603 },
    { 22, "NUMBER_CHANGED", 410 },
    { 23, "REDIRECTION_TO_NEW_DESTINATION", 410 },
    { 25, "EXCHANGE_ROUTING_ERROR", 483 },
    { 27, "DESTINATION_OUT_OF_ORDER", 502 },
    { 28, "INVALID_NUMBER_FORMAT", 484 },
    { 29, "FACILITY_REJECTED", 501 },
    { 30, "RESPONSE_TO_STATUS_ENQUIRY", 0 },
    { 31, "NORMAL_UNSPECIFIED", 0 },
    { 34, "NORMAL_CIRCUIT_CONGESTION", 503 },
    { 38, "NETWORK_OUT_OF_ORDER", 503 },
    { 41, "NORMAL_TEMPORARY_FAILURE", 503 },
    { 42, "SWITCH_CONGESTION", 503 },
    { 43, "ACCESS_INFO_DISCARDED", 0 },
    { 44, "REQUESTED_CHAN_UNAVAIL", 503 },
    { 45, "PRE_EMPTED", 0 },
    { 50, "FACILITY_NOT_SUBSCRIBED", 0 },
    { 52, "OUTGOING_CALL_BARRED", 403 },
    { 54, "INCOMING_CALL_BARRED", 403 },
    { 57, "BEARERCAPABILITY_NOTAUTH", 403 },
    { 58, "BEARERCAPABILITY_NOTAVAIL", 503 },
    { 63, "SERVICE_UNAVAILABLE", 0 },
    { 65, "BEARERCAPABILITY_NOTIMPL", 488 },
    { 66, "CHAN_NOT_IMPLEMENTED", 0 },
    { 69, "FACILITY_NOT_IMPLEMENTED", 501 },
    { 79, "SERVICE_NOT_IMPLEMENTED", 501 },
    { 81, "INVALID_CALL_REFERENCE", 0 },
    { 88, "INCOMPATIBLE_DESTINATION", 488 },
    { 95, "INVALID_MSG_UNSPECIFIED", 0 },
    { 96, "MANDATORY_IE_MISSING", 0 },
    { 97, "MESSAGE_TYPE_NONEXIST", 0 },
    { 98, "WRONG_MESSAGE", 0 },
    { 99, "IE_NONEXIST", 0 },
    { 100, "INVALID_IE_CONTENTS", 0 },
    { 101, "WRONG_CALL_STATE", 0 },
    { 102, "RECOVERY_ON_TIMER_EXPIRE", 504 },
    { 103, "MANDATORY_IE_LENGTH_ERROR", 0 },
    { 111, "PROTOCOL_ERROR", 0 },
    { 127, "INTERWORKING", 0 },
    { 142, "SUCCESS", 0 },
    { 487, "ORIGINATOR_CANCEL", 487 },
    { 700, "CRASH", 0 },
    { 701, "SYSTEM_SHUTDOWN", 0 },
    { 702, "LOSE_RACE", 0 },
    { 703, "MANAGER_REQUEST", 0 },
    { 800, "BLIND_TRANSFER", 0 },
    { 801, "ATTENDED_TRANSFER", 0 },
    { 802, "ALLOTTED_TIMEOUT", 0 },
    { 803, "USER_CHALLENGE", 0 },
    { 804, "MEDIA_TIMEOUT", 0 },
    { 805, "PICKED_OFF", 0 },
    { 806, "USER_NOT_REGISTERED", 0 },
    { 807, "PROGRESS_TIMEOUT", 0 },
    { 808, "INVALID_GATEWAY", 484 },
    { 809, "GATEWAY_DOWN", 503 },
    { 810, "INVALID_URL", 484 },
    { 811, "INVALID_PROFILE", 502 },
    { 812, "NO_PICKUP", 0 },
    { 813, "SRTP_READ_ERROR", 0 },
    { 814, "BOWOUT", 0 },
    { 815, "BUSY_EVERYWHERE", 600 },
    { 816, "DECLINE", 603 },
    { 817, "DOES_NOT_EXIST_ANYWHERE", 604 },
    { 818, "NOT_ACCEPTABLE", 606 },
    { 819, "UNWANTED", 607 },
    { 820, "NO_IDENTITY", 428 },
    { 821, "BAD_IDENTITY_INFO", 429 },
    { 822, "UNSUPPORTED_CERTIFICATE", 437 },
    { 823, "INVALID_IDENTITY", 438 },
    { 824, "STALE_DATE", 403 },
    { 825, "REJECT_ALL", 603 },
};

/* What we receive; anything else is NORMAL_UNSPECIFIED. Not the reverse of the table above (480, 408, 600, 603). */
static const struct {
    int status, cause;
} received[] = {
    { 200, 16 },  { 400, 41 },  { 401, 21 },  { 402, 21 },  { 403, 21 }, { 404, 1 },   { 405, 63 },  { 406, 79 },  { 407, 21 },
    { 408, 102 }, { 410, 22 },  { 413, 127 }, { 414, 127 }, { 415, 79 }, { 416, 127 }, { 420, 127 }, { 421, 127 }, { 423, 127 },
    { 428, 820 }, { 429, 821 }, { 437, 822 }, { 438, 823 }, { 480, 18 }, { 481, 41 },  { 482, 25 },  { 483, 25 },  { 484, 28 },
    { 485, 3 },   { 486, 17 },  { 487, 487 }, { 488, 88 },  { 500, 41 }, { 501, 79 },  { 502, 38 },  { 503, 41 },  { 504, 102 },
    { 505, 127 }, { 513, 127 }, { 600, 17 },  { 603, 21 },  { 604, 3 },  { 606, 88 },  { 607, 819 }, { 608, 21 },
};

int cause_number_exact(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
        if (strcasecmp(causes[i].name, name) == 0) return causes[i].number;
    return 0;
}

int cause_number(const char *name)
{
    if (!name || !name[0]) return CAUSE_NORMAL_CLEARING;
    if (isdigit((unsigned char)name[0])) return atoi(name);
    if (strcasecmp(name, "NONE") == 0) return 0;
    int number = cause_number_exact(name);
    return number ? number : CAUSE_NORMAL_CLEARING;
}

const char *cause_name(int number)
{
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
        if (causes[i].number == number) return causes[i].name;
    return "UNKNOWN";
}

int cause_to_sip(int number)
{
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
        if (causes[i].number == number && causes[i].sip) return causes[i].sip;
    return 480;
}

int cause_from_sip(int status)
{
    for (size_t i = 0; i < ARRAY_SIZE(received); i++)
        if (received[i].status == status) return received[i].cause;
    return 31;
}
