/* progress.h: a campaign's progress as people read it. Its source is the broker's answer to `campaign progress`: one flat
 * JSON object a campaign (campaigns_progress.c). */
#ifndef MAIN_PROGRESS_H
#define MAIN_PROGRESS_H

#include "core/buf.h"

enum progress_state { PROGRESS_RUNNING, PROGRESS_OVER, PROGRESS_FAILED };

/* Puts "demo: running, 412 of 1000 done, 31 in progress, 205 answered, 49.8 calls/s, 12 s to go". */
enum progress_state progress_line(const char *json, struct buf *line);
/* One line for each object of a list. */
void progress_lines(const char *json, struct buf *lines);

#endif
