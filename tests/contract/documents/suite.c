/* SPDX-License-Identifier: Apache-2.0 */
/* Documents, the same over each driver. */
#include <stdio.h>
#include <string.h>

#include "server/core/clock.h"
#include "tests/contract/documents/fixture.h"
#include "tests/support/docs_row.h"

#define TEXT_MAX 4096

static enum comb_status put_with(struct fixture *f, struct test_ctx *as, const char *id,
                                 const char *body, const int64_t *expected, int64_t ttl_ms,
                                 const struct comb_request_key *key, int64_t *ret_revision)
{
    const struct comb_document_put one = {.store = comb_str_from(f->name),
                                          .id = comb_str_from(id),
                                          .body = comb_str_from(body),
                                          .owner = as->principal.user,
                                          .expected = expected,
                                          .ttl_ms = ttl_ms};
    test_ctx_next(as);
    return comb_documents_put(f->documents, &as->ctx, key, &one, ret_revision, &as->err);
}

static enum comb_status get(struct fixture *f, struct test_ctx *as, const struct comb_uuid *owner,
                            const char *id, struct comb_document *ret)
{
    const comb_str ids = comb_str_from(id);
    test_ctx_next(as);
    return comb_documents_get(f->documents, &as->ctx, comb_str_from(f->name), owner, &ids, 1, ret,
                              &as->err);
}

/* Of the user's own. */
static int64_t revision_of(struct fixture *f, const char *id)
{
    struct comb_document document;
    must_ok(get(f, &f->user, &f->user.principal.user, id, &document), &f->user.err);
    return document.revision;
}

static void puts_and_gets(void **state)
{
    struct fixture *f = *state;
    struct comb_document document;
    int64_t revision =
        put(f, &f->user, "a/b:c@d.e_f-g", "{ \"b\": [1, 2.5, \"\\u00e4\"], \"a\": null }");
    must_ok(get(f, &f->user, &f->user.principal.user, "a/b:c@d.e_f-g", &document), &f->user.err);
    assert_true(comb_str_equal(document.body, STR("{\"a\":null,\"b\":[1,2.5,\"\xc3\xa4\"]}")));
    assert_int_equal(document.revision, revision);
    assert_true(comb_uuid_equal(&document.owner, &f->user.principal.user));
    assert_true(comb_str_equal(document.id, STR("a/b:c@d.e_f-g")));
    assert_true(document.create_us > 0 && document.update_us >= document.create_us);
    assert_int_equal(document.expire_us, 0);
    assert_int_equal(revision_of(f, "none"), 0);
}

static void writes_where_the_revision_is_expected(void **state)
{
    struct fixture *f = *state;
    const int64_t none = 0;
    int64_t first = 0, second = 0, third = 0;
    struct comb_request_key key = key_new();
    must_ok(put_with(f, &f->user, "x", "{}", &none, 0, &key, &first), &f->user.err);
    key = key_new();
    must_fail(COMB_FAILED_PRECONDITION, put_with(f, &f->user, "x", "{}", &none, 0, &key, &second),
              &f->user.err);
    must_ok(put_with(f, &f->user, "x", "{\"n\":2}", &first, 0, &key, &second), &f->user.err);
    assert_true(second > first);
    key = key_new();
    must_fail(COMB_FAILED_PRECONDITION, put_with(f, &f->user, "x", "{}", &first, 0, &key, &third),
              &f->user.err);
    test_ctx_next(&f->user);
    must_fail(COMB_FAILED_PRECONDITION,
              comb_documents_delete(f->documents, &f->user.ctx, &key, comb_str_from(f->name),
                                    &f->user.principal.user, STR("x"), &first, &f->user.err),
              &f->user.err);
    must_ok(comb_documents_delete(f->documents, &f->user.ctx, &key, comb_str_from(f->name),
                                  &f->user.principal.user, STR("x"), &second, &f->user.err),
            &f->user.err);
    assert_int_equal(revision_of(f, "x"), 0);
    key = key_new();
    must_fail(COMB_FAILED_PRECONDITION, put_with(f, &f->user, "x", "{}", &second, 0, &key, &third),
              &f->user.err);
    must_ok(put_with(f, &f->user, "x", "{}", &none, 0, &key, &third), &f->user.err);
    assert_true(third > second);
}

