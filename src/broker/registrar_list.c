/* registrar_list.c: the contacts as text for whoever lists, counts or dials them (src/lua/fs/registrations.lua). */
#include <string.h>
#include <strings.h>

#include "broker/registrar.h"

/* What was registered holds no control characters (register.c), so a tab parts fields and a line break rows. */
static void row_write(const struct location *l, struct buf *out)
{
    for (size_t i = 0; i < location_field_count; i++) {
        const struct location_field *field = &location_fields[i];
        const char *at = (const char *)l + field->offset;
        if (i) buf_putc(out, '\t');
        if (field->size)
            buf_puts(out, at);
        else
            buf_printf(out, "%lld", (long long)*(const int64_t *)(const void *)at);
    }
    buf_putc(out, '\n');
}

void registrations_write(const struct broker *broker, const char *user, const char *domain, struct buf *out)
{
    for (size_t i = 0; i < location_field_count; i++) buf_printf(out, i ? "\t%s" : "%s", location_fields[i].name);
    buf_putc(out, '\n');
    if (!broker->registrar) return;
    const struct locations *locations = broker->registrar->locations;
    if (*user) {
        for (const struct location *l = locations_of_user(locations, user, domain); l; l = location_next_of_user(l)) row_write(l, out);
        return;
    }
    for (const struct location *l = locations_walk(locations, NULL); l; l = locations_walk(locations, l)) row_write(l, out);
}

unsigned registrations_flush(struct broker *broker, const char *user, const char *domain)
{
    unsigned count = 0;
    if (!broker->registrar) return 0;
    for (struct location *l = locations_walk(broker->registrar->locations, NULL), *next; l; l = next) {
        next = locations_walk(broker->registrar->locations, l);
        bool meant = *domain ? !strcasecmp(l->user, user) && !strcasecmp(l->domain, domain) : !*user || !strcmp(l->call_id, user);
        if (!meant) continue;
        location_expire(broker->registrar, l);
        count++;
    }
    return count;
}
