/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatcher around small handlers of comb.v1's own methods, over a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "comb/v1/admin.grpcc.h"
#include "comb/v1/auth.grpcc.h"
#include "comb/v1/errors.grpcc.h"
#include "comb/v1/tree.grpcc.h"
#include "google/rpc/error_details.grpcc.h"
#include "google/rpc/status.grpcc.h"
#include "grpcc/channel.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/rpc.h"

#define INCARNATION 0xabcULL

static const struct comb_principal user = {.login = {"user", 4}};
static const struct comb_principal administrator = {.login = {"root", 4}, .administrator = true};

static struct comb_dispatch *dispatch;
static struct grpcc_server *server;
static struct grpcc_channel *channel;
static struct grpcc_arena *arena;
static struct grpcc_error err;
static char token[64]; /* comb-token of the last answer */
/* Set and read by workers too; gRPC core orders the accesses, which TSan cannot see. */
static atomic_bool marks_right, slow_path_used;

/* ---- the fake authenticator: "user" is remembered, "root" must be asked for ---- */

static bool peek(void *self, struct comb_ctx *ctx, comb_str bearer,
                 const struct comb_principal **ret_principal)
{
    (void)self, (void)ctx;
    if (!comb_str_equal(bearer, STR("user")))
        return false;
    *ret_principal = &user;
    return true;
}

static enum comb_status authenticate(void *self, struct comb_ctx *ctx, comb_str bearer,
                                     const struct comb_principal **ret_principal,
                                     struct comb_error *error)
{
    (void)self, (void)ctx;
    slow_path_used = true;
    if (!comb_str_equal(bearer, STR("root")))
        return comb_error_set(error, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_TOKEN_INVALID,
                              "unknown token");
    *ret_principal = &administrator;
    return COMB_OK;
}

/* ---- handlers ---- */

static void stat(void *self, struct grpcc_call *call,
                 const struct comb_v1_tree_stat_request *request)
{
    struct comb_ctx *ctx = comb_rpc_ctx(call);
    (void)self, (void)request;
    if (marks_right)
        ctx->authorised |= 1u << COMB_V1_NEED_READ;
    comb_ctx_reach(ctx, (struct comb_position){INCARNATION, ctx->seen.sequence + 1});
    comb_v1_tree_stat_finish(call, comb_v1_tree_stat_response_new(ctx->arena));
}

static void list(void *self, struct grpcc_call *call,
                 const struct comb_v1_tree_list_request *request)
{
    struct comb_error error = {0};
    (void)self;
    size_t size = 0;
    if (comb_rpc_page_size(request->page_size, &size, &error) == COMB_OK)
        comb_error_set(&error, COMB_INTERNAL, 0, "the password is %s", "swordfish");
    comb_rpc_fail(call, &error);
}

/* A write that a store which is away has not seen, or, of the name "doubt", may have done. */
static void create_folder(void *self, struct grpcc_call *call,
                          const struct comb_v1_tree_create_folder_request *request)
{
    struct comb_error error = {0};
    (void)self;
    comb_error_set(&error, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "away");
    error.retry_ms = 1500;
    error.ambiguous = strcmp(request->name, "doubt") == 0;
    comb_rpc_fail(call, &error);
}

static void login(void *self, struct grpcc_call *call,
                  const struct comb_v1_auth_login_request *request)
{
    (void)self, (void)request;
    comb_v1_auth_login_finish(call, comb_v1_auth_login_response_new(grpcc_call_arena(call)));
}

static void info(void *self, struct grpcc_call *call,
                 const struct comb_v1_admin_info_request *request)
{
    (void)self, (void)request;
    comb_v1_admin_info_finish(call, comb_v1_admin_info_response_new(grpcc_call_arena(call)));
}

static const struct comb_v1_tree_server tree = {
    .stat = stat, .list = list, .create_folder = create_folder};
static const struct comb_v1_auth_server auth = {.login = login};
static const struct comb_v1_admin_server admin = {.info = info};

