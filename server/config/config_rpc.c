/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/config_rpc.h"

#include <inttypes.h>
#include <stdlib.h>

static void rpc_get(void *self, struct grpcc_call *call,
                    const struct comb_v1_config_get_request *request)
{
    const struct comb_config_rpc *rpc = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_config_get_response *response = comb_v1_config_get_response_new(arena);
    struct comb_config_entry entry;
    struct comb_error err = {0};
    bool stale = false;
    enum comb_status status =
        response ? comb_config_get(rpc->config, comb_rpc_ctx(call), comb_str_from(request->path),
                                   &entry, &stale, &err)
                 : comb_error_no_memory(&err);

    if (status == COMB_OK) {
        response->stale = stale;
        response->entry = comb_config_message(arena, &entry);
        if (!response->entry)
            status = comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- changes ---- */

static enum comb_status take_changes(const struct comb_v1_config_set_request *request,
                                     struct comb_config_change *changes, struct comb_error *err)
{
    if (request->n_changes > COMB_CONFIG_CHANGES_MAX)
        return comb_error_field(err, "changes", "1 to %d paths can be changed at once",
                                COMB_CONFIG_CHANGES_MAX);
    for (size_t i = 0; i < request->n_changes; i++) {
        const struct comb_v1_config_change *change = request->changes[i];
        if (change->has_expected_revision && change->expected_revision < 0)
            return comb_error_field(err, "expected_revision", "revisions are not negative");
        changes[i] = (struct comb_config_change){.path = comb_str_from(change->path),
                                                 .has_expected = change->has_expected_revision,
                                                 .expected = change->expected_revision};
        if (change->value[0])
            changes[i].value = comb_str_from(change->value);
    }
    return COMB_OK;
}

static void rpc_set(void *self, struct grpcc_call *call,
                    const struct comb_v1_config_set_request *request)
{
    const struct comb_config_rpc *rpc = self;
    struct comb_v1_config_set_response *response =
        comb_v1_config_set_response_new(grpcc_call_arena(call));
    struct comb_config_change changes[COMB_CONFIG_CHANGES_MAX];
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);

    if (status == COMB_OK)
        status = take_changes(request, changes, &err);
    if (status == COMB_OK)
        status = comb_config_set(rpc->config, comb_rpc_ctx(call), &key, changes, request->n_changes,
                                 &response->revision, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_delete(void *self, struct grpcc_call *call,
                       const struct comb_v1_config_delete_request *request)
{
    const struct comb_config_rpc *rpc = self;
    struct comb_v1_config_delete_response *response =
        comb_v1_config_delete_response_new(grpcc_call_arena(call));
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status =
        response ? comb_rpc_request_key(call, request->request_id, &request->base, &key, &err)
                 : comb_error_no_memory(&err);

    if (status == COMB_OK)
        status =
            comb_config_delete(rpc->config, comb_rpc_ctx(call), &key, comb_str_from(request->path),
                               request->expected_revision, &response->revision, &err);
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- pages ---- */

static void rpc_list(void *self, struct grpcc_call *call,
                     const struct comb_v1_config_list_request *request)
{
    const struct comb_config_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_config_list_response *response = comb_v1_config_list_response_new(arena);
    comb_str path = comb_str_from(request->path), after;
    struct comb_config_entries page = {0};
    struct comb_error err = {0};
    bool stale = false;
    size_t size = 0;
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);

    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, path, request->page_token, &after, &err);
    if (status == COMB_OK)
        status = comb_config_list(rpc->config, ctx, path, after, size, &page, &stale, &err);
    for (size_t i = 0; i < page.n && status == COMB_OK; i++) {
        struct comb_v1_config_entry *entry = comb_config_message(arena, &page.items[i]);
        if (!entry || !comb_v1_config_list_response_add_entries(arena, response, entry))
            status = comb_error_no_memory(&err);
    }
    if (status == COMB_OK && page.more && page.n > 0)
        status = comb_page_token_seal(rpc->sealer, ctx, path, page.items[page.n - 1].path,
                                      &response->next_page_token, &err);
    if (status == COMB_OK) {
        response->revision = page.revision;
        response->stale = stale;
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

static void rpc_history(void *self, struct grpcc_call *call,
                        const struct comb_v1_config_history_request *request)
{
    const struct comb_config_rpc *rpc = self;
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_config_history_response *response = comb_v1_config_history_response_new(arena);
    comb_str path = comb_str_from(request->path), state = {0};
    struct comb_config_entries page = {0};
    struct comb_error err = {0};
    size_t size = 0;
    enum comb_status status =
        response ? comb_rpc_page_size(request->page_size, &size, &err) : comb_error_no_memory(&err);

    if (status == COMB_OK)
        status = comb_page_token_open(rpc->sealer, ctx, path, request->page_token, &state, &err);
    if (status == COMB_OK) {
        const char *text = comb_str_dup(arena, state);
        status = text ? comb_config_history(rpc->config, ctx, path, strtoll(text, NULL, 10), size,
                                            &page, &err)
                      : comb_error_no_memory(&err);
    }
    for (size_t i = 0; i < page.n && status == COMB_OK; i++) {
        struct comb_v1_config_entry *entry = comb_config_message(arena, &page.items[i]);
        if (!entry || !comb_v1_config_history_response_add_entries(arena, response, entry))
            status = comb_error_no_memory(&err);
    }
    if (status == COMB_OK && page.more && page.n > 0) {
        const char *next = grpcc_arena_printf(arena, "%" PRId64, page.items[page.n - 1].revision);
        status = next ? comb_page_token_seal(rpc->sealer, ctx, path, comb_str_from(next),
                                             &response->next_page_token, &err)
                      : comb_error_no_memory(&err);
    }
    comb_rpc_finish(call, status, response ? &response->base : NULL, &err);
}

/* ---- watches ---- */

struct receiver {
    struct grpcc_call *call;
    void (*done)(void *data, bool ok);
    void *data;
};

static void message_sent(void *data, enum grpcc_status status)
{
    struct receiver *receiver = data;
    void (*done)(void *, bool) = receiver->done;

    done(receiver->data, status == GRPCC_OK);
}

static void receiver_send(void *self, const struct comb_v1_config_watch_response *message,
                          void (*done)(void *data, bool ok), void *data)
{
    struct receiver *receiver = self;

    receiver->done = done;
    receiver->data = data;
    comb_v1_config_watch_send_start(receiver->call, message, message_sent, receiver);
}

static bool receiver_is_gone(void *self)
{
    const struct receiver *receiver = self;
    return grpcc_call_is_cancelled(receiver->call);
}

static bool receiver_is_draining(void *self)
{
    const struct receiver *receiver = self;
    return grpcc_call_is_draining(receiver->call);
}

static enum comb_status receiver_ask_again(void *self, struct grpcc_arena *arena,
                                           int64_t deadline_ns, struct comb_error *err)
{
    const struct receiver *receiver = self;
    return comb_rpc_ask_again(receiver->call, arena, deadline_ns, err);
}

static void receiver_end(void *self, const struct comb_error *err)
{
    struct receiver *receiver = self;
    struct grpcc_call *call = receiver->call;

    comb_rpc_fail(call, err);
    grpcc_call_unref(call);
}

static const struct comb_config_receiver receiver_of_call = {.send = receiver_send,
                                                             .is_gone = receiver_is_gone,
                                                             .is_draining = receiver_is_draining,
                                                             .ask_again = receiver_ask_again,
                                                             .end = receiver_end};

static void rpc_watch(void *self, struct grpcc_call *call,
                      const struct comb_v1_config_watch_request *request)
{
    const struct comb_config_rpc *rpc = self;
    struct receiver *receiver = grpcc_arena_zalloc(grpcc_call_arena(call), sizeof *receiver);
    struct comb_error err = {0};

    if (!receiver) {
        (void)comb_error_no_memory(&err);
        comb_rpc_fail(call, &err);
        return;
    }
    receiver->call = grpcc_call_ref(call);
    if (comb_config_watch(rpc->config, comb_rpc_ctx(call), request, &receiver_of_call, receiver,
                          &err) != COMB_OK)
        receiver_end(receiver, &err);
}

static const struct comb_v1_config_server METHODS = {.get = rpc_get,
                                                     .set = rpc_set,
                                                     .delete_ = rpc_delete,
                                                     .list = rpc_list,
                                                     .history = rpc_history,
                                                     .watch = rpc_watch};

enum comb_status comb_config_rpc_register(struct grpcc_server *server, struct comb_config_rpc *rpc,
                                          struct comb_error *err)
{
    struct grpcc_error native;

    if (comb_v1_config_register(server, &METHODS, rpc, &native) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Config: %s", native.message);
}
