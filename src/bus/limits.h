/* limits.h: every capacity of the bus in one place. */
#ifndef BUS_LIMITS_H
#define BUS_LIMITS_H

#include <stdint.h>

#define BUS_WORKERS_MAX 64u
#define BUS_SLOTS_MAX   65536u /* all workers together */

/* Processes by number. */
enum bus_process { BUS_SUPERVISOR = 0, BUS_BROKER = 1, BUS_CONTROL = 2, BUS_WORKER_0 = 3 };
#define BUS_PROCESSES_MAX (3u + BUS_WORKERS_MAX)

#define BUS_RECORD_BYTES       64u
#define BUS_LANE_BYTES_DEFAULT (1u << 20)
#define BUS_LOG_BYTES_DEFAULT  (16u << 20)
#define BUS_MESSAGE_BYTES_MAX  (16u << 20) /* one message of a lane, parts together */
#define BUS_EVENT_BYTES_MAX    (64u << 10)

#define BUS_ADDRESS_TEXT 64 /* "[2001:db8::1]:65535" fits */
#define BUS_URI_MAX      256
#define BUS_TAG_MAX      64
#define BUS_CALL_ID_MAX  128
#define BUS_ROUTE_MAX    768
#define BUS_VIA_MAX      256
#define BUS_NAME_MAX     64 /* trunk, campaign, codec … */

#endif