static void answers_a_repeated_request_as_the_first(void **state)
{
    struct fixture *f = *state;
    const int64_t none = 0;
    int64_t first = 0, again = 0;
    struct comb_request_key key = key_new(), other = key_new(), third = key_new();
    must_ok(put_with(f, &f->user, "x", "{}", &none, 0, &key, &first), &f->user.err);
    must_ok(put_with(f, &f->user, "x", "{\"n\":1}", NULL, 0, &other, &again), &f->user.err);
    must_ok(put_with(f, &f->user, "x", "{}", &none, 0, &key, &again), &f->user.err);
    assert_int_equal(again, first);
    assert_true(f->user.ctx.replayed);
    assert_true(revision_of(f, "x") > first);
    for (int i = 0; i < 2; i++) {
        test_ctx_next(&f->user);
        must_ok(comb_documents_delete(f->documents, &f->user.ctx, &third, comb_str_from(f->name),
                                      &f->user.principal.user, STR("x"), NULL, &f->user.err),
                &f->user.err);
    }
    key.hash[0] ^= 1;
    must_fail(COMB_INVALID_ARGUMENT, put_with(f, &f->user, "x", "{}", NULL, 0, &key, &again),
              &f->user.err);
}

static void refuses_what_is_no_document(void **state)
{
    static char large[COMB_DOCUMENT_BODY_BYTES_MAX + 16], deep[160],
        id[COMB_DOCUMENT_ID_BYTES_MAX + 2];
    static const char *const bodies[] = {
        "",    "{", "[]", "1", "{\"a\":1,\"a\":2}", "{\"a\":\"\\u0000\"}", "{\"a\":\"\xff\"}",
        large, deep};
    static const char *const ids[] = {"", "a b", "a\n", "\xc3\xa4", id};
    struct fixture *f = *state;
    const struct comb_request_key key = key_new();
    int64_t revision = 0;
    memset(large, ' ', sizeof large - 1);
    memcpy(large, "{}", 2);
    memset(id, 'x', sizeof id - 1);
    snprintf(deep, sizeof deep, "{\"a\":%.*s%.*s}", COMB_DOCUMENT_DEPTH_MAX,
             "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", COMB_DOCUMENT_DEPTH_MAX,
             "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++)
        must_fail(COMB_INVALID_ARGUMENT,
                  put_with(f, &f->user, "x", bodies[i], NULL, 0, &key, &revision), &f->user.err);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        must_fail(COMB_INVALID_ARGUMENT,
                  put_with(f, &f->user, ids[i], "{}", NULL, 0, &key, &revision), &f->user.err);
    must_fail(COMB_INVALID_ARGUMENT, put_with(f, &f->user, "x", "{}", NULL, -1, &key, &revision),
              &f->user.err);
    snprintf(f->name, sizeof f->name, "nowhere");
    must_fail(COMB_NOT_FOUND, put_with(f, &f->user, "x", "{}", NULL, 0, &key, &revision),
              &f->user.err);
}

static void shows_documents_to_who_may_read_them(void **state)
{
    struct fixture *f = *state;
    const struct comb_document_query all = {0};
    struct comb_document_store store;
    struct comb_document document;
    struct comb_document_page page;
    struct comb_document_query query = {.store = comb_str_from(f->name), .max = 10};
    char text[TEXT_MAX];
    put(f, &f->user, "x", "{}");
    must_fail(COMB_PERMISSION_DENIED, get(f, &f->other, &f->user.principal.user, "x", &document),
              &f->other.err);
    must_fail(COMB_PERMISSION_DENIED, get(f, &f->other, &f->user.principal.user, "none", &document),
              &f->other.err);
    must_fail(COMB_PERMISSION_DENIED,
              comb_documents_query(f->documents, &f->other.ctx, &query, &page, &f->other.err),
              &f->other.err);
    must_ok(get(f, &f->admin, &f->user.principal.user, "x", &document), &f->admin.err);
    find(f, &f->admin, &all, 10, text, sizeof text);
    assert_string_equal(text, "x");
    must_fail(COMB_PERMISSION_DENIED,
              comb_documents_set_store(f->documents, &f->user.ctx, comb_str_from(f->name),
                                       COMB_DOCUMENT_READABLE, &store, &f->user.err),
              &f->user.err);
    must_ok(comb_documents_set_store(f->documents, &f->admin.ctx, comb_str_from(f->name),
                                     COMB_DOCUMENT_READABLE, &store, &f->admin.err),
            &f->admin.err);
    must_ok(get(f, &f->other, &f->user.principal.user, "x", &document), &f->other.err);
    assert_true(document.revision > 0);
    find(f, &f->other, &all, 10, text, sizeof text);
    assert_string_equal(text, "x");
    const struct comb_request_key key = key_new();
    must_fail(COMB_PERMISSION_DENIED,
              comb_documents_delete(f->documents, &f->other.ctx, &key, comb_str_from(f->name),
                                    &f->user.principal.user, STR("x"), NULL, &f->other.err),
              &f->other.err);
    static const struct comb_scope scope = {.rights = 1};
    f->user.principal.scopes = &scope;
    f->user.principal.n_scopes = 1;
    must_fail(COMB_PERMISSION_DENIED, get(f, &f->user, &f->user.principal.user, "x", &document),
              &f->user.err);
    f->user.principal.n_scopes = 0;
}

static void hides_what_has_expired(void **state)
{
    struct fixture *f = *state;
    const struct comb_document_query mine = {.owner = &f->user.principal.user};
    const struct comb_request_key key = key_new(), second = key_new();
    const int64_t none = 0;
    int64_t revision = 0;
    size_t n = 0;
    char text[TEXT_MAX];
    must_ok(put_with(f, &f->user, "short", "{\"a\":1}", NULL, 3600000, &key, &revision),
            &f->user.err);
    put(f, &f->user, "long", "{\"a\":1}");
    declare(f, "a", true, "/a", NULL);
    find(f, &f->user, &mine, 10, text, sizeof text);
    assert_string_equal(text, "long short");
    comb_clock_advance_ns(3601 * COMB_NS_PER_S);
    test_ctx_next(&f->user);
    test_ctx_next(&f->admin);
    find(f, &f->user, &mine, 1, text, sizeof text);
    assert_string_equal(text, "long");
    const comb_str path = STR("/a");
    const struct comb_document_query by = {
        .owner = &f->user.principal.user, .order = &path, .n_order = 1};
    find(f, &f->user, &by, 10, text, sizeof text);
    assert_string_equal(text, "long");
    assert_int_equal(revision_of(f, "short"), 0);
    must_ok(comb_documents_purge(f->documents, &f->admin.ctx, &n, &f->admin.err), &f->admin.err);
    assert_true(n >= 1);
    must_ok(put_with(f, &f->user, "short", "{}", &none, 0, &second, &revision), &f->user.err);
}

/* ---- queries ---- */

static struct comb_document_condition on(const char *path, enum comb_document_compare compare,
                                         const char *value)
{
    return (struct comb_document_condition){comb_str_from(path), compare, comb_str_from(value)};
}

static void must_find(struct fixture *f, const struct comb_document_query *query,
                      const char *expected)
{
    char text[TEXT_MAX];
    for (size_t max = 1; max <= 40; max += 13) {
        find(f, &f->admin, query, max, text, sizeof text);
        assert_string_equal(text, expected);
    }
}

static void sorts_values_of_all_kinds(void **state)
{
    static const char *const values[] = {"null",
                                         "false",
                                         "true",
                                         "-9223372036854775808",
                                         "-1e300",
                                         "-2.5",
                                         "-1",
                                         "0",
                                         "0.5",
                                         "1",
                                         "9007199254740992",
                                         "9007199254740993",
                                         "9223372036854775806",
                                         "9223372036854775807",
                                         "1e300",
                                         "\"\"",
                                         "\"A\"",
                                         "\"a\"",
                                         "\"a \"",
                                         "\"ab\"",
                                         "\"\xc3\xa4\""};
    /* -1e300 is less than the least integer. */
    static const char expected[] =
        "v00 v01 v02 v04 v03 v05 v06 v07 v08 v09 v10 v11 v12 v13 v14 v15 "
        "v16 v17 v18 v19 v20";
    struct fixture *f = *state;
    const comb_str path = STR("/v");
    const struct comb_document_query query = {.order = &path, .n_order = 1};
    char id[32], body[64], text[TEXT_MAX];
    declare(f, "v", false, "/v", NULL);
    for (size_t i = sizeof values / sizeof values[0]; i-- > 0;) {
        snprintf(id, sizeof id, "v%02zu", i);
        snprintf(body, sizeof body, "{\"v\":%s}", values[i]);
        put(f, &f->user, id, body);
    }
    put(f, &f->user, "none", "{}");
    put(f, &f->user, "array", "{\"v\":[1]}");
    must_find(f, &query, expected);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct comb_document_condition equal = on("/v", COMB_DOCUMENT_EQUAL, values[i]);
        const struct comb_document_query one = {.conditions = &equal, .n_conditions = 1};
        snprintf(id, sizeof id, "v%02zu", i);
        find(f, &f->admin, &one, 10, text, sizeof text);
        assert_string_equal(text, id);
    }
}

