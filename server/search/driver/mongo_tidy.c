/* SPDX-License-Identifier: Apache-2.0 */
/* What takes documents out of the search index in MongoDB, a bounded number at a time: ids are
 * asked for by an index, then each is changed where it is still what was asked for. */
#include "server/core/clock.h"
#include "server/search/driver/mongo_internal.h"

/* {find, filter: ?, projection: {_id, e, f, b}, sort: {member: 1}, limit}; filter is taken. */
static bson_t *find_command(bson_t *filter, const char *member, size_t max)
{
    bson_t *command = bson_new(), projection, sort;
    bson_append_utf8(command, "find", -1, SEARCH_MONGO_COLLECTION, -1);
    bson_append_document(command, "filter", -1, filter);
    bson_destroy(filter);
    bson_append_document_begin(command, "projection", -1, &projection);
    bson_append_int32(&projection, "e", -1, 1);
    bson_append_int32(&projection, "f", -1, 1);
    bson_append_int32(&projection, "b", -1, 1);
    bson_append_document_end(command, &projection);
    bson_append_document_begin(command, "sort", -1, &sort);
    bson_append_int32(&sort, member, -1, 1);
    bson_append_document_end(command, &sort);
    bson_append_int64(command, "limit", -1, (int64_t)max);
    bson_append_int64(command, "batchSize", -1, (int64_t)max);
    bson_append_bool(command, "singleBatch", -1, true);
    return command;
}

struct found {
    struct comb_uuid *ids;
    int64_t *epochs;
    bool *are_folders, *are_marked;
    size_t n;
};

static enum comb_status find_some(struct comb_search_store *self, struct comb_ctx *ctx,
                                  bson_t *filter, const char *member, size_t max,
                                  struct found *ret_found, struct comb_error *err)
{
    struct found found = {grpcc_arena_calloc(ctx->arena, max, sizeof *found.ids),
                          grpcc_arena_calloc(ctx->arena, max, sizeof *found.epochs),
                          grpcc_arena_calloc(ctx->arena, max, sizeof *found.are_folders),
                          grpcc_arena_calloc(ctx->arena, max, sizeof *found.are_marked), 0};
    bson_t *command = find_command(filter, member, max);
    comb_str reply, document;
    bson_iter_t batch;
    enum comb_status status =
        found.ids && found.epochs && found.are_folders && found.are_marked
            ? comb_mongo_read(search_mongo_of(self), ctx, command, &reply, err)
            : comb_error_no_memory(err);
    bson_destroy(command);
    if (status != COMB_OK)
        return status;
    if (!comb_mongo_array(reply, "cursor.firstBatch", &batch))
        return comb_error_set(err, COMB_INTERNAL, 0, "MongoDB gave no documents");
    while (found.n < max && comb_mongo_next(&batch, &document)) {
        if (!search_mongo_id_at(document, "_id", &found.ids[found.n]))
            continue;
        found.epochs[found.n] = comb_mongo_integer(document, "e", 0);
        found.are_folders[found.n] = comb_mongo_integer(document, "f", 0) != 0;
        found.are_marked[found.n] = comb_mongo_integer(document, "b", 0) != 0;
        found.n++;
    }
    *ret_found = found;
    return COMB_OK;
}

static void add_range(bson_t *to, const char *member, const char *operator, int64_t limit)
{
    bson_t range;
    bson_append_document_begin(to, member, -1, &range);
    bson_append_int64(&range, operator, - 1, limit);
    bson_append_document_end(to, &range);
}

/* Runs an update or delete of n documents; items is taken. */
static enum comb_status write_items(struct comb_search_store *self, struct comb_ctx *ctx,
                                    const char *verb, const char *key, bson_t *items, size_t n,
                                    size_t *ret_n, struct comb_error *err)
{
    bson_t *command = bson_new();
    enum comb_status status = COMB_OK;
    comb_str reply;
    bson_append_utf8(command, verb, -1, SEARCH_MONGO_COLLECTION, -1);
    bson_append_bool(command, "ordered", -1, false);
    bson_append_array(command, key, -1, items);
    bson_destroy(items);
    *ret_n = 0;
    if (n > 0)
        status = comb_mongo_write(search_mongo_of(self), ctx, command, &reply, err);
    if (n > 0 && status == COMB_OK)
        *ret_n = (size_t)comb_mongo_integer(reply, "n", 0);
    bson_destroy(command);
    return status;
}

