/* codec_list.h: the codecs that have a file of their own, for codec.c's table alone. */
#ifndef MEDIA_CODEC_LIST_H
#define MEDIA_CODEC_LIST_H

#include "media/codec.h"

extern const struct codec codec_g722; /* codec_g722.c */
extern const struct codec codec_g729; /* codec_g729.c */
extern const struct codec codec_gsm;  /* codec_gsm.c */
extern const struct codec codec_opus; /* codec_opus.c */

#endif
