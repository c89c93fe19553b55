/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry in etcd: an entry is the key PREFIX/registry/SERVICE/ID under a lease of its own,
 * whose end etcd sees to. The lease's number stands with the key, so any replica may prolong it.
 */
#include "server/backend/etcd/etcd.h"
#include "server/core/memory.h"
#include "server/registry/registry_driver.h"

#define FOLDER "registry/"
#define EVENT_DELETE 1

struct etcd {
    struct comb_registry base;
    struct comb_etcd *etcd;
    struct comb_etcd_watch *watch; /* NULL: none */
    struct comb_registry_watcher watcher;
};

static ProtobufCBinaryData key_of(const struct etcd *self, struct grpcc_arena *arena,
                                  comb_str service, comb_str id)
{
    char *name =
        grpcc_arena_printf(arena, FOLDER "%.*s/%.*s", COMB_STR_ARG(service), COMB_STR_ARG(id));
    return name ? comb_etcd_key(self->etcd, arena, comb_str_from(name)) : (ProtobufCBinaryData){0};
}

/* Service and id of a key; false: it is none of ours. */
static bool read_key(const struct etcd *self, ProtobufCBinaryData key,
                     struct comb_registry_entry *ret_entry)
{
    comb_str name = comb_etcd_key_name(self->etcd, key);
    size_t skip = sizeof FOLDER - 1;
    const char *slash = name.len > skip ? memchr(name.ptr + skip, '/', name.len - skip) : NULL;
    if (!slash)
        return false;
    ret_entry->service = comb_str_of(name.ptr + skip, (size_t)(slash - name.ptr) - skip);
    ret_entry->id = comb_str_of(slash + 1, name.len - (size_t)(slash + 1 - name.ptr));
    return ret_entry->service.len > 0 && ret_entry->service.len <= COMB_REGISTRY_NAME_BYTES_MAX &&
           ret_entry->id.len > 0 && ret_entry->id.len <= COMB_REGISTRY_NAME_BYTES_MAX;
}

/* ---- entries ---- */

static enum comb_status etcd_put(struct comb_registry *registry, struct comb_ctx *ctx,
                                 const struct comb_registry_entry *entry, uint32_t ttl_ms,
                                 uint32_t *ret_ttl_ms, struct comb_error *err)
{
    struct etcd *self = (struct etcd *)registry;
    ProtobufCBinaryData key = key_of(self, ctx->arena, entry->service, entry->id);
    struct etcdserverpb_txn_request *txn = etcdserverpb_txn_request_new(ctx->arena);
    struct etcdserverpb_txn_response *response;
    int64_t lease = 0, ttl_s = 0;
    if (!key.data || !txn)
        return comb_error_no_memory(err);
    enum comb_status status =
        comb_etcd_lease_grant(self->etcd, ctx, (ttl_ms + 999) / 1000, &lease, &ttl_s, err);
    if (status != COMB_OK)
        return status;
    if (!comb_etcd_txn_put(ctx->arena, txn, key, entry->body, lease))
        return comb_error_no_memory(err);
    /* Where it fails, the new lease ends unused; the one before ends unused where it does not. */
    status = comb_etcd_txn(self->etcd, ctx, txn, true, &response, err);
    if (status == COMB_OK)
        *ret_ttl_ms = (uint32_t)(ttl_s * 1000);
    return status;
}

static enum comb_status not_there(comb_str service, comb_str id, struct comb_error *err)
{
    return comb_error_set(err, COMB_NOT_FOUND, 0,
                          "%.*s/%.*s is not in the registry: its lease may have ended; register "
                          "again",
                          COMB_STR_ARG(service), COMB_STR_ARG(id));
}

static enum comb_status etcd_heartbeat(struct comb_registry *registry, struct comb_ctx *ctx,
                                       comb_str service, comb_str id, struct comb_error *err)
{
    struct etcd *self = (struct etcd *)registry;
    struct etcdserverpb_range_request *request = etcdserverpb_range_request_new(ctx->arena);
    struct etcdserverpb_range_response *response = NULL;
    struct comb_error native = {0};
    int64_t ttl_s = 0;
    if (!request || !(request->key = key_of(self, ctx->arena, service, id)).data)
        return comb_error_no_memory(err);
    request->keys_only = true;
    enum comb_status status = comb_etcd_range(self->etcd, ctx, request, &response, err);
    if (status != COMB_OK)
        return status;
    if (response->n_kvs == 0)
        return not_there(service, id, err);
    status = comb_etcd_lease_keep(self->etcd, ctx, response->kvs[0]->lease, &ttl_s, &native);
    if (status == COMB_OK && ttl_s <= 0)
        return not_there(service, id, err);
    if (status != COMB_OK && err)
        *err = native;
    return status;
}

