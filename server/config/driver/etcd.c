/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The etcd driver. Below the URL's prefix:
 *
 * - config/v/PATH: the value: {"actor", "time_us", "value"}; its mod_revision is its revision
 * - config/h/PATH NUL ID: each state it had, the present one too; a deletion has no "value"
 * - config/r/KEY: the hash of a request that was done, under a lease of 24 to 26 hours
 * - config/m/NAME: a mark, as decimal text
 *
 * A change, its history and its request key are one transaction, which compares what must not have
 * changed: so it may be sent again where its answer is lost, and finds its own request key.
 */
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/etcd/etcd.h"
#include "server/config/config_driver.h"
#include "server/config/driver/etcd_entry.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/core/memory.h"
#include "server/core/uuid.h"

static const char domain[] = "config.etcd";

/* Request keys share a lease for two hours; it outlives their 24 hours. */
enum { LEASE_TTL_S = 26 * 3600, LEASE_SHARED_S = 2 * 3600 };
/* A change without `expected` is decided anew when others were faster. */
enum { ATTEMPTS_MAX = 8 };
/* What the observer is told at once. */
enum { EVENTS_BYTES_MAX = 512 << 20 };

struct etcd_store {
    struct comb_config_store base;
    struct comb_etcd *etcd;
    struct comb_etcd_watch *watch;
    struct comb_config_observer observer;
    pthread_mutex_t lock; /* of the lease */
    int64_t lease, lease_until_ns;
};

static struct etcd_store *of(struct comb_config_store *self)
{
    return (struct etcd_store *)self;
}

/* ---- keys ---- */

static ProtobufCBinaryData key_of(const struct etcd_store *store, struct comb_ctx *ctx,
                                  const char *kind, comb_str name)
{
    const char *text = grpcc_arena_printf(ctx->arena, "config/%s%.*s", kind, COMB_STR_ARG(name));
    return text ? comb_etcd_key(store->etcd, ctx->arena, comb_str_from(text))
                : (ProtobufCBinaryData){0};
}

static ProtobufCBinaryData value_key(const struct etcd_store *store, struct comb_ctx *ctx,
                                     comb_str path)
{
    return key_of(store, ctx, "v", path);
}

/* The beginning of all keys of a path's history: the NUL keeps "/a" and "/ab" apart. */
static ProtobufCBinaryData history_key(const struct etcd_store *store, struct comb_ctx *ctx,
                                       comb_str path)
{
    ProtobufCBinaryData key = key_of(store, ctx, "h", path);
    uint8_t *data = key.data ? grpcc_arena_zalloc(ctx->arena, key.len + 1) : NULL;

    if (!data)
        return (ProtobufCBinaryData){0};
    memcpy(data, key.data, key.len);
    return (ProtobufCBinaryData){.len = key.len + 1, .data = data};
}

static ProtobufCBinaryData new_history_key(const struct etcd_store *store, struct comb_ctx *ctx,
                                           comb_str path)
{
    ProtobufCBinaryData begin = history_key(store, ctx, path);
    struct comb_uuid id = comb_uuid_new();
    char text[COMB_UUID_TEXT_LENGTH + 1];
    uint8_t *data = begin.data ? grpcc_arena_alloc(ctx->arena, begin.len + sizeof text - 1) : NULL;

    if (!data)
        return (ProtobufCBinaryData){0};
    comb_uuid_format(&id, text);
    memcpy(data, begin.data, begin.len);
    memcpy(data + begin.len, text, sizeof text - 1);
    return (ProtobufCBinaryData){.len = begin.len + sizeof text - 1, .data = data};
}

/* The path in a key of a value; empty: it is none. */
static comb_str path_of(const struct etcd_store *store, ProtobufCBinaryData key)
{
    comb_str name = comb_etcd_key_name(store->etcd, key);
    comb_str kind = STR("config/v");

    if (!comb_str_starts_with(name, kind))
        return (comb_str){0};
    name = comb_str_of(name.ptr + kind.len, name.len - kind.len);
    return comb_config_path_is_valid(name) ? name : (comb_str){0};
}

