/* sdp.c: see sdp.h. */
#include "broker/sdp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sofia-sip/sdp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/check.h"

static const struct sdp_codec known_codecs[] = {
    { "PCMU", 0, 8000, 1, 0 },   { "PCMA", 8, 8000, 1, 0 }, { "G722", 9, 8000, 1, 0 }, { "G729", 18, 8000, 1, 0 },
    { "opus", 96, 48000, 2, 0 }, { "L16", 97, 8000, 1, 0 }, { "GSM", 3, 8000, 1, 0 },
};

static const struct sdp_codec *codec_known(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(known_codecs); i++)
        if (strlen(known_codecs[i].name) == length && !strncasecmp(known_codecs[i].name, name, length)) return &known_codecs[i];
    return NULL;
}

static bool is_ptime(long ms) { return ms >= 10 && ms <= 60 && ms % 10 == 0; }

/* "@8000h@30i": FreeSWITCH's rate and interval behind a codec's name. */
static uint8_t ptime_word(const char *at)
{
    while (*at == '@') {
        char *end;
        long number = strtol(at + 1, &end, 10);
        if (*end == 'i' && is_ptime(number)) return (uint8_t)number;
        at = end + (*end && *end != ',' && *end != '@');
    }
    return 0;
}

int sdp_codecs_parse(struct sdp_codecs *out, const char *names)
{
    memset(out->list, 0, sizeof out->list);
    out->count = 0;
    for (const char *at = names; at && *at;) {
        while (*at == ',' || *at == ' ') at++;
        size_t length = strcspn(at, ", @");
        const struct sdp_codec *codec = codec_known(at, length);
        bool twice = false;
        for (unsigned i = 0; codec && i < out->count; i++) twice |= out->list[i].payload_type == codec->payload_type;
        if (codec && !twice && out->count < SDP_CODECS_MAX) {
            out->list[out->count] = *codec;
            out->list[out->count++].ptime_ms = ptime_word(at + length);
        }
        at += strcspn(at, ",");
    }
    return out->count ? 0 : -EINVAL;
}

/* A cursor for writing; `length` grows past size when it does not fit, which the caller sees once at the end. */
struct text {
    char *out;
    size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = text->length < text->size ? text->size - text->length : 0;
    int n = vsnprintf(room ? text->out + text->length : NULL, room, format, args);
    va_end(args);
    text->length += n > 0 ? (size_t)n : 0;
}

static int text_end(const struct text *text) { return text->length < text->size ? (int)text->length : -EMSGSIZE; }

static void put_session(struct text *text, const struct sdp_local *local)
{
    const char *family = strchr(local->address, ':') ? "IP6" : "IP4";
    put(text, "v=0\r\no=Carillon %llu %llu IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n", (unsigned long long)local->session,
        (unsigned long long)local->version, family, local->address, family, local->address);
}

static void put_rtpmap(struct text *text, unsigned payload_type, const char *name, uint32_t rate, unsigned channels)
{
    if (channels > 1)
        put(text, "a=rtpmap:%u %s/%u/%u\r\n", payload_type, name, rate, channels);
    else
        put(text, "a=rtpmap:%u %s/%u\r\n", payload_type, name, rate);
}

static void put_events(struct text *text, unsigned payload_type)
{
    put_rtpmap(text, payload_type, "telephone-event", 8000, 1);
    put(text, "a=fmtp:%u 0-16\r\n", payload_type);
}

/* What we would like to receive: FEC costs us nothing (RFC 7587 §6.1). */
static void put_fmtp(struct text *text, unsigned payload_type, const char *name)
{
    if (!strcasecmp(name, "opus")) put(text, "a=fmtp:%u useinbandfec=1\r\n", payload_type);
}

static void put_crypto(struct text *text, const struct sdp_crypto *crypto)
{
    char line[160];
    for (unsigned i = 0; i < SDP_CRYPTO_SUITES; i++)
        if (sdp_crypto_line(crypto, i, line, sizeof line)) put(text, "%s", line);
}

