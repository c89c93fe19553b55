/* SPDX-License-Identifier: Apache-2.0 */
/* Queries: which index answers one, and the walk along it. */
#include <stdio.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/clock.h"
#include "server/core/limits.h"
#include "server/documents/internal.h"

/* ---- which index ---- */

/* The conditions on one path, with the form of their values; NULL: none. */
struct bounds {
    const char *equal, *lower, *upper;
    bool has_lower_equal, has_upper_equal;
};

static enum comb_status read_value(struct comb_ctx *ctx, comb_str text, const char **ret_form,
                                   struct comb_error *err)
{
    json_t *value = NULL;
    enum comb_status status = documents_parse("conditions.value", text, &value, err);
    if (status != COMB_OK)
        return status;
    if (json_is_array(value) || json_is_object(value) ||
        json_string_length(value) > COMB_DOCUMENT_INDEXED_BYTES_MAX) {
        status = comb_error_field(err, "conditions.value",
                                  "is a text of at most %d bytes, a number, true, false or null",
                                  COMB_DOCUMENT_INDEXED_BYTES_MAX);
    } else {
        *ret_form = documents_value(ctx->arena, value);
        status = *ret_form ? COMB_OK : comb_error_no_memory(err);
    }
    json_decref(value);
    return status;
}

static enum comb_status twice(struct comb_error *err, comb_str path)
{
    return comb_error_field(err, "conditions",
                            "on %.*s: one equality, or one lower and one upper bound",
                            COMB_STR_ARG(path));
}

/* Adds a condition; the two ends of a range are of one kind. */
static enum comb_status add_bound(struct bounds *bounds,
                                  const struct comb_document_condition *condition, const char *form,
                                  struct comb_error *err)
{
    enum comb_document_compare compare = condition->compare;
    bool is_lower = compare == COMB_DOCUMENT_GREATER || compare == COMB_DOCUMENT_GREATER_OR_EQUAL;
    const char **end = is_lower ? &bounds->lower : &bounds->upper;
    const char *other = is_lower ? bounds->upper : bounds->lower;
    if (compare == COMB_DOCUMENT_EQUAL) {
        if (bounds->equal || bounds->lower || bounds->upper)
            return twice(err, condition->path);
        bounds->equal = form;
        return COMB_OK;
    }
    if (bounds->equal || *end)
        return twice(err, condition->path);
    if (other && strncmp(other, form, DOCUMENTS_TAG_LENGTH) != 0)
        return comb_error_field(err, "conditions", "on %.*s: both bounds are texts, or numbers",
                                COMB_STR_ARG(condition->path));
    *end = form;
    if (is_lower)
        bounds->has_lower_equal = compare == COMB_DOCUMENT_GREATER_OR_EQUAL;
    else
        bounds->has_upper_equal = compare == COMB_DOCUMENT_LESS_OR_EQUAL;
    return COMB_OK;
}

/* What the query says about one path, and how many of its conditions that are. */
static enum comb_status bounds_of(const struct comb_document_query *query, comb_str path,
                                  struct comb_ctx *ctx, struct bounds *ret, size_t *n_used,
                                  struct comb_error *err)
{
    *ret = (struct bounds){0};
    for (size_t i = 0; i < query->n_conditions; i++) {
        const struct comb_document_condition *condition = &query->conditions[i];
        const char *form = NULL;
        if (!comb_str_equal(condition->path, path))
            continue;
        enum comb_status status = read_value(ctx, condition->value, &form, err);
        if (status == COMB_OK)
            status = add_bound(ret, condition, form, err);
        if (status != COMB_OK)
            return status;
        ++*n_used;
    }
    return COMB_OK;
}

/* A walk: the range of texts of one order. */
struct walk {
    enum comb_document_order order;
    const char *from, *to;
};

/* The range behind what all conditions of equality make. */
static enum comb_status set_range(struct comb_ctx *ctx, const char *prefix,
                                  const struct bounds *bounds, struct walk *walk,
                                  struct comb_error *err)
{
    const char *form = bounds->lower ? bounds->lower : bounds->upper;
    struct grpcc_arena *arena = ctx->arena;
    walk->from = walk->to = NULL;
    if (!form) {
        walk->from = prefix;
        walk->to = grpcc_arena_printf(arena, "%s" DOCUMENTS_BEYOND, prefix);
    } else {
        const char *kind = grpcc_arena_strndup(arena, form, DOCUMENTS_TAG_LENGTH);
        if (kind && bounds->lower)
            walk->from = grpcc_arena_printf(arena, "%s%s%s", prefix, bounds->lower,
                                            bounds->has_lower_equal ? "" : DOCUMENTS_BEYOND);
        else if (kind)
            walk->from = grpcc_arena_printf(arena, "%s%s", prefix, kind);
        if (kind && bounds->upper)
            walk->to = grpcc_arena_printf(arena, "%s%s%s", prefix, bounds->upper,
                                          bounds->has_upper_equal ? DOCUMENTS_BEYOND : "");
        else if (kind)
            walk->to = grpcc_arena_printf(arena, "%s%s" DOCUMENTS_BEYOND, prefix, kind);
    }
    return walk->from && walk->to ? COMB_OK : comb_error_no_memory(err);
}

