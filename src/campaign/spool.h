/* spool.h: an append-only file of checksummed records, for what cannot go to the database now.
 *
 * Record: u32 magic, u32 kind, u32 length, u32 CRC-32 of kind, length and body; then the body. Little-endian. A tail that a crash tore off
 * is found by its checksum and cut off at open: what spool_sync returned 0 for is before it. */
#ifndef CAMPAIGN_SPOOL_H
#define CAMPAIGN_SPOOL_H

#include <stddef.h>
#include <stdint.h>

struct spool;

#define SPOOL_RECORD_MAX (64u << 10)

/* Opens or makes `folder`/`name`.spool (the folder too, one level). One process at a time: -EBUSY if another holds it. 0 or -errno. */
int spool_open(struct spool **out, const char *folder, const char *name);
void spool_close(struct spool *spool);
/* Records in the file. */
uint64_t spool_count(const struct spool *spool);

/* Appends to a buffer; nothing is safe before spool_sync returned 0. 0, -ENOMEM or -EMSGSIZE. */
int spool_put(struct spool *spool, uint32_t kind, const void *body, uint32_t length);
/* Writes and fsyncs what was put. On failure -errno, and none of it is in the file (it is cut back). */
int spool_sync(struct spool *spool);

/* In order from `*at` (0 = the first): 1 and the record (valid until the next call), 0 at the end, -errno. */
int spool_next(struct spool *spool, uint64_t *at, uint32_t *kind, const void **body, uint32_t *length);
/* Empties the file. 0 or -errno. */
int spool_clear(struct spool *spool);

#endif
