/* mwi.c: see mwi.h: accounts, and what MESSAGE_WAITING says of them. */
#include "broker/mwi_own.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/event.h"
#include "broker/outside.h"
#include "core/clock.h"
#include "core/log.h"

#define POLL_NS      (100 * NS_PER_MS)
#define ACCOUNTS_MAX 10000u
#define BODY_MAX     2000

/* --- accounts ------------------------------------------------------------------------------------------------------- */

static struct account **bucket_of(struct mwi *mwi, const char *user)
{
    uint32_t hash = 2166136261u;
    for (; *user; user++) hash = (hash ^ (unsigned char)tolower((unsigned char)*user)) * 16777619u;
    return &mwi->accounts[hash % ACCOUNT_BUCKETS];
}

struct account *mwi_account(struct mwi *mwi, const char *user, const char *domain)
{
    for (struct account *a = *bucket_of(mwi, user); a; a = a->next)
        if (!strcasecmp(a->user, user) && !strcasecmp(a->domain, domain)) return a;
    return NULL;
}

static void account_set(struct mwi *mwi, const char *user, const char *domain, const char *body)
{
    struct account *account = mwi_account(mwi, user, domain);
    char *copy = strdup(body);
    if (!account && copy && mwi->account_count < ACCOUNTS_MAX && (account = calloc(1, sizeof *account))) {
        snprintf(account->user, sizeof account->user, "%s", user);
        snprintf(account->domain, sizeof account->domain, "%s", domain);
        struct account **bucket = bucket_of(mwi, user);
        account->next = *bucket;
        *bucket = account;
        mwi->account_count++;
    }
    if (!account || !copy) return free(copy);
    free(account->body);
    account->body = copy;
}

/* --- NOTIFY unasked ------------------------------------------------------------------------------------------------- */

static void notify_unasked(struct broker *broker, const struct location *l, const char *body)
{
    struct outside_request request = { .method = sip_method_notify,
                                       .method_name = "NOTIFY",
                                       .to = l,
                                       .content_type = MWI_CONTENT_TYPE,
                                       .body = body,
                                       .headers = "Event: message-summary\r\nSubscription-State: terminated;reason=noresource\r\n" };
    outside_send(broker, &request, NULL, NULL);
}

void mwi_registered(struct broker *broker, const struct location *l)
{
    const struct account *account = mwi_account(broker->registrar->mwi, l->mwi_user, l->mwi_domain);
    if (account) notify_unasked(broker, l, account->body);
}

/* --- MESSAGE_WAITING ------------------------------------------------------------------------------------------------ */

static const char *header(struct kv_view pairs, const char *name)
{
    struct kv_pair pair;
    size_t at = 0;
    while (kv_next(pairs, &at, &pair))
        if (!strcasecmp(pair.name, name)) return pair.value;
    return NULL;
}

/* Each MWI-X becomes a line X of the body (RFC 3842 §5.2), as FreeSWITCH writes them. */
static void body_write(struct kv_view pairs, struct buf *out)
{
    struct kv_pair pair;
    size_t at = 0;
    while (kv_next(pairs, &at, &pair)) {
        if (strncasecmp(pair.name, "mwi-", 4) || strpbrk(pair.value, "\r\n") || strpbrk(pair.name, "\r\n :")) continue;
        bool bare = !strcasecmp(pair.name, "mwi-message-account") && strncasecmp(pair.value, "sip:", 4);
        if (out->length + strlen(pair.value) < BODY_MAX) buf_printf(out, "%s: %s%s\r\n", pair.name + 4, bare ? "sip:" : "", pair.value);
    }
    buf_puts(out, "\r\n");
}

struct waiting {
    char user[64];
    const char *domain;                /* "" = any */
    const char *call_id, *sub_call_id; /* NULL = all telephones */
};

static bool domain_fits(const struct waiting *waiting, const char *domain)
{
    return !*waiting->domain || !strcasecmp(waiting->domain, domain);
}

static void subscriptions_tell(struct mwi *mwi, const struct waiting *waiting)
{
    for (struct subscription *s = mwi->subscriptions; s; s = s->next) {
        if (s->ended || strcasecmp(s->user, waiting->user) || !domain_fits(waiting, s->domain)) continue;
        if (waiting->sub_call_id ? strcmp(waiting->sub_call_id, s->call_id) == 0 : !waiting->call_id) subscription_notify(s);
    }
}

