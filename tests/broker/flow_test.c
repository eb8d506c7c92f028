/* flow_test.c: call flows of the broker process against SIPp on loopback: this program is the supervisor (segment), the worker
 * (lanes and rings, no media), and the judge; the broker runs as a child with a real ledger in a scratch folder. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "bus/counter.h"
#include "bus/post.h"
#include "bus/ring.h"
#include "bus/segment.h"
#include "bus/slot.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"
#include "core/uuid.h"

#define SCENARIOS "tests/broker/sipp"

static struct fixture {
    char folder[64], name[32], config_path[128];
    int port; /* the broker's; the far ends' are port+10, +20 … */
    struct segment *segment;
    struct loop *loop;
    struct post *post;
    struct config *config;
    pid_t broker;
    struct kv reply; /* of the last DIAL */
    int reply_status;
    bool replied;
    char notes[8192]; /* "kind:uuid:key=value,…\n" of what came */
    char offered[UUID_TEXT_SIZE];
    int inbound_answer; /* what the worker does with an offered call: 0 answer, 1 ring then answer then hang up, 2 refuse busy, 3 ring only
                         */
    uint32_t started, updated, stopped;
} f;

/* --- the fake worker ------------------------------------------------------------------------------------------------ */

static void note_call(enum message_kind kind, const char *uuid, const char *name, const char *value)
{
    struct kv pairs = KV_INIT;
    kv_add(&pairs, "uuid", uuid);
    kv_add(&pairs, name, value);
    assert_int_equal(post_note(f.post, BUS_BROKER, kind, &pairs), 0);
    kv_free(&pairs);
}

static void offered(const char *uuid)
{
    snprintf(f.offered, sizeof f.offered, "%s", uuid);
    if (f.inbound_answer == 2) note_call(MSG_CALL_HANGUP, uuid, "cause", "USER_BUSY");
    if (f.inbound_answer == 1 || f.inbound_answer == 3) note_call(MSG_CALL_RING, uuid, "h.X-Ring", "1");
    if (f.inbound_answer <= 1) note_call(MSG_CALL_ANSWER, uuid, "h.X-Answer", "1");
}

static void message(void *context, const struct post_message *m)
{
    struct kv_pair pair;
    size_t at = 0, n = strlen(f.notes);
    n += (size_t)snprintf(f.notes + n, sizeof f.notes - n, "%d:", (int)m->kind);
    while (kv_next(m->pairs, &at, &pair) && n < sizeof f.notes - 300)
        n += (size_t)snprintf(f.notes + n, sizeof f.notes - n, "%s=%s,", pair.name, pair.value);
    if (n < sizeof f.notes - 2) strcat(f.notes, "\n");
    if (m->kind == MSG_CALL_OFFERED) offered(kv_get(m->pairs, "uuid"));
    if (m->is_request) post_reply(f.post, m->ticket, -ENOSYS, NULL);
}

static void rings_poll(void)
{
    struct ring *down = segment_ring_down(f.segment, 0), *up = segment_ring_up(f.segment, 0);
    struct ring_record r;
    while (ring_peek(down, &r)) {
        ring_pop(down);
        f.started += r.kind == RING_MEDIA_START;
        f.updated += r.kind == RING_MEDIA_UPDATE;
        f.stopped += r.kind == RING_MEDIA_STOP;
        if (r.kind != RING_MEDIA_STOP) continue;
        struct slot *slot = segment_slot(f.segment, r.slot);
        slot_totals_write_begin(slot);
        slot->totals = (struct slot_totals) { .generation = r.generation, .released = 1, .packets_sent = 50, .packets_received = 49 };
        slot_totals_write_end(slot);
        r.kind = RING_RELEASED;
        assert_int_equal(ring_push(up, &r), 0);
        bell_ring(f.segment, BUS_BROKER, BELL_MAIN);
    }
}

static void turn(int ms)
{
    int64_t until = clock_mono_ns() + ms * NS_PER_MS;
    do {
        loop_step(f.loop, NS_PER_MS);
        rings_poll();
        proc_beat(f.segment, BUS_WORKER_0, clock_mono_ns());
        proc_beat(f.segment, BUS_SUPERVISOR, clock_mono_ns());
    } while (clock_mono_ns() < until);
}

