/* trunk_load.c: trunks from the configuration. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/headers.h"
#include "broker/state.h"
#include "broker/trunk.h"
#include "core/clock.h"
#include "core/log.h"

/* The trunk's own addresses are sources. A name is looked up once, at the start, where blocking is allowed. */
static void sources_of_host(struct trunk *trunk)
{
    struct source literal;
    trunk->named = source_parse(&literal, trunk->host) < 0;
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *list = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", trunk->port ? trunk->port : 5060);
    int err = getaddrinfo(trunk->host, port, &hints, &list);
    if (err)
        log_warning(NULL, "trunk %s: address %s: %s; its inbound calls come from unknown sources until it has answered us once",
                    trunk->name, trunk->host, gai_strerror(err));
    for (struct addrinfo *at = err ? NULL : list; at && trunk->source_count < TRUNK_SOURCES_MAX; at = at->ai_next) {
        struct source *source = &trunk->sources[trunk->source_count++];
        memcpy(&source->address, at->ai_addr, at->ai_addrlen);
        source->bits = at->ai_family == AF_INET ? 32 : 128;
    }
    if (!err) freeaddrinfo(list);
}

static void headers_read(struct trunk *trunk, const struct config_node *headers)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < config_count(headers); i++) {
        const struct config_node *header = config_child(headers, i);
        headers_add(&text, config_name(header), config_text(header));
    }
    trunk->headers = text.length ? buf_take(&text) : NULL;
    buf_free(&text);
}

static char *text_or_null(const struct config_node *node, const char *path)
{
    const char *text = config_str(node, path, NULL);
    return text ? strdup(text) : NULL;
}

static void codecs_read(struct trunk *trunk, const struct config_node *codecs)
{
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < config_count(codecs); i++) buf_printf(&names, "%s,", config_text(config_child(codecs, i)));
    if (sdp_codecs_parse(&trunk->codecs, buf_text(&names)) < 0) sdp_codecs_parse(&trunk->codecs, "PCMU,PCMA");
    buf_free(&names);
}

static enum dial_early early_of(const char *word)
{
    return !strcmp(word, "answer") ? DIAL_EARLY_ANSWER : !strcmp(word, "listen") ? DIAL_EARLY_LISTEN : DIAL_EARLY_IGNORE;
}

static void turn_due(struct loop_timer *timer) { trunk_serve(timer->context); }

static void address_read(struct trunk *trunk, const struct config_node *node)
{
    const char *proxy = config_str(node, "proxy", NULL), *at = proxy ? proxy : config_str(node, "address", "");
    const char *transport = trunk->any_transport ? "" : transport_name(trunk->transport);
    snprintf(trunk->route, sizeof trunk->route, "sip:%s%s%s", at, *transport ? ";transport=" : "", transport);
    if (proxy) snprintf(trunk->proxy, sizeof trunk->proxy, "<sip:%s%s%s;lr>", at, *transport ? ";transport=" : "", transport);
    snprintf(trunk->domain, sizeof trunk->domain, "%s", config_str(node, "domain", config_str(node, "address", "")));
}

static void quality_read(struct trunk *trunk, const struct config_node *node)
{
    const struct config_node *quality = config_get(node, "quality");
    trunk->quality.rules = (struct quality_rules) { 0 };
    if (!quality) return;
    trunk->quality.rules = (struct quality_rules) { .window_s = (uint32_t)config_int(quality, "window_s", 300),
                                                    .calls_min = (uint32_t)config_int(quality, "calls_min", 20),
                                                    .asr_min = config_num(quality, "asr_min", 0),
                                                    .failure_max = config_num(quality, "failure_max", 0.5),
                                                    .pdd_max_ms = (uint32_t)config_int(quality, "pdd_max_ms", 0) };
}

