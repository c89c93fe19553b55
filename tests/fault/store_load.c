/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fault/store_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/files.h"
#include "tests/e2e/calls.h"
#include "tests/fault/store_load_rows.h"
#include "tests/support/cmocka.h"

#define FOLDER "/personal/load"
#define CONTENT_BYTES 20000
#define AWAIT_MS_MAX 60000
/* Between calls of one load: faults are to be met, the machine is not to be filled. */
#define PAUSE_MS 2
#define LOGIN "guest"
#define PASSWORD "correct horse battery"

/* ---- what loads do ---- */

static enum grpcc_status stat_folder(struct store_load *load, struct grpcc_arena *arena,
                                     unsigned number, struct grpcc_error *err)
{
    (void)number;
    return calls_stat(load->client, arena, FOLDER, NULL, err);
}

static enum grpcc_status create(struct store_load *load, struct grpcc_arena *arena, unsigned number,
                                struct grpcc_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "d%u", number);
    return calls_mkdir(load->client, arena, FOLDER, name, false, NULL, err);
}

static enum grpcc_status is_created(struct store_load *load, struct grpcc_arena *arena,
                                    unsigned number, struct grpcc_error *err)
{
    char path[64];
    snprintf(path, sizeof path, FOLDER "/d%u", number);
    return calls_stat(load->client, arena, path, NULL, err);
}

static enum grpcc_status put(struct store_load *load, struct grpcc_arena *arena, unsigned number,
                             struct grpcc_error *err)
{
    char path[64];
    unsigned char *bytes = grpcc_arena_alloc(arena, CONTENT_BYTES);
    assert_non_null(bytes);
    snprintf(path, sizeof path, FOLDER "/f%u", number);
    calls_content(number + 1, bytes, CONTENT_BYTES);
    return comb_put_bytes(load->client, arena, path, bytes, CONTENT_BYTES, NULL, NULL, err);
}

struct comparison {
    const unsigned char *expected;
    size_t n;
    bool differs;
};

static bool compare(void *data, const void *bytes, size_t n)
{
    struct comparison *c = data;
    c->differs =
        c->differs || c->n + n > CONTENT_BYTES || memcmp(c->expected + c->n, bytes, n) != 0;
    c->n += n;
    return !c->differs;
}

static enum grpcc_status is_put(struct store_load *load, struct grpcc_arena *arena, unsigned number,
                                struct grpcc_error *err)
{
    char path[64];
    unsigned char *bytes = grpcc_arena_alloc(arena, CONTENT_BYTES);
    struct comparison comparison = {.expected = bytes};
    assert_non_null(bytes);
    snprintf(path, sizeof path, FOLDER "/f%u", number);
    calls_content(number + 1, bytes, CONTENT_BYTES);
    enum grpcc_status status =
        comb_get_stream(load->client, arena, path, 0, UINT64_MAX, compare, &comparison, NULL, err);
    if (status == GRPCC_OK && (comparison.differs || comparison.n != CONTENT_BYTES))
        return GRPCC_DATA_LOSS;
    return status;
}

static enum grpcc_status log_in(struct store_load *load, struct grpcc_arena *arena, unsigned number,
                                struct grpcc_error *err)
{
    const struct comb_client_options options = {
        .size = sizeof options, .timeout_ms = STORE_LOAD_TIMEOUT_MS, .attempts_max = 1};
    struct comb_client *guest = NULL;
    (void)arena;
    (void)number;
    enum grpcc_status status =
        comb_client_open(comb_client_servers(load->client), &options, &guest, err);
    if (status == GRPCC_OK)
        status = comb_client_login(guest, LOGIN, PASSWORD, "test", err);
    comb_client_close(guest);
    return status;
}

const struct store_load_kind store_load_kinds[STORE_LOADS] = {
    [STORE_LOAD_STAT] = {"stat a folder", stat_folder, NULL, 0},
    [STORE_LOAD_CREATE] = {"create a folder", create, is_created, 0},
    [STORE_LOAD_PUT] = {"put a file", put, is_put, 0},
    [STORE_LOAD_LOGIN] = {"log in", log_in, NULL, 0},
    [STORE_LOAD_CONFIG] = {"set a value (compare and set)", store_load_set, store_load_is_set,
                           STORE_LOAD_SLOTS},
    [STORE_LOAD_VAULT] = {"put a secret (compare and set)", store_load_hide, store_load_is_hidden,
                          STORE_LOAD_SLOTS},
    [STORE_LOAD_REGISTER] = {"register", store_load_enter, store_load_is_entered, STORE_LOAD_SLOTS},
    [STORE_LOAD_PUBLISH] = {"publish", store_load_publish, NULL, 0},
};

/* ---- their threads ---- */

