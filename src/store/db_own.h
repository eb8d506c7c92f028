/* db_own.h: what db.c asks of a backend. Nobody outside src/store includes this. */
#ifndef STORE_DB_OWN_H
#define STORE_DB_OWN_H

#include "store/db.h"

#define DB_ERROR_MAX 400

struct db_backend {
    void (*close)(struct db *db);
    int (*exec)(struct db *db, const char *sql);
    int (*prepare)(struct db *db, struct db_statement **out, const char *sql);
    void (*finalize)(struct db_statement *statement);
    void (*bind_int)(struct db_statement *statement, int index, int64_t value);
    void (*bind_real)(struct db_statement *statement, int index, double value);
    void (*bind_text)(struct db_statement *statement, int index, const char *text);
    void (*bind_text_kept)(struct db_statement *statement, int index, const char *text, size_t length); /* NULL: as bind_text */
    int (*step)(struct db_statement *statement);
    void (*done)(struct db_statement *statement);
    int64_t (*get_int)(const struct db_statement *statement, int column);
    double (*get_real)(const struct db_statement *statement, int column);
    const char *(*get_text)(const struct db_statement *statement, int column);
    bool (*get_null)(const struct db_statement *statement, int column);
};

/* Each backend's db and statement begin with these. */
struct db {
    const struct db_backend *backend;
    enum db_kind kind;
    struct db_options options;
    bool lost;
    bool in_transaction;
    char error[DB_ERROR_MAX];
};
struct db_statement {
    struct db *db;
    int64_t changes;
};

int db_sqlite_open(struct db **out, const char *path, const struct db_options *options, struct buf *error);
int db_postgres_open(struct db **out, const char *dsn, const struct db_options *options, struct buf *error);

/* Remembers the text as one line without a newline at its end. */
void db_error_set(struct db *db, const char *text);

#endif
