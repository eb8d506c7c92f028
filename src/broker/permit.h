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
 * Then, by that number: emergency numbers, countries, our own numbers, do-not-call lists, attempts a day, the hours in which people may be
 * called, the price on this trunk, the sum of the day. Last what time heals: caps and the like.
 *
 * A call to a plain SIP URI has no number; it is allowed only to a host of sip.uri_hosts, to a registered telephone, and to a
 * listener's own loopback address: such a call cannot leave this machine for the telephone network by itself. */
#ifndef BROKER_PERMIT_H
#define BROKER_PERMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/rates.h"
#include "broker/spend.h"
#include "campaign/do_not_call.h"
#include "campaign/number_history.h"
#include "campaign/zones.h"

#define PERMIT_NUMBER_MAX 64
#define PERMIT_LIST_MAX   512

struct broker;

struct permit_rules {
    char default_country[8]; /* "" = digits are always E.164 */
    char (*countries)[8];    /* E.164 prefixes; "*" = any, and digits go out as they are */
    size_t country_count;
    char (*emergency)[16];
    size_t emergency_count;
    char (*uri_hosts)[128];
    size_t uri_host_count;
    uint32_t max_call_s; /* never longer */
    char (*own)[16];     /* our own numbers, E.164 */
    size_t own_count;
    struct do_not_call *do_not_call; /* NULL = no lists */
    struct number_history *history;  /* attempts a day; NULL = no limit */
    bool loading;                    /* history and spend are not read from the ledger yet: nobody may be called */
    bool has_window;
    struct window window; /* in which people may be called, in their zone's hours */
    double max_price;     /* per minute; 0 = any */
    struct spend *spend;  /* NULL = no breaker */
};

struct permit_request {
    const char *number;                    /* as asked for; NULL for a URI call */
    const char *uri_host;                  /* of a URI call */
    bool uri_is_listener;                  /* its host and port are one of our own listeners */
    bool uri_is_registered;                /* a telephone of a user is registered where it goes */
    const char *prefix_strip, *prefix_add; /* the trunk's, "" = none */
    const char *campaign;                  /* its name; NULL or "" = none */
    const char *zone;                      /* where the called one lives, if somebody knows better than the number; or NULL */
    const struct rates *rates;             /* the trunk's; NULL = nobody said */
    bool again;                            /* the same try on another trunk: attempts and hours were looked at */
    int64_t now_us;                        /* UTC */
    uint32_t max_s;                        /* asked for, 0 = the engine's */
    bool draining, ledger_accepting;
    bool trunk_usable;                           /* enabled and not paused */
    bool engine_free, trunk_free, campaign_free; /* concurrent caps */
};

struct permit_verdict {
    const char *refused;             /* reason code (static text) or NULL = granted */
    int cause;                       /* for the asker */
    uint32_t max_s;                  /* the call's longest duration */
    bool heals;                      /* refused for something that passes by itself within a while */
    char e164[PERMIT_NUMBER_MAX];    /* digits */
    char dialled[PERMIT_NUMBER_MAX]; /* the request URI's user part */
};

/* Reason codes: number, emergency, country, uri_host, own_number, do_not_call, attempts, window, price; and those that time heals:
 * permits_loading, spend, draining, ledger, trunk_down, engine_concurrent, trunk_concurrent, campaign_concurrent. */
void permit_check(const struct permit_rules *rules, const struct permit_request *request, struct permit_verdict *verdict);

/* A permitted call begins: it counts for its number's day. */
void permit_note(const struct permit_rules *rules, const struct permit_verdict *verdict, int64_t now_us);

/* Reads the rules and opens the lists; reads the day's calls from the ledger. One clear line in `error`. */
int permit_open(struct broker *broker, struct buf *error);
void permit_close(struct broker *broker);
/* Rules and lists as broker->config says now; what was counted stays. -ENOMEM: all is as it was. */
int permit_reload(struct broker *broker);

/* The reading of a number as above: 0, or -EINVAL if it is none (no digits, too long, other characters). */
int number_normalise(const struct permit_rules *rules, const char *number, char *e164, size_t size, bool *as_given);
/* Strips `strip` from the front if it is there, then puts `add` before it. -EMSGSIZE if it does not fit. */
int number_rewrite(const char *number, const char *strip, const char *add, char *out, size_t size);
/* 127.0.0.0/8 or ::1 as text. */
bool host_is_loopback(const char *host);

#endif
