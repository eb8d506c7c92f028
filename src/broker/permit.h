/* permit.h: may this call be made? One function that every outgoing INVITE passes, whoever asked.
 *
 * What is checked is what is dialled: a number is first brought to E.164 (and sent in that reading), so that no
 * spelling of a foreign number passes as a national one:
 *
 *   +49 30 1234    the country's prefix stands there       → 49301234
 *   0049 30 1234   likewise                                → 49301234
 *   49301234       digits that begin with an allowed country's prefix are taken as E.164 (leads are stored so)
 *   030 1234       any other digits are national: default_country + digits without their leading 0
 *
 * A call to a plain SIP URI has no number; it is allowed only to a host of sip.uri_hosts and to a listener's own
 * loopback address: such a call cannot leave this machine for the telephone network by itself. */
#ifndef BROKER_PERMIT_H
#define BROKER_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERMIT_NUMBER_MAX 64
#define PERMIT_LIST_MAX 512

struct permit_rules {
    char default_country[8];              /* "" = digits are always E.164 */
    char (*countries)[8];                 /* E.164 prefixes; "*" = any, and digits go out as they are */
    size_t country_count;
    char (*emergency)[16];
    size_t emergency_count;
    char (*uri_hosts)[128];
    size_t uri_host_count;
    uint32_t max_call_s;                  /* never longer */
};

struct permit_request {
    const char *number;                   /* as asked for; NULL for a URI call */
    const char *uri_host;                 /* of a URI call */
    bool uri_is_listener;                 /* its host and port are one of our own listeners */
    const char *prefix_strip, *prefix_add;/* the trunk's, "" = none */
    uint32_t max_s;                       /* asked for, 0 = the engine's */
    bool draining, ledger_accepting;
    bool trunk_usable;                    /* enabled and not paused */
    bool engine_free, trunk_free, campaign_free; /* concurrent caps */
};

struct permit_verdict {
    const char *refused;                  /* reason code (static text) or NULL = granted */
    int cause;                            /* for the asker */
    uint32_t max_s;                       /* the call's longest duration */
    char e164[PERMIT_NUMBER_MAX];         /* digits */
    char dialled[PERMIT_NUMBER_MAX];      /* the request URI's user part */
};

/* Reason codes: draining, ledger, number, emergency, country, uri_host, trunk_down, engine_concurrent,
 * trunk_concurrent, campaign_concurrent. */
void permit_check(const struct permit_rules *rules, const struct permit_request *request, struct permit_verdict *verdict);

/* The reading of a number as above: 0, or -EINVAL if it is none (no digits, too long, other characters). */
int number_normalise(const struct permit_rules *rules, const char *number, char *e164, size_t size, bool *as_given);
/* Strips `strip` from the front if it is there, then puts `add` before it. -EMSGSIZE if it does not fit. */
int number_rewrite(const char *number, const char *strip, const char *add, char *out, size_t size);
/* 127.0.0.0/8 or ::1 as text. */
bool host_is_loopback(const char *host);

#endif
