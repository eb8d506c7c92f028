/* sofia.h: the one place that includes the SIP stack, with our types as its contexts. */
#ifndef BROKER_SOFIA_H
#define BROKER_SOFIA_H

struct broker;
struct call;

#define NTA_AGENT_MAGIC_T struct broker
/* A file whose legs or requests are no calls' says so before it includes anything. */
#ifndef NTA_LEG_MAGIC_T
#define NTA_LEG_MAGIC_T struct call
#endif
#ifndef NTA_OUTGOING_MAGIC_T
#define NTA_OUTGOING_MAGIC_T struct call
#endif
#define NTA_INCOMING_MAGIC_T struct call
#define SU_TIMER_ARG_T       struct broker
#define SU_WAKEUP_ARG_T      struct broker

#include <sofia-sip/auth_client.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_mclass.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/sresolv.h>
#include <sofia-sip/su_log.h>
#include <sofia-sip/su_tagarg.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>

#endif
