#include "media/rtcp.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum { RTCP_SR = 200, RTCP_RR = 201, RTCP_SDES = 202, RTCP_BYE = 203 };
#define NTP_UNIX_SECONDS 2208988800ull

struct writer {
    uint8_t *at, *end;
    bool full;
};

static void put32(struct writer *w, uint32_t value)
{
    if (w->end - w->at < 4) {
        w->full = true;
        return;
    }
    value = htobe32(value);
    memcpy(w->at, &value, 4);
    w->at += 4;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return be32toh(value);
}

static void put_head(struct writer *w, unsigned count, unsigned type, unsigned words)
{
    put32(w, 0x80000000u | count << 24 | type << 16 | words);
}

static void put_block(struct writer *w, const struct rtcp_block *block)
{
    put32(w, block->ssrc);
    put32(w, (uint32_t)block->fraction_lost << 24 | ((uint32_t)block->lost & 0xFFFFFF));
    put32(w, block->highest);
    put32(w, block->jitter);
    put32(w, block->last_sr);
    put32(w, block->delay_last_sr);
}

static void put_sdes(struct writer *w, uint32_t ssrc, const char *cname)
{
    size_t length = strnlen(cname, 64);
    uint8_t item[72] = { 1, (uint8_t)length };
    memcpy(item + 2, cname, length);
    size_t words = (2 + length + 1 + 3) / 4; /* at least one zero ends the list */
    put_head(w, 1, RTCP_SDES, (unsigned)(1 + words));
    put32(w, ssrc);
    for (size_t i = 0; i < words; i++) put32(w, get32(item + 4 * i));
}

int rtcp_build(const struct rtcp_report *report, const char *cname, uint8_t *out, size_t size)
{
    struct writer w = { out, out + size, false };
    unsigned blocks = report->has_block ? 1 : 0;
    put_head(&w, blocks, report->is_sender ? RTCP_SR : RTCP_RR, (report->is_sender ? 6 : 1) + 6 * blocks);
    put32(&w, report->ssrc);
    if (report->is_sender) {
        put32(&w, (uint32_t)(report->ntp >> 32));
        put32(&w, (uint32_t)report->ntp);
        put32(&w, report->timestamp);
        put32(&w, report->packets);
        put32(&w, report->octets);
    }
    if (blocks) put_block(&w, &report->block);
    put_sdes(&w, report->ssrc, cname);
    if (report->bye) {
        put_head(&w, 1, RTCP_BYE, 1);
        put32(&w, report->ssrc);
    }
    return w.full ? -ENOSPC : (int)(w.at - out);
}

static void read_block(struct rtcp_block *block, const uint8_t *at)
{
    uint32_t lost = get32(at + 4);
    block->ssrc = get32(at);
    block->fraction_lost = (uint8_t)(lost >> 24);
    block->lost = (int32_t)(lost << 8) >> 8;
    block->highest = get32(at + 8);
    block->jitter = get32(at + 12);
    block->last_sr = get32(at + 16);
    block->delay_last_sr = get32(at + 20);
}

/* SR or RR at `at`, `length` bytes with its header. */
static int read_report(struct rtcp_report *out, const uint8_t *at, size_t length, uint32_t mine)
{
    size_t fixed = at[1] == RTCP_SR ? 28 : 8, blocks = at[0] & 0x1F;
    if (length < fixed + 24 * blocks) return -EBADMSG;
    out->ssrc = get32(at + 4);
    if (at[1] == RTCP_SR) {
        out->is_sender = true;
        out->ntp = (uint64_t)get32(at + 8) << 32 | get32(at + 12);
        out->timestamp = get32(at + 16);
        out->packets = get32(at + 20);
        out->octets = get32(at + 24);
    }
    for (size_t i = 0; i < blocks; i++) {
        struct rtcp_block block;
        read_block(&block, at + fixed + 24 * i);
        if (!out->has_block || block.ssrc == mine) out->block = block;
        out->has_block = true;
    }
    return 0;
}

int rtcp_parse(struct rtcp_report *out, const uint8_t *bytes, size_t length, uint32_t mine)
{
    *out = (struct rtcp_report) { 0 };
    if (length < 8 || (bytes[1] != RTCP_SR && bytes[1] != RTCP_RR)) return -EBADMSG;
    while (length) {
        if (length < 4 || (bytes[0] >> 6) != 2) return -EBADMSG;
        size_t size = 4 * (1 + (size_t)(bytes[2] << 8 | bytes[3]));
        if (size > length || size < 4) return -EBADMSG;
        if (bytes[1] == RTCP_SR || bytes[1] == RTCP_RR) {
            if (size < 8 || read_report(out, bytes, size, mine)) return -EBADMSG;
        } else if (bytes[1] == RTCP_BYE) {
            out->bye = true;
        }
        bytes += size;
        length -= size;
    }
    return 0;
}

uint64_t rtcp_ntp(int64_t utc_us)
{
    uint64_t seconds = (uint64_t)(utc_us / 1000000) + NTP_UNIX_SECONDS, rest = (uint64_t)(utc_us % 1000000);
    return seconds << 32 | (rest << 32) / 1000000u;
}

uint32_t rtcp_rtt_us(const struct rtcp_block *block, uint64_t now_ntp)
{
    if (!block->last_sr) return 0;
    uint32_t round = rtcp_ntp_middle(now_ntp) - block->last_sr - block->delay_last_sr;
    if (round > 0x80000000u || round > 60u << 16) return 0; /* their clock and ours disagree: less than nothing, or a minute */
    return (uint32_t)((uint64_t)round * 1000000u >> 16);
}
