/* config_cross.c: what no single key can say. */
#include <stdio.h>
#include <string.h>

#include "core/config_tree.h"

/* "a, b, c": the names of a table's children, for "there is none of that name". */
static void put_names(struct buf *out, const struct config_node *table, const char *key)
{
    for (size_t i = 0; i < config_count(table) && i < 20; i++) {
        const struct config_node *child = config_child(table, i);
        buf_printf(out, "%s%s", i ? ", " : "", key == NULL ? child->name : config_str(child, key, ""));
    }
    if (config_count(table) == 0) buf_puts(out, "none");
}

static const struct config_node *listener_named(const struct config_node *root, const char *name)
{
    const struct config_node *listen = config_get(root, "sip.listen");
    for (size_t i = 0; i < config_count(listen); i++)
        if (strcmp(config_str(config_child(listen, i), "name", ""), name) == 0) return config_child(listen, i);
    return NULL;
}

static void check_script_or_context(const struct config_node *table, const char *path, struct buf *errors)
{
    bool script = config_get(table, "script") != NULL, context = config_get(table, "context") != NULL;
    if (script && context)
        config_mistake(errors, config_get(table, "context"), path, "has both `script` and `context`; allowed: one of them");
    else if (!script && !context)
        config_mistake(errors, table, path, "has neither `script` nor `context`; allowed: one of them");
}

static void check_trunk(const struct config_node *root, const struct config_node *trunk, struct buf *errors)
{
    char path[256];
    const struct config_node *trunks = config_get(root, "trunks"), *failover = config_get(trunk, "failover");
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < config_count(failover); i++) {
        const struct config_node *other = config_child(failover, i);
        snprintf(path, sizeof path, "trunks.%s.failover.%s", trunk->name, other->name);
        buf_clear(&names);
        put_names(&names, trunks, NULL);
        if (strcmp(other->text, trunk->name) == 0)
            config_mistake(errors, other, path, "found the trunk's own name \"%s\"; allowed: another trunk", other->text);
        else if (node_find(trunks, other->text) == NULL)
            config_mistake(errors, other, path, "found \"%s\", but there is no such trunk; allowed: %s", other->text, buf_text(&names));
    }
    const struct config_node *listen = config_get(trunk, "listen");
    if (listen != NULL && listener_named(root, listen->text) == NULL) {
        snprintf(path, sizeof path, "trunks.%s.listen", trunk->name);
        buf_clear(&names);
        put_names(&names, config_get(root, "sip.listen"), "name");
        config_mistake(errors, listen, path, "found \"%s\", but there is no such listener; allowed: %s", listen->text, buf_text(&names));
    }
    const struct config_node *inbound = config_get(trunk, "inbound");
    if (inbound != NULL) {
        snprintf(path, sizeof path, "trunks.%s.inbound", trunk->name);
        check_script_or_context(inbound, path, errors);
    }
    const struct config_node *user = config_get(trunk, "user"), *password = config_get(trunk, "password");
    if ((user == NULL) != (password == NULL)) {
        snprintf(path, sizeof path, "trunks.%s", trunk->name);
        config_mistake(errors, user != NULL ? user : password, path, "has `%s` without `%s`; allowed: both or neither",
                       user != NULL ? "user" : "password", user != NULL ? "password" : "user");
    }
    if (config_num(root, "limits.max_price", 0) > 0 && config_get(trunk, "rates") == NULL) {
        snprintf(path, sizeof path, "trunks.%s.rates", trunk->name);
        config_mistake(errors, trunk, path, "is missing; limits.max_price can be held only where prices are known");
    }
    buf_free(&names);
}

static void check_tls(const struct config_node *listener, const char *path, struct buf *errors)
{
    const struct config_node *transports = config_get(listener, "transports");
    for (size_t i = 0; i < config_count(transports); i++)
        if (strcmp(config_text(config_child(transports, i)), "tls") == 0 && config_get(listener, "tls_folder") == NULL)
            config_mistake(errors, transports, path,
                           "has the transport tls without `tls_folder`; allowed: a folder with agent.pem and cafile.pem");
}

static void check_listeners(const struct config_node *root, struct buf *errors)
{
    const struct config_node *listen = config_get(root, "sip.listen");
    char path[64];
    for (size_t i = 0; i < config_count(listen); i++) {
        const struct config_node *one = config_child(listen, i);
        snprintf(path, sizeof path, "sip.listen.%s", one->name);
        if (listener_named(root, config_str(one, "name", "")) != one)
            config_mistake(errors, config_get(one, "name"), path, "found the name \"%s\" a second time; allowed: a name of its own",
                           config_str(one, "name", ""));
        if (config_get(one, "script") != NULL && config_get(one, "context") != NULL) check_script_or_context(one, path, errors);
        check_tls(one, path, errors);
        const struct config_node *users = config_get(one, "users");
        int64_t shortest = config_int(users, "expires_min_s", 0), longest = config_int(users, "expires_max_s", 0);
        if (users != NULL && shortest > longest) {
            snprintf(path, sizeof path, "sip.listen.%s.users.expires_min_s", one->name);
            config_mistake(errors, config_get(users, "expires_min_s"), path, "found the number %lld; allowed: at most expires_max_s (%lld)",
                           (long long)shortest, (long long)longest);
        }
    }
}

static void check_ports(const struct config_node *root, struct buf *errors)
{
    int64_t first = config_int(root, "media.port_first", 0), last = config_int(root, "media.port_last", 0);
    int64_t slots = config_int(root, "slots", 0);
    int64_t addresses = (int64_t)config_count(config_get(root, "media.addresses"));
    const struct config_node *external = config_get(root, "media.external");
    if (config_count(external) != 0 && config_count(external) != (size_t)addresses)
        config_mistake(errors, external, "media.external",
                       "has %zu entries for %lld addresses; allowed: one for each of media.addresses, in the same order",
                       config_count(external), (long long)addresses);
    if (first % 2 != 0)
        config_mistake(errors, config_get(root, "media.port_first"), "media.port_first", "found the number %lld; allowed: an even port",
                       (long long)first);
    if (last % 2 == 0)
        config_mistake(errors, config_get(root, "media.port_last"), "media.port_last",
                       "found the number %lld; allowed: an odd port (the RTCP port of the last pair)", (long long)last);
    if (last <= first) {
        config_mistake(errors, config_get(root, "media.port_last"), "media.port_last",
                       "found the number %lld; allowed: more than port_first (%lld)", (long long)last, (long long)first);
        return;
    }
    int64_t pairs = (last - first + 1) / 2 * addresses;
    if (pairs < slots)
        config_mistake(errors, config_get(root, "media.port_last"), "media",
                       "the ports %lld to %lld on %lld address%s make %lld pairs, but there are %lld slots; widen the range, add an "
                       "address, or lower `slots`",
                       (long long)first, (long long)last, (long long)addresses, addresses == 1 ? "" : "es", (long long)pairs,
                       (long long)slots);
}

void config_cross_check(const struct config *config, struct buf *errors)
{
    const struct config_node *root = config_root(config), *trunks = config_get(root, "trunks");
    check_listeners(root, errors);
    check_ports(root, errors);
    for (size_t i = 0; i < config_count(trunks); i++) check_trunk(root, config_child(trunks, i), errors);
    const struct config_node *concurrent = config_get(root, "limits.concurrent");
    int64_t slots = config_int(root, "slots", 0);
    if (!concurrent->is_default && concurrent->integer > slots)
        config_mistake(errors, concurrent, "limits.concurrent", "found the number %s; allowed: at most `slots` (%lld)", concurrent->text,
                       (long long)slots);
}
