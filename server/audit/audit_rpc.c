/* SPDX-License-Identifier: Apache-2.0 */
#include "server/audit/audit_rpc.h"

#include <string.h>

#include "comb/v1/audit.grpcc.h"
#include "server/core/timestamp.h"

/* ---- messages ---- */

static enum comb_status add_entries(struct grpcc_arena *arena, const struct comb_audit_page *page,
                                    struct comb_v1_audit_query_response *response,
                                    struct comb_error *err)
{
    for (size_t i = 0; i < page->n; i++) {
        const struct comb_audit_entry *from = &page->entries[i];
        struct comb_v1_audit_entry *entry = comb_v1_audit_entry_new(arena);
        if (!entry || !comb_timestamp_set(arena, from->number_us, &entry->number_time))
            return comb_error_no_memory(err);
        entry->number = from->n;
        entry->record = from->record;
        entry->result = (enum comb_v1_audit_result)from->result;
        if (!comb_v1_audit_query_response_add_entries(arena, response, entry))
            return comb_error_no_memory(err);
    }
    return COMB_OK;
}

static bool add_seal(struct grpcc_arena *arena, const struct comb_audit_seal *from,
                     struct comb_v1_audit_export_response *message)
{
    struct comb_v1_audit_seal *seal = comb_v1_audit_seal_new(arena);
    if (!seal)
        return false;
    seal->kind = grpcc_arena_strdup(arena, comb_audit_seal_kind_name(from->kind));
    seal->number = from->n;
    seal->time_us = from->time_us;
    seal->key_version = from->key_version;
    comb_v1_audit_seal_set_hash(seal, from->hash, sizeof from->hash);
    comb_v1_audit_seal_set_signature(seal, from->signature, sizeof from->signature);
    return seal->kind && comb_v1_audit_export_response_add_seals(arena, message, seal);
}

/* What is borrowed of row lives until the message has been sent. */
static bool add_line(struct grpcc_arena *arena, const struct comb_audit_row *row,
                     struct comb_v1_audit_export_response *message)
{
    struct comb_v1_audit_line *line = comb_v1_audit_line_new(arena);
    if (!line)
        return false;
    line->number = row->line.n;
    line->time_us = row->line.time_us;
    comb_v1_audit_line_set_record(line, row->line.record, row->line.record_size);
    comb_v1_audit_line_set_before(line, row->line.before, sizeof row->line.before);
    comb_v1_audit_line_set_hash(line, row->line.hash, sizeof row->line.hash);
    return comb_v1_audit_export_response_add_lines(arena, message, line);
}

static enum comb_status native_error(struct comb_error *err, const struct grpcc_error *native)
{
    return comb_error_set(err, (enum comb_status)native->status, 0, "%.200s", native->message);
}

/* ---- Query ---- */

static enum comb_status read_id(const char *field, const char *text, struct comb_uuid *id,
                                const struct comb_uuid **ret_id, struct comb_error *err)
{
    *ret_id = text[0] ? id : NULL;
    if (text[0] && !comb_uuid_parse(comb_str_from(text), id))
        return comb_error_field(err, field, "is no id");
    return COMB_OK;
}

static enum comb_status read_filter(const struct comb_v1_audit_filter *from,
                                    struct comb_audit_filter *filter, struct comb_uuid ids[2],
                                    struct comb_error *err)
{
    *filter = (struct comb_audit_filter){0};
    if (!from)
        return COMB_OK;
    enum comb_status status = read_id("filter.user_id", from->user_id, &ids[0], &filter->user, err);
    if (status == COMB_OK)
        status = read_id("filter.node_id", from->node_id, &ids[1], &filter->node, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < from->n_kinds; i++) {
        if (from->kinds[i] < COMB_V1_AUDIT_KIND_CHANGE ||
            from->kinds[i] > COMB_V1_AUDIT_KIND_REFUSAL)
            return comb_error_field(err, "filter.kinds", "%d is no kind", (int)from->kinds[i]);
        filter->kinds |= 1u << from->kinds[i];
    }
    if (from->result < 0 || from->result > COMB_V1_AUDIT_RESULT_UNKNOWN)
        return comb_error_field(err, "filter.result", "%d is no result", (int)from->result);
    filter->result = (int)from->result;
    filter->method = comb_str_from(from->method);
    filter->text = comb_str_from(from->text);
    status = comb_rpc_time(from->since, "filter.since", &filter->since_us, err);
    if (status == COMB_OK)
        status = comb_rpc_time(from->until, "filter.until", &filter->until_us, err);
    return status;
}

