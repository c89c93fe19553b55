/* SPDX-License-Identifier: Apache-2.0 */
/* What core fixes and no option changes: TLS 1.2 and 1.3, ALPN h2; and peers that speak something
 * else, or nothing. */
#include <grpcc/listen.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/grpcc/ca.h"
#include "tests/grpcc/fixture.h"
#include "tests/grpcc/raw_tls.h"

enum { HANDSHAKE_TIMEOUT_MS = 300 };

static char folder[CA_PATH_SIZE];
static int port;

static const char *at(const char *name)
{
    return ca_path(folder, name);
}

static long issue(struct ca *ca, const char *name, const char *sans, bool expired)
{
    struct ca_leaf leaf = {.name = name, .sans = sans, .expired = expired};
    return ca_issue_in(ca, &leaf, folder, name);
}

static int write_files(void **state)
{
    struct ca *ca = ca_new("test CA"), *other = ca_new("other CA");
    (void)state;
    ca_folder_new(folder);
    ca_write(ca, NULL, at("ca.pem"));
    issue(ca, "server", "DNS:localhost,IP:127.0.0.1", false);
    issue(ca, "client", "URI:spiffe://example.org/client", false);
    issue(ca, "cousin", "URI:spiffe://example.com/client", false);
    issue(ca, "expired", "URI:spiffe://example.org/client", true);
    issue(other, "stranger", "URI:spiffe://example.org/client", false);
    const long revoked[] = {issue(ca, "revoked", "URI:spiffe://example.org/client", false), 0};
    assert_int_equal(mkdir(at("lists"), 0700), 0);
    ca_write_list(ca, &(struct ca_list){.number = 1, .revoked = revoked}, at("lists"));
    ca_free(ca);
    ca_free(other);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    ca_folder_remove(folder);
    return 0;
}

static struct fixture *serve(const struct grpcc_listen_options *options)
{
    struct grpcc_server_options server = {.size = sizeof(server),
                                          .handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS};
    struct fixture *f = fixture_new(&server, &echo_table);
    assert_int_equal(grpcc_server_listen_with(f->server, "127.0.0.1:0", options, &port, &f->err),
                     GRPCC_OK);
    fixture_start(f);
    return f;
}

static int setup(void **state)
{
    struct grpcc_listen_options options = {.size = sizeof(options),
                                           .certificate_file = at("server.pem"),
                                           .key_file = at("server.key")};
    *state = serve(&options);
    return 0;
}

static int setup_mutual(void **state)
{
    const char *const ids[] = {"spiffe://example.org/", NULL};
    struct grpcc_listen_options options = {.size = sizeof(options),
                                           .certificate_file = at("server.pem"),
                                           .key_file = at("server.key"),
                                           .client_ca_file = at("ca.pem"),
                                           .crl_directory = at("lists"),
                                           .client_spiffe_ids = ids};
    *state = serve(&options);
    return 0;
}

static int setup_plaintext(void **state)
{
    *state = serve(NULL);
    return 0;
}

/* ---- versions and protocols ---- */

/* The server hung up, with or without an alert: our OpenSSL would have gone on. */
static bool is_the_servers(int reason)
{
    return reason == SSL_R_UNEXPECTED_EOF_WHILE_READING ||
           reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION;
}

static void only_tls_1_2_and_1_3_are_spoken(void **state)
{
    static const int spoken[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const int refused[] = {TLS1_VERSION, TLS1_1_VERSION};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct raw_tls_seen seen = raw_tls_connect(port, &(struct raw_tls){.version = spoken[i]});
        assert_true(seen.accepted);
        assert_int_equal(seen.version, spoken[i]);
        seen = raw_tls_connect(port, &(struct raw_tls){.version = refused[i]});
        assert_false(seen.accepted);
        assert_true(is_the_servers(seen.reason));
    }
}

static void only_h2_is_negotiated(void **state)
{
    (void)state;
    assert_true(raw_tls_connect(port, &(struct raw_tls){.alpn = "h2"}).accepted);
    assert_false(raw_tls_connect(port, &(struct raw_tls){.alpn = ""}).accepted);
    assert_false(raw_tls_connect(port, &(struct raw_tls){.alpn = "http/1.1"}).accepted);
}

/* ---- clients that are refused in the handshake, in either version ---- */

static bool lets_in(const char *name, int version)
{
    char certificate[64], key[64];
    struct raw_tls options = {.version = version};
    snprintf(certificate, sizeof(certificate), "%s.pem", name);
    snprintf(key, sizeof(key), "%s.key", name);
    options.certificate_file = at(certificate);
    options.key_file = at(key);
    return raw_tls_connect(port, &options).accepted;
}

static void a_client_that_is_not_right_sees_no_frame(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_true(lets_in("client", versions[i]));
        assert_false(lets_in("cousin", versions[i]));
        assert_false(lets_in("expired", versions[i]));
        assert_false(lets_in("stranger", versions[i]));
        assert_false(lets_in("revoked", versions[i]));
        assert_false(raw_tls_connect(port, &(struct raw_tls){.version = versions[i]}).accepted);
    }
}

/* ---- peers that speak something else ---- */

/* The server ends the connection, whatever it says before that. */
static void must_hang_up(int fd)
{
    char bytes[512];
    while (read(fd, bytes, sizeof(bytes)) > 0)
        continue;
    close(fd);
}

static void plaintext_is_hung_up_on(void **state)
{
    static const char request[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    int fd = raw_connect(port);
    (void)state;
    assert_true(write(fd, request, sizeof(request) - 1) > 0);
    must_hang_up(fd);
}

static void silence_is_hung_up_on(void **state)
{
    (void)state;
    must_hang_up(raw_connect(port));
}

static void tls_on_a_plaintext_port_is_hung_up_on(void **state)
{
    (void)state;
    struct raw_tls_seen seen = raw_tls_connect(port, &(struct raw_tls){.alpn = "h2"});
    assert_false(seen.accepted);
    assert_int_equal(seen.serial, 0);
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(only_tls_1_2_and_1_3_are_spoken, setup),
        WITH(only_h2_is_negotiated, setup),
        WITH(a_client_that_is_not_right_sees_no_frame, setup_mutual),
        WITH(plaintext_is_hung_up_on, setup),
        WITH(silence_is_hung_up_on, setup),
        WITH(tls_on_a_plaintext_port_is_hung_up_on, setup_plaintext),
    };
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
