/* permit.c: see permit.h. Pure: decides from what it is given. */
#include "broker/permit.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "broker/reason.h"

/* Digits of a number, without what people put between them; *plus if it began with +. */
static int digits_of(const char *number, char *out, size_t size, bool *plus)
{
    size_t n = 0;
    *plus = false;
    for (const char *p = number; *p; p++) {
        if (*p == '+' && n == 0 && !*plus)
            *plus = true;
        else if (isdigit((unsigned char)*p)) {
            if (n + 1 >= size) return -EINVAL;
            out[n++] = *p;
        } else if (!strchr(" -.()/", *p))
            return -EINVAL;
        if (p - number > 128) return -EINVAL;
    }
    out[n] = 0;
    return n ? 0 : -EINVAL;
}

static bool begins(const char *text, const char *prefix) { return !strncmp(text, prefix, strlen(prefix)); }

static bool country_allowed(const struct permit_rules *rules, const char *e164)
{
    for (size_t i = 0; i < rules->country_count; i++) {
        const char *prefix = rules->countries[i];
        if (!strcmp(prefix, "*") || (*prefix && begins(e164, prefix))) return true;
    }
    return false;
}

static bool any_country(const struct permit_rules *rules)
{
    for (size_t i = 0; i < rules->country_count; i++)
        if (!strcmp(rules->countries[i], "*")) return true;
    return false;
}

int number_normalise(const struct permit_rules *rules, const char *number, char *e164, size_t size, bool *as_given)
{
    char digits[PERMIT_NUMBER_MAX];
    bool plus;
    *as_given = true;
    if (digits_of(number, digits, sizeof digits, &plus) < 0) return -EINVAL;
    const char *at = digits, *country = "";
    if (!plus && begins(digits, "00"))
        at = digits + 2;
    else if (!plus && !country_allowed(rules, digits) && *rules->default_country) {
        country = rules->default_country;
        if (*at == '0') at++;
        *as_given = false;
    }
    if (!*at) return -EINVAL;
    int n = snprintf(e164, size, "%s%s", country, at);
    return n > 0 && (size_t)n < size ? 0 : -EINVAL;
}

int number_rewrite(const char *number, const char *strip, const char *add, char *out, size_t size)
{
    if (strip && *strip && begins(number, strip)) number += strlen(strip);
    int n = snprintf(out, size, "%s%s", add ? add : "", number);
    return n >= 0 && (size_t)n < size ? 0 : -EMSGSIZE;
}

bool host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6);
    return false;
}

static bool is_emergency(const struct permit_rules *rules, const char *given, const char *e164, const char *dialled)
{
    char digits[PERMIT_NUMBER_MAX] = "", national[PERMIT_NUMBER_MAX + 32];
    bool plus;
    if (digits_of(given, digits, sizeof digits, &plus) < 0) return false;
    for (size_t i = 0; i < rules->emergency_count; i++) {
        const char *e = rules->emergency[i];
        snprintf(national, sizeof national, "%s%s", rules->default_country, e);
        if (!strcmp(digits, e) || !strcmp(e164, e) || !strcmp(e164, national) || !strcmp(dialled, e)) return true;
    }
    return false;
}

static void refuse(struct permit_verdict *verdict, const char *reason, int cause)
{
    verdict->refused = reason;
    verdict->cause = cause;
}

static void refuse_for_now(struct permit_verdict *verdict, const char *reason, int cause)
{
    refuse(verdict, reason, cause);
    verdict->heals = true;
}

/* The spelling that leaves: what was asked for where that says the country itself, otherwise E.164. */
static int spell(const struct permit_request *request, bool as_given, struct permit_verdict *verdict)
{
    const char *number = verdict->e164;
    char compact[PERMIT_NUMBER_MAX];
    if (as_given) {
        bool plus;
        char digits[PERMIT_NUMBER_MAX];
        if (digits_of(request->number, digits, sizeof digits, &plus) < 0) return -EINVAL;
        int n = snprintf(compact, sizeof compact, "%s%s", plus ? "+" : "", digits);
        if (n < 0 || (size_t)n >= sizeof compact) return -EINVAL;
        number = compact;
    }
    return number_rewrite(number, request->prefix_strip, request->prefix_add, verdict->dialled, sizeof verdict->dialled);
}

/* Letters and the like, for a trunk that is a PBX: only where any destination is allowed, and only what a SIP user may hold. */
static bool name_allowed(const struct permit_rules *rules, const char *number)
{
    size_t n = strlen(number);
    if (!any_country(rules) || n == 0 || n >= PERMIT_NUMBER_MAX) return false;
    for (const char *p = number; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("-_.!~*'()&=+$,;?/#", *p)) return false;
    return true;
}

static bool is_own(const struct permit_rules *rules, const char *e164)
{
    for (size_t i = 0; i < rules->own_count; i++)
        if (!strcmp(rules->own[i], e164)) return true;
    return false;
}

/* A number without a known zone may be called at any time: nobody knows better. */
static bool hour_allows(const struct permit_rules *rules, const struct permit_request *request, const char *e164)
{
    const char *zone = request->zone && *request->zone ? request->zone : zone_by_number(e164);
    return !rules->has_window || !zone || window_open(&rules->window, zone, request->now_us);
}

