/* engine_commands.c: MSG_ENGINE: what operators and workers ask of the engine as a whole.
 *
 *   trunk list | show NAME | disable NAME | enable NAME | cap NAME cps=N concurrent=N
 *   calls            one line per call         call UUID      one call
 *   counters         name value
 *   registrations [USER DOMAIN]   telephones of users: a line of names, then a line each, tabs between
 *   unregister USER DOMAIN | CALL-ID   forgets them
 *   hangup UUID [CAUSE]       hupall [CAUSE]
 *   dnc status | reload | check NUMBER [CAMPAIGN] | add NUMBER [CAMPAIGN|- [REASON]] | remove NUMBER [CAMPAIGN]
 *   campaign …       handed over to src/campaign */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/call.h"
#include "broker/lane.h"
#include "broker/registrar.h"
#include "campaign/campaigns.h"
#include "core/clock.h"
#include "core/log.h"

#define ARGUMENTS_MAX 32

struct command {
    struct broker *broker;
    int argc;
    const char *argv[ARGUMENTS_MAX]; /* argv[0] is the command */
    struct buf *out;
    struct kv *pairs; /* of the reply, beside `text` */
};

static const char *argument(const struct command *command, int index) { return index < command->argc ? command->argv[index] : ""; }

/* --- trunk ---------------------------------------------------------------------------------------------------------- */

static const char *state_name(const struct trunk *trunk)
{
    struct trunk_health health = trunk_health(trunk);
    if (trunk->disabled) return "disabled";
    if (health.down) return "down";
    if (!trunk_is_reachable(trunk)) return "unregistered";
    return trunk_usable(trunk, clock_mono_ns()) ? "up" : "paused";
}

/* Beside the text a pair `causes` for those who read it by program: lines of trunk, cause, calls of late, calls since the start. */
static int trunk_list(struct command *command)
{
    struct trunks *trunks = &command->broker->trunks;
    struct buf causes = BUF_INIT;
    buf_puts(command->out, "name\tstate\tactive\tconcurrent\tcps\twaiting\tinvites\tanswered\tfailed\tregistration\tping_"
                           "ms\tquality\tcalls\tasr\tfailure\tpdd_ms\n");
    for (unsigned i = 0; i < trunks->count; i++) {
        const struct trunk *t = &trunks->list[i];
        struct quality_figures figures = quality_look(&t->quality, clock_mono_ns());
        buf_printf(command->out, "%s\t%s\t%u\t%u\t%g\t%u\t%llu\t%llu\t%llu\t%s\t%u\t%s\t%u\t%.2f\t%.2f\t%u\n", t->name, state_name(t),
                   t->cap.active, t->cap.max, t->pace.cps, t->waiting_count, (unsigned long long)t->invites,
                   (unsigned long long)t->answered, (unsigned long long)t->failed, registration_name(trunk_health(t).registration),
                   trunk_health(t).ping_ms, quality_good(&t->quality, clock_mono_ns()) ? "good" : "bad", figures.calls, figures.asr,
                   figures.failure, figures.pdd_ms);
        trunk_causes_write(&t->causes, t->name, clock_mono_ns(), &causes);
    }
    kv_add(command->pairs, "causes", buf_text(&causes));
    buf_free(&causes);
    return 0;
}

/* "key\tvalue" lines, for `sofia status gateway`; and why its calls ended: "cause\tNAME\tof late\tsince the start". */
static int trunk_show(struct command *command, const struct trunk *t)
{
    struct trunk_health health = trunk_health(t);
    buf_printf(command->out, "name\t%s\nstate\t%s\nstatus\t%s\nping_ms\t%u\ncalls_out\t%llu\nfailed_out\t%llu\n", t->name,
               registration_name(health.registration), trunk_usable(t, clock_mono_ns()) ? "UP" : "DOWN", health.ping_ms,
               (unsigned long long)t->invites, (unsigned long long)t->failed);
    trunk_causes_write(&t->causes, "cause", clock_mono_ns(), command->out);
    return 0;
}

static int trunk_cap(struct command *command, struct trunk *trunk)
{
    for (int i = 3; i < command->argc; i++) {
        const char *word = command->argv[i];
        char *end = NULL;
        double number = strchr(word, '=') ? strtod(strchr(word, '=') + 1, &end) : -1;
        bool valid = end && !*end && number >= 0 && number <= 65536;
        if (valid && !strncasecmp(word, "cps=", 4) && number <= 10000)
            pace_set(&trunk->pace, number, clock_mono_ns());
        else if (valid && !strncasecmp(word, "concurrent=", 11))
            trunk->cap.max = (uint32_t)number;
        else
            return buf_printf(command->out, "-ERR \"%s\": expected cps=NUMBER or concurrent=NUMBER\n", word), -EINVAL;
    }
    log_notice(NULL, "trunk %s: cps %g, concurrent %u", trunk->name, trunk->pace.cps, trunk->cap.max);
    return buf_printf(command->out, "+OK %s cps=%g concurrent=%u\n", trunk->name, trunk->pace.cps, trunk->cap.max);
}

