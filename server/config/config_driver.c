/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/config_driver.h"

#include "comb/v1/errors.grpcc.h"
#include "server/core/limits.h"

/* ---- paths ---- */

static bool is_part(const char *part, size_t len)
{
    if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0))
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = part[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || !strchr("-_.", c)))
            return false;
    }
    return true;
}

bool comb_config_path_is_valid(comb_str path)
{
    size_t depth = 0;

    if (path.len < 2 || path.len > COMB_CONFIG_PATH_BYTES_MAX || path.ptr[0] != '/')
        return false;
    for (size_t begin = 1; begin <= path.len; depth++) {
        size_t end = begin;
        while (end < path.len && path.ptr[end] != '/')
            end++;
        if (!is_part(path.ptr + begin, end - begin))
            return false;
        begin = end + 1;
    }
    return depth <= COMB_CONFIG_PATH_DEPTH_MAX;
}

bool comb_config_prefix_is_valid(comb_str prefix)
{
    if (comb_str_equal(prefix, STR("/")))
        return true;
    return prefix.len > 2 && prefix.ptr[prefix.len - 1] == '/' &&
           comb_config_path_is_valid(comb_str_of(prefix.ptr, prefix.len - 1));
}

static enum comb_status bad_path(comb_str path, struct comb_error *err)
{
    return comb_error_set_subject(
        err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_FIELD_INVALID, "path",
        "not a path of the configuration: \"%.*s\"; parts of letters, digits, \"-\", \"_\" and "
        "\".\", each behind a \"/\", at most %d of them and %d bytes",
        path.len < 100 ? (int)path.len : 100, path.ptr ? path.ptr : "", COMB_CONFIG_PATH_DEPTH_MAX,
        COMB_CONFIG_PATH_BYTES_MAX);
}

static enum comb_status wrong(const struct comb_config_store *store, const char *what,
                              struct comb_error *err)
{
    return comb_error_set(err, COMB_INTERNAL, COMB_V1_ERROR_REASON_INTERNAL,
                          "the configuration's driver %s answered with %s", store->driver->name,
                          what);
}

/* ---- slots ---- */

enum comb_status comb_config_store_get(struct comb_config_store *store, struct comb_ctx *ctx,
                                       comb_str path, struct comb_config_entry *ret_entry,
                                       struct comb_error *err)
{
    struct comb_config_entry entry = {0};
    enum comb_status status = comb_ctx_check(ctx, err);

    if (status != COMB_OK)
        return status;
    if (!comb_config_path_is_valid(path))
        return bad_path(path, err);
    status = store->driver->get(store, ctx, path, &entry, err);
    if (status != COMB_OK)
        return status;
    if (!comb_str_equal(entry.path, path) || !entry.value.ptr || entry.revision <= 0)
        return wrong(store, "another path than asked for", err);
    *ret_entry = entry;
    return COMB_OK;
}

static enum comb_status check_page(const struct comb_config_store *store,
                                   const struct comb_config_entries *page, size_t limit,
                                   struct comb_error *err)
{
    return page->n > limit ? wrong(store, "more than asked for", err) : COMB_OK;
}

enum comb_status comb_config_store_list(struct comb_config_store *store, struct comb_ctx *ctx,
                                        comb_str prefix, comb_str after, size_t limit,
                                        struct comb_config_entries *ret_entries,
                                        struct comb_error *err)
{
    struct comb_config_entries page = {0};
    enum comb_status status = comb_ctx_check(ctx, err);

    if (status != COMB_OK)
        return status;
    if (!comb_config_prefix_is_valid(prefix))
        return bad_path(prefix, err);
    if (after.len > 0 && !comb_config_path_is_valid(after))
        return bad_path(after, err);
    status = store->driver->list(store, ctx, prefix, after, limit, &page, err);
    if (status == COMB_OK)
        status = check_page(store, &page, limit, err);
    if (status == COMB_OK)
        *ret_entries = page;
    return status;
}

static enum comb_status check_batch(const struct comb_config_batch *batch, struct comb_error *err)
{
    size_t bytes = 0;