/* Whether the order that is asked for is that of the index, when the first n_equal paths are fixed.
 */
static bool has_order(const struct comb_document_query *query,
                      const struct comb_document_index *index, size_t n_equal)
{
    size_t asked = 0;
    for (size_t i = 0; i < index->n_paths && asked < query->n_order; i++) {
        if (comb_str_equal(index->paths[i], query->order[asked]))
            asked++;
        else if (i >= n_equal)
            return false;
    }
    return asked == query->n_order;
}

/* *ret_fits: this index answers the query, and walk says how. */
static enum comb_status try_index(struct comb_ctx *ctx, const struct comb_document_query *query,
                                  const struct comb_document_index *index, struct walk *walk,
                                  bool *ret_fits, struct comb_error *err)
{
    const char *owner =
        query->owner ? comb_hex_encode(ctx->arena, comb_uuid_bytes(query->owner)) : "";
    const char *prefix =
        owner ? grpcc_arena_printf(ctx->arena, "%.*s/%s", COMB_STR_ARG(query->store), owner) : NULL;
    struct bounds bounds = {0};
    size_t n_used = 0, n_equal = 0;
    *ret_fits = false;
    if (index->by_owner != (query->owner != NULL))
        return COMB_OK;
    for (size_t i = 0; i < index->n_paths && prefix; i++) {
        enum comb_status status = bounds_of(query, index->paths[i], ctx, &bounds, &n_used, err);
        if (status != COMB_OK)
            return status;
        if (!bounds.equal)
            break;
        n_equal++;
        prefix = grpcc_arena_printf(ctx->arena, "%s%s", prefix, bounds.equal);
        bounds = (struct bounds){0};
    }
    if (!prefix)
        return comb_error_no_memory(err);
    if (n_used != query->n_conditions || !has_order(query, index, n_equal))
        return COMB_OK;
    *ret_fits = true;
    walk->order = (enum comb_document_order)(COMB_DOCUMENT_BY_KEY + index->slot);
    return set_range(ctx, prefix, &bounds, walk, err);
}

static enum comb_status no_index(const struct comb_document_query *query, struct comb_error *err)
{
    char paths[128] = "";
    size_t len = 0;
    for (size_t i = 0; i < query->n_conditions && len < sizeof paths; i++)
        len += (size_t)snprintf(paths + len, sizeof paths - len, "%s%.*s", i ? ", " : "",
                                COMB_STR_ARG(query->conditions[i].path));
    for (size_t i = 0; i < query->n_order && len < sizeof paths; i++)
        len += (size_t)snprintf(paths + len, sizeof paths - len, "%s%.*s", len ? ", " : "",
                                COMB_STR_ARG(query->order[i]));
    return comb_error_set(err, COMB_FAILED_PRECONDITION,
                          COMB_V1_ERROR_REASON_DOCUMENT_INDEX_MISSING,
                          "no index %s answers this: declare one with equal paths first, then the "
                          "range and the order: %s",
                          query->owner ? "by owner" : "over all owners", paths);
}

