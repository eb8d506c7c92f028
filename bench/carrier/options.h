/* The command line. */
#ifndef CARRIER_OPTIONS_H
#define CARRIER_OPTIONS_H

#include "base.h"

#define OPTION_LIST_MAX 64

struct options {
	const char *listen[OPTION_LIST_MAX];
	unsigned listens;
	const char *media[OPTION_LIST_MAX];
	unsigned medias;
	const char *rules[OPTION_LIST_MAX];
	unsigned rule_count;
	bool tcp, port_per_call, status, vary, tails, tails_said;
	const char *plan, *book, *invites;
	uint64_t seed;
	int ready_fd;                    /* -1 = the ready line goes to stdout */
	int64_t duration_us;             /* 0 = no end */
	unsigned calls;                  /* 0 = no end */
	unsigned calls_max;
	int64_t t1_us, t2_us;
	const char *auth_user, *auth_password;
	int auth_code;                   /* 401 or 407; 0 = no challenge */
	const char *realm;
	unsigned media_ports;            /* shared sockets per media address */
	/* --place */
	const char *place, *place_from, *place_digits, *place_digits_by, *place_sound, *place_talk;
	bool place_tcp;
	unsigned place_count;
	double place_rate;
	int64_t place_ring_us;
};

/* Fills o. Returns 0 to go on, 1 when --help was shown, or a negative errno after one clear line on stderr. */
int options_read(struct options *o, int argc, char **argv);

#endif
