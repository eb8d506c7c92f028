"""The messages of RFC 4475 (SIP torture tests) and RFC 5118 (the same for IPv6), written from the texts of the RFCs, with the answers that a user agent
server which takes INVITE and OPTIONS owes them. Where the RFC lets an element be liberal, both answers stand there; and
silence where the request line or the topmost Via cannot be read, for then there is nobody to answer.

What must differ from the RFC so that an answer finds its way back: the topmost Via's sent-by, and the host of request URIs that name the server. {via} is
"127.0.0.1:port", {host} the engine. Each entry: name, answers (statuses; empty = silence; 0 = silence is right, too), text. A body's length is filled in for {length}.
"""

SDP = "v=0\no=mhandley 29739 7272939 IN IP4 192.0.2.3\ns=-\nc=IN IP4 192.0.2.4\nt=0 0\nm=audio 49217 RTP/AVP 0 12\nm=video 3227 RTP/AVP 31\na=rtpmap:31 LPC\n"
TAKEN = {100, 180, 183, 200}  # an INVITE that is understood
NO_METHOD = {405, 501}


def message(head, body=""):
    text = head.lstrip("\n")
    body = body.replace("\n", "\r\n")
    return text.replace("{length}", str(len(body))).rstrip("\n").replace("\n", "\r\n") + "\r\n\r\n" + body


def request(method, uri, call_id, extra="", cseq=None, via="SIP/2.0/UDP {via};branch=z9hG4bK%s", body="", to=None, frm=None, contact=True):
    return message("""
%s %s SIP/2.0
Via: %s
Max-Forwards: 70
From: %s
To: %s
Call-ID: %s@torture
CSeq: %s
%s%sContent-Length: {length}
""" % (method, uri, via % call_id if "%s" in via else via, frm or "<sip:caller@example.net>;tag=%s" % call_id, to or "<sip:user@{host}>", call_id, cseq or "1 " + method,
        "Contact: <sip:caller@{via}>\n" if contact else "", extra), body)


SDP_TYPE = "Content-Type: application/sdp\n"