static void *run(void *data)
{
    struct store_load *load = data;
    while (!atomic_load(&load->stop) && atomic_load(&load->n) < STORE_LOAD_CALLS_MAX) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct grpcc_arena *arena = grpcc_arena_new(0);
        unsigned number = atomic_load(&load->n);
        struct store_load_call *call = &load->calls[number];
        call->begin_ns = calls_now_ns();
        call->status = load->kind->call(load, arena, number, &err);
        call->end_ns = calls_now_ns();
        if (call->status != GRPCC_OK && !load->messages[call->status][0])
            snprintf(load->messages[call->status], sizeof load->messages[0], "%s", err.message);
        atomic_store(&load->n, number + 1);
        grpcc_arena_free(arena);
        calls_sleep_ms(PAUSE_MS);
    }
    return NULL;
}

void store_load_prepare(const struct combd *combd)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_client *client = combd_client(combd);
    if (calls_mkdir(client, arena, "/personal", "load", true, NULL, &err) != GRPCC_OK)
        fail_msg(FOLDER ": %s", err.message);
    comb_client_close(client);
    comb_client_close(combd_client_as(combd, LOGIN));
    grpcc_arena_free(arena);
}

void store_load_start(struct store_load *load, enum store_load_number number,
                      const struct combd *combd)
{
    const struct comb_client_options options = {
        .size = sizeof options, .timeout_ms = STORE_LOAD_TIMEOUT_MS, .attempts_max = 1};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    memset(load, 0, sizeof *load);
    load->kind = &store_load_kinds[number];
    load->calls = calloc(STORE_LOAD_CALLS_MAX, sizeof *load->calls);
    assert_non_null(load->calls);
    if (comb_client_open(combd->address, &options, &load->client, &err) != GRPCC_OK ||
        comb_client_login(load->client, "admin", combd->password, "load", &err) != GRPCC_OK)
        fail_msg("%s: %s", combd->address, err.message);
    assert_int_equal(pthread_create(&load->thread, NULL, run, load), 0);
}

int64_t store_load_await_success(struct store_load *load, int64_t since_ns)
{
    unsigned seen = 0;
    for (int waited = 0; waited < AWAIT_MS_MAX; waited += 1) {
        for (; seen < atomic_load(&load->n); seen++) {
            const struct store_load_call *call = &load->calls[seen];
            if (call->status == GRPCC_OK && call->begin_ns >= since_ns)
                return call->end_ns - since_ns;
        }
        calls_sleep_ms(1);
    }
    for (size_t i = 0; i <= GRPCC_UNAUTHENTICATED; i++)
        if (load->messages[i][0])
            print_error("%s: %s\n", grpcc_status_name((enum grpcc_status)i), load->messages[i]);
    fail_msg("\"%s\" does not succeed any more", load->kind->name);
    return 0;
}

int64_t store_load_last_acknowledged(const struct store_load *load, unsigned number)
{
    unsigned slots = load->kind->slots;
    for (int64_t at = (int64_t)number - slots; slots && at >= 0; at -= slots) {
        if (load->calls[at].status == GRPCC_OK)
            return at;
    }
    return -1;
}

enum grpcc_status store_load_wrong(struct grpcc_error *err, const char *what, int64_t number)
{
    return grpcc_error_set(err, GRPCC_DATA_LOSS, "%s: %lld", what, (long long)number);
}

void store_load_stop(struct store_load *load)
{
    atomic_store(&load->stop, true);
    pthread_join(load->thread, NULL);
}

/* Whether a later call was acknowledged into the same place. */
static bool is_overwritten(const struct store_load *load, unsigned number)
{
    unsigned n = atomic_load(&load->n), slots = load->kind->slots;
    for (unsigned at = number + slots; slots && at < n; at += slots) {
        if (load->calls[at].status == GRPCC_OK)
            return true;
    }
    return false;
}

void store_load_verify(struct store_load *load, unsigned *ret_acknowledged, unsigned *ret_lost)
{
    *ret_acknowledged = *ret_lost = 0;
    for (unsigned i = 0; i < atomic_load(&load->n); i++) {
        if (load->calls[i].status != GRPCC_OK)
            continue;
        (*ret_acknowledged)++;
        if (!load->kind->verify || is_overwritten(load, i))
            continue;
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct grpcc_arena *arena = grpcc_arena_new(0);
        if (load->kind->verify(load, arena, i, &err) != GRPCC_OK) {
            print_error("%s, number %u: %s\n", load->kind->name, i, err.message);
            (*ret_lost)++;
        }
        grpcc_arena_free(arena);
    }
}

void store_load_free(struct store_load *load)
{
    comb_client_close(load->client);
    free(load->calls);
}
