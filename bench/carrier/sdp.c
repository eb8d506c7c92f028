#include "sdp.h"

#include <stdio.h>
#include <string.h>

#define PAYLOADS_MAX 32

static bool starts(struct str s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* c=IN IP4 1.2.3.4[/ttl] */
static bool parse_connection(struct str line, union net_addr *addr)
{
	struct str net, family, host, rest = {line.p + 2, line.n - 2};

	if (!str_cut(&rest, ' ', &net) || !str_cut(&rest, ' ', &family) || !str_cut(&rest, '/', &host))
		return false;
	return net_addr_parse(str_trim(host), 0, addr);
}

struct sdp_scan {
	struct sdp *s;
	union net_addr session, media;
	int port, rtcp_port;
	int types[PAYLOADS_MAX];
	int codecs[PAYLOADS_MAX];        /* 0, 1, 2 = telephone-event, -1 = another */
	int count;
	bool in_audio, audio_seen, other_media;
};

static const char *parse_media(struct sdp_scan *x, struct str line)
{
	struct str kind, port, profile, type, rest = {line.p + 2, line.n - 2};

	x->in_audio = false;
	x->other_media = true;
	if (!str_cut(&rest, ' ', &kind) || !str_is(kind, "audio") || x->audio_seen)
		return NULL;
	x->in_audio = x->audio_seen = true;
	if (!str_cut(&rest, ' ', &port) || !str_cut(&rest, ' ', &profile))
		return "audio line without port and profile";
	if (!str_is(profile, "RTP/AVP") && !str_is(profile, "RTP/AVPF"))
		return "audio is not plain RTP/AVP";
	x->port = (int)str_number(port);
	if (x->port < 0 || x->port > 65535)
		return "audio port is not a port";
	while (x->count < PAYLOADS_MAX && str_cut(&rest, ' ', &type)) {
		int64_t v = str_number(str_trim(type));

		if (v < 0 || v > 127)
			continue;
		x->types[x->count] = (int)v;
		x->codecs[x->count++] = v == 0 ? 0 : v == 8 ? 1 : -1;
	}
	return NULL;
}

static void parse_attribute(struct sdp_scan *x, struct str line)
{
	static const char *const directions[] = {"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"};
	struct str type, rest;
	int64_t v;

	for (int i = 0; i < 4; i++)
		if (str_is(line, directions[i]))
			x->s->direction = (enum sdp_direction)i;
	if (starts(line, "a=rtcp:") && x->in_audio) {
		rest = (struct str){line.p + 7, line.n - 7};
		if (str_cut(&rest, ' ', &type) && (v = str_number(type)) > 0 && v < 65536)
			x->rtcp_port = (int)v;
	}
	if (!starts(line, "a=rtpmap:") || !x->in_audio)
		return;
	rest = (struct str){line.p + 9, line.n - 9};
	if (!str_cut(&rest, ' ', &type))
		return;
	v = str_number(type);
	rest = str_trim(rest);
	for (int i = 0; i < x->count; i++)
		if (x->types[i] == v)
			x->codecs[i] = str_is_nocase(rest, "PCMU/8000") || str_is_nocase(rest, "PCMU/8000/1")   ? 0
				       : str_is_nocase(rest, "PCMA/8000") || str_is_nocase(rest, "PCMA/8000/1") ? 1
				       : str_is_nocase(rest, "telephone-event/8000") || str_is_nocase(rest, "telephone-event/8000/1")
					       ? 2
					       : -1;
}

const char *sdp_parse(struct sdp *s, struct str body)
{
	struct sdp_scan x = {.s = s};
	struct str line;
	const char *why;

	memset(s, 0, sizeof *s);
	s->codec = s->event_type = -1;
	while (str_cut(&body, '\n', &line)) {
		line = str_trim(line);
		if (line.n < 2 || line.p[1] != '=')
			continue;
		if (line.p[0] == 'c' && !parse_connection(line, x.in_audio ? &x.media : &x.session))
			return "connection address is not an IP address";
		if (line.p[0] == 'm' && (why = parse_media(&x, line)))
			return why;
		if (line.p[0] == 'a' && (x.in_audio || !x.other_media))
			parse_attribute(&x, line);
	}
	if (!x.audio_seen || x.port == 0)
		return "no audio offered";
	s->rtp = x.media.sa.sa_family ? x.media : x.session;
	if (!s->rtp.sa.sa_family)
		return "no connection address";
	net_addr_port_set(&s->rtp, x.port);
	s->rtcp = s->rtp;
	net_addr_port_set(&s->rtcp, x.rtcp_port ? x.rtcp_port : x.port + 1);
	for (int i = 0; i < x.count; i++) {
		if (x.codecs[i] == 2 && s->event_type < 0)
			s->event_type = x.types[i];
		if ((x.codecs[i] == 0 || x.codecs[i] == 1) && s->codec < 0) {
			s->codec = x.codecs[i];
			s->payload_type = x.types[i];
		}
	}
	return s->codec < 0 ? "neither PCMU nor PCMA offered" : NULL;
}

void sdp_write(struct text *t, const char *host, int port, bool six, unsigned long id, unsigned version, const struct sdp *answer_to,
               enum sdp_direction direction)
{
	static const char *const directions[] = {"sendrecv", "sendonly", "recvonly", "inactive"};
	const char *family = six ? "IP6" : "IP4";

	text_add(t, "v=0\r\no=carrier %lu %u IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n", id, version, family, host, family, host);
	if (answer_to) {
		const char *name = answer_to->codec ? "PCMA" : "PCMU";

		text_add(t, "m=audio %d RTP/AVP %d", port, answer_to->payload_type);
		if (answer_to->event_type >= 0)
			text_add(t, " %d", answer_to->event_type);
		text_add(t, "\r\na=rtpmap:%d %s/8000\r\n", answer_to->payload_type, name);
		if (answer_to->event_type >= 0)
			text_add(t, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-16\r\n", answer_to->event_type, answer_to->event_type);
	} else {
		text_add(t, "m=audio %d RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"
			    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n", port);
	}
	text_add(t, "a=ptime:20\r\na=%s\r\n", directions[direction]);
}
