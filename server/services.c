/* SPDX-License-Identifier: Apache-2.0 */
#include "server/services.h"

#include "comb/v1/activity.grpcc.h"
#include "comb/v1/audit.grpcc.h"
#include "comb/v1/auth.grpcc.h"
#include "comb/v1/config.grpcc.h"
#include "comb/v1/data.grpcc.h"
#include "comb/v1/document.grpcc.h"
#include "comb/v1/events.grpcc.h"
#include "comb/v1/identity.grpcc.h"
#include "comb/v1/log.grpcc.h"
#include "comb/v1/operations.grpcc.h"
#include "comb/v1/permissions.grpcc.h"
#include "comb/v1/registry.grpcc.h"
#include "comb/v1/search.grpcc.h"
#include "comb/v1/tree.grpcc.h"
#include "comb/v1/vault.grpcc.h"
#include "comb/v1/workspaces.grpcc.h"
#include "server/core/clock.h"
#include "server/data/content.h"
#include "server/data/data_rpc.h"
#include "server/data/encrypt_kinds.h"
#include "server/data/sweep_kind.h"
#include "server/events/events_rpc.h"
#include "server/extractor.h"
#include "server/move/state.h"
#include "server/search/reindex.h"

#define BYTES_PER_MIB ((size_t)1 << 20)
#define US_PER_DAY (24LL * 3600 * COMB_US_PER_S)

/* ---- rows, and stores of areas on them ---- */

static void take_rows(struct comb_services *s, struct comb_rows *rows)
{
    s->rows = rows;
    s->vault = comb_rows_store(rows, COMB_ROW_VAULT);
    s->sql = comb_rows_store(rows, COMB_ROW_SQL);
    s->blobs = comb_rows_store(rows, COMB_ROW_DATA);
    s->cache = comb_rows_store(rows, COMB_ROW_CACHE);
    s->events = comb_rows_store(rows, COMB_ROW_EVENTS);
    s->registry = comb_rows_store(rows, COMB_ROW_REGISTRY);
    s->config_store = comb_rows_store(rows, COMB_ROW_CONFIG);
    s->docs = comb_rows_store(rows, COMB_ROW_DOCS);
}

enum comb_status comb_services_migrate(struct comb_sql *sql, struct comb_error *err)
{
    const struct comb_sql_schema *const *areas[] = {
        comb_mutation_schemas,    comb_tree_schemas,       comb_data_schemas,
        comb_permissions_schemas, comb_identity_schemas,   comb_workspaces_schemas,
        comb_auth_schemas,        comb_operations_schemas, comb_consumers_schemas,
        comb_audit_schemas,       comb_move_schemas,
    };
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < sizeof areas / sizeof areas[0] && status == COMB_OK; i++)
        status = comb_sql_migrate_schema(sql, areas[i], err);
    return status;
}

enum comb_status comb_services_open_docs(struct comb_docs *docs,
                                         struct comb_docs_stores *ret_stores,
                                         struct comb_error *err)
{
    struct comb_items_store **items = ret_stores->items;
    *ret_stores = (struct comb_docs_stores){.documents = NULL};
    enum comb_status status = comb_documents_store_open(docs, &ret_stores->documents, err);
    if (status == COMB_OK)
        status =
            comb_items_store_open(docs, COMB_ITEMS_ACTIVITIES, &items[COMB_DOCS_ACTIVITIES], err);
    if (status == COMB_OK)
        status = comb_items_store_open(docs, COMB_ITEMS_LOGS, &items[COMB_DOCS_LOGS], err);
    return status;
}

void comb_services_close_docs(struct comb_docs_stores *stores)
{
    comb_documents_store_close(stores->documents);
    for (int i = 0; i < COMB_DOCS_ITEMS; i++)
        comb_items_store_close(stores->items[i]);
}

/* Unless the sql row is not whole. */
static enum comb_status make_tables(struct comb_services *s, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    enum comb_status status = comb_services_migrate(s->sql, err);
    comb_sql_get_info(s->sql, &s->info);
    return status == COMB_OK ? comb_mover_settle(s->rows, s->sql, ctx, err) : status;
}

