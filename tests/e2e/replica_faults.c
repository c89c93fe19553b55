/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that was told of one replica finds the others, and shows its program nothing of what
 * happens to any single one of them: no error, nothing lost, nothing done twice.
 */
#include "tests/e2e/replica_faults.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "comb/statistics.h"
#include "tests/e2e/calls.h"
#include "tests/e2e/load.h"
#include "tests/support/cmocka.h"

#define REPLICAS 3
#define KILLS_LONG 20 /* of each */
#define FREEZE_MS_SHORT 2000
#define FREEZE_MS_LONG 30000
/* Calls between two faults. */
#define CALLS_BETWEEN 150
#define AWAIT_MS 60000
#define CALL_MS 60000
/* What the client finds out by itself, and a machine that is busy with other things. */
#define LONGEST_MS_MAX 15000

static struct combd *replicas[REPLICAS], third;
static struct comb_client *client;

void replica_faults_begin(struct combd *first, struct combd *second)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    /* A machine that stands still for seconds makes the database seem away: many attempts. */
    struct comb_client_options options = {.size = sizeof options,
                                          .discovery_ms = 1000,
                                          .timeout_ms = CALL_MS,
                                          .attempts_max = 100,
                                          .retry_tokens_max = 10000};
    replicas[0] = first;
    replicas[1] = second;
    replicas[2] = &third;
    if (comb_client_open(first->address, &options, &client, &err) != GRPCC_OK ||
        comb_client_login(client, "admin", first->password, "faults", &err) != GRPCC_OK)
        fail_msg("log in: %s", err.message);
}

void replica_faults_end(void)
{
    comb_client_close(client);
    combd_done(&third);
}

struct combd *replica_faults_third(void)
{
    return &third;
}

/* ---- what the client thinks ---- */

/* Of the replica at target; its attempts in *ret_attempts. */
static bool is_served_by(const char *target, uint64_t *ret_attempts)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_replica_state **states = comb_client_replicas(client, arena);
    bool good = false;
    assert_non_null(states);
    for (size_t i = 0; states[i]; i++) {
        if (strcmp(states[i]->target, target) != 0)
            continue;
        good = states[i]->connected && states[i]->listed && !states[i]->ejected;
        *ret_attempts = states[i]->attempts;
    }
    grpcc_arena_free(arena);
    return good;
}

static void read_once(void)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (calls_stat(client, arena, "/personal", NULL, &err) != GRPCC_OK)
        fail_msg("stat: %s", err.message);
    grpcc_arena_free(arena);
}

/* Calls go on meanwhile: the list is only asked for while there are some. */
static void await_calls_at(const struct combd *combd)
{
    uint64_t before = 0, now = 0;
    (void)is_served_by(combd->address, &before);
    for (int waited = 0; waited < AWAIT_MS; waited += 5) {
        read_once();
        if (is_served_by(combd->address, &now) && now > before)
            return;
        /* It was the replica of before, which has left since: another one counts anew. */
        before = now < before ? now : before;
        calls_sleep_ms(5);
    }
    struct grpcc_arena *arena = grpcc_arena_new(0);
    fail_msg("no calls at %s: %s", combd->address, comb_client_dump(client, arena));
}

static void await_all(void)
{
    for (size_t i = 0; i < REPLICAS; i++)
        await_calls_at(replicas[i]);
}

static void print_client(void)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    print_message("%s\n", comb_client_dump(client, arena));
    grpcc_arena_free(arena);
}

/* ---- faults ---- */

static struct combd *other_than(size_t i)
{
    return replicas[(i + 1) % REPLICAS];
}

static void finish(struct load *load, const char *fault)
{
    struct load_report report;
    load_stop(load, &report);
    load_print(fault, &report);
    if (report.errors)
        print_client();
    load_must_be_clean(&report);
}

void a_replica_joins_and_gets_calls(void **state)
{
    (void)state;
    load_print_head();
    struct load *load = load_start(client, "joins");
    load_await(load, CALLS_BETWEEN);
    combd_start_beside(&third, replicas[0], NULL);
    await_all();
    load_await(load, CALLS_BETWEEN);
    finish(load, "a replica joins");
}

void each_replica_is_killed(void **state)
{
    (void)state;
    unsigned rounds = calls_count(1, KILLS_LONG);
    struct load *load = load_start(client, "killed");
    for (unsigned n = 0; n < rounds * REPLICAS; n++) {
        size_t i = n % REPLICAS;
        load_await(load, CALLS_BETWEEN);
        combd_kill(replicas[i]);
        load_await(load, CALLS_BETWEEN);
        combd_start_beside(replicas[i], other_than(i), NULL);
        await_calls_at(replicas[i]);
    }
    finish(load, "each replica killed with -9");
}

void each_replica_is_frozen(void **state)
{
    (void)state;
    bool all = calls_count(0, 1) == 1;
    struct load_report report;
    struct load *load = load_start(client, "frozen");
    for (size_t i = 0; i < (all ? REPLICAS : 1); i++) {
        load_await(load, CALLS_BETWEEN);
        kill(replicas[i]->pid, SIGSTOP);
        calls_sleep_ms(all ? FREEZE_MS_LONG : FREEZE_MS_SHORT);
        kill(replicas[i]->pid, SIGCONT);
        await_calls_at(replicas[i]);
    }
    load_stop(load, &report);
    load_print(all ? "each replica frozen for 30 s" : "a replica frozen for 2 s", &report);
    load_must_be_clean(&report);
    if (all && report.longest_ms > LONGEST_MS_MAX)
        fail_msg("a call took %.0f ms", report.longest_ms);
}

void each_replica_is_restarted(void **state)
{
    (void)state;
    size_t n = calls_count(1, REPLICAS);
    struct load *load = load_start(client, "restarted");
    for (size_t i = 0; i < n; i++) {
        load_await(load, CALLS_BETWEEN);
        combd_stop(replicas[i]);
        combd_start_beside(replicas[i], other_than(i), NULL);
        await_calls_at(replicas[i]);
    }
    finish(load, n > 1 ? "each replica drained and restarted" : "a replica drained and restarted");
}
