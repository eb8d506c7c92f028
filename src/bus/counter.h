/* counter.h: numbers that outsiders read: one writer each, in the segment, so that `carillon top` reads a live, stuck or
 * dead engine alike. Names are fixed here (X-macro): unit last. */
#ifndef BUS_COUNTER_H
#define BUS_COUNTER_H

#include <stdint.h>

struct segment;

#define COUNTERS(X)                                                                                                                        \
    X(calls_active, "calls that hold a slot")                                                                                              \
    X(calls_started, "INVITEs that left (first of a call)")                                                                                \
    X(calls_answered, "2xx received")                                                                                                      \
    X(calls_failed, "calls ended without an answer")                                                                                       \
    X(calls_inbound, "inbound calls accepted")                                                                                             \
    X(invites_sent, "INVITE transactions, with credentials and failovers")                                                                 \
    X(invites_refused, "refused by the permit")                                                                                            \
    X(sip_dropped, "messages from unknown sources or malformed")                                                                           \
    X(sip_refused, "new calls refused for overload, or a source's rate")                                                                   \
    X(sip_retransmissions, "requests sent again")                                                                                          \
    X(attempts_written, "attempt rows on disk")                                                                                            \
    X(ledger_spooled, "results waiting in the spool")                                                                                      \
    X(scripts_active, "scripts running or suspended")                                                                                      \
    X(scripts_started, "")                                                                                                                 \
    X(scripts_failed, "ended by an error")                                                                                                 \
    X(scripts_killed, "over their budget")                                                                                                 \
    X(script_memory_bytes, "")                                                                                                             \
    X(media_legs, "legs with media")                                                                                                       \
    X(packets_sent, "")                                                                                                                    \
    X(packets_received, "")                                                                                                                \
    X(packets_dropped, "unknown source, malformed, too late")                                                                              \
    X(packets_late_5ms, "sent more than 5 ms late")                                                                                        \
    X(slices_run, "")                                                                                                                      \
    X(slices_skipped, "")                                                                                                                  \
    X(lateness_max_us, "since start")                                                                                                      \
    X(media_busy_us, "CPU time of the media thread")                                                                                       \
    X(media_receive_us, "of its time: packets that came")                                                                                  \
    X(media_read_us, "of its time: jitter buffers and decoding")                                                                           \
    X(media_mix_us, "of its time: rooms")                                                                                                  \
    X(media_write_us, "of its time: what is sent, encoded and packed")                                                                     \
    X(media_taps_us, "of its time: recordings and detectors")                                                                              \
    X(media_send_us, "of its time: the system calls that send")                                                                            \
    X(media_over_budget, "1 = takes no new calls: media.budget_percent is spent")                                                          \
    X(link_frames, "audio frames taken from other workers")                                                                                \
    X(link_delay_us, "what these frames waited, together")                                                                                 \
    X(link_underruns, "such a frame was not there in time: concealed")                                                                     \
    X(link_dropped, "such frames were too many: dropped")                                                                                  \
    X(record_frames_lost, "the disk was too slow")                                                                                         \
    X(ring_stale, "records of an old generation")                                                                                          \
    X(ring_full, "")                                                                                                                       \
    X(lane_full, "")                                                                                                                       \
    X(uring_rearms, "multishot receives armed again")                                                                                      \
    X(events_published, "")                                                                                                                \
    X(events_lost, "a reader was lapped")

enum counter {
#define X(name, help) COUNTER_##name,
    COUNTERS(X)
#undef X
        COUNTER_COUNT
};

/* Each process has a block; a worker's media thread writes its own counters, the main thread the others. */
uint64_t *counter_at(struct segment *segment, uint32_t process, enum counter counter);
void counter_add(uint64_t *at, int64_t by); /* relaxed load and store: single writer */
void counter_set(uint64_t *at, uint64_t to);
uint64_t counter_read(const struct segment *segment, uint32_t process, enum counter counter);
uint64_t counter_sum(const struct segment *segment, enum counter counter); /* over all processes */
const char *counter_name(enum counter counter);
const char *counter_help(enum counter counter);

#endif
