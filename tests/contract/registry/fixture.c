/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/registry/fixture.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS_MAX 3000
#define ROUND_MS 20

int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    test_ctx_init(&f->t);
    must_ok(driver_open(&f->registry, &f->t.err), &f->t.err);
    must_ok(comb_directory_new(f->registry, &f->directory, &f->t.err), &f->t.err);
    *state = f;
    return 0;
}

int teardown(void **state)
{
    struct fixture *f = *state;
    comb_directory_free(f->directory);
    comb_registry_close(f->registry);
    test_ctx_done(&f->t);
    free(f);
    return 0;
}

void sleep_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

void put(struct fixture *f, const char *service, const char *id, const char *body, uint32_t ttl_ms)
{
    const struct comb_registry_entry entry = {comb_str_from(service), comb_str_from(id),
                                              comb_str_from(body)};
    uint32_t granted_ms = 0;
    test_ctx_next(&f->t);
    must_ok(comb_registry_put(f->registry, &f->t.ctx, &entry, ttl_ms, &granted_ms, &f->t.err),
            &f->t.err);
    assert_true(granted_ms >= ttl_ms);
}

enum comb_status heartbeat(struct fixture *f, const char *service, const char *id)
{
    test_ctx_next(&f->t);
    return comb_registry_heartbeat(f->registry, &f->t.ctx, comb_str_from(service),
                                   comb_str_from(id), &f->t.err);
}

void drop(struct fixture *f, const char *service, const char *id)
{
    test_ctx_next(&f->t);
    must_ok(comb_registry_remove(f->registry, &f->t.ctx, comb_str_from(service), comb_str_from(id),
                                 &f->t.err),
            &f->t.err);
}

static bool has(struct fixture *f, const char *service, const char *id, const char *body)
{
    struct comb_directory_page page;
    bool there = false, same = false;
    test_ctx_next(&f->t);
    must_ok(comb_directory_list(f->directory, f->t.ctx.arena, comb_str_from(service), (comb_str){0},
                                1000, &page, &f->t.err),
            &f->t.err);
    for (size_t i = 0; i < page.n; i++) {
        if (comb_str_equal(page.entries[i].id, comb_str_from(id))) {
            there = true;
            same = body && comb_str_equal(page.entries[i].body, comb_str_from(body));
        }
    }
    return body ? same : !there;
}

void await_entry(struct fixture *f, const char *service, const char *id, const char *body)
{
    for (int i = 0; i < ROUNDS_MAX; i++) {
        if (has(f, service, id, body))
            return;
        sleep_ms(ROUND_MS);
    }
    fail_msg("%s/%s is not as expected: %s", service, id, body ? body : "gone");
}

void await_stale(struct fixture *f, bool stale)
{
    struct comb_directory_page page = {.stale = !stale};
    for (int i = 0; i < ROUNDS_MAX && page.stale != stale; i++) {
        test_ctx_next(&f->t);
        must_ok(comb_directory_list(f->directory, f->t.ctx.arena, (comb_str){0}, (comb_str){0}, 1,
                                    &page, &f->t.err),
                &f->t.err);
        if (page.stale != stale)
            sleep_ms(ROUND_MS);
    }
    assert_int_equal(page.stale, stale);
}
