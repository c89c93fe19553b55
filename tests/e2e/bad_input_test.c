/* SPDX-License-Identifier: Apache-2.0 */
/* What a client can send that is wrong: each gets the right status, the field's path, and a message
 * that helps; and the server goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "comb/v1/auth.grpcc.h"
#include "comb/v1/data.grpcc.h"
#include "comb/v1/tree.grpcc.h"
#include "tests/e2e/combd.h"

#define DEEP 5000
#define HUGE_BYTES (10u << 20)

static struct combd combd;
static struct comb_client *client;
static struct grpcc_channel *channel;
static struct grpcc_arena *arena;
static struct grpcc_error err;

static int set_up(void **state)
{
    (void)state;
    combd_start(&combd, NULL);
    client = combd_client(&combd);
    channel = comb_client_channel(client);
    arena = grpcc_arena_new(0);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    comb_client_close(client);
    grpcc_arena_free(arena);
    combd_stop(&combd);
    return 0;
}

static struct comb_v1_node_ref *ref_of(const char *id, const char *path)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(arena);
    comb_v1_node_ref_set_id(ref, id);
    comb_v1_node_ref_set_path(ref, path);
    return ref;
}

static enum grpcc_status stat_ref(struct comb_v1_node_ref *ref)
{
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    struct comb_v1_tree_stat_response *response = NULL;
    request->node = ref;
    return comb_v1_tree_stat(channel, arena, NULL, request, &response, &err);
}

static enum grpcc_status list_with(struct comb_v1_node_filter *filter, int order, int page_size,
                                   const char *page_token)
{
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct comb_v1_tree_list_response *response = NULL;
    request->folder = ref_of("", "/personal");
    request->filter = filter;
    request->order_by = (enum comb_v1_tree_order)order;
    request->page_size = page_size;
    comb_v1_tree_list_request_set_page_token(request, page_token);
    return comb_v1_tree_list(channel, arena, NULL, request, &response, &err);
}

static void says(const char *text)
{
    if (!strstr(err.message, text))
        fail_msg("\"%s\" is not in \"%s\"", text, err.message);
}

static void has_reason(const char *reason)
{
    const char *got = comb_error_reason(&err);
    if (!got)
        fail_msg("no reason in \"%s\"", err.message);
    assert_string_equal(got, reason);
}

static void utf8_is_checked(void **state)
{
    (void)state;
    assert_int_equal(stat_ref(ref_of("", "/personal/\xff\xfe")), GRPCC_INVALID_ARGUMENT);
    says("node.path");
    says("UTF-8");
}

static void depth_is_checked(void **state)
{
    struct comb_v1_node_filter *filter = comb_v1_node_filter_new(arena);
    (void)state;
    comb_v1_node_filter_set_name(filter, "x");
    for (int i = 0; i < DEEP; i++) {
        struct comb_v1_node_filter *outer = comb_v1_node_filter_new(arena);
        comb_v1_node_filter_set_negate(outer, filter);
        filter = outer;
    }
    assert_int_equal(list_with(filter, 0, 0, ""), GRPCC_INVALID_ARGUMENT);
    says("filter...negate.negate");
}

static void filters_nest_as_deep_as_they_say(void **state)
{
    struct comb_v1_node_filter *filter = comb_v1_node_filter_new(arena);
    (void)state;
    comb_v1_node_filter_set_name(filter, "x");
    for (int i = 1; i < 32; i++) {
        struct comb_v1_node_filter *outer = comb_v1_node_filter_new(arena);
        comb_v1_node_filter_set_negate(outer, filter);
        filter = outer;
    }
    assert_int_equal(list_with(filter, 0, 0, ""), GRPCC_OK);
    struct comb_v1_node_filter *one_more = comb_v1_node_filter_new(arena);
    comb_v1_node_filter_set_negate(one_more, filter);
    assert_int_equal(list_with(one_more, 0, 0, ""), GRPCC_INVALID_ARGUMENT);
    says("filter");
}

static void size_is_checked(void **state)
{
    char *path = malloc(HUGE_BYTES + 1);
    (void)state;
    memset(path, 'a', HUGE_BYTES);
    path[HUGE_BYTES] = 0;
    assert_int_equal(stat_ref(ref_of("", path)), GRPCC_RESOURCE_EXHAUSTED);
    free(path);
    assert_int_equal(stat_ref(ref_of("", "/personal")), GRPCC_OK);
}

static void paths_are_checked(void **state)
{
    static const struct {
        const char *path, *says;
    } wrong[] = {
        {"/personal/../x", ".."}, {"/personal/./x", "\".\""}, {"/personal//x", "empty"},
        {"personal/x", "/"},      {"/personal/a/..", ".."},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        print_message("%s\n", wrong[i].path);
        assert_int_equal(stat_ref(ref_of("", wrong[i].path)), GRPCC_INVALID_ARGUMENT);
        has_reason("PATH_INVALID");
        says(wrong[i].says);
    }
    char *long_name = grpcc_arena_zalloc(arena, 300);
    memcpy(long_name, "/personal/", 10);
    memset(long_name + 10, 'n', 256);
    assert_int_equal(stat_ref(ref_of("", long_name)), GRPCC_INVALID_ARGUMENT);
    has_reason("PATH_INVALID");
    says("255");
}

static void references_are_checked(void **state)
{
    (void)state;
    assert_int_equal(stat_ref(NULL), GRPCC_INVALID_ARGUMENT);
    says("node");
    assert_int_equal(stat_ref(ref_of("", "")), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(stat_ref(ref_of("not-an-id", "")), GRPCC_INVALID_ARGUMENT);
    says("node.id");
    assert_int_equal(stat_ref(ref_of("00000000-0000-7000-8000-000000000001", "")), GRPCC_NOT_FOUND);
    assert_int_equal(stat_ref(ref_of("", "/no-such-workspace/x")), GRPCC_NOT_FOUND);
}

static void enums_pages_and_tokens_are_checked(void **state)
{
    (void)state;
    assert_int_equal(list_with(NULL, 99, 0, ""), GRPCC_INVALID_ARGUMENT);
    says("order_by");
    assert_int_equal(list_with(NULL, 0, -1, ""), GRPCC_INVALID_ARGUMENT);
    says("page_size");
    assert_int_equal(list_with(NULL, 0, 1001, ""), GRPCC_INVALID_ARGUMENT);
    assert_int_equal(list_with(NULL, 0, 0, "bm9wZQ"), GRPCC_INVALID_ARGUMENT);
    has_reason("PAGE_TOKEN_INVALID");
    assert_int_equal(list_with(NULL, 0, 0, "%%%"), GRPCC_INVALID_ARGUMENT);
    has_reason("PAGE_TOKEN_INVALID");
}

static void request_ids_are_checked(void **state)
{
    static const char *const wrong[] = {"x", "01890a5d-ac96-4774-bcce-b302099a8057",
                                        "ffffffff-ffff-7fff-bfff-ffffffffffff"};
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    struct comb_v1_tree_create_folder_response *response = NULL;
    (void)state;
    request->parent = ref_of("", "/personal");
    comb_v1_tree_create_folder_request_set_name(request, "once");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        comb_v1_tree_create_folder_request_set_request_id(request, wrong[i]);
        assert_int_equal(comb_v1_tree_create_folder(channel, arena, NULL, request, &response, &err),
                         GRPCC_INVALID_ARGUMENT);
        has_reason("REQUEST_ID_INVALID");
    }
    /* The same id for the same request: the same folder; for another one: refused. */
    const char *id = comb_request_id_new(arena);
    comb_v1_tree_create_folder_request_set_request_id(request, id);
    assert_int_equal(comb_v1_tree_create_folder(channel, arena, NULL, request, &response, &err),
                     GRPCC_OK);
    const char *first = response->node->id;
    assert_int_equal(comb_v1_tree_create_folder(channel, arena, NULL, request, &response, &err),
                     GRPCC_OK);
    assert_string_equal(response->node->id, first);
    comb_v1_tree_create_folder_request_set_name(request, "twice");
    assert_int_equal(comb_v1_tree_create_folder(channel, arena, NULL, request, &response, &err),
                     GRPCC_INVALID_ARGUMENT);
    has_reason("REQUEST_ID_REUSED");
}

