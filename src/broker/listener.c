/* listener.c: see listener.h. */
#include "broker/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "broker/state.h"
#include "broker/tap.h"
#include "core/clock.h"
#include "core/log.h"

#define PORT_WAIT_NS (3 * NS_PER_S)

static const char *const transport_names[TRANSPORT_COUNT] = { "udp", "tcp", "tls" };

const char *transport_name(enum transport transport) { return transport_names[transport]; }

enum transport transport_of(const char *text)
{
    for (int t = 0; t < TRANSPORT_COUNT; t++)
        if (!strncasecmp(text, transport_names[t], 3)) return (enum transport)t;
    return TRANSPORT_UDP;
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

static void transports_read(struct listener *listener, const struct config_node *node)
{
    const struct config_node *transports = config_get(node, "transports");
    for (size_t i = 0; i < config_count(transports); i++)
        listener->transports[transport_of(config_text(config_child(transports, i)))] = true;
    if (!transports) listener->transports[TRANSPORT_UDP] = true;
    snprintf(listener->tls_folder, sizeof listener->tls_folder, "%s", config_str(node, "tls_folder", ""));
    listener->tls_verify_in = config_bool(node, "tls_verify_callers", false);
    listener->tls_port = (uint16_t)config_int(node, "tls_port", 5061);
}

static void users_read(struct listener_users *users, const struct config_node *node)
{
    users->on = node != NULL;
    if (!node) return;
    snprintf(users->domain, sizeof users->domain, "%s", config_str(node, "domain", ""));
    users->expires_min_s = (uint32_t)config_int(node, "expires_min_s", 60);
    users->expires_max_s = (uint32_t)config_int(node, "expires_max_s", 3600);
    users->contacts_max = (uint32_t)config_int(node, "contacts", 10);
    users->ping_s = (uint32_t)config_int(node, "ping_s", 30);
    users->nonce_s = (uint32_t)config_int(node, "nonce_s", 3660);
    const struct config_node *algorithms = config_get(node, "algorithms");
    for (size_t i = 0; i < config_count(algorithms); i++) {
        bool sha256 = !strcmp(config_text(config_child(algorithms, i)), "SHA-256");
        if (sha256 && !users->md5) users->sha256_first = true;
        if (sha256)
            users->sha256 = true;
        else
            users->md5 = true;
    }
}

static void listener_read(struct listener *listener, const struct config_node *node)
{
    snprintf(listener->name, sizeof listener->name, "%s", config_str(node, "name", "external"));
    snprintf(listener->address, sizeof listener->address, "%s", config_str(node, "address", "127.0.0.1"));
    snprintf(listener->advertised, sizeof listener->advertised, "%s", config_str(node, "external", listener->address));
    snprintf(listener->script, sizeof listener->script, "%s", config_str(node, "script", ""));
    snprintf(listener->context, sizeof listener->context, "%s", config_str(node, "context", ""));
    /* Whoever gives a listener something to run for strangers wants strangers; `accept` says it outright. */
    users_read(&listener->users, config_get(node, "users"));
    bool runs = (*listener->script || *listener->context) && !listener->users.on;
    listener->anybody = !strcmp(config_str(node, "accept", runs ? "any" : "trunks"), "any");
    if (listener->anybody && !*listener->script && !*listener->context) snprintf(listener->context, sizeof listener->context, "public");
    listener->port = (uint16_t)config_int(node, "port", 5060);
    transports_read(listener, node);
}

/* --- opening -------------------------------------------------------------------------------------------------------- */

static const char *bracketed(const char *address, char *out, size_t size)
{
    snprintf(out, size, strchr(address, ':') ? "[%s]" : "%s", address);
    return out;
}

static tport_t *primary_find(struct agent *agent, const struct listener *listener, enum transport transport)
{
    for (tport_t *tp = tport_primaries(nta_agent_tports(agent->nta)); tp; tp = tport_next(tp)) {
        const tp_name_t *name = tport_name(tp);
        if (name->tpn_ident && !strcmp(name->tpn_ident, listener->name) && !strcasecmp(name->tpn_proto, transport_names[transport]))
            return tp;
    }
    return NULL;
}

static uint16_t port_of(const struct listener *listener, enum transport transport)
{
    return transport == TRANSPORT_TLS ? listener->tls_port : listener->port;
}

static void contact_make(struct agent *agent, struct listener *listener, enum transport transport)
{
    static const char *const parameter[TRANSPORT_COUNT] = { "", ";transport=tcp", ";transport=tls" };
    char host[64];
    snprintf(listener->contact_text[transport], BUS_URI_MAX, "sip:carillon@%s:%u%s", bracketed(listener->advertised, host, sizeof host),
             port_of(listener, transport), parameter[transport]);
    listener->contact[transport] = sip_contact_create(agent->home, URL_STRING_MAKE(listener->contact_text[transport]), NULL);
}

/* The children of a supervisor that was killed end their calls before they leave, and until then the port is theirs: a start that comes
 * at once waits for them. Nothing is served yet, so it may. 0 or an errno. */
static int tport_add_patiently(struct agent *agent, const struct listener *listener, const char *url)
{
    int64_t until_ns = clock_mono_ns() + PORT_WAIT_NS;
    /* Version 0 lets both sides agree on the best they have. The far end's certificate is verified when we call it, its name too. */
    unsigned policy = TPTLS_VERIFY_SUBJECTS_OUT | (listener->tls_verify_in ? TPTLS_VERIFY_IN : 0);
    for (;;) {
        errno = 0;
        if (nta_agent_add_tport(agent->nta, (const url_string_t *)url, TPTAG_IDENT(listener->name), TPTAG_UDP_RMEM(4u << 20),
                                TPTAG_UDP_WMEM(1u << 20), TPTAG_CERTIFICATE(listener->tls_folder), TPTAG_TLS_VERSION(0),
                                TPTAG_TLS_VERIFY_POLICY(policy), TPTAG_TLS_VERIFY_DEPTH(5), TAG_IF(tap_is_open(), TPTAG_DUMP("/dev/null")),
                                TAG_END()) >= 0)
            return 0;
        int err = errno ? errno : EIO;
        if (err != EADDRINUSE || clock_mono_ns() > until_ns) return err;
        usleep(20000);
    }
}

/* sofia says nothing of value about a certificate that is missing: this does. */
static int certificates_look(const struct listener *listener, struct buf *error)
{
    static const char *const files[] = { "agent.pem", "cafile.pem" };
    char path[600];
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", listener->tls_folder, files[i]);
        if (access(path, R_OK) == 0) continue;
        buf_printf(error, "sip.listen: listener \"%s\" has the transport tls, but %s cannot be read: %s; put %s there", listener->name,
                   path, strerror(errno),
                   i ? "the certificates of the authorities that you trust" : "its certificate and private key (PEM)");
        return -EINVAL;
    }
    return 0;
}

