/* reason.c: see reason.h. */
#include "broker/reason.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *sip_phrase_of(int status)
{
    switch (status) {
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 408:
        return "Request Timeout";
    case 410:
        return "Gone";
    case 422:
        return "Session Interval Too Small";
    case 480:
        return "Temporarily Unavailable";
    case 483:
        return "Too Many Hops";
    case 484:
        return "Address Incomplete";
    case 486:
        return "Busy Here";
    case 487:
        return "Request Terminated";
    case 488:
        return "Not Acceptable Here";
    case 500:
        return "Server Internal Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Server Time-out";
    case 600:
        return "Busy Everywhere";
    case 603:
        return "Decline";
    case 604:
        return "Does Not Exist Anywhere";
    case 606:
        return "Not Acceptable";
    case 607:
        return "Unwanted";
    default:
        return status < 200 ? "Progress" : status < 300 ? "OK" : status < 400 ? "Moved Temporarily" : "Refused";
    }
}

/* The next ";" outside quotes in [at, end); NULL if there is none. */
static const char *parameter_next(const char *at, const char *end)
{
    bool quoted = false;
    for (; at < end; at++) {
        if (*at == '"' && at[-1] != '\\')
            quoted = !quoted;
        else if (*at == ';' && !quoted)
            return at;
    }
    return NULL;
}

static const char *spaces_skip(const char *at, const char *end)
{
    while (at < end && isspace((unsigned char)*at)) at++;
    return at;
}

/* One value of the header, [at, end): protocol *( ";" parameter ). */
static bool reason_value(const char *at, const char *end, int *cause)
{
    at = spaces_skip(at, end);
    size_t left = (size_t)(end - at);
    bool known = (left >= 5 && !strncasecmp(at, "Q.850", 5)) || (left >= 10 && !strncasecmp(at, "FreeSWITCH", 10));
    if (!known) return false;
    for (at = parameter_next(at + 5, end); at; at = parameter_next(at, end)) {
        at = spaces_skip(at + 1, end);
        if (end - at < 7 || strncasecmp(at, "cause", 5)) continue;
        at = spaces_skip(at + 5, end);
        if (at < end && *at == '=') at = spaces_skip(at + 1, end);
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
