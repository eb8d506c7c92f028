/* segment_fixture.h: a small segment for a test, removed afterwards. */
#ifndef TESTS_BUS_SEGMENT_FIXTURE_H
#define TESTS_BUS_SEGMENT_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bus/segment.h"

static struct segment *segment;
static char segment_test_name[33];

static inline int segment_setup(void **state)
{
    struct buf error = BUF_INIT;
    struct segment_params params = {
        .name = segment_test_name, .workers = 2, .slots_each = 64, .lane_bytes = 64 << 10, .log_bytes = 256 << 10
    };
    int err;
    snprintf(segment_test_name, sizeof segment_test_name, "test-%d", (int)getpid());
    segment_remove(segment_test_name);
    err = segment_create(&segment, &params, &error);
    if (err) fprintf(stderr, "%s\n", buf_text(&error));
    buf_free(&error);
    return err;
}

static inline int segment_teardown(void **state)
{
    segment_unmap(segment);
    segment_remove(segment_test_name);
    return 0;
}

#endif
