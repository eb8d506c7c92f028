/* trace_pcap.c: the classic pcap format (microseconds, LINKTYPE_RAW), IP and UDP headers made up around each message. */
#include "main/trace_pcap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINKTYPE_RAW 101u
#define UDP          17

struct place {
    bool v6;
    uint8_t bytes[16];
    uint16_t port;
};

/* "192.0.2.1:5060", "[2001:db8::1]:5060"; anything else is 0.0.0.0. */
static struct place place_read(const char *text)
{
    struct place out = { 0 };
    char host[INET6_ADDRSTRLEN] = "";
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : strlen(text);
    if (*text == '[' && length >= 2) {
        text++;
        length -= 2;
    }
    if (length < sizeof host) memcpy(host, text, length);
    out.v6 = inet_pton(AF_INET6, host, out.bytes) == 1;
    if (!out.v6) inet_pton(AF_INET, host, out.bytes);
    out.port = colon ? (uint16_t)atoi(colon + 1) : 0;
    return out;
}

static uint32_t sum_add(uint32_t sum, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static size_t ip_head(uint8_t *out, const struct place *from, const struct place *to, size_t udp_bytes)
{
    memset(out, 0, 40);
    if (from->v6 || to->v6) {
        out[0] = 0x60;
        put16(out + 4, (uint32_t)udp_bytes);
        out[6] = UDP;
        out[7] = 64;
        memcpy(out + 8, from->bytes, 16);
        memcpy(out + 24, to->bytes, 16);
        return 40;
    }
    out[0] = 0x45;
    put16(out + 2, (uint32_t)udp_bytes + 20);
    out[8] = 64;
    out[9] = UDP;
    memcpy(out + 12, from->bytes, 4);
    memcpy(out + 16, to->bytes, 4);
    put16(out + 10, ~sum_add(0, out, 20) & 0xffff);
    return 20;
}

/* RFC 768, RFC 8200 §8.1: over the addresses, the protocol, the length, and all of it. */
static void udp_head(uint8_t *out, const uint8_t *ip, size_t ip_bytes, const struct place *from, const struct place *to, const char *text,
                     size_t length)
{
    uint8_t pseudo[4] = { 0, UDP };
    size_t addresses = ip_bytes == 40 ? 8 : 12;
    put16(out, from->port);
    put16(out + 2, to->port);
    put16(out + 4, (uint32_t)length + 8);
    put16(out + 6, 0);
    put16(pseudo + 2, (uint32_t)length + 8);
    uint32_t sum = sum_add(0, ip + addresses, ip_bytes - addresses);
    sum = sum_add(sum, pseudo, 4);
    sum = sum_add(sum, out, 8);
    sum = sum_add(sum, (const uint8_t *)text, length);
    put16(out + 6, (~sum & 0xffff) ? ~sum & 0xffff : 0xffff);
}

int pcap_begin(FILE *file)
{
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t zone, accuracy, longest, link;
    } head = { 0xa1b2c3d4, 2, 4, 0, 0, 65535, LINKTYPE_RAW };
    return fwrite(&head, sizeof head, 1, file) == 1 ? 0 : -errno;
}

int pcap_put(FILE *file, const struct trace_message *message)
{
    struct place ours = place_read(message->local), theirs = place_read(message->remote);
    const struct place *from = message->sent ? &ours : &theirs, *to = message->sent ? &theirs : &ours;
    uint8_t head[48];
    size_t ip = ip_head(head, from, to, message->length + 8);
    udp_head(head + ip, head, ip, from, to, message->text, message->length);
    uint32_t bytes = (uint32_t)(ip + 8 + message->length);
    const uint32_t record[4] = { (uint32_t)(message->utc_us / 1000000), (uint32_t)(message->utc_us % 1000000), bytes, bytes };
    bool good = fwrite(record, sizeof record, 1, file) == 1 && fwrite(head, ip + 8, 1, file) == 1 &&
                fwrite(message->text, message->length, 1, file) == 1;
    return good ? 0 : -errno;
}
