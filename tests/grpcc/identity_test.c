/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the server takes its callers for: by their certificate, by a proxy's word, or not at all. */
#include <grpcc/identity.h>
#include <grpcc/listen.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/grpcc/ca.h"
#include "tests/grpcc/fixture.h"

#define HEADER "x-forwarded-client-cert"
#define SAID "By=spiffe://e/proxy;Hash=1;Subject=\"CN=far\";URI=spiffe://e/far;DNS=far.test"
#define NOBODY "0 - - - - - 0"

static char folder[CA_PATH_SIZE];
static struct ca *ca;

static const char *at(const char *name)
{
    return ca_path(folder, name);
}

static void issue(const char *name, const char *sans)
{
    struct ca_leaf leaf = {.name = name, .sans = sans};
    ca_issue_in(ca, &leaf, folder, name);
}

static int write_files(void **state)
{
    (void)state;
    ca_folder_new(folder);
    ca = ca_new("test CA");
    ca_write(ca, NULL, at("ca.pem"));
    issue("server", "DNS:localhost,IP:127.0.0.1");
    issue("near", "URI:spiffe://e/near,DNS:near.test,DNS:n.test");
    issue("two", "URI:spiffe://e/near,URI:spiffe://e/other");
    issue("proxy", "URI:spiffe://e/proxy");
    assert_int_equal(chdir(folder), 0); /* the path of a Unix socket must be short */
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    ca_free(ca);
    ca_folder_remove(folder);
    return 0;
}

/* ---- a server that answers with who calls ---- */

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

/* "SOURCE SPIFFE-ID SUBJECT COMMON-NAME LAST-URI LAST-DNS-NAME HAS-PEM", and the header if seen. */
static void answer_identity(void *self, struct grpcc_call *call,
                            const struct grpcc_testing_ask *request)
{
    const struct grpcc_identity *who = grpcc_call_identity(call);
    struct grpcc_testing_answer *answer = grpcc_testing_answer_new(grpcc_call_arena(call));
    const char *header = grpcc_call_metadata(call, HEADER, NULL);
    (void)self;
    (void)request;
    assert_ptr_equal(grpcc_call_identity(call), who);
    answer->text = grpcc_arena_printf(
        grpcc_call_arena(call), "%d %s %s %s %s %s %d%s%s", (int)who->source,
        or_dash(who->spiffe_id), or_dash(who->subject), or_dash(who->common_name),
        or_dash(who->n_uris ? who->uris[who->n_uris - 1] : NULL),
        or_dash(who->n_dns_names ? who->dns_names[who->n_dns_names - 1] : NULL),
        who->certificate_pem && strncmp(who->certificate_pem, "-----BEGIN C", 12) == 0,
        header ? " saw " : "", header ? header : "");
    grpcc_testing_echo_unary_finish(call, answer);
}

static const struct grpcc_testing_echo_server identity_table = {.unary = answer_identity};

static enum grpcc_verdict count_begin(void *self, struct grpcc_call *call)
{
    (void)call;
    gate_open(self);
    return GRPCC_PROCEED;
}

static const struct grpcc_interceptor counter = {.begin = count_begin};

static int port;

/* address NULL: TLS on loopback. */
static struct fixture *serve(const char *const *forwarded_from, const char *address)
{
    struct grpcc_server_options options = {.size = sizeof(options),
                                           .forwarded_from = forwarded_from};
    struct grpcc_listen_options tls = {.size = sizeof(tls),
                                       .certificate_file = at("server.pem"),
                                       .key_file = at("server.key"),
                                       .client_ca_file = at("ca.pem"),
                                       .client_certificate = GRPCC_CLIENT_CERTIFICATE_OPTIONAL};
    struct fixture *f = fixture_new(&options, &identity_table);
    assert_int_equal(grpcc_server_listen_with(f->server, address ? address : "127.0.0.1:0",
                                              address ? NULL : &tls, &port, &f->err),
                     GRPCC_OK);
    assert_int_equal(grpcc_server_add_interceptor(f->server, &counter, &f->entered, &f->err),
                     GRPCC_OK);
    fixture_start(f);
    return f;
}

