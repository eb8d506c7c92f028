/* nat.c: see nat.h. */
#include "broker/nat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

sip_contact_t *nat_contact(su_home_t *home, const sip_contact_t *contact, const char *host, uint16_t port)
{
    char text[72], number[8];
    if (!contact) return NULL;
    sip_contact_t *fixed = sip_contact_dup(home, contact);
    if (!fixed) return NULL;
    snprintf(text, sizeof text, strchr(host, ':') && *host != '[' ? "[%s]" : "%s", host);
    snprintf(number, sizeof number, "%u", port);
    fixed->m_next = NULL;
    fixed->m_url->url_host = su_strdup(home, text);
    fixed->m_url->url_port = su_strdup(home, number);
    return fixed;
}

static bool same_host(const char *host, const char *ip)
{
    size_t length = strlen(ip);
    if (!host) return false;
    return !strcasecmp(host, ip) || (*host == '[' && !strncasecmp(host + 1, ip, length) && host[length + 1] == ']');
}

const sip_contact_t *nat_contact_of_request(su_home_t *home, const sip_t *sip, const su_sockaddr_t *source, bool datagram)
{
    const sip_contact_t *contact = sip->sip_contact;
    char ip[64] = "";
    if (!contact || sip->sip_record_route) return contact;
    su_inet_ntop(source->su_family, SU_ADDR((su_sockaddr_t *)(uintptr_t)source), ip, sizeof ip);
    const char *port = contact->m_url->url_port;
    bool same_port = (port && *port ? atoi(port) : 5060) == ntohs(source->su_port);
    if (same_host(contact->m_url->url_host, ip) && (same_port || !datagram)) return contact;
    sip_contact_t *fixed = nat_contact(home, contact, ip, ntohs(source->su_port));
    return fixed ? fixed : contact;
}