    if (batch->n == 0 || batch->n > COMB_CONFIG_CHANGES_MAX)
        return comb_error_field(err, "changes", "1 to %d paths can be changed at once",
                                COMB_CONFIG_CHANGES_MAX);
    for (size_t i = 0; i < batch->n; i++) {
        const struct comb_config_change *change = &batch->changes[i];
        if (!comb_config_path_is_valid(change->path))
            return bad_path(change->path, err);
        if (change->value.len > COMB_CONFIG_VALUE_BYTES_MAX)
            return comb_error_set_subject(
                err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE, "value",
                "a value has at most %d bytes as compact JSON", COMB_CONFIG_VALUE_BYTES_MAX);
        bytes += change->value.len;
        for (size_t k = 0; k < i; k++) {
            if (comb_str_equal(batch->changes[k].path, change->path))
                return comb_error_field(err, "changes", "a path comes twice: %.*s",
                                        COMB_STR_ARG(change->path));
        }
    }
    if (bytes > COMB_CONFIG_CALL_BYTES_MAX)
        return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                      "changes", "the values of one call have at most %d bytes",
                                      COMB_CONFIG_CALL_BYTES_MAX);
    if (batch->request.len == 0 || batch->request.len > COMB_CONFIG_REQUEST_BYTES_MAX)
        return comb_error_field(err, "request_id", "a change needs one");
    return COMB_OK;
}

enum comb_status comb_config_store_apply(struct comb_config_store *store, struct comb_ctx *ctx,
                                         const struct comb_config_batch *batch,
                                         struct comb_config_outcome *ret_outcome,
                                         struct comb_error *err)
{
    struct comb_config_outcome outcome = {0};
    struct comb_config_batch copy = *batch;
    enum comb_status status = comb_ctx_check(ctx, err);

    if (copy.actor.len > COMB_CONFIG_ACTOR_BYTES_MAX)
        copy.actor.len = COMB_CONFIG_ACTOR_BYTES_MAX;
    if (status == COMB_OK)
        status = check_batch(batch, err);
    if (status == COMB_OK)
        status = store->driver->apply(store, ctx, &copy, &outcome, err);
    if (status == COMB_OK && outcome.revision <= 0)
        return wrong(store, "no revision", err);
    if (status == COMB_OK)
        *ret_outcome = outcome;
    return status;
}

enum comb_status comb_config_store_history(struct comb_config_store *store, struct comb_ctx *ctx,
                                           comb_str path, int64_t before, size_t limit,
                                           struct comb_config_entries *ret_entries,
                                           struct comb_error *err)
{
    struct comb_config_entries page = {0};
    enum comb_status status = comb_ctx_check(ctx, err);

    if (status != COMB_OK)
        return status;
    if (!comb_config_path_is_valid(path))
        return bad_path(path, err);
    status = store->driver->history(store, ctx, path, before, limit, &page, err);
    if (status == COMB_OK)
        status = check_page(store, &page, limit, err);
    if (status == COMB_OK)
        *ret_entries = page;
    return status;
}

enum comb_status comb_config_store_mark(struct comb_config_store *store, struct comb_ctx *ctx,
                                        comb_str name, uint64_t value, uint64_t *ret_highest,
                                        struct comb_error *err)
{
    uint64_t highest = 0;
    enum comb_status status = comb_ctx_check(ctx, err);

    if (status != COMB_OK)
        return status;
    if (name.len > COMB_CONFIG_MARK_BYTES_MAX || !is_part(name.ptr, name.len) || value > INT64_MAX)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "not a name or number of a mark");
    status = store->driver->mark(store, ctx, name, value, &highest, err);
    if (status == COMB_OK && highest < value)
        return wrong(store, "a mark that has fallen", err);
    if (status == COMB_OK)
        *ret_highest = highest;
    return status;
}

enum comb_status comb_config_store_watch(struct comb_config_store *store,
                                         const struct comb_config_observer *observer,
                                         struct comb_error *err)
{
    return store->driver->watch(store, observer, err);
}

enum comb_status comb_config_store_check(struct comb_config_store *store, struct comb_ctx *ctx,
                                         struct comb_error *err)
{
    return store->driver->check(store, ctx, err);
}

void comb_config_store_status(struct comb_config_store *store, struct comb_store_status *ret_status)
{
    store->driver->status(store, ret_status);
}

void comb_config_store_close(struct comb_config_store *store)
{
    if (store)
        store->driver->close(store);
}