int sdp_offer_write(char *out, size_t size, const struct sdp_local *local, const struct sdp_codecs *codecs)
{
    struct text text = { out, size, 0 };
    if (codecs->crypto.mode == SDP_CRYPTO_MANDATORY && !codecs->crypto.keyed) return -EINVAL;
    put_session(&text, local);
    put(&text, "m=audio %u %s", local->port, sdp_crypto_protocol(&codecs->crypto));
    for (unsigned i = 0; i < codecs->count; i++) put(&text, " %u", codecs->list[i].payload_type);
    put(&text, codecs->comfort_noise ? " %u %u\r\n" : " %u\r\n", SDP_EVENT_PT, SDP_NOISE_PT);
    for (unsigned i = 0; i < codecs->count; i++) {
        put_rtpmap(&text, codecs->list[i].payload_type, codecs->list[i].name, codecs->list[i].clock_rate, codecs->list[i].channels);
        put_fmtp(&text, codecs->list[i].payload_type, codecs->list[i].name);
    }
    put_events(&text, SDP_EVENT_PT);
    if (codecs->comfort_noise) put_rtpmap(&text, SDP_NOISE_PT, "CN", 8000, 1);
    put_crypto(&text, &codecs->crypto);
    put(&text, "a=ptime:%u\r\na=%s\r\n", codecs->count && codecs->list[0].ptime_ms ? codecs->list[0].ptime_ms : 20, local->direction);
    return text_end(&text);
}

const char *sdp_direction_of(const struct slot_media *media)
{
    if (media->send) return media->receive ? "sendrecv" : "sendonly";
    return media->receive ? "recvonly" : "inactive";
}

static void put_accepted(struct text *text, const struct sdp_local *local, const struct slot_media *media,
                         const struct sdp_streams *streams)
{
    put(text, "m=audio %u %s %u", local->port, streams->stream[streams->audio].protocol, media->receive_payload_type);
    if (media->event_payload_type) put(text, " %u", media->event_payload_type);
    if (media->send_comfort_noise) put(text, " %u", media->comfort_noise_payload_type);
    put(text, "\r\n");
    put_rtpmap(text, media->receive_payload_type, media->codec, media->clock_rate, media->channels);
    put_fmtp(text, media->receive_payload_type, media->codec);
    if (media->event_payload_type) put_events(text, media->event_payload_type);
    if (media->send_comfort_noise) put_rtpmap(text, media->comfort_noise_payload_type, "CN", 8000, 1);
    if (*media->crypto_local) put(text, "a=crypto:%u %s\r\n", streams->crypto_tag, media->crypto_local);
    put(text, "a=ptime:%u\r\na=%s\r\n", media->ptime_ms, sdp_direction_of(media));
}

int sdp_answer_write(char *out, size_t size, const struct sdp_local *local, const struct slot_media *media,
                     const struct sdp_streams *streams)
{
    struct text text = { out, size, 0 };
    put_session(&text, local);
    for (unsigned i = 0; i < streams->count; i++) {
        if (i == streams->audio)
            put_accepted(&text, local, media, streams);
        else
            put(&text, "m=%s 0 %s %s\r\n", streams->stream[i].type, streams->stream[i].protocol, streams->stream[i].format);
    }
    return text_end(&text);
}

static bool remote_address(const sdp_session_t *session, const sdp_media_t *m, struct slot_media *media)
{
    const sdp_connection_t *c = m->m_connections ? m->m_connections : session->sdp_connection;
    if (!c || !c->c_address || m->m_port > 65535) return false;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&media->remote;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&media->remote;
    if (inet_pton(AF_INET, c->c_address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)m->m_port);
        return true;
    }
    if (inet_pton(AF_INET6, c->c_address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)m->m_port);
        return true;
    }
    return false;
}

/* RFC 2543's hold: the connection address 0.0.0.0. */
static bool is_nowhere(const struct slot_media *media)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&media->remote;
    return v4->sin_family == AF_INET && v4->sin_addr.s_addr == 0;
}

static uint8_t ptime_of(const sdp_media_t *m, uint8_t otherwise)
{
    for (const sdp_attribute_t *a = m->m_attributes; a; a = a->a_next) {
        if (!a->a_name || !a->a_value || strcasecmp(a->a_name, "ptime")) continue;
        int ms = atoi(a->a_value);
        if (is_ptime(ms)) return (uint8_t)ms;
    }
    return otherwise;
}

static bool has_attribute(const sdp_media_t *m, const char *name)
{
    for (const sdp_attribute_t *a = m->m_attributes; a; a = a->a_next)
        if (a->a_name && !strcasecmp(a->a_name, name)) return true;
    return false;
}

static const struct sdp_codec *match(const sdp_rtpmap_t *rm, const struct sdp_codecs *codecs)
{
    if (!rm->rm_encoding) return NULL;
    for (unsigned i = 0; i < codecs->count; i++)
        if (!strcasecmp(rm->rm_encoding, codecs->list[i].name) && rm->rm_rate == codecs->list[i].clock_rate) return &codecs->list[i];
    return NULL;
}

