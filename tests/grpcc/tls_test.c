/* SPDX-License-Identifier: Apache-2.0 */
/* TLS and mTLS over loopback: who is trusted, who is refused, and what the refused are told. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <grpcc/listen.h>

#include "tests/grpcc/ca.h"
#include "tests/grpcc/fixture.h"

static char folder[CA_PATH_SIZE];
static struct ca *ca, *other_ca;
static long client_serial, server_serial;

static const char *at(const char *name)
{
    return ca_path(folder, name);
}

static long issue(struct ca *by, const char *name, const char *sans, bool expired)
{
    struct ca_leaf leaf = {.name = name, .sans = sans, .expired = expired};
    return ca_issue_in(by, &leaf, folder, name);
}

static int write_files(void **state)
{
    (void)state;
    ca_folder_new(folder);
    ca = ca_new("test CA");
    other_ca = ca_new("other CA");
    ca_write(ca, NULL, at("ca.pem"));
    ca_write(other_ca, NULL, at("other.pem"));
    server_serial = issue(ca, "server", "DNS:localhost,IP:127.0.0.1", false);
    issue(ca, "expired", "DNS:localhost,IP:127.0.0.1", true);
    issue(ca, "spiffe", "URI:spiffe://example.org/ns/a/sa/server", false);
    issue(other_ca, "stranger", NULL, false);
    issue(ca, "two-uris", "URI:spiffe://example.org/ns/a/sa/client,URI:https://example.org", false);
    issue(ca, "cousin", "URI:spiffe://example.org.evil/ns/a/sa/client", false);
    client_serial =
        issue(ca, "client", "URI:spiffe://example.org/ns/a/sa/client,DNS:client.test", false);
    /* Core reads it once, at the first channel that wants it. */
    setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", at("ca.pem"), 1);
    assert_int_equal(mkdir(at("lists"), 0700), 0);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    ca_free(ca);
    ca_free(other_ca);
    ca_folder_remove(folder);
    return 0;
}

/* ---- one server a test, any number of clients ---- */

static int port;

static struct grpcc_listen_options serving(const char *certificate, const char *key)
{
    return (struct grpcc_listen_options){.size = sizeof(struct grpcc_listen_options),
                                         .certificate_file = certificate,
                                         .key_file = key,
                                         .reload_s = 1};
}

static struct fixture *serve(const struct grpcc_listen_options *options)
{
    struct fixture *f = fixture_new(NULL, &echo_table);
    assert_int_equal(grpcc_server_listen_with(f->server, "127.0.0.1:0", options, &port, &f->err),
                     GRPCC_OK);
    fixture_start(f);
    return f;
}

static int setup(void **state)
{
    struct grpcc_listen_options options = serving(at("server.pem"), at("server.key"));
    *state = serve(&options);
    return 0;
}

static int setup_expired(void **state)
{
    struct grpcc_listen_options options = serving(at("expired.pem"), at("expired.key"));
    *state = serve(&options);
    return 0;
}

static int setup_spiffe(void **state)
{
    struct grpcc_listen_options options = serving(at("spiffe.pem"), at("spiffe.key"));
    *state = serve(&options);
    return 0;
}

static int setup_mutual(void **state)
{
    struct grpcc_listen_options options = serving(at("server.pem"), at("server.key"));
    options.client_ca_file = at("ca.pem");
    *state = serve(&options);
    return 0;
}

static int setup_lists(void **state)
{
    struct grpcc_listen_options options = serving(at("server.pem"), at("server.key"));
    options.client_ca_file = at("ca.pem");
    options.crl_directory = at("lists");
    *state = serve(&options);
    return 0;
}

static int setup_only_a(void **state)
{
    const char *const ids[] = {"spiffe://example.org/ns/a/", "spiffe://example.org/ns/b/sa/x",
                               NULL};
    struct grpcc_listen_options options = serving(at("server.pem"), at("server.key"));
    options.client_ca_file = at("ca.pem");
    options.client_spiffe_ids = ids;
    *state = serve(&options);
    return 0;
}

