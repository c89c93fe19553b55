/* SPDX-License-Identifier: Apache-2.0 */
/* What every driver of the vault row must do. Knows the interface, never a driver's name. */
#include "grpcc/arena.h"
#include "server/vault/keys.h"
#include "server/vault/secrets.h"
#include "tests/contract/vault/fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct comb_ctx new_ctx(void)
{
    return (struct comb_ctx){.arena = grpcc_arena_new(0), .deadline_ns = INT64_MAX};
}

static int setup(void **state)
{
    static struct vault_fixture fixture;
    fixture = (struct vault_fixture){.ctx = new_ctx()};
    assert_int_equal(vault_fixture_open(&fixture), COMB_OK);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct vault_fixture *f = *state;
    comb_vault_close(f->vault);
    grpcc_arena_free(f->ctx.arena);
    return 0;
}

static uint32_t must_put(struct vault_fixture *f, comb_str path, comb_str value, uint32_t expected)
{
    uint32_t version = 0;
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, path, value, expected, &version, &f->err),
                     COMB_OK);
    return version;
}

static void must_hold(struct vault_fixture *f, comb_str path, uint32_t version, comb_str value,
                      uint32_t is_version)
{
    struct comb_vault_secret secret;
    assert_int_equal(comb_vault_get(f->vault, &f->ctx, path, version, &secret, &f->err), COMB_OK);
    assert_int_equal(secret.version, is_version);
    assert_true(comb_str_equal(secret.value, value));
    assert_true(secret.create_us > 0);
}

static void reopen(struct vault_fixture *f)
{
    comb_vault_close(f->vault);
    f->vault = NULL;
    assert_int_equal(vault_fixture_open(f), COMB_OK);
}

static void a_missing_secret_is_not_found(void **state)
{
    struct vault_fixture *f = *state;
    struct comb_vault_secret secret = {.version = 77};
    assert_int_equal(comb_vault_get(f->vault, &f->ctx, STR("a/b"), 0, &secret, &f->err),
                     COMB_NOT_FOUND);
    assert_int_equal(f->err.status, COMB_NOT_FOUND);
    assert_int_equal(secret.version, 77);
    must_put(f, STR("a/b"), STR("x"), 0);
    assert_int_equal(comb_vault_get(f->vault, &f->ctx, STR("a/b"), 2, &secret, &f->err),
                     COMB_NOT_FOUND);
}

static void versions_are_kept_and_counted(void **state)
{
    struct vault_fixture *f = *state;
    assert_int_equal(must_put(f, STR("s"), STR("one"), 0), 1);
    assert_int_equal(must_put(f, STR("s"), STR("two"), 1), 2);
    assert_int_equal(must_put(f, STR("t"), STR("other"), 0), 1);
    must_hold(f, STR("s"), 0, STR("two"), 2);
    must_hold(f, STR("s"), 1, STR("one"), 1);
    must_hold(f, STR("t"), 0, STR("other"), 1);
}

static void put_compares_and_sets(void **state)
{
    struct vault_fixture *f = *state;
    uint32_t version = 77;
    must_put(f, STR("s"), STR("one"), 0);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("s"), STR("no"), 0, &version, &f->err),
                     COMB_ABORTED);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("s"), STR("no"), 2, &version, &f->err),
                     COMB_ABORTED);
    assert_int_equal(
        comb_vault_put(f->vault, &f->ctx, STR("none"), STR("no"), 1, &version, &f->err),
        COMB_ABORTED);
    assert_int_equal(version, 77);
    must_hold(f, STR("s"), 0, STR("one"), 1);
}

static void secrets_outlive_the_process(void **state)
{
    struct vault_fixture *f = *state;
    static const char BYTES[] = {0, 1, '"', '\\', (char)0xff, (char)0xc3, 0};
    must_put(f, STR("bytes"), comb_str_of(BYTES, sizeof BYTES), 0);
    must_put(f, STR("bytes"), STR(""), 1);
    reopen(f);
    must_hold(f, STR("bytes"), 1, comb_str_of(BYTES, sizeof BYTES), 1);
    must_hold(f, STR("bytes"), 0, STR(""), 2);
    assert_int_equal(must_put(f, STR("bytes"), STR("three"), 2), 3);
}

