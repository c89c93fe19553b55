/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/security/identity.h"

#include <grpc/grpc_security.h>
#include <string.h>

#include "gen/runtime/src/security/forwarder.h"
#include "gen/runtime/src/security/spiffe.h"
#include "gen/runtime/src/security/xfcc.h"
#include "gen/runtime/src/server/call.h"
#include "gen/runtime/src/server/server.h"

static const char header[] = "x-forwarded-client-cert";

static const struct grpcc_identity nobody;

/* ---- the connection's certificate ---- */

static char *copy_property(struct grpcc_arena *arena, const grpc_auth_property *property)
{
    return grpcc_arena_strndup(arena, property->value, property->value_length);
}

/* The first of that name; NULL: none, or no room. */
static const char *property_of(struct grpcc_arena *arena, const grpc_auth_context *context,
                               const char *name)
{
    grpc_auth_property_iterator all = grpc_auth_context_find_properties_by_name(context, name);
    const grpc_auth_property *property = grpc_auth_property_iterator_next(&all);
    return property ? copy_property(arena, property) : NULL;
}

static const char *const *properties_of(struct grpcc_arena *arena, const grpc_auth_context *context,
                                        const char *name, size_t *ret_n)
{
    size_t n = 0;
    grpc_auth_property_iterator all = grpc_auth_context_find_properties_by_name(context, name);
    while (grpc_auth_property_iterator_next(&all))
        n++;
    *ret_n = 0;
    const char **values = n ? grpcc_arena_calloc(arena, n, sizeof(*values)) : NULL;
    if (!values)
        return NULL;
    all = grpc_auth_context_find_properties_by_name(context, name);
    for (size_t i = 0; i < n; i++) {
        values[i] = copy_property(arena, grpc_auth_property_iterator_next(&all));
        if (!values[i])
            return NULL;
    }
    *ret_n = n;
    return values;
}

static const char *spiffe_id_of(const struct grpcc_identity *identity)
{
    bool is_one = identity->n_uris == 1 && grpcc_spiffe_is_id(identity->uris[0]);
    return is_one ? identity->uris[0] : NULL;
}