/* The first format that is ours decides (RFC 3264 §6.1: the answer's first is what will be used). */
static int choose(const sdp_media_t *m, const struct sdp_codecs *codecs, struct slot_media *media)
{
    const struct sdp_codec *codec = NULL;
    for (const sdp_rtpmap_t *rm = m->m_rtpmaps; rm; rm = rm->rm_next) {
        const struct sdp_codec *found = codec ? NULL : match(rm, codecs);
        if (found) {
            codec = found;
            media->payload_type = media->receive_payload_type = (uint8_t)rm->rm_pt;
            if (rm->rm_fmtp) snprintf(media->fmtp, sizeof media->fmtp, "%s", rm->rm_fmtp);
        }
        bool narrow = rm->rm_encoding && rm->rm_rate == 8000;
        if (narrow && !strcasecmp(rm->rm_encoding, "telephone-event") && !media->event_payload_type)
            media->event_payload_type = (uint8_t)rm->rm_pt;
        if (narrow && !strcasecmp(rm->rm_encoding, "CN")) media->comfort_noise_payload_type = (uint8_t)rm->rm_pt;
    }
    if (!codec) return -ENOTSUP;
    snprintf(media->codec, sizeof media->codec, "%s", codec->name);
    media->clock_rate = codec->clock_rate;
    media->channels = codec->channels;
    media->ptime_ms = ptime_of(m, codec->ptime_ms ? codec->ptime_ms : 20);
    media->send_comfort_noise = codecs->comfort_noise && media->comfort_noise_payload_type && codec->clock_rate == 8000;
    return 0;
}

static bool is_audio(const sdp_media_t *m)
{
    return m->m_type == sdp_media_audio && m->m_port && !m->m_rejected && (m->m_proto == sdp_proto_rtp || m->m_proto == sdp_proto_srtp);
}

/* The first line of theirs that we can use; whether the stream may be used with it or without. */
static bool read_crypto(const sdp_media_t *m, const struct sdp_crypto *crypto, bool answer, struct slot_media *media, uint32_t *tag)
{
    for (const sdp_attribute_t *a = m->m_attributes; a; a = a->a_next)
        if (a->a_name && a->a_value && !strcasecmp(a->a_name, "crypto") && sdp_crypto_take(crypto, a->a_value, answer, media, tag)) break;
    return sdp_crypto_allows(crypto, m->m_proto == sdp_proto_srtp, media);
}

static int read_audio(const sdp_session_t *session, const sdp_media_t *m, const struct sdp_codecs *codecs, struct slot_media *media,
                      struct sdp_streams *streams)
{
    uint32_t tag = 0;
    memset(media, 0, sizeof *media);
    if (!remote_address(session, m, media)) return -EINVAL;
    int err = choose(m, codecs, media);
    if (err < 0) return err;
    if (!read_crypto(m, &codecs->crypto, streams == NULL, media, &tag)) return -ENOTSUP;
    if (streams) streams->crypto_tag = tag;
    media->rtcp_mux = has_attribute(m, "rtcp-mux");
    /* m_mode is the far end's view. */
    media->receive = (m->m_mode & sdp_sendonly) != 0;
    media->send = (m->m_mode & sdp_recvonly) != 0 && !is_nowhere(media);
    return 0;
}

static void note_stream(const sdp_media_t *m, struct sdp_streams *streams)
{
    unsigned i = streams->count++;
    const char *format = m->m_format && m->m_format->l_text ? m->m_format->l_text : "0";
    char number[16];
    if (!m->m_format && m->m_rtpmaps) {
        snprintf(number, sizeof number, "%u", m->m_rtpmaps->rm_pt);
        format = number;
    }
    snprintf(streams->stream[i].type, sizeof streams->stream[i].type, "%s", m->m_type_name ? m->m_type_name : "audio");
    snprintf(streams->stream[i].protocol, sizeof streams->stream[i].protocol, "%s", m->m_proto_name ? m->m_proto_name : "RTP/AVP");
    snprintf(streams->stream[i].format, sizeof streams->stream[i].format, "%s", format);
}