static void limits_are_kept(void **state)
{
    struct vault_fixture *f = *state;
    static char value[COMB_VAULT_VALUE_MAX + 1];
    memset(value, 'v', sizeof value);
    char path[COMB_VAULT_PATH_MAX + 2];
    memset(path, 'p', sizeof path);
    path[COMB_VAULT_PART_MAX] = '/';
    path[2 * COMB_VAULT_PART_MAX + 1] = '/';
    uint32_t version;
    comb_str longest = comb_str_of(path, COMB_VAULT_PATH_MAX);
    assert_int_equal(must_put(f, longest, comb_str_of(value, COMB_VAULT_VALUE_MAX), 0), 1);
    reopen(f);
    must_hold(f, longest, 0, comb_str_of(value, COMB_VAULT_VALUE_MAX), 1);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("s"), comb_str_of(value, sizeof value),
                                    0, &version, &f->err),
                     COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, comb_str_of(path, COMB_VAULT_PATH_MAX + 1),
                                    STR("v"), 0, &version, &f->err),
                     COMB_INVALID_ARGUMENT);
    memset(path, 'p', sizeof path);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, comb_str_of(path, COMB_VAULT_PART_MAX + 1),
                                    STR("v"), 0, &version, &f->err),
                     COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("a b"), STR("v"), 0, &version, &f->err),
                     COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR(""), STR("v"), 0, &version, &f->err),
                     COMB_INVALID_ARGUMENT);
}

static void a_past_deadline_is_told(void **state)
{
    struct vault_fixture *f = *state;
    struct comb_ctx late = f->ctx;
    late.deadline_ns = 1;
    struct comb_vault_secret secret;
    assert_int_equal(comb_vault_get(f->vault, &late, STR("s"), 0, &secret, &f->err),
                     COMB_DEADLINE_EXCEEDED);
}

static void a_key_is_made_once(void **state)
{
    struct vault_fixture *f = *state;
    uint8_t first[32], again[32], other[32];
    uint32_t version = 0;
    assert_int_equal(comb_vault_key(f->vault, &f->ctx, STR("a"), first, &version, &f->err),
                     COMB_OK);
    assert_int_equal(version, 1);
    assert_int_equal(comb_vault_key(f->vault, &f->ctx, STR("b"), other, &version, &f->err),
                     COMB_OK);
    assert_memory_not_equal(first, other, sizeof first);
    reopen(f);
    assert_int_equal(comb_vault_key(f->vault, &f->ctx, STR("a"), again, &version, &f->err),
                     COMB_OK);
    assert_memory_equal(first, again, sizeof first);
    assert_int_equal(version, 1);
}

/* ---- states of versions ---- */

static void must_change(struct vault_fixture *f, comb_str path, enum comb_vault_change change,
                        uint32_t version)
{
    assert_int_equal(comb_vault_change(f->vault, &f->ctx, path, change, &version, 1, &f->err),
                     COMB_OK);
}

static void must_not_hold(struct vault_fixture *f, comb_str path, uint32_t version)
{
    struct comb_vault_secret secret = {.version = 77};
    assert_int_equal(comb_vault_get(f->vault, &f->ctx, path, version, &secret, &f->err),
                     COMB_NOT_FOUND);
    assert_int_equal(secret.version, 77);
}

static void what_is_deleted_comes_back(void **state)
{
    struct vault_fixture *f = *state;
    must_put(f, STR("s"), STR("one"), 0);
    must_put(f, STR("s"), STR("two"), 1);
    must_change(f, STR("s"), COMB_VAULT_DELETE, 2);
    must_change(f, STR("s"), COMB_VAULT_DELETE, 2);
    must_not_hold(f, STR("s"), 0);
    must_not_hold(f, STR("s"), 2);
    must_hold(f, STR("s"), 1, STR("one"), 1);
    /* Its number is not given again. */
    uint32_t version = 77;
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("s"), STR("no"), 1, &version, &f->err),
                     COMB_ABORTED);
    assert_int_equal(comb_vault_put(f->vault, &f->ctx, STR("s"), STR("no"), 0, &version, &f->err),
                     COMB_ABORTED);
    reopen(f);
    must_not_hold(f, STR("s"), 2);
    must_change(f, STR("s"), COMB_VAULT_UNDELETE, 2);
    must_change(f, STR("s"), COMB_VAULT_UNDELETE, 2);
    must_hold(f, STR("s"), 0, STR("two"), 2);
    must_change(f, STR("s"), COMB_VAULT_DELETE, 2);
    assert_int_equal(must_put(f, STR("s"), STR("three"), 2), 3);
    must_hold(f, STR("s"), 0, STR("three"), 3);
}