static int setup_optional(void **state)
{
    const char *const ids[] = {"spiffe://example.org/", NULL};
    struct grpcc_listen_options options = serving(at("server.pem"), at("server.key"));
    options.client_ca_file = at("ca.pem");
    options.client_certificate = GRPCC_CLIENT_CERTIFICATE_OPTIONAL;
    options.client_spiffe_ids = ids;
    *state = serve(&options);
    return 0;
}

static enum grpcc_status call_with(struct fixture *f, const struct grpcc_channel_options *options)
{
    char target[32];
    struct grpcc_testing_answer *answer = NULL;
    struct grpcc_call_options call = {.size = sizeof(call), .timeout_ms = 20000};
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    f->err = (struct grpcc_error)GRPCC_ERROR_INIT;
    struct grpcc_channel *channel = grpcc_channel_new(target, options, &f->err);
    if (!channel)
        return f->err.status;
    enum grpcc_status status =
        grpcc_testing_echo_unary(channel, f->arena, &call, ask(f, "secret"), &answer, &f->err);
    grpcc_channel_free(channel);
    grpcc_arena_reset(f->arena);
    return status;
}

static struct grpcc_channel_options trusting(const char *ca_file)
{
    return (struct grpcc_channel_options){
        .size = sizeof(struct grpcc_channel_options), .ca_file = ca_file, .reload_s = 1};
}

static enum grpcc_status call_as(struct fixture *f, const char *name)
{
    char certificate[64], key[64];
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    snprintf(certificate, sizeof(certificate), "%s.pem", name);
    snprintf(key, sizeof(key), "%s.key", name);
    options.certificate_file = at(certificate);
    options.key_file = at(key);
    return call_with(f, &options);
}

/* The client was told why, in these words. */
static void must_say(struct fixture *f, const char *words)
{
    if (!strstr(f->err.message, words))
        print_error("not \"%s\" in: %s\n", words, f->err.message);
    assert_non_null(strstr(f->err.message, words));
}

/* ---- servers as clients see them ---- */

static void a_server_with_a_known_certificate_is_trusted(void **state)
{
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
}

static void a_server_with_an_unknown_certificate_is_not(void **state)
{
    struct grpcc_channel_options options = trusting(at("other.pem"));
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE);
    must_say(*state, "certificate verify failed");
}

static void a_server_of_another_name_is_not(void **state)
{
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    options.host_override = "example.com";
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE);
    must_say(*state, "Hostname Verification Check failed");
    options.host_override = "localhost";
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
}

static void a_certificate_that_has_expired_is_not(void **state)
{
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE);
    must_say(*state, "certificate verify failed");
}

static void a_server_is_known_by_its_spiffe_id(void **state)
{
    const char *const right[] = {"spiffe://example.org/ns/a/sa/server", NULL};
    const char *const wrong[] = {"spiffe://example.org/ns/b/", NULL};
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE); /* it has no host name */
    options.server_spiffe_ids = right;
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
    options.server_spiffe_ids = wrong;
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE);
    must_say(*state, "\"spiffe://example.org/ns/a/sa/server\" is refused: it is not on the list");
}

static void plaintext_to_tls_fails_at_once(void **state)
{
    assert_int_equal(call_with(*state, NULL), GRPCC_UNAVAILABLE);
}

static void tls_to_plaintext_fails_at_once(void **state)
{
    struct fixture *f = *state;
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    assert_int_equal(call_with(f, &options), GRPCC_UNAVAILABLE);
    must_say(f, "andshake");
}

static int setup_plaintext(void **state)
{
    *state = serve(NULL);
    return 0;
}

/* ---- clients as servers see them ---- */

static void a_client_must_show_its_certificate(void **state)
{
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE);
    assert_int_equal(call_as(*state, "stranger"), GRPCC_UNAVAILABLE);
    assert_int_equal(call_as(*state, "expired"), GRPCC_UNAVAILABLE);
    assert_int_equal(call_as(*state, "client"), GRPCC_OK);
}

