/* main.c: the floor of signalling: calls made with a bare sofia-sip nta agent, with the messages that the broker sends and nothing else.
 *
 *     bench-signalling HOST:PORT CALLS CPS       → {"calls":…,"answered":…,"refused":…,"cpu_us":…,"wall_s":…}
 *
 * Each call: INVITE with SDP; a 2xx is acknowledged and ended with BYE at once; anything else ends it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NTA_AGENT_MAGIC_T struct bench
#define NTA_LEG_MAGIC_T struct one
#define NTA_OUTGOING_MAGIC_T struct one
#define SU_TIMER_ARG_T struct bench

struct bench;
struct one;

#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_wait.h>

#define TICK_MS 10

struct bench {
    su_root_t *root;
    nta_agent_t *agent;
    su_timer_t *timer;
    char route[128];
    const char *peer;
    double cps, due;
    long calls, begun, over, answered, refused;
    sip_contact_t *contact;
    sip_user_agent_t *user_agent;
    sip_allow_t *allow;
    sip_content_type_t *sdp_type;
};
struct one {
    struct bench *bench;
    nta_leg_t *leg;
    nta_outgoing_t *invite;
};

static void call_over(struct one *call)
{
    struct bench *bench = call->bench;
    nta_leg_destroy(call->leg);
    free(call);
    if (++bench->over == bench->calls) su_root_break(bench->root);
}

static int bye_answered(struct one *call, nta_outgoing_t *orq, const sip_t *sip)
{
    if (nta_outgoing_status(orq) < 200) return 0;
    nta_outgoing_destroy(orq);
    call_over(call);
    return 0;
}

static int in_dialog(struct one *call, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip)
{
    return 481;
}

static int invite_answered(struct one *call, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = nta_outgoing_status(orq);
    if (status < 200) return 0;
    if (!sip || status >= 300) {
        call->bench->refused++;
        nta_outgoing_destroy(orq);
        call_over(call);
        return 0;
    }
    call->bench->answered++;
    nta_leg_rtag(call->leg, sip->sip_to->a_tag);
    nta_leg_client_route(call->leg, sip->sip_record_route, sip->sip_contact);
    nta_outgoing_t *ack = nta_outgoing_tcreate(call->leg, NULL, NULL, NULL, SIP_METHOD_ACK, NULL, SIPTAG_CSEQ_STR("1 ACK"), TAG_END());
    nta_outgoing_destroy(ack);
    nta_outgoing_destroy(orq);
    nta_outgoing_tcreate(call->leg, bye_answered, call, NULL, SIP_METHOD_BYE, NULL, SIPTAG_USER_AGENT(call->bench->user_agent), TAG_END());
    return 0;
}

static const char sdp[] = "v=0\r\no=- 4611686018427387904 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 8 101\r\n"
                          "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

static void call_begin(struct bench *bench)
{
    struct one *call = calloc(1, sizeof *call);
    char id[64], from[128], to[128], target[128], branch[64];
    long n = bench->begun++;
    if (!call) abort();
    call->bench = bench;
    snprintf(id, sizeof id, "%08lx-floor-%d", n, (int)getpid());
    snprintf(from, sizeof from, "<sip:15550100@127.0.0.1>;tag=%016lx", n + 1);
    snprintf(to, sizeof to, "<sip:1555%07ld@%s>", 2000000 + n, bench->peer);
    snprintf(target, sizeof target, "sip:1555%07ld@%s", 2000000 + n, bench->peer);
    snprintf(branch, sizeof branch, "z9hG4bK%d.%lx", (int)getpid(), n);
    call->leg = nta_leg_tcreate(bench->agent, in_dialog, call, SIPTAG_CALL_ID_STR(id), SIPTAG_FROM_STR(from), SIPTAG_TO_STR(to), TAG_END());
    call->invite = nta_outgoing_tcreate(call->leg, invite_answered, call, URL_STRING_MAKE(bench->route), SIP_METHOD_INVITE, URL_STRING_MAKE(target),
                                        NTATAG_BRANCH_KEY(branch), SIPTAG_CSEQ_STR("1 INVITE"), SIPTAG_CONTACT(bench->contact),
                                        SIPTAG_USER_AGENT(bench->user_agent), SIPTAG_ALLOW(bench->allow), SIPTAG_CONTENT_TYPE(bench->sdp_type),
                                        SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    if (!call->invite) abort();
}

static void tick(su_root_magic_t *magic, su_timer_t *timer, struct bench *bench)
{
    for (bench->due += bench->cps * TICK_MS / 1000; bench->due >= 1 && bench->begun < bench->calls; bench->due--) call_begin(bench);
}

static int stray(struct bench *bench, nta_agent_t *agent, msg_t *msg, sip_t *sip)
{
    nta_msg_discard(agent, msg);
    return 0;
}

static void open_agent(struct bench *bench, const char *peer)
{
    su_home_t *home = su_home_new(sizeof *home);
    su_init();
    su_log_set_level(NULL, 0);
    bench->peer = peer;
    snprintf(bench->route, sizeof bench->route, "sip:%s;lr", peer);
    bench->root = su_root_create(bench);
    su_root_threading(bench->root, 0);
    bench->agent = nta_agent_create(bench->root, URL_STRING_MAKE("sip:127.0.0.1:0;transport=udp"), stray, bench, NTATAG_UA(1), TAG_END());
    if (!bench->agent) abort();
    bench->contact = sip_contact_dup(home, nta_agent_contact(bench->agent));
    bench->user_agent = sip_user_agent_make(home, "Carillon");
    bench->allow = sip_allow_make(home, "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REFER, NOTIFY");
    bench->sdp_type = sip_content_type_make(home, "application/sdp");
    bench->timer = su_timer_create(su_root_task(bench->root), TICK_MS);
    su_timer_set_for_ever(bench->timer, tick, bench);
}

static double cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return 1e6 * (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static double wall_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: bench-signalling HOST:PORT CALLS CPS\n");
        return 2;
    }
    struct bench bench = { .calls = atol(argv[2]), .cps = atof(argv[3]) };
    if (bench.calls <= 0 || bench.cps <= 0) return 2;
    open_agent(&bench, argv[1]);
    double cpu = cpu_us(), wall = wall_s();
    su_root_run(bench.root);
    printf("{\"calls\":%ld,\"answered\":%ld,\"refused\":%ld,\"cpu_us\":%.0f,\"wall_s\":%.3f}\n", bench.calls, bench.answered, bench.refused, cpu_us() - cpu,
           wall_s() - wall);
    fflush(stdout);
    _exit(0); /* lingering transactions are not worth a tidy end */
}
