/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/cache/fixture.h"

#define KEEP_MS 60000

struct comb_cache *open_cache(struct fixture *f, const char *url)
{
    const struct comb_store_options options = {.url = comb_str_from(url)};
    struct comb_cache *cache = NULL;
    must_ok(driver_open(&options, &cache, &f->t.err), &f->t.err);
    must_ok(comb_cache_check(cache, &f->t.ctx, &f->t.err), &f->t.err);
    return cache;
}

int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    test_ctx_init(&f.t);
    driver_url(f.url, sizeof f.url);
    f.cache = open_cache(&f, f.url);
    *state = &f;
    return 0;
}

int teardown(void **state)
{
    struct fixture *f = *state;
    comb_cache_close(f->cache);
    test_ctx_done(&f->t);
    return 0;
}

struct comb_cache_key key_at(const char *name, uint64_t incarnation, uint64_t sequence)
{
    return (struct comb_cache_key){comb_str_from(name), {incarnation, sequence}};
}

void put(struct fixture *f, struct comb_cache_key key, comb_str value, uint32_t ttl_ms)
{
    const struct comb_cache_entry entry = {key, value, ttl_ms};
    test_ctx_next(&f->t);
    comb_cache_put(f->cache, &f->t.ctx, &entry, 1);
}

comb_str get(struct fixture *f, struct comb_cache_key key)
{
    comb_str value = STR("untouched");
    test_ctx_next(&f->t);
    comb_cache_get(f->cache, &f->t.ctx, &key, 1, &value);
    return value;
}

void must_hold(struct fixture *f, struct comb_cache_key key, comb_str value)
{
    comb_str found = get(f, key);
    assert_non_null(found.ptr);
    assert_true(comb_str_equal(found, value));
}

void must_miss(struct fixture *f, struct comb_cache_key key)
{
    assert_null(get(f, key).ptr);
}

struct comb_cache_counter count(struct fixture *f, const char *name, uint32_t add, bool reset)
{
    const struct comb_cache_step step = {comb_str_from(name), add, reset, KEEP_MS};
    struct comb_cache_counter counter;
    test_ctx_next(&f->t);
    must_ok(comb_cache_count(f->cache, &f->t.ctx, &step, 1, &counter, &f->t.err), &f->t.err);
    return counter;
}
