/* config_schema.c: every key of the configuration, in the order of docs/configuration.md, which is written from here by
 * `carillon check --document`. A key that is not here does not exist; a key that is here is read by somebody. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_tree.h"
#include "core/log.h"

static const char *form_name(const char *text)
{
    static const char allowed[] = "letters, digits, '-' and '_' (1 to 32)";
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    return n > 0 && n <= 32 && text[n] == 0 ? NULL : allowed;
}

static const char *form_digits(const char *text)
{
    size_t n = strspn(text, "0123456789");
    return n > 0 && n <= 15 && text[n] == 0 ? NULL : "digits only (1 to 15), as in E.164, without '+'";
}

static const char *form_time(const char *text)
{
    unsigned h, m;
    int used = 0;
    bool valid = sscanf(text, "%2u:%2u%n", &h, &m, &used) == 2 && text[used] == 0 && m <= 59 && h * 60 + m <= 1440;
    return valid ? NULL : "a time of day, as \"08:00\"";
}

static const char *form_caller_id(const char *text)
{
    size_t n = strlen(text), digits = strspn(text + (*text == '+'), "0123456789");
    bool number = digits > 0 && digits <= 20 && text[digits + (*text == '+')] == 0;
    return number || (n > 0 && strcmp(text, "anonymous") == 0) ? NULL : "a number of 1 to 20 digits with or without '+', or \"anonymous\"";
}

static bool is_ip(const char *text)
{
    struct in6_addr address;
    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static const char *form_ip(const char *text) { return is_ip(text) ? NULL : "an IP address, as \"192.0.2.1\" or \"2001:db8::1\""; }

static const char *form_source(const char *text)
{
    char address[64];
    const char *slash = strchr(text, '/');
    size_t length = slash == NULL ? strlen(text) : (size_t)(slash - text);
    static const char allowed[] = "an IP address or a network, as \"192.0.2.0/24\"";
    if (length == 0 || length >= sizeof address) return allowed;
    memcpy(address, text, length);
    address[length] = 0;
    if (!is_ip(address)) return allowed;
    if (slash == NULL) return NULL;
    char *end;
    long bits = strtol(slash + 1, &end, 10);
    return isdigit((unsigned char)slash[1]) && *end == 0 && bits >= 0 && bits <= (strchr(address, ':') ? 128 : 32) ? NULL : allowed;
}

static const char *form_host_port(const char *text)
{
    static const char allowed[] = "host or host:port, as \"sip.example.com\", \"192.0.2.1:5060\" or \"[2001:db8::1]:5060\"";
    const char *port = NULL;
    if (*text == '[') {
        const char *end = strchr(text, ']');
        char address[64];
        if (end == NULL || (size_t)(end - text) > sizeof address || (end[1] != 0 && end[1] != ':')) return allowed;
        memcpy(address, text + 1, (size_t)(end - text - 1));
        address[end - text - 1] = 0;
        if (!is_ip(address)) return allowed;
        port = end[1] == ':' ? end + 2 : NULL;
    } else {
        size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_");
        if (n == 0 || n > 200 || (text[n] != 0 && text[n] != ':')) return allowed;
        port = text[n] == ':' ? text + n + 1 : NULL;
    }
    if (port == NULL) return NULL;
    size_t digits = strspn(port, "0123456789");
    return digits > 0 && digits <= 5 && port[digits] == 0 && atoi(port) >= 1 && atoi(port) <= 65535 ? NULL : allowed;
}

static const char *form_database(const char *text)
{
    bool ok = strcmp(text, "sqlite") == 0 || strncmp(text, "sqlite://", 9) == 0 || strncmp(text, "postgresql://", 13) == 0 ||
              strncmp(text, "postgres://", 11) == 0;
    return ok ? NULL : "\"sqlite\", \"sqlite:///absolute/path.db\" or \"postgresql://user:password@host/database\"";
}

static const char *form_levels(const char *text)
{
    static const char allowed[] = "a level (alert crit err warning notice info debug), or \"info,broker=debug,media=warning\"";
    char copy[256];
    if (strlen(text) >= sizeof copy) return allowed;
    strcpy(copy, text);
    char *rest = copy, *part;
    while ((part = strsep(&rest, ",")) != NULL) {
        char *equal = strchr(part, '=');
        if (log_level_parse(equal != NULL ? equal + 1 : part) < 0) return allowed;
    }
    return NULL;
}

static const char *form_user(const char *text)
{
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()&=+$,");
    return text[n] == 0 ? NULL : "the user part of a SIP address, as \"account7\"";
}

static const char *form_header(const char *text)
{
    for (const char *p = text; *p != 0; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f) return "text without line breaks and control characters";
    return NULL;
}

#define CODECS "PCMU|PCMA|G722|opus|L16|G729|GSM"

const struct schema_row schema_rows[] = {
    { "name", SCHEMA_TEXT, "carillon", 0, 0, NULL, form_name,
      .help = "This engine's name: of its shared segment (/dev/shm/carillon-NAME), in its logs and in its ledger rows." },
    { "data_dir", SCHEMA_PATH, "data", 0, 0, NULL, NULL, .help = "Where the ledger (SQLite), the spool and recordings lie." },
    { "run_dir", SCHEMA_PATH, "run", 0, 0, NULL, NULL,
      .help = "Where the operators' socket `control.sock` lies (0660: whoever may write to it may do everything)." },
    { "user", SCHEMA_TEXT, NULL, 0, 0, NULL, form_name,
      .help =
          "An engine that root starts becomes this user's, and keeps only what media threads (CAP_SYS_NICE) and ports below 1024 need." },
    { "database", SCHEMA_TEXT, "sqlite", 1, 1000, NULL, form_database,
      .help = "The ledger: `sqlite` is `data_dir/ledger.db`; PostgreSQL as a URL." },
    { "workers", SCHEMA_INT, "auto", 1, 64, "auto", NULL,
      .help = "Worker processes, each pinned to a core. `auto`: one per usable core but one, at least one." },
    { "slots", SCHEMA_INT, "4000", 1, 65536, NULL, NULL,
      .help =
          "SIP calls that the whole engine can hold at a time, shared out evenly to the workers. Each has an RTP port pair of its own." },

    { "trace", SCHEMA_TEXT, "calls", 0, 0, "off|calls|all", NULL,
      .help =
          "The SIP messages kept in memory for `carillon trace`: those of calls, all (OPTIONS, REGISTER and strangers, too), or none." },
    { "trace_mb", SCHEMA_INT, "16", 1, 4096, NULL, NULL,
      .help = "The memory for them (/dev/shm/carillon_trace-NAME; the next smaller power of two): the newest overwrite the oldest." },

    { "numbers", SCHEMA_TABLE, .help = "What may be called." },
    { "numbers.default_country", SCHEMA_TEXT, NULL, 1, 4, NULL, form_digits,
      .help = "Country code put before numbers that are written the national way, at import." },
    { "numbers.countries", SCHEMA_LIST, NULL, 1, 500, NULL, NULL, .required = true, .live = true,
      .help = "E.164 prefixes that may be called; nothing else is." },
    { "numbers.countries.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_digits, .help = "A prefix, such as `1` or `4930`." },
    { "numbers.emergency", SCHEMA_LIST, "112,911,999", 0, 500, NULL, NULL, .live = true, .help = "Never called, whoever asks." },
    { "numbers.emergency.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_digits, .help = "A number as it would be dialled." },

    { "numbers.own", SCHEMA_LIST, NULL, 0, 10000, NULL, NULL, .live = true,
      .help = "Your own numbers: never called, so that no campaign fills your own lines." },
    { "numbers.own.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_digits, .help = "A number in E.164 digits." },
    { "numbers.do_not_call", SCHEMA_LIST, NULL, 0, 32, NULL, NULL, .live = true,
      .help = "Files of numbers that are never called, one a line; read again when they change. The ledger's table `do_not_call` counts "
              "too (`carillon dnc`)." },
    { "numbers.do_not_call.*", SCHEMA_PATH, NULL, 0, 0, NULL, NULL, .help = "A file." },
    { "numbers.attempts_per_day", SCHEMA_INT, "0", 0, 32, NULL, NULL,
      .help = "How often one number may be called within any 24 hours, by whatever script or campaign. 0 = as often as asked." },
    { "numbers.window", SCHEMA_TABLE, .optional_table = true, .live = true,
      .help = "Hours in which people may be called, whoever asks, by the clock of their zone (the lead's, or else the number's; a number "
              "of no known zone may always be called). Campaigns have windows of their own besides." },
    { "numbers.window.from", SCHEMA_TEXT, "08:00", 0, 0, NULL, form_time, .live = true, .help = "From." },
    { "numbers.window.to", SCHEMA_TEXT, "21:00", 0, 0, NULL, form_time, .live = true, .help = "To." },
    { "limits", SCHEMA_TABLE, .help = "Caps of the whole engine." },
    { "limits.concurrent", SCHEMA_INT, "3000", 1, 65536, NULL, NULL, .live = true, .help = "Calls at a time." },
    { "limits.cps", SCHEMA_NUM, "1000", 0.1, 10000, NULL, NULL, .live = true, .help = "INVITEs per second over all trunks." },
    { "limits.inbound_cps", SCHEMA_NUM, "0", 0, 10000, NULL, NULL,
      .help = "New inbound calls per second; what is more gets 503 with Retry-After. 0 = no limit." },
    { "limits.max_call_s", SCHEMA_INT, "3600", 1, 86400, NULL, NULL, .live = true,
      .help = "Longest duration of a call, in seconds; then it is hung up." },
    { "limits.max_price", SCHEMA_NUM, "0", 0, 1000000, NULL, NULL, .live = true,
      .help = "Highest price per minute; dearer numbers, and those without a price in the trunk's `rates`, are not called. 0 = any." },
    { "limits.spend_per_day", SCHEMA_NUM, "0", 0, 1e12, NULL, NULL, .live = true,
      .help = "When the calls of a day (UTC) cost this much by the trunks' `rates`, no new ones begin until midnight. 0 = no such limit." },
    { "limits.drain_s", SCHEMA_INT, "600", 0, 86400, NULL, NULL, .live = true,
      .help = "On SIGTERM no new calls begin, and the running ones may go on for this many seconds." },

    { "sip", SCHEMA_TABLE, .help = "Signalling." },
    { "sip.user_agent", SCHEMA_TEXT, "Carillon", 1, 100, NULL, form_header, .help = "The User-Agent header." },
    { "sip.uri_hosts", SCHEMA_LIST, NULL, 0, 100, NULL, NULL, .live = true,
      .help =
          "Hosts that may be called by plain SIP URI (`sofia/external/user@host`), beside the engine's own listeners; nothing else is." },
    { "sip.uri_hosts.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_host_port, .help = "A host, as it stands in the URI." },
    { "sip.source_cps", SCHEMA_NUM, "20", 0, 10000, NULL, NULL,
      .help = "New calls per second from one address that is no trunk's; what is more gets 503. 0 = no limit." },
    { "sip.nameservers", SCHEMA_LIST, NULL, 0, 6, NULL, NULL,
      .help = "DNS servers, all with the same port; without them those of /etc/resolv.conf. Carriers by name are found by NAPTR, SRV and A "
              "or AAAA records (RFC 3263); answers are kept for their TTL." },
    { "sip.nameservers.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_host_port, .help = "An address, or address:port." },
    { "sip.listen", SCHEMA_LIST, NULL, 1, 16, NULL, NULL, .required = true,
      .help = "Where SIP is received and sent from; FreeSWITCH calls these profiles." },
    { "sip.listen.*", SCHEMA_TABLE, .help = "A listener." },
    { "sip.listen.*.name", SCHEMA_TEXT, NULL, 0, 0, NULL, form_name, .required = true,
      .help = "Its name, as in `sofia/NAME/number@host`." },
    { "sip.listen.*.address", SCHEMA_TEXT, NULL, 0, 0, NULL, form_ip, .required = true, .help = "The local address." },
    { "sip.listen.*.port", SCHEMA_INT, "5060", 0, 65535, NULL, NULL, .help = "The local port; 0 = any free one." },
    { "sip.listen.*.transports", SCHEMA_LIST, "udp,tcp", 1, 3, NULL, NULL, .help = "Transports. With `tls` give `tls_folder`." },
    { "sip.listen.*.transports.*", SCHEMA_TEXT, NULL, 0, 0, "udp|tcp|tls", NULL, .help = "A transport." },
    { "sip.listen.*.tls_port", SCHEMA_INT, "5061", 0, 65535, NULL, NULL, .help = "The local port of TLS; 0 = any free one." },
    { "sip.listen.*.tls_folder", SCHEMA_PATH, NULL, 0, 0, NULL, NULL,
      .help = "Certificates, as FreeSWITCH lays them out: `agent.pem` (this listener's certificate and private key) and `cafile.pem` (the "
              "authorities that are trusted)." },
    { "sip.listen.*.tls_verify_callers", SCHEMA_BOOL, "false", 0, 0, NULL, NULL,
      .help = "Whoever connects by TLS must show a certificate of a trusted authority. Whom we call always must, and for the name that we "
              "call." },
    { "sip.listen.*.external", SCHEMA_TEXT, NULL, 0, 0, NULL, form_ip,
      .help = "The address to write into Contact and Via where it differs from `address` (behind a static NAT)." },
    { "sip.listen.*.context", SCHEMA_TEXT, NULL, 0, 0, NULL, form_name,
      .help =
          "Dialplan context for inbound calls of nobody's trunk. Without it (and without `script`) they are dropped without an answer." },
    { "sip.listen.*.script", SCHEMA_TEXT, NULL, 1, 1000, NULL, NULL,
      .help = "Script for inbound calls of nobody's trunk, instead of `context`." },
    { "sip.listen.*.accept", SCHEMA_TEXT, NULL, 0, 0, "trunks|any", NULL,
      .help = "Whose inbound calls are taken: trunks' alone, or anybody's (the default where `script` or `context` is given and `users` is "
              "not)." },

    { "sip.listen.*.users", SCHEMA_TABLE, .optional_table = true,
      .help = "Telephones of the XML directory's users register here and call from here (docs/users.md). Then calls of nobody's trunk are "
              "asked for a user's password, unless `accept` is `any`." },
    { "sip.listen.*.users.domain", SCHEMA_TEXT, NULL, 0, 0, NULL, form_host_port,
      .help =
          "The directory's domain that all of them belong to, whatever their telephones write; without it the domain in their requests." },
    { "sip.listen.*.users.algorithms", SCHEMA_LIST, "MD5", 1, 2, NULL, NULL,
      .help = "Digest algorithms asked for, the preferred one first. Old telephones know MD5 only, and users with an `a1-hash` need it." },
    { "sip.listen.*.users.algorithms.*", SCHEMA_TEXT, NULL, 0, 0, "MD5|SHA-256", NULL, .help = "An algorithm." },
    { "sip.listen.*.users.expires_min_s", SCHEMA_INT, "60", 1, 86400, NULL, NULL,
      .help = "Shortest registration; a shorter one is answered 423." },
    { "sip.listen.*.users.expires_max_s", SCHEMA_INT, "3600", 1, 86400, NULL, NULL,
      .help = "Longest registration; a longer one is shortened." },
    { "sip.listen.*.users.contacts", SCHEMA_INT, "10", 1, 100, NULL, NULL,
      .help = "Telephones of one user; one more takes the place of the one that expires first. The user's "
              "`max-registrations-per-extension` counts more." },
    { "sip.listen.*.users.ping_s", SCHEMA_INT, "30", 0, 3600, NULL, NULL,
      .help = "Each telephone is asked by OPTIONS this often whether it is there, and forgotten after three silences; 0 = never." },
    { "sip.listen.*.users.nonce_s", SCHEMA_INT, "3660", 1, 86400, NULL, NULL, .help = "How long a telephone may use a challenge." },
    { "sip.listen.*.users.requests_per_s", SCHEMA_NUM, "100", 1, 100000, NULL, NULL,
      .help = "Requests outside of calls that one address may send, with a burst of four seconds (of several listeners the highest number "
              "holds); more are dropped and counted." },
    { "sip.registrations", SCHEMA_INT, "10000", 1, 200000, NULL, NULL,
      .help = "Registered telephones of all listeners together; more are answered 503." },

    { "media", SCHEMA_TABLE, .help = "RTP." },
    { "media.addresses", SCHEMA_LIST, NULL, 1, 16, NULL, NULL, .required = true,
      .help = "Local addresses for RTP, IPv4 and IPv6; calls are spread over those that suit their trunk." },
    { "media.addresses.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_ip, .help = "An address." },
    { "media.external", SCHEMA_LIST, NULL, 0, 16, NULL, NULL,
      .help = "The addresses to write into SDP where they differ (behind a static NAT): one for each of `addresses`, in the same order." },
    { "media.external.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_ip, .help = "What is advertised for the address at the same place." },
    { "media.port_first", SCHEMA_INT, "16384", 1024, 65534, NULL, NULL,
      .help = "First RTP port, even. Best outside the kernel's ephemeral range (/proc/sys/net/ipv4/ip_local_port_range)." },
    { "media.port_last", SCHEMA_INT, "32767", 1025, 65535, NULL, NULL, .help = "Last port (RTCP of the last pair), odd." },
    { "media.rtp_timeout_s", SCHEMA_INT, "300", 0, 86400, NULL, NULL,
      .help = "An answered call that hears nothing for this long is hung up with MEDIA_TIMEOUT; 0 = never." },
    { "media.rtp_hold_timeout_s", SCHEMA_INT, "1800", 0, 86400, NULL, NULL,
      .help = "The same for a call on hold; 0 = never. A call's own: the variables `rtp_timeout_sec`, `rtp_hold_timeout_sec` (or "
              "`media_timeout`, `media_hold_timeout` in ms)." },
    { "media.budget_percent", SCHEMA_INT, "85", 1, 100, NULL, NULL,
      .help = "A worker whose media thread needs more than this of its core takes no new calls until it needs clearly less; those in "
              "progress go on." },
    { "media.realtime", SCHEMA_BOOL, "true", 0, 0, NULL, NULL,
      .help = "Media threads raise themselves to SCHED_FIFO where they may (CAP_SYS_NICE, RLIMIT_RTPRIO)." },

    { "trunks", SCHEMA_MAP, NULL, 0, 10000, NULL, NULL,
      .help = "Carriers to call through, and to be called from; FreeSWITCH calls these gateways." },
    { "trunks.*", SCHEMA_TABLE, .help = "A trunk; its name is what campaigns and `sofia/gateway/NAME/number` say." },
    { "trunks.*.address", SCHEMA_TEXT, NULL, 0, 0, NULL, form_host_port, .required = true, .help = "The carrier's address: host[:port]." },
    { "trunks.*.transport", SCHEMA_TEXT, "udp", 0, 0, "auto|udp|tcp|tls", NULL,
      .help = "How to reach it; `auto`: as its NAPTR records say, else UDP. A message too large for UDP goes by TCP where the listener has "
              "it." },
    { "trunks.*.proxy", SCHEMA_TEXT, NULL, 0, 0, NULL, form_host_port,
      .help = "Outbound proxy: requests go there with a Route header, and name `address` or `domain`." },
    { "trunks.*.listen", SCHEMA_TEXT, NULL, 0, 0, NULL, form_name,
      .help = "Name of the listener to send from; the first one unless given." },
    { "trunks.*.sources", SCHEMA_LIST, NULL, 0, 100, NULL, NULL, .help = "Further addresses that its inbound calls come from." },
    { "trunks.*.sources.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_source, .help = "An address or a network." },
    { "trunks.*.user", SCHEMA_TEXT, NULL, 1, 200, NULL, form_header, .help = "Digest user, for 401 and 407." },
    { "trunks.*.password", SCHEMA_TEXT, NULL, 1, 200, NULL, NULL,
      .help = "Digest password; better `env(\"ACME_PASSWORD\")` than in the file." },
    { "trunks.*.realm", SCHEMA_TEXT, NULL, 1, 200, NULL, form_header, .help = "Answers challenges of this realm only." },
    { "trunks.*.domain", SCHEMA_TEXT, NULL, 0, 0, NULL, form_host_port,
      .help = "Host part of From, To and request URI where it is not `address`." },
    { "trunks.*.codecs", SCHEMA_LIST, "PCMU,PCMA", 1, 8, NULL, NULL, .live = true, .help = "Codecs offered and accepted, in order." },
    { "trunks.*.codecs.*", SCHEMA_TEXT, NULL, 0, 0, CODECS, NULL, .help = "A codec." },
    { "trunks.*.comfort_noise", SCHEMA_BOOL, "false", 0, 0, NULL, NULL, .live = true,
      .help = "Comfort noise (RFC 3389) is offered, and where it is agreed our silence is not sent but described." },
    { "trunks.*.srtp", SCHEMA_TEXT, "off", 0, 0, "off|optional|mandatory", NULL, .live = true,
      .help = "Encrypted audio with keys in the SDP (SDES): offered and taken, or insisted on. `rtp_secure_media` of a call counts more." },
    { "trunks.*.caller_id", SCHEMA_TEXT, NULL, 0, 0, NULL, form_caller_id, .live = true,
      .help = "Caller's number where a call brings none." },
    { "trunks.*.caller_name", SCHEMA_TEXT, NULL, 1, 100, NULL, form_header, .live = true,
      .help = "Caller's name where a call brings none." },
    { "trunks.*.identity", SCHEMA_TEXT, "none", 0, 0, "none|pai|rpid|both", NULL,
      .help = "Where the caller stands beside From: P-Asserted-Identity, Remote-Party-ID. A call's `sip_cid_type` counts more." },
    { "trunks.*.from_user", SCHEMA_TEXT, NULL, 1, 63, NULL, form_user,
      .help = "User part of From for carriers that want the account there; `identity` then tells the caller." },
    { "trunks.*.diversion", SCHEMA_TEXT, NULL, 0, 0, NULL, form_caller_id,
      .help = "Number for a Diversion header, for carriers that charge by it." },
    { "trunks.*.register", SCHEMA_TABLE, .optional_table = true,
      .help = "Registers with the carrier (`user` and `password` are the account); until it is, no calls go out by the trunk." },
    { "trunks.*.register.expires_s", SCHEMA_INT, "600", 10, 86400, NULL, NULL,
      .help = "For how long it asks; refreshed before the end of what was granted." },
    { "trunks.*.register.retry_s", SCHEMA_INT, "30", 1, 600, NULL, NULL,
      .help = "Wait after a failure; doubled with each, up to ten minutes." },
    { "trunks.*.register.registrars", SCHEMA_LIST, NULL, 0, 4, NULL, NULL,
      .help = "Where to register, each tried when the one before it fails; `proxy` or `address` unless given." },
    { "trunks.*.register.registrars.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_host_port, .help = "A host, or host:port." },
    { "trunks.*.ping_s", SCHEMA_INT, "0", 0, 3600, NULL, NULL, .help = "Seconds between OPTIONS to the carrier; 0 = none." },
    { "trunks.*.ping_failures", SCHEMA_INT, "3", 1, 100, NULL, NULL,
      .help = "So many unanswered in a row, and the trunk is down until one is answered." },
    { "trunks.*.cps", SCHEMA_NUM, "10", 0.1, 10000, NULL, NULL, .live = true,
      .help = "INVITEs per second, spaced evenly (those with credentials and failovers count too)." },
    { "trunks.*.concurrent", SCHEMA_INT, "100", 1, 65536, NULL, NULL, .live = true, .help = "Calls at a time." },
    { "trunks.*.ring_timeout_s", SCHEMA_INT, "60", 5, 600, NULL, NULL, .live = true, .help = "Longest ringing where a call says nothing." },
    { "trunks.*.headers", SCHEMA_MAP, NULL, 0, 50, NULL, NULL, .help = "Headers added to each INVITE." },
    { "trunks.*.headers.*", SCHEMA_TEXT, NULL, 0, 1000, NULL, form_header, .live = true, .help = "Value of the header of that name." },
    { "trunks.*.prefix", SCHEMA_TABLE, .help = "Rewriting of the number on its way to the carrier." },
    { "trunks.*.prefix.strip", SCHEMA_TEXT, "", 0, 20, NULL, NULL, .live = true,
      .help = "Taken off the number's begin if it stands there." },
    { "trunks.*.prefix.add", SCHEMA_TEXT, "", 0, 20, NULL, NULL, .live = true, .help = "Put before the number." },
    { "trunks.*.rates", SCHEMA_PATH, NULL, 0, 0, NULL, NULL, .live = true,
      .help =
          "What its calls cost: a file with a line per E.164 prefix: prefix, price per minute[, setup[, first seconds[, step seconds]]]." },
    { "trunks.*.failover", SCHEMA_LIST, NULL, 0, 10, NULL, NULL, .help = "Trunks tried next on 5xx, timeout and 503, in order." },
    { "trunks.*.failover.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_name, .help = "A trunk's name." },
    { "trunks.*.quality", SCHEMA_TABLE, .optional_table = true,
      .help = "When it counts as doing badly: calls then try other trunks of their list or group first." },
    { "trunks.*.quality.window_s", SCHEMA_INT, "300", 10, 86400, NULL, NULL, .live = true,
      .help = "Judged by the calls of the last so many seconds." },
    { "trunks.*.quality.calls_min", SCHEMA_INT, "20", 1, 100000, NULL, NULL, .live = true,
      .help = "Not judged with fewer calls than this in the window." },
    { "trunks.*.quality.asr_min", SCHEMA_NUM, "0", 0, 1, NULL, NULL, .live = true,
      .help = "At least this part of them must be answered; 0 = no matter." },
    { "trunks.*.quality.failure_max", SCHEMA_NUM, "0.5", 0, 1, NULL, NULL, .live = true,
      .help = "At most this part may fail by the trunk's doing (5xx, silence); 0 = no matter." },
    { "trunks.*.quality.pdd_max_ms", SCHEMA_INT, "0", 0, 60000, NULL, NULL, .live = true,
      .help = "At most this long, in the mean, until it rings; 0 = no matter." },
    { "trunks.*.early", SCHEMA_TEXT, "ignore", 0, 0, "ignore|listen|answer", NULL, .live = true,
      .help = "What early media (183) is for calls that do not say." },
    { "trunks.*.session_timer_s", SCHEMA_INT, "0", 0, 86400, NULL, NULL, .live = true,
      .help = "Session timer (RFC 4028) to ask for, at least 90 s; 0 = none, but the carrier's is heeded." },
    { "trunks.*.reliable", SCHEMA_TEXT, "off", 0, 0, "off|supported|required", NULL, .live = true,
      .help = "Provisional responses with PRACK (RFC 3262): offered, or insisted on. A caller that insists gets them anyway." },
    { "trunks.*.redirect", SCHEMA_TEXT, "refuse", 0, 0, "refuse|follow", NULL, .live = true,
      .help = "What a 3xx is: the call's end, or followed to the carrier's own host and to `sip.uri_hosts`, with a permit for the new "
              "number." },
    { "trunks.*.refer_context", SCHEMA_TEXT, NULL, 0, 0, NULL, form_name, .live = true,
      .help = "Dialplan context in which a transfer runs that the far end asks for (REFER), for the call's partner; without it such are "
              "refused." },
    { "trunks.*.media", SCHEMA_LIST, NULL, 0, 16, NULL, NULL,
      .help = "Which of `media.addresses` its calls use; without it those of the family (IPv4, IPv6) of its listener." },
    { "trunks.*.media.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_ip, .help = "An address." },
    { "trunks.*.nat", SCHEMA_BOOL, "false", 0, 0, NULL, NULL, .live = true, .help = "RTP may come from another address than the SDP's." },
    { "trunks.*.inbound", SCHEMA_TABLE, .optional_table = true, .help = "What its inbound calls run; without this they are refused." },
    { "trunks.*.inbound.script", SCHEMA_TEXT, NULL, 1, 1000, NULL, NULL, .help = "A script, looked up in `scripts.dir`." },
    { "trunks.*.inbound.context", SCHEMA_TEXT, NULL, 0, 0, NULL, form_name, .help = "Or a dialplan context of `freeswitch_dir`." },

    { "trunk_groups", SCHEMA_MAP, NULL, 0, 1000, NULL, NULL,
      .help = "Several trunks under one name, which stands wherever a trunk's may." },
    { "trunk_groups.*", SCHEMA_TABLE, .help = "A group." },
    { "trunk_groups.*.trunks", SCHEMA_LIST, NULL, 1, 32, NULL, NULL, .required = true, .help = "Its trunks." },
    { "trunk_groups.*.trunks.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_name, .help = "A trunk's name." },
    { "trunk_groups.*.choose", SCHEMA_TEXT, "order", 0, 0, "order|weight|cost", NULL,
      .help = "Which is tried first: the first listed, by lot with weights, or the cheapest for the number by `rates`." },
    { "trunk_groups.*.weights", SCHEMA_MAP, NULL, 0, 32, NULL, NULL, .help = "Weights by trunk's name, for `weight`." },
    { "trunk_groups.*.weights.*", SCHEMA_INT, "1", 1, 1000, NULL, NULL, .help = "How often it is drawn beside the others' 1." },

    { "scripts", SCHEMA_TABLE, .help = "Lua scripts." },
    { "scripts.dir", SCHEMA_PATH, "scripts", 0, 0, NULL, NULL, .help = "Where scripts without an absolute path are looked up." },
    { "scripts.budget_ms", SCHEMA_INT, "10000", 10, 3600000, NULL, NULL,
      .help = "CPU time that a script may use between two waits before it is ended." },
    { "scripts.memory_mb", SCHEMA_INT, "64", 1, 4096, NULL, NULL, .help = "Memory that one script may hold." },
    { "scripts.isolated", SCHEMA_INT, "200", 0, 4096, NULL, NULL,
      .help = "Scripts of one worker that may run isolated at a time, each on a thread of its own: those with C modules, the FFI or the "
              "JIT (docs/lua-api.md)." },
    { "scripts.database_connections", SCHEMA_INT, "0", 0, 10000, NULL, NULL,
      .help = "Database connections that one worker's scripts share; 0 = as many as suit the number of cores." },
    { "campaigns_dir", SCHEMA_PATH, "campaigns", 0, 0, NULL, NULL, .help = "Where `carillon campaign run NAME` finds NAME.lua." },
    { "sounds_dir", SCHEMA_PATH, "sounds", 0, 0, NULL, NULL, .help = "Where sound files without an absolute path are looked up." },
    { "freeswitch_dir", SCHEMA_PATH, "freeswitch", 0, 0, NULL, NULL,
      .help = "Dialplan, directory and phrases in FreeSWITCH's XML; may be absent." },
    { "globals", SCHEMA_MAP, NULL, 0, 1000, NULL, NULL, .help = "Global variables, as `freeswitch.getGlobalVariable` reads them." },
    { "globals.*", SCHEMA_TEXT, NULL, 0, 10000, NULL, NULL, .help = "Value of the variable of that name." },

    { "event_socket", SCHEMA_TABLE, .help = "FreeSWITCH's event socket, for programs that watch and steer the engine." },
    { "event_socket.address", SCHEMA_TEXT, "127.0.0.1", 0, 0, NULL, form_ip, .help = "Where it listens." },
    { "event_socket.port", SCHEMA_INT, "8021", 0, 65535, NULL, NULL, .help = "Its port; 0 = none." },
    { "event_socket.password", SCHEMA_TEXT, "ClueCon", 1, 200, NULL, form_header,
      .help = "The password of `auth`. Outside loopback it must be given, and not be FreeSWITCH's." },
    { "event_socket.networks", SCHEMA_LIST, NULL, 0, 100, NULL, NULL,
      .help = "Where clients may come from; empty = anywhere that reaches the address." },
    { "event_socket.networks.*", SCHEMA_TEXT, NULL, 0, 0, NULL, form_source, .help = "An address or a network." },

    { "http", SCHEMA_TABLE, .help = "HTTP: FreeSWITCH's web interface, REST, events, metrics, the operators' page (docs/http.md)." },
    { "http.address", SCHEMA_TEXT, "127.0.0.1", 0, 0, NULL, form_ip,
      .help = "Where it listens. It speaks no TLS: outside loopback put a proxy before it." },
    { "http.port", SCHEMA_INT, "0", 0, 65535, NULL, NULL, .help = "Its port; 0 = none." },
    { "http.realm", SCHEMA_TEXT, "carillon", 1, 100, NULL, form_name, .help = "The realm of basic and digest authentication." },
    { "http.metrics", SCHEMA_TEXT, "users", 0, 0, "users|anybody", NULL, .help = "Who may read /metrics." },
    { "http.users", SCHEMA_MAP, NULL, 0, 200, NULL, NULL, .help = "Who may come in; with a port there must be at least one." },
    { "http.users.*", SCHEMA_TABLE, .help = "A user." },
    { "http.users.*.password", SCHEMA_TEXT, NULL, 8, 200, NULL, form_header,
      .help = "For the page, and for basic and digest authentication; better `env(\"ALICE_PASSWORD\")` than in the file." },
    { "http.users.*.token", SCHEMA_TEXT, NULL, 16, 200, NULL, form_header, .help = "For programs: `Authorization: Bearer TOKEN`." },
    { "http.users.*.role", SCHEMA_TEXT, "viewer", 0, 0, "viewer|operator", NULL,
      .help = "A viewer only looks; an operator also changes, and runs API commands." },

    { "log", SCHEMA_TABLE, .help = "Logs: one line format for all processes." },
    { "log.level", SCHEMA_TEXT, "info", 0, 0, NULL, form_levels, .live = true,
      .help = "A level, and levels per room: `info,broker=debug`." },
    { "log.mask_numbers", SCHEMA_BOOL, "false", 0, 0, NULL, NULL, .live = true,
      .help = "Telephone numbers in log lines show their first three and last two digits only." },
    { "log.file", SCHEMA_PATH, "-", 0, 0, NULL, NULL,
      .help = "A file (absolute, or relative to this file's folder), opened again on SIGHUP; `-` is stderr." },
};
const size_t schema_row_count = sizeof schema_rows / sizeof schema_rows[0];
