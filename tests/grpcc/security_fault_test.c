/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of the runtime fails once around TLS, identities, rules and credentials: no
 * crash, no leak, no call without an end, and nobody gets in who should not. */
#include <grpcc/authorize.h>
#include <grpcc/credentials.h>
#include <grpcc/listen.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/grpcc/ca.h"
#include "tests/grpcc/fixture.h"

static atomic_uint allocations;
static atomic_uint failing = UINT32_MAX; /* the number of the allocation that fails */
static char folder[CA_PATH_SIZE];

static bool fails(void)
{
    return atomic_fetch_add(&allocations, 1) == atomic_load(&failing);
}

static void *faulty_alloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

static void *faulty_realloc(void *pointer, size_t size)
{
    return fails() ? NULL : realloc(pointer, size);
}

static const struct grpcc_allocator faulty = {faulty_alloc, faulty_realloc, free};

static const char *at(const char *name)
{
    return ca_path(folder, name);
}

static void give_token(void *self, const char *service_url, const char *method,
                       struct grpcc_credentials_request *request)
{
    const struct grpcc_metadata header = {"authorization", "Bearer x", 8};
    (void)self;
    (void)service_url;
    (void)method;
    grpcc_credentials_give(request, &header, 1);
}

/* What one run has made. */
struct parts {
    struct grpcc_server *server;
    struct grpcc_authorizer *authorizer;
    struct grpcc_credentials *credentials;
    struct grpcc_channel *channel;
    struct grpcc_arena *arena;
    struct grpcc_error err;
};

static bool make_server(struct parts *parts, int *ret_port)
{
    static const char *const from[] = {"spiffe://e/proxy", "10.0.0.0/8", NULL};
    static const char *const callers[] = {"spiffe://e/", NULL};
    static const struct grpcc_rule rules[] = {
        {GRPCC_DENY, "spiffe://e/denied", "*"},
        {GRPCC_ALLOW, "anyone", "*"},
    };
    const struct grpcc_server_options options = {.size = sizeof(options), .forwarded_from = from};
    const struct grpcc_listen_options listen = {.size = sizeof(listen),
                                                .certificate_file = at("server.pem"),
                                                .key_file = at("server.key"),
                                                .client_ca_file = at("ca.pem"),
                                                .client_spiffe_ids = callers};
    parts->server = grpcc_server_new(&options, &parts->err);
    parts->authorizer = grpcc_authorizer_new(rules, 2, &parts->err);
    return parts->server && parts->authorizer &&
           !grpcc_testing_echo_register(parts->server, &echo_table, NULL, &parts->err) &&
           !grpcc_server_add_interceptor(parts->server, &grpcc_authorize, parts->authorizer,
                                         &parts->err) &&
           !grpcc_server_listen_with(parts->server, "127.0.0.1:0", &listen, ret_port,
                                     &parts->err) &&
           !grpcc_server_start(parts->server, &parts->err);
}

static bool make_channel(struct parts *parts, int port, const char *name)
{
    char target[32], certificate[64], key[64];
    const struct grpcc_credentials_options provider = {.size = sizeof(provider), .get = give_token};
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    snprintf(certificate, sizeof(certificate), "%s.pem", name);
    snprintf(key, sizeof(key), "%s.key", name);
    parts->credentials = grpcc_credentials_new(&provider, &parts->err);
    const struct grpcc_channel_options options = {.size = sizeof(options),
                                                  .ca_file = at("ca.pem"),
                                                  .certificate_file = at(certificate),
                                                  .key_file = at(key),
                                                  .credentials = parts->credentials};
    if (parts->credentials)
        parts->channel = grpcc_channel_new(target, &options, &parts->err);
    return parts->channel != NULL;
}

/* The status of a call, or of the step before it that had no memory. */
static enum grpcc_status run_once(const char *name, const char *forwarded)
{
    struct parts parts = {.err = GRPCC_ERROR_INIT};
    int port = 0;
    parts.arena = grpcc_arena_new(0);
    struct grpcc_testing_ask *request = parts.arena ? grpcc_testing_ask_new(parts.arena) : NULL;
    enum grpcc_status status = GRPCC_RESOURCE_EXHAUSTED;
    if (request && make_server(&parts, &port) && make_channel(&parts, port, name)) {
        const struct grpcc_metadata header = {"x-forwarded-client-cert", forwarded,
                                              strlen(forwarded)};
        const struct grpcc_call_options options = {
            .size = sizeof(options), .timeout_ms = 20000, .metadata = &header, .n_metadata = 1};
        struct grpcc_testing_answer *answer = NULL;
        status = grpcc_testing_echo_unary(parts.channel, parts.arena, &options, request, &answer,
                                          &parts.err);
    } else if (request) {
        status = parts.err.status;
    }
    grpcc_channel_free(parts.channel);
    grpcc_server_free(parts.server);
    grpcc_credentials_free(parts.credentials);
    grpcc_authorizer_free(parts.authorizer);
    grpcc_arena_free(parts.arena);
    return status;
}

/* Until a run passes without the failing allocation. Memory that is missing may end a call, also
 * as UNAVAILABLE where it was missing for the credentials; it never changes who may. */
static void fail_each(const char *name, const char *forwarded, enum grpcc_status expected)
{
    for (unsigned n = 0;; n++) {
        atomic_store(&allocations, 0);
        atomic_store(&failing, n);
        enum grpcc_status status = run_once(name, forwarded);
        bool failed = atomic_load(&allocations) > n;
        atomic_store(&failing, UINT32_MAX);
        if (!failed) {
            assert_int_equal(status, expected);
            return;
        }
        if (status != expected && status != GRPCC_RESOURCE_EXHAUSTED && status != GRPCC_UNAVAILABLE)
            fail_msg("allocation %u: %s", n, grpcc_status_name(status));
    }
}

static void callers_with_certificates(void **state)
{
    (void)state;
    fail_each("near", "", GRPCC_OK);
    fail_each("denied", "", GRPCC_PERMISSION_DENIED);
}

static void callers_behind_a_proxy(void **state)
{
    (void)state;
    fail_each("proxy", "Hash=1;Subject=\"CN=x\";URI=spiffe://e/near;DNS=a", GRPCC_OK);
    fail_each("proxy", "Hash=1;URI=spiffe://e/denied", GRPCC_PERMISSION_DENIED);
}

static void issue(struct ca *ca, const char *name, const char *sans)
{
    struct ca_leaf leaf = {.name = name, .sans = sans};
    ca_issue_in(ca, &leaf, folder, name);
}

static int write_files(void **state)
{
    struct ca *ca = ca_new("test CA");
    (void)state;
    ca_folder_new(folder);
    ca_write(ca, NULL, at("ca.pem"));
    issue(ca, "server", "IP:127.0.0.1");
    issue(ca, "near", "URI:spiffe://e/near");
    issue(ca, "denied", "URI:spiffe://e/denied");
    issue(ca, "proxy", "URI:spiffe://e/proxy");
    ca_free(ca);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    ca_folder_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_with_certificates),
        cmocka_unit_test(callers_behind_a_proxy),
    };
    grpcc_set_allocator(&faulty);
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
