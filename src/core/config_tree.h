/* config_tree.h: a Lua file as a tree of nodes: what the files config*.c share, and src/campaign for its campaign files
 * (the same reader, bounds and error lines, another schema).
 *
 *   config_read.c    runs the Lua file, bounded, and turns its table into raw nodes
 *   config_lines.c   finds the line of each key in the source, since Lua values carry none
 *   config_schema.c  the one table: every key, type, range, default and line of help; docs/configuration.md
 *   config_check.c   holds raw nodes against the table, fills in defaults, and checks what spans several keys
 *   config_live.c    two checked trees: what differs, and what may change while the engine runs
 *   config.c         the tree, its readers, its dump */
#ifndef CORE_CONFIG_TREE_H
#define CORE_CONFIG_TREE_H

#include "core/config.h"

#define CONFIG_DEPTH_MAX         12     /* tables within tables */
#define CONFIG_NODES_MAX         200000 /* 10,000 trunks of 20 keys */
#define CONFIG_FILE_BYTES_MAX    (4u << 20)
#define CONFIG_FILES_MAX         64 /* include()s together */
#define CONFIG_INCLUDE_DEPTH_MAX 8  /* include() within include() */
#define CONFIG_MEMORY_BYTES_MAX  (64u << 20)
#define CONFIG_INSTRUCTIONS_MAX  20000000

enum node_type { NODE_TABLE, NODE_TEXT, NODE_INT, NODE_NUM, NODE_BOOL, NODE_OTHER /* a function …: an error later */ };

struct config_node {
    enum node_type type;
    char *name;         /* key in the parent; "1", "2" … in lists */
    char *text;         /* value as text; the Lua type's name for NODE_OTHER; NULL for tables */
    size_t text_length; /* a value may hold a zero byte, which the check refuses */
    bool is_list;       /* keys are 1..n */
    bool seen;          /* the check has looked at it (what is left is unknown) */
    bool is_default;    /* not in the file */
    union {
        int64_t integer; /* NODE_INT, NODE_BOOL */
        double number;   /* NODE_NUM */
    };
    struct config_node **children;
    size_t count, size;
    const char *file; /* the config's; NULL for defaults */
    int line;         /* 0 = unknown */
};

struct config {
    struct config_node *root;
    char *folder; /* of the main file, absolute: what relative paths start from */
    char *files[CONFIG_FILES_MAX];
    size_t file_count;
};

struct config_node *node_new(enum node_type type, const char *name);
void node_free(struct config_node *node);
int node_add(struct config_node *parent, struct config_node *child);
int node_text_set(struct config_node *node, const char *text, size_t length);
/* By exact name among the children, without splitting at dots. */
struct config_node *node_find(const struct config_node *node, const char *name);
/* Lists by number, others by name. */
void node_sort(struct config_node *node);

/* config_read.c: 0 and config->root, or -EINVAL with lines in errors. */
int config_read(struct config *config, const char *path, struct buf *errors);

/* config_lines.c: the key's line in the table that `source` returns; path as "trunks.acme.cps"; 0 if it is not written
 * there as a plain constructor (the nearest parent's line is taken then). */
struct line_map;
int line_map_new(struct line_map **out, const char *source, size_t length);
void line_map_free(struct line_map *map);
int line_map_find(const struct line_map *map, const char *path);

/* config_schema.c */
enum schema_type { SCHEMA_TABLE, SCHEMA_MAP, SCHEMA_LIST, SCHEMA_TEXT, SCHEMA_PATH, SCHEMA_INT, SCHEMA_NUM, SCHEMA_BOOL };
/* A value's form; returns NULL if it is well-formed, otherwise what is allowed. */
typedef const char *schema_form(const char *text);
struct schema_row {
    const char *path; /* "trunks.*.codecs.*": '*' stands for any name of a map, or any place of a list */
    enum schema_type type;
    const char *otherwise; /* default; NULL = none (absent unless written); lists: comma-separated */
    double min, max;       /* numbers; characters of texts (max 0 = 1..255); entries of lists */
    const char *choices;   /* "a|b": texts: one of these; numbers: or one of these */
    schema_form *form;
    bool required;
    bool optional_table; /* a table that is absent unless written */
    bool live;           /* `carillon reload` changes it while the engine runs */
    const char *help;
};
extern const struct schema_row schema_rows[];
extern const size_t schema_row_count;

/* config_check.c: replaces config->root by the checked tree. 0, or -EINVAL with one line per mistake. */
int config_check(struct config *config, struct buf *errors);
/* config_cross.c: what spans several keys; adds lines to errors. */
void config_cross_check(const struct config *config, struct buf *errors);
/* "file:line: path: text\n" */
void config_mistake(struct buf *errors, const struct config_node *at, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
