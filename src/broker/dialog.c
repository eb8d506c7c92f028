/* dialog.c: see dialog.h. */
#include "broker/dialog.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "broker/body.h"
#include "broker/nat.h"
#include "broker/registrar.h"
#include "core/log.h"

static void url_text(const url_t *url, char *out, size_t size)
{
    out[0] = 0;
    if (url_e(out, (isize_t)size, url) < 0 || strnlen(out, size) >= size) out[0] = 0;
}

void dialog_copy_route(struct call *call)
{
    sip_route_t const *route = NULL;
    sip_contact_t const *target = NULL;
    size_t n = 0;
    call->route[0] = 0;
    if (nta_leg_get_route(call->leg, &route, &target) < 0) return;
    for (sip_route_t const *r = route; r; r = r->r_next) {
        char url[BUS_URI_MAX];
        url_text(r->r_url, url, sizeof url);
        int wrote = snprintf(call->route + n, sizeof call->route - n, "%s<%s>", n ? ", " : "", url);
        if (wrote < 0 || n + (size_t)wrote >= sizeof call->route) {
            log_warning(call->channel_text, "the route set is too long to be adopted by another broker");
            call->route[0] = 0;
            break;
        }
        n += (size_t)wrote;
    }
    if (target) url_text(target->m_url, call->target, sizeof call->target);
}

void dialog_establish(struct call *call, const sip_t *sip)
{
    if (sip->sip_to && sip->sip_to->a_tag) {
        nta_leg_rtag(call->leg, sip->sip_to->a_tag);
        snprintf(call->remote_tag, sizeof call->remote_tag, "%s", sip->sip_to->a_tag);
    }
    su_home_t home[1] = { SU_HOME_INIT(home) };
    su_home_init(home);
    const sip_contact_t *contact = sip->sip_contact;
    char host[64];
    uint16_t port;
    if (*call->next_hop && !sip->sip_record_route && registrar_uri_target(call->next_hop, host, sizeof host, &port))
        contact = nat_contact(home, contact, host, port ? port : 5060);
    nta_leg_client_route(call->leg, sip->sip_record_route, contact);
    su_home_deinit(home);
    dialog_copy_route(call);
}

const char *dialog_sdp(const sip_t *sip, size_t *length)
{
    const sip_payload_t *body = sip ? sip->sip_payload : NULL;
    if (!body || !body->pl_data || body->pl_len == 0) return NULL;
    char type[256] = "";
    issize_t n = sip->sip_content_type ? sip_header_field_e(type, sizeof type, (sip_header_t const *)sip->sip_content_type, 0) : 0;
    if (n < 0 || (size_t)n >= sizeof type) return NULL;
    return body_sdp(n ? type : NULL, body->pl_data, body->pl_len, length);
}

void ack_send(struct call *call, uint32_t cseq)
{
    char text[24];
    snprintf(text, sizeof text, "%u ACK", cseq);
    nta_outgoing_t *ack = nta_outgoing_tcreate(call->leg, NULL, NULL, NULL, SIP_METHOD_ACK, NULL, SIPTAG_CSEQ_STR(text),
                                               TPTAG_IDENT(call->listener->name), TAG_END());
    if (ack)
        nta_outgoing_destroy(ack);
    else
        log_err(call->channel_text, "ACK could not be sent");
}

void ack_refusal_send(struct call *call, const sip_t *sip)
{
    char text[24];
    if (!sip->sip_via || !sip->sip_via->v_branch || !sip->sip_cseq) return;
    snprintf(text, sizeof text, "%u ACK", sip->sip_cseq->cs_seq);
    nta_outgoing_t *ack = nta_outgoing_tcreate(call->leg, NULL, NULL, call->trunk ? URL_STRING_MAKE(call->trunk->route) : NULL,
                                               SIP_METHOD_ACK, URL_STRING_MAKE(call->target), NTATAG_BRANCH_KEY(sip->sip_via->v_branch),
                                               NTATAG_ACK_BRANCH(sip->sip_via->v_branch), SIPTAG_CSEQ_STR(text), SIPTAG_TO(sip->sip_to),
                                               TPTAG_IDENT(call->listener->name), TAG_END());
    if (ack) nta_outgoing_destroy(ack);
}
