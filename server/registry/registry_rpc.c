/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/registry_rpc.h"

#include <string.h>

#include "server/registry/watch_rpc.h"

/* What an entry may have of each, and how long a text of it may be. */
#define ADDRESSES_MAX 16
#define ADDRESS_BYTES_MAX 256
#define WORDS_MAX 64
#define WORD_BYTES_MAX 64
#define VALUE_BYTES_MAX 1024

/* Service and id are those of the key, whatever the body says. */
enum comb_status comb_registry_message(struct grpcc_arena *arena,
                                       const struct comb_registry_entry *entry,
                                       struct comb_v1_registry_entry **ret_message,
                                       struct comb_error *err)
{
    struct comb_v1_registry_entry *message = NULL;
    struct grpcc_error native = GRPCC_ERROR_INIT;
    enum grpcc_status status = comb_v1_registry_entry_unpack(arena, NULL, entry->body.ptr,
                                                             entry->body.len, &message, &native);
    if (status == GRPCC_RESOURCE_EXHAUSTED)
        return comb_error_no_memory(err);
    if (status != GRPCC_OK)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "%.*s/%.*s is no entry of the registry",
                              COMB_STR_ARG(entry->service), COMB_STR_ARG(entry->id));
    message->service = comb_str_dup(arena, entry->service);
    message->id = comb_str_dup(arena, entry->id);
    if (!message->service || !message->id)
        return comb_error_no_memory(err);
    *ret_message = message;
    return COMB_OK;
}

comb_str comb_registry_body(struct grpcc_arena *arena, const struct comb_v1_registry_entry *entry)
{
    size_t size = 0;
    void *bytes = comb_v1_registry_entry_pack(arena, entry, &size);
    return comb_str_of(bytes, bytes ? size : 0);
}

/* ---- List ---- */

static enum comb_status fill_page(const struct comb_registry_rpc *rpc, struct grpcc_call *call,
                                  const struct comb_directory_page *page, comb_str query,
                                  struct comb_v1_registry_list_response *response,
                                  struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    for (size_t i = 0; i < page->n; i++) {
        struct comb_v1_registry_entry *message = NULL;
        enum comb_status status = comb_registry_message(arena, &page->entries[i], &message, err);
        if (status == COMB_DATA_LOSS) /* written by somebody else: not ours to show */
            continue;
        if (status != COMB_OK)
            return status;
        if (!comb_v1_registry_list_response_add_entries(arena, response, message))
            return comb_error_no_memory(err);
    }
    response->stale = page->stale;
    if (page->next.len == 0)
        return COMB_OK;
    return comb_page_token_seal(rpc->sealer, comb_rpc_ctx(call), query, page->next,
                                &response->next_page_token, err);
}