static int set_up(void **state)
{
    static const struct grpcc_service *const services[] = {
        &comb_v1_tree_service, &comb_v1_auth_service, &comb_v1_admin_service};
    static const struct comb_authenticator authenticator = {peek, authenticate, NULL};
    struct comb_error error = {0};
    int pair[2];
    (void)state;
    arena = grpcc_arena_new(0);
    server = grpcc_server_new(NULL, &err);
    if (!arena || !server || comb_dispatch_new(&authenticator, INCARNATION, &dispatch, &error) ||
        comb_v1_tree_register(server, &tree, NULL, &err) ||
        comb_v1_auth_register(server, &auth, NULL, &err) ||
        comb_v1_admin_register(server, &admin, NULL, &err) ||
        comb_dispatch_attach(dispatch, server, services, 3, &error) ||
        grpcc_server_start(server, &err) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) ||
        grpcc_server_add_fd(server, pair[0], &err))
        return -1;
    channel = grpcc_channel_new_fd(pair[1], NULL, &err);
    return channel ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    grpcc_channel_free(channel);
    grpcc_server_free(server);
    comb_dispatch_free(dispatch);
    grpcc_arena_free(arena);
    return 0;
}

static void keep_token(void *data, bool trailing, const char *key, const void *value, size_t length)
{
    (void)data, (void)trailing;
    if (strcmp(key, "comb-token") == 0 && length < sizeof token) {
        memcpy(token, value, length);
        token[length] = 0;
    }
}

/* A call with an authorization header, and one more header where key is set. */
static struct grpcc_call_options *with(const char *authorization, const char *key,
                                       const char *value)
{
    static struct grpcc_metadata headers[2];
    static struct grpcc_call_options options;
    size_t n = 0;
    if (authorization)
        headers[n++] =
            (struct grpcc_metadata){"authorization", authorization, strlen(authorization)};
    if (key)
        headers[n++] = (struct grpcc_metadata){key, value, strlen(value)};
    options = (struct grpcc_call_options){
        .size = sizeof options, .metadata = headers, .n_metadata = n, .on_metadata = keep_token};
    token[0] = 0;
    slow_path_used = false;
    return &options;
}

static enum grpcc_status call_stat(const struct grpcc_call_options *options)
{
    struct comb_v1_tree_stat_response *response = NULL;
    return comb_v1_tree_stat(channel, arena, options, comb_v1_tree_stat_request_new(arena),
                             &response, &err);
}

static enum grpcc_status call_info(const struct grpcc_call_options *options)
{
    struct comb_v1_admin_info_response *response = NULL;
    return comb_v1_admin_info(channel, arena, options, comb_v1_admin_info_request_new(arena),
                              &response, &err);
}

static void has_reason(const char *reason)
{
    struct google_rpc_error_info *error_info = NULL;
    assert_non_null(err.details);
    assert_true(err.details->n_details > 0);
    const struct google_protobuf_any *any = err.details->details[0];
    assert_int_equal(google_rpc_error_info_unpack(arena, NULL, any->value.data, any->value.len,
                                                  &error_info, NULL),
                     GRPCC_OK);
    assert_string_equal(error_info->reason, reason);
    assert_string_equal(error_info->domain, "comb");
}

static void callers_are_asked_who_they_are(void **state)
{
    (void)state;
    marks_right = true;
    assert_int_equal(call_stat(with(NULL, NULL, NULL)), GRPCC_UNAUTHENTICATED);
    has_reason("TOKEN_MISSING");
    assert_int_equal(call_stat(with("Bearer wrong", NULL, NULL)), GRPCC_UNAUTHENTICATED);
    has_reason("TOKEN_INVALID");
    assert_int_equal(call_stat(with("Basic YTpi", NULL, NULL)), GRPCC_UNAUTHENTICATED);
    has_reason("TOKEN_INVALID");
    assert_int_equal(call_stat(with("Bearer user", NULL, NULL)), GRPCC_OK);
    assert_false(slow_path_used);
    /* Not remembered: asked for on a worker, then the async handler runs. */
    assert_int_equal(call_stat(with("bearer root", NULL, NULL)), GRPCC_OK);
    assert_true(slow_path_used);
}

static void log_in_is_open(void **state)
{
    struct comb_v1_auth_login_response *response = NULL;
    (void)state;
    assert_int_equal(comb_v1_auth_login(channel, arena, with(NULL, NULL, NULL),
                                        comb_v1_auth_login_request_new(arena), &response, &err),
                     GRPCC_OK);
}

