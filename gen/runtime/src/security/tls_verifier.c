/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/security/tls_verifier.h"

#include <grpc/support/alloc.h>
#include <grpc/support/string_util.h>
#include <stdio.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/message/memory.h"

struct verifier {
    grpc_tls_certificate_verifier_external slots;
    struct grpcc_spiffe_list *list;
    bool optional;
};

/* Why the peer is not let in; NULL: it is. The chain has been checked before. */
static const char *refusal(const struct verifier *verifier,
                           const grpc_tls_custom_verification_check_request *request)
{
    const char *certificate = request->peer_info.peer_cert;
    size_t n = request->peer_info.san_names.uri_names_size;
    if (!certificate || !*certificate)
        return verifier->optional ? NULL : "it showed no certificate";
    if (n != 1)
        return n ? "its certificate has more than one URI" : "its certificate has no SPIFFE ID";
    const char *id = request->peer_info.san_names.uri_names[0];
    if (!grpcc_spiffe_is_id(id))
        return "its certificate has a URI that is not a SPIFFE ID";
    return grpcc_spiffe_list_has(verifier->list, id) ? NULL : "it is not on the list";
}

static int verify(void *data, grpc_tls_custom_verification_check_request *request,
                  grpc_tls_on_custom_verification_check_done_cb callback, void *callback_data,
                  grpc_status_code *ret_status, char **ret_details)
{
    const struct verifier *verifier = data;
    (void)callback;
    (void)callback_data;
    grpcc_handoff_acquire(data);
    const char *why = refusal(verifier, request);
    if (why) {
        const char *id = request->peer_info.san_names.uri_names_size
                             ? request->peer_info.san_names.uri_names[0]
                             : "unknown";
        char text[256];
        snprintf(text, sizeof(text), "the peer \"%.150s\" is refused: %s", id, why);
        grpcc_log(GRPCC_LOG_INFO, "%s", text);
        *ret_details = gpr_strdup(text);
    }
    *ret_status = why ? GRPC_STATUS_PERMISSION_DENIED : GRPC_STATUS_OK;
    return 1;
}

static void cancel(void *data, grpc_tls_custom_verification_check_request *request)
{
    (void)data;
    (void)request;
}

/* Core's last use of it; slots are part of data. */
static void destruct(void *data)
{
    struct verifier *verifier = data;
    grpcc_handoff_acquire(data);
    grpcc_spiffe_list_free(verifier->list);
    grpcc_memory_free(verifier);
}

grpc_tls_certificate_verifier *grpcc_tls_verifier_new(struct grpcc_spiffe_list *list, bool optional)
{
    struct verifier *verifier = grpcc_memory_zalloc(sizeof(*verifier));
    if (!verifier) {
        grpcc_spiffe_list_free(list);
        return NULL;
    }
    verifier->list = list;
    verifier->optional = optional;
    verifier->slots.user_data = verifier;
    verifier->slots.verify = verify;
    verifier->slots.cancel = cancel;
    verifier->slots.destruct = destruct;
    grpcc_handoff_release(verifier);
    return grpc_tls_certificate_verifier_external_create(&verifier->slots);
}