static int transport_open(struct agent *agent, struct listener *listener, enum transport transport, struct buf *error)
{
    char url[BUS_URI_MAX], host[64], external[64];
    uint16_t *port = transport == TRANSPORT_TLS ? &listener->tls_port : &listener->port;
    if (transport == TRANSPORT_TLS && certificates_look(listener, error) < 0) return -EINVAL;
    size_t n = (size_t)snprintf(url, sizeof url, "%s:%s:%u", transport == TRANSPORT_TLS ? "sips" : "sip",
                                bracketed(listener->advertised, external, sizeof external), *port);
    n += (size_t)snprintf(url + n, sizeof url - n, ";transport=%s", transport_names[transport]);
    if (strcmp(listener->advertised, listener->address))
        snprintf(url + n, sizeof url - n, ";maddr=%s", bracketed(listener->address, host, sizeof host));
    int err = tport_add_patiently(agent, listener, url);
    if (err) {
        buf_printf(error, "sip.listen: cannot listen on %s:%u (%s, listener \"%s\"): %s; %s", listener->address, *port,
                   transport_names[transport], listener->name, strerror(err),
                   transport == TRANSPORT_TLS && err != EADDRINUSE ? "look at the certificates in tls_folder"
                                                                   : "free the port or change address or port");
        return -err;
    }
    listener->tport[transport] = primary_find(agent, listener, transport);
    if (*port == 0 && listener->tport[transport]) *port = (uint16_t)atoi(tport_name(listener->tport[transport])->tpn_port);
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
    log_info(NULL, "listener %s on %s:%u%s%s%s", listener->name, listener->address, listener->port,
             listener->transports[TRANSPORT_UDP] ? " udp" : "", listener->transports[TRANSPORT_TCP] ? " tcp" : "",
             listener->transports[TRANSPORT_TLS] ? " tls" : "");
    return 0;
}

int listeners_open(struct broker *broker, struct buf *error)
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
