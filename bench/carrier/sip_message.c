#include "sip_message.h"

#include <string.h>
#include <strings.h>

static const char *const method_names[] = {
	"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE", "REGISTER", "MESSAGE",
};

static const struct {
	const char *name, *compact;
	enum sip_header_id id;
} header_names[] = {
	{"Via", "v", HDR_VIA}, {"From", "f", HDR_FROM}, {"To", "t", HDR_TO}, {"Call-ID", "i", HDR_CALL_ID}, {"CSeq", NULL, HDR_CSEQ},
	{"Contact", "m", HDR_CONTACT}, {"Route", NULL, HDR_ROUTE}, {"Record-Route", NULL, HDR_RECORD_ROUTE},
	{"Content-Length", "l", HDR_CONTENT_LENGTH}, {"Content-Type", "c", HDR_CONTENT_TYPE}, {"Authorization", NULL, HDR_AUTHORIZATION},
	{"Proxy-Authorization", NULL, HDR_PROXY_AUTHORIZATION}, {"WWW-Authenticate", NULL, HDR_WWW_AUTHENTICATE},
	{"Proxy-Authenticate", NULL, HDR_PROXY_AUTHENTICATE}, {"Reason", NULL, HDR_REASON},
};

const char *sip_method_name(enum sip_method m)
{
	return m < SIP_OTHER ? method_names[m] : "OTHER";
}

static enum sip_method method_of(struct str s)
{
	for (int i = 0; i < SIP_OTHER; i++)
		if (str_is(s, method_names[i]))
			return (enum sip_method)i;
	return SIP_OTHER;
}

static enum sip_header_id header_of(struct str s)
{
	for (size_t i = 0; i < sizeof header_names / sizeof *header_names; i++)
		if (str_is_nocase(s, header_names[i].name) || (header_names[i].compact && str_is_nocase(s, header_names[i].compact)))
			return header_names[i].id;
	return HDR_OTHER;
}

struct str sip_get(const struct sip_message *m, enum sip_header_id id)
{
	for (unsigned i = 0; i < m->header_count; i++)
		if (m->headers[i].id == id)
			return m->headers[i].value;
	return (struct str){NULL, 0};
}

/* The index just behind a quoted string that begins at i. */
static size_t skip_quoted(struct str s, size_t i)
{
	for (i++; i < s.n && s.p[i] != '"'; i++)
		if (s.p[i] == '\\')
			i++;
	return i < s.n ? i + 1 : s.n;
}

struct str sip_uri(struct str v)
{
	size_t i = 0, start;

	v = str_trim(v);
	while (i < v.n && v.p[i] != '<' && v.p[i] != ';')
		i = v.p[i] == '"' ? skip_quoted(v, i) : i + 1;
	if (i >= v.n || v.p[i] != '<')
		return str_trim((struct str){v.p, i});
	for (start = ++i; i < v.n && v.p[i] != '>';)
		i++;
	return (struct str){v.p + start, i - start};
}

struct str sip_param(struct str v, const char *name, bool *found)
{
	size_t i = 0;

	*found = false;
	while (i < v.n && v.p[i] != '<' && v.p[i] != ';')
		i = v.p[i] == '"' ? skip_quoted(v, i) : i + 1;
	if (i < v.n && v.p[i] == '<')
		while (i < v.n && v.p[i] != '>')
			i++;
	while (i < v.n && v.p[i] != ';')
		i++;
	while (i < v.n) {
		size_t start = ++i;
		struct str part, key, value = {NULL, 0};
		const char *eq;

		while (i < v.n && v.p[i] != ';')
			i = v.p[i] == '"' ? skip_quoted(v, i) : i + 1;
		part = (struct str){v.p + start, i - start};
		key = part;
		eq = part.n ? memchr(part.p, '=', part.n) : NULL;
		if (eq) {
			key.n = (size_t)(eq - part.p);
			value = str_trim((struct str){eq + 1, part.n - key.n - 1});
		}
		if (str_is_nocase(str_trim(key), name)) {
			*found = true;
			return value;
		}
	}
	return (struct str){NULL, 0};
}