static enum comb_status with_domain(enum comb_status status, struct comb_error *err)
{
    if (status != COMB_OK && err)
        err->domain = domain;
    return status;
}

/* ---- reading ---- */

static enum comb_status read_range(struct etcd_store *store, struct comb_ctx *ctx,
                                   ProtobufCBinaryData key, ProtobufCBinaryData end, int64_t limit,
                                   struct etcdserverpb_range_response **ret_response,
                                   struct comb_error *err)
{
    struct etcdserverpb_range_request *request = etcdserverpb_range_request_new(ctx->arena);

    if (!request || !key.data)
        return comb_error_no_memory(err);
    request->key = key;
    request->range_end = end;
    request->limit = limit;
    return comb_etcd_range(store->etcd, ctx, request, ret_response, err);
}

static enum comb_status etcd_get(struct comb_config_store *self, struct comb_ctx *ctx,
                                 comb_str path, struct comb_config_entry *ret_entry,
                                 struct comb_error *err)
{
    struct etcd_store *store = of(self);
    struct etcdserverpb_range_response *response = NULL;
    enum comb_status status = read_range(store, ctx, value_key(store, ctx, path),
                                         (ProtobufCBinaryData){0}, 1, &response, err);

    if (status == COMB_OK && response->n_kvs == 0)
        status = comb_error_set(err, COMB_NOT_FOUND, 0, "%.*s has no value", COMB_STR_ARG(path));
    if (status == COMB_OK)
        status = config_etcd_entry(ctx->arena, path, response->kvs[0], ret_entry, err);
    return with_domain(status, err);
}

static enum comb_status etcd_list(struct comb_config_store *self, struct comb_ctx *ctx,
                                  comb_str prefix, comb_str after, size_t limit,
                                  struct comb_config_entries *ret_entries, struct comb_error *err)
{
    struct etcd_store *store = of(self);
    struct etcdserverpb_range_response *response = NULL;
    ProtobufCBinaryData begin = value_key(store, ctx, prefix), end = {0};
    struct comb_config_entry *items = grpcc_arena_calloc(ctx->arena, limit + 1, sizeof *items);
    size_t n = 0;

    if (begin.data)
        end = comb_etcd_key_end(ctx->arena, begin);
    if (after.len > 0 && comb_str_compare(after, prefix) > 0) {
        /* Behind it is the smallest key that is longer: the same and a zero. */
        begin = value_key(store, ctx, after);
        uint8_t *data = begin.data ? grpcc_arena_zalloc(ctx->arena, begin.len + 1) : NULL;
        if (data)
            memcpy(data, begin.data, begin.len);
        begin = (ProtobufCBinaryData){.len = begin.len + 1, .data = data};
    }
    if (!begin.data || !end.data || !items)
        return comb_error_no_memory(err);
    enum comb_status status = read_range(store, ctx, begin, end, (int64_t)limit, &response, err);
    for (size_t i = 0; status == COMB_OK && i < response->n_kvs; i++) {
        comb_str path = path_of(store, response->kvs[i]->key);
        /* What somebody else has put there is none of ours. */
        if (path.len > 0 &&
            config_etcd_entry(ctx->arena, path, response->kvs[i], &items[n], NULL) == COMB_OK)
            n++;
    }
    if (status == COMB_OK)
        *ret_entries = (struct comb_config_entries){
            .items = items, .n = n, .more = response->more, .revision = response->header->revision};
    return with_domain(status, err);
}

static int newest_first(const void *a, const void *b)
{
    const struct comb_config_entry *first = a, *second = b;
    return (first->revision < second->revision) - (first->revision > second->revision);
}

static enum comb_status read_history(struct etcd_store *store, struct comb_ctx *ctx, comb_str path,
                                     bool keys_only,
                                     struct etcdserverpb_range_response **ret_response,
                                     struct comb_error *err)
{
    struct etcdserverpb_range_request *request = etcdserverpb_range_request_new(ctx->arena);
    ProtobufCBinaryData begin = history_key(store, ctx, path);