static enum comb_status open_stores(struct comb_services *s, struct comb_error *err)
{
    enum comb_status status = comb_tree_store_open(s->sql, &s->tree_store, err);
    if (status == COMB_OK)
        status = comb_data_store_open(s->sql, &s->data_store, err);
    if (status == COMB_OK)
        status = comb_permissions_store_open(s->sql, &s->permissions_store, err);
    if (status == COMB_OK)
        status = comb_identity_store_open(s->sql, &s->identity_store, err);
    if (status == COMB_OK)
        status = comb_workspaces_store_open(s->sql, &s->workspaces_store, err);
    if (status == COMB_OK)
        status = comb_auth_store_open(s->sql, &s->auth_store, err);
    if (status == COMB_OK)
        status = comb_operations_store_open(s->sql, &s->operations_store, err);
    if (status == COMB_OK)
        status = comb_consumers_store_open(s->sql, &s->consumers_store, err);
    if (status == COMB_OK)
        status = comb_audit_store_open(s->sql, &s->audit_store, err);
    if (status == COMB_OK)
        status = comb_documents_store_open(s->docs, &s->documents_store, err);
    if (status == COMB_OK)
        status = comb_search_store_open(s->docs, &s->search_store, err);
    if (status == COMB_OK)
        status = comb_items_store_open(s->docs, COMB_ITEMS_ACTIVITIES, &s->activities_store, err);
    if (status == COMB_OK)
        status = comb_items_store_open(s->docs, COMB_ITEMS_AUDIT, &s->audit_items, err);
    if (status == COMB_OK)
        status = comb_items_store_open(s->docs, COMB_ITEMS_LOGS, &s->logs_store, err);
    if (status == COMB_OK)
        status = comb_throttle_new(s->cache, &s->throttle, err);
    return status;
}

/* ---- what domains stand on ---- */

/* After a commit of ours: our own facts, and by the events row those of the other replicas. */
static void wake_facts(void *data, struct comb_position position)
{
    const struct comb_services *s = data;
    (void)position;
    comb_facts_wake(s->facts);
    comb_feed_hint_raise(s->feed_hint);
    if (s->audit)
        comb_audit_wake(s->audit);
    if (s->consumers)
        comb_consumers_wake(s->consumers);
}

static void wake_by_hint(void *data)
{
    const struct comb_services *s = data;
    comb_facts_wake(s->facts);
    if (s->consumers)
        comb_consumers_wake(s->consumers);
}

static enum comb_status refresh_facts(void *data, struct comb_ctx *ctx, struct comb_error *err)
{
    const struct comb_services *s = data;
    bool strong = ctx->strong;
    ctx->strong = true;
    enum comb_status status = comb_facts_sync_wait(s->facts, ctx, err);
    ctx->strong = strong;
    return status;
}

/* A standby was promoted: what names the history names the new one. */
static void take_over(void *data, uint64_t incarnation)
{
    const struct comb_services *s = data;
    comb_sealer_set_incarnation(s->sealer, incarnation);
    comb_dispatch_set_incarnation(s->dispatch, incarnation);
}

static enum comb_status make_base(struct comb_services *s, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    const struct comb_facts_options facts = {
        .bytes_max = s->rows->options->facts_mib * BYTES_PER_MIB,
        .on_incarnation = take_over,
        .on_incarnation_data = s,
    };
    const struct comb_mutations_hooks hooks = {wake_facts, refresh_facts, s};
    bool others = s->events->driver->caps & COMB_EVENTS_CAP_SHARED;
    enum comb_status status = comb_mutations_new(s->sql, &s->mutations, err);
    if (status == COMB_OK)
        status = comb_facts_new(s->sql, &facts, &s->facts, err);
    if (status == COMB_OK)
        status = comb_hub_new(s->events, &s->hub, err);
    if (status == COMB_OK)
        status = comb_feed_hint_new(s->hub, others, "feed", &s->info.installation, wake_by_hint, s,
                                    &s->feed_hint, err);
    const struct comb_event_service_parts events = {s->events, s->hub, s->facts};
    if (status == COMB_OK)
        status = comb_event_service_new(&events, &s->event_service, err);
    if (status == COMB_OK) {
        comb_mutations_set_hooks(s->mutations, &hooks);
        status = comb_access_new(s->facts, &s->access, err);
    }
    if (status == COMB_OK)
        status = comb_sealer_new(s->vault, ctx, s->info.incarnation, &s->sealer, err);
    return status;
}

/* ---- domains; permissions and tree learn of identity and workspaces, which stand on them ---- */

