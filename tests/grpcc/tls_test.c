/* SPDX-License-Identifier: Apache-2.0 */
/* TLS and mTLS over loopback, and certificates that are replaced while the server runs. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/grpcc/fixture.h"

/* ---- certificates ---- */

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* signer NULL: a CA that signs itself. */
static struct identity identity_new(const char *name, const struct identity *signer)
{
    static long serial = 1;
    struct identity made = {EVP_EC_gen("P-256"), X509_new()};
    X509 *certificate = made.certificate;
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600);
    X509_set_pubkey(certificate, made.key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate,
                         signer ? X509_get_subject_name(signer->certificate) : subject);
    if (signer)
        add_extension(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    else
        add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    assert_true(X509_sign(certificate, signer ? signer->key : made.key, EVP_sha256()) > 0);
    return made;
}

static void identity_free(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

struct files {
    char folder[256];
    char ca[300], certificate[300], key[300], client[300], client_key[300], other_ca[300];
};

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    return file;
}

static void write_certificate(const char *path, const struct identity *identity)
{
    FILE *file = open_file(path);
    assert_int_equal(PEM_write_X509(file, identity->certificate), 1);
    fclose(file);
}

static void write_key(const char *path, const struct identity *identity)
{
    FILE *file = open_file(path);
    assert_int_equal(PEM_write_PKCS8PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

static struct files files;
static struct identity ca, other_ca;

static int write_files(void **state)
{
    (void)state;
    const char *base = getenv("TEST_TMPDIR");
    snprintf(files.folder, sizeof(files.folder), "%s/tls-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(files.folder));
    snprintf(files.ca, sizeof(files.ca), "%s/ca.pem", files.folder);
    snprintf(files.other_ca, sizeof(files.other_ca), "%s/other.pem", files.folder);
    snprintf(files.certificate, sizeof(files.certificate), "%s/server.pem", files.folder);
    snprintf(files.key, sizeof(files.key), "%s/server.key", files.folder);
    snprintf(files.client, sizeof(files.client), "%s/client.pem", files.folder);
    snprintf(files.client_key, sizeof(files.client_key), "%s/client.key", files.folder);
    ca = identity_new("test CA", NULL);
    other_ca = identity_new("other CA", NULL);
    struct identity server = identity_new("server", &ca);
    struct identity client = identity_new("client", &ca);
    write_certificate(files.ca, &ca);
    write_certificate(files.other_ca, &other_ca);
    write_certificate(files.certificate, &server);
    write_key(files.key, &server);
    write_certificate(files.client, &client);
    write_key(files.client_key, &client);
    identity_free(&server);
    identity_free(&client);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    identity_free(&ca);
    identity_free(&other_ca);
    const char *all[] = {files.ca,  files.other_ca, files.certificate,
                         files.key, files.client,   files.client_key,
                         NULL};
    for (const char **path = all; *path; path++)
        unlink(*path);
    rmdir(files.folder);
    return 0;
}

/* ---- tests ---- */

static int port;

static struct fixture *serve(const char *client_ca)
{
    struct fixture *f = fixture_new(NULL, &echo_table);
    struct grpcc_server_tls tls = {.certificate_file = files.certificate,
                                   .key_file = files.key,
                                   .client_ca_file = client_ca,
                                   .reload_s = 1};
    assert_int_equal(grpcc_server_listen(f->server, "127.0.0.1:0", &tls, &port, &f->err), GRPCC_OK);
    fixture_start(f);
    return f;
}

static int setup(void **state)
{
    *state = serve(NULL);
    return 0;
}

static int setup_mutual(void **state)
{
    *state = serve(files.ca);
    return 0;
}

static enum grpcc_status call_with(struct fixture *f, const struct grpcc_channel_options *options)
{
    char target[32];
    struct grpcc_testing_answer *answer = NULL;
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct grpcc_channel *channel = grpcc_channel_new(target, options, &f->err);
    assert_non_null(channel);
    enum grpcc_status status =
        grpcc_testing_echo_unary(channel, f->arena, NULL, ask(f, "secret"), &answer, &f->err);
    grpcc_channel_free(channel);
    return status;
}

static void a_server_with_a_known_certificate_is_trusted(void **state)
{
    struct grpcc_channel_options options = {.size = sizeof(options), .ca_file = files.ca};
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
}

static void a_server_with_an_unknown_certificate_is_not(void **state)
{
    struct grpcc_channel_options options = {.size = sizeof(options), .ca_file = files.other_ca};
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE);
}

static void a_server_of_another_name_is_not(void **state)
{
    struct grpcc_channel_options options = {
        .size = sizeof(options), .ca_file = files.ca, .host_override = "example.com"};
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE);
    options.host_override = "localhost";
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
}

static void plaintext_is_refused(void **state)
{
    assert_int_equal(call_with(*state, NULL), GRPCC_UNAVAILABLE);
}

static void a_client_must_show_its_certificate(void **state)
{
    struct grpcc_channel_options options = {.size = sizeof(options), .ca_file = files.ca};
    assert_int_equal(call_with(*state, &options), GRPCC_UNAVAILABLE);
    options.certificate_file = files.client;
    options.key_file = files.client_key;
    assert_int_equal(call_with(*state, &options), GRPCC_OK);
}

/* Waits for the server to see new files: the event is the first call that trusts them. */
static void new_certificates_are_read_while_it_runs(void **state)
{
    struct fixture *f = *state;
    struct grpcc_channel_options old = {.size = sizeof(old), .ca_file = files.ca};
    struct grpcc_channel_options fresh = {.size = sizeof(fresh), .ca_file = files.other_ca};
    struct identity server = identity_new("server", &other_ca);
    assert_int_equal(call_with(f, &old), GRPCC_OK);
    write_certificate(files.certificate, &server);
    write_key(files.key, &server);
    identity_free(&server);
    while (call_with(f, &fresh) != GRPCC_OK)
        grpcc_arena_reset(f->arena);
    assert_int_equal(call_with(f, &old), GRPCC_UNAVAILABLE);
}

#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, fixture_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_server_with_a_known_certificate_is_trusted, setup),
        WITH(a_server_with_an_unknown_certificate_is_not, setup),
        WITH(a_server_of_another_name_is_not, setup),
        WITH(plaintext_is_refused, setup),
        WITH(a_client_must_show_its_certificate, setup_mutual),
        WITH(new_certificates_are_read_while_it_runs, setup),
    };
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