static int command_trunk(struct command *command)
{
    const char *verb = argument(command, 1), *name = argument(command, 2);
    if (!strcmp(verb, "list") || !*verb) return trunk_list(command);
    struct trunk *trunk = trunk_named(&command->broker->trunks, name, strlen(name));
    if (!trunk) return buf_printf(command->out, "-ERR no trunk is called \"%s\"\n", name), -ENOENT;
    if (!strcmp(verb, "show")) return trunk_show(command, trunk);
    if (!strcmp(verb, "cap")) {
        int err = trunk_cap(command, trunk);
        trunk_serve(trunk);
        return err;
    }
    bool disable = !strcmp(verb, "disable");
    if (!disable && strcmp(verb, "enable"))
        return buf_puts(command->out, "-ERR trunk list | disable NAME | enable NAME | cap NAME cps=N concurrent=N\n"), -EINVAL;
    trunk->disabled = disable;
    if (!disable) trunk->paused_until_ns = 0;
    trunk_serve(trunk);
    log_notice(NULL, "trunk %s %sd", trunk->name, verb);
    return buf_printf(command->out, "+OK %s %sd\n", trunk->name, verb);
}

/* --- calls ---------------------------------------------------------------------------------------------------------- */

static void call_line(struct buf *out, const struct call *call)
{
    static const char *const states[] = {
        "claimed", "waiting", "inviting", "ringing", "offered", "answering", "talking", "ending", "over"
    };
    int64_t since = call->at.answer ? call->at.answer : call->at.claimed;
    buf_printf(out, "%s\t%s\t%s\t%s\t%s\t%s\tworker %u\t%.1f s\t%s\n", call->channel_text, call->inbound ? "in" : "out",
               states[call->state],
               call->trunk      ? call->trunk->name
               : call->listener ? call->listener->name
                                : "-",
               call->number, call->caller_number, call->worker, (double)(clock_utc_us() - since) / 1e6, call->call_id);
}

static int command_calls(struct command *command)
{
    CALLS_EACH(command->broker, call, following) call_line(command->out, call);
    return buf_printf(command->out, "%u total\n", command->broker->calls.count);
}

static int command_call(struct command *command)
{
    struct call *call = call_by_channel(command->broker, argument(command, 1));
    if (!call) return buf_puts(command->out, "-ERR no such call\n"), -ENOENT;
    call_line(command->out, call);
    return 0;
}

static int command_hangup(struct command *command)
{
    struct call *call = call_by_channel(command->broker, argument(command, 1));
    if (!call) return buf_puts(command->out, "-ERR no such call\n"), -ENOENT;
    call_hangup(call, cause_number(command->argc > 2 ? command->argv[2] : "MANAGER_REQUEST"), 0, NULL);
    return buf_puts(command->out, "+OK\n");
}

static int command_hupall(struct command *command)
{
    unsigned count = 0;
    int cause = cause_number(command->argc > 1 ? command->argv[1] : "MANAGER_REQUEST");
    CALLS_EACH(command->broker, call, following)
    {
        if (call_is_ended(call)) continue;
        call_hangup(call, cause, 0, NULL);
        count++;
    }
    return buf_printf(command->out, "+OK %u calls ended\n", count);
}

/* As text, and each as a pair of the reply. */
static int command_counters(struct command *command)
{
    for (int i = 0; i < COUNTER_COUNT; i++) {
        uint64_t value = counter_sum(command->broker->segment, (enum counter)i);
        buf_printf(command->out, "%s %llu\n", counter_name((enum counter)i), (unsigned long long)value);
        kv_add_int(command->pairs, counter_name((enum counter)i), (int64_t)value);
    }
    return 0;
}

/* --- do-not-call ---------------------------------------------------------------------------------------------------- */

static int dnc_check(struct command *command, const char *number, const char *campaign)
{
    char e164[PERMIT_NUMBER_MAX];
    bool as_given, listed;
    if (number_normalise(&command->broker->permit, number, e164, sizeof e164, &as_given) < 0)
        return buf_printf(command->out, "-ERR \"%s\" is no number\n", number), -EINVAL;
    listed = do_not_call_has(command->broker->permit.do_not_call, e164, campaign);
    return buf_printf(command->out, "+OK %s is %s\n", e164, listed ? "listed: it is not called" : "not listed");
}