static void answers_conditions_by_one_index(void **state)
{
    struct fixture *f = *state;
    char id[8], body[64];
    declare(f, "kind-n", false, "/kind", "/at/n");
    declare(f, "mine", true, "/at/n", NULL);
    for (int i = 0; i < 12; i++) {
        snprintf(id, sizeof id, "d%02d", i);
        snprintf(body, sizeof body, "{\"kind\":\"%s\",\"at\":{\"n\":%d}}", i % 2 ? "odd" : "even",
                 i / 4);
        put(f, i % 3 ? &f->user : &f->other, id, body);
    }
    /* Ties: by owner and id. */
    const bool user_first =
        memcmp(f->user.principal.user.bytes, f->other.principal.user.bytes, 16) < 0;
    struct comb_document_condition c[3] = {on("/kind", COMB_DOCUMENT_EQUAL, "\"odd\""),
                                           on("/at/n", COMB_DOCUMENT_GREATER_OR_EQUAL, "1"),
                                           on("/at/n", COMB_DOCUMENT_LESS, "3")};
    struct comb_document_query query = {.conditions = c, .n_conditions = 3};
    must_find(f, &query, user_first ? "d05 d07 d11 d09" : "d05 d07 d09 d11");
    query.is_descending = true;
    must_find(f, &query, user_first ? "d09 d11 d07 d05" : "d11 d09 d07 d05");
    query = (struct comb_document_query){.conditions = c, .n_conditions = 1};
    must_find(f, &query, user_first ? "d01 d03 d05 d07 d11 d09" : "d03 d01 d05 d07 d09 d11");
    const comb_str order[] = {STR("/kind"), STR("/at/n")};
    query = (struct comb_document_query){.conditions = c,
                                         .n_conditions = 1,
                                         .order = &order[1],
                                         .n_order = 1,
                                         .is_descending = true};
    must_find(f, &query, user_first ? "d09 d11 d07 d05 d03 d01" : "d11 d09 d07 d05 d01 d03");
    query = (struct comb_document_query){
        .owner = &f->other.principal.user, .order = &order[1], .n_order = 1};
    must_find(f, &query, "d00 d03 d06 d09");
    test_ctx_next(&f->admin);
    assert_true(test_docs_row_must_use_indexes(f->docs, &f->admin.ctx, false) > 0);
}

