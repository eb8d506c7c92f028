#include "campaign_support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "campaign/campaigns.h"
#include "campaign/import.h"
#include "dialler_fake.h"

static struct place place;
static char *campaign_path;

struct engine {
    struct ledger *ledger;
    struct campaigns *campaigns;
    struct dialler dialler;
    struct loop *loop;
};

static void engine_start(struct engine *e, struct loop *loop, int book_fd, int64_t call_ms)
{
    struct buf error = BUF_INIT;
    const struct ledger_params params = { .database = place.database, .spool_dir = place.folder, .node = "n1", .loop = loop };
    *e = (struct engine) { .loop = loop };
    if (ledger_open(&e->ledger, &params, &error)) {
        fprintf(stderr, "%s\n", buf_text(&error));
        abort();
    }
    if (ledger_recover(e->ledger) < 0) abort();
    e->dialler = (struct dialler) { .loop = loop, .ledger = e->ledger, .book_fd = book_fd, .room = 60, .call_ms = call_ms };
    const struct campaigns_params cp = { .dialler = &e->dialler, .ledger = e->ledger, .loop = loop, .node = "n1" };
    if (campaigns_start(&e->campaigns, &cp)) abort();
}

static void engine_stop(struct engine *e)
{
    campaigns_stop(e->campaigns);
    ledger_close(e->ledger);
    for (int i = 0; i < 10; i++) loop_step(e->loop, NS_PER_MS);
}

static void import_leads(unsigned count)
{
    struct buf csv = BUF_INIT, error = BUF_INIT;
    struct db *db = NULL;
    struct import_result result;
    buf_puts(&csv, "number,name\n");
    for (unsigned i = 0; i < count; i++) buf_printf(&csv, "1555201%04u,Lead %u\n", i, i);
    char *path = place_file(&place, "leads.csv", buf_text(&csv));
    assert_int_equal(import_database(&db, place.database, &error), 0);
    const struct import_params params = { .db = db, .campaign = "c", .default_country = "1" };
    assert_int_equal(import_csv(&params, path, &result, &error), 0);
    assert_int_equal(result.added, count);
    db_close(db);
    free(path);
    buf_free(&csv);
}

static void write_campaign(const char *more)
{
    struct buf text = BUF_INIT;
    free(place_file(&place, "s.lua", "session:answer()\n"));
    buf_printf(&text,
               "return { trunks = { \"acme\" }, script = \"s.lua\", window = \"always\", caller_ids = { \"15550100\", \"15550101\" },\n"
               " retry = { USER_BUSY = { after = \"200ms\", tries = 2 }, NO_ANSWER = { after = \"100ms\", tries = 3 }, INTERRUPTED = { "
               "after = \"50ms\", tries = 9 } },\n"
               " max_attempts = 9, %s }\n",
               more);
    free(campaign_path);
    campaign_path = place_file(&place, "c.lua", buf_text(&text));
    buf_free(&text);
}

static void command(struct engine *e, const char *word, const char *args, const char *expected)
{
    struct buf reply = BUF_INIT;
    campaigns_command(e->campaigns, word, args, &reply);
    if (!strstr(buf_text(&reply), expected)) fail_msg("%s %s: %s", word, args, buf_text(&reply));
    buf_free(&reply);
}

static void run_campaign(struct engine *e)
{
    struct buf args = BUF_INIT;
    buf_printf(&args, "c %s", campaign_path);
    command(e, "run", buf_text(&args), "+OK");
    buf_free(&args);
}

static int has_state(struct engine *e, const char *state)
{
    struct buf reply = BUF_INIT, wanted = BUF_INIT;
    campaigns_command(e->campaigns, "progress", "c", &reply);
    buf_printf(&wanted, "\"state\":\"%s\"", state);
    int yes = strstr(buf_text(&reply), buf_text(&wanted)) != NULL;
    buf_free(&reply);
    buf_free(&wanted);
    return yes;
}

static int is_done(void *context) { return has_state(context, "done"); }
static int is_failed(void *context) { return has_state(context, "failed"); }
static int is_stopped(void *context) { return has_state(context, "stopped"); }
static int is_waiting(void *context) { return has_state(context, "waiting"); }
static int calls_up(void *context) { return ((struct engine *)context)->dialler.active >= 10; }
static int idle(void *context) { return ((struct engine *)context)->dialler.active == 0; }

