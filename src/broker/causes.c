/* causes.c: see causes.h. The table is the reference page of FreeSWITCH's causes, one line each. */
#include "broker/causes.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/check.h"

static const struct cause_row {
    uint16_t number, sip; /* sip 0 = 480 */
    const char *name;
} rows[] = {
    { 0, 0, "NONE" },
    { 1, 404, "UNALLOCATED_NUMBER" },
    { 2, 404, "NO_ROUTE_TRANSIT_NET" },
    { 3, 404, "NO_ROUTE_DESTINATION" },
    { 6, 0, "CHANNEL_UNACCEPTABLE" },
    { 7, 0, "CALL_AWARDED_DELIVERED" },
    { 16, 480, "NORMAL_CLEARING" },
    { 17, 486, "USER_BUSY" },
    { 18, 408, "NO_USER_RESPONSE" },
    { 19, 480, "NO_ANSWER" },
    { 20, 480, "SUBSCRIBER_ABSENT" },
    { 21, 603, "CALL_REJECTED" },
    { 22, 410, "NUMBER_CHANGED" },
    { 23, 410, "REDIRECTION_TO_NEW_DESTINATION" },
    { 25, 483, "EXCHANGE_ROUTING_ERROR" },
    { 27, 502, "DESTINATION_OUT_OF_ORDER" },
    { 28, 484, "INVALID_NUMBER_FORMAT" },
    { 29, 501, "FACILITY_REJECTED" },
    { 30, 0, "RESPONSE_TO_STATUS_ENQUIRY" },
    { 31, 480, "NORMAL_UNSPECIFIED" },
    { 34, 503, "NORMAL_CIRCUIT_CONGESTION" },
    { 38, 503, "NETWORK_OUT_OF_ORDER" },
    { 41, 503, "NORMAL_TEMPORARY_FAILURE" },
    { 42, 503, "SWITCH_CONGESTION" },
    { 43, 0, "ACCESS_INFO_DISCARDED" },
    { 44, 503, "REQUESTED_CHAN_UNAVAIL" },
    { 45, 0, "PRE_EMPTED" },
    { 50, 0, "FACILITY_NOT_SUBSCRIBED" },
    { 52, 403, "OUTGOING_CALL_BARRED" },
    { 54, 403, "INCOMING_CALL_BARRED" },
    { 57, 403, "BEARERCAPABILITY_NOTAUTH" },
    { 58, 503, "BEARERCAPABILITY_NOTAVAIL" },
    { 63, 0, "SERVICE_UNAVAILABLE" },
    { 65, 488, "BEARERCAPABILITY_NOTIMPL" },
    { 66, 0, "CHAN_NOT_IMPLEMENTED" },
    { 69, 501, "FACILITY_NOT_IMPLEMENTED" },
    { 79, 501, "SERVICE_NOT_IMPLEMENTED" },
    { 81, 0, "INVALID_CALL_REFERENCE" },
    { 88, 488, "INCOMPATIBLE_DESTINATION" },
    { 95, 0, "INVALID_MSG_UNSPECIFIED" },
    { 96, 0, "MANDATORY_IE_MISSING" },
    { 97, 0, "MESSAGE_TYPE_NONEXIST" },
    { 98, 0, "WRONG_MESSAGE" },
    { 99, 0, "IE_NONEXIST" },
    { 100, 0, "INVALID_IE_CONTENTS" },
    { 101, 0, "WRONG_CALL_STATE" },
    { 102, 504, "RECOVERY_ON_TIMER_EXPIRE" },
    { 103, 0, "MANDATORY_IE_LENGTH_ERROR" },
    { 111, 0, "PROTOCOL_ERROR" },
    { 127, 0, "INTERWORKING" },
    { 142, 0, "SUCCESS" },
    { 487, 487, "ORIGINATOR_CANCEL" },
    { 700, 0, "CRASH" },
    { 701, 0, "SYSTEM_SHUTDOWN" },
    { 702, 0, "LOSE_RACE" },
    { 703, 0, "MANAGER_REQUEST" },
    { 800, 0, "BLIND_TRANSFER" },
    { 801, 0, "ATTENDED_TRANSFER" },
    { 802, 0, "ALLOTTED_TIMEOUT" },
    { 803, 0, "USER_CHALLENGE" },
    { 804, 0, "MEDIA_TIMEOUT" },
    { 805, 0, "PICKED_OFF" },
    { 806, 0, "USER_NOT_REGISTERED" },
    { 807, 0, "PROGRESS_TIMEOUT" },
    { 808, 484, "INVALID_GATEWAY" },
    { 809, 503, "GATEWAY_DOWN" },
    { 810, 484, "INVALID_URL" },
    { 811, 502, "INVALID_PROFILE" },
    { 812, 0, "NO_PICKUP" },
    { 813, 0, "SRTP_READ_ERROR" },
    { 814, 0, "BOWOUT" },
    { 815, 600, "BUSY_EVERYWHERE" },
    { 816, 603, "DECLINE" },
    { 817, 604, "DOES_NOT_EXIST_ANYWHERE" },
    { 818, 606, "NOT_ACCEPTABLE" },
    { 819, 607, "UNWANTED" },
    { 820, 428, "NO_IDENTITY" },
    { 821, 429, "BAD_IDENTITY_INFO" },
    { 822, 437, "UNSUPPORTED_CERTIFICATE" },
    { 823, 438, "INVALID_IDENTITY" },
    { 824, 403, "STALE_DATE" },
    { 825, 603, "REJECT_ALL" },
};

