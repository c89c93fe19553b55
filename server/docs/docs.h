/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The docs row's connection layer, as server/backend/sql is that of the sql row: an open store that
 * areas keep documents, indexes, activities and logs in. It knows no area and no statement.
 *
 * An area over it (server/documents, server/search, …) has a contract of its own and two drivers:
 * one works on the struct comb_sql of an SQLite file that is this row's alone, with FTS5, one on a
 * struct comb_mongo. Its open function asks which of the two is there:
 *
 *     struct comb_sql *sql = comb_docs_sql(docs);
 *     return sql ? open_sqlite(sql, ...) : open_mongo(comb_docs_mongo(docs), ...);
 *
 * The store may be away when the server starts, and later: opening an area asks nobody. On SQLite
 * it migrates its tables (comb_sql_migrate_schema), on MongoDB it declares its indexes, which are
 * made as soon as the store is reached. Calls meanwhile end with UNAVAILABLE, and nothing else
 * suffers.
 */
#ifndef COMB_DOCS_H
#define COMB_DOCS_H

#include "server/core/store.h"

struct comb_sql;
struct comb_mongo;
struct comb_docs;

/* caps: other processes may use the same store. */
#define COMB_DOCS_CAP_SHARED 1u

struct comb_docs_driver {
    const char *name; /* the URL's scheme: "sqlite" */
    uint32_t caps;
    /* See comb_docs_check, comb_docs_status, comb_docs_close; never called with NULL. */
    enum comb_status (*check)(struct comb_docs *self, struct comb_ctx *ctx, struct comb_error *err);
    void (*status)(struct comb_docs *self, struct comb_store_status *ret_status);
    void (*close)(struct comb_docs *self);
};

/* What every driver's instance begins with. One of the two stores is set, owned by the row. */
struct comb_docs {
    const struct comb_docs_driver *driver;
    struct comb_sql *sql;
    struct comb_mongo *mongo;
};

/* The row's own SQLite file; NULL: the row is on MongoDB. Borrowed. */
struct comb_sql *comb_docs_sql(const struct comb_docs *docs);
/* NULL: the row is on SQLite. Borrowed. */
struct comb_mongo *comb_docs_mongo(const struct comb_docs *docs);
/* Whether other processes may use the same store. */
bool comb_docs_is_shared(const struct comb_docs *docs);

/* Asks the store a question that needs a connection, the rights and a durable write. Blocks. The
 * error says in one line what the operator has to do. */
enum comb_status comb_docs_check(struct comb_docs *docs, struct comb_ctx *ctx,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* Any thread, never blocks. */
void comb_docs_status(struct comb_docs *docs, struct comb_store_status *ret_status);
/* No area may be open on it any more. NULL is fine. */
void comb_docs_close(struct comb_docs *docs);

/*
 * "sqlite:PATH": made with mode 0600 where it is missing. FAILED_PRECONDITION, with what to do:
 * another process has the file open, or this SQLite has no FTS5.
 */
enum comb_status comb_docs_sqlite_open(const struct comb_store_options *options,
                                       struct comb_docs **ret_docs,
                                       struct comb_error *err) COMB_MUST_CHECK;
/* "mongodb://HOST:PORT/DATABASE": server/backend/mongo/mongo.h says what may follow. */
enum comb_status comb_docs_mongodb_open(const struct comb_store_options *options,
                                        struct comb_docs **ret_docs,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
