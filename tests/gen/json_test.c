/* SPDX-License-Identifier: Apache-2.0 */
/* What JSON is accepted, what is refused and in which words. json_peer_test.sh compares with
 * Python's protobuf. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "corpus/known.grpcc.h"
#include "corpus/legacy.grpcc.h"
#include "corpus/scalars.grpcc.h"
#include "corpus/shapes.grpcc.h"
#include "grpcc/json.h"

struct fixture {
    struct grpcc_arena *arena;
    struct grpcc_json_options options;
    struct grpcc_error err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->arena = grpcc_arena_new(0);
    f->options.size = sizeof(f->options);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    grpcc_arena_free(f->arena);
    free(f);
    return 0;
}

static enum grpcc_status decode(struct fixture *f, const ProtobufCMessageDescriptor *type,
                                const char *text, void **ret_message)
{
    return grpcc_json_decode(f->arena, type, &f->options, text, strlen(text), ret_message, &f->err);
}

static void *must_decode(struct fixture *f, const ProtobufCMessageDescriptor *type,
                         const char *text)
{
    void *message = NULL;
    if (decode(f, type, text, &message))
        print_error("%s: %s\n", text, f->err.message);
    assert_non_null(message);
    return message;
}

static void must_refuse(struct fixture *f, const ProtobufCMessageDescriptor *type, const char *text,
                        const char *why)
{
    void *message = NULL;
    assert_int_equal(decode(f, type, text, &message), GRPCC_INVALID_ARGUMENT);
    assert_null(message);
    if (!strstr(f->err.message, why))
        print_error("%s: %s\n", text, f->err.message);
    assert_non_null(strstr(f->err.message, why));
}

static void must_become(struct fixture *f, const ProtobufCMessageDescriptor *type, const char *text,
                        const char *canonical)
{
    char *written = NULL;
    size_t length = 0;
    const ProtobufCMessage *message = must_decode(f, type, text);
    assert_int_equal(grpcc_json_encode(f->arena, message, &f->options, &written, &length, &f->err),
                     GRPCC_OK);
    assert_string_equal(written, canonical);
    assert_int_equal(strlen(written), length);
}

#define KNOWN &corpus_v1_known_descriptor
#define NAMED &corpus_v1_named_descriptor
#define MAPS &corpus_v1_maps_descriptor
#define CHOICES &corpus_v1_choices_descriptor
#define FILTER &corpus_v1_filter_descriptor

static void names_have_two_forms(void **state)
{
    struct fixture *f = *state;
    must_become(f, NAMED, "{\"plain_name\":\"a\",\"Leading\":\"b\"}",
                "{\"plainName\":\"a\",\"Leading\":\"b\"}");
    must_become(f, NAMED, "{\"own_name\":\"a\"}", "{\"@own \\\"name\\\"\":\"a\"}");
    must_refuse(f, NAMED, "{\"ownName\":\"a\"}", "ownName: corpus.v1.Named has no such field");
    must_refuse(f, NAMED, "{\"plainName\":\"a\",\"plain_name\":\"b\"}", "comes twice");
    must_refuse(f, NAMED, "{\"plainName\":\"a\",\"plainName\":\"b\"}", "duplicate");
    f->options.proto_names = true;
    must_become(f, NAMED, "{\"plainName\":\"a\"}", "{\"plain_name\":\"a\"}");
}

static void unknown_names_are_ignored_where_asked(void **state)
{
    struct fixture *f = *state;
    must_refuse(f, NAMED, "{\"nobody\":1}", "nobody: ");
    must_refuse(f, &corpus_v1_outer_descriptor, "{\"kind\":\"KIND_NONE\"}", "KIND_NONE");
    f->options.ignore_unknown = true;
    must_become(f, NAMED, "{\"nobody\":[{\"x\":1}],\"plainName\":\"a\"}", "{\"plainName\":\"a\"}");
    must_become(f, &corpus_v1_outer_descriptor, "{\"kind\":\"KIND_NONE\"}", "{}");
    must_become(f, &corpus_v1_outer_descriptor, "{\"kind\":77}", "{\"kind\":77}");
}

static void numbers_must_fit(void **state)
{
    struct fixture *f = *state;
    must_become(f, CHOICES, "{\"anInt32\":-2147483648}", "{\"anInt32\":-2147483648}");
    must_become(f, CHOICES, "{\"anInt32\":\"5\"}", "{\"anInt32\":5}");
    must_become(f, CHOICES, "{\"anInt32\":1e3}", "{\"anInt32\":1000}");
    must_become(f, CHOICES, "{\"aUint64\":\"18446744073709551615\"}",
                "{\"aUint64\":\"18446744073709551615\"}");
    must_become(f, CHOICES, "{\"anInt64\":9007199254740993}", "{\"anInt64\":\"9007199254740993\"}");
    must_refuse(f, CHOICES, "{\"anInt32\":2147483648}", "anInt32: out of range");
    must_refuse(f, CHOICES, "{\"anInt32\":1.5}", "not an integer");
    must_refuse(f, CHOICES, "{\"anInt32\":\"\"}", "not an integer");
    must_refuse(f, CHOICES, "{\"anInt32\":\" 5\"}", "not an integer");
    must_refuse(f, CHOICES, "{\"anInt32\":\"0x5\"}", "not an integer");
    must_refuse(f, CHOICES, "{\"aUint32\":-1}", "out of range");
    must_refuse(f, CHOICES, "{\"anInt64\":\"-9223372036854775809\"}", "out of range");
    must_refuse(f, CHOICES, "{\"aUint64\":18446744073709551615}", "too big integer");
    must_refuse(f, CHOICES, "{\"aFloat\":1e39}", "out of range");
    must_refuse(f, CHOICES, "{\"aDouble\":\"nan\"}", "not a number");
    must_refuse(f, CHOICES, "{\"aBool\":\"true\"}", "neither true nor false");
    must_become(f, CHOICES, "{\"aDouble\":\"-Infinity\"}", "{\"aDouble\":\"-Infinity\"}");
}

static void null_is_absent(void **state)
{
    struct fixture *f = *state;
    must_become(f, CHOICES, "{\"before\":null,\"aDouble\":null,\"aString\":\"\"}",
                "{\"aString\":\"\"}");
    must_become(f, MAPS, "{\"labels\":null}", "{}");
    must_refuse(f, MAPS, "{\"labels\":{\"a\":null}}", "labels.a: null in a map");
    must_refuse(f, &corpus_v1_repeated_descriptor, "null", "the message: not an object");
    must_refuse(f, NAMED, "{\"someNumbers\":[1,null]}", "someNumbers[1]: null in a list");
    must_become(f, KNOWN, "{\"value\":null,\"aString\":null}", "{\"value\":null}");
    must_become(f, KNOWN, "{\"whichNull\":null}", "{\"whichNull\":null}");
}

static void one_of_a_oneof(void **state)
{
    struct fixture *f = *state;
    must_refuse(f, CHOICES, "{\"left\":1,\"right\":0}", "right: another member of its oneof");
    must_become(f, CHOICES, "{\"left\":0}", "{\"left\":0}");
}

static void keys_have_one_spelling(void **state)
{
    struct fixture *f = *state;
    must_become(f, MAPS, "{\"byInt32\":{\"-1\":{}}}", "{\"byInt32\":{\"-1\":{}}}");
    must_refuse(f, MAPS, "{\"byInt32\":{\"01\":{}}}", "byInt32.01: a key");
    must_refuse(f, MAPS, "{\"byInt32\":{\"-0\":{}}}", "a key");
    must_refuse(f, MAPS, "{\"byInt32\":{\"\":{}}}", "a key");
    must_refuse(f, MAPS, "{\"byInt32\":{\"2147483648\":{}}}", "a key");
}

static void bytes_come_in_both_alphabets(void **state)
{
    struct fixture *f = *state;
    must_become(f, KNOWN, "{\"aBytes\":\"-_8\"}", "{\"aBytes\":\"+/8=\"}");
    must_become(f, KNOWN, "{\"aBytes\":\"+/8=\"}", "{\"aBytes\":\"+/8=\"}");
    must_become(f, KNOWN, "{\"aBytes\":\"\"}", "{\"aBytes\":\"\"}");
    must_refuse(f, KNOWN, "{\"aBytes\":\"A\"}", "aBytes: not base64");
    must_refuse(f, KNOWN, "{\"aBytes\":\"AA=\"}", "not base64");
    must_refuse(f, KNOWN, "{\"aBytes\":\"A===\"}", "not base64");
    must_refuse(f, KNOWN, "{\"aBytes\":\"A A=\"}", "not base64");
}

static void times_are_checked(void **state)
{
    static const char *const wrong[] = {"2026-02-29T00:00:00Z",  "2026-13-01T00:00:00Z",
                                        "2026-01-01T24:00:00Z",  "2026-01-01T00:00:60Z",
                                        "2026-01-01 00:00:00Z",  "2026-01-01T00:00:00",
                                        "2026-01-01T00:00:00.Z", "0000-12-31T23:59:59Z",
                                        "10000-01-01T00:00:00Z", "9999-12-31T23:59:59-00:01"};
    struct fixture *f = *state;
    must_become(f, KNOWN, "{\"time\":\"2024-02-29T23:00:00.1+01:30\"}",
                "{\"time\":\"2024-02-29T21:30:00.100Z\"}");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[80];
        snprintf(text, sizeof(text), "{\"time\":\"%s\"}", wrong[i]);
        must_refuse(f, KNOWN, text, "time: not a time");
    }
    must_become(f, KNOWN, "{\"duration\":\"-0.5s\"}", "{\"duration\":\"-0.500s\"}");
    must_refuse(f, KNOWN, "{\"duration\":\"315576000001s\"}", "not a duration");
    must_refuse(f, KNOWN, "{\"duration\":\"1\"}", "not a duration");
    must_refuse(f, KNOWN, "{\"duration\":\"s\"}", "not a duration");
}

static void an_any_needs_a_known_type(void **state)
{
    static const ProtobufCMessageDescriptor *const types[] = {NAMED,
                                                              &google_protobuf_duration_descriptor};
    struct fixture *f = *state;
    const char *named = "{\"any\":{\"@type\":\"x/corpus.v1.Named\",\"plainName\":\"a\"}}";
    must_refuse(f, KNOWN, named, "any: an Any of a type that is not known here");
    must_refuse(f, KNOWN, "{\"any\":{\"plainName\":\"a\"}}", "no \"@type\"");
    must_become(f, KNOWN, "{\"any\":{\"@type\":\"x/corpus.v1.Named\",\"value\":\"CgFh\"}}",
                "{\"any\":{\"@type\":\"x/corpus.v1.Named\",\"value\":\"CgFh\"}}");
    f->options.types = types;
    f->options.n_types = 2;
    must_become(f, KNOWN, named, named);
    must_become(f, KNOWN, "{\"any\":{\"value\":\"3s\",\"@type\":\"x/google.protobuf.Duration\"}}",
                "{\"any\":{\"@type\":\"x/google.protobuf.Duration\",\"value\":\"3s\"}}");
    must_refuse(f, KNOWN, "{\"any\":{\"@type\":\"x/google.protobuf.Duration\"}}", "\"value\"");
}

static void limits_hold(void **state)
{
    struct fixture *f = *state;
    char text[2048] = {0};
    char *at = text;
    void *message = NULL;
    for (int i = 0; i < 101; i++)
        at = stpcpy(at, "{\"next\":");
    at = stpcpy(at, "{}");
    memset(at, '}', 101);
    must_refuse(f, FILTER, text, "nested too deeply");
    f->options.depth_max = 200;
    must_decode(f, FILTER, text);
    f->options.text_max = 100;
    assert_int_equal(decode(f, FILTER, text, &message), GRPCC_RESOURCE_EXHAUSTED);
    /* libjansson has a limit of its own, below that of its stack. */
    f->options.text_max = 0;
    f->options.depth_max = 1000000;
    size_t n = 100000;
    char *deep = malloc(n);
    memset(deep, '[', n);
    assert_int_equal(grpcc_json_decode(f->arena, KNOWN, &f->options, deep, n, &message, &f->err),
                     GRPCC_INVALID_ARGUMENT);
    free(deep);
}