/* What must be the same for all pages. */
static enum comb_status identity_of(struct grpcc_arena *arena,
                                    const struct comb_v1_audit_query_request *request,
                                    comb_str *ret_identity, struct comb_error *err)
{
    *ret_identity = comb_rpc_pack(arena, request->filter ? &request->filter->base : NULL);
    return ret_identity->ptr ? COMB_OK : comb_error_no_memory(err);
}

/* A place as a page token keeps it: this process' own layout, since replicas are of one kind. */
static enum comb_status read_place(comb_str state, struct comb_audit_place *place,
                                   struct comb_error *err)
{
    *place = (struct comb_audit_place){0};
    if (state.len == 0)
        return COMB_OK;
    if (state.len != 2 * sizeof(uint64_t))
        return comb_error_set(err, COMB_INTERNAL, 0, "a page's state is no place");
    memcpy(&place->time_us, state.ptr, sizeof place->time_us);
    memcpy(&place->n, state.ptr + sizeof place->time_us, sizeof place->n);
    return COMB_OK;
}

static enum comb_status seal_place(const struct comb_audit_rpc *rpc, struct comb_ctx *ctx,
                                   comb_str identity, const struct comb_audit_place *place,
                                   char **ret_token, struct comb_error *err)
{
    uint8_t state[2 * sizeof(uint64_t)];
    if (comb_audit_place_is_none(place))
        return COMB_OK;
    memcpy(state, &place->time_us, sizeof place->time_us);
    memcpy(state + sizeof place->time_us, &place->n, sizeof place->n);
    return comb_page_token_seal(rpc->sealer, ctx, identity, comb_str_of(state, sizeof state),
                                ret_token, err);
}

static enum comb_status query_page(const struct comb_audit_rpc *rpc, struct comb_ctx *ctx,
                                   const struct comb_v1_audit_query_request *request,
                                   const struct comb_audit_filter *filter, size_t size,
                                   struct comb_v1_audit_query_response *response,
                                   struct comb_error *err)
{
    comb_str identity, state;
    struct comb_audit_place place;
    struct comb_audit_page page;
    enum comb_status status = identity_of(ctx->arena, request, &identity, err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, identity, request->page_token, &state, err);
    if (status == COMB_OK)
        status = read_place(state, &place, err);
    if (status == COMB_OK)
        status = comb_audit_query(rpc->audit, ctx, filter, &place, size, &page, err);
    if (status == COMB_OK)
        status = add_entries(ctx->arena, &page, response, err);
    if (status == COMB_OK)
        status = seal_place(rpc, ctx, identity, &page.next, &response->next_page_token, err);
    return status;
}

static enum comb_status follow_page(const struct comb_audit_rpc *rpc, struct comb_ctx *ctx,
                                    const struct comb_v1_audit_query_request *request,
                                    const struct comb_audit_filter *filter, size_t size,
                                    struct comb_v1_audit_query_response *response,
                                    struct comb_error *err)
{
    struct comb_audit_page page;
    if (request->page_token[0])
        return comb_error_field(err, "page_token", "is not for after_number");
    if (request->after_number > INT64_MAX)
        return comb_error_field(err, "after_number", "is no number of a line");
    enum comb_status status = comb_audit_follow(rpc->audit, ctx, filter, request->after_number,
                                                size, &page, &response->last_number, err);
    return status == COMB_OK ? add_entries(ctx->arena, &page, response, err) : status;
}

