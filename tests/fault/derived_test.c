/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An import during which whoever holds the consumers of the feed is killed again and again, and
 * with clustered stores these too: what is derived is, in the end, what the feed says, nothing
 * missing and nothing twice, and nothing lags any more. Long: 10,000 files, ten holders and five
 * times a store.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/files.h"
#include "comb/v1/admin.grpcc.h"
#include "tests/e2e/calls.h"
#include "tests/e2e/combd.h"
#include "tests/fault/derived_checks.h"
#include "tests/support/cmocka.h"

#define FILES_SHORT 300
#define FILES_LONG 10000
#define KILLS_SHORT 2
#define KILLS_LONG 10
#define REPLICAS 2
#define WORKERS 3
#define BYTES_MAX 2000
#define LIVES_MS_MAX 400
/* A takeover takes 16 s; a machine that stands still meanwhile gets its time too. */
#define AWAIT_MS_MAX 120000
/* The MongoDB of the tests indexes some ten files a second. */
#define CATCH_UP_MS_LONG 1800000
/* A file is sent again and again while replicas or stores are away. */
#define SEND_MS_MAX 120000
#define AGAIN_MS 100

static const char *const flags[] = {"--extract-program", "server/extract/worker/comb-extract",
                                    NULL};
static struct combd replicas[REPLICAS];
static unsigned n_replicas;
static struct comb_client *client; /* of all replicas */
/* Of each one's admin side. One session each: every log-in is a line of the audit trail. */
static struct comb_client *admins[REPLICAS];

struct import {
    atomic_uint next, allowed, sent; /* files */
    unsigned files;
    atomic_bool failed;
    pthread_mutex_t lock;
    char error[GRPCC_STATUS_MESSAGE_MAX + 128];
};

/* ---- sending ---- */

static bool passes(enum grpcc_status status)
{
    return status == GRPCC_UNAVAILABLE || status == GRPCC_DEADLINE_EXCEEDED ||
           status == GRPCC_ABORTED || status == GRPCC_RESOURCE_EXHAUSTED;
}

static enum grpcc_status send_file(unsigned file, struct grpcc_error *err)
{
    char text[BYTES_MAX], path[64];
    size_t n = derived_text(file, text, sizeof text);
    struct comb_put_options options = {.size = sizeof options, .absent = true};
    int64_t until_ns = calls_now_ns() + SEND_MS_MAX * 1000000LL;
    enum grpcc_status status;
    snprintf(path, sizeof path, "/personal/derived/%u.txt", file);
    do {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        *err = (struct grpcc_error)GRPCC_ERROR_INIT;
        status = comb_put_bytes(client, arena, path, text, n, &options, NULL, err);
        grpcc_arena_free(arena);
        if (passes(status))
            calls_sleep_ms(AGAIN_MS);
    } while (passes(status) && calls_now_ns() < until_ns);
    /* An earlier try of ours, whose answer was lost. */
    return status == GRPCC_ALREADY_EXISTS ? GRPCC_OK : status;
}

static void *send_files(void *data)
{
    struct import *import = data;
    while (!atomic_load(&import->failed)) {
        struct grpcc_error err;
        unsigned file = atomic_fetch_add(&import->next, 1);
        if (file >= import->files)
            break;
        while (file >= atomic_load(&import->allowed))
            calls_sleep_ms(5);
        enum grpcc_status status = send_file(file, &err);
        if (status == GRPCC_OK) {
            atomic_fetch_add(&import->sent, 1);
            continue;
        }
        pthread_mutex_lock(&import->lock);
        snprintf(import->error, sizeof import->error, "file %u: %s: %s", file,
                 grpcc_status_name(status), err.message);
        pthread_mutex_unlock(&import->lock);
        atomic_store(&import->failed, true);
    }
    return NULL;
}

/* ---- who holds what ---- */

struct look {
    bool is_answered;
    unsigned held;  /* by the replica that answers */
    uint64_t lag;   /* entries, of all consumers */
    uint64_t aside; /* the same */
    bool is_building, is_free;
    char text[512];
};

static struct look look_at(unsigned replica)
{
    struct look look = {.is_answered = false};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_admin_consumers_request *request = comb_v1_admin_consumers_request_new(arena);
    struct comb_v1_admin_consumers_response *response = NULL;
    look.is_answered = comb_v1_admin_consumers(comb_client_channel(admins[replica]), arena, NULL,
                                               request, &response, &err) == GRPCC_OK;
    for (size_t i = 0; look.is_answered && i < response->n_consumers; i++) {
        const struct comb_v1_admin_consumer *consumer = response->consumers[i];
        size_t n = strlen(look.text);
        look.held += consumer->held && consumer->this_replica;
        look.is_free = look.is_free || !consumer->held;
        look.lag += consumer->lag_entries;
        look.aside += consumer->set_aside;
        look.is_building = look.is_building || consumer->rebuild != 0;
        snprintf(look.text + n, sizeof look.text - n, " %s: %llu behind%s;", consumer->name,
                 (unsigned long long)consumer->lag_entries, consumer->held ? "" : ", free");
    }
    if (!look.is_answered)
        snprintf(look.text, sizeof look.text, "%.400s", err.message);
    grpcc_arena_free(arena);
    return look;
}

