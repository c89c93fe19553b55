/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm ADDRESSES PASSWORD-FILE BREAKER [FAULT...]: the faults of a cluster that runs, one after
 * another, under sixteen clients; all of them, or those that are named. BREAKER is the command
 * that breaks and heals: "bazel/cluster --dir DIR break". With COMB_LONG=1 each as often and as
 * long as README.md says, and with the SDK's own settings. Prints a table; fails where a call
 * failed that need not, or where what the clients saw is not what is promised.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/calls.h"
#include "tests/storm/storm.h"

#define REPLICAS 3
/* Good calls before a fault, under it, and after it is healed. */
#define CALLS_SHORT 300
#define CALLS_LONG 2000
/* And at least so long before it: rights change a few times. */
#define CALM_MS 1500
#define KILLS_LONG 20
#define FREEZE_MS_SHORT 2000
#define FREEZE_MS_LONG 30000
#define AWAY_MS_SHORT 1500
#define AWAY_MS_LONG 5000

static const char *breaker;

/* breaker VERB WHAT */
static void do_break(const char *verb, const char *what)
{
    char command[1024];
    snprintf(command, sizeof command, "%s %s %s >&2", breaker, verb, what);
    fflush(NULL);
    if (system(command) != 0)
        storm_die("%s failed", command);
}

/* ---- faults ---- */

struct fault {
    const char *name;
    void (*strike)(struct storm *storm, const struct fault *fault);
    const char *what; /* parts, for the breaker */
    const char *heal; /* the same, where they have other names then; NULL: as before */
    enum storm_away away;
    bool is_short; /* also without COMB_LONG */
};

static unsigned calls_of_phase(void)
{
    return calls_count(CALLS_SHORT, CALLS_LONG);
}

static void part_of(unsigned replica, char ret_part[16])
{
    snprintf(ret_part, 16, "replica%u", replica + 1);
}

static void kill_each(struct storm *storm, const struct fault *fault)
{
    (void)fault;
    unsigned rounds = calls_count(1, KILLS_LONG);
    for (unsigned i = 0; i < rounds * calls_count(1, REPLICAS); i++) {
        char part[16];
        part_of(i % REPLICAS, part);
        do_break("kill", part);
        storm_await(storm, CALLS_SHORT);
        do_break("heal", part);
        storm_await(storm, CALLS_SHORT);
    }
}

static void freeze_each(struct storm *storm, const struct fault *fault)
{
    (void)fault;
    for (unsigned i = 0; i < calls_count(1, REPLICAS); i++) {
        char part[16];
        part_of((i + 1) % REPLICAS, part);
        do_break("pause", part);
        calls_sleep_ms(calls_count(FREEZE_MS_SHORT, FREEZE_MS_LONG));
        do_break("heal", part);
        storm_await(storm, calls_of_phase());
    }
}

/* Each replica from that store, all members of it. */
static void cut_each(struct storm *storm, const struct fault *fault)
{
    for (unsigned i = 0; i < calls_count(1, REPLICAS); i++) {
        char part[16], both[64];
        part_of((i + 2) % REPLICAS, part);
        snprintf(both, sizeof both, "cut '%s:%s'", part, fault->what);
        do_break("link", both);
        storm_await(storm, calls_of_phase());
        calls_sleep_ms(calls_count(AWAY_MS_SHORT, AWAY_MS_LONG));
        do_break("heal", part);
        storm_await(storm, calls_of_phase());
    }
}

/* From all stores at once: the SDK alone still reaches it. */
static void isolate_each(struct storm *storm, const struct fault *fault)
{
    (void)fault;
    for (unsigned i = 0; i < calls_count(1, REPLICAS); i++) {
        char part[16];
        part_of(i, part);
        do_break("cut", part);
        storm_await(storm, calls_of_phase());
        calls_sleep_ms(calls_count(AWAY_MS_SHORT, AWAY_MS_LONG));
        do_break("heal", part);
        storm_await(storm, calls_of_phase());
    }
}

static void break_store(struct storm *storm, const struct fault *fault, const char *verb)
{
    do_break(verb, fault->what);
    calls_sleep_ms(calls_count(AWAY_MS_SHORT, AWAY_MS_LONG));
    do_break("heal", fault->heal ? fault->heal : fault->what);
    storm_await(storm, calls_of_phase());
}

static void kill_store(struct storm *storm, const struct fault *fault)
{
    break_store(storm, fault, "kill");
}

static void freeze_store(struct storm *storm, const struct fault *fault)
{
    break_store(storm, fault, "pause");
}