static void expect(const char *sql, int64_t wanted)
{
    int64_t found = place_int(&place, sql);
    if (found != wanted) fail_msg("%s: %lld, not %lld", sql, (long long)found, (long long)wanted);
}

static void each_lead_ends_as_its_outcome_and_the_rules_say(void **state)
{
    struct engine e;
    import_leads(100);
    write_campaign("");
    engine_start(&e, place.loop, -1, 5);
    run_campaign(&e);
    assert_true(run_until(place.loop, is_done, &e, 20000));
    assert_false(e.dialler.overlap);
    assert_true(strncmp(e.dialler.last_variable, "Lead ", 5) == 0);
    assert_true(strncmp(e.dialler.last_caller, "1555010", 7) == 0);
    engine_stop(&e);
    expect("SELECT COUNT(*) FROM lead WHERE state = 'done'", 100);
    expect("SELECT COUNT(*) FROM lead WHERE disposition = 'answered'", 40); /* 0, 1, 3, and 7 at its second try */
    expect("SELECT COUNT(*) FROM lead WHERE disposition = 'interested'", 10);
    expect("SELECT COUNT(*) FROM lead WHERE disposition = 'busy' AND tries = 2", 10);
    expect("SELECT COUNT(*) FROM lead WHERE disposition = 'no_answer' AND tries = 3", 10);
    expect("SELECT COUNT(*) FROM lead WHERE disposition = 'refused' AND tries = 0", 10);
    expect("SELECT COUNT(*) FROM lead WHERE disposition = 'failed' AND tries = 1", 10);
    expect("SELECT COUNT(*) FROM lead WHERE disposition = 'script_error' AND tries = 1", 10);
    expect("SELECT COUNT(*) FROM lead WHERE history = 'USER_BUSY=2'", 10);
    expect("SELECT COUNT(*) FROM attempt WHERE digits = '1'", 10);
    expect("SELECT COUNT(*) FROM attempt", 140); /* 0-3, 8, 9 once; 4 and 7 twice; 5 three times; 6 refused */
    expect("SELECT COUNT(*) FROM attempt WHERE state = 'refused'", 10);
    expect("SELECT COUNT(*) FROM campaign WHERE state = 'done'", 1);
}

static void pacing_keeps_calls_and_cps_in_bounds(void **state)
{
    struct engine e;
    import_leads(60);
    write_campaign("pacing = { cps = 40, concurrent = 7 }");
    engine_start(&e, place.loop, -1, 100);
    int64_t begun = clock_mono_ns();
    run_campaign(&e);
    int64_t ms = 500;
    while (clock_mono_ns() - begun < ms * NS_PER_MS) loop_step(place.loop, NS_PER_MS);
    assert_true(e.dialler.most_active <= 7);
    assert_true(e.dialler.invites <= 4 + 40 * ms / 1000);
    assert_true(e.dialler.invites >= 10);
    command(&e, "stop", "c now", "+OK");
    assert_true(run_until(place.loop, is_stopped, &e, 5000));
    engine_stop(&e);
    expect("SELECT COUNT(*) FROM lead WHERE state IN ('claimed', 'dialling')", 0);
}

static void pause_gives_claimed_leads_back_and_resume_goes_on(void **state)
{
    struct engine e;
    import_leads(90);
    write_campaign("pacing = { cps = 100 }");
    engine_start(&e, place.loop, -1, 30);
    run_campaign(&e);
    run_until(place.loop, calls_up, &e, 300);
    command(&e, "pause", "c", "+OK");
    run_until(place.loop, idle, &e, 3000);
    uint32_t dialled = e.dialler.invites;
    for (int i = 0; i < 40; i++) loop_step(place.loop, 5 * NS_PER_MS);
    assert_int_equal(e.dialler.invites, dialled);
    assert_true(has_state(&e, "paused"));
    expect("SELECT COUNT(*) FROM lead WHERE state IN ('claimed', 'dialling')", 0);
    command(&e, "resume", "c", "+OK");
    assert_true(run_until(place.loop, is_done, &e, 20000));
    engine_stop(&e);
    expect("SELECT COUNT(*) FROM lead WHERE state = 'done'", 90);
}

