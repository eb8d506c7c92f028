/* slot.c: the sequence locks of a slot's two halves. */
#include "bus/slot.h"

#include <string.h>

#include "core/check.h"

#define READ_TRIES 1000

static void write_begin(uint32_t *sequence)
{
    uint32_t before = __atomic_load_n(sequence, __ATOMIC_RELAXED);
    CHECK(!(before & 1)); /* two writers, or a begin without its end */
    __atomic_store_n(sequence, before + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void write_end(uint32_t *sequence)
{
    uint32_t before = __atomic_load_n(sequence, __ATOMIC_RELAXED);
    CHECK(before & 1);
    __atomic_store_n(sequence, before + 1, __ATOMIC_RELEASE);
}

static void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The copy may race with the writer, and then is thrown away: that is how sequence locks are. */
__attribute__((no_sanitize("thread"))) static bool read_half(const uint32_t *sequence, const void *half, void *out, size_t bytes)
{
    for (int i = 0; i < READ_TRIES; i++) {
        uint32_t before = __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
        if (before & 1) {
            cpu_relax();
            continue;
        }
        memcpy(out, half, bytes);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(sequence, __ATOMIC_RELAXED) == before) return true;
    }
    return false;
}

void slot_call_write_begin(struct slot *slot) { write_begin(&slot->call_sequence); }
void slot_call_write_end(struct slot *slot) { write_end(&slot->call_sequence); }
void slot_totals_write_begin(struct slot *slot) { write_begin(&slot->totals_sequence); }
void slot_totals_write_end(struct slot *slot) { write_end(&slot->totals_sequence); }

bool slot_call_read(const struct slot *slot, struct slot_call *out)
{
    return read_half(&slot->call_sequence, &slot->call, out, sizeof *out);
}

bool slot_totals_read(const struct slot *slot, struct slot_totals *out)
{
    return read_half(&slot->totals_sequence, &slot->totals, out, sizeof *out);
}

/* A string that was being copied when its writer died may lack its end. */
#define TERMINATE(text) ((text)[sizeof(text) - 1] = 0)

static void call_terminate(struct slot_call *c)
{
    TERMINATE(c->call_id);
    TERMINATE(c->local_tag);
    TERMINATE(c->remote_tag);
    TERMINATE(c->branch);
    TERMINATE(c->local_uri);
    TERMINATE(c->remote_uri);
    TERMINATE(c->target);
    TERMINATE(c->contact);
    TERMINATE(c->transport);
    TERMINATE(c->route);
    TERMINATE(c->trunk);
    TERMINATE(c->campaign);
    TERMINATE(c->media.codec);
    TERMINATE(c->media.fmtp);
    TERMINATE(c->media.crypto_local);
    TERMINATE(c->media.crypto_remote);
}

void slot_repair(struct slot *slot, bool broker_side, bool worker_side)
{
    if (broker_side && slot->call_sequence & 1) {
        call_terminate(&slot->call);
        write_end(&slot->call_sequence);
    }
    if (worker_side && slot->totals_sequence & 1) write_end(&slot->totals_sequence);
}
