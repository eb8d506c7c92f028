/* tap.c: see tap.h. */
#include "broker/tap.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "broker/state.h"
#include "bus/trace.h"
#include "core/clock.h"
#include "core/log.h"

/* The stack's function below has no context of ours: this is set once, before the stack reads its first byte. */
static struct {
    struct trace *trace;
    bool all;
    char name[BUS_NAME_MAX];
    char text[TRACE_TEXT_MAX];
} tap;

void tap_open(struct broker *broker)
{
    const char *mode = config_str(broker->config, "trace", "calls");
    if (!strcmp(mode, "off")) return;
    snprintf(tap.name, sizeof tap.name, "%s", segment_name(broker->segment));
    int err = trace_make(&tap.trace, tap.name, segment_boot_id(broker->segment), (size_t)config_int(broker->config, "trace_mb", 16) << 20);
    tap.all = !strcmp(mode, "all");
    if (err < 0) log_warning(NULL, "no SIP is traced: %s (/dev/shm has no room for trace_mb?)", strerror(-err));
}

void tap_close(void)
{
    if (!tap.trace) return;
    trace_close(tap.trace);
    tap.trace = NULL;
    trace_remove(tap.name);
}

bool tap_is_open(void) { return tap.trace != NULL; }

void tap_name(const struct call *call)
{
    if (tap.trace) trace_name(tap.trace, &call->channel, call->call_id);
}

/* --- the messages ---------------------------------------------------------------------------------------------------- */

/* Of calls: everything but what trunks and telephones say outside of them. */
static bool belongs_to_call(size_t length)
{
    static const char *const others[] = { "OPTIONS", "REGISTER", "SUBSCRIBE", "PUBLISH" };
    char cseq[64];
    trace_header(tap.text, length, "CSeq", 0, cseq, sizeof cseq);
    const char *method = cseq + strspn(cseq, "0123456789 \t");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(method, others[i])) return false;
    return *method != 0;
}

static void remote_write(const su_sockaddr_t *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    su_inet_ntop(address->su_family, SU_ADDR(address), host, sizeof host);
    snprintf(out, size, address->su_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, ntohs(address->su_port));
}

static void local_write(const tport_t *tport, char *out, size_t size)
{
    const tport_t *primary = tport_parent(tport);
    const tp_name_t *name = tport_name(primary ? primary : tport);
    bool bare = name->tpn_host && strchr(name->tpn_host, ':') && *name->tpn_host != '[';
    snprintf(out, size, bare ? "[%s]:%s" : "%s:%s", name->tpn_host ? name->tpn_host : "?", name->tpn_port ? name->tpn_port : "0");
}

/* The stack passes every message that it has sent or received through this function of its own when a dump file is wanted (TPTAG_DUMP). The
 * dynamic linker finds the program's functions before a library's: so this one takes its place, and nothing is written to a file. (The
 * library's own also leaves out what stands behind an empty piece: the bodies of what we send.) */
void tport_dump_iovec(tport_t const *self, msg_t *message, size_t n, su_iovec_t const pieces[], size_t count, char const *what,
                      char const *how);

void tport_dump_iovec(tport_t const *self, msg_t *message, size_t n, su_iovec_t const pieces[], size_t count, char const *what,
                      char const *how)
{
    char local[BUS_ADDRESS_TEXT], remote[BUS_ADDRESS_TEXT], call_id[BUS_CALL_ID_MAX];
    size_t length = 0;
    if (!tap.trace) return;
    for (size_t i = 0; i < count && length < n && length < sizeof tap.text; i++) {
        size_t piece = pieces[i].mv_len < n - length ? pieces[i].mv_len : n - length;
        if (piece > sizeof tap.text - length) piece = sizeof tap.text - length;
        memcpy(tap.text + length, pieces[i].mv_base, piece);
        length += piece;
    }
    if (length < 8 || (!tap.all && !belongs_to_call(length))) return; /* keep-alives are a few blank bytes */
    trace_header(tap.text, length, "Call-ID", 'i', call_id, sizeof call_id);
    local_write(self, local, sizeof local);
    remote_write(msg_addr(message), remote, sizeof remote);
    const char *transport = tport_name(self)->tpn_proto;
    struct trace_message entry = { .utc_us = clock_utc_us(),
                                   .sent = !strcmp(what, "sent"),
                                   .transport = transport ? transport : "?",
                                   .local = local,
                                   .remote = remote,
                                   .call_id = call_id,
                                   .text = tap.text,
                                   .length = length };
    trace_put(tap.trace, &entry);
}