struct str sip_uri_user(struct str uri)
{
	const char *at, *end;
	struct str u = uri;

	if (u.n > 4 && strncasecmp(u.p, "sips:", 5) == 0)
		u.p += 5, u.n -= 5;
	else if (u.n > 3 && (strncasecmp(u.p, "sip:", 4) == 0 || strncasecmp(u.p, "tel:", 4) == 0))
		u.p += 4, u.n -= 4;
	else
		return (struct str){NULL, 0};
	at = u.n ? memchr(u.p, '@', u.n) : NULL;
	if (!at && strncasecmp(uri.p, "tel:", 4) != 0)
		return (struct str){NULL, 0};
	if (at)
		u.n = (size_t)(at - u.p);
	end = u.n ? memchr(u.p, ';', u.n) : NULL;
	if (end)
		u.n = (size_t)(end - u.p);
	end = u.n ? memchr(u.p, ':', u.n) : NULL;
	if (end)
		u.n = (size_t)(end - u.p);
	return u;
}

bool sip_uri_host(struct str u, struct str *host, int *port)
{
	const char *at;
	size_t i = 0;
	int64_t n;

	if (u.n > 4 && strncasecmp(u.p, "sips:", 5) == 0)
		u.p += 5, u.n -= 5;
	else if (u.n > 3 && strncasecmp(u.p, "sip:", 4) == 0)
		u.p += 4, u.n -= 4;
	at = u.n ? memchr(u.p, '@', u.n) : NULL;
	if (at)
		u.n -= (size_t)(at + 1 - u.p), u.p = at + 1;
	if (u.n && u.p[0] == '[') {
		while (i < u.n && u.p[i] != ']')
			i++;
		if (i >= u.n)
			return false;
		*host = (struct str){u.p + 1, i - 1};
		i++;
	} else {
		while (i < u.n && !strchr(":;?> \t,", u.p[i]))
			i++;
		*host = (struct str){u.p, i};
	}
	*port = 0;
	if (i < u.n && u.p[i] == ':') {
		size_t start = ++i;

		while (i < u.n && u.p[i] >= '0' && u.p[i] <= '9')
			i++;
		n = str_number((struct str){u.p + start, i - start});
		if (n < 1 || n > 65535)
			return false;
		*port = (int)n;
	}
	return host->n > 0;
}

/* The first value of a comma-separated header; commas inside quotes or <> do not separate. */
static struct str first_value(struct str v)
{
	bool angle = false;

	for (size_t i = 0; i < v.n;) {
		if (v.p[i] == '"') {
			i = skip_quoted(v, i);
			continue;
		}
		if (v.p[i] == '<')
			angle = true;
		else if (v.p[i] == '>')
			angle = false;
		else if (v.p[i] == ',' && !angle)
			return str_trim((struct str){v.p, i});
		i++;
	}
	return v;
}

static const char *parse_start(struct sip_message *m, struct str line)
{
	struct str part, method;

	if (line.n > 8 && memcmp(line.p, "SIP/2.0 ", 8) == 0) {
		struct str code = {line.p + 8, line.n >= 11 ? 3 : 0};

		m->status = (int)str_number(code);
		if (m->status < 100 || m->status > 699 || (line.n > 11 && line.p[11] != ' '))
			return "status line without a code of three digits";
		return NULL;
	}
	m->request = true;
	if (!str_cut(&line, ' ', &method) || !str_cut(&line, ' ', &part) || part.n == 0 || !str_is(line, "SIP/2.0"))
		return "start line is not METHOD URI SIP/2.0";
	m->method = method_of(method);
	m->uri = part;
	return NULL;
}

