#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "call.h"

#define WRITE_EVERY_NS 50000000

static void file_write(struct book_file *f, const struct text *t)
{
	size_t done = 0;

	while (done < t->n && !f->error) {
		ssize_t n = write(f->fd, t->p + done, t->n - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			f->error = n < 0 ? errno : EIO;
		else
			done += (size_t)n;
	}
}

static void *writer(void *arg)
{
	struct book *b = arg;
	struct text calls = {0}, invites = {0};
	bool stop = false;

	while (!stop) {
		struct timespec until;
		struct text swap;

		pthread_mutex_lock(&b->lock);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += WRITE_EVERY_NS;
		if (until.tv_nsec >= 1000000000)
			until.tv_nsec -= 1000000000, until.tv_sec++;
		if (!b->stop)
			pthread_cond_timedwait(&b->wake, &b->lock, &until);
		stop = b->stop;
		swap = b->calls.pending, b->calls.pending = calls, calls = swap;
		swap = b->invites.pending, b->invites.pending = invites, invites = swap;
		pthread_mutex_unlock(&b->lock);
		file_write(&b->calls, &calls);
		file_write(&b->invites, &invites);
		calls.n = invites.n = 0;
	}
	text_free(&calls);
	text_free(&invites);
	return NULL;
}

static int file_open(struct book_file *f, const char *path, const char *option, char *err, size_t err_size)
{
	f->fd = -1;
	if (!path)
		return 0;
	f->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
	if (f->fd >= 0)
		return 0;
	snprintf(err, err_size, "%s %s: cannot be written: %s", option, path, strerror(errno));
	return -errno;
}

static void header(struct carrier *c, struct text *t)
{
	const struct options *o = &c->options;

	text_add(t, "{\"carrier\":\"carillon-carrier\",\"version\":1,\"start_us\":%lld,\"pid\":%d,\"seed\":%llu,\"listen\":[", (long long)clock_utc_us(),
		 (int)getpid(), (unsigned long long)o->seed);
	for (unsigned i = 0; i < c->listener_count; i++)
		text_add(t, "%s\"%s:%d\"", i ? "," : "", c->listeners[i].host, c->listeners[i].port);
	text_add(t, "],\"tcp\":%s,\"port_per_call\":%s,\"auth\":%d,\"plan\":", o->tcp ? "true" : "false", o->port_per_call ? "true" : "false", o->auth_code);
	text_json(t, o->plan);
	text_add(t, ",\"rules\":%u,\"place\":", c->plan.count);
	text_json(t, o->place);
	text_add(t, "}\n");
}

int book_open(struct carrier *c, char *err, size_t err_size)
{
	struct book *b = &c->book;
	int rc = file_open(&b->calls, c->options.book, "--book", err, err_size);

	if (rc == 0)
		rc = file_open(&b->invites, c->options.invites, "--invites", err, err_size);
	if (rc)
		return rc;
	if (b->calls.fd < 0 && b->invites.fd < 0)
		return 0;
	if (b->calls.fd >= 0)
		header(c, &b->calls.pending);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->wake, NULL);
	rc = pthread_create(&b->thread, NULL, writer, b);
	if (rc) {
		snprintf(err, err_size, "the book's thread cannot be started: %s", strerror(rc));
		return -rc;
	}
	b->running = true;
	return 0;
}

static void time_field(struct text *t, const char *name, int64_t us)
{
	if (us)
		text_add(t, ",\"%s\":%lld", name, (long long)us);
	else
		text_add(t, ",\"%s\":null", name);
}

static void string_field(struct text *t, const char *name, const char *value)
{
	text_add(t, ",\"%s\":", name);
	text_json(t, value);
}

static void write_messages(struct text *t, const struct call *call)
{
	text_add(t, ",\"messages\":[");
	for (unsigned i = 0; i < call->marks; i++) {
		const struct mark *m = &call->mark[i];

		text_add(t, "%s{\"t_us\":%lld,\"dir\":\"%s\",\"what\":\"", i ? "," : "", (long long)m->t_us, m->in ? "in" : "out");
		if (m->status)
			text_add(t, "%d\",\"of\":\"%s\"", m->status, sip_method_name(m->method));
		else
			text_add(t, "%s\"", sip_method_name(m->method));
		if (m->again)
			text_add(t, ",\"again\":%u", m->again);
		text_add(t, "}");
	}
	text_add(t, "],\"messages_left_out\":%u", call->marks_more);
}

static void write_invites(struct text *t, const struct call *call)
{
	text_add(t, ",\"invites\":[");
	for (unsigned i = 0; i < call->invites; i++) {
		const struct invite_mark *v = &call->invite_list[i];
		const struct listener *l = &call->carrier->listeners[v->listener];

		text_add(t, "%s{\"t_us\":%lld,\"credentials\":%s,\"status\":%d,\"listen\":\"%s:%d\"}", i ? "," : "", (long long)v->t_us,
			 v->credentials ? "true" : "false", v->status, l->host, l->port);
	}
	text_add(t, "]");
}

