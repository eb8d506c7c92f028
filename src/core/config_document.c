/* config_document.c: the reference of all keys, from the table that also checks them, so that the two cannot differ. */
#include "core/config_document.h"

#include <string.h>

#include "core/config_tree.h"

static const char *type_word(const struct schema_row *row)
{
    switch (row->type) {
    case SCHEMA_TABLE:
        return row->optional_table ? "table, optional" : "table";
    case SCHEMA_MAP:
        return "table by name";
    case SCHEMA_LIST:
        return "list";
    case SCHEMA_TEXT:
        return "text";
    case SCHEMA_PATH:
        return "path";
    case SCHEMA_INT:
        return "whole number";
    case SCHEMA_NUM:
        return "number";
    case SCHEMA_BOOL:
        return "true or false";
    }
    return "";
}

static void document_allowed(const struct schema_row *row, struct buf *out)
{
    bool number = row->type == SCHEMA_INT || row->type == SCHEMA_NUM;
    if (number)
        buf_printf(out, "%.10g to %.10g", row->min, row->max);
    else if (row->type == SCHEMA_LIST || row->type == SCHEMA_MAP)
        buf_printf(out, "%.0f to %.0f entries", row->min, row->max);
    if (row->choices == NULL) return;
    buf_puts(out, number ? ", or " : "");
    for (const char *p = row->choices; *p != 0;) {
        size_t n = strcspn(p, "|");
        buf_printf(out, "%s`%.*s`", p == row->choices ? "" : " ", (int)n, p);
        p += n + (p[n] == '|');
    }
}

int config_document(struct buf *out)
{
    buf_puts(
        out,
        "# Configuration\n\n"
        "<!-- Written by `carillon check --document` from src/core/config_schema.c; do not edit by hand. -->\n\n"
        "The configuration is one Lua file that returns a table; `carillon check FILE` says what is wrong with it, by line and key.\n"
        "It runs in an empty environment. Three functions exist:\n\n"
        "- `env(NAME[, otherwise])`: the environment variable's text; a number or a boolean where `otherwise` is one. Without `otherwise` "
        "it must be set.\n"
        "- `secret(FILE)`: the first line of a file, for passwords: `secret(env(\"CREDENTIALS_DIRECTORY\") .. \"/acme\")` under systemd.\n"
        "- `include(FILE)`: the table that another such file returns; the path is relative to the including file.\n\n"
        "Relative paths start from the folder of the main file. In the keys below `*` stands for a name of your choice, or for the places "
        "of a list.\n"
        "There are bounds: 4 MB per file, 64 files, includes nested 8 deep, 64 MB of memory, 20 million instructions.\n\n"
        "`carillon reload` reads the file again; the keys that are marked with • then take effect while the engine runs, the others wait "
        "for a restart.\n\n"
        "| key | type | default | allowed | |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        buf_printf(out, "| `%s`%s | %s | ", row->path, row->live ? " •" : "", type_word(row));
        if (row->required)
            buf_puts(out, "**required**");
        else if (row->otherwise != NULL && row->otherwise[0] != 0)
            buf_printf(out, "`%s`", row->otherwise);
        buf_puts(out, " | ");
        document_allowed(row, out);
        buf_printf(out, " | %s |\n", row->help);
    }
    return buf_puts(
        out,
        "\nChecked beyond single keys: failover trunks and listeners that are named must exist, a trunk must not fail over to itself,\n"
        "the RTP port range must begin even, end odd and hold a pair for each slot, `limits.concurrent` must not exceed `slots`,\n"
        "`inbound` and a listener take a script or a context and not both.\n");
}