static void administration_is_for_administrators(void **state)
{
    (void)state;
    assert_int_equal(call_info(with("Bearer user", NULL, NULL)), GRPCC_PERMISSION_DENIED);
    has_reason("ADMINISTRATOR_ONLY");
    assert_int_equal(call_info(with("Bearer root", NULL, NULL)), GRPCC_OK);
}

static void an_answer_without_its_right_is_stopped(void **state)
{
    (void)state;
    marks_right = false;
    assert_int_equal(call_stat(with("Bearer user", NULL, NULL)), GRPCC_INTERNAL);
    has_reason("INTERNAL");
    marks_right = true;
}

static void tokens_go_round(void **state)
{
    (void)state;
    assert_int_equal(call_stat(with("Bearer user", "comb-token", "1-abc-10,1-abc-2")), GRPCC_OK);
    assert_string_equal(token, "1-abc-11");
    assert_int_equal(call_stat(with("Bearer user", "comb-token", "x")), GRPCC_INVALID_ARGUMENT);
    has_reason("TOKEN_HEADER_INVALID");
    assert_string_equal(token, ""); /* refused before a store was asked */
    assert_int_equal(call_stat(with("Bearer user", "comb-consistency", "weak")),
                     GRPCC_INVALID_ARGUMENT);
    assert_int_equal(call_stat(with("Bearer user", "comb-consistency", "strong")), GRPCC_OK);
}

static enum grpcc_status call_list(int page_size)
{
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct comb_v1_tree_list_response *response = NULL;
    request->page_size = page_size;
    return comb_v1_tree_list(channel, arena, with("Bearer user", NULL, NULL), request, &response,
                             &err);
}

static void faults_keep_their_secrets(void **state)
{
    (void)state;
    assert_int_equal(call_list(0), GRPCC_INTERNAL);
    assert_null(strstr(err.message, "swordfish"));
    has_reason("INTERNAL");
}

static void wrong_fields_are_named(void **state)
{
    struct google_rpc_bad_request *bad = NULL;
    (void)state;
    assert_int_equal(call_list(-1), GRPCC_INVALID_ARGUMENT);
    has_reason("FIELD_INVALID");
    assert_int_equal(err.details->n_details, 2);
    const struct google_protobuf_any *any = err.details->details[1];
    assert_string_equal(any->type_url, "type.googleapis.com/google.rpc.BadRequest");
    assert_int_equal(
        google_rpc_bad_request_unpack(arena, NULL, any->value.data, any->value.len, &bad, NULL),
        GRPCC_OK);
    assert_string_equal(bad->field_violations[0]->field, "page_size");
}

static void must_advise_a_retry(const char *name)
{
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    struct comb_v1_tree_create_folder_response *response = NULL;
    struct google_rpc_retry_info *info = NULL;
    comb_v1_tree_create_folder_request_set_name(request, name);
    assert_int_equal(comb_v1_tree_create_folder(channel, arena, with("Bearer user", NULL, NULL),
                                                request, &response, &err),
                     GRPCC_UNAVAILABLE);
    has_reason("STORE_UNAVAILABLE");
    assert_int_equal(err.details->n_details, 2);
    const struct google_protobuf_any *any = err.details->details[1];
    assert_string_equal(any->type_url, "type.googleapis.com/google.rpc.RetryInfo");
    assert_int_equal(
        google_rpc_retry_info_unpack(arena, NULL, any->value.data, any->value.len, &info, NULL),
        GRPCC_OK);
    assert_int_equal(info->retry_delay->seconds, 1);
    assert_int_equal(info->retry_delay->nanos, 500000000);
}

static void pushback_says_that_nothing_was_done(void **state)
{
    (void)state;
    must_advise_a_retry("sure");
    assert_int_equal(err.pushback_ms, 1500);
    must_advise_a_retry("doubt");
    assert_int_equal(err.pushback_ms, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_are_asked_who_they_are),
        cmocka_unit_test(log_in_is_open),
        cmocka_unit_test(administration_is_for_administrators),
        cmocka_unit_test(an_answer_without_its_right_is_stopped),
        cmocka_unit_test(tokens_go_round),
        cmocka_unit_test(faults_keep_their_secrets),
        cmocka_unit_test(wrong_fields_are_named),
        cmocka_unit_test(pushback_says_that_nothing_was_done),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