/* PORT or PORT/COUNT, digits only: where it ends early, sofia takes the rest of the word for the protocol. */
static bool is_port_word(const char *at, size_t length)
{
    size_t digits = 0;
    while (digits < length && at[digits] >= '0' && at[digits] <= '9') digits++;
    if (digits == length) return digits > 0;
    size_t slash = digits;
    for (digits = slash + 1; digits < length && at[digits] >= '0' && at[digits] <= '9';) digits++;
    return slash > 0 && at[slash] == '/' && digits == length && length > slash + 1;
}

/* One m= line: type, port and protocol, then formats without a slash, all of plain characters with spaces between. */
static bool is_sane_media_line(const char *at, const char *end)
{
    for (unsigned word = 0; at < end; word++) {
        const char *begin = at;
        for (; at < end && *at != ' '; at++) {
            bool plain = (*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z') || (*at >= 'a' && *at <= 'z') ||
                         (*at && strchr("-_.+*", *at));
            bool slash = *at == '/' && at > begin && (word == 1 || word == 2);
            if (!plain && !slash) return false;
        }
        if (word == 1 && !is_port_word(begin, (size_t)(at - begin))) return false;
        while (at < end && *at == ' ') at++;
    }
    return true;
}

/* sofia-sip 1.12.11 (Debian 12) loops for ever, allocating, on an m= line of another protocol than RTP whose formats hold a
 * character that is no token's: one packet would take the machine's memory. So such lines never reach its parser. */
static bool is_sane(const char *text, size_t length)
{
    const char *end = text + length;
    if (memchr(text, 0, length)) return false;
    for (const char *line = text; line < end;) {
        const char *stop = line;
        while (stop < end && *stop != '\r' && *stop != '\n') stop++;
        while (line < stop && (*line == ' ' || *line == '\t')) line++; /* as sofia does */
        if (stop - line >= 2 && (line[0] == 'm' || line[0] == 'M') && !is_sane_media_line(line + 2, stop)) return false;
        line = stop + 1;
    }
    return true;
}

/* The parser gives a whole description up for an a=rtpmap without a clock rate; RFC 4475 has one, of a stream that is refused anyway. Such
 * lines are left out. `out` has room for length bytes. */
static size_t rtpmaps_mend(const char *text, size_t length, char *out)
{
    size_t n = 0;
    for (const char *at = text, *end = text + length, *next; at < end; at = next) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        next = newline ? newline + 1 : end;
        size_t line = (size_t)(next - at);
        if (line > 9 && !memcmp(at, "a=rtpmap:", 9) && !memchr(at, '/', line)) continue;
        memcpy(out + n, at, line);
        n += line;
    }
    return n;
}

static int read_description(const char *text, size_t length, const struct sdp_codecs *codecs, struct slot_media *media,
                            struct sdp_streams *streams)
{
    if (!text || length == 0 || length > SDP_BYTES_MAX || !is_sane(text, length)) return -EINVAL;
    su_home_t home[1] = { SU_HOME_INIT(home) };
    su_home_init(home);
    char mended[SDP_BYTES_MAX];
    sdp_parser_t *parser = sdp_parse(home, mended, (issize_t)rtpmaps_mend(text, length, mended), 0);
    const sdp_session_t *session = sdp_session(parser);
    int err = session ? -ENOTSUP : -EINVAL;
    for (const sdp_media_t *m = session ? session->sdp_media : NULL; m; m = m->m_next) {
        if (streams && streams->count == SDP_STREAMS_MAX) {
            err = -EINVAL;
            break;
        }
        if (err != 0 && is_audio(m)) {
            err = read_audio(session, m, codecs, media, streams);
            if (err == 0 && streams) streams->audio = streams->count;
        }
        if (streams) note_stream(m, streams);
    }
    sdp_parser_free(parser);
    su_home_deinit(home);
    return err;
}

int sdp_answer_read(const char *text, size_t length, const struct sdp_codecs *offered, struct slot_media *media)
{
    return read_description(text, length, offered, media, NULL);
}

int sdp_offer_read(const char *text, size_t length, const struct sdp_codecs *codecs, struct slot_media *media, struct sdp_streams *streams)
{
    memset(streams, 0, sizeof *streams);
    return read_description(text, length, codecs, media, streams);
}

const char *sdp_remote_text(const struct slot_media *media, char *out, size_t size, uint16_t *port)
{
    *port = 0;
    out[0] = 0;
    if (media->remote.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&media->remote;
        inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)size);
        *port = ntohs(v4->sin_port);
    } else if (media->remote.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&media->remote;
        inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)size);
        *port = ntohs(v6->sin6_port);
    }
    return out;
}
