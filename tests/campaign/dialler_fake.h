/* dialler_fake.h: a dialler without SIP. The ledger is real; what becomes of a call is decided by its number's last digit:
 *
 *   0-3 answered, 4 busy, 5 no answer, 6 refused by the permit ("country"), 7 busy at the first try and answered at the second,
 *   8 failed (UNALLOCATED_NUMBER), 9 script error
 *
 * Each "INVITE" is a line "ID NUMBER" in a book that survives a SIGKILL, as a carrier's would. */
#ifndef TESTS_DIALLER_FAKE_H
#define TESTS_DIALLER_FAKE_H

#include "campaign/dialler.h"
#include "core/loop.h"

struct dialler {
    struct loop *loop;
    struct ledger *ledger;
    int book_fd;   /* -1 = none */
    uint32_t room; /* calls at once */
    uint32_t active, most_active;
    int64_t call_ms; /* how long each takes */
    bool overlap;    /* a number was dialled while it was being dialled */
    bool all_busy;
    uint32_t invites, failed_begins;
    struct call *calls;
    char last_variable[64]; /* of the variable "name" */
    char last_caller[64];
};

#endif