static void dial_replied(void *context, int status, struct kv_view pairs)
{
    struct kv_pair pair;
    size_t at = 0;
    f.reply_status = status;
    f.replied = true;
    while (kv_next(pairs, &at, &pair)) kv_add_bytes(&f.reply, pair.name, pair.value, pair.value_length);
}

static char dialled[UUID_TEXT_SIZE];

/* key, value, …, NULL */
static void dial(const char *key, ...)
{
    struct kv pairs = KV_INIT;
    struct uuid id = uuid_make_v4();
    va_list args;
    kv_clear(&f.reply);
    f.replied = false;
    f.notes[0] = 0;
    f.started = f.updated = f.stopped = 0;
    kv_add(&pairs, "uuid", uuid_text(&id, dialled));
    va_start(args, key);
    for (; key; key = va_arg(args, const char *)) kv_add(&pairs, key, va_arg(args, const char *));
    va_end(args);
    assert_int_equal(post_request(f.post, BUS_BROKER, MSG_DIAL, &pairs, 60 * NS_PER_S, dial_replied, NULL, NULL), 0);
    kv_free(&pairs);
}

static void wait_reply(int ms)
{
    for (int i = 0; i < ms / 5 && !f.replied; i++) turn(5);
    if (!f.replied) print_error("no reply; notes:\n%s", f.notes);
    assert_true(f.replied);
    assert_int_equal(f.reply_status, 0);
}

static void wait_reply_status(int status)
{
    for (int i = 0; i < 200 && !f.replied; i++) turn(5);
    assert_true(f.replied);
    assert_int_equal(f.reply_status, status);
}

static const char *answer_of(const char *key) { return kv_get_or(kv_view(&f.reply), key, ""); }

static void hangup(const char *uuid, const char *cause) { note_call(MSG_CALL_HANGUP, uuid, "cause", cause); }

static void wait_note(const char *text, int ms)
{
    for (int i = 0; i < ms / 5 && !strstr(f.notes, text); i++) turn(5);
    if (!strstr(f.notes, text)) print_error("no note with \"%s\" in:\n%s", text, f.notes);
    assert_non_null(strstr(f.notes, text));
}

static void ended_with(const char *cause)
{
    char text[64];
    snprintf(text, sizeof text, "cause=%s,", cause);
    wait_note("24:", 3000);
    wait_note(text, 1000);
}

/* --- SIPp ----------------------------------------------------------------------------------------------------------- */

static pid_t sipp(const char *scenario, int port, const char *target, const char *transport)
{
    pid_t pid = fork();
    if (pid) {
        usleep(strstr(scenario, ".py") ? 600000 : 250000); /* until it listens */
        return pid;
    }
    char file[256], number[16], folder[128];
    snprintf(file, sizeof file, "%s/%s.xml", SCENARIOS, scenario);
    snprintf(number, sizeof number, "%d", port);
    snprintf(folder, sizeof folder, "%s/%s.out", f.folder, scenario);
    FILE *out = freopen(folder, "w", stdout);
    if (!out || !freopen(folder, "a", stderr)) _exit(99);
    char errors[160], messages[160];
    snprintf(errors, sizeof errors, "%s/%s.err", f.folder, scenario);
    snprintf(messages, sizeof messages, "%s/%s.msg", f.folder, scenario);
    const char *argv[32] = { "sipp",       "-sf",
                             file,         "-i",
                             "127.0.0.1",  "-p",
                             number,       "-m",
                             "1",          "-nostdin",
                             "-t",         transport,
                             "-trace_err", "-error_file",
                             errors,       "-timeout",
                             "20s",        "-timeout_error",
                             "-trace_msg", "-message_file",
                             messages };
    int n = 21;
    if (target) {
        argv[n++] = "-s";
        argv[n++] = "15550199";
        argv[n++] = target;
    }
    argv[n] = NULL;
    if (strstr(scenario, ".py")) {
        snprintf(file, sizeof file, "%s/%s", SCENARIOS, scenario);
        execlp("python3", "python3", file, number, target, (char *)NULL);
    }
    execvp("sipp", (char *const *)argv);
    _exit(98);
}