static enum comb_status find_user(void *data, struct comb_ctx *ctx, comb_str id_or_login,
                                  struct comb_uuid *ret_id, struct comb_error *err)
{
    const struct comb_services *s = data;
    return comb_identity_find_user(s->identity, ctx, id_or_login, ret_id, err);
}

static enum comb_status find_role(void *data, struct comb_ctx *ctx, comb_str id_or_name,
                                  struct comb_uuid *ret_id, struct comb_error *err)
{
    const struct comb_services *s = data;
    return comb_identity_find_role(s->identity, ctx, id_or_name, ret_id, err);
}

static enum comb_status find_group(void *data, struct comb_ctx *ctx, comb_str id_or_path,
                                   struct comb_uuid *ret_id, struct comb_error *err)
{
    const struct comb_services *s = data;
    return comb_identity_find_group(s->identity, ctx, id_or_path, ret_id, err);
}

static enum comb_status are_groups(void *data, struct comb_ctx *ctx, const struct comb_uuid *ids,
                                   size_t n, bool *ret_are, struct comb_error *err)
{
    const struct comb_services *s = data;
    return comb_identity_are_groups(s->identity, ctx, ids, n, ret_are, err);
}

static enum comb_status make_tree(struct comb_services *s, struct comb_ctx *ctx,
                                  struct comb_error *err)
{
    const struct comb_tree_options tree = {
        .sql = s->sql,
        .store = s->tree_store,
        .facts = s->facts,
        .access = s->access,
        .mutations = s->mutations,
    };
    struct comb_data_options data = {
        .blobs = s->blobs,
        .store = s->data_store,
        .access = s->access,
        .mutations = s->mutations,
        .vault = s->vault,
        .encrypts = s->rows->options->encrypt_data,
    };
    enum comb_status status = comb_tree_new(&tree, &s->tree, err);
    if (status != COMB_OK)
        return status;
    data.tree = s->tree;
    return comb_data_new(&data, ctx, &s->data, err);
}

static enum comb_status make_people(struct comb_services *s, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    const struct comb_identity_parts identity = {
        .store = s->identity_store,
        .sessions = s->auth_store,
        .workspaces = s->workspaces_store,
        .permissions = s->permissions_store,
        .throttle = s->throttle,
        .vault = s->vault,
        .tree = s->tree,
        .facts = s->facts,
        .mutations = s->mutations,
    };
    const struct comb_permissions_parts permissions = {
        .store = s->permissions_store,
        .access = s->access,
        .facts = s->facts,
        .mutations = s->mutations,
        .directory = {find_user, find_role, find_group, are_groups, s},
    };
    enum comb_status status = comb_identity_new(&identity, ctx, &s->identity, err);
    if (status == COMB_OK)
        status = comb_permissions_new(&permissions, &s->permissions, err);
    return status;
}

static enum comb_status make_workspaces_and_auth(struct comb_services *s, struct comb_ctx *ctx,
                                                 struct comb_error *err)
{
    const struct comb_workspaces_parts workspaces = {
        .store = s->workspaces_store,
        .identity = s->identity,
        .permissions = s->permissions_store,
        .tree = s->tree,
        .access = s->access,
        .facts = s->facts,
        .mutations = s->mutations,
    };
    const struct comb_auth_parts auth = {
        .store = s->auth_store,
        .identity = s->identity,
        .throttle = s->throttle,
        .vault = s->vault,
        .facts = s->facts,
        .access = s->access,
        .tree = s->tree,
        .mutations = s->mutations,
        .installation = s->info.installation,
    };
    enum comb_status status = comb_workspaces_new(&workspaces, &s->workspaces, err);
    if (status != COMB_OK)
        return status;
    const struct comb_tree_hooks hooks = {comb_workspaces_readable, s->workspaces};
    comb_tree_set_hooks(s->tree, &hooks);
    return comb_auth_new(&auth, ctx, &s->auth, err);
}

/* ---- operations: what runs them, and the kinds that there are ---- */

static void tell_of_operations(void *data)
{
    const struct comb_services *s = data;
    comb_feed_hint_raise(s->operations_hint);
}

static void wake_operations(void *data)
{
    const struct comb_services *s = data;
    comb_operations_wake(s->operations);
}

