/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/query.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/support.h"

/* 2024-05-06T12:00:00Z */
#define NOW_US 1714996800000000LL
#define DAY_US (24LL * 3600 * 1000000)

static char shown[1 << 14];

static void show(const char *format, ...) COMB_FORMAT(1, 2);
static void show(const char *format, ...)
{
    size_t length = strlen(shown);
    va_list args;
    va_start(args, format);
    vsnprintf(shown + length, sizeof shown - length, format, args);
    va_end(args);
}

static void show_words(const struct comb_search_condition *words)
{
    static const char *const fields[] = {"", "name:", "content:", "meta"};
    show("%s", fields[words->field]);
    if (words->field == COMB_SEARCH_META)
        show("[%.*s]:", COMB_STR_ARG(words->key));
    for (size_t i = 0; i < words->n_terms; i++)
        show("%s%.*s%s", i > 0 ? "_" : "", COMB_STR_ARG(words->terms[i].term),
             words->terms[i].is_prefix ? "*" : "");
}

/* As an expression with all of its parentheses. */
static void show_condition(const struct comb_search_condition *condition)
{
    static const char *const names[] = {"AND",  "OR",     "NOT",   "",      "size", "modified",
                                        "file", "folder", "media", "owner", "in"};
    switch (condition->kind) {
    case COMB_SEARCH_WORDS:
        show_words(condition);
        return;
    case COMB_SEARCH_SIZE:
    case COMB_SEARCH_MODIFIED:
        show("%s[%" PRId64 ",%" PRId64 "]", names[condition->kind], condition->least,
             condition->most);
        return;
    case COMB_SEARCH_MEDIA:
    case COMB_SEARCH_OWNER:
    case COMB_SEARCH_IN:
        show("%s=%.*s", names[condition->kind], COMB_STR_ARG(condition->text));
        return;
    default:
        show("%s", names[condition->kind]);
    }
    if (condition->n_parts == 0)
        return;
    show("(");
    for (size_t i = 0; i < condition->n_parts; i++) {
        show("%s", i > 0 ? " " : "");
        show_condition(condition->parts[i]);
    }
    show(")");
}

static void must_parse(const char *text, const char *expected)
{
    const struct comb_search_condition *query = NULL;
    struct test_ctx t;
    test_ctx_init(&t);
    must_ok(comb_search_parse(t.ctx.arena, comb_str_from(text), NOW_US, "query", &query, &t.err),
            &t.err);
    shown[0] = 0;
    show_condition(query);
    assert_string_equal(shown, expected);
    test_ctx_done(&t);
}

static void must_refuse(const char *text, const char *message)
{
    const struct comb_search_condition *query = NULL;
    struct test_ctx t;
    test_ctx_init(&t);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_search_parse(t.ctx.arena, comb_str_from(text), NOW_US, "query", &query, &t.err),
              &t.err);
    assert_null(query);
    assert_string_equal(t.err.subject, "query");
    if (!strstr(t.err.msg, message))
        fail_msg("\"%s\" says \"%s\", not \"%s\"", text, t.err.msg, message);
    test_ctx_done(&t);
}

static void words_stand_together(void **state)
{
    (void)state;
    must_parse("report", "report");
    must_parse("  Annual  REPORT ", "AND(annual report)");
    must_parse("annual AND report", "AND(annual report)");
    must_parse("\"annual report\" repor*", "AND(annual_report repor*)");
    must_parse("\"annual repo\"*", "annual_repo*");
    /* Cut as stored text is: several terms are a phrase. */
    must_parse("IMG_1234.jpg", "img_1234_jpg");
    must_parse("Résumé", "resume");
    must_parse("東京都", "東京_京都");
    must_parse("京", "京*");
    must_parse("and or not", "AND(and or not)");
}

static void operators_bind_as_usual(void **state)
{
    (void)state;
    must_parse("a b OR c d", "OR(AND(a b) AND(c d))");
    must_parse("a OR b OR c", "OR(a b c)");
    must_parse("a (b OR c) d", "AND(a OR(b c) d)");
    must_parse("-a b", "AND(NOT(a) b)");
    must_parse("NOT a b", "AND(NOT(a) b)");
    must_parse("a NOT (b c)", "AND(a NOT(AND(b c)))");
    must_parse("NOT NOT a", "NOT(NOT(a))");
    must_parse("((a))", "a");
    must_parse("a-b", "a_b");
    must_parse("(a)(b)", "AND(a b)");
    must_parse("a\"b c\"", "AND(a b_c)");
}

