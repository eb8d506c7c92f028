/* contact.c: see contact.h. */
#include "registrar/contact.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"

/* What may stand in a URI's parts as they are (RFC 3261 §25.1); brackets for IPv6 hosts. */
static bool is_clean(const char *text)
{
    for (; text && *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("-_.!~*'()%&=+$,;?/:[]@#", *text)) return false;
    return true;
}

/* User, host and port end where parameters begin: none of these may look like one of ours. */
static bool is_sound(const struct contact_parts *parts)
{
    const char *user = parts->user ? parts->user : "", *port = parts->port ? parts->port : "";
    if (!parts->host || !*parts->host || !is_clean(user) || strcasestr(user, ";fs_") || !is_clean(parts->params)) return false;
    for (const char *at = parts->host; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("-_.:[]", *at)) return false;
    return strspn(port, "0123456789") == strlen(port) && strlen(port) <= 5;
}

/* The address without brackets. */
static void bare(const char *host, char *out, size_t size)
{
    size_t length = strlen(host);
    bool brackets = length > 2 && host[0] == '[' && host[length - 1] == ']';
    snprintf(out, size, "%.*s", (int)(brackets ? length - 2 : length), host + brackets);
}

static void params_copy(struct buf *out, const char *params)
{
    for (const char *at = params; at && *at;) {
        size_t length = strcspn(at, ";");
        if (length && strncasecmp(at, "fs_", 3)) buf_printf(out, ";%.*s", (int)length, at);
        at += length;
        at += *at == ';';
    }
}

static bool is_behind_nat(const struct contact_parts *parts, const struct contact_source *source)
{
    char host[64], via[64];
    bare(parts->host, host, sizeof host);
    bare(source->via_host ? source->via_host : "", via, sizeof via);
    long port = parts->port && *parts->port ? strtol(parts->port, NULL, 10) : 5060;
    if (strcasecmp(host, source->ip)) return true;
    if (strcasecmp(source->transport, "udp")) return false; /* whoever connects does so from any port */
    return port != source->port || (*via && strcasecmp(via, source->ip));
}

/* %XX for all but what FreeSWITCH leaves as it is. */
static void put_encoded(struct buf *out, const char *text)
{
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || strchr("-_.", *text))
            buf_putc(out, *text);
        else
            buf_printf(out, "%%%02X", (unsigned char)*text);
}

static void put_host(struct buf *out, const char *ip) { buf_printf(out, strchr(ip, ':') ? "[%s]" : "%s", ip); }

static void put_display(struct buf *out, const char *display)
{
    buf_putc(out, '"');
    for (; display && *display; display++)
        if ((unsigned char)*display >= 0x20 && !strchr("\"\\<>\x7f", *display)) buf_putc(out, *display);
    buf_puts(out, "\" <");
}

static void put_path(struct buf *out, const struct contact_parts *parts, const struct contact_source *source, const char *params)
{
    struct buf path = BUF_INIT;
    buf_printf(&path, "sip:%s@", parts->user && *parts->user ? parts->user : "");
    put_host(&path, source->ip);
    bool said = strcasestr(params, ";transport=") != NULL || !strcasecmp(source->transport, "udp");
    buf_printf(&path, ":%u%s%s%s", source->port, params, said ? "" : ";transport=", said ? "" : source->transport);
    buf_puts(out, ";fs_nat=yes;fs_path=");
    put_encoded(out, buf_text(&path));
    buf_free(&path);
}

static int text_take(char *out, size_t size, const char *text)
{
    int n = snprintf(out, size, "%s", text);
    return n >= 0 && (size_t)n < size ? 0 : -EMSGSIZE;
}

static int address_take(struct location *l, const struct contact_parts *parts, const struct contact_source *source, bool nat)
{
    long port = parts->port && *parts->port ? strtol(parts->port, NULL, 10) : 5060;
    snprintf(l->network_ip, sizeof l->network_ip, "%s", source->ip);
    snprintf(l->transport, sizeof l->transport, "%s", source->transport);
    l->network_port = source->port;
    l->target_port = nat ? source->port : port;
    bare(nat ? source->ip : parts->host, l->target_host, sizeof l->target_host);
    bool tcp = !strcasecmp(source->transport, "tcp"), tls = !strcasecmp(source->transport, "tls");
    snprintf(l->status, sizeof l->status, "Registered(%s%s)", tls ? "TLS" : tcp ? "TCP" : "UDP", nat ? "-NAT" : "");
    return port > 0 && port <= 65535 ? 0 : -EINVAL;
}

int contact_take(struct location *l, const struct contact_parts *parts, const struct contact_source *source)
{
    struct buf url = BUF_INIT, params = BUF_INIT, contact = BUF_INIT;
    const char *user = parts->user ? parts->user : "";
    if (!is_sound(parts)) return -EINVAL;
    bool nat = is_behind_nat(parts, source);
    params_copy(&params, parts->params);
    buf_printf(&url, "sip:%s%s%s%s%s%s", user, *user ? "@" : "", parts->host, parts->port && *parts->port ? ":" : "",
               parts->port ? parts->port : "", buf_text(&params));
    put_display(&contact, parts->display);
    buf_puts(&contact, buf_text(&url));
    if (nat) put_path(&contact, parts, source, buf_text(&params));
    buf_putc(&contact, '>');
    int err = text_take(l->uri, sizeof l->uri, buf_text(&url));
    if (err == 0) err = text_take(l->contact, sizeof l->contact, buf_text(&contact));
    if (err == 0) err = address_take(l, parts, source, nat);
    buf_free(&url);
    buf_free(&params);
    buf_free(&contact);
    return err;
}

void contact_url(const struct location *location, char *out, size_t size)
{
    const char *from = strrchr(location->contact, '<');
    snprintf(out, size, "%.*s", from ? (int)strcspn(from + 1, ">") : 0, from ? from + 1 : "");
}

bool contact_is_nat(const struct location *location) { return strstr(location->status, "-NAT") != NULL; }

void contact_route(const struct location *location, char *out, size_t size)
{
    bool v6 = strchr(location->target_host, ':') != NULL, udp = !strcasecmp(location->transport, "udp");
    snprintf(out, size, v6 ? "sip:[%s]:%d%s%s" : "sip:%s:%d%s%s", location->target_host, (int)location->target_port,
             udp ? "" : ";transport=", udp ? "" : location->transport);
}
