/* spool.c: see spool.h. */
#include "campaign/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/log.h"

#define SPOOL_MAGIC 0x4c505343u /* "CSPL" */

struct header {
    uint32_t magic, kind, length, crc;
};

struct spool {
    int fd;
    uint64_t end; /* bytes that are whole and synced */
    uint64_t count;
    uint64_t unsynced; /* records in `out` */
    struct buf out;    /* put, not yet written */
    char *body;        /* of the record being read */
    uint32_t table[256];
};

/* CRC-32 (IEEE 802.3), byte by byte: spools are small and rare. */
static void crc_table(uint32_t table[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
}

static uint32_t crc_add(const struct spool *spool, uint32_t crc, const void *data, size_t length)
{
    for (const uint8_t *p = data; length--; p++) crc = spool->table[(crc ^ *p) & 0xff] ^ (crc >> 8);
    return crc;
}

static uint32_t record_crc(const struct spool *spool, const struct header *h, const void *body)
{
    uint32_t crc = crc_add(spool, 0xffffffffu, &h->kind, sizeof h->kind);
    crc = crc_add(spool, crc, &h->length, sizeof h->length);
    return ~crc_add(spool, crc, body, h->length);
}

int spool_next(struct spool *spool, uint64_t *at, uint32_t *kind, const void **body, uint32_t *length)
{
    struct header h;
    ssize_t n = pread(spool->fd, &h, sizeof h, (off_t)*at);
    if (n < 0) return -errno;
    if ((size_t)n < sizeof h || h.magic != SPOOL_MAGIC || h.length > SPOOL_RECORD_MAX) return 0;
    n = pread(spool->fd, spool->body, h.length, (off_t)(*at + sizeof h));
    if (n < 0) return -errno;
    if ((uint32_t)n < h.length || record_crc(spool, &h, spool->body) != h.crc) return 0;
    *at += sizeof h + h.length;
    *kind = h.kind;
    *body = spool->body;
    *length = h.length;
    return 1;
}

/* Finds the end of the whole records and cuts off what follows. */
static int find_end(struct spool *spool)
{
    uint64_t at = 0;
    uint32_t kind, length;
    const void *body;
    int e;
    while ((e = spool_next(spool, &at, &kind, &body, &length)) == 1) spool->count++;
    if (e < 0) return e;
    struct stat st;
    if (fstat(spool->fd, &st) < 0) return -errno;
    if ((uint64_t)st.st_size > at)
        log_warning(NULL, "spool: %llu bytes at its end are no whole record (a crash while writing): cut off",
                    (unsigned long long)((uint64_t)st.st_size - at));
    if ((uint64_t)st.st_size > at && ftruncate(spool->fd, (off_t)at) < 0) return -errno;
    spool->end = at;
    return 0;
}

static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int e = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return e;
}

static int open_file(struct spool *spool, const char *folder, const char *name)
{
    char path[512];
    if (mkdir(folder, 0750) < 0 && errno != EEXIST) return -errno;
    if ((size_t)snprintf(path, sizeof path, "%s/%s.spool", folder, name) >= sizeof path) return -ENAMETOOLONG;
    spool->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (spool->fd < 0) return -errno;
    if (flock(spool->fd, LOCK_EX | LOCK_NB) < 0) return errno == EWOULDBLOCK ? -EBUSY : -errno;
    return sync_folder(folder);
}

int spool_open(struct spool **out, const char *folder, const char *name)
{
    struct spool *spool = calloc(1, sizeof *spool);
    if (!spool) return -ENOMEM;
    spool->fd = -1;
    crc_table(spool->table);
    spool->body = malloc(SPOOL_RECORD_MAX + 1);
    int e = spool->body ? open_file(spool, folder, name) : -ENOMEM;
    if (e == 0) e = find_end(spool);
    if (e) {
        spool_close(spool);
        return e;
    }
    *out = spool;
    return 0;
}

void spool_close(struct spool *spool)
{
    if (!spool) return;
    if (spool->fd >= 0) close(spool->fd);
    buf_free(&spool->out);
    free(spool->body);
    free(spool);
}

uint64_t spool_count(const struct spool *spool) { return spool->count; }

int spool_put(struct spool *spool, uint32_t kind, const void *body, uint32_t length)
{
    if (length > SPOOL_RECORD_MAX) return -EMSGSIZE;
    struct header h = { SPOOL_MAGIC, kind, length, 0 };
    h.crc = record_crc(spool, &h, body);
    int e = buf_reserve(&spool->out, sizeof h + length);
    if (e) return e;
    buf_put(&spool->out, &h, sizeof h);
    buf_put(&spool->out, body, length);
    spool->unsynced++;
    return 0;
}

static int write_all(struct spool *spool)
{
    size_t written = 0;
    while (written < spool->out.length) {
        ssize_t n = pwrite(spool->fd, spool->out.data + written, spool->out.length - written, (off_t)(spool->end + written));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        written += (size_t)n;
    }
    return fdatasync(spool->fd) < 0 ? -errno : 0;
}

int spool_sync(struct spool *spool)
{
    int e = write_all(spool);
    if (e == 0) {
        spool->end += spool->out.length;
        spool->count += spool->unsynced;
    } else if (ftruncate(spool->fd, (off_t)spool->end) < 0) {
        log_err(NULL, "spool: cannot cut back after a failed write: %s",
                strerror(errno)); /* the next record overwrites it at the same place */
    }
    spool->unsynced = 0;
    buf_clear(&spool->out);
    return e;
}

int spool_clear(struct spool *spool)
{
    if (ftruncate(spool->fd, 0) < 0 || fdatasync(spool->fd) < 0) return -errno;
    spool->end = 0;
    spool->count = 0;
    return 0;
}