static void what_has_no_letter_does_not_count(void **state)
{
    (void)state;
    must_parse("a & b", "AND(a b)");
    must_parse("a OR ...", "a");
    must_parse("a -&", "a");
    must_refuse("& ...", "nothing to look for");
    must_refuse("", "nothing to look for");
    must_refuse("  ", "nothing to look for");
    must_refuse("name:&&", "at character 6");
}

static void fields_narrow_where_to_look(void **state)
{
    (void)state;
    must_parse("name:Report", "name:report");
    must_parse("NAME:rep*", "name:rep*");
    must_parse("content:\"net income\"", "content:net_income");
    must_parse("meta.tags:red", "meta[tags]:red");
    must_parse("meta.crm/customer:\"ACME Inc.\"", "meta[crm/customer]:acme_inc");
    must_parse("owner:alice -owner:me", "AND(owner=alice NOT(owner=me))");
    must_parse("in:/personal/letters", "in=/personal/letters");
    must_parse("in:\"/common files/a b\" x", "AND(in=/common files/a b x)");
    must_parse("type:file type:Folder", "AND(file folder)");
    must_parse("type:image type:Image/PNG type:application/pdf",
               "AND(media=image/ media=image/png media=application/pdf)");
}

static void sizes_have_units_and_ranges(void **state)
{
    (void)state;
    must_parse("size:10", "size[10,10]");
    must_parse("size:1k size:1KiB size:1kB",
               "AND(size[1024,1024] size[1024,1024] size[1000,1000])");
    must_parse("size:1.5MiB size:1.25MB", "AND(size[1572864,1572864] size[1250000,1250000])");
    must_parse("size:>10", "size[11,9223372036854775807]");
    must_parse("size:>=10", "size[10,9223372036854775807]");
    must_parse("size:<10", "size[-9223372036854775808,9]");
    must_parse("size:<=10b", "size[-9223372036854775808,10]");
    must_parse("size:1k..2K", "size[1024,2048]");
    must_parse("size:..2", "size[-9223372036854775808,2]");
    must_parse("size:2..", "size[2,9223372036854775807]");
    must_refuse("a size:big", "at character 8: a size is a number");
    must_refuse("size:10X", "a size is a number");
    must_refuse("size:", "stands no value");
    must_refuse("size:2..1", "a size is a number");
    must_refuse("size:..", "a size is a number");
    must_refuse("size:-1", "a size is a number");
    must_refuse("size:999999999999999T", "a size is a number");
    must_refuse("size:9999999999999999", "a size is a number");
}

static void dates_are_days_months_and_years(void **state)
{
    const char *why = NULL;
    int64_t least, most;
    (void)state;
    assert_true(comb_search_parse_modified(STR("2024-05-06"), NOW_US, &least, &most, &why));
    assert_int_equal(least, NOW_US - DAY_US / 2);
    assert_int_equal(most, NOW_US + DAY_US / 2 - 1);
    assert_true(comb_search_parse_modified(STR("today"), NOW_US, &least, &most, &why));
    assert_int_equal(least, NOW_US - DAY_US / 2);
    assert_true(comb_search_parse_modified(STR("yesterday"), NOW_US, &least, &most, &why));
    assert_int_equal(most, NOW_US - DAY_US / 2 - 1);
    assert_true(comb_search_parse_modified(STR("2024-02"), NOW_US, &least, &most, &why));
    assert_int_equal(most - least, 29 * DAY_US - 1);
    assert_true(comb_search_parse_modified(STR("2023"), NOW_US, &least, &most, &why));
    assert_int_equal(most - least, 365 * DAY_US - 1);
    assert_true(comb_search_parse_modified(STR(">2023"), NOW_US, &least, &most, &why));
    assert_true(least == 1704067200000000LL && most == INT64_MAX);
    assert_true(comb_search_parse_modified(STR("<=2023-12"), NOW_US, &least, &most, &why));
    assert_true(least == INT64_MIN && most == 1704067200000000LL - 1);
    assert_true(comb_search_parse_modified(STR("2023..2024-01"), NOW_US, &least, &most, &why));
    assert_int_equal(most - least, (365 + 31) * DAY_US - 1);
    assert_true(comb_search_parse_modified(STR("7d"), NOW_US, &least, &most, &why));
    assert_true(least == NOW_US - 7 * DAY_US && most == INT64_MAX);
    assert_true(comb_search_parse_modified(STR("2024-05-06T11:59"), NOW_US, &least, &most, &why));
    assert_true(least == NOW_US - 60000000LL && most == NOW_US - 1);
    assert_true(
        comb_search_parse_modified(STR("2024-05-06T12:00:00Z"), NOW_US, &least, &most, &why));
    assert_true(least == NOW_US && most == NOW_US + 999999);
    const char *const wrong[] = {"",           "soon",       "24-05",         "2024-13",
                                 "2024-02-30", "2024-5-6-7", "2024-05-06T25", "7m",
                                 "1969",       "2024..2023", ">>2024",        "10000"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (comb_search_parse_modified(comb_str_from(wrong[i]), NOW_US, &least, &most, &why))
            fail_msg("\"%s\" was taken for a date", wrong[i]);
        assert_non_null(strstr(why, "a date is"));
    }
    must_refuse("modified:soon", "at character 10: a date is");
}

