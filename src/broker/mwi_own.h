/* mwi_own.h: message waiting: what mwi.c (accounts and MESSAGE_WAITING) and mwi_subscribe.c (SUBSCRIBE and its NOTIFYs) share. */
#ifndef BROKER_MWI_OWN_H
#define BROKER_MWI_OWN_H

#define NTA_LEG_MAGIC_T      struct subscription
#define NTA_OUTGOING_MAGIC_T struct subscription
struct subscription;

#include "broker/mwi.h"
#include "bus/eventlog.h"

#define MWI_CONTENT_TYPE "application/simple-message-summary"
#define ACCOUNT_BUCKETS  1024u

/* What was last said of an account: the body of NOTIFY. */
struct account {
    char user[64], domain[128];
    char *body;
    struct account *next;
};

struct subscription {
    struct broker *broker;
    struct listener *listener;
    enum transport transport;
    char user[64], domain[128], call_id[128];
    nta_leg_t *leg;
    nta_outgoing_t *notify; /* one at a time */
    bool dirty;             /* another one is due when it is answered */
    bool ended;             /* reaped when its last NOTIFY is through */
    int64_t expires_s;      /* UTC */
    struct subscription *next;
};

struct mwi {
    struct broker *broker;
    struct account *accounts[ACCOUNT_BUCKETS];
    struct subscription *subscriptions;
    uint32_t account_count, subscription_count;
    struct eventlog_cursor cursors[BUS_PROCESSES_MAX];
    struct loop_timer poll;
    int64_t reaped_s;
};

/* mwi.c: what was last said of an account; NULL = nothing. */
struct account *mwi_account(struct mwi *mwi, const char *user, const char *domain);

/* mwi_subscribe.c: tells it how its account is; once a second: those that ended are let go. */
void subscription_notify(struct subscription *s);
void subscription_free(struct mwi *mwi, struct subscription **at);
void subscriptions_reap(struct mwi *mwi);

#endif