    if (!request || !begin.data)
        return comb_error_no_memory(err);
    request->key = begin;
    request->range_end = comb_etcd_key_end(ctx->arena, begin);
    request->keys_only = keys_only;
    if (!request->range_end.data)
        return comb_error_no_memory(err);
    return comb_etcd_range(store->etcd, ctx, request, ret_response, err);
}

static enum comb_status etcd_history(struct comb_config_store *self, struct comb_ctx *ctx,
                                     comb_str path, int64_t before, size_t limit,
                                     struct comb_config_entries *ret_entries,
                                     struct comb_error *err)
{
    struct etcdserverpb_range_response *response = NULL;
    enum comb_status status = read_history(of(self), ctx, path, false, &response, err);

    if (status != COMB_OK)
        return with_domain(status, err);
    struct comb_config_entry *items =
        grpcc_arena_calloc(ctx->arena, response->n_kvs + 1, sizeof *items);
    size_t n = 0;
    if (!items)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < response->n_kvs; i++) {
        if ((before == 0 || response->kvs[i]->mod_revision < before) &&
            config_etcd_entry(ctx->arena, path, response->kvs[i], &items[n], NULL) == COMB_OK)
            n++;
    }
    qsort(items, n, sizeof *items, newest_first);
    if (n > COMB_CONFIG_HISTORY_MAX)
        n = COMB_CONFIG_HISTORY_MAX;
    *ret_entries = (struct comb_config_entries){.items = items,
                                                .n = n < limit ? n : limit,
                                                .more = n > limit,
                                                .revision = response->header->revision};
    return COMB_OK;
}

/* ---- writing ---- */

/* A lease for the request keys of the next hours. */
static enum comb_status request_lease(struct etcd_store *store, struct comb_ctx *ctx,
                                      int64_t *ret_lease, struct comb_error *err)
{
    int64_t now_ns = comb_clock_boottime_ns(), ttl_s, lease;

    pthread_mutex_lock(&store->lock);
    *ret_lease = store->lease_until_ns > now_ns ? store->lease : 0;
    pthread_mutex_unlock(&store->lock);
    if (*ret_lease)
        return COMB_OK;
    enum comb_status status =
        comb_etcd_lease_grant(store->etcd, ctx, LEASE_TTL_S, &lease, &ttl_s, err);
    if (status != COMB_OK)
        return status;
    pthread_mutex_lock(&store->lock);
    store->lease = *ret_lease = lease;
    store->lease_until_ns = now_ns + LEASE_SHARED_S * COMB_NS_PER_S;
    pthread_mutex_unlock(&store->lock);
    return COMB_OK;
}

static void forget_lease(struct etcd_store *store)
{
    pthread_mutex_lock(&store->lock);
    store->lease_until_ns = 0;
    pthread_mutex_unlock(&store->lock);
}

/* One batch on its way. */
struct writing {
    struct etcd_store *store;
    struct comb_ctx *ctx;
    const struct comb_config_batch *batch;
    ProtobufCBinaryData request_key;
    ProtobufCBinaryData keys[COMB_CONFIG_CHANGES_MAX];
    int64_t revisions[COMB_CONFIG_CHANGES_MAX]; /* now; 0: no value */
    int64_t time_us;
};

/* What the failure branch of the transaction reads, and an own read before it: the request key at
 * first, then all paths. */
static enum comb_status look(struct writing *writing, struct etcdserverpb_response_op *const *ops,
                             struct comb_config_outcome *ret_outcome, struct comb_error *err)
{
    const struct comb_config_batch *batch = writing->batch;
    const struct etcdserverpb_range_response *request = ops[0]->range;