static void must_refuse(struct fixture *f, const struct comb_document_query *query,
                        enum comb_status status)
{
    struct comb_document_query asked = *query;
    struct comb_document_page page;
    asked.store = comb_str_from(f->name);
    asked.max = 10;
    test_ctx_next(&f->admin);
    must_fail(status,
              comb_documents_query(f->documents, &f->admin.ctx, &asked, &page, &f->admin.err),
              &f->admin.err);
}

static void refuses_what_no_index_answers(void **state)
{
    struct fixture *f = *state;
    const comb_str order[] = {STR("/b"), STR("/a")};
    struct comb_document_condition c[2] = {on("/b", COMB_DOCUMENT_EQUAL, "1"),
                                           on("/a", COMB_DOCUMENT_GREATER, "1")};
    declare(f, "a-b", false, "/a", "/b");
    must_refuse(f, &(struct comb_document_query){.conditions = c, .n_conditions = 1},
                COMB_FAILED_PRECONDITION);
    must_refuse(f, &(struct comb_document_query){.conditions = c, .n_conditions = 2},
                COMB_FAILED_PRECONDITION);
    must_refuse(f, &(struct comb_document_query){.order = order, .n_order = 2},
                COMB_FAILED_PRECONDITION);
    must_refuse(f,
                &(struct comb_document_query){
                    .owner = &f->user.principal.user, .conditions = &c[1], .n_conditions = 1},
                COMB_FAILED_PRECONDITION);
    c[0] = on("/a", COMB_DOCUMENT_LESS, "\"x\"");
    must_refuse(f, &(struct comb_document_query){.conditions = c, .n_conditions = 2},
                COMB_INVALID_ARGUMENT);
    c[0] = on("/a", COMB_DOCUMENT_EQUAL, "[1]");
    must_refuse(f, &(struct comb_document_query){.conditions = c, .n_conditions = 1},
                COMB_INVALID_ARGUMENT);
    c[0] = on("a", COMB_DOCUMENT_EQUAL, "1");
    must_refuse(f, &(struct comb_document_query){.conditions = c, .n_conditions = 1},
                COMB_INVALID_ARGUMENT);
}