static enum comb_status make_operations(struct comb_services *s, struct comb_error *err)
{
    const struct comb_operation_engine_options engine = {.store = s->operations_store};
    struct comb_operation_kind sweep, encrypt, rotate, reindex;
    enum comb_status status = comb_operation_engine_new(&engine, &s->engine, err);
    comb_data_sweep_kind(s->data, &sweep);
    if (status == COMB_OK)
        status = comb_operation_engine_add(s->engine, &sweep, err);
    comb_data_encrypt_kind(s->data, &encrypt);
    if (status == COMB_OK)
        status = comb_operation_engine_add(s->engine, &encrypt, err);
    comb_data_rotate_kind(s->data, &rotate);
    if (status == COMB_OK)
        status = comb_operation_engine_add(s->engine, &rotate, err);
    s->search_reindex = (struct comb_search_reindex_parts){s->consumers_store, s->search_store};
    comb_search_reindex_kind(&s->search_reindex, &reindex);
    if (status == COMB_OK)
        status = comb_operation_engine_add(s->engine, &reindex, err);
    if (status != COMB_OK)
        return status;
    const struct comb_operations_parts operations = {
        .store = s->operations_store,
        .engine = s->engine,
        .facts = s->facts,
        .mutations = s->mutations,
        .changed = tell_of_operations,
        .data = s,
    };
    bool others = s->events->driver->caps & COMB_EVENTS_CAP_SHARED;
    status = comb_operations_new(&operations, &s->operations, err);
    if (status == COMB_OK)
        status = comb_feed_hint_new(s->hub, others, "operations", &s->info.installation,
                                    wake_operations, s, &s->operations_hint, err);
    return status;
}

/* ---- the audit trail ---- */

/* Changes of rows without tables of their own to be fenced. */
static enum comb_status may_change(void *data, struct comb_ctx *ctx, comb_str method,
                                   struct comb_error *err)
{
    static const char *const services[] = {"/comb.v1.Config/", "/comb.v1.Documents/",
                                           "/comb.v1.Vault/"};
    const struct comb_services *s = data;
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (comb_str_starts_with(method, comb_str_from(services[i])))
            return comb_move_state_may_change(s->sql, ctx, err);
    return COMB_OK;
}

static enum comb_status make_audit(struct comb_services *s, struct comb_error *err)
{
    const struct comb_audit_parts parts = {
        .store = s->audit_store,
        .leases = s->consumers_store,
        .vault = s->vault,
        .config = s->config_store,
        .items = s->audit_items,
        .installation = s->info.installation,
        .holder = s->replica,
        .history = s->info.history_since,
        .keep_us = s->rows->options->audit_keep_days * US_PER_DAY,
        .may_change = may_change,
        .may_change_data = s,
    };
    const struct comb_audit_indexer_parts indexer = {
        .store = s->audit_store,
        .leases = s->consumers_store,
        .items = s->audit_items,
        .holder = s->replica,
        .history = s->info.history_since,
    };
    enum comb_status status = comb_audit_new(&parts, &s->audit, err);
    if (status == COMB_OK)
        status = comb_audit_indexer_new(&indexer, &s->audit_indexer, err);
    return status;
}

/* ---- what is derived from the feed ---- */

static void audit_stats(void *data, struct comb_consumer_stats *ret_stats)
{
    struct comb_audit_stats stats;
    comb_audit_get_stats(data, &stats);
    ret_stats->is_held = stats.is_held;
    ret_stats->taken = stats.taken;
    ret_stats->lost = stats.lost;
    ret_stats->batches = stats.batches;
    ret_stats->entries = stats.numbered;
    ret_stats->failures = stats.failures;
    ret_stats->lag_us = stats.lag_us;
}

static enum comb_status audit_lag(void *data, struct comb_ctx *ctx, size_t max, size_t *ret_n,
                                  int64_t *ret_oldest_us, struct comb_error *err)
{
    return comb_audit_lag(data, ctx, max, ret_n, ret_oldest_us, err);
}

static void audit_index_stats(void *data, struct comb_consumer_stats *ret_stats)
{
    struct comb_audit_indexer_stats stats;
    comb_audit_indexer_get_stats(data, &stats);
    ret_stats->is_held = stats.is_held;
    ret_stats->taken = stats.taken;
    ret_stats->lost = stats.lost;
    ret_stats->batches = stats.batches;
    ret_stats->entries = stats.lines;
    ret_stats->failures = stats.failures;
    ret_stats->lag_us = stats.lag_us;
}