/* u of a document that becomes a tombstone; epoch 0: its own stays. */
static void add_death(bson_t *one, int64_t epoch, int64_t revision, bool is_folder)
{
    bson_t update, set;
    bson_append_document_begin(one, "u", -1, &update);
    bson_append_document_begin(&update, "$set", -1, &set);
    if (epoch > 0)
        bson_append_int64(&set, "e", -1, epoch);
    bson_append_int64(&set, "r", -1, revision);
    bson_append_int64(&set, "d", -1, comb_clock_wall_us());
    if (is_folder)
        bson_append_int64(&set, "b", -1, 1);
    bson_append_document_end(&update, &set);
    search_mongo_add_unset(&update, search_mongo_dead_members,
                           SEARCH_MONGO_DEAD_MEMBERS - (is_folder ? 1 : 0));
    bson_append_document_end(one, &update);
}

enum comb_status search_mongo_sweep(struct comb_search_store *self, struct comb_ctx *ctx,
                                    uint64_t epoch, size_t max, size_t *ret_n,
                                    struct comb_error *err)
{
    bson_t *filter = bson_new(), *updates, one, query;
    char buffer[SEARCH_MONGO_KEY_SIZE];
    struct found found;
    bson_append_int64(filter, "d", -1, 0);
    add_range(filter, "e", "$lt", (int64_t)epoch);
    enum comb_status status = find_some(self, ctx, filter, "e", max, &found, err);
    if (status != COMB_OK)
        return status;
    updates = bson_new();
    for (uint32_t i = 0; i < found.n; i++) {
        bson_append_document_begin(updates, search_mongo_key(i, buffer), -1, &one);
        bson_append_document_begin(&one, "q", -1, &query);
        search_mongo_add_id(&query, "_id", &found.ids[i]);
        bson_append_int64(&query, "d", -1, 0);
        add_range(&query, "e", "$lt", (int64_t)epoch);
        bson_append_document_end(&one, &query);
        add_death(&one, (int64_t)epoch, 0, false);
        bson_append_document_end(updates, &one);
    }
    return write_items(self, ctx, "update", "updates", updates, found.n, ret_n, err);
}

enum comb_status search_mongo_purge(struct comb_search_store *self, struct comb_ctx *ctx,
                                    int64_t age_us, size_t max, size_t *ret_n,
                                    struct comb_error *err)
{
    int64_t until_us = comb_clock_wall_us() - age_us;
    bson_t *filter = bson_new(), *deletes, one, query, range;
    char buffer[SEARCH_MONGO_KEY_SIZE];
    uint32_t n = 0;
    struct found found;
    bson_append_document_begin(filter, "d", -1, &range);
    bson_append_int64(&range, "$gt", -1, 0);
    bson_append_int64(&range, "$lt", -1, until_us);
    bson_append_document_end(filter, &range);
    enum comb_status status = find_some(self, ctx, filter, "d", max, &found, err);
    if (status != COMB_OK)
        return status;
    deletes = bson_new();
    for (uint32_t i = 0; i < found.n; i++) {
        if (found.are_marked[i])
            continue;
        bson_append_document_begin(deletes, search_mongo_key(n++, buffer), -1, &one);
        bson_append_document_begin(&one, "q", -1, &query);
        search_mongo_add_id(&query, "_id", &found.ids[i]);
        /* It may have become a document meanwhile. */
        bson_append_document_begin(&query, "d", -1, &range);
        bson_append_int64(&range, "$gt", -1, 0);
        bson_append_int64(&range, "$lt", -1, until_us);
        bson_append_document_end(&query, &range);
        bson_append_document_end(&one, &query);
        bson_append_int32(&one, "limit", -1, 1);
        bson_append_document_end(deletes, &one);
    }
    return write_items(self, ctx, "delete", "deletes", deletes, n, ret_n, err);
}