static void only_the_listed_spiffe_ids_finish_a_handshake(void **state)
{
    assert_int_equal(call_as(*state, "client"), GRPCC_OK);
    assert_int_equal(call_as(*state, "spiffe"), GRPCC_OK);
    assert_int_equal(call_as(*state, "two-uris"), GRPCC_UNAVAILABLE);
    assert_int_equal(call_as(*state, "cousin"), GRPCC_UNAVAILABLE);
    assert_int_equal(call_as(*state, "server"), GRPCC_UNAVAILABLE);
}

static void an_optional_certificate_must_be_right_where_it_is_shown(void **state)
{
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
    assert_int_equal(call_as(*state, "client"), GRPCC_OK);
    assert_int_equal(call_as(*state, "stranger"), GRPCC_UNAVAILABLE);
    assert_int_equal(call_as(*state, "cousin"), GRPCC_UNAVAILABLE);
}

/* Without a list nobody is revoked; each list is a new file under the old name. The events waited
 * for are the first calls that end otherwise. */
static void a_revoked_certificate_is_refused(void **state)
{
    const long revoked[] = {client_serial, 0}, nobody[] = {0};
    struct ca_list list = {.number = 1, .revoked = revoked};
    assert_int_equal(call_as(*state, "client"), GRPCC_OK);
    ca_write_list(ca, &list, at("lists"));
    while (call_as(*state, "client") == GRPCC_OK)
        continue;
    assert_int_equal(call_as(*state, "spiffe"), GRPCC_OK);
    list = (struct ca_list){.number = 2, .revoked = nobody};
    ca_write_list(ca, &list, at("lists"));
    while (call_as(*state, "client") != GRPCC_OK)
        continue;
    list = (struct ca_list){.number = 3, .revoked = nobody, .expired = true};
    ca_write_list(ca, &list, at("lists"));
    while (call_as(*state, "client") == GRPCC_OK)
        continue;
    unlink(ca_list_path(ca, at("lists")));
}

/* OpenSSL would pass over it, and over what the list before it revoked. */
static void a_list_that_cannot_be_read_is_not_used(void **state)
{
    struct fixture *f = *state;
    const long revoked[] = {client_serial, 0};
    struct ca_list list = {.number = 4, .revoked = revoked};
    ca_write_list(ca, &list, at("lists"));
    while (call_as(f, "client") == GRPCC_OK)
        continue;
    FILE *file = fopen(ca_list_path(ca, at("lists")), "we");
    assert_non_null(file);
    fputs("-----BEGIN X509 CRL-----\nhalf of\n", file);
    fclose(file);
    fixture_await_log(f, "not a revocation list");
    while (!atomic_load(&f->heard))
        assert_int_equal(call_as(f, "client"), GRPCC_UNAVAILABLE);
    assert_int_equal(call_as(f, "spiffe"), GRPCC_OK);
    unlink(ca_list_path(ca, at("lists")));
}

/* The client refuses a server whose certificate is revoked. */
static void a_revoked_server_is_refused(void **state)
{
    const long revoked[] = {server_serial, 0};
    struct ca_list list = {.number = 5, .revoked = revoked};
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    options.crl_directory = at("lists");
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
    ca_write_list(ca, &list, at("lists"));
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE);
    must_say(*state, "certificate verify failed");
    unlink(ca_list_path(ca, at("lists")));
}

/* The system's CAs, which the environment says for this process. */
static void without_a_ca_file_the_systems_are_trusted(void **state)
{
    struct grpcc_channel_options options = {.size = sizeof(options), .tls = true};
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
    options = (struct grpcc_channel_options){.size = sizeof(options),
                                             .certificate_file = at("client.pem"),
                                             .key_file = at("client.key")};
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
    issue(other_ca, "server", "DNS:localhost,IP:127.0.0.1", false);
    while (call_with(*state, &options) == GRPCC_OK)
        continue;
    issue(ca, "server", "DNS:localhost,IP:127.0.0.1", false);
}

/* ---- files that change ---- */

