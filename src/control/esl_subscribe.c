/* esl_subscribe.c: what a client listens for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/esl_own.h"

char *esl_word(char **rest)
{
    if (*rest == NULL) return NULL;
    char *word = *rest + strspn(*rest, " \t,");
    size_t length = strcspn(word, " \t,");
    if (length == 0) return NULL;
    *rest = word + length;
    if (**rest != 0) *(*rest)++ = 0;
    return word;
}

bool esl_client_subscribed(const struct esl_client *client) { return client->all || !esl_set_empty(&client->types); }

static bool subclass_has(const struct esl_client *client, const char *name)
{
    for (size_t i = 0; i < client->subclass_count; i++)
        if (strcmp(client->subclasses[i], name) == 0) return true;
    return false;
}

static bool about_call(const struct esl_client *client, struct esl_event *event)
{
    if (memcmp(event->head.call, client->call.bytes, sizeof event->head.call) == 0) return true;
    const char *unique = esl_event_get(event, "Unique-ID"), *owner = esl_event_get(event, "Job-Owner-UUID");
    return (unique != NULL && strcasecmp(unique, client->call_text) == 0) || (owner != NULL && strcasecmp(owner, client->call_text) == 0);
}

static const char *lookup(void *event, const char *header) { return esl_event_get(event, header); }

bool esl_client_wants(const struct esl_client *client, struct esl_event *event)
{
    uint16_t type = event->head.type;
    if (client->closing || !(client->all || esl_set_has(&client->types, type))) return false;
    if (type == ESL_CUSTOM && !client->all && !client->all_subclasses) {
        const char *subclass = esl_event_get(event, "Event-Subclass");
        if (subclass != NULL && !subclass_has(client, subclass)) return false;
    }
    if (!esl_filter_pass(&client->filters, lookup, event)) return false;
    return !client->mine || about_call(client, event);
}

/* --- event, nixevent, noevents ------------------------------------------------------------------------------------ */

static void subclass_add(struct esl_client *client, const char *name)
{
    if (subclass_has(client, name) || client->subclass_count >= ESL_SUBCLASSES_MAX) return;
    char **list = realloc(client->subclasses, (client->subclass_count + 1) * sizeof *list), *copy = strdup(name);
    if (list != NULL) client->subclasses = list;
    if (list != NULL && copy != NULL)
        list[client->subclass_count++] = copy;
    else
        free(copy);
}

static void subclass_remove(struct esl_client *client, const char *name)
{
    for (size_t i = 0; i < client->subclass_count; i++)
        if (strcmp(client->subclasses[i], name) == 0) {
            free(client->subclasses[i]);
            client->subclasses[i] = client->subclasses[--client->subclass_count];
            return;
        }
}

static void subscribe_all(struct esl_client *client)
{
    esl_set_fill(&client->types);
    client->all_subclasses = true;
    if (client->allowed_events == NULL) {
        client->all = true;
        return;
    }
    for (unsigned type = 0; type < 128; type++)
        if (esl_set_has(&client->types, type) && !esl_event_allowed(client, esl_type_name((int)type))) esl_set_remove(&client->types, type);
}

static void subscribed(struct esl_client *client, bool before)
{
    esl_reader_wish(client->esl);
    if (!before) esl_marks_now(client->esl, client->live_from);
}

void esl_event_command(struct esl_client *client, char *words)
{
    bool before = esl_client_subscribed(client), custom = false, denied = false;
    unsigned recognised = 0;
    char *word = esl_word(&words);
    if (word != NULL && strcasecmp(word, "resume") == 0) {
        esl_resume(client, words);
        return;
    }
    esl_reader_read(client->esl); /* what happened before is not for this subscription */
    if (word != NULL && esl_format_find(word) >= 0) {
        client->format = (enum esl_format)esl_format_find(word);
        word = esl_word(&words);
    }
    for (; word != NULL && !denied; word = esl_word(&words)) {
        int type = esl_type_find(word);
        if (custom && !esl_event_allowed(client, word) && !esl_event_allowed(client, "CUSTOM")) {
            denied = true;
        } else if (custom) {
            subclass_add(client, word);
        } else if (type == ESL_TYPE_ALL) {
            subscribe_all(client);
            recognised++;
        } else if (type >= 0 && type != ESL_CUSTOM && !esl_event_allowed(client, word)) {
            denied = true;
        } else if (type >= 0) {
            esl_set_add(&client->types, (unsigned)type);
            custom = type == ESL_CUSTOM;
            recognised++;
        }
    }
    if (recognised > 0) subscribed(client, before);
    client->listening = client->listening || recognised > 0;
    if (denied)
        esl_reply(client, "-ERR permission denied");
    else if (recognised == 0)
        esl_reply(client, "-ERR no keywords supplied");
    else
        esl_reply(client, "+OK event listener enabled %s", esl_format_name(client->format));
}