    if (request->n_kvs > 0) {
        const struct etcdserverpb_key_value *kv = request->kvs[0];
        if (kv->value.len != sizeof batch->hash ||
            memcmp(kv->value.data, batch->hash, sizeof batch->hash) != 0)
            return comb_error_set_subject(err, COMB_INVALID_ARGUMENT,
                                          COMB_V1_ERROR_REASON_REQUEST_ID_REUSED, "request_id",
                                          "the request id was used with another request");
        *ret_outcome = (struct comb_config_outcome){.revision = kv->mod_revision, .replayed = true};
        return COMB_OK;
    }
    for (size_t i = 0; i < batch->n; i++) {
        const struct etcdserverpb_range_response *range = ops[i + 1]->range;
        const struct comb_config_change *change = &batch->changes[i];
        writing->revisions[i] = range->n_kvs > 0 ? range->kvs[0]->mod_revision : 0;
        if (change->has_expected && change->expected != writing->revisions[i])
            return comb_error_set_subject(
                err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_ETAG_MISMATCH,
                grpcc_arena_strndup(writing->ctx->arena, change->path.ptr, change->path.len),
                "%.*s has revision %" PRId64 ", not %" PRId64, COMB_STR_ARG(change->path),
                writing->revisions[i], change->expected);
    }
    return COMB_OK;
}

static bool add_change(struct writing *writing, struct etcdserverpb_txn_request *txn, size_t i)
{
    const struct comb_config_change *change = &writing->batch->changes[i];
    struct grpcc_arena *arena = writing->ctx->arena;

    if (!comb_etcd_txn_compare(arena, txn, writing->keys[i], COMB_ETCD_MODIFIED,
                               writing->revisions[i]))
        return false;
    if (change->compare_only || (!change->value.ptr && writing->revisions[i] == 0))
        return true;
    comb_str text = config_etcd_text(arena, change->value, writing->time_us, writing->batch->actor);
    if (!text.ptr)
        return false;
    if (change->value.ptr ? !comb_etcd_txn_put(arena, txn, writing->keys[i], text, 0)
                          : !comb_etcd_txn_delete(arena, txn, writing->keys[i]))
        return false;
    return comb_etcd_txn_put(arena, txn,
                             new_history_key(writing->store, writing->ctx, change->path), text, 0);
}

static bool add_reads(const struct writing *writing, struct etcdserverpb_txn_request *txn)
{
    struct grpcc_arena *arena = writing->ctx->arena;

    if (!comb_etcd_txn_else_get(arena, txn, writing->request_key))
        return false;
    for (size_t i = 0; i < writing->batch->n; i++) {
        if (!comb_etcd_txn_else_get(arena, txn, writing->keys[i]))
            return false;
    }
    return true;
}

/* The transaction on what is known; lease 0: it only reads, since its condition never holds. */
static struct etcdserverpb_txn_request *make_txn(struct writing *writing, int64_t lease)
{
    struct grpcc_arena *arena = writing->ctx->arena;
    struct etcdserverpb_txn_request *txn = etcdserverpb_txn_request_new(arena);
    comb_str hash = comb_str_of(writing->batch->hash, sizeof writing->batch->hash);

    if (!txn || !add_reads(writing, txn) ||
        !comb_etcd_txn_compare(arena, txn, writing->request_key, COMB_ETCD_CREATED, lease ? 0 : -1))
        return NULL;
    if (!lease)
        return txn;
    for (size_t i = 0; i < writing->batch->n; i++) {
        if (!add_change(writing, txn, i))
            return NULL;
    }
    return comb_etcd_txn_put(arena, txn, writing->request_key, hash, lease) ? txn : NULL;
}

/* One attempt. ABORTED: others were faster, and writing knows what is now. */
static enum comb_status attempt(struct writing *writing, int64_t lease,
                                struct comb_config_outcome *ret_outcome, struct comb_error *err)
{
    struct etcdserverpb_txn_request *txn = make_txn(writing, lease);
    struct etcdserverpb_txn_response *response = NULL;
    struct comb_config_outcome outcome = {0};