static void what_is_destroyed_does_not(void **state)
{
    struct vault_fixture *f = *state;
    must_put(f, STR("s"), STR("one"), 0);
    must_put(f, STR("s"), STR("two"), 1);
    must_change(f, STR("s"), COMB_VAULT_DESTROY, 1);
    must_change(f, STR("s"), COMB_VAULT_DESTROY, 1);
    must_change(f, STR("s"), COMB_VAULT_UNDELETE, 1);
    must_not_hold(f, STR("s"), 1);
    must_hold(f, STR("s"), 0, STR("two"), 2);
    reopen(f);
    must_not_hold(f, STR("s"), 1);
    must_change(f, STR("s"), COMB_VAULT_DESTROY, 2);
    must_not_hold(f, STR("s"), 0);
    assert_int_equal(must_put(f, STR("s"), STR("three"), 2), 3);
}

static void changes_of_nothing(void **state)
{
    struct vault_fixture *f = *state;
    const uint32_t versions[] = {0, 5, UINT32_MAX, 1};
    assert_int_equal(
        comb_vault_change(f->vault, &f->ctx, STR("none"), COMB_VAULT_DELETE, versions, 4, &f->err),
        COMB_NOT_FOUND);
    must_put(f, STR("s"), STR("one"), 0);
    assert_int_equal(
        comb_vault_change(f->vault, &f->ctx, STR("s"), COMB_VAULT_UNDELETE, versions, 4, &f->err),
        COMB_OK);
    must_hold(f, STR("s"), 0, STR("one"), 1);
    assert_int_equal(
        comb_vault_change(f->vault, &f->ctx, STR("s"), COMB_VAULT_DELETE, versions, 4, &f->err),
        COMB_OK);
    must_not_hold(f, STR("s"), 0);
    assert_int_equal(
        comb_vault_change(f->vault, &f->ctx, STR("s"), COMB_VAULT_DELETE, versions, 0, &f->err),
        COMB_INVALID_ARGUMENT);
}

static void versions_tell_their_state(void **state)
{
    struct vault_fixture *f = *state;
    struct comb_vault_version *versions = NULL;
    size_t n = 77;
    assert_int_equal(comb_vault_versions(f->vault, &f->ctx, STR("s"), &versions, &n, &f->err),
                     COMB_NOT_FOUND);
    assert_int_equal(n, 77);
    for (uint32_t i = 0; i < 3; i++)
        must_put(f, STR("s"), STR("x"), i);
    must_change(f, STR("s"), COMB_VAULT_DELETE, 2);
    must_change(f, STR("s"), COMB_VAULT_DESTROY, 3);
    reopen(f);
    assert_int_equal(comb_vault_versions(f->vault, &f->ctx, STR("s"), &versions, &n, &f->err),
                     COMB_OK);
    assert_int_equal(n, 3);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(versions[i].version, i + 1);
        assert_true(versions[i].create_us > 0);
        assert_int_equal(versions[i].delete_us != 0, i == 1);
        assert_int_equal(versions[i].destroyed, i == 2);
    }
    assert_true(versions[1].delete_us >= versions[1].create_us);
}

static void a_repetition_is_known(void **state)
{
    struct vault_fixture *f = *state;
    const struct comb_vault_put put = {
        .value = STR("one"), .expected = 0, .request_id = STR("request-1")};
    struct comb_vault_put other = put;
    other.request_id = STR("request-2");
    uint32_t version = 0;
    for (int i = 0; i < 2; i++) {
        version = 77;
        assert_int_equal(comb_vault_put_once(f->vault, &f->ctx, STR("s"), &put, &version, &f->err),
                         COMB_OK);
        assert_int_equal(version, 1);
        reopen(f);
    }
    assert_int_equal(comb_vault_put_once(f->vault, &f->ctx, STR("s"), &other, &version, &f->err),
                     COMB_ABORTED);
    other.expected = 1;
    assert_int_equal(comb_vault_put_once(f->vault, &f->ctx, STR("s"), &other, &version, &f->err),
                     COMB_OK);
    assert_int_equal(version, 2);
    /* Also after others came. */
    assert_int_equal(comb_vault_put_once(f->vault, &f->ctx, STR("s"), &put, &version, &f->err),
                     COMB_OK);
    assert_int_equal(version, 1);
}

