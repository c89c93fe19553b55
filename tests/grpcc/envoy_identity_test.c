/* SPDX-License-Identifier: Apache-2.0 */
/* A real Envoy in front: mTLS to it, mTLS from it, and what its x-forwarded-client-cert says. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcc/identity.h>
#include <grpcc/listen.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/grpcc/ca.h"
#include "tests/grpcc/fixture.h"

#define HEADER "x-forwarded-client-cert"
/* What a subject may have that the header's syntax has too; RFC 2253 escapes some of it. */
#define ODD_NAME "odd \"name\", with \\ ; and = in it\\"

extern char **environ;

static char folder[CA_PATH_SIZE];
static const char *envoy_program;
static pid_t envoy;
static int port, envoy_port;

static const char *at(const char *name)
{
    return ca_path(folder, name);
}

static void issue(struct ca *ca, const char *file, const char *name, const char *sans)
{
    struct ca_leaf leaf = {.name = name, .sans = sans};
    ca_issue_in(ca, &leaf, folder, file);
}

static void write_certificates(void)
{
    struct ca *ca = ca_new("test CA");
    ca_folder_new(folder);
    ca_write(ca, NULL, at("ca.pem"));
    issue(ca, "server", "server", "DNS:localhost,IP:127.0.0.1");
    issue(ca, "envoy", "envoy", "DNS:localhost,IP:127.0.0.1,URI:spiffe://e/proxy");
    issue(ca, "near", "near", "URI:spiffe://e/near,DNS:near.test,DNS:n.test");
    issue(ca, "odd", ODD_NAME, NULL);
    issue(ca, "two", "two", "URI:spiffe://e/near,URI:spiffe://e/other");
    ca_free(ca);
}

/* ---- the server ---- */

/* "SOURCE SPIFFE-ID NUMBER-OF-URIS LAST-DNS-NAME HAS-PEM SUBJECT" */
static void answer_identity(void *self, struct grpcc_call *call,
                            const struct grpcc_testing_ask *request)
{
    const struct grpcc_identity *who = grpcc_call_identity(call);
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    const char *pem = who->certificate_pem ? who->certificate_pem : "";
    (void)self;
    (void)request;
    answer->text = grpcc_arena_printf(
        grpcc_call_arena(call), "%d %s %zu %s %d %s", (int)who->source,
        who->spiffe_id ? who->spiffe_id : "-", who->n_uris,
        who->n_dns_names ? who->dns_names[who->n_dns_names - 1] : "-",
        strncmp(pem, "-----BEGIN CERTIFICATE-----\n", 28) == 0, who->subject ? who->subject : "-");
    grpcc_testing_echo_unary_finish(call, answer);
}

static const struct grpcc_testing_echo_server table = {.unary = answer_identity};

static struct fixture *serve(void)
{
    static const char *const from[] = {"spiffe://e/proxy", NULL};
    const struct grpcc_server_options options = {.size = sizeof(options), .forwarded_from = from};
    const struct grpcc_listen_options listen = {.size = sizeof(listen),
                                                .certificate_file = at("server.pem"),
                                                .key_file = at("server.key"),
                                                .client_ca_file = at("ca.pem")};
    struct fixture *f = fixture_new(&options, &table);
    assert_int_equal(grpcc_server_listen_with(f->server, "127.0.0.1:0", &listen, &port, &f->err),
                     GRPCC_OK);
    fixture_start(f);
    return f;
}

/* ---- Envoy ---- */

static const char config[] =
    "static_resources:\n"
    "  listeners:\n"
    "  - address: {socket_address: {address: 127.0.0.1, port_value: %d}}\n"
    "    filter_chains:\n"
    "    - transport_socket:\n"
    "        name: tls\n"
    "        typed_config:\n"
    "          '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
    "DownstreamTlsContext\n"
    "          require_client_certificate: true\n"
    "          common_tls_context: &tls\n"
    "            alpn_protocols: [h2]\n"
    "            tls_certificates:\n"
    "            - certificate_chain: {filename: %s/envoy.pem}\n"
    "              private_key: {filename: %s/envoy.key}\n"
    "            validation_context: {trusted_ca: {filename: %s/ca.pem}}\n"
    "      filters:\n"
    "      - name: envoy.filters.network.http_connection_manager\n"
    "        typed_config:\n"
    "          '@type': type.googleapis.com/envoy.extensions.filters.network."
    "http_connection_manager.v3.HttpConnectionManager\n"
    "          stat_prefix: in\n"
    "          codec_type: HTTP2\n"
    "          forward_client_cert_details: SANITIZE_SET\n"
    "          set_current_client_cert_details: {subject: true, cert: true, chain: true, dns: true,"
    " uri: true}\n"
    "          route_config:\n"
    "            virtual_hosts:\n"
    "            - name: all\n"
    "              domains: ['*']\n"
    "              routes: [{match: {prefix: '/'}, route: {cluster: server, timeout: 0s}}]\n"
    "          http_filters:\n"
    "          - name: envoy.filters.http.router\n"
    "            typed_config:\n"
    "              '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router\n"
    "  clusters:\n"
    "  - name: server\n"
    "    type: STATIC\n"
    "    typed_extension_protocol_options:\n"
    "      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
    "        '@type': type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
    "        explicit_http_config: {http2_protocol_options: {}}\n"
    "    transport_socket:\n"
    "      name: tls\n"
    "      typed_config:\n"
    "        '@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
    "UpstreamTlsContext\n"
    "        common_tls_context: *tls\n"
    "    load_assignment:\n"
    "      cluster_name: server\n"
    "      endpoints:\n"
    "      - lb_endpoints:\n"
    "        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %d}}}\n";

