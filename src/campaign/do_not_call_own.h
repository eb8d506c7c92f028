/* do_not_call_own.h: between do_not_call.c (the loop's side) and do_not_call_read.c (the helper's). */
#ifndef CAMPAIGN_DO_NOT_CALL_OWN_H
#define CAMPAIGN_DO_NOT_CALL_OWN_H

#include <stdint.h>
#include <sys/types.h>

#include "campaign/do_not_call.h"
#include "campaign/number_set.h"

#define DO_NOT_CALL_FILES_MAX 32

/* A file as it was when it was read. */
struct list_file {
    char *path;
    int64_t mtime_ns;
    off_t size;
    ino_t inode;
};
/* The table likewise. */
struct list_table {
    int64_t count, last; /* rows, highest id; -1 = never read */
};

/* Numbers of one campaign alone. */
struct campaign_list {
    struct campaign_list *next;
    char name[64];
    struct number_set *set;
};

/* What one reading found: NULL sets did not change. */
struct list_reading {
    struct job job;
    struct do_not_call *list;
    const char *database, *default_country;
    const char *path;                             /* being read, for bad lines */
    struct list_file file[DO_NOT_CALL_FILES_MAX]; /* in: as known; out: as read */
    size_t file_count;
    struct list_table table;
    struct number_set *files, *everyone;
    struct campaign_list *campaigns;
    uint64_t bad; /* lines and rows that hold no number */
    int error;
    struct buf problem; /* of the error; of bad lines, the first ones */
};

/* On the helper's thread. */
void list_read(struct list_reading *reading);
void campaign_lists_free(struct campaign_list *first);

#endif