/* ---- lists ---- */

static void must_list(struct vault_fixture *f, comb_str folder, comb_str after, size_t limit,
                      const char *expected)
{
    struct comb_vault_names names = {0};
    char text[256] = "";
    size_t len = 0;
    assert_int_equal(comb_vault_list(f->vault, &f->ctx, folder, after, limit, &names, &f->err),
                     COMB_OK);
    for (size_t i = 0; i < names.n; i++) {
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "%.*s ", COMB_STR_ARG(names.names[i]));
    }
    snprintf(text + len, sizeof text - len, "%s", names.more ? "+" : ".");
    assert_string_equal(text, expected);
}

static void names_come_in_order_and_pages(void **state)
{
    struct vault_fixture *f = *state;
    must_list(f, STR(""), STR(""), 10, ".");
    must_list(f, STR("no/such"), STR(""), 10, ".");
    const comb_str paths[] = {STR("b/x"), STR("a"), STR("b"), STR("b/y/z"), STR("bc/d"), STR("B")};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        must_put(f, paths[i], STR("v"), 0);
    must_list(f, STR(""), STR(""), 10, "B a b b/ bc/ .");
    must_list(f, STR(""), STR(""), 2, "B a +");
    must_list(f, STR(""), STR("a"), 2, "b b/ +");
    must_list(f, STR(""), STR("b/"), 2, "bc/ .");
    must_list(f, STR("b"), STR(""), 10, "x y/ .");
    must_list(f, STR("b/y"), STR(""), 10, "z .");
    must_list(f, STR("a"), STR(""), 10, ".");
    must_change(f, STR("a"), COMB_VAULT_DELETE, 1);
    must_list(f, STR(""), STR("B"), 1, "a +");
}

/* ---- references ---- */

static void references_find_members(void **state)
{
    struct vault_fixture *f = *state;
    comb_str value = STR("untouched");
    must_put(f, STR("db/app"), STR("{\"password\":\"p \\\"q\",\"port\":5}"), 0);
    must_put(f, STR("plain"), STR("all of it"), 0);
    assert_int_equal(comb_vault_reference(f->vault, &f->ctx, STR("db/none#x"), &value, &f->err),
                     COMB_NOT_FOUND);
    assert_int_equal(comb_vault_reference(f->vault, &f->ctx, STR("db/app#x"), &value, &f->err),
                     COMB_NOT_FOUND);
    assert_int_equal(comb_vault_reference(f->vault, &f->ctx, STR("db/app#port"), &value, &f->err),
                     COMB_NOT_FOUND);
    assert_int_equal(comb_vault_reference(f->vault, &f->ctx, STR("plain#x"), &value, &f->err),
                     COMB_NOT_FOUND);
    assert_null(strstr(f->err.msg, "all of it"));
    assert_int_equal(comb_vault_reference(f->vault, &f->ctx, STR("keys/a"), &value, &f->err),
                     COMB_INVALID_ARGUMENT);
    assert_true(comb_str_equal(value, STR("untouched")));
    assert_int_equal(
        comb_vault_reference(f->vault, &f->ctx, STR("db/app#password"), &value, &f->err), COMB_OK);
    assert_true(comb_str_equal(value, STR("p \"q")));
    assert_int_equal(comb_vault_reference(f->vault, &f->ctx, STR("plain"), &value, &f->err),
                     COMB_OK);
    assert_true(comb_str_equal(value, STR("all of it")));
}

static void paths_have_a_form(void **state)
{
    struct vault_fixture *f = *state;
    const comb_str paths[] = {STR("/a"), STR("a/"),   STR("a//b"), STR("."),   STR("a/.."),
                              STR("a%"), STR("a\0b"), STR("a?b"),  STR("a#b"), STR("\xc3\xa4")};
    struct comb_vault_secret secret;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(comb_vault_get(f->vault, &f->ctx, paths[i], 0, &secret, &f->err),
                         COMB_INVALID_ARGUMENT);
}