    if (!txn)
        return comb_error_no_memory(err);
    enum comb_status status =
        comb_etcd_txn(writing->store->etcd, writing->ctx, txn, true, &response, err);
    if (status != COMB_OK)
        return status;
    if (response->succeeded) {
        ret_outcome->revision = response->header->revision;
        return COMB_OK;
    }
    if (response->n_responses != writing->batch->n + 1)
        return comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                              "etcd answers a transaction with %zu parts", response->n_responses);
    status = look(writing, response->responses, &outcome, err);
    if (status == COMB_OK && outcome.replayed)
        *ret_outcome = outcome;
    else if (status == COMB_OK)
        status = comb_error_set(err, COMB_ABORTED, COMB_V1_ERROR_REASON_CONTENTION,
                                "others change the same paths all the time; try again");
    return status;
}

/* Deletes what a path's history has too much. What fails is done with the next change. */
static void trim_history(struct etcd_store *store, struct comb_ctx *ctx, comb_str path)
{
    struct etcdserverpb_range_response *response = NULL;

    if (read_history(store, ctx, path, true, &response, NULL) != COMB_OK ||
        response->n_kvs <= COMB_CONFIG_HISTORY_MAX)
        return;
    struct etcdserverpb_txn_request *txn = etcdserverpb_txn_request_new(ctx->arena);
    struct etcdserverpb_txn_response *done = NULL;
    size_t n = response->n_kvs, surplus = n - COMB_CONFIG_HISTORY_MAX;
    if (surplus > COMB_ETCD_OPERATIONS_MAX)
        surplus = COMB_ETCD_OPERATIONS_MAX;
    /* The oldest in turn; a page has few more than the limit. */
    for (size_t i = 0; txn && i < surplus; i++) {
        size_t oldest = i;
        for (size_t k = i + 1; k < n; k++) {
            if (response->kvs[k]->mod_revision < response->kvs[oldest]->mod_revision)
                oldest = k;
        }
        struct etcdserverpb_key_value *kv = response->kvs[oldest];
        response->kvs[oldest] = response->kvs[i];
        response->kvs[i] = kv;
        if (!comb_etcd_txn_delete(ctx->arena, txn, kv->key))
            return;
    }
    if (txn)
        (void)!comb_etcd_txn(store->etcd, ctx, txn, true, &done, NULL);
}

static enum comb_status begin(struct writing *writing, struct comb_error *err)
{
    const struct comb_config_batch *batch = writing->batch;

    writing->request_key = key_of(writing->store, writing->ctx, "r/", batch->request);
    writing->time_us = comb_clock_wall_us();
    for (size_t i = 0; i < batch->n; i++) {
        writing->keys[i] = value_key(writing->store, writing->ctx, batch->changes[i].path);
        if (!writing->keys[i].data)
            return comb_error_no_memory(err);
        /* An expectation is as good as a look. */
        if (batch->changes[i].has_expected)
            writing->revisions[i] = batch->changes[i].expected;
    }
    return writing->request_key.data ? COMB_OK : comb_error_no_memory(err);
}

static bool all_expected(const struct comb_config_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        if (!batch->changes[i].has_expected)
            return false;
    }
    return true;
}

static enum comb_status apply(struct writing *writing, struct comb_config_outcome *ret_outcome,
                              struct comb_error *err)
{
    enum comb_status status = begin(writing, err);
    bool ambiguous = false;
    int64_t lease = 0;

    if (status == COMB_OK && !all_expected(writing->batch)) {
        status = attempt(writing, 0, ret_outcome, err);
        if (status == COMB_OK)
            return status;
        status = status == COMB_ABORTED ? COMB_OK : status;
    }
    for (int i = 0; i < ATTEMPTS_MAX && status == COMB_OK; i++) {
        status = request_lease(writing->store, writing->ctx, &lease, err);
        if (status == COMB_OK)
            status = attempt(writing, lease, ret_outcome, err);
        if (status == COMB_OK)
            return status;
        ambiguous |= err->ambiguous;
        /* A lease that etcd has lost: restored from a backup, or another cluster. */
        if (status == COMB_NOT_FOUND)
            forget_lease(writing->store);
        if ((status == COMB_ABORTED || status == COMB_NOT_FOUND) && i + 1 < ATTEMPTS_MAX)
            status = COMB_OK;
    }
    err->ambiguous = ambiguous;
    err->retryable |= status == COMB_ABORTED;
    return status;
}