static const char *parse_via(struct sip_message *m, struct str value)
{
	struct str v = first_value(value), sent_by;
	const char *space;
	bool found;

	m->via = v;
	if (v.n < 12 || strncasecmp(v.p, "SIP/2.0/", 8) != 0)
		return "Via does not begin with SIP/2.0/";
	space = memchr(v.p, ' ', v.n);
	if (!space)
		return "Via without a sender";
	sent_by = str_trim((struct str){space, (size_t)(v.p + v.n - space)});
	if (!sip_uri_host(sent_by, &m->via_host, &m->via_port))
		return "Via without a sender";
	m->branch = sip_param(v, "branch", &found);
	sip_param(v, "rport", &m->rport);
	return m->branch.n > SIP_ID_MAX ? "Via branch too long" : NULL;
}

static const char *parse_cseq(struct sip_message *m, struct str v)
{
	struct str number;
	int64_t n;

	if (!str_cut(&v, ' ', &number))
		return "CSeq is empty";
	n = str_number(number);
	v = str_trim(v);
	if (n < 0 || n > 0x7fffffff || v.n == 0 || v.n > 32)
		return "CSeq is not NUMBER METHOD";
	m->cseq = (uint32_t)n;
	m->cseq_name = v;
	m->cseq_method = method_of(v);
	return NULL;
}

static const char *parse_header(struct sip_message *m, struct str line, int64_t *length)
{
	const char *colon = memchr(line.p, ':', line.n);
	struct sip_header *h;

	if (!colon || colon == line.p)
		return "header line without a name";
	if (m->header_count == SIP_HEADERS_MAX)
		return "too many headers";
	h = &m->headers[m->header_count++];
	h->id = header_of(str_trim((struct str){line.p, (size_t)(colon - line.p)}));
	h->value = str_trim((struct str){colon + 1, (size_t)(line.p + line.n - colon - 1)});
	switch (h->id) {
	case HDR_VIA: return m->via.n ? NULL : parse_via(m, h->value);
	case HDR_CSEQ: return m->cseq_name.n ? "two CSeq headers" : parse_cseq(m, h->value);
	case HDR_CALL_ID:
		if (m->call_id.n)
			return "two Call-ID headers";
		m->call_id = h->value;
		break;
	case HDR_FROM: m->from = h->value; break;
	case HDR_TO: m->to = h->value; break;
	case HDR_CONTENT_TYPE: m->content_type = h->value; break;
	case HDR_CONTENT_LENGTH:
		*length = str_number(h->value);
		if (*length < 0)
			return "Content-Length is not a number";
		break;
	default: break;
	}
	return NULL;
}

/* Takes the next line (folded ones joined in place) off data[*at..n). False at the empty line or the end. */
static bool next_line(char *data, size_t n, size_t *at, struct str *line, bool *end)
{
	size_t start = *at, i = start;

	*end = false;
	for (;; i++) {
		if (i >= n)
			return false;
		if (data[i] != '\n')
			continue;
		if (i > start && i + 1 < n && (data[i + 1] == ' ' || data[i + 1] == '\t') && !(i == start + 1 && data[start] == '\r')) {
			data[i] = ' ';
			if (data[i - 1] == '\r')
				data[i - 1] = ' ';
			continue;
		}
		break;
	}
	*at = i + 1;
	line->p = data + start;
	line->n = i - start;
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	*end = line->n == 0;
	return true;
}

/* No spaces or control characters: what identifies a call or a transaction is compared byte by byte. */
static bool is_word(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127)
			return false;
	return true;
}