static void rpc_query(void *self, struct grpcc_call *call,
                      const struct comb_v1_audit_query_request *request)
{
    const struct comb_audit_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_audit_query_response *response = comb_v1_audit_query_response_new(ctx->arena);
    struct comb_audit_filter filter;
    struct comb_uuid ids[2];
    size_t size = 0;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = read_filter(request->filter, &filter, ids, &err);
    if (status == COMB_OK)
        status = (request->has_after_number ? follow_page : query_page)(rpc, ctx, request, &filter,
                                                                        size, response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- Verify ---- */

static enum comb_status tell(void *data, const struct comb_audit_progress *now,
                             struct comb_error *err)
{
    struct grpcc_call *call = data;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_audit_verify_response *message =
        arena ? comb_v1_audit_verify_response_new(arena) : NULL;
    struct grpcc_error native = GRPCC_ERROR_INIT;
    char text[160] = "";
    enum comb_status status = COMB_OK;
    if (!message) {
        grpcc_arena_free(arena);
        return comb_error_no_memory(err);
    }
    message->checked = now->checked;
    message->total = now->total;
    message->first_number = now->first;
    message->signed_number = now->signed_n;
    message->done = now->done;
    if (now->done) {
        message->fault = (enum comb_v1_audit_fault)now->finding.fault;
        message->number = now->finding.n;
        message->other_number = now->finding.other;
        comb_audit_finding_text(&now->finding, text, sizeof text);
        message->message = text;
    }
    if (comb_v1_audit_verify_send(call, message, &native) != GRPCC_OK)
        status = native_error(err, &native);
    grpcc_arena_free(arena);
    return status;
}

static void rpc_verify(void *self, struct grpcc_call *call,
                       const struct comb_v1_audit_verify_request *request)
{
    const struct comb_audit_rpc *rpc = self;
    struct comb_error err = {0};
    (void)request;
    if (comb_audit_verify(rpc->audit, comb_rpc_ctx(call), tell, call, &err) == COMB_OK)
        grpcc_call_finish_ok(call);
    else
        comb_rpc_fail(call, &err);
}

/* ---- Export ---- */

/* Bytes of records in one message; a record has COMB_AUDIT_RECORD_MAX at most. */
#define EXPORT_BYTES_MAX (1u << 20)

/* Sends as many of part's rows, from *at on, as fit into a message. */
static enum comb_status send_some(struct grpcc_call *call, const struct comb_audit_part *part,
                                  size_t *at, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_audit_export_response *message =
        arena ? comb_v1_audit_export_response_new(arena) : NULL;
    struct grpcc_error native = GRPCC_ERROR_INIT;
    size_t bytes = 0;
    bool ok = message != NULL;
    if (ok && part->installation)
        ok = (message->installation_id = grpcc_arena_strdup(arena, part->installation)) != NULL;
    if (ok && part->floor)
        ok = add_seal(arena, part->floor, message);
    if (ok && part->head)
        ok = add_seal(arena, part->head, message);
    for (; ok && *at < part->n && bytes < EXPORT_BYTES_MAX; ++*at) {
        bytes += part->rows[*at].line.record_size;
        ok = add_line(arena, &part->rows[*at], message);
    }
    enum comb_status status = ok ? COMB_OK : comb_error_no_memory(err);
    if (ok && comb_v1_audit_export_send(call, message, &native) != GRPCC_OK)
        status = native_error(err, &native);
    grpcc_arena_free(arena);
    return status;
}

static enum comb_status send_part(void *data, const struct comb_audit_part *part,
                                  struct comb_error *err)
{
    size_t at = 0;
    enum comb_status status;
    do {
        status = send_some(data, part, &at, err);
    } while (status == COMB_OK && at < part->n);
    return status;
}

static void rpc_export(void *self, struct grpcc_call *call,
                       const struct comb_v1_audit_export_request *request)
{
    const struct comb_audit_rpc *rpc = self;
    struct comb_error err = {0};
    (void)request;
    if (comb_audit_export(rpc->audit, comb_rpc_ctx(call), send_part, call, &err) == COMB_OK)
        grpcc_call_finish_ok(call);
    else
        comb_rpc_fail(call, &err);
}

/* ---- GetKey ---- */

static void rpc_get_key(void *self, struct grpcc_call *call,
                        const struct comb_v1_audit_get_key_request *request)
{
    const struct comb_audit_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_audit_get_key_response *response =
        comb_v1_audit_get_key_response_new(ctx->arena);
    uint8_t key[COMB_AUDIT_KEY_SIZE];
    char pem[COMB_AUDIT_PEM_MAX];
    struct comb_error err = {0};
    (void)request;
    enum comb_status status =
        response ? comb_audit_public_key_get(rpc->audit, ctx, key, &response->version, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK && (!comb_audit_key_to_pem(key, pem) ||
                              !(response->public_key = grpcc_arena_strdup(ctx->arena, pem))))
        status = comb_error_no_memory(&err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- Reindex ---- */

static void rpc_reindex(void *self, struct grpcc_call *call,
                        const struct comb_v1_audit_reindex_request *request)
{
    const struct comb_audit_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_audit_reindex_response *response =
        comb_v1_audit_reindex_response_new(ctx->arena);
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_audit_indexer_begin_anew(rpc->indexer, ctx, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static const struct comb_v1_audit_server METHODS = {.query = rpc_query,
                                                    .verify = rpc_verify,
                                                    .export_ = rpc_export,
                                                    .get_key = rpc_get_key,
                                                    .reindex = rpc_reindex};

enum comb_status comb_audit_rpc_register(struct grpcc_server *server, struct comb_audit_rpc *rpc,
                                         struct comb_error *err)
{
    struct grpcc_error failure;
    if (comb_v1_audit_register(server, &METHODS, rpc, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Audit: %s", failure.message);
}
