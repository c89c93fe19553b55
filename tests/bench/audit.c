/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_bench COMBD FOLDER [CALLS [ROUNDS]]: what a mutation pays for its record in the audit
 * trail. Folders are made by 64 clients, turn by turn with the trail and without it, first on
 * SQLite and then on a PostgreSQL of its own below FOLDER. "Without" is a rule in the bench's own
 * database that drops what would go into the intake, so nothing is numbered either. The time of the
 * processors runs until everything is numbered. Prints a table in Markdown. Not as root.
 */
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/bench/calls.h"
#include "tests/bench/ids.h"
#include "tests/bench/pgbench.h"
#include "tests/support/postgres_server.h"

enum { CALLS = 4000, ROUNDS = 5, CLIENTS = 64, NUMBERED_S = 3 };

struct audit_bench {
    const char *combd, *folder;
    char *url; /* of PostgreSQL; NULL: SQLite */
    struct postgres_server postgres;
    struct calls calls;
    size_t n_calls, made;
    unsigned rounds;
};

struct sample {
    double rate, combd_us, store_us;
};

static void run_sqlite(const struct audit_bench *bench, const char *sql)
{
    char path[512], *message = NULL;
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/sqlite/home/comb.db", bench->folder);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "bench: %s: %s\n", path, message ? message : sqlite3_errmsg(db));
        exit(1);
    }
    sqlite3_close(db);
}

static void run_postgres(const struct audit_bench *bench, const char *sql)
{
    PGconn *pq = PQconnectdb(bench->url);
    PGresult *result = PQexec(pq, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fprintf(stderr, "bench: %s: %s\n", sql, PQerrorMessage(pq));
        exit(1);
    }
    PQclear(result);
    PQfinish(pq);
}

/* While no combd runs. */
static void set_trail(const struct audit_bench *bench, bool on)
{
    if (bench->url)
        run_postgres(bench, on ? "DROP RULE IF EXISTS bench ON audit_intake"
                               : "CREATE OR REPLACE RULE bench AS ON INSERT TO audit_intake"
                                 " DO INSTEAD NOTHING");
    else
        run_sqlite(bench, on ? "DROP TRIGGER IF EXISTS bench"
                             : "CREATE TRIGGER IF NOT EXISTS bench BEFORE INSERT ON audit_intake"
                               " BEGIN SELECT RAISE(IGNORE); END");
}

static const ProtobufCMessage *create_request(void *data, struct grpcc_arena *arena, size_t n)
{
    const struct audit_bench *bench = data;
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    request->parent = calls_ref(arena, "", "/personal/many");
    comb_v1_tree_create_folder_request_set_name(request,
                                                grpcc_arena_printf(arena, "n%zu", bench->made + n));
    comb_v1_tree_create_folder_request_set_request_id(request, new_request_id(arena));
    return &request->base;
}

static double store_cpu(const struct audit_bench *bench)
{
    return bench->url ? pgbench_server_cpu(&bench->postgres) : 0;
}

static struct sample run_round(struct audit_bench *bench, bool with_trail)
{
    char folder[300];
    const struct timespec until_numbered = {NUMBERED_S, 0};
    snprintf(folder, sizeof folder, "%s/%s", bench->folder, bench->url ? "postgres" : "sqlite");
    set_trail(bench, with_trail);
    calls_start(&bench->calls, bench->combd, folder, bench->url);
    nanosleep(&until_numbered, NULL); /* what a start does is no part of it */
    double combd = server_cpu(&bench->calls.server), store = store_cpu(bench);
    struct load_result result = calls_run(&bench->calls, calls_tree_method("CreateFolder"), CLIENTS,
                                          bench->n_calls, create_request, bench);
    bench->made += bench->n_calls;
    nanosleep(&until_numbered, NULL);
    struct sample sample = {.rate = (double)result.calls / result.seconds,
                            .combd_us = (server_cpu(&bench->calls.server) - combd) * 1e6 /
                                        (double)result.calls,
                            .store_us = (store_cpu(bench) - store) * 1e6 / (double)result.calls};
    if (result.failed) {
        fprintf(stderr, "bench: %s\n", result.first_failure);
        exit(1);
    }
    calls_end(&bench->calls);
    return sample;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *numbers, unsigned n)
{
    qsort(numbers, n, sizeof *numbers, by_number);
    return numbers[n / 2];
}

static void measure(struct audit_bench *bench, const char *name)
{
    double rates[2][ROUNDS], cpu[2][ROUNDS], rate_ratio[ROUNDS], cpu_ratio[ROUNDS];
    for (unsigned i = 0; i < bench->rounds; i++) {
        struct sample samples[2]; /* without, with; each first in every other round */
        for (unsigned j = 0; j < 2; j++) {
            unsigned side = (i + j) % 2;
            samples[side] = run_round(bench, side == 1);
            rates[side][i] = samples[side].rate;
            cpu[side][i] = samples[side].combd_us + samples[side].store_us;
        }
        rate_ratio[i] = samples[1].rate / samples[0].rate;
        cpu_ratio[i] = cpu[1][i] / cpu[0][i];
    }
    unsigned n = bench->rounds;
    printf("| %s | %.0f | %.0f | %.2f | %.0f | %.0f | %.2f |\n", name, median(rates[1], n),
           median(rates[0], n), median(rate_ratio, n), median(cpu[1], n), median(cpu[0], n),
           median(cpu_ratio, n));
    fflush(stdout);
}

static void make_folder(struct audit_bench *bench, const char *name)
{
    char folder[300];
    snprintf(folder, sizeof folder, "%s/%s", bench->folder, name);
    if (mkdir(folder, 0700) != 0) {
        perror(folder);
        exit(1);
    }
    calls_start(&bench->calls, bench->combd, folder, bench->url);
    calls_make_folder(&bench->calls, "/personal", "many", NULL);
    calls_end(&bench->calls);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: audit_bench COMBD FOLDER [CALLS [ROUNDS]]\n");
        return 2;
    }
    struct audit_bench bench = {.combd = argv[1], .folder = argv[2]};
    bench.n_calls = argc > 3 ? strtoul(argv[3], NULL, 10) : CALLS;
    bench.rounds = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : ROUNDS;
    if (bench.rounds < 1 || bench.rounds > ROUNDS || bench.n_calls < 1) {
        fprintf(stderr, "audit_bench: at least one call, and 1 to %d rounds\n", ROUNDS);
        return 2;
    }
    puts("| store | calls/s with | without | ratio | CPU µs/call with | without | ratio |\n"
         "|---|---:|---:|---:|---:|---:|---:|");
    make_folder(&bench, "sqlite");
    measure(&bench, "SQLite");
    postgres_server_start(&bench.postgres);
    bench.url = postgres_server_database(&bench.postgres);
    make_folder(&bench, "postgres");
    measure(&bench, "PostgreSQL");
    postgres_server_done(&bench.postgres);
    return 0;
}