static void outside_the_window_nobody_is_called(void **state)
{
    struct engine e;
    time_t now = time(NULL);
    struct tm utc;
    char window[80];
    gmtime_r(&now, &utc);
    import_leads(30);
    snprintf(window, sizeof window, "zone = \"UTC\", window = { from = \"%02d:00\", to = \"%02d:00\" }, country = \"1\"",
             (utc.tm_hour + 11) % 24, (utc.tm_hour + 13) % 24);
    struct db *db = place_db(&place);
    assert_int_equal(db_exec(db, "UPDATE lead SET zone = 'UTC'"), 0);
    db_close(db);
    struct buf text = BUF_INIT;
    free(place_file(&place, "s.lua", ""));
    buf_printf(&text, "return { trunks = { \"acme\" }, script = \"s.lua\", %s }\n", window);
    free(campaign_path);
    campaign_path = place_file(&place, "c.lua", buf_text(&text));
    buf_free(&text);
    engine_start(&e, place.loop, -1, 5);
    run_campaign(&e);
    assert_true(run_until(place.loop, is_waiting, &e, 5000));
    assert_int_equal(e.dialler.invites, 0);
    engine_stop(&e);
    expect("SELECT COUNT(*) FROM lead WHERE state = 'pending' AND next_us > 0", 30);
}

static void a_wrong_file_is_a_failed_campaign_with_its_reason(void **state)
{
    struct engine e;
    write_campaign("ring_timeout = \"5s\"");
    engine_start(&e, place.loop, -1, 5);
    run_campaign(&e);
    assert_true(run_until(place.loop, is_failed, &e, 5000));
    command(&e, "progress", "c", "ring_timeout");
    command(&e, "pause", "c", "-ERR");
    command(&e, "pause", "nobody", "-ERR");
    engine_stop(&e);
}

/* --- killed in the middle, again and again ----------------------------------------------------------------------------- */

static void child(const char *book, int64_t call_ms)
{
    struct engine e;
    struct loop *loop;
    if (loop_new(&loop)) _exit(2);
    engine_start(&e, loop, open(book, O_WRONLY | O_CREAT | O_APPEND, 0600), call_ms);
    struct buf reply = BUF_INIT, args = BUF_INIT;
    for (int i = 0; i < 40; i++) loop_step(loop, NS_PER_MS); /* a campaign that ran goes on by itself */
    buf_printf(&args, "c %s", campaign_path);
    campaigns_command(e.campaigns, "run", buf_text(&args), &reply); /* the first time; later "runs already" */
    bool done = run_until(loop, is_done, &e, 60000);
    bool overlap = e.dialler.overlap;
    engine_stop(&e);
    _exit(done && !overlap ? 0 : 3);
}

/* Runs until one child ends by itself; all before it are killed at random moments. Returns how many were killed. */
static int run_with_kills(const char *book, int kills)
{
    for (int round = 0;; round++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) child(book, 10);
        if (round < kills) {
            usleep((useconds_t)(60000 + random() % 250000));
            kill(pid, SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return round;
        }
    }
}

/* The carrier's book against the ledger: each INVITE has its row, each row without one is claimed or interrupted, or refused. */
static void compare_books(const char *book)
{
    char id[64], number[64], sql[200];
    unsigned invites = 0;
    struct db *db = place_db(&place);
    struct db_statement *find;
    FILE *f = fopen(book, "r");
    assert_non_null(f);
    assert_int_equal(db_exec(db, "CREATE TABLE book (id TEXT PRIMARY KEY)"), 0); /* an INVITE twice with one Call-ID would fail here */
    assert_int_equal(db_prepare(db, &find, "INSERT INTO book SELECT id FROM attempt WHERE id = ? AND number = ?"), 0);
    assert_int_equal(db_begin(db), 0);
    while (fscanf(f, "%63s %63s", id, number) == 2) {
        db_bind_text(find, 1, id);
        db_bind_text(find, 2, number);
        assert_int_equal(db_run(find), 0);
        assert_int_equal(db_changes(find), 1);
        invites++;
    }
    fclose(f);
    assert_int_equal(db_commit(db), 0);
    snprintf(sql, sizeof sql,
             "SELECT COUNT(*) FROM attempt WHERE id NOT IN (SELECT id FROM book) AND state NOT IN ('claimed', 'interrupted', 'refused')");
    int64_t strangers = -1;
    assert_int_equal(db_value_int(db, sql, &strangers), 0);
    assert_int_equal(strangers, 0);
    assert_true(invites > 0);
    db_exec(db, "DROP TABLE book");
    db_finalize(find);
    db_close(db);
}

