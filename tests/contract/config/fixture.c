/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/config/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/random.h"

/* A busy machine takes long. */
enum { PATIENCE_S = 60 };

int config_setup(void **state)
{
    struct config_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    test_ctx_init(&f->test);
    driver_url(f->url, sizeof f->url);
    config_reopen(f);
    *state = f;
    return 0;
}

int config_teardown(void **state)
{
    struct config_fixture *f = *state;
    comb_config_store_close(f->store);
    test_ctx_done(&f->test);
    free(f);
    return 0;
}

void config_reopen(struct config_fixture *f)
{
    const struct comb_store_options options = {.url = comb_str_from(f->url)};
    comb_config_store_close(f->store);
    f->store = NULL;
    must_ok(driver_open(&options, &f->store, &f->test.err), &f->test.err);
}

enum comb_status config_try_set(struct config_fixture *f, const char *path, const char *value,
                                int64_t expected, int64_t *ret_revision)
{
    struct comb_uuid id = comb_uuid_new();
    const struct comb_config_change change = {.path = comb_str_from(path),
                                              .value = comb_str_from(value),
                                              .has_expected = expected >= 0,
                                              .expected = expected};
    const struct comb_config_batch batch = {
        .changes = &change,
        .n = 1,
        .actor = STR("tester"),
        .request = comb_str_from(comb_uuid_text(f->test.ctx.arena, &id))};
    struct comb_config_outcome outcome = {0};
    enum comb_status status =
        comb_config_store_apply(f->store, &f->test.ctx, &batch, &outcome, &f->test.err);
    *ret_revision = outcome.revision;
    return status;
}

int64_t config_set(struct config_fixture *f, const char *path, const char *value)
{
    int64_t revision;
    must_ok(config_try_set(f, path, value, -1, &revision), &f->test.err);
    assert_true(revision > 0);
    return revision;
}

int64_t config_must_hold(struct config_fixture *f, const char *path, const char *value)
{
    struct comb_config_entry entry = {.revision = 77};
    enum comb_status status =
        comb_config_store_get(f->store, &f->test.ctx, comb_str_from(path), &entry, &f->test.err);
    if (!value) {
        must_fail(COMB_NOT_FOUND, status, &f->test.err);
        assert_int_equal(entry.revision, 77);
        return 0;
    }
    must_ok(status, &f->test.err);
    assert_true(comb_str_equal(entry.value, comb_str_from(value)));
    assert_true(comb_str_equal(entry.path, comb_str_from(path)));
    return entry.revision;
}

/* ---- the witness ---- */

void config_witness_init(struct config_witness *witness)
{
    *witness = (struct config_witness){.in_order = true};
    pthread_mutex_init(&witness->lock, NULL);
    pthread_cond_init(&witness->changed, NULL);
}

static void keep(struct config_witness *witness, const struct comb_config_entry *entry)
{
    snprintf(witness->path, sizeof witness->path, "%.*s", COMB_STR_ARG(entry->path));
    snprintf(witness->value, sizeof witness->value, "%.*s",
             entry->value.ptr ? (int)entry->value.len : 1,
             entry->value.ptr ? entry->value.ptr : "-");
}

static bool on_everything(void *self, const struct comb_config_entry *entries, size_t n,
                          int64_t revision)
{
    struct config_witness *witness = self;
    const struct comb_config_entry *newest = NULL;
    pthread_mutex_lock(&witness->lock);
    bool taken = witness->refuse == 0;
    witness->refuse -= !taken;
    witness->everything++;
    witness->revision = revision;
    for (size_t i = 0; i < n; i++) {
        if (!newest || entries[i].revision > newest->revision)
            newest = &entries[i];
    }
    if (newest)
        keep(witness, newest);
    pthread_cond_broadcast(&witness->changed);
    pthread_mutex_unlock(&witness->lock);
    return taken;
}

static bool on_changed(void *self, const struct comb_config_entry *entries, size_t n,
                       int64_t revision)
{
    struct config_witness *witness = self;
    pthread_mutex_lock(&witness->lock);
    bool taken = witness->refuse == 0;
    witness->refuse -= !taken;
    for (size_t i = 0; i < n; i++) {
        witness->in_order &= entries[i].revision > witness->revision;
        keep(witness, &entries[i]);
    }
    witness->changes += (int)n;
    witness->revision = revision;
    pthread_cond_broadcast(&witness->changed);
    pthread_mutex_unlock(&witness->lock);
    return taken;
}

static void on_state(void *self, const struct comb_error *err)
{
    struct config_witness *witness = self;
    pthread_mutex_lock(&witness->lock);
    witness->lost += err != NULL;
    witness->found += err == NULL;
    pthread_cond_broadcast(&witness->changed);
    pthread_mutex_unlock(&witness->lock);
}

struct comb_config_observer config_witness_observer(struct config_witness *witness)
{
    return (struct comb_config_observer){
        .everything = on_everything, .changed = on_changed, .state = on_state, .self = witness};
}

void config_await_value(struct config_witness *witness, const char *path, const char *value)
{
    struct timespec until = {.tv_sec = time(NULL) + PATIENCE_S};
    pthread_mutex_lock(&witness->lock);
    while (strcmp(witness->path, path) != 0 || strcmp(witness->value, value) != 0) {
        if (pthread_cond_timedwait(&witness->changed, &witness->lock, &until) != 0)
            fail_msg("waited for %s = %s: the newest is %s = %s", path, value, witness->path,
                     witness->value);
    }
    pthread_mutex_unlock(&witness->lock);
}

void config_await_count(struct config_witness *witness, const int *counter, int n)
{
    struct timespec until = {.tv_sec = time(NULL) + PATIENCE_S};
    pthread_mutex_lock(&witness->lock);
    while (*counter < n)
        assert_int_equal(pthread_cond_timedwait(&witness->changed, &witness->lock, &until), 0);
    pthread_mutex_unlock(&witness->lock);
}
