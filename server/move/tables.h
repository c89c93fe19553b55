/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of a sql row by its catalogue, and the statements that copy them; from inside of
 * server/move. */
#ifndef COMB_MOVE_TABLES_H
#define COMB_MOVE_TABLES_H

#include "server/backend/sql/sql.h"

/* Columns of one table, and those of its primary key. */
#define MOVE_COLUMNS_MAX 60
#define MOVE_KEYS_MAX 8
/* Rows of one page. */
#define MOVE_PAGE_ROWS 200
/* Rows that one statement clears; what a schema begins with is less. */
#define MOVE_CLEAR_ROWS 1000

enum move_table_kind {
    MOVE_TABLE_TRUTH,   /* written by nobody while it is moved */
    MOVE_TABLE_GROWS,   /* written meanwhile, but only at its end: lines of the audit trail */
    MOVE_TABLE_LIVE,    /* written meanwhile: a copy that is begun again takes it anew */
    MOVE_TABLE_HISTORY, /* of this store's history: not copied */
};

struct move_table {
    char *name;
    enum move_table_kind kind;
    char *columns[MOVE_COLUMNS_MAX]; /* in bytewise order */
    size_t n_columns;
    size_t keys[MOVE_KEYS_MAX]; /* places in columns, in the order of the key */
    size_t n_keys;
    char *first, *next, *newest; /* the first page, a page behind a key, the last key */
    const char *insert, *clear;  /* static for the process' life: their addresses are keys */
};

struct move_tables {
    struct move_table items[64];
    size_t n;
};

/* Blocks. */
enum comb_status move_tables_read(struct comb_sql *sql, struct move_tables **ret_tables,
                                  struct comb_error *err) COMB_MUST_CHECK;
void move_tables_free(struct move_tables *tables);
const struct move_table *move_tables_find(const struct move_tables *tables, comb_str name);
enum move_table_kind move_table_kind_of(comb_str name);

/* A text that lives, under one address, as long as the process does; NULL: no memory. */
const char *move_text_keep(comb_str text) COMB_MUST_CHECK;

#endif
