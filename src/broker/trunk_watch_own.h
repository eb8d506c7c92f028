/* trunk_watch_own.h: what trunk_watch.c, trunk_register.c and trunk_ping.c share. */
#ifndef BROKER_TRUNK_WATCH_OWN_H
#define BROKER_TRUNK_WATCH_OWN_H

/* The legs and requests of the files that include this belong to a trunk. */
#define NTA_LEG_MAGIC_T      struct trunk_watch
#define NTA_OUTGOING_MAGIC_T struct trunk_watch

#include "broker/state.h"
#include "broker/trunk.h"
#include "broker/trunk_watch.h"

struct registrar {
    char route[BUS_URI_MAX];
};

struct trunk_watch {
    struct trunk *trunk;
    struct trunk_health health;
    /* REGISTER */
    nta_leg_t *leg;
    nta_outgoing_t *request;
    struct loop_timer refresh;
    uint32_t expires_s, wish_s, retry_s; /* granted; asked for; between failures */
    unsigned failures, challenges;
    struct registrar registrars[REGISTRARS_MAX];
    unsigned registrar_count, registrar_at;
    auth_client_t *credentials;
    su_home_t *home;
    char contact[BUS_URI_MAX];
    /* OPTIONS */
    nta_leg_t *ping_leg;
    nta_outgoing_t *ping;
    struct loop_timer ping_due;
    uint32_t ping_s, ping_failures_max, ping_failures;
    int64_t ping_sent_ns;
};

/* A leg outside dialogs, from and to the trunk's own address of record. */
nta_leg_t *watch_leg(struct trunk_watch *watch, const char *user);
/* Tells the world after a change. */
void watch_changed(struct trunk_watch *watch, const char *phrase);

/* trunk_register.c */
void register_start(struct trunk_watch *watch, const struct config_node *node);
void register_goodbye(struct trunk_watch *watch);
/* trunk_ping.c */
void ping_start(struct trunk_watch *watch);

#endif
