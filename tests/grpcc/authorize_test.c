/* SPDX-License-Identifier: Apache-2.0 */
/* Who may call what: identity by method, and the interceptor in front of a server. */
#include <grpc/health/v1/health.grpcc.h>
#include <grpcc/authorize.h>

#include "tests/grpcc/fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = {"web.test", "www.web.test"};

static const struct grpcc_identity nobody;
static const struct grpcc_identity web = {.source = GRPCC_IDENTITY_TLS,
                                          .spiffe_id = "spiffe://e/ns/web/sa/a"};
static const struct grpcc_identity trial = {.source = GRPCC_IDENTITY_FORWARDED,
                                            .spiffe_id = "spiffe://e/ns/web/sa/trial"};
static const struct grpcc_identity other = {
    .source = GRPCC_IDENTITY_TLS, .spiffe_id = "spiffe://e/ns/other", .subject = "CN=other"};
static const struct grpcc_identity named = {.source = GRPCC_IDENTITY_TLS,
                                            .common_name = "admin",
                                            .dns_names = names,
                                            .n_dns_names = COUNT(names)};

static const struct grpcc_rule rules[] = {
    {GRPCC_ALLOW, "anyone", "/grpc.health.v1.Health/"},
    {GRPCC_ALLOW, "spiffe://e/ns/web/", "/shop.v1.Cart/"},
    {GRPCC_ALLOW, "spiffe://e/ns/other", "/shop.v1.Cart/List"},
    {GRPCC_DENY, "spiffe://e/ns/web/sa/trial", "/shop.v1.Cart/Pay"},
    {GRPCC_ALLOW, "authenticated", "/shop.v1.Menu/"},
    {GRPCC_ALLOW, "dns:WWW.web.test", "/shop.v1.Page/Get"},
    {GRPCC_ALLOW, "cn:admin", "*"},
    {GRPCC_DENY, "anyone", "/shop.v1.Admin/Wipe"},
};

static void every_identity_may_call_what_it_may(void **state)
{
    static const struct {
        const struct grpcc_identity *identity;
        const char *path;
        enum grpcc_status status;
    } table[] = {
        {&nobody, "/grpc.health.v1.Health/Check", GRPCC_OK},
        {&nobody, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
         GRPCC_UNAUTHENTICATED},
        {&nobody, "/shop.v1.Cart/List", GRPCC_UNAUTHENTICATED},
        {&nobody, "/shop.v1.Menu/Get", GRPCC_UNAUTHENTICATED},
        {&nobody, "/no.such.Service/Method", GRPCC_UNAUTHENTICATED},
        {&web, "/shop.v1.Cart/List", GRPCC_OK},
        {&web, "/shop.v1.Cart/Pay", GRPCC_OK},
        {&web, "/shop.v1.Cartoon/List", GRPCC_PERMISSION_DENIED},
        {&web, "/shop.v1.Menu/Get", GRPCC_OK},
        {&web, "/shop.v1.Page/Get", GRPCC_PERMISSION_DENIED},
        {&trial, "/shop.v1.Cart/List", GRPCC_OK},
        {&trial, "/shop.v1.Cart/Pay", GRPCC_PERMISSION_DENIED},
        {&other, "/shop.v1.Cart/List", GRPCC_OK},
        {&other, "/shop.v1.Cart/Pay", GRPCC_PERMISSION_DENIED},
        {&other, "/shop.v1.Cart/ListAll", GRPCC_PERMISSION_DENIED},
        {&named, "/shop.v1.Page/Get", GRPCC_OK},
        {&named, "/shop.v1.Cart/Pay", GRPCC_OK},
        {&named, "/shop.v1.Admin/Wipe", GRPCC_PERMISSION_DENIED},
        {&named, "/grpc.health.v1.Health/Check", GRPCC_OK},
        {&named, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
         GRPCC_PERMISSION_DENIED},
        {&named, "", GRPCC_OK},
    };
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_authorizer *authorizer = grpcc_authorizer_new(rules, COUNT(rules), &err);
    (void)state;
    assert_non_null(authorizer);
    for (size_t i = 0; i < COUNT(table); i++) {
        enum grpcc_status status =
            grpcc_authorizer_check(authorizer, table[i].identity, table[i].path, &err);
        if (status != table[i].status)
            fail_msg("row %zu, %s: %s", i, table[i].path, grpcc_status_name(status));
    }
    assert_int_equal(grpcc_authorizer_check(authorizer, &other, "/a.B/C", &err),
                     GRPCC_PERMISSION_DENIED);
    assert_string_equal(err.message, "spiffe://e/ns/other may not call /a.B/C");
    grpcc_authorizer_free(authorizer);
}