static void promote(struct storm *storm, const struct fault *fault)
{
    (void)fault;
    do_break("promote", "");
    storm_await(storm, calls_of_phase());
}

static const struct fault faults[] = {
    {"no fault", NULL, "", NULL, STORM_NOTHING_AWAY, true},
    {"each replica killed with -9", kill_each, "", NULL, STORM_NOTHING_AWAY, true},
    {"each replica frozen", freeze_each, "", NULL, STORM_NOTHING_AWAY, true},
    {"each cut from PostgreSQL", cut_each, "postgres", NULL, STORM_NOTHING_AWAY, true},
    {"each cut from etcd", cut_each, "etcd*", NULL, STORM_NOTHING_AWAY, false},
    {"each cut from Vault", cut_each, "vault", NULL, STORM_NOTHING_AWAY, false},
    {"each cut from Redis", cut_each, "redis", NULL, STORM_NOTHING_AWAY, false},
    {"each cut from NATS", cut_each, "nats", NULL, STORM_NOTHING_AWAY, false},
    {"each cut from S3", cut_each, "s3", NULL, STORM_NOTHING_AWAY, false},
    {"each cut from MongoDB", cut_each, "mongodb", NULL, STORM_NOTHING_AWAY, false},
    {"each cut from all others", isolate_each, "", NULL, STORM_NOTHING_AWAY, false},
    {"etcd's leader killed", kill_store, "etcd-leader", "etcd etcd2 etcd3", STORM_NOTHING_AWAY,
     false},
    {"NATS killed", kill_store, "nats", NULL, STORM_NOTHING_AWAY, true},
    {"Redis killed", kill_store, "redis", NULL, STORM_NOTHING_AWAY, false},
    {"MongoDB killed", kill_store, "mongodb", NULL, STORM_NOTHING_AWAY, false},
    {"Vault killed", kill_store, "vault", NULL, STORM_NOTHING_AWAY, false},
    {"S3 killed", kill_store, "s3", NULL, STORM_DATA_AWAY, false},
    {"PostgreSQL frozen", freeze_store, "postgres", NULL, STORM_SQL_AWAY, false},
    {"PostgreSQL killed", kill_store, "postgres", NULL, STORM_SQL_AWAY, false},
    {"PostgreSQL's standby promoted", promote, "", NULL, STORM_SQL_AWAY, true},
};

static bool is_asked_for(const struct fault *fault, char *const *names)
{
    if (!*names)
        return fault->is_short || calls_count(0, 1);
    for (; *names; names++)
        if (strcmp(*names, fault->name) == 0)
            return true;
    return false;
}

static void print_row(const struct fault *fault, const struct storm_row *row)
{
    printf("| %s | %zu | %zu | %zu | %.0f | %.0f | %.0f | %zu | %zu | %zu |\n", fault->name,
           row->calls, row->failed, row->refused, row->gap_ms, row->p99_ms, row->longest_ms,
           row->acknowledged, row->lost, row->twice);
    fflush(stdout);
}

static bool run(struct storm *storm, const struct fault *fault)
{
    struct storm_row row;
    storm_begin(storm, fault->name, fault->away);
    storm_await(storm, calls_of_phase());
    calls_sleep_ms(CALM_MS);
    if (fault->strike)
        fault->strike(storm, fault);
    storm_end(storm, &row);
    print_row(fault, &row);
    if (row.failed)
        fprintf(stderr, "storm: %s: %zu calls failed, the first: %s\n", fault->name, row.failed,
                row.error);
    return row.failed == 0 && row.lost == 0 && row.twice == 0 && row.disordered == 0;
}

static void read_password(const char *path, char ret_password[128])
{
    FILE *file = fopen(path, "r");
    if (!file || !fgets(ret_password, 128, file))
        storm_die("there is no password in %s", path);
    ret_password[strcspn(ret_password, "\n")] = 0;
    fclose(file);
}

int main(int argc, char **argv)
{
    static struct storm storm;
    char password[128];
    bool is_good = true;
    if (argc < 4)
        storm_die("usage: storm ADDRESSES PASSWORD-FILE BREAKER [FAULT...]");
    read_password(argv[2], password);
    breaker = argv[3];
    storm_open(&storm, argv[1], password, calls_count(1, 0));
    printf("| fault | calls | failed | refused, store away | longest gap ms | p99 ms | longest ms "
           "| acknowledged | lost | twice |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (is_asked_for(&faults[i], argv + 4) && !run(&storm, &faults[i]))
            is_good = false;
    storm_close(&storm);
    return is_good ? 0 : 1;
}