static void sipp_passed(pid_t pid, const char *scenario)
{
    int status = 0;
    for (int i = 0; i < 2500 && waitpid(pid, &status, WNOHANG) == 0; i++) turn(10);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        char command[300];
        snprintf(command, sizeof command, "head -60 %s/%s.err >&2", f.folder, scenario);
        if (system(command) != 0) print_error("no error file\n");
        print_error("SIPp %s: status %d; notes:\n%s", scenario, status, f.notes);
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- the fixture ---------------------------------------------------------------------------------------------------- */

static void config_write(void)
{
    FILE *file = fopen(f.config_path, "w");
    assert_non_null(file);
    fprintf(file,
            "return { name = \"%s\", data_dir = \"%s\", workers = 1, slots = 64,\n"
            " numbers = { default_country = \"1\", countries = { \"1\" }, emergency = { \"112\", \"911\" } },\n"
            " limits = { concurrent = 50, max_call_s = 3600 },\n"
            " sip = { listen = { { name = \"external\", address = \"127.0.0.1\", port = %d, transports = { \"udp\", \"tcp\" }, context = "
            "\"public\" },\n"
            "  { name = \"closed\", address = \"127.0.0.1\", port = %d, transports = { \"udp\" } } } },\n"
            " media = { addresses = { \"127.0.0.1\" }, port_first = 20000, port_last = 20999 },\n"
            " trunks = {\n"
            "  one = { address = \"127.0.0.1:%d\", cps = 50, concurrent = 20, caller_id = \"15550100\", user = \"carol\", password = "
            "\"secret\",\n"
            "          headers = { [\"X-Account\"] = \"7\" }, inbound = { context = \"public\" } },\n"
            "  two = { address = \"127.0.0.1:%d\", cps = 50, concurrent = 20, prefix = { strip = \"1\", add = \"001\" } },\n"
            "  tcp = { address = \"127.0.0.1:%d\", transport = \"tcp\", cps = 50, concurrent = 20 },\n"
            "  slow = { address = \"127.0.0.1:%d\", cps = 5, concurrent = 20 },\n"
            "  prack = { address = \"127.0.0.1:%d\", cps = 50, concurrent = 20, reliable = \"supported\", session_timer_s = 1800 },\n"
            " }, scripts = { dir = \"%s\" }, sounds_dir = \"%s\", freeswitch_dir = \"%s\" }\n",
            f.name, f.folder, f.port, f.port + 1, f.port + 10, f.port + 20, f.port + 30, f.port + 40, f.port + 45, f.folder, f.folder,
            f.folder);
    fclose(file);
}

static bool port_free(int port, int type)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0;
    if (fd >= 0) close(fd);
    return ok;
}

/* The first of fifty ports of which all that the tests use are free now: other tests' engines have their RTP in this range, too. */
static int ports_find(void)
{
    static const int used[] = { 0, 1, 10, 11, 12, 20, 30, 40, 45 };
    for (int i = 0; i < 200; i++) {
        int base = 23000 + (getpid() + i) % 200 * 50;
        bool ok = true;
        for (size_t k = 0; k < sizeof used / sizeof used[0] && ok; k++)
            ok = port_free(base + used[k], SOCK_DGRAM) && port_free(base + used[k], SOCK_STREAM);
        if (ok) return base;
    }
    return 23000;
}

static void broker_start(void)
{
    f.broker = fork();
    if (f.broker == 0) {
        char path[128];
        sigset_t signals;
        process_signals_set(&signals); /* as role.c does, before any thread exists */
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        snprintf(path, sizeof path, "%s/broker.log", f.folder);
        log_open("broker", path, "debug");
        struct process_args args = { .segment = f.name, .process = BUS_BROKER, .config_path = f.config_path, .config = f.config };
        _exit(broker_main(&args));
    }
    struct proc_view view = { 0 };
    for (int i = 0; i < 400 && view.state != PROC_RUNNING; i++) {
        usleep(10000);
        proc_look(f.segment, BUS_BROKER, &view);
    }
    assert_int_equal(view.state, PROC_RUNNING);
}

static void worker_open(void)
{
    struct kv pairs = KV_INIT;
    proc_enter(f.segment, BUS_WORKER_0);
    assert_int_equal(loop_new(&f.loop), 0);
    assert_int_equal(post_new(&f.post, f.segment, BUS_WORKER_0, f.loop, message, NULL), 0);
    proc_state_set(f.segment, BUS_WORKER_0, PROC_RUNNING);
    kv_add(&pairs, "slots", "64");
    kv_add(&pairs, "media_ok", "1");
    post_note(f.post, BUS_BROKER, MSG_WORKER_READY, &pairs);
    kv_free(&pairs);
    turn(50);
}