static enum comb_status audit_index_lag(void *data, struct comb_ctx *ctx, size_t max, size_t *ret_n,
                                        int64_t *ret_oldest_us, struct comb_error *err)
{
    return comb_audit_indexer_lag(data, ctx, max, ret_n, ret_oldest_us, err);
}

/* ---- search: who keeps its index ---- */

static enum comb_status open_content(void *data, struct comb_ctx *ctx, const struct comb_uuid *blob,
                                     void **ret_content, struct comb_error *err)
{
    struct comb_data_content *content = NULL;
    enum comb_status status = comb_data_content_open(data, ctx, blob, &content, err);
    if (status == COMB_OK)
        *ret_content = content;
    return status;
}

static enum comb_status read_content(void *content, struct comb_ctx *ctx, void *buffer,
                                     size_t capacity, size_t *ret_n, struct comb_error *err)
{
    return comb_data_content_read(content, ctx, buffer, capacity, ret_n, err);
}

static void close_content(void *content)
{
    comb_data_content_close(content);
}

static enum comb_status add_search(struct comb_services *s, struct comb_error *err)
{
    struct comb_consumer consumer;
    enum comb_status status =
        comb_search_indexer_new(s->search_store, s->tree_store, &s->search_indexer, err);
    if (status != COMB_OK)
        return status;
    comb_search_indexer_consumer(s->search_indexer, &consumer);
    status = comb_consumers_add(s->consumers, &consumer, err);
    if (status == COMB_OK)
        status = comb_extractor_open(s->rows->options, &s->extract, &s->extract_slow, err);
    if (status != COMB_OK || !s->extract)
        return status;
    const struct comb_search_contents_parts parts = {
        .store = s->search_store,
        .tree = s->tree_store,
        .extract = s->extract,
        .slow = s->extract_slow,
        .source = {open_content, read_content, close_content, s->data},
    };
    status = comb_search_contents_new(&parts, &s->search_contents, err);
    if (status != COMB_OK)
        return status;
    comb_search_contents_consumer(s->search_contents, &consumer);
    status = comb_consumers_add(s->consumers, &consumer, err);
    if (status != COMB_OK)
        return status;
    comb_search_contents_slow_consumer(s->search_contents, &consumer);
    return comb_consumers_add(s->consumers, &consumer, err);
}

static enum comb_status make_logs(struct comb_services *s, struct comb_error *err)
{
    const struct comb_options *options = s->rows->options;
    const struct comb_logs_parts parts = {
        .store = s->logs_store,
        .keep_us = options->log_keep_days * US_PER_DAY,
        .keep_entries = options->log_keep_entries,
    };
    enum comb_status status = comb_logs_new(&parts, &s->logs, err);
    return status == COMB_OK ? comb_logs_rpc_init(&s->logs_rpc, s->logs, s->sealer, err) : status;
}

static enum comb_status make_activities(struct comb_services *s, struct comb_error *err)
{
    const struct comb_options *options = s->rows->options;
    const struct comb_activities_parts parts = {
        .store = s->activities_store,
        .sql = s->sql,
        .facts = s->facts,
        .access = s->access,
        .keep_us = options->activity_keep_days * US_PER_DAY,
        .keep_items = options->activity_keep_items,
    };
    enum comb_status status = comb_activities_new(&parts, &s->activities, err);
    if (status != COMB_OK)
        return status;
    const struct comb_consumer consumer = comb_activities_consumer(s->activities);
    return comb_consumers_add(s->consumers, &consumer, err);
}

/* What consists of items on the docs row. */
static enum comb_status make_items(struct comb_services *s, struct comb_error *err)
{
    enum comb_status status = make_activities(s, err);
    return status == COMB_OK ? make_logs(s, err) : status;
}

static enum comb_status make_consumers(struct comb_services *s, struct comb_error *err)
{
    const struct comb_consumers_options options = {
        .sql = s->sql, .store = s->consumers_store, .holder = &s->replica};
    const struct comb_consumer_other audit = {COMB_AUDIT_LEASE_NAME, audit_lag, audit_stats,
                                              s->audit};
    const struct comb_consumer_other audit_index = {COMB_AUDIT_INDEX_LEASE_NAME, audit_index_lag,
                                                    audit_index_stats, s->audit_indexer};
    enum comb_status status = comb_consumers_new(&options, &s->consumers, err);
    if (status == COMB_OK)
        status = comb_consumers_add_other(s->consumers, &audit, err);
    if (status == COMB_OK)
        status = comb_consumers_add_other(s->consumers, &audit_index, err);
    if (status == COMB_OK)
        status = add_search(s, err);
    return status;
}

