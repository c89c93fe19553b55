/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/security/credentials.h"

#include <grpc/support/alloc.h>
#include <grpc/support/string_util.h>
#include <stdatomic.h>
#include <stdio.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/message/memory.h"

/* What core calls; gone with core's last reference. */
struct plugin {
    struct grpcc_credentials_options options;
};

/* Who comes second, the answer or get()'s return, hands the answer to core: core wants it as a
 * return value while get() runs, and by its callback afterwards. */
enum progress { ASKING, ANSWERED, RETURNED };

struct grpcc_credentials_request {
    atomic_uint progress;
    grpc_credentials_plugin_metadata_cb done;
    void *done_data;
    grpc_metadata headers[GRPCC_CREDENTIALS_HEADERS_MAX];
    size_t n;
    char *problem; /* gpr_strdup; NULL: none */
};

/* ---- requests ---- */

static void request_free(struct grpcc_credentials_request *request)
{
    for (size_t i = 0; i < request->n; i++) {
        grpc_slice_unref(request->headers[i].key);
        grpc_slice_unref(request->headers[i].value);
    }
    gpr_free(request->problem);
    grpcc_memory_free(request);
}

static void answer(struct grpcc_credentials_request *request)
{
    unsigned expected = ASKING;
    grpcc_handoff_release(request);
    if (atomic_compare_exchange_strong(&request->progress, &expected, ANSWERED))
        return;
    request->done(request->done_data, request->headers, request->n,
                  request->problem ? GRPC_STATUS_UNAVAILABLE : GRPC_STATUS_OK, request->problem);
    request_free(request);
}

void grpcc_credentials_refuse(struct grpcc_credentials_request *request, const char *why)
{
    request->problem = gpr_strdup(why);
    answer(request);
}

void grpcc_credentials_give(struct grpcc_credentials_request *request,
                            const struct grpcc_metadata *headers, size_t n)
{
    if (n > GRPCC_CREDENTIALS_HEADERS_MAX) {
        grpcc_credentials_refuse(request, "the credentials have too many headers");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        grpc_metadata *header = &request->headers[request->n++];
        header->key = grpc_slice_from_copied_string(headers[i].key);
        header->value = grpc_slice_from_copied_buffer(headers[i].value, headers[i].length);
        if (!grpc_header_key_is_legal(header->key) ||
            (!grpc_is_binary_header(header->key) &&
             !grpc_header_nonbin_value_is_legal(header->value))) {
            grpcc_credentials_refuse(request, "the credentials are not headers that can be sent");
            return;
        }
    }
    answer(request);
}

/* ---- core's side ---- */

/* Hands an answer over that came while get() ran. */
static int return_answer(struct grpcc_credentials_request *request, grpc_metadata *ret_headers,
                         size_t *ret_n, grpc_status_code *ret_status, const char **ret_details)
{
    for (size_t i = 0; i < request->n && !request->problem; i++)
        ret_headers[i] = (grpc_metadata){.key = grpc_slice_ref(request->headers[i].key),
                                         .value = grpc_slice_ref(request->headers[i].value)};
    *ret_n = request->problem ? 0 : request->n;
    *ret_status = request->problem ? GRPC_STATUS_UNAVAILABLE : GRPC_STATUS_OK;
    *ret_details = request->problem;
    request->problem = NULL; /* core's now */
    request_free(request);
    return 1;
}

static int get_metadata(void *state, grpc_auth_metadata_context context,
                        grpc_credentials_plugin_metadata_cb done, void *done_data,
                        grpc_metadata ret_headers[GRPC_METADATA_CREDENTIALS_PLUGIN_SYNC_MAX],
                        size_t *ret_n, grpc_status_code *ret_status, const char **ret_details)
{
    const struct plugin *plugin = state;
    struct grpcc_credentials_request *request = grpcc_memory_zalloc(sizeof(*request));
    unsigned expected = ASKING;
    grpcc_handoff_acquire(state);
    if (!request) {
        *ret_n = 0;
        *ret_status = GRPC_STATUS_RESOURCE_EXHAUSTED;
        *ret_details = gpr_strdup("no memory for the credentials");
        return 1;
    }
    request->done = done;
    request->done_data = done_data;
    plugin->options.get(plugin->options.self, context.service_url, context.method_name, request);
    grpcc_handoff_release(state); /* to destroy() */
    if (atomic_compare_exchange_strong(&request->progress, &expected, RETURNED))
        return 0;
    grpcc_handoff_acquire(request);
    return return_answer(request, ret_headers, ret_n, ret_status, ret_details);
}

static char *debug_string(void *state)
{
    (void)state;
    return gpr_strdup("grpcc credentials");
}

static void destroy(void *state)
{
    struct plugin *plugin = state;
    grpcc_handoff_acquire(state);
    if (plugin->options.free)
        plugin->options.free(plugin->options.self);
    grpcc_memory_free(plugin);
}

/* ---- life ---- */

struct grpcc_credentials *grpcc_credentials_new(const struct grpcc_credentials_options *options,
                                                struct grpcc_error *err)
{
    struct grpcc_credentials *credentials = grpcc_memory_zalloc(sizeof(*credentials));
    struct plugin *plugin = grpcc_memory_zalloc(sizeof(*plugin));
    enum grpcc_status status = GRPCC_OK;
    if (!credentials || !plugin) {
        status = grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for credentials");
    } else {
        grpcc_options_copy(&plugin->options, sizeof(plugin->options), options);
        if (!plugin->options.get)
            status = grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "credentials need a get");
    }
    if (status) {
        grpcc_memory_free(plugin);
        grpcc_memory_free(credentials);
        return NULL;
    }
    credentials->allow_plaintext = plugin->options.allow_plaintext;
    const grpc_metadata_credentials_plugin slots = {.get_metadata = get_metadata,
                                                    .debug_string = debug_string,
                                                    .destroy = destroy,
                                                    .state = plugin,
                                                    .type = "grpcc"};
    grpcc_handoff_release(plugin);
    grpc_init(); /* until _free: no channel may exist yet */
    credentials->core = grpc_metadata_credentials_create_from_plugin(
        slots, credentials->allow_plaintext ? GRPC_SECURITY_NONE : GRPC_PRIVACY_AND_INTEGRITY,
        NULL);
    return credentials;
}

void grpcc_credentials_free(struct grpcc_credentials *credentials)
{
    if (!credentials)
        return;
    grpc_call_credentials_release(credentials->core);
    grpc_shutdown();
    grpcc_memory_free(credentials);
}
