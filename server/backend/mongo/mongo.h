/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One MongoDB database: commands in, replies out. It knows no area and no document.
 *
 * libmongoc blocks, and its own timeouts begin again with each read, so its calls are made by
 * threads of ours, a connection each; who called waits for one of them until his deadline and no
 * longer. A thread of its own asks the store whether it is there: while it is not, calls are
 * refused at once, and when it is again, work goes on by itself.
 *
 * Writes are acknowledged by a majority and its journals; reads see only what was. A reply is one
 * BSON document of at most 16 MiB, so a page is asked for with `singleBatch`, and with no more
 * documents than surely fit.
 */
#ifndef COMB_MONGO_H
#define COMB_MONGO_H

#include <bson/bson.h>

#include "server/core/store.h"

struct comb_mongo;

/* Calls that may wait for a connection at once; the next one is refused. */
#define COMB_MONGO_WAITERS_MAX 256
/* Calls of comb_mongo_declare(), one an area. */
#define COMB_MONGO_DECLARATIONS_MAX 16

/* All static. */
struct comb_mongo_index {
    const char *collection;
    const char *name;
    const char *keys;    /* JSON: {"a": 1, "b": -1} */
    const char *options; /* further members of its definition, JSON: {"sparse": true}; NULL: none */
};

/*
 * options->url: mongodb://HOST[:PORT][,…]/DATABASE[?replicaSet=NAME&authSource=DATABASE&tls=on&
 * ca=PATH&cert=PATH&timeout_ms=N&connections=N]; options->credentials: "user:password" or nothing.
 * Looks at these only. INVALID_ARGUMENT, FAILED_PRECONDITION, with what to do.
 */
enum comb_status comb_mongo_open(const struct comb_store_options *options,
                                 struct comb_mongo **ret_mongo,
                                 struct comb_error *err) COMB_MUST_CHECK;
/* No call may be running. NULL is fine. Blocks until the threads have ended: a frozen server holds
 * it for timeout_ms. */
void comb_mongo_close(struct comb_mongo *mongo);

/*
 * What an area needs: made before any further command runs, now and each time the store comes back.
 * Asks nobody: while they cannot be made the store counts as away. indexes live as long as mongo.
 */
enum comb_status comb_mongo_declare(struct comb_mongo *mongo,
                                    const struct comb_mongo_index *indexes, size_t n,
                                    struct comb_error *err) COMB_MUST_CHECK;

/*
 * Runs a command in the database, and waits until ctx's deadline or timeout_ms. command: without
 * writeConcern, readConcern and maxTimeMS, which are added; borrowed. *ret_reply: the BSON document
 * in ctx's arena, for the readers below. Errors: those of the table in mongo_error.c, also of
 * single documents of a write, and ALREADY_EXISTS for a taken unique value; UNAVAILABLE at once
 * while the store is away; err->ambiguous: the write may have happened.
 */
enum comb_status comb_mongo_read(struct comb_mongo *mongo, struct comb_ctx *ctx,
                                 const bson_t *command, comb_str *ret_reply,
                                 struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_mongo_write(struct comb_mongo *mongo, struct comb_ctx *ctx,
                                  const bson_t *command, comb_str *ret_reply,
                                  struct comb_error *err) COMB_MUST_CHECK;

/* Connection, credentials, rights, and a durable write. Blocks. */
enum comb_status comb_mongo_check(struct comb_mongo *mongo, struct comb_ctx *ctx,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* Any thread, never blocks. */
void comb_mongo_status(struct comb_mongo *mongo, struct comb_store_status *ret_status);

/* For tests: called with each command of comb_mongo_read() and _write() as it is about to run, on
 * the caller's thread. Set it while no call is running; NULL: none. */
typedef void (*comb_mongo_observer)(void *data, const bson_t *command);
void comb_mongo_observe(struct comb_mongo *mongo, comb_mongo_observer observer, void *data);

/* ---- reading replies; documents are their bytes, borrowed ---- */

/* The bytes of a document of libbson's, which lies aligned for less than its type says: nobody else
 * looks into one. */
comb_str comb_mongo_view(const bson_t *document);
/* The member at a path such as "cursor.firstBatch"; false: there is none. */
bool comb_mongo_find(comb_str document, const char *path, bson_iter_t *ret_member) COMB_MUST_CHECK;
/* A number of any kind, cut to an integer; `otherwise` where there is none. */
int64_t comb_mongo_integer(comb_str document, const char *path, int64_t otherwise);
/* ptr is NULL where there is no text; zero-terminated. */
comb_str comb_mongo_text(comb_str document, const char *path);
/* ptr is NULL where there are no bytes. */
comb_str comb_mongo_bytes(comb_str document, const char *path);
/* ptr is NULL where there is no document. */
comb_str comb_mongo_document(comb_str document, const char *path);
/* Before the first item of the array at a path; false: there is none. */
bool comb_mongo_array(comb_str document, const char *path, bson_iter_t *ret_array) COMB_MUST_CHECK;
/* The next document in it; false: that was the last. */
bool comb_mongo_next(bson_iter_t *array, comb_str *ret_document) COMB_MUST_CHECK;

#endif
