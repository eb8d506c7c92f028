/* trace_pcap.h: traced messages as a capture file that tcpdump, Wireshark and sngrep read.
 *
 * Each message is one UDP packet between its two addresses, whatever it travelled by: TCP's segments are not known, TLS's are of no use. */
#ifndef MAIN_TRACE_PCAP_H
#define MAIN_TRACE_PCAP_H

#include <stdio.h>

#include "bus/trace.h"

/* 0 or -errno (of the file's last write). */
int pcap_begin(FILE *file);
int pcap_put(FILE *file, const struct trace_message *message);

#endif