/* ---- what stands on rows of its own ---- */

static enum comb_status make_of_other_rows(struct comb_services *s, struct comb_error *err)
{
    const struct comb_search_parts search = {
        .store = s->search_store,
        .access = s->access,
        .reach = {s->facts, s->permissions_store, s->tree_store},
        .patience = COMB_SEARCH_PATIENCE,
        .find_user = find_user,
        .data = s,
    };
    enum comb_status status = comb_directory_new(s->registry, &s->directory, err);
    if (status == COMB_OK)
        status = comb_config_new(s->config_store, s->facts, &s->config, err);
    if (status == COMB_OK)
        status = comb_documents_new(s->documents_store, &s->documents, err);
    if (status == COMB_OK)
        status = comb_search_new(&search, &s->search, err);
    return status;
}

/* ---- the dispatcher's authenticator ---- */

static bool peek(void *self, struct comb_ctx *ctx, comb_str bearer,
                 const struct comb_principal **ret_principal)
{
    return comb_auth_peek(self, ctx, bearer, ret_principal);
}

static enum comb_status authenticate(void *self, struct comb_ctx *ctx, comb_str bearer,
                                     const struct comb_principal **ret_principal,
                                     struct comb_error *err)
{
    return comb_auth_authenticate(self, ctx, bearer, ret_principal, err);
}

/* ---- what a handler of one area wants of another one ---- */

static enum comb_status start_reindex(void *data, struct comb_ctx *ctx,
                                      const struct comb_request_key *key,
                                      struct comb_v1_operation **ret_operation,
                                      struct comb_error *err)
{
    const struct comb_services *s = data;
    struct comb_operation operation;
    enum comb_status status = comb_search_reindex_start(s->operations, ctx, key, &operation, err);
    if (status == COMB_OK)
        status = comb_operations_message(ctx->arena, &operation, ret_operation, err);
    return status;
}

static enum comb_status make_dispatch(struct comb_services *s, struct comb_error *err)
{
    const struct comb_authenticator authenticator = {peek, authenticate, s->auth};
    s->tree_rpc = (struct comb_tree_rpc){s->tree, s->sealer};
    s->identity_rpc = (struct comb_identity_rpc){s->identity, s->sealer};
    s->permissions_rpc = (struct comb_permissions_rpc){s->permissions, s->sealer};
    s->data_rpc = (struct comb_data_rpc){s->data, s->sealer};
    s->workspaces_rpc = (struct comb_workspaces_rpc){s->workspaces, s->sealer};
    s->config_rpc = (struct comb_config_rpc){s->config, s->sealer};
    s->audit_rpc = (struct comb_audit_rpc){s->audit, s->audit_indexer, s->sealer};
    s->consumers_rpc = (struct comb_consumers_rpc){s->consumers, s->sealer};
    s->move_rpc = (struct comb_move_rpc){{
        .sql = s->sql,
        .vault = s->vault,
        .config = s->config_store,
        .blobs = s->blobs,
        .docs = {s->documents_store,
                 {[COMB_DOCS_ACTIVITIES] = s->activities_store, [COMB_DOCS_LOGS] = s->logs_store}},
    }};
    s->mover = (struct comb_mover){.rows = s->rows, .open = s->move_rpc.rows};
    s->vault_rpc = (struct comb_vault_rpc){s->vault, s->sealer, s->mutations};
    s->documents_rpc = (struct comb_documents_rpc){s->documents, s->sealer};
    s->activities_rpc =
        (struct comb_activities_rpc){s->activities, s->access, s->sealer, find_user, s};
    s->operations_rpc = (struct comb_operations_rpc){s->operations, s->sealer};
    s->search_rpc = (struct comb_search_rpc){s->search, s->sealer, start_reindex, s};
    enum comb_status status =
        comb_registry_rpc_init(&s->registry_rpc, s->directory, s->sealer, err);
    if (status == COMB_OK)
        status = comb_dispatch_new(&authenticator, s->info.incarnation, &s->dispatch, err);
    if (status == COMB_OK)
        comb_dispatch_set_audit(s->dispatch, s->audit);
    return status;
}