/* A port of this test's own network that nobody has. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void start_envoy(void)
{
    char path[CA_PATH_SIZE];
    const char *arguments[] = {envoy_program,   "-c",   path,
                               "--concurrency", "1",    "--disable-hot-restart",
                               "--log-level",   "warn", NULL};
    envoy_port = free_port();
    snprintf(path, sizeof(path), "%s", at("envoy.yaml"));
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, config, envoy_port, folder, folder, folder, port);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(posix_spawn(&envoy, envoy_program, NULL, NULL,
                                 (char *const *)(uintptr_t)arguments, environ),
                     0);
}

static int setup(void **state)
{
    write_certificates();
    *state = serve();
    start_envoy();
    return 0;
}

static int teardown(void **state)
{
    int status = 0;
    kill(envoy, SIGKILL);
    waitpid(envoy, &status, 0);
    fixture_free(state);
    ca_folder_remove(folder);
    return 0;
}

/* ---- what arrives ---- */

/* Who the server says that the client with that certificate is, through Envoy or past it. */
static const char *who_is(struct fixture *f, const char *name, bool past_envoy)
{
    static const char lie[] = "Hash=1;URI=spiffe://e/liar";
    const struct grpcc_metadata header = {HEADER, lie, sizeof(lie) - 1};
    const struct grpcc_call_options call = {.size = sizeof(call),
                                            .timeout_ms = 60000,
                                            .wait_for_ready = true,
                                            .metadata = &header,
                                            .n_metadata = 1};
    char target[32], certificate[64], key[64];
    struct grpcc_testing_answer *answer = NULL;
    snprintf(target, sizeof(target), "127.0.0.1:%d", past_envoy ? port : envoy_port);
    snprintf(certificate, sizeof(certificate), "%s.pem", name);
    snprintf(key, sizeof(key), "%s.key", name);
    const struct grpcc_channel_options options = {.size = sizeof(options),
                                                  .ca_file = at("ca.pem"),
                                                  .certificate_file = at(certificate),
                                                  .key_file = at(key),
                                                  .reconnect_min_ms = 50,
                                                  .reconnect_max_ms = 200};
    struct grpcc_channel *channel = grpcc_channel_new(target, &options, &f->err);
    assert_non_null(channel);
    if (grpcc_testing_echo_unary(channel, f->arena, &call, ask(f, ""), &answer, &f->err))
        fail_msg("%s", f->err.message);
    grpcc_channel_free(channel);
    return answer->text;
}

static void envoys_word_is_the_identity(void **state)
{
    assert_string_equal(who_is(*state, "near", false), "2 spiffe://e/near 1 n.test 1 CN=near");
    assert_string_equal(who_is(*state, "two", false), "2 - 2 - 1 CN=two");
    assert_string_equal(who_is(*state, "near", true), "1 spiffe://e/near 1 n.test 1 CN=near");
}

/* Past Envoy the subject comes from core, through it from the header: the same text. */
static void an_odd_subject_survives_the_header(void **state)
{
    const char *direct = who_is(*state, "odd", true);
    const char *forwarded = who_is(*state, "odd", false);
    assert_memory_equal(direct, "1 - 0 - 1 CN=odd", 16);
    assert_memory_equal(forwarded, "2", 1);
    assert_string_equal(direct + 1, forwarded + 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(envoys_word_is_the_identity),
        cmocka_unit_test(an_odd_subject_survives_the_header),
    };
    assert_int_equal(argc, 2);
    envoy_program = argv[1];
    return cmocka_run_group_tests(tests, setup, teardown);
}