static void tokens_are_checked(void **state)
{
    static const char *const wrong[] = {"Bearer nonsense", "Basic YTpi",
                                        "Bearer eyJhbGciOiJub25lIn0.e30."};
    struct grpcc_channel *plain = grpcc_channel_new(combd.address, NULL, &err);
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    struct comb_v1_tree_stat_response *response = NULL;
    (void)state;
    assert_non_null(plain);
    request->node = ref_of("", "/personal");
    assert_int_equal(comb_v1_tree_stat(plain, arena, NULL, request, &response, &err),
                     GRPCC_UNAUTHENTICATED);
    has_reason("TOKEN_MISSING");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct grpcc_metadata header = {"authorization", wrong[i], strlen(wrong[i])};
        struct grpcc_call_options options = {
            .size = sizeof options, .metadata = &header, .n_metadata = 1};
        assert_int_equal(comb_v1_tree_stat(plain, arena, &options, request, &response, &err),
                         GRPCC_UNAUTHENTICATED);
        has_reason("TOKEN_INVALID");
    }
    grpcc_channel_free(plain);
}

static void others_get_not_found(void **state)
{
    struct comb_client *other = combd_client_as(&combd, "mallory");
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    struct comb_v1_tree_stat_response *response = NULL;
    (void)state;
    request->node = ref_of("", "/personal");
    assert_int_equal(comb_v1_tree_stat(channel, arena, NULL, request, &response, &err), GRPCC_OK);
    request->node = ref_of(response->node->id, "");
    assert_int_equal(
        comb_v1_tree_stat(comb_client_channel(other), arena, NULL, request, &response, &err),
        GRPCC_NOT_FOUND);
    has_reason("NODE_NOT_FOUND");
    comb_client_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(depth_is_checked),
        cmocka_unit_test(filters_nest_as_deep_as_they_say),
        cmocka_unit_test(size_is_checked),
        cmocka_unit_test(paths_are_checked),
        cmocka_unit_test(references_are_checked),
        cmocka_unit_test(enums_pages_and_tokens_are_checked),
        cmocka_unit_test(request_ids_are_checked),
        cmocka_unit_test(tokens_are_checked),
        cmocka_unit_test(others_get_not_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
