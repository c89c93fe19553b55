/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/schema.h"

#include <string.h>

#include "server/config/config_driver.h"
#include "tests/support/support.h"

static struct test_ctx test;

static json_t *json(const char *text)
{
    json_t *value = NULL;
    must_ok(config_json_parse(STR("a/b"), comb_str_from(text), &value, &test.err), &test.err);
    return value;
}

/* The schema is one, and whether the value fits it; why: what the error has to name. */
static void check(const char *schema_text, const char *value_text, const char *why)
{
    json_t *schema = json(schema_text), *value = json(value_text);
    must_ok(config_schema_check(schema, &test.err), &test.err);
    enum comb_status status = config_schema_match(schema, STR("a/b"), value, &test.err);
    if (!why) {
        must_ok(status, &test.err);
    } else {
        assert_int_equal(status, COMB_INVALID_ARGUMENT);
        if (!strstr(test.err.msg, why))
            fail_msg("\"%s\" does not name %s", test.err.msg, why);
    }
    json_decref(schema);
    json_decref(value);
}

static void refuse_schema(const char *text)
{
    json_t *schema = json(text);
    assert_int_equal(config_schema_check(schema, &test.err), COMB_INVALID_ARGUMENT);
    json_decref(schema);
}

static void values_have_one_text(void **state)
{
    comb_str text;
    json_t *value = json(" {\"b\" : [1, 2.5, true, null], \"a\" : \"\\u00e9\"} ");
    (void)state;
    must_ok(config_json_text(test.ctx.arena, value, &text, &test.err), &test.err);
    assert_string_equal(text.ptr, "{\"a\":\"\u00e9\",\"b\":[1,2.5,true,null]}");
    json_decref(value);
}

static void what_is_not_json_is_refused_with_its_place(void **state)
{
    static const char *const bad[] = {"", "{", "{\"a\":1,\"a\":2}", "1 2", "[1,]", "nul"};
    json_t *value = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(config_json_parse(STR("a/b"), comb_str_from(bad[i]), &value, &test.err),
                         COMB_INVALID_ARGUMENT);
        assert_non_null(strstr(test.err.msg, "a/b"));
        assert_null(value);
    }
}

static void depth_is_bounded(void **state)
{
    char text[2 * (COMB_CONFIG_VALUE_DEPTH_MAX + 1)];
    json_t *value = NULL;
    (void)state;
    memset(text, '[', COMB_CONFIG_VALUE_DEPTH_MAX + 1);
    memset(text + COMB_CONFIG_VALUE_DEPTH_MAX + 1, ']', COMB_CONFIG_VALUE_DEPTH_MAX + 1);
    assert_int_equal(config_json_parse(STR("a"), comb_str_of(text, sizeof text), &value, &test.err),
                     COMB_INVALID_ARGUMENT);
    must_ok(config_json_parse(STR("a"), comb_str_of(text + 1, sizeof text - 2), &value, &test.err),
            &test.err);
    json_decref(value);
}

static void types_and_bounds_are_kept(void **state)
{
    (void)state;
    check("{\"type\":\"integer\",\"minimum\":1,\"maximum\":3}", "3", NULL);
    check("{\"type\":\"integer\",\"minimum\":1,\"maximum\":3}", "4", "bounds");
    check("{\"type\":\"integer\",\"minimum\":1}", "0", "bounds");
    check("{\"type\":\"integer\"}", "\"1\"", "type");
    check("{\"type\":[\"null\",\"string\"]}", "null", NULL);
    check("{\"type\":[\"null\",\"string\"]}", "true", "type");
    /* Above 2^53 doubles are not exact. */
    check("{\"maximum\":9007199254740992}", "9007199254740993", "bounds");
    check("{\"maximum\":9007199254740993}", "9007199254740993", NULL);
    check("{\"type\":\"number\",\"minimum\":0.5}", "1", NULL);
}

static void texts_and_lists_have_lengths(void **state)
{
    (void)state;
    /* Characters, not bytes. */
    check("{\"type\":\"string\",\"maxLength\":2}", "\"\u00e9\u00e9\"", NULL);
    check("{\"type\":\"string\",\"maxLength\":2}", "\"abc\"", "longer");
    check("{\"type\":\"string\",\"minLength\":1}", "\"\"", "shorter");
    check("{\"type\":\"array\",\"minItems\":1,\"maxItems\":2}", "[1,2]", NULL);
    check("{\"type\":\"array\",\"minItems\":1}", "[]", "fewer");
    check("{\"type\":\"array\",\"maxItems\":2}", "[1,2,3]", "more items");
    check("{\"items\":{\"type\":\"integer\"}}", "[1,\"x\"]", "a/b[1]");
}

static void some_values_only(void **state)
{
    (void)state;
    check("{\"enum\":[\"a\",2]}", "2.0", NULL);
    check("{\"enum\":[\"a\",2]}", "\"b\"", "among");
    check("{\"const\":{\"x\":[1]}}", "{\"x\":[1]}", NULL);
    check("{\"const\":{\"x\":[1]}}", "{\"x\":[2]}", "among");
}

static void members_are_named(void **state)
{
    static const char schema[] =
        "{\"type\":\"object\",\"required\":[\"host\"],\"additionalProperties\":false,"
        "\"properties\":{\"host\":{\"type\":\"string\"},"
        "\"tls\":{\"properties\":{\"on\":{\"type\":\"boolean\"}}}}}";
    (void)state;
    check(schema, "{\"host\":\"h\",\"tls\":{\"on\":true}}", NULL);
    check(schema, "{\"tls\":{\"on\":true}}", "lacks \"host\"");
    check(schema, "{\"host\":\"h\",\"port\":1}", "must not have \"port\"");
    check(schema, "{\"host\":\"h\",\"tls\":{\"on\":1}}", "a/b.tls.on");
    check("{\"properties\":{}}", "{\"anything\":1}", NULL);
}

static void what_is_no_schema_is_refused(void **state)
{
    (void)state;
    refuse_schema("[]");
    refuse_schema("{\"type\":\"float\"}");
    refuse_schema("{\"type\":[]}");
    refuse_schema("{\"minLength\":-1}");
    refuse_schema("{\"enum\":1}");
    refuse_schema("{\"properties\":{\"a\":{\"type\":1}}}");
    refuse_schema("{\"items\":{\"maximum\":\"1\"}}");
    refuse_schema("{\"pattern\":\"a\"}");
}

static int set_up(void **state)
{
    (void)state;
    test_ctx_init(&test);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_ctx_done(&test);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_have_one_text),
        cmocka_unit_test(what_is_not_json_is_refused_with_its_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(types_and_bounds_are_kept),
        cmocka_unit_test(texts_and_lists_have_lengths),
        cmocka_unit_test(some_values_only),
        cmocka_unit_test(members_are_named),
        cmocka_unit_test(what_is_no_schema_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