static void errors_say_where_and_what_to_do(void **state)
{
    (void)state;
    must_refuse("a (b", "at character 3: this parenthesis is not closed");
    must_refuse("a)", "at character 2: this parenthesis was never opened");
    must_refuse(")", "at character 1: this parenthesis was never opened");
    must_refuse("()", "between these parentheses stands nothing");
    must_refuse("é \"b", "at character 3: this quote is not closed");
    must_refuse("a AND", "behind AND stands nothing");
    must_refuse("a OR", "behind OR stands nothing");
    must_refuse("a OR )", "behind OR stands nothing");
    must_refuse("OR a", "in front of OR stands nothing");
    must_refuse("AND a", "in front of AND stands nothing");
    must_refuse("a AND OR b", "in front of OR stands nothing");
    must_refuse("NOT", "behind NOT stands nothing");
    must_refuse("colour:red", "there is no field \"colour\"");
    must_refuse("http://example.org", "put a word with a colon in quotes");
    must_refuse(":red", "in front of this colon");
    must_refuse("meta.:red", "meta.NAMESPACE");
    must_refuse("type:thing", "a type is file, folder");
    must_refuse("in:letters", "absolute path");
    must_refuse("owner:al*", "whole login");
    must_refuse("\xff", "UTF-8");
    /* What the messages advise. */
    must_parse("\"http://example.org\" \"OR\" \"(\" a", "AND(http_example_org or a)");
}

/* n times the text, one behind the other, between first and last. */
static const char *repeat(const char *first, const char *text, size_t n, const char *last)
{
    static char all[2 * COMB_SEARCH_QUERY_BYTES_MAX];
    size_t length = (size_t)snprintf(all, sizeof all, "%s", first);
    for (size_t i = 0; i < n; i++)
        length += (size_t)snprintf(all + length, sizeof all - length, "%s", text);
    snprintf(all + length, sizeof all - length, "%s", last);
    return all;
}

static void limits_are_named(void **state)
{
    const struct comb_search_condition *query = NULL;
    struct test_ctx t;
    (void)state;
    must_refuse(repeat("", "a", COMB_SEARCH_QUERY_BYTES_MAX + 1, ""), "at most 4096 bytes");
    must_refuse(repeat("", "(", COMB_SEARCH_DEPTH_MAX, "a))))))))))))))))"), "more than 16 deep");
    must_refuse(repeat("", "NOT ", COMB_SEARCH_DEPTH_MAX, "a"), "more than 16 deep");
    must_refuse(repeat("", "a ", COMB_SEARCH_CONDITIONS_MAX, ""), "at most 64 conditions");
    must_refuse(repeat("\"", "a ", COMB_SEARCH_TERMS_MAX + 1, "\""), "at most 64 words");
    /* What joins them is one, too. */
    test_ctx_init(&t);
    must_ok(comb_search_parse(t.ctx.arena,
                              comb_str_from(repeat("", "a ", COMB_SEARCH_CONDITIONS_MAX - 1, "")),
                              NOW_US, "query", &query, &t.err),
            &t.err);
    assert_int_equal(query->n_parts, COMB_SEARCH_CONDITIONS_MAX - 1);
    test_ctx_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_stand_together),
        cmocka_unit_test(operators_bind_as_usual),
        cmocka_unit_test(what_has_no_letter_does_not_count),
        cmocka_unit_test(fields_narrow_where_to_look),
        cmocka_unit_test(sizes_have_units_and_ranges),
        cmocka_unit_test(dates_are_days_months_and_years),
        cmocka_unit_test(errors_say_where_and_what_to_do),
        cmocka_unit_test(limits_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