static void without_rules_nobody_may_anything(void **state)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_authorizer *authorizer = grpcc_authorizer_new(NULL, 0, &err);
    (void)state;
    assert_int_equal(grpcc_authorizer_check(authorizer, &web, "/a.B/C", &err),
                     GRPCC_PERMISSION_DENIED);
    grpcc_authorizer_free(authorizer);
}

static void what_is_no_rule_is_named(void **state)
{
    static const struct grpcc_rule bad[] = {
        {GRPCC_ALLOW, NULL, "*"},
        {GRPCC_ALLOW, "", "*"},
        {GRPCC_ALLOW, "everyone", "*"},
        {GRPCC_ALLOW, "dns:", "*"},
        {GRPCC_ALLOW, "spiffe://E/", "*"},
        {GRPCC_ALLOW, "anyone", NULL},
        {GRPCC_ALLOW, "anyone", ""},
        {GRPCC_ALLOW, "anyone", "/"},
        {GRPCC_ALLOW, "anyone", "/a.B"},
        {GRPCC_ALLOW, "anyone", "//C"},
        {GRPCC_ALLOW, "anyone", "a.B/C"},
        {GRPCC_ALLOW, "anyone", "/a.B/*"},
        {GRPCC_ALLOW, "anyone", "/a.B/C/D"},
        {(enum grpcc_effect)7, "anyone", "*"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct grpcc_rule two[] = {{GRPCC_ALLOW, "anyone", "*"}, bad[i]};
        struct grpcc_error err = GRPCC_ERROR_INIT;
        if (grpcc_authorizer_new(two, 2, &err))
            fail_msg("row %zu was taken", i);
        assert_int_equal(err.status, GRPCC_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "rule 1: "));
    }
}

static void the_interceptor_stands_before_every_method(void **state)
{
    static const struct grpcc_rule some[] = {
        {GRPCC_ALLOW, "anyone", "/grpcc.testing.Echo/Unary"},
    };
    struct fixture *f = fixture_new(NULL, &echo_table);
    struct grpcc_authorizer *authorizer = grpcc_authorizer_new(some, COUNT(some), &f->err);
    struct grpc_health_v1_health_check_response *health = NULL;
    (void)state;
    assert_int_equal(grpcc_server_add_interceptor(f->server, &grpcc_authorize, authorizer, &f->err),
                     GRPCC_OK);
    fixture_start(f);
    must_end(f, GRPCC_OK, ask(f, "x"), NULL);
    assert_int_equal(grpc_health_v1_health_check(f->channel, f->arena, NULL,
                                                 grpc_health_v1_health_check_request_new(f->arena),
                                                 &health, &f->err),
                     GRPCC_UNAUTHENTICATED);
    struct grpcc_testing_echo_expand_stream *stream =
        grpcc_testing_echo_expand_stream_open(f->channel, NULL, ask(f, "x"), &f->err);
    assert_non_null(stream);
    struct grpcc_testing_answer *answer = NULL;
    assert_int_equal(grpcc_testing_echo_expand_stream_read(stream, f->arena, &answer, &f->err), 0);
    assert_int_equal(grpcc_testing_echo_expand_stream_finish(stream, f->arena, &f->err),
                     GRPCC_UNAUTHENTICATED);
    assert_string_equal(f->err.message, "/grpcc.testing.Echo/Expand needs a client certificate: "
                                        "the caller is not known");
    grpcc_testing_echo_expand_stream_free(stream);
    void *fixture = f;
    fixture_free(&fixture);
    grpcc_authorizer_free(authorizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_identity_may_call_what_it_may),
        cmocka_unit_test(without_rules_nobody_may_anything),
        cmocka_unit_test(what_is_no_rule_is_named),
        cmocka_unit_test(the_interceptor_stands_before_every_method),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