static void new_certificates_are_read_while_it_runs(void **state)
{
    struct grpcc_channel_options old = trusting(at("ca.pem"));
    struct grpcc_channel_options fresh = trusting(at("other.pem"));
    assert_int_equal(call_with(*state, &old), GRPCC_OK);
    issue(other_ca, "server", "DNS:localhost,IP:127.0.0.1", false);
    while (call_with(*state, &fresh) != GRPCC_OK)
        continue;
    assert_int_equal(call_with(*state, &old), GRPCC_UNAVAILABLE);
    issue(ca, "server", "DNS:localhost,IP:127.0.0.1", false);
}

/* The key of another certificate, then a file that is none, then none at all: what was there before
 * is served on, and each is logged once. */
static void what_does_not_fit_is_not_used(void **state)
{
    struct fixture *f = *state;
    struct grpcc_channel_options options = trusting(at("ca.pem"));
    fixture_await_log(f, "server.key: No such file");
    assert_int_equal(rename(at("server.key"), at("kept.key")), 0);
    while (!atomic_load(&f->heard))
        assert_int_equal(call_with(f, &options), GRPCC_OK);
    fixture_await_log(f, "server.pem: the key does not fit");
    assert_int_equal(link(at("client.key"), at("server.key")), 0);
    while (!atomic_load(&f->heard))
        assert_int_equal(call_with(f, &options), GRPCC_OK);
    assert_int_equal(rename(at("kept.key"), at("server.key")), 0);
    assert_int_equal(call_with(f, &options), GRPCC_OK);
    assert_int_equal(atomic_load(&f->logged), 2);
}

/* As Kubernetes does it: the files are links into a folder, and the link to the folder is replaced.
 */
static void a_folder_may_be_swapped(void **state)
{
    struct grpcc_listen_options options = serving(at("mount/tls.crt"), at("mount/tls.key"));
    struct grpcc_channel_options old = trusting(at("ca.pem"));
    struct grpcc_channel_options fresh = trusting(at("other.pem"));
    struct ca_leaf leaf = {.name = "server", .sans = "IP:127.0.0.1"};
    assert_int_equal(mkdir(at("one"), 0700), 0);
    assert_int_equal(mkdir(at("two"), 0700), 0);
    ca_issue(ca, &leaf, at("one/tls.crt"), at("one/tls.key"));
    ca_issue(other_ca, &leaf, at("two/tls.crt"), at("two/tls.key"));
    assert_int_equal(symlink("one", at("mount")), 0);
    struct fixture *f = serve(&options);
    assert_int_equal(call_with(f, &old), GRPCC_OK);
    assert_int_equal(symlink("two", at("mount.new")), 0);
    assert_int_equal(rename(at("mount.new"), at("mount")), 0);
    while (call_with(f, &fresh) != GRPCC_OK)
        continue;
    assert_int_equal(call_with(f, &old), GRPCC_UNAVAILABLE);
    *state = f;
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_server_with_a_known_certificate_is_trusted, setup),
        WITH(a_server_with_an_unknown_certificate_is_not, setup),
        WITH(a_server_of_another_name_is_not, setup),
        WITH(a_certificate_that_has_expired_is_not, setup_expired),
        WITH(a_server_is_known_by_its_spiffe_id, setup_spiffe),
        WITH(plaintext_to_tls_fails_at_once, setup),
        WITH(tls_to_plaintext_fails_at_once, setup_plaintext),
        WITH(a_client_must_show_its_certificate, setup_mutual),
        WITH(only_the_listed_spiffe_ids_finish_a_handshake, setup_only_a),
        WITH(an_optional_certificate_must_be_right_where_it_is_shown, setup_optional),
        WITH(a_revoked_certificate_is_refused, setup_lists),
        WITH(a_list_that_cannot_be_read_is_not_used, setup_lists),
        WITH(a_revoked_server_is_refused, setup),
        WITH(without_a_ca_file_the_systems_are_trusted, setup),
        WITH(new_certificates_are_read_while_it_runs, setup),
        WITH(what_does_not_fit_is_not_used, setup),
        cmocka_unit_test_teardown(a_folder_may_be_swapped, fixture_free),
    };
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
