/* SPDX-License-Identifier: Apache-2.0 */
/* What a listener and a channel may be asked for, and what cannot be meant. */
#include <grpcc/listen.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/grpcc/ca.h"
#include "tests/grpcc/fixture.h"

static char folder[CA_PATH_SIZE];

static const char *at(const char *name)
{
    return ca_path(folder, name);
}

static int write_files(void **state)
{
    struct ca *ca = ca_new("test CA");
    struct ca_leaf leaf = {.name = "any", .sans = "IP:127.0.0.1"};
    (void)state;
    ca_folder_new(folder);
    ca_write(ca, NULL, at("ca.pem"));
    ca_issue_in(ca, &leaf, folder, "server");
    ca_issue_in(ca, &leaf, folder, "client");
    ca_write_locked_key(at("locked.key"));
    ca_free(ca);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    ca_folder_remove(folder);
    return 0;
}

static void must_refuse(const struct grpcc_listen_options *options, const char *address,
                        const char *words)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_server *server = grpcc_server_new(NULL, &err);
    assert_int_equal(grpcc_server_listen_with(server, address, options, NULL, &err),
                     GRPCC_INVALID_ARGUMENT);
    if (!strstr(err.message, words))
        print_error("not \"%s\" in: %s\n", words, err.message);
    assert_non_null(strstr(err.message, words));
    grpcc_server_free(server);
}

static void options_of_a_listener_must_fit_each_other(void **state)
{
    const char *const none[] = {NULL}, *const bad[] = {"spiffe://Example.org/", NULL};
    struct grpcc_listen_options options = {.size = sizeof(options),
                                           .certificate_file = at("server.pem")};
    (void)state;
    must_refuse(&options, "127.0.0.1:0", "key_file");
    options.key_file = at("client.key");
    must_refuse(&options, "127.0.0.1:0", "the key does not fit the certificate");
    options.key_file = at("server.pem");
    must_refuse(&options, "127.0.0.1:0", "the key is not a PEM key");
    options.key_file = at("locked.key"); /* and nobody is asked for the passphrase */
    must_refuse(&options, "127.0.0.1:0", "without a passphrase");
    options.key_file = folder;
    must_refuse(&options, "127.0.0.1:0", "cannot be read");
    options.key_file = at("server.key");
    options.client_certificate = GRPCC_CLIENT_CERTIFICATE_REQUIRED;
    must_refuse(&options, "127.0.0.1:0", "client_ca_file");
    options.client_ca_file = at("client.key");
    must_refuse(&options, "127.0.0.1:0", "no certificate is in it");
    options.client_ca_file = at("ca.pem");
    options.client_spiffe_ids = none;
    must_refuse(&options, "127.0.0.1:0", "an empty list");
    options.client_spiffe_ids = bad;
    must_refuse(&options, "127.0.0.1:0", "spiffe://Example.org/");
    options.client_spiffe_ids = NULL;
    options.crl_directory = "/no/such/folder";
    must_refuse(&options, "127.0.0.1:0", "/no/such/folder");
    options.crl_directory = NULL;
    options.client_certificate = GRPCC_CLIENT_CERTIFICATE_NONE;
    must_refuse(&options, "127.0.0.1:0", "client_ca_file is of no use");
    options = (struct grpcc_listen_options){.size = sizeof(options), .unix_mode = 0600};
    must_refuse(&options, "127.0.0.1:0", "unix_mode");
    options.unix_mode = 01777;
    must_refuse(&options, "unix:x", "unix_mode");
}

static void a_unix_socket_has_the_mode_it_was_given(void **state)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_server *server = grpcc_server_new(NULL, &err);
    struct grpcc_listen_options options = {.size = sizeof(options), .unix_mode = 0660};
    struct stat info;
    (void)state;
    assert_int_equal(chdir(folder), 0); /* the path of a socket must be short */
    assert_int_equal(grpcc_server_listen_with(server, "unix:s", &options, NULL, &err), GRPCC_OK);
    assert_int_equal(stat("s", &info), 0);
    assert_int_equal(info.st_mode & 07777, 0660);
    grpcc_server_free(server);
}

static void options_of_a_channel_must_fit_each_other(void **state)
{
    const char *const ids[] = {"spiffe://example.org/", NULL};
    struct grpcc_channel_options options = {.size = sizeof(options), .server_spiffe_ids = ids};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)state;
    assert_null(grpcc_channel_new("127.0.0.1:1", &options, &err));
    assert_non_null(strstr(err.message, "ca_file"));
    options.ca_file = at("server.key");
    assert_null(grpcc_channel_new("127.0.0.1:1", &options, &err));
    assert_non_null(strstr(err.message, "no certificate is in it"));
    options.ca_file = at("ca.pem");
    options.certificate_file = at("server.pem");
    assert_null(grpcc_channel_new("127.0.0.1:1", &options, &err));
    assert_non_null(strstr(err.message, "key file"));
}

/* Programs that were built before there were options. */
static void the_short_form_has_tls_too(void **state)
{
    struct grpcc_server_tls tls = {.certificate_file = at("server.pem"),
                                   .key_file = at("server.key"),
                                   .client_ca_file = at("ca.pem")};
    struct grpcc_channel_options options = {.size = sizeof(options), .ca_file = at("ca.pem")};
    struct fixture *f = fixture_new(NULL, &echo_table);
    struct grpcc_testing_answer *answer = NULL;
    char target[32];
    int port = 0;
    assert_int_equal(grpcc_server_listen(f->server, "127.0.0.1:0", &tls, &port, &f->err), GRPCC_OK);
    fixture_start(f);
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    for (int mutual = 0; mutual < 2; mutual++) {
        options.certificate_file = mutual ? at("client.pem") : NULL;
        options.key_file = mutual ? at("client.key") : NULL;
        struct grpcc_channel *channel = grpcc_channel_new(target, &options, &f->err);
        assert_int_equal(
            grpcc_testing_echo_unary(channel, f->arena, NULL, ask(f, "x"), &answer, &f->err),
            mutual ? GRPCC_OK : GRPCC_UNAVAILABLE);
        grpcc_channel_free(channel);
    }
    *state = f;
    fixture_free(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_of_a_listener_must_fit_each_other),
        cmocka_unit_test(a_unix_socket_has_the_mode_it_was_given),
        cmocka_unit_test(options_of_a_channel_must_fit_each_other),
        cmocka_unit_test(the_short_form_has_tls_too),
    };
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
