/* agent.c: see agent.h. */
#include "broker/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "broker/address.h"
#include "broker/call.h"
#include "broker/gate.h"
#include "broker/inbound.h"
#include "broker/listener.h"
#include "broker/state.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

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
        at.it_value = (struct timespec) { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
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

/* --- the agent ------------------------------------------------------------------------------------------------------ */

static void sofia_log(void *stream, char const *format, va_list args)
{
    char line[512];
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\r\n")] = 0;
    if (*line) log_debug(NULL, "sofia: %s", line);
}

/* The resolver reads its servers from a file: sip.nameservers becomes one in memory, which lives as long as the process.
 * NULL: the system's /etc/resolv.conf. Its answers are kept for their TTL. */
static const char *nameservers_file(const struct broker *broker, char *path, size_t size)
{
    const struct config_node *list = config_get(broker->config, "sip.nameservers");
    struct buf text = BUF_INIT;
    char host[128];
    uint16_t port = 0;
    for (size_t i = 0; i < config_count(list); i++)
        if (host_port_parse(config_text(config_child(list, i)), host, sizeof host, &port) == 0) buf_printf(&text, "nameserver %s\n", host);
    if (port) buf_printf(&text, "port %u\n", port);
    int fd = text.length ? memfd_create("resolv.conf", MFD_CLOEXEC) : -1;
    bool written = fd >= 0 && write(fd, buf_text(&text), text.length) == (ssize_t)text.length;
    buf_free(&text);
    if (!written) return NULL;
    snprintf(path, size, "/proc/self/fd/%d", fd);
    return path;
}

static int stack_create(struct broker *broker, struct buf *error)
{
    char resolv[32];
    const char *nameservers = nameservers_file(broker, resolv, sizeof resolv);
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
                                  NTATAG_CLIENT_RPORT(1), NTATAG_TIMER_C(700000), NTATAG_MAXSIZE(65536), NTATAG_DEFAULT_PROXY(NULL),
                                  TAG_IF(nameservers, SRESTAG_RESOLV_CONF(nameservers)), TAG_END());
    if (!agent->nta) return buf_puts(error, "the SIP stack cannot make its agent"), -ENOMEM;
    agent->user_agent = sip_user_agent_make(agent->home, config_str(broker->config, "sip.user_agent", "Carillon"));
    agent->allow = sip_allow_make(agent->home, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY, REGISTER, SUBSCRIBE");
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

void agent_run(struct broker *broker) { su_root_run(broker->agent.root); }

void agent_stop(struct broker *broker) { su_root_break(broker->agent.root); }

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
    *agent = (struct agent) { .timer_fd = -1 };
}