static const struct cause_row *row_of(int cause)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].number == cause) return &rows[i];
    return NULL;
}

const char *cause_name(int cause)
{
    const struct cause_row *row = row_of(cause);
    return row ? row->name : "UNKNOWN";
}

int cause_number(const char *name)
{
    if (!name || !*name) return CAUSE_NORMAL_CLEARING;
    if (isdigit((unsigned char)*name)) {
        long n = strtol(name, NULL, 10);
        return n > 0 && n < 1000 ? (int)n : CAUSE_NORMAL_CLEARING;
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (!strcasecmp(rows[i].name, name)) return rows[i].number;
    return CAUSE_NORMAL_CLEARING;
}

int cause_from_sip(int status)
{
    switch (status) {
    case 200: return 16;
    case 401: case 402: case 403: case 407: case 603: case 608: return 21;
    case 404: return 1;
    case 485: case 604: return 3;
    case 408: case 504: return 102;
    case 410: return 22;
    case 413: case 414: case 416: case 420: case 421: case 423: case 505: case 513: return 127;
    case 480: return 18;
    case 400: case 481: case 500: case 503: return 41;
    case 486: case 600: return 17;
    case 484: return 28;
    case 488: case 606: return 88;
    case 502: return 38;
    case 405: return 63;
    case 406: case 415: case 501: return 79;
    case 482: case 483: return 25;
    case 487: return 487;
    case 607: return 819;
    case 428: return 820;
    case 429: return 821;
    case 437: return 822;
    case 438: return 823;
    default: return 31;
    }
}

int cause_to_sip(int cause)
{
    const struct cause_row *row = row_of(cause);
    return row && row->sip ? row->sip : 480;
}

const char *sip_phrase_of(int status)
{
    switch (status) {
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 408: return "Request Timeout";
    case 410: return "Gone";
    case 480: return "Temporarily Unavailable";
    case 483: return "Too Many Hops";
    case 484: return "Address Incomplete";
    case 486: return "Busy Here";
    case 487: return "Request Terminated";
    case 488: return "Not Acceptable Here";
    case 500: return "Server Internal Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Server Time-out";
    case 600: return "Busy Everywhere";
    case 603: return "Decline";
    case 604: return "Does Not Exist Anywhere";
    case 606: return "Not Acceptable";
    case 607: return "Unwanted";
    default: return status < 200 ? "Progress" : status < 300 ? "OK" : status < 400 ? "Moved Temporarily" : "Refused";
    }
}

/* One value of the header, [at, end): protocol *( ";" parameter ). */
static bool reason_value(const char *at, const char *end, int *cause)
{
    while (at < end && isspace((unsigned char)*at)) at++;
    size_t left = (size_t)(end - at);
    bool known = (left >= 5 && !strncasecmp(at, "Q.850", 5)) || (left >= 10 && !strncasecmp(at, "FreeSWITCH", 10));
    if (!known) return false;
    for (at = memchr(at, ';', left); at; at = memchr(at, ';', (size_t)(end - at))) {
        at++;
        while (at < end && isspace((unsigned char)*at)) at++;
        if (end - at < 7 || strncasecmp(at, "cause", 5)) continue;
        at += 5;
        while (at < end && (isspace((unsigned char)*at) || *at == '=')) at++;
        int n = 0, digits = 0;
        while (at < end && isdigit((unsigned char)*at) && digits++ < 4) n = n * 10 + (*at++ - '0');
        if (n < 1 || n > 999) return false;
        *cause = n;
        return true;
    }
    return false;
}

bool cause_from_reason(const char *reason, int *cause)
{
    if (!reason) return false;
    const char *at = reason, *stop = reason + strnlen(reason, 512);
    while (at < stop) {
        bool quoted = false;
        const char *end = at;
        for (; end < stop && (quoted || *end != ','); end++)
            if (*end == '"' && (end == at || end[-1] != '\\')) quoted = !quoted;
        if (reason_value(at, end, cause)) return true;
        at = end + 1;
    }
    return false;
}

void cause_write_reason(int cause, char *out, size_t size)
{
    if (cause <= 0)
        snprintf(out, size, "%s", "");
    else if (cause == CAUSE_LOSE_RACE || cause == CAUSE_PICKED_OFF)
        snprintf(out, size, "SIP;cause=200;text=\"Call completed elsewhere\"");
    else if (cause < 128)
        snprintf(out, size, "Q.850;cause=%d;text=\"%s\"", cause, cause_name(cause));
    else
        snprintf(out, size, "SIP;cause=%d;text=\"%s\"", cause_to_sip(cause), cause_name(cause));
}