/* Of one owner, or of all, by owner and id. */
static enum comb_status walk_all(struct comb_ctx *ctx, const struct comb_document_query *query,
                                 struct walk *walk, struct comb_error *err)
{
    const char *hex =
        query->owner ? comb_hex_encode(ctx->arena, comb_uuid_bytes(query->owner)) : "";
    walk->order = COMB_DOCUMENT_BY_AT;
    walk->from = hex ? grpcc_arena_printf(ctx->arena, "%.*s/%s%s", COMB_STR_ARG(query->store), hex,
                                          query->owner ? "/" : "")
                     : NULL;
    walk->to = walk->from ? grpcc_arena_printf(ctx->arena, "%s~", walk->from) : NULL;
    return walk->to ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status choose(struct comb_ctx *ctx, const struct comb_document_query *query,
                               const struct comb_document_store *store, struct walk *walk,
                               struct comb_error *err)
{
    if (query->n_conditions == 0 && query->n_order == 0)
        return walk_all(ctx, query, walk, err);
    for (size_t i = 0; i < store->n_indexes; i++) {
        bool fits = false;
        enum comb_status status = try_index(ctx, query, &store->indexes[i], walk, &fits, err);
        if (status != COMB_OK || fits)
            return status;
    }
    return no_index(query, err);
}

/* ---- the walk ---- */

/* A page that is being filled. */
struct page {
    struct comb_document *documents;
    size_t n, max, bytes, examined;
    comb_str last; /* text of the last record that was looked at */
    bool is_full;
};

static enum comb_status take(struct page *page, enum comb_document_order order,
                             const struct comb_document_record *record, int64_t now_us,
                             struct comb_error *err)
{
    bool is_there = documents_is_there(record, now_us);
    if (is_there && (page->n == page->max || (page->n > 0 && page->bytes + record->body.len >
                                                                 COMB_DOCUMENT_PAGE_BYTES_MAX))) {
        page->is_full = true;
        return COMB_OK;
    }
    page->last = record->texts[order];
    page->examined++;
    if (!is_there)
        return COMB_OK;
    page->bytes += record->body.len;
    return documents_to_document(record, &page->documents[page->n++])
               ? COMB_OK
               : comb_error_set(err, COMB_DATA_LOSS, 0, "a document is damaged");
}

/* Moves one end of the range to behind what was seen. */
static enum comb_status go_on(struct comb_ctx *ctx, struct comb_document_scan *scan, comb_str last,
                              struct comb_error *err)
{
    if (scan->is_descending) {
        scan->to = last;
        return COMB_OK;
    }
    const char *from = grpcc_arena_printf(ctx->arena, "%.*s" DOCUMENTS_AFTER, COMB_STR_ARG(last));
    scan->from = comb_str_from(from ? from : "");
    return from ? COMB_OK : comb_error_no_memory(err);
}

static enum comb_status fill(struct comb_documents *documents, struct comb_ctx *ctx,
                             struct comb_document_scan *scan, struct page *page,
                             struct comb_error *err)
{
    const struct comb_document_record *records;
    int64_t now_us = comb_clock_wall_us();
    size_t n = scan->max;
    while (n == scan->max && !page->is_full && page->examined < COMB_PAGE_EXAMINED_MAX) {
        enum comb_status status =
            documents->store->driver->scan(documents->store, ctx, scan, &records, &n, err);
        for (size_t i = 0; i < n && !page->is_full && status == COMB_OK; i++)
            status = take(page, scan->order, &records[i], now_us, err);
        if (status == COMB_OK && n == scan->max)
            status = go_on(ctx, scan, page->last, err);
        if (status != COMB_OK)
            return status;
    }
    if (!page->is_full && n < scan->max)
        page->last = (comb_str){0};
    return COMB_OK;
}

static enum comb_status walk_page(struct comb_documents *documents, struct comb_ctx *ctx,
                                  const struct comb_document_query *query, const struct walk *walk,
                                  struct comb_document_page *ret_page, struct comb_error *err)
{
    struct comb_document_scan scan = {
        .order = walk->order,
        .from = comb_str_from(walk->from),
        .to = comb_str_from(walk->to),
        .is_descending = query->is_descending,
        .max = query->max < COMB_DOCUMENT_RECORDS_MAX ? query->max + 1 : COMB_DOCUMENT_RECORDS_MAX,
    };
    struct page page = {.max = query->max,
                        .documents =
                            grpcc_arena_calloc(ctx->arena, query->max, sizeof *page.documents)};
    enum comb_status status = page.documents ? COMB_OK : comb_error_no_memory(err);
    if (scan.max > COMB_DOCUMENT_RECORDS_MAX)
        scan.max = COMB_DOCUMENT_RECORDS_MAX;
    if (status == COMB_OK && query->after.len > 0)
        status = go_on(ctx, &scan, query->after, err);
    if (status == COMB_OK)
        status = fill(documents, ctx, &scan, &page, err);
    if (status == COMB_OK)
        *ret_page = (struct comb_document_page){page.documents, page.n, page.last};
    return status;
}

static enum comb_status check_query(const struct comb_document_query *query, struct comb_error *err)
{
    if (query->n_conditions > COMB_DOCUMENT_CONDITIONS_MAX)
        return comb_error_field(err, "conditions", "are %d at most", COMB_DOCUMENT_CONDITIONS_MAX);
    if (query->n_order > COMB_DOCUMENT_PATHS_MAX)
        return comb_error_field(err, "order", "has %d paths at most", COMB_DOCUMENT_PATHS_MAX);
    for (size_t i = 0; i < query->n_conditions; i++) {
        const struct comb_document_condition *condition = &query->conditions[i];
        if (!documents_is_path(condition->path))
            return comb_error_field(err, "conditions.path", "is of the form /a/b (RFC 6901)");
        if (condition->compare < COMB_DOCUMENT_EQUAL ||
            condition->compare > COMB_DOCUMENT_GREATER_OR_EQUAL)
            return comb_error_field(err, "conditions.compare", "is missing or not known");
    }
    for (size_t i = 0; i < query->n_order; i++) {
        if (!documents_is_path(query->order[i]))
            return comb_error_field(err, "order", "is of paths of the form /a/b (RFC 6901)");
    }
    return COMB_OK;
}

enum comb_status comb_documents_query(struct comb_documents *documents, struct comb_ctx *ctx,
                                      const struct comb_document_query *query,
                                      struct comb_document_page *ret_page, struct comb_error *err)
{
    struct comb_document_store store;
    struct walk walk = {0};
    enum comb_status status = check_query(query, err);
    if (status == COMB_OK)
        status = comb_documents_get_store(documents, ctx, query->store, &store, err);
    if (status == COMB_OK)
        status = documents_may_read(ctx, &store, query->owner, err);
    if (status == COMB_OK)
        status = choose(ctx, query, &store, &walk, err);
    if (status == COMB_OK && walk.order != COMB_DOCUMENT_BY_AT)
        status = documents_heal(documents, ctx, &store, err);
    return status == COMB_OK ? walk_page(documents, ctx, query, &walk, ret_page, err) : status;
}