static void types_clear(struct esl_client *client)
{
    client->all = client->all_subclasses = false;
    client->types = (struct esl_set) { 0 };
}

void esl_nixevent(struct esl_client *client, char *words)
{
    bool custom = false;
    unsigned recognised = 0;
    for (char *word = esl_word(&words); word != NULL; word = esl_word(&words)) {
        int type = esl_type_find(word);
        if (custom) {
            subclass_remove(client, word);
        } else if (type == ESL_TYPE_ALL) {
            types_clear(client);
            recognised++;
        } else if (type == ESL_CUSTOM) {
            custom = true; /* its subclasses go, it stays */
            recognised++;
        } else if (type >= 0) {
            client->all = false;
            esl_set_remove(&client->types, (unsigned)type);
            recognised++;
        }
    }
    if (recognised > 0) esl_reader_wish(client->esl);
    client->listening = client->listening || recognised > 0;
    esl_reply(client, recognised > 0 ? "+OK events nixed" : "-ERR no keywords supplied");
}

void esl_noevents(struct esl_client *client)
{
    if (!client->listening) {
        esl_reply(client, "-ERR not listening for events");
        return;
    }
    types_clear(client);
    client->listening = false;
    client->missed = 0;
    esl_replay_free(client);
    while (client->subclass_count > 0) free(client->subclasses[--client->subclass_count]);
    esl_queue_drop_events(&client->queue);
    esl_reader_wish(client->esl);
    esl_reply(client, "+OK no longer listening for events");
}

/* --- filter -------------------------------------------------------------------------------------------------------- */

/* The header is one word; the value is all that follows. */
static char *header_and_value(char *words, char **value)
{
    words += strspn(words, " ");
    char *space = strchr(words, ' ');
    *value = NULL;
    if (space != NULL) {
        *space = 0;
        *value = space + 1 + strspn(space + 1, " ");
        if (**value == 0) *value = NULL;
    }
    return words;
}

static void filter_delete(struct esl_client *client, char *words)
{
    char *value, *header = header_and_value(words, &value);
    if (strcasecmp(header, "all") == 0)
        esl_filter_clear(&client->filters);
    else
        esl_filter_delete(&client->filters, header, value);
    esl_reply(client, "+OK filter deleted. [%s][%s]", header, value != NULL ? value : "");
}

void esl_filter_command(struct esl_client *client, char *words)
{
    char *value, *header = header_and_value(words, &value);
    if (value != NULL && strcasecmp(header, "delete") == 0) {
        filter_delete(client, value);
        return;
    }
    if (value != NULL && strcasecmp(header, "add") == 0) header = header_and_value(value, &value);
    if (*header == 0 || value == NULL) {
        esl_reply(client, "-ERR invalid syntax");
        return;
    }
    int rc = esl_filter_add(&client->filters, header, value);
    if (rc == 0)
        esl_reply(client, "+OK filter added. [%s]=[%s]", header, value);
    else
        esl_reply(client, rc == -ENOSPC ? "-ERR too many filters" : "-ERR invalid syntax");
}

/* --- myevents ------------------------------------------------------------------------------------------------------- */

static void mine_begin(struct esl_client *client)
{
    bool before = esl_client_subscribed(client);
    esl_reader_read(client->esl);
    esl_set_mine(&client->types);
    client->mine = client->listening = true;
    subscribed(client, before);
    esl_reply(client, "+OK Events Enabled");
}

static void call_looked_up(void *context, int status, const char *text, size_t length)
{
    struct esl_client *client = context;
    client->asked = NULL;
    if (status == 0 && strncmp(text, "true", 4) == 0) {
        client->attached = true;
        mine_begin(client);
    } else {
        esl_reply(client, "-ERR invalid uuid");
    }
    esl_client_done(client);
}

void esl_myevents(struct esl_client *client, char *words)
{
    char *word, *call = NULL;
    if (*words == 0 && !client->attached) {
        esl_reply(client, "-ERR command not found");
        return;
    }
    while ((word = esl_word(&words)) != NULL) {
        if (esl_format_find(word) >= 0)
            client->format = (enum esl_format)esl_format_find(word);
        else if (call == NULL)
            call = word;
    }
    if (client->mine) {
        esl_reply(client, "-ERR aready enabled."); /* as FreeSWITCH spells it */
        return;
    }
    if (client->attached) {
        mine_begin(client);
        return;
    }
    if (call == NULL || uuid_parse(&client->call, call) < 0) {
        esl_reply(client, "-ERR invalid uuid");
        return;
    }
    uuid_text(&client->call, client->call_text);
    client->busy = true;
    client->asked = esl_ask(client->esl, client->call_text, "uuid_exists", client->call_text, call_looked_up, client);
    if (client->asked == NULL) esl_client_end(client);
}