MESSAGES = [
    # --- RFC 4475 §3.1.1: valid ---
    ("wsinv", TAKEN, message("""
INVITE sip:vivekg@{host};unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : {length}
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    {via};branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@{via}> ; newparam =
      newvalue ;
  secondparam ; q = 0.33
""", SDP).replace(" ;   tag    = 1918181833n", "")),
    ("intmeth", {400, 0} | NO_METHOD, message(  # valid, but sofia-sip reads neither that method nor a NUL in quotes: docs/sip.md
"""
!interesting-Method0123456789_*+`.%indeed'~ sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@{host} SIP/2.0
Via: SIP/2.0/UDP {via};branch=z9hG4bK-.!%66*_+`'~
To: "BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@{host}>
From: token1~` token2'+_ token3*%!.- <sip:mundane@example.com> ;fromParam''~+*_!.-%="\u0440\u0430\u0431\u043e\u0442\u0430\u044e\u0449\u0438\u0439";tag=_token~1'+`*%!-.
Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/"][?}{
CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~
Max-Forwards: 255
extensionHeader-!.%*+_`'~:\ufeff\u5927\u505c\u96fb
Content-Length: 0
""").replace("\\\\", "\\")),
    ("esc01", TAKEN, request("INVITE", "sip:sips%3Auser%40example.com@{host}", "esc01", SDP_TYPE, body=SDP, to="sip:%75se%72@{host}", frm="<sip:I%20have%20spaces@example.net>;tag=938")),
    ("escnull", NO_METHOD, request("REGISTER", "sip:{host}", "escnull", "Contact: <sip:%00@host5.example.com>\nContact: <sip:%00%00@host5.example.com>\n", to="sip:null-%00-null@{host}",
                                   frm="sip:null-%00-null@example.com;tag=839923423", contact=False)),
    ("esc02", NO_METHOD | {400}, request("RE%47IST%45R", "sip:{host}", "esc02", to='"%Z%45" <sip:resource@{host}>', frm='"%Z%45" <sip:resource@example.com>;tag=f232jadfj23')),
    ("lwsdisp", {200}, request("OPTIONS", "sip:user@{host}", "lwsdisp", frm="caller<sip:caller@example.com>;tag=323")),
    ("longreq", TAKEN | {400}, request("INVITE", "sip:user@{host}", "longreq." + "really" * 20 + "longcallid",
                                       "".join("Unknown-%s%s: %s\n" % ("Long" * 20, n, "unknown" + "-value" * 30) for n in range(3)) + "Record-Route: <sip:%s.example.com;lr>\n" % ("x" * 60) + SDP_TYPE, body=SDP,
                                       to='"I have a user name of %s extreme proportion" <sip:user@{host}:6000;unknownparam1=verylong%svalue>' % ("very " * 12, "long" * 30),
                                       frm="<sip:%s@example.net>;tag=12982%s424" % ("amazinglylong" * 8, "982424" * 5))),
    ("dblreq", {200}, request("OPTIONS", "sip:user@{host}", "dblreq") + request("INVITE", "sip:joe@{host}", "dblreq.second")),
    ("semiuri", {200}, request("OPTIONS", "sip:user;par=u%40example.net@{host}", "semiuri")),
    ("transports", {200}, request("OPTIONS", "sip:user@{host}", "transports", "Via: SIP/2.0/SCTP t2.example.com;branch=z9hG4bKkl\nVia: SIP/2.0/TLS t3.example.com;branch=z9hG4bK2980unddj\n"
                                  "Via: SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKasd0f3en\nVia: SIP/2.0/TCP t5.example.com;branch=z9hG4bK0a9idfnee\n")),
    ("mpart01", NO_METHOD, request("MESSAGE", "sip:kumiko@{host}", "mpart01", "Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\n",
                                   body="--7a9cbec02ceef655\nContent-Type: text/plain\n\nHello\n--7a9cbec02ceef655\nContent-Type: application/octet-stream\n\n\0\x01\x02\n--7a9cbec02ceef655--\n")),
    ("unreason", set(), message("SIP/2.0 200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e\nVia: SIP/2.0/UDP {host};branch=z9hG4bK1324923\nCall-ID: unreason\nCSeq: 35 INVITE\n"
                                "From: sip:user@example.com;tag=11141343\nTo: sip:user@example.edu;tag=2229\nContent-Length: 0\nContact: <sip:user@host198.example.com>\n")),
    ("noreason", set(), message("SIP/2.0 100 \nVia: SIP/2.0/UDP {host};branch=z9hG4bK2398ndaoe\nCall-ID: noreason\nCSeq: 35 INVITE\nFrom: <sip:user@example.com>;tag=39ansfi3\n"
                                "To: <sip:user@example.edu>;tag=902jndnke3\nContent-Length: 0\n")),
    # --- §3.1.2: invalid ---
    ("badinv01", {400, 0} | TAKEN, request("INVITE", "sip:user@{host}", "badinv01", "Contact: \"Joe\" <sip:joe@example.org>;;;;\n" + SDP_TYPE, via="SIP/2.0/UDP {via};branch=z9hG4bKbadinv01;;,;,,", body=SDP, contact=False)),
    ("clerr", {400, 0}, request("INVITE", "sip:user@{host}", "clerr", SDP_TYPE, body=SDP).replace("Content-Length: ", "Content-Length: 9")),
    ("ncl", {400, 0}, request("INVITE", "sip:user@{host}", "ncl", SDP_TYPE, body=SDP).replace("Content-Length: ", "Content-Length: -")),
    ("scalar02", {400} | NO_METHOD, request("REGISTER", "sip:{host}", "scalar02", "Expires: 1%s\nContact: <sip:user@host129.example.com>;expires=280297596632815\n" % ("0" * 80), cseq="36893488147419103232 REGISTER",
                                            contact=False).replace("Max-Forwards: 70", "Max-Forwards: 300")),
    ("scalarlg", set(), message("SIP/2.0 503 Service Unavailable\nVia: SIP/2.0/UDP {host};branch=z9hG4bKzzxdiwo34sw;received=192.0.2.129\nTo: <sip:user@example.com>;tag=1\n"
                                "From: <sip:other@example.net>;tag=2easdjfejw\nCSeq: 9292394834772304023312 OPTIONS\nCall-ID: scalarlg\nRetry-After: 949302838503028349304023988\nWarning: 1812 overture \"In Progress\"\nContent-Length: 0\n")),
    ("quotbal", {400}, request("INVITE", "sip:user@{host}", "quotbal", SDP_TYPE, body=SDP, to='"Mr. J. User <sip:j.user@{host}>')),
    ("ltgtruri", {400, 416, 0}, request("INVITE", "<sip:user@{host}>", "ltgtruri", SDP_TYPE, body=SDP)),
    ("lwsruri", {400, 0}, request("INVITE", "sip:user@{host}; lr", "lwsruri", SDP_TYPE, body=SDP)),
    ("lwsstart", {400, 0} | TAKEN, request("INVITE", " sip:user@{host} ", "lwsstart", SDP_TYPE, body=SDP)),
    ("trws", {400, 200}, request("OPTIONS", "sip:remote-target@{host}", "trws").replace(" SIP/2.0\r\n", " SIP/2.0  \r\n", 1)),
    ("escruri", {400} | TAKEN, request("INVITE", "sip:user@{host}?Route=%3Csip:example.com%3E", "escruri", SDP_TYPE, body=SDP)),
    ("baddate", {400} | TAKEN, request("INVITE", "sip:user@{host}", "baddate", "Date: Fri, 01 Jan 2010 16:00:00 EST\n" + SDP_TYPE, body=SDP)),
    ("regbadct", {400} | NO_METHOD, request("REGISTER", "sip:{host}", "regbadct", "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\n", contact=False)),
    ("badaspec", {400, 200}, request("OPTIONS", "sip:user@{host}", "badaspec", to='"Watson, Thomas" < sip:t.watson@example.org >')),
    ("baddn", {400, 200}, request("OPTIONS", "sip:t.watson@{host}", "baddn", frm="Bell, Alexander <sip:a.g.bell@example.com>;tag=43")),
    ("badvers", {505}, request("OPTIONS", "sip:t.watson@{host}", "badvers").replace("SIP/2.0\r\n", "SIP/7.0\r\n", 1)),
    ("mismatch01", {400}, request("OPTIONS", "sip:user@{host}", "mismatch01", cseq="8 INVITE")),
    ("mismatch02", {400} | NO_METHOD, request("NEWMETHOD", "sip:user@{host}", "mismatch02", cseq="8 INVITE")),
    ("bigcode", set(), message("SIP/2.0 4294967301 better not break the receiver\nVia: SIP/2.0/UDP {host};branch=z9hG4bK2398ndaoe\nCall-ID: bigcode\nCSeq: 353494 INVITE\n"
                               "From: <sip:user@example.com>;tag=39ansfi3\nTo: <sip:user@example.edu>;tag=902jndnke3\nContent-Length: 0\nContact: <sip:user@host105.example.com>\n")),
    # --- §3.2, §3.3, §3.4 ---
    ("badbranch", {200, 400}, request("OPTIONS", "sip:user@{host}", "badbranch", via="SIP/2.0/UDP {via};branch=z9hG4bK")),
    ("insuf", {400}, message("INVITE sip:user@{host} SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP {via};branch=z9hG4bKkdj.insuf\nContent-Type: application/sdp\nContent-Length: {length}\n", SDP)),
    ("unkscm", {416, 400}, request("OPTIONS", "nobodyKnowsThisScheme:totallyopaquecontent", "unkscm")),
    ("novelsc", {416, 400}, request("OPTIONS", "soap.beep://192.0.2.103:3002", "novelsc")),
    ("unksm2", NO_METHOD | {400}, request("REGISTER", "sip:{host}", "unksm2", "Contact: <name:John_Smith>\n", to="isbn:2983792873", frm="<http://www.example.com>;tag=3234233", contact=False)),
    ("bext01", {420, 200}, request("OPTIONS", "sip:user@{host}", "bext01", "Require: nothingSupportsThis, nothingSupportsThisEither\nProxy-Require: noProxiesSupportThis, norDoAnyProxiesSupportThis\n")),
    ("bext01inv", {420}, request("INVITE", "sip:user@{host}", "bext01i", "Require: nothingSupportsThis, nothingSupportsThisEither\n" + SDP_TYPE, body=SDP)),
    ("invut", {415}, request("INVITE", "sip:user@{host}", "invut", "Content-Type: application/unknownformat\n", body="<audio>\n <pcmu port=\"443\"/>\n</audio>\n")),
    ("regaut01", NO_METHOD, request("REGISTER", "sip:{host}", "regaut01", "Authorization: NoOneKnowsThisScheme opaque-data=here\n")),
    ("multi01", {400}, message("INVITE sip:user@{host} SIP/2.0\nContact: <sip:user@{via}>\nVia: SIP/2.0/UDP {via};branch=z9hG4bK-multi01\nMax-Forwards: 70\nMax-Forwards: 5\nCSeq: 5 INVITE\nCSeq: 59 INVITE\n"
                               "Call-ID: multi01.98asdh@192.0.2.1\nCall-ID: multi01.98asdh@192.0.2.2\nFrom: <sip:user@example.com>;tag=3413415\nFrom: <sip:user@example.net>;tag=2923420123\n"
                               "To: <sip:user@example.com>\nTo: <sip:other@example.net>\nContent-Type: application/sdp\nContent-Length: {length}\n", SDP)),
    ("mcl01", {400, 200}, request("OPTIONS", "sip:user@{host}", "mcl01", "Content-Length: 13\n", body="There's no way to know how many octets are supposed to be here.\n")),
    ("bcast", set(), message("SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23\nCall-ID: bcast\nCSeq: 35 INVITE\n"
                             "From: <sip:user@example.com>;tag=11141343\nTo: <sip:user@example.edu>;tag=2229\nContent-Length: 0\nContact: <sip:user@host28.example.com>\n")),
    ("zeromf", {200, 483}, request("OPTIONS", "sip:user@{host}", "zeromf").replace("Max-Forwards: 70", "Max-Forwards: 0")),
    ("cparam01", NO_METHOD, request("REGISTER", "sip:{host}", "cparam01", "Contact: sip:+19725552222@gw1.example.net;unknownparam\n", contact=False)),
    ("cparam02", NO_METHOD, request("REGISTER", "sip:{host}", "cparam02", "Contact: <sip:+19725552222@gw1.example.net;unknownparam>\n", contact=False)),
    ("regescrt", NO_METHOD, request("REGISTER", "sip:{host}", "regescrt", "Contact: <sip:user@example.net?Route=%3Csip:sip.example.com%3E>\n", contact=False)),
    ("sdp01", TAKEN, request("INVITE", "sip:user@{host}", "sdp01", "Accept: text/nobodyKnowsThis\n" + SDP_TYPE, body=SDP)),
    ("inv2543", TAKEN, message("INVITE sip:UserB@{host} SIP/2.0\nVia: SIP/2.0/UDP {via}\nFrom: <sip:iuser@127.0.0.1>\nTo: <sip:UserB@{host}>\nCall-ID: inv2543.1717@ieee.org\nCSeq: 56 INVITE\n"
                               "Contact: <sip:iuser@{via}>\nContent-Type: application/sdp\nContent-Length: {length}\n", SDP)),
    # --- RFC 5118 ---
    ("ipv6-good", NO_METHOD, request("REGISTER", "sip:[2001:db8::10]", "ipv6good", "Contact: \"Caller\" <sip:caller@[2001:db8::1]>\n", to="sip:user@example.com", contact=False)),
    ("ipv6-bad", {400, 0} | NO_METHOD, request("REGISTER", "sip:2001:db8::10", "ipv6bad", to="sip:user@example.com")),
    ("port-ambiguous", NO_METHOD, request("REGISTER", "sip:[2001:db8::10:5070]", "portamb", to="sip:user@example.com")),
    ("port-unambiguous", NO_METHOD, request("REGISTER", "sip:[2001:db8::10]:5070", "portunamb", to="sip:user@example.com")),
    ("via-received-param-with-delim", {200}, request("OPTIONS", "sip:user@{host}", "recvdelim", "Via: SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111\n")),
    ("via-received-param-no-delim", {200, 400}, request("OPTIONS", "sip:user@{host}", "recvnodelim", "Via: SIP/2.0/UDP [2001:db8::9:1];received=2001:db8::9:255;branch=z9hG4bKas3\n")),
    ("ipv6-in-sdp", TAKEN, request("INVITE", "sip:user@{host}", "ip6sdp", SDP_TYPE, body="v=0\no=assistant 971731711378798081 0 IN IP6 2001:db8::20\ns=Live video feed\nc=IN IP6 2001:db8::20\nt=3338481189 3370017201\nm=audio 6000 RTP/AVP 0\n")),
    ("mult-ip-in-header", {200}, request("OPTIONS", "sip:user@{host}", "multip", "Via: SIP/2.0/UDP 192.0.2.1;received=2001:db8::9:255;branch=z9hG4bKx\nVia: SIP/2.0/UDP [2001:db8::9:1];received=192.0.2.200;branch=z9hG4bKy\n")),
    ("mult-ip-in-sdp", TAKEN, request("INVITE", "sip:user@{host}", "multsdp", SDP_TYPE, body="v=0\no=bob 280744730 28977631 IN IP4 host.example.com\ns=\nt=0 0\nm=audio 22334 RTP/AVP 0\nc=IN IP4 192.0.2.1\nm=video 6024 RTP/AVP 107\nc=IN IP6 2001:db8::1\na=rtpmap:107 H263-1998/90000\n")),
    ("ipv4-mapped-ipv6", TAKEN, request("INVITE", "sip:user@{host}", "mapped", "Record-Route: <sip:[::ffff:192.0.2.10]>\n" + SDP_TYPE, body="v=0\no=assistant 971731711378798081 0 IN IP6 ::ffff:192.0.2.2\ns=-\nc=IN IP6 ::ffff:192.0.2.2\nt=0 0\nm=audio 6000 RTP/AVP 0\n")),
]