enum comb_status search_mongo_sweep_content(struct comb_search_store *self, struct comb_ctx *ctx,
                                            uint64_t epoch, size_t max, size_t *ret_n,
                                            struct comb_error *err)
{
    bson_t *filter = bson_new();
    struct found found;
    add_range(filter, "k", "$lt", (int64_t)epoch);
    if (max > COMB_SEARCH_PUT_MAX)
        max = COMB_SEARCH_PUT_MAX;
    enum comb_status status = find_some(self, ctx, filter, "k", max, &found, err);
    if (status == COMB_OK && found.n > 0)
        status = search_mongo_drop_contents(self, ctx, found.ids, found.n, epoch, err);
    if (status == COMB_OK)
        *ret_n = found.n;
    return status;
}

/* ---- what lies below tombstones of folders ---- */

static enum comb_status kill_children(struct comb_search_store *self, struct comb_ctx *ctx,
                                      const struct comb_uuid *parent, int64_t epoch,
                                      const struct found *children, size_t *ret_n,
                                      struct comb_error *err)
{
    bson_t *updates = bson_new(), one, query;
    char buffer[SEARCH_MONGO_KEY_SIZE];
    for (uint32_t i = 0; i < children->n; i++) {
        bson_append_document_begin(updates, search_mongo_key(i, buffer), -1, &one);
        bson_append_document_begin(&one, "q", -1, &query);
        search_mongo_add_id(&query, "_id", &children->ids[i]);
        search_mongo_add_id(&query, "p", parent);
        /* Not those that a rebuild has made since. */
        add_range(&query, "e", "$lte", epoch);
        bson_append_document_end(&one, &query);
        add_death(&one, 0, (int64_t)COMB_SEARCH_REVISION_GONE, children->are_folders[i]);
        bson_append_document_end(updates, &one);
    }
    return write_items(self, ctx, "update", "updates", updates, children->n, ret_n, err);
}

static enum comb_status unmark(struct comb_search_store *self, struct comb_ctx *ctx,
                               const struct comb_uuid *id, size_t *ret_n, struct comb_error *err)
{
    static const char *const mark[] = {"b"};
    bson_t *updates = bson_new(), one, query, update;
    bson_append_document_begin(updates, "0", -1, &one);
    bson_append_document_begin(&one, "q", -1, &query);
    search_mongo_add_id(&query, "_id", id);
    bson_append_document_end(&one, &query);
    bson_append_document_begin(&one, "u", -1, &update);
    search_mongo_add_unset(&update, mark, 1);
    bson_append_document_end(&one, &update);
    bson_append_document_end(updates, &one);
    return write_items(self, ctx, "update", "updates", updates, 1, ret_n, err);
}

enum comb_status search_mongo_prune(struct comb_search_store *self, struct comb_ctx *ctx,
                                    size_t max, size_t *ret_n, struct comb_error *err)
{
    bson_t *filter = bson_new();
    struct found marked, children;
    size_t n = 0, unmarked = 0;
    bson_append_int64(filter, "b", -1, 1);
    enum comb_status status = find_some(self, ctx, filter, "_id", 1, &marked, err);
    if (status != COMB_OK)
        return status;
    if (marked.n == 0) {
        *ret_n = 0;
        return COMB_OK;
    }
    filter = bson_new();
    search_mongo_add_id(filter, "p", &marked.ids[0]);
    status = find_some(self, ctx, filter, "_id", max, &children, err);
    if (status == COMB_OK)
        status = kill_children(self, ctx, &marked.ids[0], marked.epochs[0], &children, &n, err);
    if (status == COMB_OK && children.n < max)
        status = unmark(self, ctx, &marked.ids[0], &unmarked, err);
    if (status == COMB_OK)
        *ret_n = n + 1;
    return status;
}
