/* SPDX-License-Identifier: Apache-2.0 */
/* What every driver of the registry does, seen through the directory that stands on it. */
#include <stdio.h>
#include <string.h>

#include "tests/contract/registry/fixture.h"

/* Long enough that a busy machine ends no lease that is being kept. */
#define TTL_MS 6000
#define LONG_MS 600000

static void what_is_put_is_there_until_it_is_removed(void **state)
{
    struct fixture *f = *state;
    put(f, "mail", "m-1", "first", LONG_MS);
    await_entry(f, "mail", "m-1", "first");
    put(f, "mail", "m-2", "", LONG_MS);
    put(f, "mail", "m-1", "second", LONG_MS);
    await_entry(f, "mail", "m-1", "second");
    await_entry(f, "mail", "m-2", "");
    await_entry(f, "other", "m-1", NULL);
    drop(f, "mail", "m-1");
    await_entry(f, "mail", "m-1", NULL);
    await_entry(f, "mail", "m-2", "");
    drop(f, "mail", "m-1"); /* what is not there is no failure */
    must_fail(COMB_NOT_FOUND, heartbeat(f, "mail", "m-1"), &f->t.err);
}

static void an_entry_ends_with_its_lease(void **state)
{
    struct fixture *f = *state;
    put(f, "mail", "short", "x", COMB_REGISTRY_TTL_MS_MIN);
    put(f, "mail", "long", "x", LONG_MS);
    await_entry(f, "mail", "long", "x"); /* so the directory has heard of the short one, too */
    await_entry(f, "mail", "short", NULL);
    must_fail(COMB_NOT_FOUND, heartbeat(f, "mail", "short"), &f->t.err);
    put(f, "mail", "short", "again", LONG_MS);
    await_entry(f, "mail", "short", "again");
}

static void heartbeats_keep_it(void **state)
{
    struct fixture *f = *state;
    put(f, "mail", "kept", "x", TTL_MS);
    for (int i = 0; i < 9; i++) {
        sleep_ms(TTL_MS / 6);
        must_ok(heartbeat(f, "mail", "kept"), &f->t.err);
    }
    await_entry(f, "mail", "kept", "x");
}

/* A new entry is under a lease of its own: the one before does not end it. */
static void an_entry_put_again_outlives_the_first_lease(void **state)
{
    struct fixture *f = *state;
    put(f, "mail", "twice", "first", COMB_REGISTRY_TTL_MS_MIN);
    put(f, "mail", "twice", "second", LONG_MS);
    put(f, "mail", "witness", "x", COMB_REGISTRY_TTL_MS_MIN);
    put(f, "mail", "after", "x", LONG_MS);
    await_entry(f, "mail", "after", "x");
    await_entry(f, "mail", "witness", NULL);
    sleep_ms(COMB_REGISTRY_TTL_MS_MIN);
    await_entry(f, "mail", "twice", "second");
    must_ok(heartbeat(f, "mail", "twice"), &f->t.err);
}

static void names_and_sizes_have_limits(void **state)
{
    static char large[COMB_REGISTRY_BODY_BYTES_MAX + 1], name[COMB_REGISTRY_NAME_BYTES_MAX + 2];
    const char *const bad[] = {"", "a/b", "a b", "ü", name};
    struct fixture *f = *state;
    struct comb_registry_entry entry = {STR("mail"), STR("x"), STR("")};
    uint32_t ttl_ms;
    memset(name, 'n', sizeof name - 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        entry.id = comb_str_from(bad[i]);
        must_fail(COMB_INVALID_ARGUMENT,
                  comb_registry_put(f->registry, &f->t.ctx, &entry, LONG_MS, &ttl_ms, &f->t.err),
                  &f->t.err);
        must_fail(COMB_INVALID_ARGUMENT, heartbeat(f, bad[i], "x"), &f->t.err);
    }
    entry.id = STR("x");
    entry.body = comb_str_of(large, sizeof large);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_registry_put(f->registry, &f->t.ctx, &entry, LONG_MS, &ttl_ms, &f->t.err),
              &f->t.err);
    entry.body.len--;
    must_fail(COMB_INVALID_ARGUMENT,
              comb_registry_put(f->registry, &f->t.ctx, &entry, 1, &ttl_ms, &f->t.err), &f->t.err);
    must_ok(comb_registry_put(f->registry, &f->t.ctx, &entry, LONG_MS, &ttl_ms, &f->t.err),
            &f->t.err);
}