static void a_vault_that_works_says_so(void **state)
{
    struct vault_fixture *f = *state;
    struct comb_store_status status;
    assert_int_equal(comb_vault_check(f->vault, &f->ctx, &f->err), COMB_OK);
    comb_vault_status(f->vault, &status);
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_string_equal(status.driver, f->vault->driver->name);
    assert_int_equal(status.shared, (f->vault->driver->caps & COMB_VAULT_CAP_SHARED) != 0);
}

/* ---- keys by name, and secrets as administrators see them ---- */

static void keys_encrypt_and_rotate(void **state)
{
    struct vault_fixture *f = *state;
    struct comb_vault_key_info info;
    struct comb_uuid first = comb_uuid_new(), second = comb_uuid_new(), third = comb_uuid_new();
    comb_str old, new_one, plain;
    uint32_t version = 0;
    assert_int_equal(comb_vault_keys_get(f->vault, &f->ctx, STR("k"), &info, &f->err),
                     COMB_NOT_FOUND);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            comb_vault_keys_create(f->vault, &f->ctx, STR("k"), &first, &info, &f->err), COMB_OK);
    assert_int_equal(comb_vault_keys_create(f->vault, &f->ctx, STR("k"), &second, &info, &f->err),
                     COMB_ALREADY_EXISTS);
    assert_int_equal(comb_vault_keys_encrypt(f->vault, &f->ctx, STR("k"), STR("text"), STR("at"),
                                             &old, &version, &f->err),
                     COMB_OK);
    assert_int_equal(version, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            comb_vault_keys_rotate(f->vault, &f->ctx, STR("k"), 0, &second, &info, &f->err),
            COMB_OK);
    assert_int_equal(info.version, 2);
    assert_int_equal(info.version_min, 1);
    reopen(f);
    assert_int_equal(comb_vault_keys_encrypt(f->vault, &f->ctx, STR("k"), STR("text"), STR("at"),
                                             &new_one, &version, &f->err),
                     COMB_OK);
    assert_int_equal(version, 2);
    assert_int_equal(
        comb_vault_keys_decrypt(f->vault, &f->ctx, STR("k"), old, STR("at"), &plain, &f->err),
        COMB_OK);
    assert_true(comb_str_equal(plain, STR("text")));
    assert_int_equal(
        comb_vault_keys_decrypt(f->vault, &f->ctx, STR("k"), old, STR("to"), &plain, &f->err),
        COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_vault_keys_rotate(f->vault, &f->ctx, STR("k"), 9, &third, &info, &f->err),
                     COMB_INVALID_ARGUMENT);
    assert_int_equal(comb_vault_keys_rotate(f->vault, &f->ctx, STR("k"), 2, &third, &info, &f->err),
                     COMB_OK);
    assert_int_equal(
        comb_vault_keys_decrypt(f->vault, &f->ctx, STR("k"), old, STR("at"), &plain, &f->err),
        COMB_FAILED_PRECONDITION);
    assert_int_equal(
        comb_vault_keys_decrypt(f->vault, &f->ctx, STR("k"), new_one, STR("at"), &plain, &f->err),
        COMB_OK);
    char *changed = (char *)(uintptr_t)new_one.ptr;
    for (size_t i = 0; i < new_one.len; i++) {
        changed[i] = (char)(changed[i] ^ 1);
        assert_int_not_equal(comb_vault_keys_decrypt(f->vault, &f->ctx, STR("k"), new_one,
                                                     STR("at"), &plain, &f->err),
                             COMB_OK);
        changed[i] = (char)(changed[i] ^ 1);
    }
}