static void declares_and_drops_indexes(void **state)
{
    struct fixture *f = *state;
    struct comb_document_index index = {.name = STR("a"), .paths = {STR("/a")}, .n_paths = 1};
    struct comb_document_store store, again;
    const comb_str name = comb_str_from(f->name), path = STR("/a");
    const struct comb_document_query query = {.order = &path, .n_order = 1};
    char id[16], text[COMB_DOCUMENT_INDEXED_BYTES_MAX + 16];
    put(f, &f->user, "before", "{\"a\":1}");
    declare(f, "a", false, "/a", NULL);
    put(f, &f->user, "after", "{\"a\":0}");
    must_find(f, &query, "after before");
    must_ok(comb_documents_declare_index(f->documents, &f->admin.ctx, name, &index, &store,
                                         &f->admin.err),
            &f->admin.err);
    index.by_owner = true;
    must_fail(COMB_ALREADY_EXISTS,
              comb_documents_declare_index(f->documents, &f->admin.ctx, name, &index, &again,
                                           &f->admin.err),
              &f->admin.err);
    for (int i = 0; i < 2; i++)
        must_ok(comb_documents_drop_index(f->documents, &f->admin.ctx, name, STR("a"), &store,
                                          &f->admin.err),
                &f->admin.err);
    assert_int_equal(store.n_indexes, 0);
    must_refuse(f, &query, COMB_FAILED_PRECONDITION);
    declare(f, "b", false, "/b", NULL); /* where the other one was */
    const comb_str other = STR("/b");
    must_find(f, &(struct comb_document_query){.order = &other, .n_order = 1}, "");
    for (int i = 1; i < COMB_DOCUMENT_INDEXES_MAX; i++) {
        snprintf(id, sizeof id, "more-%d", i);
        declare(f, id, false, "/c", NULL);
    }
    index.name = STR("z");
    must_fail(COMB_RESOURCE_EXHAUSTED,
              comb_documents_declare_index(f->documents, &f->admin.ctx, name, &index, &again,
                                           &f->admin.err),
              &f->admin.err);
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "{\"b\":\"", 6);
    memcpy(text + sizeof text - 3, "\"}", 3);
    const struct comb_request_key key = key_new();
    int64_t revision = 0;
    must_fail(COMB_INVALID_ARGUMENT, put_with(f, &f->user, "x", text, NULL, 0, &key, &revision),
              &f->user.err);
}

