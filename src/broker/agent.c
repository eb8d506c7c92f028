/* agent.c: the SIP stack's loop with the core loop nested in it, the listeners, and the gate before the parser. */
#include "broker/agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "broker/call.h"
#include "broker/gate.h"
#include "broker/inbound.h"
#include "broker/state.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

#define PORT_WAIT_NS (3 * NS_PER_S)

/* --- the nested loop ------------------------------------------------------------------------------------------------ */

/* Sofia's own timers count milliseconds; INVITEs spaced by 1/cps want better, so the core loop's next timer is a timerfd. */
static void timer_arm(struct broker *broker)
{
    struct agent *agent = &broker->agent;
    int64_t next = loop_next_ns(broker->loop);
    if (next == agent->timer_ns) return;
    struct itimerspec at = { 0 };
    if (next != INT64_MAX) {
        int64_t ns = next > 0 ? next : 1;
        at.it_value = (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
    }
    timerfd_settime(agent->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
    agent->timer_ns = next;
}

/* Before sofia sleeps: what SIP callbacks made due in the core loop is done first. */
static void before_poll(su_prepoll_magic_t *context, su_root_t *root)
{
    struct broker *broker = context;
    if (loop_next_ns(broker->loop) <= clock_mono_ns()) loop_fire(broker->loop);
    calls_reap(broker);
    timer_arm(broker);
}

static int loop_ready(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *broker)
{
    loop_step(broker->loop, 0);
    return 0;
}

static int timer_ready(su_root_magic_t *magic, su_wait_t *wait, su_wakeup_arg_t *broker)
{
    broker->agent.timer_ns = -1; /* before_poll sets it anew, which also clears it: no need to read it */
    loop_fire(broker->loop);
    return 0;
}

static int nest(struct broker *broker)
{
    struct agent *agent = &broker->agent;
    su_wait_t wait[1];
    agent->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (agent->timer_fd < 0) return -errno;
    su_wait_create(wait, loop_fd(broker->loop), SU_WAIT_IN);
    if (su_root_register(agent->root, wait, loop_ready, broker, su_pri_normal) < 0) return -EIO;
    su_wait_create(wait, agent->timer_fd, SU_WAIT_IN);
    if (su_root_register(agent->root, wait, timer_ready, broker, su_pri_first) < 0) return -EIO;
    su_root_add_prepoll(agent->root, before_poll, broker);
    return 0;
}

/* --- listeners ------------------------------------------------------------------------------------------------------ */

static const char *const transport_names[TRANSPORT_COUNT] = { "udp", "tcp" };

static void listener_read(struct listener *listener, const struct config_node *node)
{
    snprintf(listener->name, sizeof listener->name, "%s", config_str(node, "name", "external"));
    snprintf(listener->address, sizeof listener->address, "%s", config_str(node, "address", "127.0.0.1"));
    snprintf(listener->advertised, sizeof listener->advertised, "%s", config_str(node, "external", listener->address));
    snprintf(listener->script, sizeof listener->script, "%s", config_str(node, "script", ""));
    snprintf(listener->context, sizeof listener->context, "%s", config_str(node, "context", ""));
    /* Whoever gives a listener something to run for strangers wants strangers; `accept` says it outright. */
    bool runs = *listener->script || *listener->context;
    listener->anybody = !strcmp(config_str(node, "accept", runs ? "any" : "trunks"), "any");
    if (listener->anybody && !runs) snprintf(listener->context, sizeof listener->context, "public");
    listener->port = (uint16_t)config_int(node, "port", 5060);
    const struct config_node *transports = config_get(node, "transports");
    for (size_t i = 0; i < config_count(transports); i++)
        for (int t = 0; t < TRANSPORT_COUNT; t++)
            if (!strcmp(config_text(config_child(transports, i)), transport_names[t])) listener->transports[t] = true;
    if (!transports) listener->transports[TRANSPORT_UDP] = true;
}

static const char *bracketed(const char *address, char *out, size_t size)
{
    snprintf(out, size, strchr(address, ':') ? "[%s]" : "%s", address);
    return out;
}

static tport_t *primary_find(struct agent *agent, const struct listener *listener, enum transport transport)
{
    for (tport_t *tp = tport_primaries(nta_agent_tports(agent->nta)); tp; tp = tport_next(tp)) {
        const tp_name_t *name = tport_name(tp);
        if (name->tpn_ident && !strcmp(name->tpn_ident, listener->name) && !strcasecmp(name->tpn_proto, transport_names[transport])) return tp;
    }
    return NULL;
}

static void contact_make(struct agent *agent, struct listener *listener, enum transport transport)
{
    char host[64];
    snprintf(listener->contact_text[transport], BUS_URI_MAX, "sip:carillon@%s:%u%s", bracketed(listener->advertised, host, sizeof host), listener->port,
             transport == TRANSPORT_TCP ? ";transport=tcp" : "");
    listener->contact[transport] = sip_contact_create(agent->home, URL_STRING_MAKE(listener->contact_text[transport]), NULL);
}

/* The children of a supervisor that was killed end their calls before they leave, and until then the port is theirs: a start that comes
 * at once waits for them. Nothing is served yet, so it may. 0 or an errno. */
static int tport_add_patiently(struct agent *agent, const struct listener *listener, const char *url)
{
    int64_t until_ns = clock_mono_ns() + PORT_WAIT_NS;
    for (;;) {
        errno = 0;
        if (nta_agent_add_tport(agent->nta, (const url_string_t *)url, TPTAG_IDENT(listener->name), TPTAG_UDP_RMEM(4u << 20),
                                TPTAG_UDP_WMEM(1u << 20), TAG_END()) >= 0)
            return 0;
        int err = errno ? errno : EIO;
        if (err != EADDRINUSE || clock_mono_ns() > until_ns) return err;
        usleep(20000);
    }
}

static int transport_open(struct agent *agent, struct listener *listener, enum transport transport, struct buf *error)
{
    char url[BUS_URI_MAX], host[64];
    snprintf(url, sizeof url, "sip:%s:%u;transport=%s", bracketed(listener->address, host, sizeof host), listener->port, transport_names[transport]);
    int err = tport_add_patiently(agent, listener, url);
    if (err) {
        buf_printf(error, "sip.listen: cannot listen on %s:%u (%s, listener \"%s\"): %s; free the port or change address or port", listener->address,
                   listener->port, transport_names[transport], listener->name, strerror(err));
        return -err;
    }
    listener->tport[transport] = primary_find(agent, listener, transport);
    if (listener->port == 0 && listener->tport[transport]) listener->port = (uint16_t)atoi(tport_name(listener->tport[transport])->tpn_port);
    contact_make(agent, listener, transport);
    return 0;
}

static int listener_open(struct agent *agent, struct listener *listener, struct buf *error)
{
    for (int t = 0; t < TRANSPORT_COUNT; t++) {
        int err = listener->transports[t] ? transport_open(agent, listener, (enum transport)t, error) : 0;
        if (err < 0) return err;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)&listener->bound;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&listener->bound;
    if (inet_pton(AF_INET, listener->address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(listener->port);
    } else if (inet_pton(AF_INET6, listener->address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(listener->port);
    }
    log_info(NULL, "listener %s on %s:%u%s%s", listener->name, listener->address, listener->port, listener->transports[TRANSPORT_UDP] ? " udp" : "",
             listener->transports[TRANSPORT_TCP] ? " tcp" : "");
    return 0;
}

static int listeners_open(struct broker *broker, struct buf *error)
{
    struct agent *agent = &broker->agent;
    const struct config_node *list = config_get(broker->config, "sip.listen");
    for (size_t i = 0; i < config_count(list) && agent->listener_count < LISTENERS_MAX; i++) {
        struct listener *listener = &agent->listeners[agent->listener_count];
        listener_read(listener, config_child(list, i));
        int err = listener_open(agent, listener, error);
        if (err < 0) return err;
        agent->listener_count++;
    }
    if (agent->listener_count) return 0;
    buf_puts(error, "sip.listen: no listener; give at least one { name = \"external\", address = …, port = 5060 }");
    return -EINVAL;
}

/* --- the agent ------------------------------------------------------------------------------------------------------ */

static void sofia_log(void *stream, char const *format, va_list args)
{
    char line[512];
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\r\n")] = 0;
    if (*line) log_debug(NULL, "sofia: %s", line);
}

static int stack_create(struct broker *broker, struct buf *error)
{
    struct agent *agent = &broker->agent;
    su_init();
    su_log_redirect(NULL, sofia_log, NULL);
    su_log_set_level(NULL, 1);
    su_home_init(agent->home);
    agent->root = su_root_create(broker);
    if (!agent->root) return buf_puts(error, "the SIP stack cannot make its event loop"), -ENOMEM;
    su_root_threading(agent->root, 0);
    agent->parser = gate_parser(broker);
    /* UA: a 2xx that comes again is acknowledged by the stack (it finds our ACK), and a 2xx's ACK goes to its INVITE.
     * Timer C would end calls that our own ring timeout (at most 600 s) should end. */
    agent->nta = nta_agent_create(agent->root, (url_string_t *)-1, inbound_message, broker, NTATAG_MCLASS(agent->parser), NTATAG_UA(1),
                                  NTATAG_CLIENT_RPORT(1), NTATAG_TIMER_C(700000), NTATAG_MAXSIZE(65536), NTATAG_DEFAULT_PROXY(NULL), TAG_END());
    if (!agent->nta) return buf_puts(error, "the SIP stack cannot make its agent"), -ENOMEM;
    agent->user_agent = sip_user_agent_make(agent->home, config_str(broker->config, "sip.user_agent", "Carillon"));
    agent->allow = sip_allow_make(agent->home, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY");
    agent->sdp_type = sip_content_type_make(agent->home, "application/sdp");
    return 0;
}

int agent_open(struct broker *broker, struct buf *error)
{
    broker->agent.timer_fd = -1;
    int err = stack_create(broker, error);
    if (err == 0) err = listeners_open(broker, error);
    if (err == 0) err = nest(broker);
    return err;
}

void agent_run(struct broker *broker)
{
    su_root_run(broker->agent.root);
}

void agent_stop(struct broker *broker)
{
    su_root_break(broker->agent.root);
}

void agent_close(struct broker *broker)
{
    struct agent *agent = &broker->agent;
    if (agent->nta) nta_agent_destroy(agent->nta);
    if (agent->root) {
        su_root_remove_prepoll(agent->root);
        su_root_destroy(agent->root);
    }
    if (agent->timer_fd >= 0) close(agent->timer_fd);
    su_home_deinit(agent->home);
    *agent = (struct agent){ .timer_fd = -1 };
}

/* --- finding a listener --------------------------------------------------------------------------------------------- */

struct listener *listener_named(struct agent *agent, const char *name)
{
    for (unsigned i = 0; i < agent->listener_count; i++)
        if (!strcmp(agent->listeners[i].name, name)) return &agent->listeners[i];
    return NULL;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family) return false;
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
    return x->sin6_port == y->sin6_port && !memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr);
}

struct listener *listener_at(struct agent *agent, const struct sockaddr *address)
{
    for (unsigned i = 0; i < agent->listener_count; i++)
        if (same_address((const struct sockaddr *)&agent->listeners[i].bound, address)) return &agent->listeners[i];
    return NULL;
}

struct listener *listener_of_text(struct agent *agent, const char *host, uint16_t port)
{
    for (unsigned i = 0; i < agent->listener_count; i++) {
        struct listener *listener = &agent->listeners[i];
        bool ours = !strcmp(listener->address, host) || !strcmp(listener->advertised, host);
        if (ours && listener->port == (port ? port : 5060)) return listener;
    }
    return NULL;
}

struct listener *listener_of(struct agent *agent, nta_incoming_t *irq, msg_t *msg, enum transport *transport)
{
    tport_t *tport = nta_incoming_transport(agent->nta, irq, msg);
    tport_t *primary = tport ? tport_parent(tport) : NULL;
    struct listener *found = NULL;
    for (unsigned i = 0; i < agent->listener_count && !found; i++)
        for (int t = 0; t < TRANSPORT_COUNT && !found; t++)
            if (agent->listeners[i].tport[t] && (agent->listeners[i].tport[t] == tport || agent->listeners[i].tport[t] == primary)) {
                found = &agent->listeners[i];
                *transport = (enum transport)t;
            }
    tport_unref(tport);
    return found;
}
