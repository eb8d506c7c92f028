/* md5.h: RFC 1321, for what old protocols ask; nothing secret rests on it. */
#ifndef LUA_MD5_H
#define LUA_MD5_H

#include <stddef.h>

/* 32 lower-case hexadecimal digits and a zero. */
void md5_hex(const void *data, size_t length, char out[33]);

#endif