static void write_digits(struct text *t, const struct call *call, bool in)
{
	static const char *const how[] = {"rfc4733", "info", "info-dtmf", "inband"};
	bool first = true;

	text_add(t, ",\"digits_%s\":\"", in ? "in" : "out");
	for (unsigned i = 0; i < call->digits; i++)
		if (call->digit[i].in == in)
			text_add(t, "%c", call->digit[i].digit);
	text_add(t, "\",\"presses_%s\":[", in ? "in" : "out");
	for (unsigned i = 0; i < call->digits; i++) {
		const struct digit_mark *d = &call->digit[i];

		if (d->in != in)
			continue;
		text_add(t, "%s{\"t_us\":%lld,\"digit\":\"%c\",\"by\":\"%s\",\"duration_ms\":%u,\"ended\":%s}", first ? "" : ",", (long long)d->t_us, d->digit,
			 how[d->how], d->duration_ms, d->ended ? "true" : "false");
		first = false;
	}
	text_add(t, "]");
}

static void write_rtp(struct text *t, const struct media *m)
{
	const struct rtp_received *rx = &m->rx;

	text_add(t, ",\"rtp\":{\"codec\":\"%s\",\"sent\":%llu,\"received\":%llu,\"bytes\":%llu,\"missing\":%llu,\"duplicates\":%llu,\"reordered\":%llu",
		 m->codec ? "PCMA" : "PCMU", (unsigned long long)m->tx.packets, (unsigned long long)rx->packets, (unsigned long long)rx->bytes,
		 (unsigned long long)rtp_missing(rx), (unsigned long long)rx->duplicates, (unsigned long long)rx->reordered);
	text_add(t, ",\"gaps_40ms\":%llu,\"gap_max_us\":%lld,\"late_5ms\":%llu,\"late_max_us\":%lld,\"late_p50_us\":%lld,\"late_p99_us\":%lld,\"early_max_us\":%lld",
		 (unsigned long long)rx->gaps_40ms, (long long)rx->gap_max_us, (unsigned long long)rx->late_5ms, (long long)rx->late_max_us,
		 (long long)rtp_late_quantile(rx, 0.5), (long long)rtp_late_quantile(rx, 0.99), (long long)rx->early_max_us);
	text_add(t, ",\"ssrc_changes\":%u,\"rebases\":%u,\"sound_ms\":%llu,\"other_payloads\":%llu", rx->ssrc_changes, rx->rebases,
		 (unsigned long long)rx->sound_frames * 20, (unsigned long long)rx->others);
	time_field(t, "first_us", rx->first_us);
	time_field(t, "last_us", rx->last_us);
	text_add(t, "},\"rtcp\":{\"sr_in\":%u,\"rr_in\":%u,\"sent\":%u}", m->rtcp_sr_in, m->rtcp_rr_in, m->rtcp_out);
}

void book_call(struct carrier *c, const struct call *call, const char *end)
{
	struct book *b = &c->book;
	struct text *t = &b->line;
	char source[80];

	if (b->calls.fd < 0)
		return;
	net_addr_text(&call->peer.addr, true, source, sizeof source);
	t->n = 0;
	text_add(t, "{\"call_id\":");
	text_json(t, call->call_id);
	string_field(t, "number", call->number);
	string_field(t, "from", call->from_user);
	string_field(t, "source", source);
	text_add(t, ",\"transport\":\"%s\",\"direction\":\"%s\",\"nth\":%u", call->peer.conn >= 0 ? "tcp" : "udp", call->placed ? "placed" : "received",
		 call->nth);
	string_field(t, "behaviour", call->rule ? call->rule->name : NULL);
	string_field(t, "end", end);
	text_add(t, ",\"status\":%d", call->final_status);
	time_field(t, "invite_us", call->invite_us);
	time_field(t, "provisional_us", call->provisional_us);
	time_field(t, "answer_us", call->answer_us);
	time_field(t, "ack_us", call->ack_us);
	time_field(t, "cancel_us", call->cancel_us);
	time_field(t, "final_us", call->final_us);
	time_field(t, "bye_in_us", call->bye_in_us);
	time_field(t, "bye_out_us", call->bye_out_us);
	time_field(t, "end_us", clock_utc_us());
	text_add(t, ",\"bye_status\":%d", call->bye_status);
	string_field(t, "bye_reason", call->bye_reason[0] ? call->bye_reason : NULL);
	write_invites(t, call);
	write_messages(t, call);
	write_digits(t, call, true);
	write_digits(t, call, false);
	write_rtp(t, &call->media);
	text_add(t, "}\n");
	pthread_mutex_lock(&b->lock);
	text_bytes(&b->calls.pending, t->p, t->n);
	pthread_mutex_unlock(&b->lock);
}

void book_invite(struct carrier *c, int64_t t_us, const char *call_id, const char *number, bool credentials)
{
	struct book *b = &c->book;
	struct text *t = &b->line;

	if (b->invites.fd < 0)
		return;
	t->n = 0;
	text_add(t, "{\"t_us\":%lld,\"call_id\":", (long long)t_us);
	text_json(t, call_id);
	string_field(t, "number", number);
	text_add(t, ",\"credentials\":%s}\n", credentials ? "true" : "false");
	pthread_mutex_lock(&b->lock);
	text_bytes(&b->invites.pending, t->p, t->n);
	pthread_mutex_unlock(&b->lock);
}

int book_close(struct carrier *c)
{
	struct book *b = &c->book;

	if (b->running) {
		pthread_mutex_lock(&b->lock);
		b->stop = true;
		pthread_cond_signal(&b->wake);
		pthread_mutex_unlock(&b->lock);
		pthread_join(b->thread, NULL);
		b->running = false;
	}
	if (b->calls.fd >= 0)
		close(b->calls.fd);
	if (b->invites.fd >= 0)
		close(b->invites.fd);
	return b->calls.error ? -b->calls.error : -b->invites.error;
}