/* What runs in the background, once everything is there. */
static enum comb_status start_threads(struct comb_services *s, struct comb_error *err)
{
    enum comb_status status = comb_facts_start(s->facts, err);
    if (status == COMB_OK)
        status = comb_tree_start(s->tree, err);
    if (status == COMB_OK)
        status = comb_operations_start(s->operations, err);
    if (status == COMB_OK)
        status = comb_operation_engine_start(s->engine, err);
    if (status == COMB_OK)
        status = comb_audit_start(s->audit, err);
    if (status == COMB_OK)
        status = comb_audit_indexer_start(s->audit_indexer, err);
    if (status == COMB_OK)
        status = comb_consumers_start(s->consumers, err);
    return status;
}

/* Of a store that no other process can use, what was held when the last one was killed need not run
 * out. */
static enum comb_status bury_holders(struct comb_services *s, struct comb_ctx *ctx,
                                     struct comb_error *err)
{
    struct comb_sql_info info;
    comb_sql_get_info(s->sql, &info);
    if (info.shared)
        return COMB_OK;
    enum comb_status status = s->consumers_store->driver->bury(s->consumers_store, ctx, err);
    if (status == COMB_OK)
        status = s->operations_store->driver->bury(s->operations_store, ctx, err);
    return status;
}

enum comb_status comb_services_open(struct comb_services *services, struct comb_rows *rows,
                                    struct comb_ctx *ctx, struct comb_error *err)
{
    struct comb_services *s = services;
    *s = (struct comb_services){.replica = comb_uuid_new()};
    take_rows(s, rows);
    enum comb_status status = make_tables(s, ctx, err);
    if (status == COMB_OK)
        status = open_stores(s, err);
    if (status == COMB_OK)
        status = bury_holders(s, ctx, err);
    if (status == COMB_OK)
        status = make_base(s, ctx, err);
    if (status == COMB_OK)
        status = make_tree(s, ctx, err);
    if (status == COMB_OK)
        status = make_people(s, ctx, err);
    if (status == COMB_OK)
        status = make_workspaces_and_auth(s, ctx, err);
    if (status == COMB_OK)
        status = make_operations(s, err);
    if (status == COMB_OK)
        status = make_of_other_rows(s, err);
    if (status == COMB_OK)
        status = make_audit(s, err);
    if (status == COMB_OK)
        status = make_consumers(s, err);
    if (status == COMB_OK)
        status = make_items(s, err);
    if (status == COMB_OK)
        status = make_dispatch(s, err);
    if (status == COMB_OK)
        status = start_threads(s, err);
    if (status != COMB_OK)
        comb_services_close(s);
    return status;
}

/* Those that stand on the docs row. */
static enum comb_status register_of_docs(struct comb_services *s, struct grpcc_server *server,
                                         struct comb_error *err)
{
    enum comb_status status = comb_documents_rpc_register(server, &s->documents_rpc, err);
    if (status == COMB_OK)
        status = comb_activities_rpc_register(server, &s->activities_rpc, err);
    if (status == COMB_OK)
        status = comb_logs_rpc_register(server, &s->logs_rpc, err);
    if (status == COMB_OK)
        status = comb_search_rpc_register(server, &s->search_rpc, err);
    return status;
}

enum comb_status comb_services_register(struct comb_services *s, struct grpcc_server *server,
                                        struct comb_error *err)
{
    static const struct grpcc_service *const services[] = {
        &comb_v1_events_service,      &comb_v1_auth_service,       &comb_v1_config_service,
        &comb_v1_data_service,        &comb_v1_identity_service,   &comb_v1_operations_service,
        &comb_v1_permissions_service, &comb_v1_registry_service,   &comb_v1_tree_service,
        &comb_v1_vault_service,       &comb_v1_workspaces_service, &comb_v1_audit_service,
        &comb_v1_documents_service,   &comb_v1_activities_service, &comb_v1_search_service,
        &comb_v1_logs_service,
    };
    enum comb_status status = comb_tree_rpc_register(server, &s->tree_rpc, err);
    if (status == COMB_OK)
        status = comb_data_rpc_register(server, &s->data_rpc, err);
    if (status == COMB_OK)
        status = comb_events_rpc_register(server, s->event_service, err);
    if (status == COMB_OK)
        status = comb_identity_rpc_register(server, &s->identity_rpc, err);
    if (status == COMB_OK)
        status = comb_permissions_rpc_register(server, &s->permissions_rpc, err);
    if (status == COMB_OK)
        status = comb_workspaces_rpc_register(server, &s->workspaces_rpc, err);
    if (status == COMB_OK)
        status = comb_auth_rpc_register(server, s->auth, err);
    if (status == COMB_OK)
        status = comb_operations_rpc_register(server, &s->operations_rpc, err);
    if (status == COMB_OK)
        status = comb_vault_rpc_register(server, &s->vault_rpc, err);
    if (status == COMB_OK)
        status = comb_registry_rpc_register(server, &s->registry_rpc, err);
    if (status == COMB_OK)
        status = comb_config_rpc_register(server, &s->config_rpc, err);
    if (status == COMB_OK)
        status = comb_audit_rpc_register(server, &s->audit_rpc, err);
    if (status == COMB_OK)
        status = register_of_docs(s, server, err);
    if (status == COMB_OK)
        status = comb_dispatch_attach(s->dispatch, server, services,
                                      sizeof services / sizeof services[0], err);
    return status;
}