static void stop(struct fixture *f)
{
    void *fixture = f;
    fixture_free(&fixture);
}

/* Calls with up to two headers; the status, and in *ret_text who the server said it was. */
static enum grpcc_status call(struct fixture *f, const char *target,
                              const struct grpcc_channel_options *options, const char *first,
                              const char *second, const char **ret_text)
{
    struct grpcc_metadata headers[2] = {{HEADER, first, first ? strlen(first) : 0},
                                        {HEADER, second, second ? strlen(second) : 0}};
    struct grpcc_call_options with = {.size = sizeof(with),
                                      .timeout_ms = 20000,
                                      .metadata = headers,
                                      .n_metadata = (first != NULL) + (second != NULL)};
    struct grpcc_testing_answer *answer = NULL;
    char loopback[32];
    snprintf(loopback, sizeof(loopback), "127.0.0.1:%d", port);
    struct grpcc_channel *channel = grpcc_channel_new(target ? target : loopback, options, &f->err);
    assert_non_null(channel);
    enum grpcc_status status =
        grpcc_testing_echo_unary(channel, f->arena, &with, ask(f, ""), &answer, &f->err);
    *ret_text = status ? f->err.message : answer->text;
    grpcc_channel_free(channel);
    return status;
}

static void must_be(struct fixture *f, const char *target,
                    const struct grpcc_channel_options *options, const char *header,
                    const char *expected)
{
    const char *text = NULL;
    if (call(f, target, options, header, NULL, &text))
        fail_msg("%s", text);
    assert_string_equal(text, expected);
}

/* Valid until the next one. NULL: without a certificate. */
static struct grpcc_channel_options as(const char *name)
{
    static char certificate[64], key[64];
    struct grpcc_channel_options options = {.size = sizeof(options), .ca_file = at("ca.pem")};
    snprintf(certificate, sizeof(certificate), "%s.pem", name ? name : "");
    snprintf(key, sizeof(key), "%s.key", name ? name : "");
    options.certificate_file = name ? certificate : NULL;
    options.key_file = name ? key : NULL;
    return options;
}

/* ---- certificates ---- */

static void a_certificate_is_an_identity(void **state)
{
    struct fixture *f = serve(NULL, NULL);
    struct grpcc_channel_options near = as("near");
    (void)state;
    must_be(f, NULL, &near, NULL, "1 spiffe://e/near CN=near near spiffe://e/near n.test 1");
    struct grpcc_channel_options two = as("two");
    must_be(f, NULL, &two, NULL, "1 - CN=two two spiffe://e/other - 1");
    struct grpcc_channel_options none = as(NULL);
    must_be(f, NULL, &none, NULL, NOBODY);
    stop(f);
}

static void nobody_may_forward_unasked(void **state)
{
    struct fixture *f = serve(NULL, NULL);
    struct grpcc_channel_options near = as("near");
    (void)state;
    must_be(f, NULL, &near, SAID, "1 spiffe://e/near CN=near near spiffe://e/near n.test 1");
    struct grpcc_channel_options none = as(NULL);
    must_be(f, NULL, &none, SAID, NOBODY);
    must_be(f, NULL, &none, "not the syntax", NOBODY);
    stop(f);
}

/* ---- proxies ---- */

static void a_proxy_is_believed_by_its_address(void **state)
{
    static const char *const from[] = {"127.0.0.0/8", NULL};
    struct fixture *f = serve(from, "127.0.0.1:0");
    (void)state;
    must_be(f, NULL, NULL, SAID, "2 spiffe://e/far CN=far - spiffe://e/far far.test 0 saw " SAID);
    must_be(f, NULL, NULL, NULL, NOBODY);
    must_be(f, NULL, NULL, "By=spiffe://e/proxy", NOBODY " saw By=spiffe://e/proxy");
    must_be(f, NULL, NULL, "Hash=1;URI=https://e/far;Cert=\"-----BEGIN%20CERT\"",
            "2 - - - https://e/far - 1 saw Hash=1;URI=https://e/far;Cert=\"-----BEGIN%20CERT\"");
    stop(f);
}

