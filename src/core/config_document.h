/* config_document.h: docs/configuration.md, written from the schema. */
#ifndef CORE_CONFIG_DOCUMENT_H
#define CORE_CONFIG_DOCUMENT_H

#include "core/buf.h"

/* Markdown, whole; 0 or -ENOMEM. */
int config_document(struct buf *out);

#endif
