/* location_store.h: registrations on disk (SQLite), so that telephones need not register again because the broker or the whole engine was
 * started again. Written by a helper thread, one transaction for each REGISTER; its 200 leaves afterwards. */
#ifndef REGISTRAR_LOCATION_STORE_H
#define REGISTRAR_LOCATION_STORE_H

#include "core/buf.h"
#include "core/loop.h"
#include "registrar/location.h"

struct location_store;

/* What one REGISTER, or an expiry, changes. */
struct location_change {
    bool removed;
    struct location location;
};
typedef void location_written(void *context, int error); /* on the loop's thread; 0 or -errno */

/* Opens `path` and calls `each` for all that has not expired at now_s. Blocks: at the start only. 0, or -errno and a line in error. */
int location_store_open(struct location_store **out, struct loop *loop, const char *path, int64_t now_s,
                        void (*each)(void *context, const struct location *location), void *context, struct buf *error);
/* Takes the changes (malloc'ed). 0 and `done` (may be NULL) is called once later; otherwise -EBUSY, and it is not. */
int location_store_write(struct location_store *store, struct location_change *changes, size_t count, location_written *done,
                         void *context);
void location_store_close(struct location_store *store); /* writes what waits */

#endif
