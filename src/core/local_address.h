/* local_address.h: this machine's own address, as the route to the outside shows it. */
#ifndef CORE_LOCAL_ADDRESS_H
#define CORE_LOCAL_ADDRESS_H

#define LOCAL_ADDRESS_SIZE 46

/* The address that packets to the outside leave from (nothing is sent); the loopback's where there is no way out. */
void local_address_v4(char out[LOCAL_ADDRESS_SIZE]);
void local_address_v6(char out[LOCAL_ADDRESS_SIZE]);
/* The netmask of an own IPv4 address; 255.255.255.0 if it is not ours. */
void local_address_mask(const char *address, char out[LOCAL_ADDRESS_SIZE]);

#endif