static void who_comes_later_sees_what_is_there(void **state)
{
    struct fixture *f = *state;
    put(f, "mail", "before", "x", LONG_MS);
    await_entry(f, "mail", "before", "x");
    comb_directory_free(f->directory);
    must_ok(comb_directory_new(f->registry, &f->directory, &f->t.err), &f->t.err);
    await_entry(f, "mail", "before", "x");
    await_stale(f, false);
}

static void a_check_reaches_the_store(void **state)
{
    struct fixture *f = *state;
    struct comb_store_status status;
    must_ok(comb_registry_check(f->registry, &f->t.ctx, &f->t.err), &f->t.err);
    comb_registry_status(f->registry, &status);
    assert_int_equal(status.state, COMB_STORE_UP);
    assert_string_equal(status.driver, f->registry->driver->name);
    assert_int_equal(status.shared, f->registry->driver->caps & COMB_REGISTRY_CAP_SHARED);
}

/* ---- the replica's own entry ---- */

static const char *volatile own_body = "first";

static comb_str tell_body(void *data, struct grpcc_arena *arena)
{
    const char *text = own_body;
    (void)data;
    return comb_str_of(comb_str_dup(arena, comb_str_from(text)), strlen(text));
}

static void a_replica_stays_entered(void **state)
{
    struct fixture *f = *state;
    const struct comb_directory_self self = {STR("r-1"), tell_body, NULL};
    own_body = "first";
    must_ok(comb_directory_announce(f->directory, &self, &f->t.err), &f->t.err);
    await_entry(f, COMB_DIRECTORY_REPLICA, "r-1", "first");
    own_body = "second";
    comb_directory_refresh(f->directory);
    await_entry(f, COMB_DIRECTORY_REPLICA, "r-1", "second");
    /* Its lease is lost while it lives: it enters itself again. */
    drop(f, COMB_DIRECTORY_REPLICA, "r-1");
    while (heartbeat(f, COMB_DIRECTORY_REPLICA, "r-1") != COMB_OK)
        sleep_ms(20);
    await_entry(f, COMB_DIRECTORY_REPLICA, "r-1", "second");
    comb_directory_withdraw(f->directory);
    await_entry(f, COMB_DIRECTORY_REPLICA, "r-1", NULL);
}

static void nobody_enters_as_a_replica(void **state)
{
    struct fixture *f = *state;
    const struct comb_registry_entry entry = {STR(COMB_DIRECTORY_REPLICA), STR("x"), STR("")};
    uint32_t ttl_ms;
    must_fail(COMB_PERMISSION_DENIED,
              comb_directory_register(f->directory, &f->t.ctx, &entry, LONG_MS, &ttl_ms, &f->t.err),
              &f->t.err);
    must_fail(
        COMB_PERMISSION_DENIED,
        comb_directory_deregister(f->directory, &f->t.ctx, entry.service, entry.id, &f->t.err),
        &f->t.err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_put_is_there_until_it_is_removed),
        TEST(an_entry_ends_with_its_lease),
        TEST(heartbeats_keep_it),
        TEST(an_entry_put_again_outlives_the_first_lease),
        TEST(names_and_sizes_have_limits),
        TEST(who_comes_later_sees_what_is_there),
        TEST(a_check_reaches_the_store),
        TEST(a_replica_stays_entered),
        TEST(nobody_enters_as_a_replica),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