/* What stands from the first page to the last is on them once, whoever writes meanwhile. */
static void pages_while_others_write(void **state)
{
    struct fixture *f = *state;
    const comb_str path = STR("/n");
    struct comb_document_query query = {
        .store = comb_str_from(f->name), .order = &path, .n_order = 1, .max = 7};
    struct comb_document_page page;
    char id[16], body[64], after[1024];
    int next = 0;
    declare(f, "n", false, "/n", NULL);
    for (int i = 0; i < 40; i++) {
        snprintf(id, sizeof id, "stay-%02d", i);
        snprintf(body, sizeof body, "{\"n\":%d}", 10 * i);
        put(f, &f->user, id, body);
    }
    for (int round = 0; round == 0 || query.after.len > 0; round++) {
        snprintf(id, sizeof id, "new-%d", round);
        snprintf(body, sizeof body, "{\"n\":%d}", 37 * round % 400 + 5);
        put(f, &f->other, id, body);
        test_ctx_next(&f->admin);
        must_ok(comb_documents_query(f->documents, &f->admin.ctx, &query, &page, &f->admin.err),
                &f->admin.err);
        for (size_t i = 0; i < page.n; i++) {
            snprintf(id, sizeof id, "stay-%02d", next);
            next += comb_str_equal(page.documents[i].id, comb_str_from(id));
        }
        memcpy(after, page.next.ptr ? page.next.ptr : "", page.next.len);
        query.after = comb_str_of(after, page.next.len);
    }
    assert_int_equal(next, 40);
}

static void ends_a_page_before_it_is_too_large(void **state)
{
    static char body[COMB_DOCUMENT_BODY_BYTES_MAX - 16];
    struct fixture *f = *state;
    struct comb_document_query query = {.store = comb_str_from(f->name), .max = 1000};
    struct comb_document_page page;
    char id[16];
    memset(body, 'x', sizeof body - 1);
    memcpy(body, "{\"a\":\"", 6);
    memcpy(body + sizeof body - 3, "\"}", 3);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "large-%02d", i);
        put(f, &f->user, id, body);
    }
    must_ok(comb_documents_query(f->documents, &f->admin.ctx, &query, &page, &f->admin.err),
            &f->admin.err);
    assert_in_range(page.n, 10, 16);
    assert_true(page.next.len > 0);
    const struct comb_document_query all = {0};
    char text[TEXT_MAX];
    find(f, &f->admin, &all, 1000, text, sizeof text);
    assert_int_equal(strlen(text), 20 * 9 - 1);
}

static void lists_stores(void **state)
{
    struct fixture *f = *state;
    const struct comb_document_store *stores;
    struct comb_document_store store;
    char name[16], after[80] = "";
    size_t n = 0, all = 0;
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "zz-%02d", i);
        must_ok(comb_documents_set_store(f->documents, &f->admin.ctx, comb_str_from(name),
                                         COMB_DOCUMENT_READABLE, &store, &f->admin.err),
                &f->admin.err);
    }
    do {
        test_ctx_next(&f->user);
        must_ok(comb_documents_list_stores(f->documents, &f->user.ctx, comb_str_from(after), 35,
                                           &stores, &n, &f->user.err),
                &f->user.err);
        all += n;
        if (n > 0)
            snprintf(after, sizeof after, "%.*s", COMB_STR_ARG(stores[n - 1].name));
    } while (n == 35);
    assert_string_equal(after, "zz-39");
    assert_true(all > 40);
    must_fail(
        COMB_NOT_FOUND,
        comb_documents_get_store(f->documents, &f->user.ctx, STR("nobody"), &store, &f->user.err),
        &f->user.err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(puts_and_gets, fixture_setup),
        cmocka_unit_test_setup(writes_where_the_revision_is_expected, fixture_setup),
        cmocka_unit_test_setup(answers_a_repeated_request_as_the_first, fixture_setup),
        cmocka_unit_test_setup(refuses_what_is_no_document, fixture_setup),
        cmocka_unit_test_setup(shows_documents_to_who_may_read_them, fixture_setup),
        cmocka_unit_test_setup(sorts_values_of_all_kinds, fixture_setup),
        cmocka_unit_test_setup(answers_conditions_by_one_index, fixture_setup),
        cmocka_unit_test_setup(refuses_what_no_index_answers, fixture_setup),
        cmocka_unit_test_setup(declares_and_drops_indexes, fixture_setup),
        cmocka_unit_test_setup(pages_while_others_write, fixture_setup),
        cmocka_unit_test_setup(ends_a_page_before_it_is_too_large, fixture_setup),
        cmocka_unit_test_setup(lists_stores, fixture_setup),
        cmocka_unit_test_setup(hides_what_has_expired, fixture_setup),
    };
    return cmocka_run_group_tests(tests, fixture_setup_all, fixture_teardown_all);
}