static void rpc_list(void *self, struct grpcc_call *call,
                     const struct comb_v1_registry_list_request *request)
{
    const struct comb_registry_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_registry_list_response *response =
        comb_v1_registry_list_response_new(ctx->arena);
    comb_str service = comb_str_from(request->service), after = {0};
    struct comb_directory_page page;
    size_t size = 0;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, service, request->page_token, &after, &err);
    if (status == COMB_OK)
        status = comb_directory_list(rpc->directory, ctx->arena, service, after, size, &page, &err);
    if (status == COMB_OK)
        status = fill_page(rpc, call, &page, service, response, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_watch(void *self, struct grpcc_call *call,
                      const struct comb_v1_registry_watch_request *request)
{
    const struct comb_registry_rpc *rpc = self;
    comb_registry_watches_add(rpc->watches, call, request);
}

/* ---- Register, Heartbeat, Deregister ---- */

static enum comb_status check_text(const char *field, const char *text, size_t max,
                                   struct comb_error *err)
{
    if (strlen(text) <= max)
        return COMB_OK;
    return comb_error_field(err, field, "must have at most %zu bytes", max);
}

static enum comb_status check_texts(const char *field, char *const *texts, size_t n, size_t n_max,
                                    size_t max, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    if (n > n_max)
        return comb_error_field(err, field, "must be at most %zu", n_max);
    for (size_t i = 0; i < n && status == COMB_OK; i++)
        status = check_text(field, texts[i], max, err);
    return status;
}

static enum comb_status check_attributes(const struct comb_v1_registry_entry *entry,
                                         struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    if (entry->n_attributes > WORDS_MAX)
        return comb_error_field(err, "entry.attributes", "must be at most %d", WORDS_MAX);
    for (size_t i = 0; i < entry->n_attributes && status == COMB_OK; i++) {
        status =
            check_text("entry.attributes.name", entry->attributes[i]->name, WORD_BYTES_MAX, err);
        if (status == COMB_OK)
            status = check_text("entry.attributes.value", entry->attributes[i]->value,
                                VALUE_BYTES_MAX, err);
    }
    return status;
}

static enum comb_status check_entry(const struct comb_v1_registry_entry *entry,
                                    struct comb_error *err)
{
    if (!entry)
        return comb_error_field(err, "entry", "must be given");
    enum comb_status status = check_texts("entry.addresses", entry->addresses, entry->n_addresses,
                                          ADDRESSES_MAX, ADDRESS_BYTES_MAX, err);
    if (status == COMB_OK)
        status = check_texts("entry.admin_addresses", entry->admin_addresses,
                             entry->n_admin_addresses, ADDRESSES_MAX, ADDRESS_BYTES_MAX, err);
    if (status == COMB_OK)
        status = check_texts("entry.capabilities", entry->capabilities, entry->n_capabilities,
                             WORDS_MAX, WORD_BYTES_MAX, err);
    if (status == COMB_OK)
        status = check_text("entry.version", entry->version, WORD_BYTES_MAX, err);
    if (status == COMB_OK)
        status = check_text("entry.installation_id", entry->installation_id, WORD_BYTES_MAX, err);
    return status == COMB_OK ? check_attributes(entry, err) : status;
}

static void rpc_register(void *self, struct grpcc_call *call,
                         const struct comb_v1_registry_register_request *request)
{
    const struct comb_registry_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_registry_register_response *response =
        comb_v1_registry_register_response_new(ctx->arena);
    struct comb_registry_entry entry = {0};
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = check_entry(request->entry, &err);
    if (status == COMB_OK) {
        entry.service = comb_str_from(request->entry->service);
        entry.id = comb_str_from(request->entry->id);
        entry.body = comb_registry_body(ctx->arena, request->entry);
        if (!entry.body.ptr)
            status = comb_error_no_memory(&err);
    }
    if (status == COMB_OK)
        status = comb_directory_register(rpc->directory, ctx, &entry,
                                         request->ttl_ms ? request->ttl_ms : COMB_DIRECTORY_TTL_MS,
                                         &response->ttl_ms, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_heartbeat(void *self, struct grpcc_call *call,
                          const struct comb_v1_registry_heartbeat_request *request)
{
    const struct comb_registry_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_registry_heartbeat_response *response =
        comb_v1_registry_heartbeat_response_new(ctx->arena);
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_directory_heartbeat(rpc->directory, ctx, comb_str_from(request->service),
                                          comb_str_from(request->id), &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_deregister(void *self, struct grpcc_call *call,
                           const struct comb_v1_registry_deregister_request *request)
{
    const struct comb_registry_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct comb_v1_registry_deregister_response *response =
        comb_v1_registry_deregister_response_new(ctx->arena);
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);
    if (status == COMB_OK)
        status = comb_directory_deregister(rpc->directory, ctx, comb_str_from(request->service),
                                           comb_str_from(request->id), &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- its life ---- */

static const struct comb_v1_registry_server table = {
    .list = rpc_list,
    .watch = rpc_watch,
    .register_ = rpc_register,
    .heartbeat = rpc_heartbeat,
    .deregister = rpc_deregister,
};

enum comb_status comb_registry_rpc_init(struct comb_registry_rpc *rpc,
                                        struct comb_directory *directory,
                                        struct comb_sealer *sealer, struct comb_error *err)
{
    *rpc = (struct comb_registry_rpc){.directory = directory, .sealer = sealer};
    return comb_registry_watches_new(directory, &rpc->watches, err);
}

void comb_registry_rpc_drain(struct comb_registry_rpc *rpc)
{
    if (rpc->watches)
        comb_registry_watches_drain(rpc->watches);
}

void comb_registry_rpc_done(struct comb_registry_rpc *rpc)
{
    comb_registry_watches_free(rpc->watches);
    *rpc = (struct comb_registry_rpc){0};
}

enum comb_status comb_registry_rpc_register(struct grpcc_server *server,
                                            struct comb_registry_rpc *rpc, struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_registry_register(server, &table, rpc, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Registry: %.200s", failure.message);
}