static void a_proxy_is_believed_by_its_socket(void **state)
{
    static const char *const from[] = {"unix", NULL};
    struct fixture *f = serve(from, "unix:s");
    (void)state;
    must_be(f, "unix:s", NULL, SAID,
            "2 spiffe://e/far CN=far - spiffe://e/far far.test 0 saw " SAID);
    stop(f);
}

/* Its own certificate is nobody's identity; other clients have theirs, and forward nothing. */
static void a_proxy_is_believed_by_its_certificate(void **state)
{
    static const char *const from[] = {"spiffe://e/proxy", NULL};
    struct fixture *f = serve(from, NULL);
    (void)state;
    struct grpcc_channel_options proxy = as("proxy");
    must_be(f, NULL, &proxy, SAID, "2 spiffe://e/far CN=far - spiffe://e/far far.test 0 saw " SAID);
    must_be(f, NULL, &proxy, NULL, NOBODY);
    struct grpcc_channel_options near = as("near");
    must_be(f, NULL, &near, SAID, "1 spiffe://e/near CN=near near spiffe://e/near n.test 1");
    struct grpcc_channel_options none = as(NULL);
    must_be(f, NULL, &none, SAID, NOBODY);
    stop(f);
}

static void others_are_not_believed(void **state)
{
    static const char *const from[] = {"10.0.0.0/8", "unix", "spiffe://e/", NULL};
    struct fixture *f = serve(from, "127.0.0.1:0");
    (void)state;
    must_be(f, NULL, NULL, SAID, NOBODY);
    must_be(f, NULL, NULL, "not the syntax", NOBODY);
    stop(f);
}

static void the_last_header_counts(void **state)
{
    static const char *const from[] = {"127.0.0.1", NULL};
    struct fixture *f = serve(from, "127.0.0.1:0");
    const char *text = NULL;
    (void)state;
    assert_int_equal(call(f, NULL, NULL, SAID, "Hash=2;URI=spiffe://e/last", &text), GRPCC_OK);
    assert_memory_equal(text, "2 spiffe://e/last - - spiffe://e/last - 0", 40);
    stop(f);
}

static void what_a_proxy_garbles_is_refused_before_anyone_sees_it(void **state)
{
    static const char *const from[] = {"127.0.0.1", NULL};
    struct fixture *f = serve(from, "127.0.0.1:0");
    const char *text = NULL;
    (void)state;
    assert_int_equal(call(f, NULL, NULL, "Hash=1;URI", NULL, &text), GRPCC_UNAUTHENTICATED);
    assert_string_equal(text, HEADER ": no '=' after a key at byte 10");
    assert_int_equal(call(f, NULL, NULL, SAID, ";", &text), GRPCC_UNAUTHENTICATED);
    assert_int_equal(gate_count(&f->entered), 0);
    must_be(f, NULL, NULL, NULL, NOBODY);
    assert_int_equal(gate_count(&f->entered), 1);
    stop(f);
}

static void what_names_no_proxy_makes_no_server(void **state)
{
    static const char *const from[] = {"everyone", NULL};
    struct grpcc_server_options options = {.size = sizeof(options), .forwarded_from = from};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)state;
    assert_null(grpcc_server_new(&options, &err));
    assert_int_equal(err.status, GRPCC_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "\"everyone\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_an_identity),
        cmocka_unit_test(nobody_may_forward_unasked),
        cmocka_unit_test(a_proxy_is_believed_by_its_address),
        cmocka_unit_test(a_proxy_is_believed_by_its_socket),
        cmocka_unit_test(a_proxy_is_believed_by_its_certificate),
        cmocka_unit_test(others_are_not_believed),
        cmocka_unit_test(the_last_header_counts),
        cmocka_unit_test(what_a_proxy_garbles_is_refused_before_anyone_sees_it),
        cmocka_unit_test(what_names_no_proxy_makes_no_server),
    };
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