static void rules_read(struct trunk *trunk, const struct config_node *node)
{
    snprintf(trunk->caller_id, sizeof trunk->caller_id, "%s", config_str(node, "caller_id", ""));
    snprintf(trunk->caller_name, sizeof trunk->caller_name, "%s", config_str(node, "caller_name", ""));
    int identity = identity_parse(config_str(node, "identity", "none"));
    trunk->identity = identity < 0 ? IDENTITY_NONE : (enum identity)identity;
    snprintf(trunk->from_user, sizeof trunk->from_user, "%s", config_str(node, "from_user", ""));
    snprintf(trunk->diversion, sizeof trunk->diversion, "%s", config_str(node, "diversion", ""));
    snprintf(trunk->strip, sizeof trunk->strip, "%s", config_str(node, "prefix.strip", ""));
    snprintf(trunk->add, sizeof trunk->add, "%s", config_str(node, "prefix.add", ""));
    snprintf(trunk->inbound_script, sizeof trunk->inbound_script, "%s", config_str(node, "inbound.script", ""));
    snprintf(trunk->inbound_context, sizeof trunk->inbound_context, "%s", config_str(node, "inbound.context", ""));
    trunk->session_timer_s = (uint32_t)config_int(node, "session_timer_s", 0);
    if (trunk->session_timer_s && trunk->session_timer_s < SESSION_MIN_S) trunk->session_timer_s = SESSION_MIN_S;
    trunk->redirect = !strcmp(config_str(node, "redirect", "refuse"), "follow");
    snprintf(trunk->refer_context, sizeof trunk->refer_context, "%s", config_str(node, "refer_context", ""));
    trunk->reliable = reliable_parse(config_str(node, "reliable", "off"));
    quality_read(trunk, node);
    trunk->early = early_of(config_str(node, "early", "ignore"));
    trunk->nat = config_bool(node, "nat", false);
    trunk->ring_timeout_ms = (uint32_t)config_int(node, "ring_timeout_s", 60) * 1000;
    trunk->cap.max = (uint32_t)config_int(node, "concurrent", 100);
    pace_set(&trunk->pace, config_num(node, "cps", 10), clock_mono_ns());
}

static void audio_read(struct trunk *trunk, const struct config_node *node)
{
    codecs_read(trunk, config_get(node, "codecs"));
    trunk->codecs.comfort_noise = config_bool(node, "comfort_noise", false);
    sdp_crypto_parse(&trunk->codecs.crypto, config_str(node, "srtp", "off"));
}

static void lists_read(struct trunk *trunk, const struct config_node *node)
{
    audio_read(trunk, node);
    headers_read(trunk, config_get(node, "headers"));
    const struct config_node *failover = config_get(node, "failover"), *sources = config_get(node, "sources");
    for (size_t i = 0; i < config_count(failover) && trunk->failover_count < TRUNK_FAILOVERS_MAX; i++)
        snprintf(trunk->failover_names[trunk->failover_count++], BUS_NAME_MAX, "%s", config_text(config_child(failover, i)));
    for (size_t i = 0; i < config_count(sources) && trunk->source_count < TRUNK_SOURCES_MAX; i++)
        if (source_parse(&trunk->sources[trunk->source_count], config_text(config_child(sources, i))) == 0) trunk->source_count++;
    sources_of_host(trunk);
}

void trunk_rules_take(struct trunk *trunk, const struct config_node *node)
{
    free(trunk->headers);
    rules_read(trunk, node);
    audio_read(trunk, node);
    headers_read(trunk, config_get(node, "headers"));
    log_notice(NULL, "trunk %s: cps %g, concurrent %u, and what else its configuration says", trunk->name, trunk->pace.cps, trunk->cap.max);
}

static int rates_read(struct trunk *trunk, const struct config_node *node, struct buf *error)
{
    const char *path = config_str(node, "rates", NULL);
    struct buf problem = BUF_INIT;
    int err = path ? rates_load(&trunk->rates, path, &problem) : 0;
    if (err < 0) buf_printf(error, "trunks.%s.rates: %s", trunk->name, buf_text(&problem));
    buf_free(&problem);
    return err;
}

/* trunks.*.media: some of media.addresses. */
static int media_read(struct broker *broker, struct trunk *trunk, const struct config_node *node, struct buf *error)
{
    const struct config_node *wanted = config_get(node, "media"), *all = config_get(broker->config, "media.addresses");
    for (size_t i = 0; i < config_count(wanted); i++) {
        const char *address = config_text(config_child(wanted, i));
        uint32_t bit = 0;
        for (size_t k = 0; k < config_count(all) && k < MEDIA_ADDRESSES_MAX; k++)
            if (!strcmp(config_text(config_child(all, k)), address)) bit = 1u << k;
        if (!bit) return buf_printf(error, "trunks.%s.media: %s is none of media.addresses; add it there", trunk->name, address), -EINVAL;
        trunk->media_mask |= bit;
    }
    return 0;
}