static void the_servers_own_is_out_of_reach(void **state)
{
    struct vault_fixture *f = *state;
    uint8_t key[32];
    uint32_t version = 0;
    struct comb_vault_secret secret;
    struct comb_vault_names names;
    struct comb_uuid request = comb_uuid_new();
    assert_int_equal(comb_vault_key(f->vault, &f->ctx, STR("jwt"), key, &version, &f->err),
                     COMB_OK);
    must_put(f, STR("mine"), STR("v"), 0);
    const comb_str paths[] = {STR("keys/jwt"), STR("keys"), STR("named-keys/k")};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(comb_vault_secrets_get(f->vault, &f->ctx, paths[i], 0, &secret, &f->err),
                         COMB_INVALID_ARGUMENT);
        assert_int_equal(comb_vault_secrets_put(f->vault, &f->ctx, paths[i], STR("x"), NULL,
                                                &request, &version, &f->err),
                         COMB_INVALID_ARGUMENT);
        assert_int_equal(comb_vault_secrets_change(f->vault, &f->ctx, paths[i], COMB_VAULT_DELETE,
                                                   NULL, 0, &f->err),
                         COMB_INVALID_ARGUMENT);
    }
    assert_int_equal(
        comb_vault_secrets_list(f->vault, &f->ctx, STR(""), STR(""), 10, &names, &f->err), COMB_OK);
    assert_int_equal(names.n, 1);
    assert_true(comb_str_equal(names.names[0], STR("mine")));
}

static void a_put_expects_or_does_not(void **state)
{
    struct vault_fixture *f = *state;
    struct comb_uuid first = comb_uuid_new(), second = comb_uuid_new();
    const uint32_t none = 0;
    uint32_t version = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(comb_vault_secrets_put(f->vault, &f->ctx, STR("s"), STR("a"), NULL, &first,
                                                &version, &f->err),
                         COMB_OK);
        assert_int_equal(version, 1);
    }
    assert_int_equal(comb_vault_secrets_put(f->vault, &f->ctx, STR("s"), STR("b"), &none, &second,
                                            &version, &f->err),
                     COMB_FAILED_PRECONDITION);
    assert_int_equal(comb_vault_secrets_put(f->vault, &f->ctx, STR("s"), STR("b"), NULL, &second,
                                            &version, &f->err),
                     COMB_OK);
    assert_int_equal(version, 2);
    assert_int_equal(
        comb_vault_secrets_change(f->vault, &f->ctx, STR("s"), COMB_VAULT_DELETE, NULL, 0, &f->err),
        COMB_OK);
    must_not_hold(f, STR("s"), 0);
    assert_int_equal(comb_vault_secrets_change(f->vault, &f->ctx, STR("s"), COMB_VAULT_DESTROY,
                                               NULL, 0, &f->err),
                     COMB_INVALID_ARGUMENT);
}

/* ---- many at once ---- */

#define THREADS 4
#define PUTS_PER_THREAD 8

struct racer {
    struct vault_fixture *fixture;
    uint8_t key[32];
    int n_won;
};

static void *race(void *data)
{
    struct racer *racer = data;
    struct comb_ctx ctx = new_ctx();
    struct comb_error err;
    uint32_t version = 0;
    if (comb_vault_key(racer->fixture->vault, &ctx, STR("race"), racer->key, &version, &err) !=
        COMB_OK)
        racer->n_won = -1000;
    for (uint32_t i = 0; i < PUTS_PER_THREAD; i++) {
        if (comb_vault_put(racer->fixture->vault, &ctx, STR("counter"), STR("x"), i, &version,
                           &err) == COMB_OK)
            racer->n_won++;
    }
    grpcc_arena_free(ctx.arena);
    return NULL;
}

static void of_many_writers_one_wins(void **state)
{
    struct vault_fixture *f = *state;
    struct racer racers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        racers[i] = (struct racer){.fixture = f};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    int n_won = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        n_won += racers[i].n_won;
        assert_memory_equal(racers[i].key, racers[0].key, sizeof racers[0].key);
    }
    struct comb_vault_secret secret;
    assert_int_equal(comb_vault_get(f->vault, &f->ctx, STR("counter"), 0, &secret, &f->err),
                     COMB_OK);
    assert_int_equal(secret.version, n_won);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_missing_secret_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(versions_are_kept_and_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(put_compares_and_sets, setup, teardown),
        cmocka_unit_test_setup_teardown(secrets_outlive_the_process, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_past_deadline_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_is_made_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_deleted_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_destroyed_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_of_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(versions_tell_their_state, setup, teardown),
        cmocka_unit_test_setup_teardown(a_repetition_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(names_come_in_order_and_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(references_find_members, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_have_a_form, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vault_that_works_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_encrypt_and_rotate, setup, teardown),
        cmocka_unit_test_setup_teardown(the_servers_own_is_out_of_reach, setup, teardown),
        cmocka_unit_test_setup_teardown(a_put_expects_or_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(of_many_writers_one_wins, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
