/* log_test.c: what reaches the log file. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/check.h"
#include "core/log.h"

static char path[64];

static int setup(void **state)
{
    snprintf(path, sizeof path, "/tmp/carillon-log-test.%d", (int)getpid());
    unlink(path);
    return 0;
}

static int teardown(void **state)
{
    log_close();
    unlink(path);
    return 0;
}

static struct buf whole_file(void)
{
    struct buf b = BUF_INIT;
    FILE *f = fopen(path, "r");
    char line[16384];
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) buf_puts(&b, line);
    fclose(f);
    return b;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (; (text = strstr(text, what)); text += strlen(what)) n++;
    return n;
}

static void a_line_has_time_level_place_uuid_and_text(void **state)
{
    struct buf b;
    assert_int_equal(log_open("worker0", path, "info"), 0);
    log_line("media", LOG_INFO, "the-uuid", "f.c", 1, "played %d", 7);
    log_close();
    b = whole_file();
    assert_memory_equal(b.data + 26, "Z INFO    worker0/media  the-uuid played 7\n", 43);
    buf_free(&b);
}

static void levels_hold_per_room_and_wrong_ones_are_refused(void **state)
{
    assert_int_equal(log_open("t", path, "warning,broker=debug"), 0);
    assert_true(log_wanted("broker", LOG_DEBUG));
    assert_false(log_wanted("media", LOG_INFO));
    assert_true(log_wanted("media", LOG_WARNING));
    assert_int_equal(log_levels_set("chatty"), -22);
    assert_int_equal(log_levels_set("info,media=loud"), -22);
    assert_int_equal(log_levels_set("7"), 0);
    assert_true(log_wanted("media", LOG_DEBUG));
}

static void a_source_beyond_its_rate_is_counted_not_written(void **state)
{
    struct buf b;
    int written, more = 0;
    const char *told;
    assert_int_equal(log_open("t", path, "info"), 0);
    for (int i = 0; i < 5000; i++) log_info(NULL, "flood");
    log_close();
    b = whole_file();
    written = count(b.data, " flood\n");
    assert_true(written >= 50 && written <= 150); /* the second may change in between */
    for (told = b.data; (told = strstr(told, "… ")); told++) more += atoi(told + strlen("… "));
    assert_int_equal(written + more, 5000);
    buf_free(&b);
}

static void text_from_outside_cannot_forge_a_line(void **state)
{
    struct buf b;
    assert_int_equal(log_open("t", path, "info"), 0);
    log_info(NULL, "one\n2026-11-23T06:30:00.123456Z ERR forged\r\x1b[0m\n");
    log_close();
    b = whole_file();
    assert_non_null(strstr(b.data, "one\n\t2026"));
    assert_null(strchr(b.data, '\r'));
    assert_null(strchr(b.data, 0x1b));
    buf_free(&b);
}

static void *many_lines(void *context)
{
    for (int i = 0; i < 40; i++) log_line("t", LOG_INFO, NULL, context, i, "thread %s line %d", (char *)context, i);
    return NULL;
}

static void lines_of_ended_threads_are_all_written(void **state)
{
    pthread_t threads[8];
    static char *names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
    struct buf b;
    assert_int_equal(log_open("t", path, "info"), 0);
    for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, many_lines, names[i]);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    log_close();
    b = whole_file();
    assert_int_equal(count(b.data, "\n"), 8 * 40);
    buf_free(&b);
}

static void after_a_reopen_lines_go_to_the_new_file(void **state)
{
    char old[80];
    struct buf b;
    snprintf(old, sizeof old, "%s.1", path);
    assert_int_equal(log_open("t", path, "info"), 0);
    assert_int_equal(rename(path, old), 0);
    log_reopen();
    for (int i = 0; i < 200 && access(path, F_OK); i++) usleep(10000);
    log_info(NULL, "new");
    log_close();
    b = whole_file();
    assert_int_equal(count(b.data, " new\n"), 1);
    buf_free(&b);
    unlink(old);
}

static void a_failed_check_leaves_its_line_and_those_before_it(void **state)
{
    struct buf b;
    int status;
    pid_t pid = fork();
    if (!pid) {
        fclose(stderr);
        close(2);
        log_open("t", path, "info");
        log_info(NULL, "before");
        CHECK(1 + 1 == 3);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    b = whole_file();
    assert_int_equal(count(b.data, "before\n"), 1);
    assert_int_equal(count(b.data, "1 + 1 == 3"), 1);
    buf_free(&b);
}

static void only_telephone_numbers_are_masked(void **state)
{
    struct buf b;
    assert_int_equal(log_open("t", path, "info"), 0);
    log_mask_numbers_set(true);
    log_line("t", LOG_INFO, "0192f3aa-1234-7000-8000-123456789012", "f.c", 1,
             "call to +15552000001 (49301234567) from 1001: 0192f3aa-1234567-7000 at 1790000000.1234567, took 123456 ms, ended 5550100.");
    log_mask_numbers_set(false);
    log_close();
    b = whole_file();
    assert_non_null(strstr(buf_text(&b),
                           "0192f3aa-1234-7000-8000-123456789012 call to +155******01 (493******67) from 1001: 0192f3aa-1234567-7000 at "
                           "1790000000.1234567, took 123456 ms, ended 555**00.\n"));
    buf_free(&b);
}

#define WITH_FILE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FILE(a_line_has_time_level_place_uuid_and_text),
        WITH_FILE(levels_hold_per_room_and_wrong_ones_are_refused),
        WITH_FILE(a_source_beyond_its_rate_is_counted_not_written),
        WITH_FILE(text_from_outside_cannot_forge_a_line),
        WITH_FILE(lines_of_ended_threads_are_all_written),
        WITH_FILE(after_a_reopen_lines_go_to_the_new_file),
        WITH_FILE(only_telephone_numbers_are_masked),
        WITH_FILE(a_failed_check_leaves_its_line_and_those_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