static enum comb_status etcd_apply(struct comb_config_store *self, struct comb_ctx *ctx,
                                   const struct comb_config_batch *batch,
                                   struct comb_config_outcome *ret_outcome, struct comb_error *err)
{
    struct writing writing = {.store = of(self), .ctx = ctx, .batch = batch};
    struct comb_config_outcome outcome = {0};
    struct comb_error local = {0};
    enum comb_status status = apply(&writing, &outcome, &local);

    if (status != COMB_OK) {
        if (err)
            *err = local;
        return with_domain(status, err);
    }
    for (size_t i = 0; !outcome.replayed && i < batch->n; i++) {
        if (!batch->changes[i].compare_only)
            trim_history(of(self), ctx, batch->changes[i].path);
    }
    *ret_outcome = outcome;
    return COMB_OK;
}

/* ---- marks ---- */

static enum comb_status read_mark(struct etcd_store *store, struct comb_ctx *ctx,
                                  ProtobufCBinaryData key, uint64_t *ret_value,
                                  int64_t *ret_revision, struct comb_error *err)
{
    struct etcdserverpb_range_response *response = NULL;
    enum comb_status status =
        read_range(store, ctx, key, (ProtobufCBinaryData){0}, 1, &response, err);

    if (status != COMB_OK)
        return status;
    *ret_value = 0;
    *ret_revision = 0;
    if (response->n_kvs == 0)
        return COMB_OK;
    const char *text = comb_str_dup(ctx->arena, comb_etcd_str(response->kvs[0]->value));
    char *end = NULL;
    if (!text)
        return comb_error_no_memory(err);
    *ret_value = strtoull(text, &end, 10);
    *ret_revision = response->kvs[0]->mod_revision;
    if (end == text || *end)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a mark in etcd is not a number");
    return COMB_OK;
}

static enum comb_status etcd_mark(struct comb_config_store *self, struct comb_ctx *ctx,
                                  comb_str name, uint64_t value, uint64_t *ret_highest,
                                  struct comb_error *err)
{
    struct etcd_store *store = of(self);
    ProtobufCBinaryData key = key_of(store, ctx, "m/", name);
    const char *text = grpcc_arena_printf(ctx->arena, "%" PRIu64, value);
    uint64_t is = 0;
    int64_t revision = 0;

    if (!key.data || !text)
        return comb_error_no_memory(err);
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        struct etcdserverpb_txn_request *txn = etcdserverpb_txn_request_new(ctx->arena);
        struct etcdserverpb_txn_response *response = NULL;
        enum comb_status status = read_mark(store, ctx, key, &is, &revision, err);
        if (status == COMB_OK && is >= value) {
            *ret_highest = is;
            return COMB_OK;
        }
        if (status == COMB_OK &&
            (!txn || !comb_etcd_txn_compare(ctx->arena, txn, key, COMB_ETCD_MODIFIED, revision) ||
             !comb_etcd_txn_put(ctx->arena, txn, key, comb_str_from(text), 0)))
            status = comb_error_no_memory(err);
        /* Repeatable: a second time its condition does not hold, and it is read again. */
        if (status == COMB_OK)
            status = comb_etcd_txn(store->etcd, ctx, txn, true, &response, err);
        if (status != COMB_OK)
            return with_domain(status, err);
        if (response->succeeded) {
            *ret_highest = value;
            return COMB_OK;
        }
    }
    return with_domain(comb_error_set(err, COMB_ABORTED, COMB_V1_ERROR_REASON_CONTENTION,
                                      "others raise the same mark all the time"),
                       err);
}

/* ---- watch ---- */

