/* What we ask of the far end inside a call: BYE, digits by INFO, re-INVITE, and the ACKs that belong to them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

/* Where a request of ours goes: the first route, else the far end's Contact, else where its INVITE came from. */
static struct peer destination(struct call *call)
{
	struct str host, uri = str_of(call->remote_target);
	struct peer p = call->peer;
	union net_addr addr;
	int port;

	if (p.conn >= 0 && call->carrier->conns[p.conn].fd >= 0 && call->carrier->conns[p.conn].gen == p.conn_gen)
		return p;
	if (call->route_set && call->route_set[0])
		uri = sip_uri(str_of(call->route_set + 7));
	if (sip_uri_host(uri, &host, &port) && net_addr_parse(host, port ? port : 5060, &addr) &&
	    addr.sa.sa_family == call->peer.addr.sa.sa_family)
		p.addr = addr;
	p.conn = -1;
	return p;
}

uint64_t uac_request(struct call *call, enum sip_method method, uint32_t cseq, const char *extra, const char *type, const char *body,
                     struct text *out, struct peer *to)
{
	struct carrier *c = call->carrier;
	uint64_t branch = ctxn_branch(c);
	const char *host, *name = sip_method_name(method);
	int port;

	*to = destination(call);
	host = net_host(c, to);
	port = c->listeners[to->listener].port;
	text_add(out, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s %s:%d;branch=z9hG4bKcc%016llx;rport\r\nMax-Forwards: 70\r\n", name, call->remote_target,
		 to->conn >= 0 ? "TCP" : "UDP", host, port, (unsigned long long)branch);
	text_add(out, "%sFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %u %s\r\n", call->route_set ? call->route_set : "", call->local_uri,
		 call->remote_uri, call->call_id, cseq, name);
	if (method != SIP_CANCEL)
		text_add(out, "Contact: <sip:%s@%s:%d%s>\r\n", call->placed && call->from_user ? call->from_user : "carrier", host, port,
			 to->conn >= 0 ? ";transport=tcp" : "");
	text_add(out, "User-Agent: carillon-carrier\r\n%s", extra ? extra : "");
	if (body)
		text_add(out, "Content-Type: %s\r\n", type);
	text_add(out, "Content-Length: %zu\r\n\r\n%s", body ? strlen(body) : 0, body ? body : "");
	return branch;
}

int uac_sdp(struct call *call, struct text *t, enum sdp_direction direction)
{
	const char *host;
	int port;

	if (call->media.sock < 0)
		return -ENOENT;
	media_address(call->carrier, &call->media, &host, &port);
	sdp_write(t, host, port, strchr(host, ':') != NULL, call->sdp_id, call->sdp_version, call->has_sdp ? &call->remote_sdp : NULL, direction);
	return 0;
}

static const char *end_of_ours(const struct call *call)
{
	return !call->placed && !call->ack_us ? "no-ack" : call->cancel_us && call->placed ? "cancel-crossed" : "bye-out";
}

static void bye_done(struct call *call, struct ctxn *t, const struct sip_message *m)
{
	(void)t;
	call->bye_status = m ? m->status : 0;
	call_end(call, m ? end_of_ours(call) : "bye-timeout");
}

void uac_bye(struct call *call)
{
	struct carrier *c = call->carrier;
	struct text request = {0};
	char reason[64] = "";
	struct peer to;
	uint64_t branch;

	timer_clear(&c->timers, &call->repeat);
	timer_clear(&c->timers, &call->press);
	timer_clear(&c->timers, &call->reinvite);
	timer_clear(&c->timers, &call->hangup);
	call->media.sends = false;
	call->state = CALL_BYE_SENT;
	call->bye_out_us = clock_utc_us();
	if (call->rule && call->rule->cause)
		snprintf(reason, sizeof reason, "Reason: Q.850;cause=%d\r\n", call->rule->cause);
	branch = uac_request(call, SIP_BYE, ++call->cseq_out, reason, NULL, NULL, &request, &to);
	ctxn_send(c, call, SIP_BYE, call->cseq_out, branch, &to, &request, bye_done);
	text_free(&request);
}

void uac_hangup_fire(void *owner)
{
	uac_bye(owner);
}

