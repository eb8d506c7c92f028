/* rtcp.h: sender and receiver reports, RFC 3550 §6.4, as compound packets with SDES CNAME and BYE. */
#ifndef MEDIA_RTCP_H
#define MEDIA_RTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTCP_BYTES_MAX 256u

struct rtcp_block { /* one report block, §6.4.1 */
    uint32_t ssrc;
    uint8_t fraction_lost;  /* 1/256 since the last report */
    int32_t lost;           /* cumulative, 24 bits, signed */
    uint32_t highest;       /* extended highest sequence number */
    uint32_t jitter;        /* timestamp units */
    uint32_t last_sr;       /* middle 32 bits of the NTP time of the last SR received, 0 = none */
    uint32_t delay_last_sr; /* 1/65536 s */
};

struct rtcp_report {
    uint32_t ssrc;
    bool is_sender;     /* SR; else RR */
    uint64_t ntp;       /* SR: 32.32 seconds since 1900 */
    uint32_t timestamp; /* SR: RTP time of the same moment */
    uint32_t packets, octets;
    bool has_block;
    struct rtcp_block block; /* the one about us (reading: about `mine`; else the first) */
    bool bye;
};

/* Bytes written (a multiple of 4). `cname` at most 64 characters; `bye` appends a BYE. -ENOSPC. */
int rtcp_build(const struct rtcp_report *report, const char *cname, uint8_t *out, size_t size);
/* Reads a whole compound packet; `mine` = our SSRC, to choose among report blocks. -EBADMSG if it does not hold
 * together (version, lengths, no SR/RR at its head as §6.1 demands). */
int rtcp_parse(struct rtcp_report *out, const uint8_t *bytes, size_t length, uint32_t mine);

/* NTP 32.32 from UTC microseconds. */
uint64_t rtcp_ntp(int64_t utc_us);
static inline uint32_t rtcp_ntp_middle(uint64_t ntp) { return (uint32_t)(ntp >> 16); }
/* Round trip in µs from a block about us, received at `now_ntp`; 0 if it cannot be known. §6.4.1. */
uint32_t rtcp_rtt_us(const struct rtcp_block *block, uint64_t now_ntp);

#endif