static bool price_allows(const struct permit_rules *rules, const struct permit_request *request, const char *e164)
{
    if (rules->max_price <= 0) return true;
    const struct rate *rate = request->rates ? rates_find(request->rates, e164) : NULL;
    return rate && rate->per_minute <= rules->max_price;
}

/* May this number be called, now, at this price? */
static void check_person(const struct permit_rules *rules, const struct permit_request *request, struct permit_verdict *verdict)
{
    const char *e164 = verdict->e164;
    bool loading = rules->loading || (rules->do_not_call && !do_not_call_ready(rules->do_not_call));
    if (is_own(rules, e164))
        refuse(verdict, "own_number", CAUSE_OUTGOING_CALL_BARRED);
    else if (loading)
        refuse_for_now(verdict, "permits_loading", CAUSE_NORMAL_TEMPORARY_FAILURE);
    else if (rules->do_not_call && do_not_call_has(rules->do_not_call, e164, request->campaign))
        refuse(verdict, "do_not_call", CAUSE_OUTGOING_CALL_BARRED);
    else if (!price_allows(rules, request, e164))
        refuse(verdict, "price", CAUSE_OUTGOING_CALL_BARRED);
    if (verdict->refused || request->again) return;
    if (rules->history && number_history_free_at(rules->history, e164, request->now_us / 1000000))
        refuse(verdict, "attempts", CAUSE_OUTGOING_CALL_BARRED);
    else if (!hour_allows(rules, request, e164))
        refuse(verdict, "window", CAUSE_OUTGOING_CALL_BARRED);
    else if (rules->spend && !spend_allows(rules->spend, request->now_us))
        refuse_for_now(verdict, "spend", CAUSE_OUTGOING_CALL_BARRED);
}

static void check_number(const struct permit_rules *rules, const struct permit_request *request, struct permit_verdict *verdict)
{
    bool as_given;
    if (number_normalise(rules, request->number, verdict->e164, sizeof verdict->e164, &as_given) < 0) {
        if (!name_allowed(rules, request->number)) {
            refuse(verdict, "number", CAUSE_INVALID_NUMBER_FORMAT);
            return;
        }
        snprintf(verdict->e164, sizeof verdict->e164, "%s", "");
        if (number_rewrite(request->number, request->prefix_strip, request->prefix_add, verdict->dialled, sizeof verdict->dialled) < 0)
            refuse(verdict, "number", CAUSE_INVALID_NUMBER_FORMAT);
        return;
    }
    if (spell(request, as_given, verdict) < 0) {
        refuse(verdict, "number", CAUSE_INVALID_NUMBER_FORMAT);
        return;
    }
    if (is_emergency(rules, request->number, verdict->e164, verdict->dialled)) {
        refuse(verdict, "emergency", CAUSE_OUTGOING_CALL_BARRED);
        return;
    }
    if (!country_allowed(rules, verdict->e164))
        refuse(verdict, "country", CAUSE_OUTGOING_CALL_BARRED);
    else
        check_person(rules, request, verdict);
}

static void check_host(const struct permit_rules *rules, const struct permit_request *request, struct permit_verdict *verdict)
{
    if (request->uri_is_registered) return;
    if (request->uri_is_listener && host_is_loopback(request->uri_host)) return;
    for (size_t i = 0; i < rules->uri_host_count; i++)
        if (!strcasecmp(rules->uri_hosts[i], request->uri_host)) return;
    refuse(verdict, "uri_host", CAUSE_OUTGOING_CALL_BARRED);
}

void permit_check(const struct permit_rules *rules, const struct permit_request *request, struct permit_verdict *verdict)
{
    memset(verdict, 0, sizeof *verdict);
    verdict->max_s = request->max_s && request->max_s < rules->max_call_s ? request->max_s : rules->max_call_s;
    if (request->number)
        check_number(rules, request, verdict);
    else
        check_host(rules, request, verdict);
    if (verdict->refused) return;
    if (request->draining)
        refuse_for_now(verdict, "draining", CAUSE_SYSTEM_SHUTDOWN);
    else if (!request->ledger_accepting)
        refuse_for_now(verdict, "ledger", CAUSE_NORMAL_TEMPORARY_FAILURE);
    else if (!request->trunk_usable)
        refuse_for_now(verdict, "trunk_down", CAUSE_GATEWAY_DOWN);
    else if (!request->engine_free)
        refuse_for_now(verdict, "engine_concurrent", CAUSE_SWITCH_CONGESTION);
    else if (!request->trunk_free)
        refuse_for_now(verdict, "trunk_concurrent", CAUSE_NORMAL_CIRCUIT_CONGESTION);
    else if (!request->campaign_free)
        refuse_for_now(verdict, "campaign_concurrent", CAUSE_NORMAL_CIRCUIT_CONGESTION);
}

void permit_note(const struct permit_rules *rules, const struct permit_verdict *verdict, int64_t now_us)
{
    if (rules->history && *verdict->e164) number_history_note(rules->history, verdict->e164, now_us / 1000000);
}