static enum comb_status etcd_remove(struct comb_registry *registry, struct comb_ctx *ctx,
                                    comb_str service, comb_str id, struct comb_error *err)
{
    struct etcd *self = (struct etcd *)registry;
    ProtobufCBinaryData key = key_of(self, ctx->arena, service, id);
    struct etcdserverpb_txn_request *txn = etcdserverpb_txn_request_new(ctx->arena);
    struct etcdserverpb_txn_response *response;
    if (!key.data || !txn || !comb_etcd_txn_delete(ctx->arena, txn, key))
        return comb_error_no_memory(err);
    return comb_etcd_txn(self->etcd, ctx, txn, true, &response, err);
}

/* ---- the watch ---- */

static bool everything(void *data, struct etcdserverpb_key_value *const *kvs, size_t n,
                       int64_t revision)
{
    struct etcd *self = data;
    struct comb_registry_entry *entries = comb_memory_alloc((n + 1) * sizeof *entries);
    size_t n_entries = 0;
    (void)revision;
    if (!entries)
        return false; /* told as a store that is away: what was told stays as it was */
    for (size_t i = 0; i < n; i++) {
        if (read_key(self, kvs[i]->key, &entries[n_entries]))
            entries[n_entries++].body = comb_etcd_str(kvs[i]->value);
    }
    self->watcher.everything(self->watcher.self, entries, n_entries);
    comb_memory_free(entries);
    return true;
}

static bool changed(void *data, struct etcdserverpb_event *const *events, size_t n,
                    int64_t revision)
{
    struct etcd *self = data;
    (void)revision;
    for (size_t i = 0; i < n; i++) {
        struct comb_registry_entry entry = {0};
        if (!read_key(self, events[i]->kv->key, &entry))
            continue;
        entry.body = comb_etcd_str(events[i]->kv->value);
        if (events[i]->type == EVENT_DELETE)
            self->watcher.gone(self->watcher.self, entry.service, entry.id);
        else
            self->watcher.changed(self->watcher.self, &entry);
    }
    return true;
}

static void state(void *data, const struct comb_error *err)
{
    struct etcd *self = data;
    self->watcher.state(self->watcher.self, err);
}

static enum comb_status etcd_watch(struct comb_registry *registry,
                                   const struct comb_registry_watcher *watcher,
                                   struct comb_error *err)
{
    struct etcd *self = (struct etcd *)registry;
    const struct comb_etcd_watcher own = {everything, changed, state, self};
    self->watcher = *watcher;
    return comb_etcd_watch_open(self->etcd, STR(FOLDER), &own, &self->watch, err);
}

static void etcd_unwatch(struct comb_registry *registry)
{
    struct etcd *self = (struct etcd *)registry;
    comb_etcd_watch_close(self->watch);
    self->watch = NULL;
}

/* ---- the store ---- */

static enum comb_status etcd_check(struct comb_registry *registry, struct comb_ctx *ctx,
                                   struct comb_error *err)
{
    struct etcd *self = (struct etcd *)registry;
    return comb_etcd_check(self->etcd, ctx, err);
}

static void etcd_status(struct comb_registry *registry, struct comb_store_status *ret_status)
{
    struct etcd *self = (struct etcd *)registry;
    comb_etcd_status(self->etcd, ret_status);
}

static void etcd_close(struct comb_registry *registry)
{
    struct etcd *self = (struct etcd *)registry;
    etcd_unwatch(registry);
    comb_etcd_close(self->etcd);
    comb_memory_free(self);
}

static const struct comb_registry_driver driver = {
    .name = "etcd",
    .caps = COMB_REGISTRY_CAP_SHARED,
    .put = etcd_put,
    .heartbeat = etcd_heartbeat,
    .remove = etcd_remove,
    .watch = etcd_watch,
    .unwatch = etcd_unwatch,
    .check = etcd_check,
    .status = etcd_status,
    .close = etcd_close,
};

enum comb_status comb_registry_etcd_open(const struct comb_store_options *options,
                                         struct comb_registry **ret_registry,
                                         struct comb_error *err)
{
    struct etcd *self = comb_memory_zalloc(sizeof *self);
    if (!self)
        return comb_error_no_memory(err);
    self->base.driver = &driver;
    enum comb_status status = comb_etcd_open(options, &self->etcd, err);
    if (status != COMB_OK) {
        comb_memory_free(self);
        return status;
    }
    *ret_registry = &self->base;
    return COMB_OK;
}
