/* number_file.h: a file with a telephone number a line; of a CSV the first column counts, '#' begins a comment, a first line without a
 * digit is a heading. */
#ifndef CAMPAIGN_NUMBER_FILE_H
#define CAMPAIGN_NUMBER_FILE_H

#include <stdint.h>

#include "core/buf.h"

struct number_file {
    const char *default_country;                               /* see numbers.h */
    int (*number)(struct number_file *file, const char *e164); /* a negative errno ends the reading */
    void (*bad)(struct number_file *file, uint64_t line, const char *text, const char *reason);
    void *context;
};

/* 0, or a negative errno with one line in `error`. Blocks. */
int number_file_read(struct number_file *file, const char *path, struct buf *error);

#endif
