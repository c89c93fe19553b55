/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "comb/v1/tree.grpcc.h"
#include "server/rpc/method_rule.h"

/* Made by the build of all .proto files. */
extern const struct grpcc_service *const all_services[];
extern const size_t all_services_count;

static struct grpcc_arena *arena;
static const struct comb_v1_method_rule *rule;
static struct comb_error err;

static int make_arena(void **state)
{
    (void)state;
    arena = grpcc_arena_new(0);
    return arena ? 0 : -1;
}

static int free_arena(void **state)
{
    (void)state;
    grpcc_arena_free(arena);
    return 0;
}

static enum comb_status read_bytes(const void *options, size_t size)
{
    struct grpcc_method method = {
        .name = "M", .path = "/t.T/M", .options = options, .options_size = size};
    rule = NULL;
    return comb_method_rule_read(arena, &method, &rule, &err);
}

/* Follows a path of message fields; NULL where it ends elsewhere than at a NodeRef. */
static const ProtobufCMessageDescriptor *follow(const ProtobufCMessageDescriptor *message,
                                                const char *path)
{
    char name[64];
    while (message && *path) {
        size_t length = strcspn(path, ".");
        assert_true(length < sizeof name);
        memcpy(name, path, length);
        name[length] = 0;
        path += path[length] ? length + 1 : length;
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(message, name);
        message = field && field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
    }
    return message;
}

/* Whether a path of fields ends at a text. */
static bool is_text(const ProtobufCMessageDescriptor *message, const char *path)
{
    char parent[64];
    const char *dot = strrchr(path, '.');
    size_t length = dot ? (size_t)(dot - path) : 0;
    assert_true(length < sizeof parent);
    memcpy(parent, path, length);
    parent[length] = 0;
    message = follow(message, parent);
    const ProtobufCFieldDescriptor *field =
        message ? protobuf_c_message_descriptor_get_field_by_name(message, dot ? dot + 1 : path)
                : NULL;
    return field && field->type == PROTOBUF_C_TYPE_STRING;
}

static void check_method(const struct grpcc_method *method)
{
    print_message("%s\n", method->path);
    assert_int_equal(comb_method_rule_read(arena, method, &rule, &err), COMB_OK);
    for (size_t i = 0; i < rule->n_node_fields; i++)
        assert_ptr_equal(follow(method->request, rule->node_fields[i]),
                         &comb_v1_node_ref_descriptor);
    /* Texts of the request, or of a message in it; and what is recorded around a call can be found
     * again by its request id. */
    for (size_t i = 0; i < rule->n_audit_fields; i++)
        assert_true(is_text(method->request, rule->audit_fields[i]));
    if (rule->audit == COMB_V1_AUDIT_RULE_AROUND) {
        assert_int_equal(rule->repetition, COMB_V1_REPETITION_REQUEST_ID);
        assert_int_equal(rule->mode, COMB_V1_MODE_BLOCKING);
    } else {
        assert_int_equal(rule->n_audit_fields, 0);
    }
    /* What changes something says whether and how the trail learns of it. */
    if ((rule->audit == COMB_V1_AUDIT_RULE_UNSPECIFIED) !=
        (rule->repetition == COMB_V1_REPETITION_READ))
        fail_msg("%s: declare `audit` where something is changed, and only there: CHANGE, AROUND "
                 "or, with a line in docs/audit.md, NONE",
                 method->path);
    /* Streams live as long as they are wanted; everything else ends. */
    assert_int_equal(rule->timeout_max_ms == 0, method->kind != GRPCC_UNARY);
    /* What changes something by request id has one; a client stream has it in its header. */
    if (method->kind == GRPCC_UNARY)
        assert_int_equal(
            rule->repetition == COMB_V1_REPETITION_REQUEST_ID,
            protobuf_c_message_descriptor_get_field_by_name(method->request, "request_id") != NULL);
}

static void every_method_has_a_sound_rule(void **state)
{
    (void)state;
    assert_true(all_services_count >= 13);
    for (size_t i = 0; i < all_services_count; i++)
        for (size_t j = 0; j < all_services[i]->n_methods; j++)
            check_method(&all_services[i]->methods[j]);
}

/* Field 50701, length-delimited: its key is (50701 << 3 | 2) as a varint. */
#define KEY "\xea\xe0\x18"

static void occurrences_are_merged(void **state)
{
    /* need 2, repetition 1 and mode 3, in three pieces, with a foreign option between. */
    static const char split[] = KEY "\x02\x08\x02"
                                    "\x88\x02\x01" KEY "\x02\x18\x01" KEY "\x02\x30\x03";
    (void)state;
    assert_int_equal(read_bytes(split, sizeof split - 1), COMB_OK);
    assert_int_equal(rule->need, COMB_V1_NEED_LOGIN);
    assert_int_equal(rule->repetition, COMB_V1_REPETITION_READ);
    assert_int_equal(rule->mode, COMB_V1_MODE_BLOCKING);
}

static void what_is_incomplete_or_torn_is_refused(void **state)
{
    static const char no_mode[] = KEY "\x04\x08\x02\x18\x01";
    static const char torn[] = KEY "\x09\x08\x02";
    static const char no_fields[] = KEY "\x06\x08\x03\x18\x01\x30\x03"; /* NEED_READ of nothing */
    (void)state;
    assert_int_equal(read_bytes(no_mode, sizeof no_mode - 1), COMB_FAILED_PRECONDITION);
    assert_int_equal(read_bytes(torn, sizeof torn - 1), COMB_FAILED_PRECONDITION);
    assert_int_equal(read_bytes(no_fields, sizeof no_fields - 1), COMB_FAILED_PRECONDITION);
    assert_int_equal(read_bytes(NULL, 0), COMB_FAILED_PRECONDITION);
    assert_null(rule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_method_has_a_sound_rule, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(occurrences_are_merged, make_arena, free_arena),
        cmocka_unit_test_setup_teardown(what_is_incomplete_or_torn_is_refused, make_arena,
                                        free_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