/* Of the connection, whoever is at its other end; source NONE where no certificate was shown. */
static struct grpcc_identity read_tls(struct grpcc_call *call)
{
    struct grpcc_identity identity = nobody;
    struct grpcc_arena *arena = call->arena;
    grpc_auth_context *context = grpc_call_auth_context(call->core);
    if (!context)
        return identity;
    identity.certificate_pem = property_of(arena, context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
    if (identity.certificate_pem) {
        identity.source = GRPCC_IDENTITY_TLS;
        identity.common_name = property_of(arena, context, GRPC_X509_CN_PROPERTY_NAME);
        identity.subject = property_of(arena, context, GRPC_X509_SUBJECT_PROPERTY_NAME);
        identity.uris =
            properties_of(arena, context, GRPC_PEER_URI_PROPERTY_NAME, &identity.n_uris);
        identity.dns_names =
            properties_of(arena, context, GRPC_PEER_DNS_PROPERTY_NAME, &identity.n_dns_names);
        identity.spiffe_id = spiffe_id_of(&identity);
    }
    /* Half an identity could pass where the whole one would not. */
    if (grpcc_arena_failed(arena))
        identity = nobody;
    grpc_auth_context_release(context);
    return identity;
}

/* ---- what a proxy says ---- */

static bool is_forwarder(struct grpcc_call *call)
{
    const struct grpcc_forwarders *forwarders = call->server->forwarders;
    if (!forwarders)
        return false;
    if (grpcc_forwarders_has_peer(forwarders, grpcc_call_peer(call)))
        return true;
    if (!grpcc_forwarders_has_ids(forwarders))
        return false;
    struct grpcc_identity peer = read_tls(call);
    return peer.spiffe_id && grpcc_forwarders_has_id(forwarders, peer.spiffe_id);
}

void grpcc_identity_filter(struct grpcc_call *call)
{
    grpc_metadata_array *headers = &call->metadata;
    if (!grpcc_metadata_find(headers, header) || is_forwarder(call))
        return;
    size_t kept = 0;
    for (size_t i = 0; i < headers->count; i++)
        if (grpc_slice_str_cmp(headers->metadata[i].key, header) != 0)
            headers->metadata[kept++] = headers->metadata[i];
    headers->count = kept;
}

/* All headers of that name as one, as HTTP joins them. NULL without room. */
static char *join_headers(struct grpcc_call *call, size_t *ret_length)
{
    const grpc_metadata_array *headers = &call->metadata;
    size_t length = 0;
    for (size_t i = 0; i < headers->count; i++)
        if (grpc_slice_str_cmp(headers->metadata[i].key, header) == 0)
            length += GRPC_SLICE_LENGTH(headers->metadata[i].value) + 1;
    char *joined = grpcc_arena_alloc(call->arena, length + 1);
    if (!joined)
        return NULL;
    size_t at = 0;
    for (size_t i = 0; i < headers->count; i++) {
        const grpc_slice *value = &headers->metadata[i].value;
        if (grpc_slice_str_cmp(headers->metadata[i].key, header) != 0)
            continue;
        if (at)
            joined[at++] = ',';
        memcpy(joined + at, GRPC_SLICE_START_PTR(*value), GRPC_SLICE_LENGTH(*value));
        at += GRPC_SLICE_LENGTH(*value);
    }
    *ret_length = at;
    return joined;
}

/* The names of a list, in the arena. */
static const char *const *list_of(struct grpcc_arena *arena, const char *const *names, size_t n)
{
    return n ? grpcc_arena_memdup(arena, names, n * sizeof(*names)) : NULL;
}

static bool is_someone(const struct grpcc_xfcc *element)
{
    return element->hash || element->subject || element->certificate || element->n_uris ||
           element->n_dns_names;
}

/* The element as an identity; NULL without room. */
static const struct grpcc_identity *identity_of(struct grpcc_arena *arena,
                                                const struct grpcc_xfcc *element)
{
    struct grpcc_identity identity = {
        .source = is_someone(element) ? GRPCC_IDENTITY_FORWARDED : GRPCC_IDENTITY_NONE,
        .uris = list_of(arena, element->uris, element->n_uris),
        .n_uris = element->n_uris,
        .dns_names = list_of(arena, element->dns_names, element->n_dns_names),
        .n_dns_names = element->n_dns_names,
        .subject = element->subject,
        .certificate_pem = element->certificate};
    if ((identity.n_uris && !identity.uris) || (identity.n_dns_names && !identity.dns_names))
        return NULL;
    identity.spiffe_id = spiffe_id_of(&identity);
    return grpcc_arena_memdup(arena, &identity, sizeof(identity));
}

enum grpcc_status grpcc_identity_begin(struct grpcc_call *call, struct grpcc_error *err)
{
    struct grpcc_xfcc element;
    size_t length = 0;
    if (!call->server->forwarders || !grpcc_metadata_find(&call->metadata, header))
        return GRPCC_OK;
    const char *text = join_headers(call, &length);
    enum grpcc_status status = GRPCC_RESOURCE_EXHAUSTED;
    if (text)
        status = grpcc_xfcc_parse(call->arena, text, length, &element, err);
    if (status == GRPCC_INVALID_ARGUMENT) {
        if (err)
            err->status = GRPCC_UNAUTHENTICATED;
        return GRPCC_UNAUTHENTICATED;
    }
    if (!status)
        call->identity = identity_of(call->arena, &element);
    if (call->identity)
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no room for the caller's identity");
}

/* ---- the program's view ---- */

const struct grpcc_identity *grpcc_call_identity(struct grpcc_call *call)
{
    if (call->identity)
        return call->identity;
    struct grpcc_identity *identity = NULL;
    if (!is_forwarder(call)) {
        struct grpcc_identity peer = read_tls(call);
        if (peer.source != GRPCC_IDENTITY_NONE)
            identity = grpcc_arena_memdup(call->arena, &peer, sizeof(peer));
    }
    call->identity = identity ? identity : &nobody;
    return call->identity;
}