/* The replica that holds most; waits until one holds something. */
static struct combd *await_holder(void)
{
    struct look look = {.held = 0};
    for (long waited = 0; waited < AWAIT_MS_MAX; waited += AGAIN_MS) {
        struct combd *best = NULL;
        unsigned most = 0;
        for (unsigned i = 0; i < n_replicas; i++) {
            look = look_at(i);
            if (look.held > most) {
                best = &replicas[i];
                most = look.held;
            }
        }
        if (best)
            return best;
        calls_sleep_ms(AGAIN_MS);
    }
    fail_msg("nobody holds a consumer:%s", look.text);
    return NULL;
}

static void await_no_lag(void)
{
    struct look look = {.lag = 0};
    int64_t begin_ns = calls_now_ns();
    const long most_ms = calls_count(AWAIT_MS_MAX, CATCH_UP_MS_LONG);
    for (long waited = 0; waited < most_ms; waited += AGAIN_MS) {
        look = look_at(0);
        if (look.is_answered && look.lag == 0 && !look.is_building && !look.is_free) {
            assert_int_equal(look.aside, 0);
            print_message("no lag any more %.1f s after the import\n",
                          (double)(calls_now_ns() - begin_ns) / 1e9);
            return;
        }
        calls_sleep_ms(AGAIN_MS);
    }
    fail_msg("it lags:%s", look.text);
}

/* ---- breaking ---- */

static void kill_replica(struct combd *combd, bool with_store, unsigned round)
{
    /* Whose store is embedded loses both at once. */
    static const char *const stores[] = {"postgres", "mongodb"};
    combd_kill(combd);
    if (with_store && combd->stores) {
        const char *store = stores[round / 2 % (sizeof stores / sizeof stores[0])];
        print_message("round %u: a holder and %s\n", round, store);
        stores_kill(combd->stores, store);
        calls_sleep_ms(500);
        stores_start(combd->stores);
    } else {
        print_message("round %u: a holder\n", round);
    }
    if (combd == &replicas[0])
        combd_start(combd, flags);
    else
        combd_start_beside(combd, &replicas[0], flags);
}

static void break_again_and_again(struct import *import, unsigned kills, bool is_long)
{
    uint64_t random = (uint64_t)calls_now_ns() | 1;
    for (unsigned round = 0; round < kills; round++) {
        /* In the short form the last one does not wait for a takeover: nobody holds it just then.
         */
        struct combd *victim =
            is_long || round == 0 ? await_holder() : &replicas[round % n_replicas];
        atomic_store(&import->allowed, import->files * (round + 1) / kills);
        calls_sleep_ms((long)calls_draw(&random, LIVES_MS_MAX));
        kill_replica(victim, round % 2 == 0, round);
    }
    atomic_store(&import->allowed, import->files);
}

/* ---- the test ---- */

static void open_clients(void)
{
    char servers[REPLICAS * 80] = "";
    struct grpcc_error err = GRPCC_ERROR_INIT;
    for (unsigned i = 0; i < n_replicas; i++) {
        size_t n = strlen(servers);
        snprintf(servers + n, sizeof servers - n, "%s%s", n ? "," : "", replicas[i].address);
        if (comb_client_open(replicas[i].admin_address, NULL, &admins[i], &err) != GRPCC_OK ||
            comb_client_login(admins[i], "admin", replicas[0].password, "look", &err) != GRPCC_OK)
            fail_msg("%s: %s", replicas[i].admin_address, err.message);
    }
    if (comb_client_open(servers, NULL, &client, &err) != GRPCC_OK ||
        comb_client_login(client, "admin", replicas[0].password, "import", &err) != GRPCC_OK)
        fail_msg("%s: %s", servers, err.message);
}

static void what_is_derived_survives_its_makers(void **state)
{
    const unsigned files = calls_count(FILES_SHORT, FILES_LONG);
    const unsigned kills = calls_count(KILLS_SHORT, KILLS_LONG);
    struct import import = {.files = files, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct derived_feed feed;
    pthread_t threads[WORKERS];
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    const char *cursor = NULL;
    (void)state;
    assert_int_equal(calls_cursor(client, arena, "/personal", &cursor, &err), GRPCC_OK);
    assert_int_equal(calls_mkdir(client, arena, "/personal", "derived", false, NULL, &err),
                     GRPCC_OK);
    int64_t begin_ns = calls_now_ns();
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_files, &import), 0);
    break_again_and_again(&import, kills, kills == KILLS_LONG);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    if (atomic_load(&import.failed))
        fail_msg("%s", import.error);
    assert_int_equal(atomic_load(&import.sent), files);
    print_message("%u files in %.1f s, %u holders killed\n", files,
                  (double)(calls_now_ns() - begin_ns) / 1e9, kills);
    await_no_lag();
    derived_feed_read(&feed, client, cursor, files + 1);
    assert_int_equal(feed.n, files);
    for (unsigned i = 0; i < derived_kinds_count; i++)
        derived_kinds[i].check(&feed, client);
    derived_feed_done(&feed);
    grpcc_arena_free(arena);
}

static int set_up(void **state)
{
    (void)state;
    combd_start(&replicas[0], flags);
    n_replicas = replicas[0].stores ? REPLICAS : 1;
    for (unsigned i = 1; i < n_replicas; i++)
        combd_start_beside(&replicas[i], &replicas[0], flags);
    open_clients();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    comb_client_close(client);
    for (unsigned i = 0; i < n_replicas; i++) {
        comb_client_close(admins[i]);
        combd_done(&replicas[i]);
    }
    if (replicas[0].stores)
        stores_stop(replicas[0].stores);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_derived_survives_its_makers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