static const char *check_whole(struct sip_message *m)
{
	bool found;

	if (!m->via.n || !m->from.n || !m->to.n || !m->call_id.n || !m->cseq_name.n)
		return "Via, From, To, Call-ID or CSeq is missing";
	m->from_tag = sip_param(m->from, "tag", &found);
	m->to_tag = sip_param(m->to, "tag", &found);
	if (m->call_id.n > SIP_ID_MAX || m->from_tag.n > SIP_ID_MAX || m->to_tag.n > SIP_ID_MAX)
		return "Call-ID or tag too long";
	if (!is_word(m->call_id) || !is_word(m->from_tag) || !is_word(m->to_tag) || !is_word(m->branch) || !is_word(m->via_host) || !is_word(m->cseq_name))
		return "Call-ID, tag, branch, Via host or CSeq method with a space or control character";
	if (m->request && m->method != m->cseq_method)
		return "CSeq names another method than the start line";
	return NULL;
}

const char *sip_parse(struct sip_message *m, char *data, size_t n)
{
	struct str line = {NULL, 0};
	const char *why;
	size_t at = 0;
	int64_t length = -1;
	bool end;

	m->request = false;
	m->header_count = 0;
	m->status = 0;
	m->method = SIP_OTHER;
	m->uri = m->call_id = m->from = m->to = m->cseq_name = m->via = m->content_type = m->body = (struct str){NULL, 0};
	if (n > SIP_SIZE_MAX)
		return "message too long";
	if (!next_line(data, n, &at, &line, &end) || end)
		return "no start line";
	if (memchr(line.p, 0, line.n))
		return "a NUL in the start line";
	if ((why = parse_start(m, line)))
		return why;
	for (;;) {
		if (!next_line(data, n, &at, &line, &end))
			return "no empty line after the headers";
		if (end)
			break;
		if (memchr(line.p, 0, line.n))
			return "a NUL in a header";
		if ((why = parse_header(m, line, &length)))
			return why;
	}
	if (length > (int64_t)(n - at))
		return "body shorter than Content-Length";
	m->body = (struct str){data + at, length >= 0 ? (size_t)length : n - at};
	return check_whole(m);
}

long sip_frame(const char *data, size_t n)
{
	const char *end = n >= 4 ? memmem(data, n, "\r\n\r\n", 4) : NULL;
	size_t head;
	int64_t length = -1;

	if (!end)
		return n > SIP_SIZE_MAX ? -1 : 0;
	head = (size_t)(end - data) + 4;
	for (const char *p = data; p < end;) {
		const char *eol = memmem(p, (size_t)(end + 2 - p), "\r\n", 2);
		const char *colon = memchr(p, ':', (size_t)(eol - p));

		if (colon && header_of(str_trim((struct str){p, (size_t)(colon - p)})) == HDR_CONTENT_LENGTH)
			length = str_number(str_trim((struct str){colon + 1, (size_t)(eol - colon - 1)}));
		p = eol + 2;
	}
	if (length < 0 || head + (size_t)length > SIP_SIZE_MAX)
		return -1;
	return head + (size_t)length <= n ? (long)(head + (size_t)length) : 0;
}

const char *sip_phrase(int status)
{
	static const struct {
		int status;
		const char *phrase;
	} table[] = {
		{100, "Trying"}, {180, "Ringing"}, {183, "Session Progress"}, {200, "OK"}, {302, "Moved Temporarily"}, {400, "Bad Request"},
		{401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {407, "Proxy Authentication Required"},
		{408, "Request Timeout"}, {410, "Gone"}, {480, "Temporarily Unavailable"}, {481, "Call/Transaction Does Not Exist"},
		{482, "Loop Detected"}, {484, "Address Incomplete"}, {486, "Busy Here"}, {487, "Request Terminated"},
		{488, "Not Acceptable Here"}, {491, "Request Pending"}, {500, "Server Internal Error"}, {502, "Bad Gateway"},
		{503, "Service Unavailable"}, {504, "Server Time-out"}, {600, "Busy Everywhere"}, {603, "Decline"}, {604, "Does Not Exist Anywhere"},
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].status == status)
			return table[i].phrase;
	return status < 200 ? "Progress" : status < 300 ? "OK" : status < 400 ? "Redirection" : status < 500 ? "Request Failure" : "Failure";
}