static void telephones_tell(struct mwi *mwi, const struct waiting *waiting, const char *body)
{
    const struct locations *locations = mwi->broker->registrar->locations;
    if (waiting->sub_call_id && !waiting->call_id) return;
    for (const struct location *l = locations_walk(locations, NULL); l; l = locations_walk(locations, l)) {
        bool meant = waiting->call_id ? !strcmp(waiting->call_id, l->call_id)
                                      : !strcasecmp(l->mwi_user, waiting->user) && domain_fits(waiting, l->mwi_domain);
        if (meant) notify_unasked(mwi->broker, l, body);
    }
}

/* An account without a domain is one of each domain that is known. */
static void accounts_remember(struct mwi *mwi, const struct waiting *waiting, const char *body)
{
    const struct locations *locations = mwi->broker->registrar->locations;
    if (*waiting->domain) return account_set(mwi, waiting->user, waiting->domain, body);
    for (const struct location *l = locations_walk(locations, NULL); l; l = locations_walk(locations, l))
        if (!strcasecmp(l->mwi_user, waiting->user)) account_set(mwi, l->mwi_user, l->mwi_domain, body);
    for (const struct subscription *s = mwi->subscriptions; s; s = s->next)
        if (!strcasecmp(s->user, waiting->user)) account_set(mwi, s->user, s->domain, body);
}

static void waiting_take(struct mwi *mwi, struct kv_view pairs)
{
    const char *account = header(pairs, "MWI-Message-Account");
    struct buf body = BUF_INIT;
    if (!account || !header(pairs, "MWI-Messages-Waiting")) {
        log_err(NULL, "MESSAGE_WAITING: Missing required Header '%s'", account ? "MWI-Messages-Waiting" : "MWI-Message-Account");
        return;
    }
    if (!strncasecmp(account, "sip:", 4)) account += 4;
    const char *at = strchr(account, '@');
    struct waiting waiting = { .domain = at ? at + 1 : "",
                               .call_id = header(pairs, "call-id"),
                               .sub_call_id = header(pairs, "sub-call-id") };
    snprintf(waiting.user, sizeof waiting.user, "%.*s", at ? (int)(at - account) : 63, account);
    body_write(pairs, &body);
    accounts_remember(mwi, &waiting, buf_text(&body));
    subscriptions_tell(mwi, &waiting);
    telephones_tell(mwi, &waiting, buf_text(&body));
    buf_free(&body);
}

static void log_read(struct mwi *mwi, uint32_t process)
{
    struct eventlog *log = segment_eventlog(mwi->broker->segment, process);
    struct event_head head;
    struct kv pairs = KV_INIT;
    uint64_t missed = 0;
    int got;
    while ((got = eventlog_read(log, &mwi->cursors[process], &head, &pairs, &missed)) != 0) {
        if (got > 0 && head.type == EVENT_MESSAGE_WAITING)
            waiting_take(mwi, kv_view(&pairs));
        else if (got == -EOVERFLOW)
            log_warning(NULL, "%llu events of process %u were overwritten unread; a MESSAGE_WAITING may be among them",
                        (unsigned long long)missed, process);
        else if (got < 0)
            break;
    }
    kv_free(&pairs);
}

static void logs_poll(struct loop_timer *timer)
{
    struct mwi *mwi = timer->context;
    for (uint32_t process = 0; process < segment_processes(mwi->broker->segment); process++) log_read(mwi, process);
    subscriptions_reap(mwi);
    loop_timer_set(mwi->broker->loop, timer, clock_mono_ns() + POLL_NS);
}

/* --- start and end -------------------------------------------------------------------------------------------------- */

int mwi_open(struct broker *broker)
{
    uint64_t wish[2] = { 1ull << EVENT_MESSAGE_WAITING, 0 };
    struct mwi *mwi = calloc(1, sizeof *mwi);
    if (!mwi) return -ENOMEM;
    mwi->broker = broker;
    mwi->poll = (struct loop_timer) { .fire = logs_poll, .context = mwi };
    broker->registrar->mwi = mwi;
    for (uint32_t process = 0; process < segment_processes(broker->segment); process++)
        eventlog_seek_end(segment_eventlog(broker->segment, process), &mwi->cursors[process]);
    event_wish(broker->segment, broker->args->process, wish);
    loop_timer_set(broker->loop, &mwi->poll, clock_mono_ns() + POLL_NS);
    return 0;
}

void mwi_close(struct broker *broker)
{
    struct mwi *mwi = broker->registrar->mwi;
    if (!mwi) return;
    loop_timer_clear(broker->loop, &mwi->poll);
    while (mwi->subscriptions) subscription_free(mwi, &mwi->subscriptions);
    for (unsigned b = 0; b < ACCOUNT_BUCKETS; b++)
        for (struct account *account = mwi->accounts[b], *next; account; account = next) {
            next = account->next;
            free(account->body);
            free(account);
        }
    free(mwi);
}