void comb_services_drain(struct comb_services *s)
{
    comb_tree_drain(s->tree);
    comb_operations_drain(s->operations);
    comb_registry_rpc_drain(&s->registry_rpc);
    comb_logs_rpc_drain(&s->logs_rpc);
}

void comb_services_close(struct comb_services *s)
{
    /* They use domains and stores; commits still wake them, in vain. */
    comb_consumers_stop(s->consumers);
    comb_extract_free(s->extract);
    comb_extract_free(s->extract_slow);
    s->extract = s->extract_slow = NULL;
    /* Its workers use all domains, and tell of changes to who waits. */
    comb_operation_engine_stop(s->engine);
    comb_feed_hint_free(s->operations_hint);
    comb_operations_free(s->operations);
    comb_operation_engine_free(s->engine);
    /* Its threads use facts and workspaces. */
    comb_tree_stop(s->tree);
    comb_registry_rpc_done(&s->registry_rpc);
    comb_directory_free(s->directory);
    comb_config_free(s->config);
    comb_documents_free(s->documents);
    comb_activities_free(s->activities);
    comb_logs_rpc_done(&s->logs_rpc);
    comb_logs_free(s->logs);
    comb_search_free(s->search);
    comb_event_service_stop(s->event_service);
    comb_workspaces_free(s->workspaces);
    comb_permissions_free(s->permissions);
    comb_data_free(s->data);
    /* It wakes facts; nothing commits any more. */
    comb_feed_hint_free(s->feed_hint);
    s->feed_hint = NULL;
    comb_hub_free(s->hub);
    /* What was counted is written; nothing commits any more that would wake it. */
    comb_audit_stop(s->audit);
    comb_audit_indexer_stop(s->audit_indexer);
    /* Facts call tree, events, auth and the dispatcher: they go first. */
    comb_facts_free(s->facts);
    comb_dispatch_free(s->dispatch);
    comb_consumers_free(s->consumers);
    s->consumers = NULL;
    comb_search_contents_free(s->search_contents);
    comb_search_indexer_free(s->search_indexer);
    comb_audit_indexer_free(s->audit_indexer);
    comb_audit_free(s->audit);
    s->audit = NULL;
    comb_event_service_free(s->event_service);
    comb_auth_free(s->auth);
    comb_identity_free(s->identity);
    comb_tree_free(s->tree);
    comb_access_free(s->access);
    comb_mutations_free(s->mutations);
    comb_sealer_free(s->sealer);
    comb_throttle_free(s->throttle);
    comb_audit_store_close(s->audit_store);
    comb_consumers_store_close(s->consumers_store);
    comb_search_store_close(s->search_store);
    comb_items_store_close(s->audit_items);
    comb_items_store_close(s->activities_store);
    comb_items_store_close(s->logs_store);
    comb_documents_store_close(s->documents_store);
    comb_operations_store_close(s->operations_store);
    comb_auth_store_close(s->auth_store);
    comb_workspaces_store_close(s->workspaces_store);
    comb_identity_store_close(s->identity_store);
    comb_permissions_store_close(s->permissions_store);
    if (s->data_store)
        s->data_store->driver->close(s->data_store);
    if (s->tree_store)
        s->tree_store->driver->close(s->tree_store);
    *s = (struct comb_services){0};
}