static void text_must_be_text(void **state)
{
    struct fixture *f = *state;
    must_refuse(f, NAMED, "{\"plainName\":\"\\u0000\"}", "not JSON: line 1");
    must_refuse(f, NAMED, "{\"plainName\":\"\xFF\"}", "not JSON");
    must_refuse(f, NAMED, "{\"plainName\":\"\\ud800\"}", "not JSON");
    must_refuse(f, NAMED, "", "not JSON");
    must_refuse(f, NAMED, "{} x", "not JSON");
    struct corpus_v1_named *named = corpus_v1_named_new(f->arena);
    char *written = NULL;
    named->plain_name = (char *)(uintptr_t) "\xFF";
    assert_int_equal(grpcc_json_encode(f->arena, &named->base, NULL, &written, NULL, &f->err),
                     GRPCC_INVALID_ARGUMENT);
    assert_null(written);
    assert_non_null(strstr(f->err.message, "plainName: "));
}

static void required_fields_are_required(void **state)
{
    struct fixture *f = *state;
    must_refuse(f, &corpus_legacy_required_descriptor, "{}", "number is required");
    must_refuse(f, &corpus_legacy_required_descriptor, "{\"number\":null}", "number is required");
}

static void defaults_are_written_where_asked(void **state)
{
    struct fixture *f = *state;
    f->options.with_defaults = true;
    must_become(f, &corpus_v1_outer_descriptor, "{}", "{\"kind\":\"KIND_UNSPECIFIED\"}");
    must_become(f, MAPS, "{}",
                "{\"labels\":{},\"byInt32\":{},\"byInt64\":{},\"byUint32\":{},\"byUint64\":{},"
                "\"bySint32\":{},\"bySint64\":{},\"byFixed32\":{},\"byFixed64\":{},"
                "\"bySfixed32\":{},\"bySfixed64\":{},\"byBool\":{}}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(names_have_two_forms),
        TEST(unknown_names_are_ignored_where_asked),
        TEST(numbers_must_fit),
        TEST(null_is_absent),
        TEST(one_of_a_oneof),
        TEST(keys_have_one_spelling),
        TEST(bytes_come_in_both_alphabets),
        TEST(times_are_checked),
        TEST(an_any_needs_a_known_type),
        TEST(limits_hold),
        TEST(text_must_be_text),
        TEST(required_fields_are_required),
        TEST(defaults_are_written_where_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