static void worker_close(void)
{
    post_free(f.post);
    loop_free(f.loop);
}

static int setup(void **state)
{
    struct buf error = BUF_INIT;
    snprintf(f.folder, sizeof f.folder, "/tmp/carillon-broker-XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    f.port = ports_find();
    snprintf(f.name, sizeof f.name, "brk%d", getpid());
    snprintf(f.config_path, sizeof f.config_path, "%s/carillon.lua", f.folder);
    config_write();
    if (config_load(&f.config, f.config_path, &error) < 0) fail_msg("%s", buf_text(&error));
    struct segment_params params = { .name = f.name, .workers = 1, .slots_each = 64 };
    if (segment_create(&f.segment, &params, &error) < 0) fail_msg("%s", buf_text(&error));
    f.reply = KV_INIT;
    proc_enter(f.segment, BUS_SUPERVISOR);
    proc_state_set(f.segment, BUS_SUPERVISOR, PROC_RUNNING);
    broker_start();
    worker_open();
    return 0;
}

static int teardown(void **state)
{
    int status = -1;
    kill(f.broker, SIGTERM);
    for (int i = 0; i < 500 && waitpid(f.broker, &status, WNOHANG) == 0; i++) turn(10);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) fail_msg("the broker ended with status 0x%x; see %s/broker.log", status, f.folder);
    post_free(f.post);
    loop_free(f.loop);
    segment_unmap(f.segment);
    segment_remove(f.name);
    return 0;
}

/* --- the flows ------------------------------------------------------------------------------------------------------ */

static void answered_and_hung_up(const char *scenario, const char *trunk, int offset, const char *transport)
{
    pid_t far = sipp(scenario, f.port + offset, NULL, transport);
    dial("trunk", trunk, "number", "15550123", "h.X-Test", "1", NULL);
    wait_reply(5000);
    assert_string_equal(answer_of("result"), "answered");
    assert_string_equal(answer_of("codec"), "PCMU");
    assert_string_equal(answer_of("remote_port"), "6000");
    assert_string_equal(answer_of("h.X-Far"), "yes");
    turn(100);
    assert_int_equal(f.started, 1);
    hangup(dialled, "NORMAL_CLEARING");
    sipp_passed(far, scenario);
    ended_with("NORMAL_CLEARING");
    assert_int_equal(f.stopped, 1);
}

static void an_answered_call_is_hung_up_by_us(void **state) { answered_and_hung_up("answer", "one", 10, "u1"); }

static void a_call_over_tcp_is_answered(void **state) { answered_and_hung_up("answer", "tcp", 30, "t1"); }

static void a_401_is_answered_with_credentials(void **state) { answered_and_hung_up("auth401", "one", 10, "u1"); }

static void a_407_is_answered_with_credentials(void **state) { answered_and_hung_up("auth407", "one", 10, "u1"); }