static void press_by_info(struct call *call, char digit)
{
	struct text request = {0};
	char body[64];
	struct peer to;
	uint64_t branch;
	bool relay = call->rule->how == PRESS_INFO_RELAY;

	snprintf(body, sizeof body, relay ? "Signal=%c\r\nDuration=100\r\n" : "%c\r\n", digit);
	branch = uac_request(call, SIP_INFO, ++call->cseq_out, NULL, relay ? "application/dtmf-relay" : "application/dtmf", body, &request, &to);
	ctxn_send(call->carrier, call, SIP_INFO, call->cseq_out, branch, &to, &request, NULL);
	text_free(&request);
	call_digit(call, false, digit, call->rule->how, 100, true, clock_utc_us());
}

void uac_press_fire(void *owner)
{
	struct call *call = owner;
	const struct rule *r = call->rule;
	const struct press *p = &r->press[call->pressed++], *next = p + 1;

	if (r->how == PRESS_INFO_RELAY || r->how == PRESS_INFO_DTMF)
		press_by_info(call, p->digit);
	else
		media_press(&call->media, p->digit);
	if (call->pressed == r->presses)
		return;
	if (next->first)
		call->press_base_us = range_draw(next->at, &call->draw);
	call_timer(call, &call->press, call->up_us + call->press_base_us + next->extra_us - clock_mono_us(), uac_press_fire);
}

void uac_repeat_ack(struct call *call)
{
	if (call->ack)
		net_send(call->carrier, &call->ack_peer, call->ack, call->ack_n);
}

void uac_ack(struct call *call, uint32_t cseq)
{
	struct text request = {0};

	uac_request(call, SIP_ACK, cseq, NULL, NULL, NULL, &request, &call->ack_peer);
	free(call->ack);
	call->ack = request.p;
	call->ack_n = request.n;
	call_mark(call, false, SIP_ACK, 0);
	uac_repeat_ack(call);
}

void uac_learn(struct call *call, const struct sip_message *m)
{
	struct str contact = sip_get(m, HDR_CONTACT);
	struct text routes = {0};

	if (!call->remote_tag || !call->remote_tag[0]) {
		free(call->remote_tag);
		free(call->remote_uri);
		call->remote_tag = str_copy(m->to_tag);
		call->remote_uri = str_copy(m->to);
		for (unsigned i = m->header_count; i-- > 0;)     /* a caller's route set is the reverse, one header a line */
			if (m->headers[i].id == HDR_RECORD_ROUTE)
				text_add(&routes, "Route: %.*s\r\n", (int)m->headers[i].value.n, m->headers[i].value.p);
		if (routes.p) {
			free(call->route_set);
			call->route_set = routes.p;
		}
	}
	if (contact.n) {
		free(call->remote_target);
		call->remote_target = str_copy(sip_uri(contact));
	}
}

static void reinvite_done(struct call *call, struct ctxn *t, const struct sip_message *m)
{
	struct sdp answer;

	if (!m) {
		uac_bye(call);
		return;
	}
	if (m->status >= 300)
		return;
	uac_ack(call, t->cseq);
	if (m->body.n && !sdp_parse(&answer, m->body)) {
		call->remote_sdp = answer;
		media_remote(call->carrier, &call->media, &answer);
	}
}

void uac_reinvite_fire(void *owner)
{
	struct call *call = owner;
	struct carrier *c = call->carrier;
	const struct rule *r = call->rule;
	const struct reinvite *ri = &r->reinvite[call->reinvited++];
	struct text request = {0}, sdp = {0};
	struct peer to;
	uint64_t branch;

	if (call->state != CALL_UP)
		return;
	if (call->reinvited < r->reinvites)
		call_timer(call, &call->reinvite, call->up_us + range_draw(ri[1].at, &call->draw) - clock_mono_us(), uac_reinvite_fire);
	if (call->invite_out && !call->invite_out->final)
		return;
	if (ri->what == REINVITE_PORT)
		media_move(c, &call->media);
	call->direction = ri->what == REINVITE_HOLD ? SDP_SENDONLY : SDP_SENDRECV;
	call->sdp_version++;
	if (uac_sdp(call, &sdp, call->direction) != 0)
		return;
	branch = uac_request(call, SIP_INVITE, ++call->cseq_out, NULL, "application/sdp", sdp.p, &request, &to);
	call->invite_out = ctxn_send(c, call, SIP_INVITE, call->cseq_out, branch, &to, &request, reinvite_done);
	text_free(&request);
	text_free(&sdp);
}
