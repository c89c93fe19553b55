/* SPDX-License-Identifier: Apache-2.0 */
/* The cache in memory keeps to its size, and its URL is read. */
#include <stdio.h>
#include <string.h>

#include "tests/contract/cache/fixture.h"

enum { KEEP_MS = 60000, ENTRIES = 2000, VALUE_BYTES = 500 };

static void what_was_not_used_for_longest_goes(void **state)
{
    struct fixture *f = *state;
    char value[VALUE_BYTES] = {0}, name[16];
    int n_there = 0;
    comb_cache_close(f->cache);
    f->cache = open_cache(f, "mem:256KiB");
    put(f, key_at("used", 1, 1), STR("x"), KEEP_MS);
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "n%d", i);
        put(f, key_at(name, 1, 1), comb_str_of(value, sizeof value), KEEP_MS);
        must_hold(f, key_at(name, 1, 1), comb_str_of(value, sizeof value));
        must_hold(f, key_at("used", 1, 1), STR("x"));
    }
    for (int i = 0; i < ENTRIES; i++) {
        snprintf(name, sizeof name, "n%d", i);
        n_there += get(f, key_at(name, 1, 1)).ptr != NULL;
    }
    /* Some of the newest, and no more than fit. */
    assert_in_range(n_there, 50, 256 * 1024 / VALUE_BYTES);
    must_miss(f, key_at("n0", 1, 1));
}

static void what_is_larger_than_its_share_is_not_kept(void **state)
{
    struct fixture *f = *state;
    static char large[64 * 1024];
    comb_cache_close(f->cache);
    f->cache = open_cache(f, "mem:64KiB");
    put(f, key_at("a", 1, 1), STR("old"), KEEP_MS);
    put(f, key_at("a", 1, 1), comb_str_of(large, sizeof large), KEEP_MS);
    must_miss(f, key_at("a", 1, 1));
}

static void must_refuse(struct fixture *f, const char *url, const char *credentials)
{
    const struct comb_store_options options = {comb_str_from(url), comb_str_from(credentials)};
    struct comb_cache *cache = NULL;
    must_fail(COMB_INVALID_ARGUMENT, driver_open(&options, &cache, &f->t.err), &f->t.err);
    assert_null(cache);
}

static void sizes_are_read(void **state)
{
    struct fixture *f = *state;
    static const char *const good[] = {"mem:", "mem:65536", "mem:64KiB", "mem:1MiB", "mem:2GiB"};
    static const char *const bad[] = {"mem",         "redis://a", "mem:x",
                                      "mem:65535",   "mem:1MB",   "mem:-1",
                                      "mem:1025GiB", "mem:1 MiB", "mem:99999999999999999999999999",
                                      "mem:MiB"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        comb_cache_close(open_cache(f, good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        must_refuse(f, bad[i], "");
    must_refuse(f, "mem:", "secret");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_not_used_for_longest_goes),
        TEST(what_is_larger_than_its_share_is_not_kept),
        TEST(sizes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