static bool on_everything(void *self, struct etcdserverpb_key_value *const *kvs, size_t n,
                          int64_t revision)
{
    struct etcd_store *store = self;
    struct grpcc_arena *arena = grpcc_arena_new(EVENTS_BYTES_MAX);
    struct comb_config_entry *entries =
        arena ? grpcc_arena_calloc(arena, n + 1, sizeof *entries) : NULL;
    size_t n_entries = 0;

    for (size_t i = 0; entries && i < n; i++) {
        comb_str path = path_of(store, kvs[i]->key);
        if (path.len > 0 &&
            config_etcd_entry(arena, path, kvs[i], &entries[n_entries], NULL) == COMB_OK)
            n_entries++;
    }
    bool taken =
        entries && store->observer.everything(store->observer.self, entries, n_entries, revision);
    grpcc_arena_free(arena);
    return taken;
}

static bool on_changed(void *self, struct etcdserverpb_event *const *events, size_t n,
                       int64_t revision)
{
    enum { EVENT_DELETE = 1 };
    struct etcd_store *store = self;
    struct grpcc_arena *arena = grpcc_arena_new(EVENTS_BYTES_MAX);
    struct comb_config_entry *entries =
        arena ? grpcc_arena_calloc(arena, n + 1, sizeof *entries) : NULL;
    size_t n_entries = 0;

    for (size_t i = 0; entries && i < n; i++) {
        const struct etcdserverpb_key_value *kv = events[i]->kv;
        comb_str path = path_of(store, kv->key);
        if (path.len > 0 && events[i]->type == EVENT_DELETE)
            entries[n_entries++] =
                (struct comb_config_entry){.path = path, .revision = kv->mod_revision};
        else if (path.len > 0 &&
                 config_etcd_entry(arena, path, kv, &entries[n_entries], NULL) == COMB_OK)
            n_entries++;
    }
    bool taken =
        entries && (n_entries == 0 ||
                    store->observer.changed(store->observer.self, entries, n_entries, revision));
    grpcc_arena_free(arena);
    return taken;
}

static void on_state(void *self, const struct comb_error *err)
{
    struct etcd_store *store = self;
    store->observer.state(store->observer.self, err);
}

static enum comb_status etcd_watch(struct comb_config_store *self,
                                   const struct comb_config_observer *observer,
                                   struct comb_error *err)
{
    struct etcd_store *store = of(self);
    const struct comb_etcd_watcher watcher = {
        .everything = on_everything, .changed = on_changed, .state = on_state, .self = store};

    comb_etcd_watch_close(store->watch);
    store->watch = NULL;
    if (!observer)
        return COMB_OK;
    store->observer = *observer;
    return with_domain(
        comb_etcd_watch_open(store->etcd, STR("config/v/"), &watcher, &store->watch, err), err);
}

/* ---- the rest ---- */

static enum comb_status etcd_check(struct comb_config_store *self, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    return with_domain(comb_etcd_check(of(self)->etcd, ctx, err), err);
}

static void etcd_status(struct comb_config_store *self, struct comb_store_status *ret_status)
{
    comb_etcd_status(of(self)->etcd, ret_status);
}

static void etcd_close(struct comb_config_store *self)
{
    struct etcd_store *store = of(self);

    comb_etcd_watch_close(store->watch);
    comb_etcd_close(store->etcd);
    pthread_mutex_destroy(&store->lock);
    comb_memory_free(store);
}

static const struct comb_config_driver driver = {.name = "etcd",
                                                 .caps = COMB_CONFIG_CAP_SHARED,
                                                 .get = etcd_get,
                                                 .list = etcd_list,
                                                 .apply = etcd_apply,
                                                 .history = etcd_history,
                                                 .mark = etcd_mark,
                                                 .watch = etcd_watch,
                                                 .check = etcd_check,
                                                 .status = etcd_status,
                                                 .close = etcd_close};

enum comb_status comb_config_etcd_open(const struct comb_store_options *options,
                                       struct comb_config_store **ret_store, struct comb_error *err)
{
    struct etcd_store *store = comb_memory_zalloc(sizeof *store);

    if (!store)
        return comb_error_no_memory(err);
    store->base.driver = &driver;
    pthread_mutex_init(&store->lock, NULL);
    enum comb_status status = comb_etcd_open(options, &store->etcd, err);
    if (status == COMB_OK)
        *ret_store = &store->base;
    else
        etcd_close(&store->base);
    return with_domain(status, err);
}