static int trunk_read(struct broker *broker, struct trunk *trunk, const struct config_node *node, struct buf *error)
{
    trunk->broker = broker;
    trunk->waiting_end = &trunk->waiting;
    trunk->turn = (struct loop_timer) { .fire = turn_due, .context = trunk };
    snprintf(trunk->name, sizeof trunk->name, "%s", config_name(node));
    if (host_port_parse(config_str(node, "address", ""), trunk->host, sizeof trunk->host, &trunk->port) < 0) {
        buf_printf(error, "trunks.%s.address: \"%s\" is no host or host:port", trunk->name, config_str(node, "address", ""));
        return -EINVAL;
    }
    trunk->any_transport = !strcmp(config_str(node, "transport", "udp"), "auto");
    trunk->transport = transport_of(config_str(node, "transport", "udp"));
    const char *listen = config_str(node, "listen", NULL);
    trunk->listener = listen ? listener_named(&broker->agent, listen) : &broker->agent.listeners[0];
    if (!trunk->listener) {
        buf_printf(error, "trunks.%s.listen: no listener is called \"%s\"", trunk->name, listen);
        return -EINVAL;
    }
    if (!trunk->any_transport && !trunk->listener->transports[trunk->transport]) {
        buf_printf(error, "trunks.%s.transport: its listener \"%s\" has no %s; add it to the listener's `transports`", trunk->name,
                   trunk->listener->name, transport_name(trunk->transport));
        return -EINVAL;
    }
    trunk->user = text_or_null(node, "user");
    trunk->password = text_or_null(node, "password");
    trunk->realm = text_or_null(node, "realm");
    address_read(trunk, node);
    rules_read(trunk, node);
    lists_read(trunk, node);
    int err = media_read(broker, trunk, node, error);
    return err < 0 ? err : rates_read(trunk, node, error);
}

static int failovers_link(struct trunks *trunks, struct buf *error)
{
    for (unsigned i = 0; i < trunks->count; i++) {
        struct trunk *trunk = &trunks->list[i];
        for (unsigned k = 0; k < trunk->failover_count; k++) {
            const char *name = trunk->failover_names[k];
            trunk->failover[k] = trunk_named(trunks, name, strlen(name));
            if (trunk->failover[k]) continue;
            buf_printf(error, "trunks.%s.failover: no trunk is called \"%s\"", trunk->name, name);
            return -EINVAL;
        }
    }
    return 0;
}

int trunks_load(struct broker *broker, struct buf *error)
{
    const struct config_node *list = config_get(broker->config, "trunks");
    struct trunks *trunks = &broker->trunks;
    pace_set(&trunks->pace, config_num(broker->config, "limits.cps", 1000), clock_mono_ns());
    size_t count = config_count(list);
    trunks->list = calloc(count ? count : 1, sizeof *trunks->list);
    if (!trunks->list) return buf_puts(error, "out of memory for the trunks"), -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int err = trunk_read(broker, &trunks->list[i], config_child(list, i), error);
        if (err < 0) return err;
        trunks->count++;
    }
    int err = failovers_link(trunks, error);
    return err < 0 ? err : groups_load(broker, error);
}

int trunks_watch(struct broker *broker)
{
    const struct config_node *list = config_get(broker->config, "trunks");
    int err = 0;
    for (unsigned i = 0; i < broker->trunks.count && err == 0; i++) err = trunk_watch_start(&broker->trunks.list[i], config_child(list, i));
    return err;
}

void trunks_goodbye(struct broker *broker)
{
    for (unsigned i = 0; i < broker->trunks.count; i++) trunk_watch_goodbye(&broker->trunks.list[i]);
}

void trunks_free(struct broker *broker)
{
    for (unsigned i = 0; i < broker->trunks.count; i++) {
        struct trunk *trunk = &broker->trunks.list[i];
        free(trunk->user);
        free(trunk->password);
        free(trunk->realm);
        free(trunk->headers);
        trunk_watch_free(trunk);
        rates_free(trunk->rates);
    }
    free(broker->trunks.groups);
    free(broker->trunks.list);
    broker->trunks = (struct trunks) { 0 };
}