static int dnc_change(struct command *command, bool add, const char *number, const char *campaign)
{
    struct do_not_call *list = command->broker->permit.do_not_call;
    int err = add ? do_not_call_add(list, number, campaign, argument(command, 4)) : do_not_call_remove(list, number, campaign);
    if (err == -EINVAL) return buf_printf(command->out, "-ERR \"%s\" is no number\n", number), err;
    if (err == -EAGAIN) return buf_puts(command->out, "-ERR the lists are still being read; try again in a moment\n"), err;
    if (err == -EEXIST)
        return buf_printf(command->out, "-ERR %s stands in a file of numbers.do_not_call; take it out there\n", number), err;
    if (err < 0) return buf_printf(command->out, "-ERR %s\n", strerror(-err)), err;
    log_notice(NULL, "do-not-call: %s %s%s%s", number, add ? "added" : "removed", *campaign ? " for campaign " : "", campaign);
    return buf_printf(command->out, "+OK %s %s\n", number, add ? "is not called any more" : "may be called");
}

static int command_dnc(struct command *command)
{
    const char *verb = argument(command, 1), *number = argument(command, 2), *campaign = argument(command, 3);
    struct do_not_call *list = command->broker->permit.do_not_call;
    if (!strcmp(campaign, "-")) campaign = "";
    if (!strcmp(verb, "status") || !*verb) return do_not_call_describe(list, command->out), buf_putc(command->out, '\n');
    if (!strcmp(verb, "reload")) return do_not_call_reload(list), buf_puts(command->out, "+OK the lists are looked at again\n");
    if (*number && !strcmp(verb, "check")) return dnc_check(command, number, campaign);
    if (*number && !strcmp(verb, "add")) return dnc_change(command, true, number, campaign);
    if (*number && !strcmp(verb, "remove")) return dnc_change(command, false, number, campaign);
    return buf_puts(command->out,
                    "-ERR dnc status | reload | check NUMBER [CAMPAIGN] | add NUMBER [CAMPAIGN|- [REASON]] | remove NUMBER [CAMPAIGN]\n"),
           -EINVAL;
}

/* --- users ---------------------------------------------------------------------------------------------------------- */

static int command_registrations(struct command *command)
{
    registrations_write(command->broker, argument(command, 1), argument(command, 2), command->out);
    return 0;
}

static int command_unregister(struct command *command)
{
    unsigned count = registrations_flush(command->broker, argument(command, 1), argument(command, 2));
    return buf_printf(command->out, "+OK %u\n", count);
}

/* The one place where campaigns' commands go to src/campaign. */
static int command_campaign(struct command *command)
{
    struct buf args = BUF_INIT;
    for (int i = 2; i < command->argc; i++) buf_printf(&args, i > 2 ? " %s" : "%s", command->argv[i]);
    int err = command->broker->campaigns
                  ? campaigns_command(command->broker->campaigns, argument(command, 1), buf_text(&args), command->out)
                  : -EAGAIN;
    buf_free(&args);
    return err;
}

/* --- the request ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(struct command *command);
} commands[] = {
    { "trunk", command_trunk },           { "calls", command_calls },   { "call", command_call },
    { "counters", command_counters },     { "hangup", command_hangup }, { "hupall", command_hupall },
    { "campaign", command_campaign },     { "dnc", command_dnc },       { "registrations", command_registrations },
    { "unregister", command_unregister },
};

static int command_run(struct command *command)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(commands[i].name, command->argv[0])) return commands[i].run(command);
    buf_printf(command->out, "-ERR no engine command \"%s\"\n", command->argv[0]);
    return -ENOENT;
}

void engine_command_answer(struct broker *broker, const struct post_message *message)
{
    struct buf out = BUF_INIT;
    struct kv reply = KV_INIT;
    struct command command = {
        .pairs = &reply, .broker = broker, .argc = 1, .argv = { kv_get_or(message->pairs, "command", "") }, .out = &out
    };
    char name[8];
    for (; command.argc < ARGUMENTS_MAX; command.argc++) {
        snprintf(name, sizeof name, "a%d", command.argc);
        const char *value = kv_get(message->pairs, name);
        if (!value) break;
        command.argv[command.argc] = value;
    }
    int err = command_run(&command);
    kv_add(&reply, "text", buf_text(&out));
    post_reply(broker->post, message->ticket, err < 0 ? err : 0, &reply);
    kv_free(&reply);
    buf_free(&out);
}