static void killed_again_and_again_no_lead_is_lost_or_dialled_twice(void **state)
{
    char book[128];
    import_leads(1500);
    write_campaign("pacing = { cps = 900 }");
    snprintf(book, sizeof book, "%s/book", place.folder);
    srandom((unsigned)time(NULL));
    int killed = run_with_kills(book, 12);
    compare_books(book);
    print_message("killed %d times\n", killed);
    expect("SELECT COUNT(*) FROM lead WHERE state = 'done'", 1500);
    expect("SELECT COUNT(*) FROM attempt WHERE state = 'claimed'", 0);
    /* One final result per lead, and an answered one is never called again. */
    expect("SELECT COUNT(*) FROM (SELECT lead FROM attempt WHERE disposition IN ('answered', 'interested', 'script_error', 'failed') GROUP "
           "BY lead HAVING COUNT(*) > 1) AS twice",
           0);
    expect("SELECT COUNT(*) FROM lead l WHERE tries <> (SELECT COUNT(*) FROM attempt a WHERE a.lead = l.id AND a.state <> 'refused')", 0);
    expect("SELECT COUNT(*) FROM attempt a JOIN attempt b ON a.lead = b.lead AND a.id < b.id AND a.end_us > b.claimed_us", 0);
}

/* TEST_SERVER_STOP and TEST_SERVER_START are commands; only tests/campaign/postgresql_test.py knows a server that it may stop. */
static int database_up(void *context)
{
    struct ledger_status status;
    ledger_status(((struct engine *)context)->ledger, &status);
    return status.database_up;
}

static int database_down(void *context) { return !database_up(context); }

static void a_stopped_server_loses_and_doubles_nothing(void **state)
{
    const char *stop = getenv("TEST_SERVER_STOP"), *start = getenv("TEST_SERVER_START");
    char book[128];
    struct engine e;
    struct ledger_status status;
    if (!stop || !start) skip();
    import_leads(800);
    write_campaign("pacing = { cps = 100 }");
    snprintf(book, sizeof book, "%s/book", place.folder);
    engine_start(&e, place.loop, open(book, O_WRONLY | O_CREAT | O_APPEND, 0600), 50);
    run_campaign(&e);
    run_until(place.loop, calls_up, &e, 2000);
    run_until(place.loop, is_failed, &e, 1000); /* a second of normal work */
    assert_int_equal(system(stop), 0);
    uint32_t before = e.dialler.invites;
    assert_true(run_until(place.loop, database_down, &e, 10000));
    run_until(place.loop, is_failed, &e, 3000);
    ledger_status(e.ledger, &status);
    assert_true(status.accepting);
    assert_true(status.rows_spooled > 0);
    assert_true(e.dialler.invites > before); /* what was claimed is dialled meanwhile */
    assert_int_equal(e.dialler.failed_begins, 0);
    assert_int_equal(system(start), 0);
    assert_true(run_until(place.loop, database_up, &e, 10000));
    assert_true(run_until(place.loop, is_done, &e, 60000));
    assert_false(e.dialler.overlap);
    ledger_status(e.ledger, &status);
    print_message("spooled %llu rows while the server was away\n", (unsigned long long)status.rows_spooled);
    engine_stop(&e);
    compare_books(book);
    expect("SELECT COUNT(*) FROM lead WHERE state = 'done'", 800);
    expect("SELECT COUNT(*) FROM attempt WHERE state = 'claimed'", 0);
    expect("SELECT COUNT(*) FROM lead l WHERE tries <> (SELECT COUNT(*) FROM attempt a WHERE a.lead = l.id AND a.state <> 'refused')", 0);
    expect("SELECT COUNT(*) FROM attempt", 800 + 80 + 80 + 160);
}

static int setup(void **state)
{
    place_make(&place);
    return 0;
}

static int teardown(void **state)
{
    place_remove(&place);
    return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_lead_ends_as_its_outcome_and_the_rules_say),   CASE(pacing_keeps_calls_and_cps_in_bounds),
        CASE(pause_gives_claimed_leads_back_and_resume_goes_on), CASE(outside_the_window_nobody_is_called),
        CASE(a_wrong_file_is_a_failed_campaign_with_its_reason), CASE(killed_again_and_again_no_lead_is_lost_or_dialled_twice),
        CASE(a_stopped_server_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests_name("campaigns", tests, NULL, NULL);
}