static void failed_with(const char *scenario, const char *cause, const char *status)
{
    pid_t far = sipp(scenario, f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", "early", "ignore", NULL);
    wait_reply(5000);
    assert_string_equal(answer_of("result"), "failed");
    assert_string_equal(answer_of("cause"), cause);
    assert_string_equal(answer_of("sip_status"), status);
    sipp_passed(far, scenario);
    turn(50);
    assert_int_equal(f.started, 0);
}

static void busy_is_USER_BUSY(void **state) { failed_with("busy", "USER_BUSY", "486"); }

static void a_Q850_reason_overrides_the_status(void **state) { failed_with("reason", "CALL_REJECTED", "486"); }

static void early_media_that_is_ignored_starts_no_media(void **state) { failed_with("early", "USER_BUSY", "486"); }

static void early_media_that_is_listened_to_starts_and_stops_media(void **state)
{
    pid_t far = sipp("early", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", "early", "listen", NULL);
    wait_note("what=early", 3000);
    wait_reply(5000);
    assert_string_equal(answer_of("cause"), "USER_BUSY");
    sipp_passed(far, "early");
    turn(50);
    assert_int_equal(f.started, 1);
    assert_int_equal(f.stopped, 1);
}

static void early_media_that_answers_the_dial_is_answered_later(void **state)
{
    pid_t far = sipp("earlyanswer", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", "early", "answer", NULL);
    wait_reply(5000);
    assert_string_equal(answer_of("result"), "early");
    wait_note("21:uuid=", 3000);
    hangup(dialled, "NORMAL_CLEARING");
    sipp_passed(far, "earlyanswer");
    ended_with("NORMAL_CLEARING");
}

static void a_reliable_183_is_acknowledged_and_updated_and_the_200_may_be_silent(void **state)
{
    pid_t far = sipp("prack", f.port + 45, NULL, "u1");
    dial("trunk", "prack", "number", "15550123", "early", "listen", NULL);
    wait_note("what=early", 3000);
    wait_reply(5000);
    assert_string_equal(answer_of("result"), "answered");
    assert_string_equal(answer_of("remote_port"), "7000"); /* the UPDATE's, not the 183's */
    hangup(dialled, "NORMAL_CLEARING");
    sipp_passed(far, "prack");
    ended_with("NORMAL_CLEARING");
}

static void a_503_goes_to_the_next_trunk_and_pauses_the_first(void **state)
{
    pid_t first = sipp("unavailable", f.port + 40, NULL, "u1"), second = sipp("answer", f.port + 20, NULL, "u1");
    dial("trunk", "slow,two", "number", "15550123", NULL);
    wait_reply(5000);
    assert_string_equal(answer_of("result"), "answered");
    assert_string_equal(answer_of("trunk"), "two");
    hangup(dialled, "NORMAL_CLEARING");
    sipp_passed(first, "unavailable");
    sipp_passed(second, "answer");
    dial("trunk", "slow", "number", "15550123", NULL);
    wait_reply(2000);
    assert_string_equal(answer_of("refused"), "trunk_down");
    assert_string_equal(answer_of("cause"), "GATEWAY_DOWN");
}

static void no_answer_in_time_is_cancelled(void **state)
{
    pid_t far = sipp("cancelled", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", "timeout_ms", "700", NULL);
    wait_reply(3000);
    assert_string_equal(answer_of("result"), "failed");
    assert_string_equal(answer_of("cause"), "NO_ANSWER");
    sipp_passed(far, "cancelled");
}

static void a_dial_given_up_is_cancelled(void **state)
{
    pid_t far = sipp("cancelled", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", NULL);
    wait_note("what=ringing", 3000);
    note_call(MSG_DIAL_CANCEL, dialled, "cause", "LOSE_RACE");
    wait_reply(3000);
    assert_string_equal(answer_of("cause"), "LOSE_RACE");
    sipp_passed(far, "cancelled");
}

static void a_200_that_crosses_CANCEL_gets_ACK_and_BYE(void **state)
{
    pid_t far = sipp("late", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", "timeout_ms", "700", NULL);
    wait_reply(3000);
    assert_string_equal(answer_of("cause"), "NO_ANSWER");
    sipp_passed(far, "late");
}

static void a_retransmitted_200_is_acknowledged_each_time(void **state)
{
    char sent[128];
    snprintf(sent, sizeof sent, "%s/again", f.folder);
    setenv("AGAIN_SENT", sent, 1);
    pid_t far = sipp("again.py", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", NULL);
    wait_reply(3000);
    for (int i = 0; i < 200 && access(sent, F_OK); i++) turn(25);
    turn(200);
    hangup(dialled, "NORMAL_CLEARING");
    sipp_passed(far, "again.py");
    assert_int_equal(f.started, 1);
}

static void their_BYE_ends_the_call_with_its_reason(void **state)
{
    pid_t far = sipp("farbye", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", NULL);
    wait_reply(3000);
    ended_with("USER_BUSY");
    sipp_passed(far, "farbye");
    turn(50);
    assert_int_equal(f.stopped, 1);
}

static void their_re_INVITEs_change_media(void **state)
{
    pid_t far = sipp("reinvite", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", NULL);
    wait_reply(3000);
    sipp_passed(far, "reinvite");
    wait_note("hold=1", 100);
    wait_note("remote_port=7000", 100);
    wait_note("remote_port=8000", 100);
    wait_note("25:", 100);
    ended_with("NORMAL_CLEARING");
    assert_int_equal(f.started, 1);
    assert_int_equal(f.updated, 3);
}

static void refused(const char *number, const char *reason, const char *cause)
{
    dial("trunk", "one", "number", number, NULL);
    wait_reply(2000);
    assert_string_equal(answer_of("result"), "failed");
    assert_string_equal(answer_of("refused"), reason);
    assert_string_equal(answer_of("cause"), cause);
}

static void the_permit_refuses(void **state)
{
    refused("+442071234567", "country", "OUTGOING_CALL_BARRED");
    refused("911", "emergency", "OUTGOING_CALL_BARRED");
    refused("no such number", "number", "INVALID_NUMBER_FORMAT");
    dial("uri", "sip:x@192.0.2.1", "profile", "external", NULL);
    wait_reply(2000);
    assert_string_equal(answer_of("refused"), "uri_host");
    dial("trunk", "nowhere", "number", "15550123", NULL);
    wait_reply(2000);
    assert_string_equal(answer_of("cause"), "INVALID_GATEWAY");
}

static void inbound(const char *scenario, int how)
{
    char target[32];
    f.notes[0] = 0;
    f.started = f.updated = f.stopped = 0;
    f.inbound_answer = how;
    snprintf(target, sizeof target, "127.0.0.1:%d", f.port);
    pid_t far = sipp(scenario, f.port + 10, target, "u1");
    wait_note("23:", 3000);
    sipp_passed(far, scenario);
}

static void an_inbound_call_is_answered(void **state)
{
    inbound("inbound", 1);
    wait_note("trunk=one,", 10);
    wait_note("h.X-Colour=blue", 10);
    wait_note("from_user=alice", 10);
    ended_with("NORMAL_CLEARING");
    turn(50);
    assert_int_equal(f.started, 1);
    assert_int_equal(f.stopped, 1);
}

static void an_inbound_call_is_refused_with_its_cause(void **state) { inbound("inboundrefused", 2); }

static void an_inbound_call_is_cancelled(void **state)
{
    inbound("inboundcancel", 3);
    ended_with("ORIGINATOR_CANCEL");
}

static void an_offerless_inbound_call_gets_our_offer(void **state)
{
    inbound("offerless", 1);
    ended_with("NORMAL_CLEARING");
    assert_int_equal(f.started, 1);
}

static void a_stranger_hears_nothing_where_strangers_are_not_taken(void **state)
{
    char target[32];
    uint64_t before = counter_read(f.segment, BUS_BROKER, COUNTER_sip_dropped);
    snprintf(target, sizeof target, "127.0.0.1:%d", f.port + 1);
    sipp_passed(sipp("stranger.py", f.port + 45, target, "u1"), "stranger.py");
    assert_true(counter_read(f.segment, BUS_BROKER, COUNTER_sip_dropped) >= before + 6);
}

static void the_engine_calls_itself(void **state)
{
    char uri[64], callee[UUID_TEXT_SIZE];
    snprintf(uri, sizeof uri, "sip:me@127.0.0.1:%d", f.port);
    f.inbound_answer = 1;
    dial("uri", uri, "profile", "external", NULL);
    wait_reply(5000);
    assert_string_equal(answer_of("result"), "answered");
    assert_string_equal(answer_of("h.X-Answer"), "1");
    snprintf(callee, sizeof callee, "%s", f.offered);
    assert_string_not_equal(callee, dialled);
    turn(100);
    assert_int_equal(f.started, 2);
    hangup(callee, "USER_BUSY"); /* either side may end it; the cause crosses */
    ended_with("USER_BUSY");
    turn(200);
    assert_int_equal(f.stopped, 2);
    dial("uri", uri, "profile", "external", NULL);
    wait_reply(5000);
    hangup(dialled, "NORMAL_CLEARING");
    turn(200);
    assert_int_equal(f.stopped, 2);
}

static void broker_kill_and_start(void)
{
    kill(f.broker, SIGKILL);
    waitpid(f.broker, NULL, 0);
    turn(100);
    broker_start();
    turn(200);
}

static void an_answered_call_survives_its_broker(const char *scenario, bool ours)
{
    pid_t far = sipp(scenario, f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", NULL);
    wait_reply(5000);
    assert_string_equal(answer_of("result"), "answered");
    broker_kill_and_start();
    assert_int_equal(f.stopped, 0);
    if (ours) hangup(dialled, "NORMAL_CLEARING");
    sipp_passed(far, scenario);
    ended_with("NORMAL_CLEARING");
    turn(50);
    assert_int_equal(f.stopped, 1);
}

static void a_new_broker_ends_an_adopted_call_by_our_BYE(void **state) { an_answered_call_survives_its_broker("answer", true); }

static void a_new_broker_takes_re_INVITE_and_BYE_of_an_adopted_call(void **state)
{
    an_answered_call_survives_its_broker("reinviteslow", false);
}

static void a_new_broker_cancels_what_rang(void **state)
{
    pid_t far = sipp("cancelled", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", NULL);
    wait_note("what=ringing", 3000);
    broker_kill_and_start();
    sipp_passed(far, "cancelled");
    wait_reply_status(-EPIPE);
}

static void a_dead_workers_calls_get_BYE(void **state)
{
    pid_t far = sipp("answer", f.port + 10, NULL, "u1");
    dial("trunk", "one", "number", "15550123", NULL);
    wait_reply(5000);
    worker_close();
    worker_open(); /* a new epoch: what the old one had is gone */
    sipp_passed(far, "answer");
    turn(100);
    for (uint32_t s = 0; s < 64; s++) assert_int_equal(segment_slot(f.segment, s)->call.state, SLOT_FREE);
}

static void every_slot_is_free_and_every_call_has_one_closed_row(void **state)
{
    char command[300];
    turn(1500);
    for (uint32_t s = 0; s < 64; s++) assert_int_equal(segment_slot(f.segment, s)->call.state, SLOT_FREE);
    snprintf(command, sizeof command,
             "python3 -c \"import sqlite3,sys; c=sqlite3.connect('%s/ledger.db'); rows=c.execute('select * from attempt').fetchall(); "
             "print(len(rows),'rows'); sys.exit(0 if len(rows)>15 else 1)\"",
             f.folder);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answered_call_is_hung_up_by_us),
        cmocka_unit_test(busy_is_USER_BUSY),
        cmocka_unit_test(a_Q850_reason_overrides_the_status),
        cmocka_unit_test(a_401_is_answered_with_credentials),
        cmocka_unit_test(a_407_is_answered_with_credentials),
        cmocka_unit_test(a_call_over_tcp_is_answered),
        cmocka_unit_test(early_media_that_is_ignored_starts_no_media),
        cmocka_unit_test(early_media_that_is_listened_to_starts_and_stops_media),
        cmocka_unit_test(early_media_that_answers_the_dial_is_answered_later),
        cmocka_unit_test(a_reliable_183_is_acknowledged_and_updated_and_the_200_may_be_silent),
        cmocka_unit_test(a_503_goes_to_the_next_trunk_and_pauses_the_first),
        cmocka_unit_test(no_answer_in_time_is_cancelled),
        cmocka_unit_test(a_dial_given_up_is_cancelled),
        cmocka_unit_test(a_200_that_crosses_CANCEL_gets_ACK_and_BYE),
        cmocka_unit_test(a_retransmitted_200_is_acknowledged_each_time),
        cmocka_unit_test(their_BYE_ends_the_call_with_its_reason),
        cmocka_unit_test(their_re_INVITEs_change_media),
        cmocka_unit_test(the_permit_refuses),
        cmocka_unit_test(an_inbound_call_is_answered),
        cmocka_unit_test(an_inbound_call_is_refused_with_its_cause),
        cmocka_unit_test(an_inbound_call_is_cancelled),
        cmocka_unit_test(an_offerless_inbound_call_gets_our_offer),
        cmocka_unit_test(a_stranger_hears_nothing_where_strangers_are_not_taken),
        cmocka_unit_test(the_engine_calls_itself),
        cmocka_unit_test(a_dead_workers_calls_get_BYE),
        cmocka_unit_test(a_new_broker_ends_an_adopted_call_by_our_BYE),
        cmocka_unit_test(a_new_broker_takes_re_INVITE_and_BYE_of_an_adopted_call),
        cmocka_unit_test(a_new_broker_cancels_what_rang),
        cmocka_unit_test(every_slot_is_free_and_every_call_has_one_closed_row),
    };
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, setup, teardown);
}
