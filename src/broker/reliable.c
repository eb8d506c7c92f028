/* reliable.c: see reliable.h. */
#include "broker/reliable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/call.h"
#include "core/log.h"

enum reliable reliable_parse(const char *word)
{
    return !strcmp(word, "required") ? RELIABLE_REQUIRED : !strcmp(word, "supported") ? RELIABLE_SUPPORTED : RELIABLE_OFF;
}

/* --- early dialogs -------------------------------------------------------------------------------------------------- */

struct early_dialog *early_dialog_of(struct call *call, const sip_t *sip)
{
    struct early_dialogs *early = &call->early_dialogs;
    const char *tag = sip->sip_to ? sip->sip_to->a_tag : NULL;
    if (!tag || strlen(tag) >= BUS_TAG_MAX) return NULL;
    for (unsigned i = 0; i < early->count; i++)
        if (!strcasecmp(early->list[i].tag, tag)) return &early->list[i];
    struct early_dialog *grown = early->count < EARLY_DIALOGS_MAX ? realloc(early->list, (early->count + 1) * sizeof *grown) : NULL;
    if (!grown) return NULL;
    early->list = grown;
    struct early_dialog *one = &early->list[early->count++];
    *one = (struct early_dialog) { 0 };
    snprintf(one->tag, sizeof one->tag, "%s", tag);
    return one;
}

void early_dialog_changed(struct call *call, const char *tag, const struct slot_media *media)
{
    for (unsigned i = 0; tag && i < call->early_dialogs.count; i++)
        if (!strcasecmp(call->early_dialogs.list[i].tag, tag)) call->early_dialogs.list[i].media = *media;
}

void early_dialogs_free(struct call *call)
{
    free(call->early_dialogs.list);
    call->early_dialogs = (struct early_dialogs) { 0 };
}

/* --- PRACK ---------------------------------------------------------------------------------------------------------- */

static void prack_send(struct call *call, const sip_t *sip)
{
    char rack[64], url[BUS_URI_MAX];
    su_home_t home[1] = { SU_HOME_INIT(home) };
    su_home_init(home);
    sip_route_t *route = sip->sip_record_route ? sip_route_reverse(home, (sip_route_t *)sip->sip_record_route) : NULL;
    if (!sip->sip_contact || url_e(url, sizeof url, sip->sip_contact->m_url) < 0 || strlen(url) + 1 >= sizeof url)
        snprintf(url, sizeof url, "%s", call->target);
    snprintf(rack, sizeof rack, "%u %u INVITE", (unsigned)sip->sip_rseq->rs_response, (unsigned)sip->sip_cseq->cs_seq);
    call->local_cseq++;
    slot_mirror(call);
    /* The leg has no remote tag before the 200: the response's own makes this a request of its early dialog. */
    nta_outgoing_t *prack = nta_outgoing_tcreate(call->leg, NULL, NULL, NULL, SIP_METHOD_PRACK, URL_STRING_MAKE(url),
                                                 TPTAG_IDENT(call->listener->name), SIPTAG_TO(sip->sip_to),
                                                 TAG_IF(route, SIPTAG_ROUTE(route)), SIPTAG_RACK_STR(rack), TAG_END());
    if (prack)
        nta_outgoing_destroy(prack);
    else
        log_warning(call->channel_text, "PRACK could not be sent");
    su_home_deinit(home);
}

bool reliable_take(struct call *call, const sip_t *sip)
{
    if (!sip->sip_rseq || !sip->sip_cseq || !sip_has_feature(sip->sip_require, "100rel")) return true;
    struct early_dialog *one = early_dialog_of(call, sip);
    uint32_t rseq = (uint32_t)sip->sip_rseq->rs_response;
    if (!one || rseq == 0) return true;
    if (one->rseq && rseq != one->rseq + 1) return false;
    one->rseq = rseq;
    prack_send(call, sip);
    return true;
}

bool reliable_wanted(const struct call *call, const sip_t *invite)
{
    if (sip_has_feature(invite->sip_require, "100rel")) return true;
    return call->trunk && call->trunk->reliable != RELIABLE_OFF && sip_has_feature(invite->sip_supported, "100rel");
}
