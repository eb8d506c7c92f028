/* outside.c: see outside.h. */
#include "broker/outside.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "registrar/contact.h"

/* The contact without what is ours in it. */
static void request_uri(const struct location *location, char *out, size_t size)
{
    contact_url(location, out, size);
    char *ours = strstr(out, ";fs_nat=");
    if (ours) *ours = 0;
}

nta_outgoing_t *outside_send(struct broker *broker, const struct outside_request *request, outside_answered *answered, void *context)
{
    const struct location *l = request->to;
    struct listener *listener = listener_named(&broker->agent, l->profile);
    enum transport transport = transport_of(l->transport);
    char uri[768], route[160], from[256], to[256];
    struct uuid id = uuid_make_v4();
    char call_id[UUID_TEXT_SIZE];
    if (!listener || !listener->transports[transport]) return NULL;
    uuid_text(&id, call_id);
    request_uri(l, uri, sizeof uri);
    contact_route(l, route, sizeof route);
    snprintf(from, sizeof from, "<sip:%s@%s>", l->user, l->domain);
    snprintf(to, sizeof to, "<sip:%s@%s>", l->user, l->domain);
    nta_leg_t *leg = nta_leg_tcreate(broker->agent.nta, NULL, NULL, NTATAG_NO_DIALOG(1), SIPTAG_CALL_ID_STR(call_id), SIPTAG_FROM_STR(from),
                                     SIPTAG_TO_STR(to), TAG_END());
    if (!leg) return NULL;
    nta_leg_tag(leg, NULL);
    nta_outgoing_t *sent = nta_outgoing_tcreate(leg, (nta_response_f *)(void *)answered, context, URL_STRING_MAKE(route), request->method,
                                                request->method_name, URL_STRING_MAKE(uri), TPTAG_IDENT(listener->name),
                                                SIPTAG_CONTACT(listener->contact[transport]), SIPTAG_USER_AGENT(broker->agent.user_agent),
                                                TAG_IF(request->headers, SIPTAG_HEADER_STR(request->headers)),
                                                TAG_IF(request->body, SIPTAG_CONTENT_TYPE_STR(request->content_type)),
                                                TAG_IF(request->body, SIPTAG_PAYLOAD_STR(request->body)), TAG_END());
    nta_leg_destroy(leg);
    if (!sent) log_warning(NULL, "%s to %s@%s could not be sent", request->method_name, l->user, l->domain);
    if (sent && !answered) {
        nta_outgoing_destroy(sent);
        return NULL;
    }
    return sent;
}
