/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postgres_bench COMBD FOLDER [--quick] [--only TEXT] [--rounds N]: calls of a combd of its own and
 * PostgreSQL's pgbench, both against one PostgreSQL that it starts below FOLDER, turn by turn:
 * reads of one file beside `pgbench -S`, pages and durable writes beside pgbench running the
 * statements of that very call. Prints a table in Markdown. --quick: one short round, for a test.
 * --only TEXT: the cases whose name contains it. --rounds N: of both sides, at most 5. Not as root.
 */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gen/runtime/src/core/abseil.h"
#include "tests/bench/calls.h"
#include "tests/bench/ids.h"
#include "tests/bench/pgbench.h"
#include "tests/bench/script.h"
#include "tests/support/support.h"

enum {
    ROUNDS = 5,
    FILES = 20000, /* of each kind that are read; no file is read twice by the same combd */
    FOLDERS = 10,  /* in which those lie whose folders are known */
    LARGE = 10000, /* files of the folder that is listed */
    MANY = 1000,   /* folders that are written to */
    PAGE = 100,
    ACCOUNTS_SCALE = 10 /* of pgbench: a million rows */
};

/* Seven folders and the file are eight parts. */
#define KNOWN "/personal/k1/k2/k3/k4/k5/k6"
#define BELOW_CHAIN "a/b/c/d/e/f"

struct postgres_bench {
    const char *combd, *folder;
    size_t files, large, many, creates, pages;
    unsigned rounds, seconds;
    struct postgres_server postgres;
    char *url;             /* of combd's database */
    const char *database;  /* its name, in url */
    char *copy, *accounts; /* databases that pgbench writes to, and that -S reads */
    struct calls calls;
    char *large_id;
    size_t created; /* names that have been used */
    struct script page, create_one, create_many;
    unsigned runs; /* of pgbench so far: each one makes other ids */
    const char *only;
};

/* One side of one round. */
struct sample {
    double rate, own_us, postgres_us; /* own: of combd or of pgbench */
    double client_us, p50_us, p99_us; /* of combd's calls */
};

struct bench_case {
    const char *name, *against;
    double aim;
    void (*combd)(struct postgres_bench *bench, const struct bench_case *self, struct sample *ret);
    void (*pgbench)(struct postgres_bench *bench, const struct bench_case *self,
                    struct sample *ret);
    unsigned clients;
    bool many;
};

/* ---- SQL of the bench's own ---- */

static char *database_of(const struct postgres_bench *bench, const char *name)
{
    char *url = NULL;
    if (asprintf(&url, "postgres://app@127.0.0.1:%d/%s", bench->postgres.port, name) < 0)
        abort();
    return url;
}

static void run_sql(const char *url, const char *sql)
{
    PGconn *pq = PQconnectdb(url);
    PGresult *result = PQexec(pq, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "bench: %.200s: %s\n", sql, PQerrorMessage(pq));
        exit(1);
    }
    PQclear(result);
    PQfinish(pq);
}

/* "018f…": the id without its dashes. */
static char *digits_of(const char *id)
{
    char *digits = strdup(id);
    size_t n = 0;
    for (const char *at = id; digits && *at; at++)
        if (*at != '-')
            digits[n++] = *at;
    if (!digits)
        abort();
    digits[n] = 0;
    return digits;
}

/* More room than tests need, and what script_take() wants to find in the log. */
static const char *const settings[] = {"shared_buffers=512MB", "max_wal_size=4GB",
                                       "log_line_prefix=" SCRIPT_LOG_PREFIX, NULL};

/* ---- requests ---- */

static const ProtobufCMessage *stat_of(struct grpcc_arena *arena, const char *path)
{
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    request->node = calls_ref(arena, "", path);
    return &request->base;
}

/* All files once, in an order that does not follow their names. */
static size_t shuffled(const struct postgres_bench *bench, size_t n)
{
    return n * 7919 % bench->files;
}

static const ProtobufCMessage *known_request(void *data, struct grpcc_arena *arena, size_t n)
{
    size_t file = shuffled(data, n);
    return stat_of(arena, grpcc_arena_printf(arena, KNOWN "/f%zu/n%zu", file % FOLDERS, file));
}

static const ProtobufCMessage *folder_request(void *data, struct grpcc_arena *arena, size_t n)
{
    (void)data;
    return stat_of(arena, grpcc_arena_printf(arena, KNOWN "/f%zu", n % FOLDERS));
}

static const ProtobufCMessage *unknown_request(void *data, struct grpcc_arena *arena, size_t n)
{
    return stat_of(
        arena, grpcc_arena_printf(arena, "/personal/c%zu/" BELOW_CHAIN "/file", shuffled(data, n)));
}

static const ProtobufCMessage *page_request(void *data, struct grpcc_arena *arena, size_t n)
{
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    (void)data, (void)n;
    request->folder = calls_ref(arena, "", "/personal/large");
    request->page_size = PAGE;
    return &request->base;
}

static const ProtobufCMessage *create_in(struct grpcc_arena *arena, const char *parent, size_t n)
{
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    request->parent = calls_ref(arena, "", parent);
    comb_v1_tree_create_folder_request_set_name(request, grpcc_arena_printf(arena, "n%zu", n));
    comb_v1_tree_create_folder_request_set_request_id(request, new_request_id(arena));
    return &request->base;
}

static const ProtobufCMessage *create_one_request(void *data, struct grpcc_arena *arena, size_t n)
{
    const struct postgres_bench *bench = data;
    return create_in(arena, "/personal/one", bench->created + n);
}

static const ProtobufCMessage *create_many_request(void *data, struct grpcc_arena *arena, size_t n)
{
    const struct postgres_bench *bench = data;
    return create_in(arena, grpcc_arena_printf(arena, "/personal/many/m%zu", n % bench->many),
                     bench->created + n);
}

static const ProtobufCMessage *many_request(void *data, struct grpcc_arena *arena, size_t n)
{
    (void)data;
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    request->parent = calls_ref(arena, "", "/personal/many");
    comb_v1_tree_create_folder_request_set_name(request, grpcc_arena_printf(arena, "m%zu", n));
    comb_v1_tree_create_folder_request_set_request_id(request, new_request_id(arena));
    return &request->base;
}

static void must_run(struct postgres_bench *bench, const struct grpcc_method *method, size_t n,
                     load_request request)
{
    struct load_result result = calls_run(&bench->calls, method, 32, n, request, bench);
    if (result.failed) {
        fprintf(stderr, "bench: %s: %s\n", method->name, result.first_failure);
        exit(1);
    }
}

/* ---- what is there before ---- */

static char *stat_id(struct postgres_bench *bench, const char *path)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_call_options options = calls_options(&bench->calls);
    struct comb_v1_tree_stat_response *response = NULL;
    if (comb_v1_tree_stat(bench->calls.channel, bench->calls.arena, &options,
                          (const void *)stat_of(bench->calls.arena, path), &response, &err))
        calls_stop_with(path, &err);
    return response->node->id;
}

/* Rows as combd would have made them, without the calls: files (kind 1) n0, n1, … of one folder. */
static void insert_files(struct postgres_bench *bench, const char *folder, size_t first,
                         size_t step, size_t end)
{
    char *parent = digits_of(folder), *sql = NULL;
    if (asprintf(
            &sql,
            "INSERT INTO node (id, parent, name, kind, rev, acl_rev, size, create_us,"
            " update_us) SELECT substr('\\x%s'::bytea, 1, 8) || int8send(i), '\\x%s', 'n' || i,"
            " 1, 1, 1, 7, 1, 1 FROM generate_series(%zu, %zu, %zu) AS i",
            parent, parent, first, end - 1, step) < 0)
        abort();
    run_sql(bench->url, sql);
    free(sql);
    free(parent);
}

/* Chains /personal/c0/a/b/c/d/e/f/file, c1, …: ids are chain and depth. */
static void insert_chains(struct postgres_bench *bench)
{
    char *root = digits_of(stat_id(bench, "/personal")), *sql = NULL;
    if (asprintf(&sql,
                 "INSERT INTO node (id, parent, name, kind, rev, acl_rev, size, create_us,"
                 " update_us) SELECT int8send(c + (1::bigint << 40)) || int8send(d),"
                 " CASE d WHEN 1 THEN '\\x%s'::bytea"
                 " ELSE int8send(c + (1::bigint << 40)) || int8send(d - 1) END,"
                 " CASE d WHEN 1 THEN 'c' || c WHEN 8 THEN 'file' ELSE chr(95 + d::integer) END,"
                 " CASE d WHEN 8 THEN 1 ELSE 2 END, 1, 1, 0, 1, 1"
                 " FROM generate_series(0, %zu) AS c, generate_series(1::bigint, 8) AS d",
                 root, bench->files - 1) < 0)
        abort();
    run_sql(bench->url, sql);
    free(sql);
    free(root);
}

static void make_tree(struct postgres_bench *bench)
{
    char path[] = KNOWN, name[16];
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        char *end = strchr(slash + 1, '/');
        *slash = 0;
        if (end)
            *end = 0;
        calls_make_folder(&bench->calls, path, slash + 1, NULL);
        *slash = '/';
        if (end)
            *end = '/';
    }
    for (size_t i = 0; i < FOLDERS; i++) {
        snprintf(name, sizeof name, "f%zu", i);
        insert_files(bench, calls_make_folder(&bench->calls, KNOWN, name, NULL), i, FOLDERS,
                     bench->files);
    }
    insert_chains(bench);
    bench->large_id = strdup(calls_make_folder(&bench->calls, "/personal", "large", NULL));
    insert_files(bench, bench->large_id, 0, 1, bench->large);
    calls_make_folder(&bench->calls, "/personal", "one", NULL);
    calls_make_folder(&bench->calls, "/personal", "many", NULL);
    must_run(bench, calls_tree_method("CreateFolder"), bench->many, many_request);
    run_sql(bench->url, "VACUUM ANALYZE");
}

/* ---- scripts ---- */

/* Each run, each client and each transaction has other ids, the younger the higher, as combd's. */
static const char create_begin[] = "\\set n :n + 1\n"
                                   "\\set hi :base + :n * 64 + :client_id\n"
                                   "\\set lo random(1, 4611686018427387904)\n"
                                   "\\set f random(0, :many - 1)\n";
#define NEW_ID "(int8send(:hi::bigint) || int8send(:lo::bigint))"
#define NEW_REQUEST "(int8send(:hi::bigint) || int8send(:lo::bigint + 1))"
#define NEW_NAME "('n' || :hi::bigint::text)"
/* As copy_database() numbers the folders. */
#define ANY_FOLDER "(int8send(1::bigint) || int8send(:f::bigint))"

static char *path_of(const struct postgres_bench *bench, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", bench->folder, name) < 0)
        abort();
    return path;
}

static struct script take_create(struct postgres_bench *bench, const char *parent, bool any_folder,
                                 const char *name)
{
    const char *request_id = new_request_id(bench->calls.arena);
    char *request = digits_of(request_id), *folder = digits_of(stat_id(bench, parent));
    char *id = digits_of(calls_make_folder(&bench->calls, parent, name, request_id));
    char *log = test_path(bench->postgres.process.folder, "log"), *path = path_of(bench, name);
    char *marker = NULL;
    const struct script_replacement replacements[] = {
        {.statement = "INTO audit_intake", .expression = NEW_ID},
        {id, NEW_ID, 1, NULL},
        {request, NEW_REQUEST, 1, NULL},
        {name, NEW_NAME, 0, NULL},
        {folder, ANY_FOLDER, 1, NULL}};
    if (asprintf(&marker, "'%s'", name) < 0)
        abort();
    struct script script =
        script_take(log, marker, path, create_begin, replacements, any_folder ? 5 : 4);
    free(marker);
    free(log);
    free(id);
    free(folder);
    free(request);
    return script;
}

static struct script take_page(struct postgres_bench *bench)
{
    char *marker = digits_of(bench->large_id), *path = path_of(bench, "page");
    char *log = test_path(bench->postgres.process.folder, "log");
    must_run(bench, calls_tree_method("List"), 1, page_request); /* what it rests on is known now */
    struct script script = script_take(log, marker, path, NULL, NULL, 0);
    free(log);
    free(marker);
    return script;
}

/* What combd says to PostgreSQL, by a combd whose sessions are logged. */
static void take_scripts(struct postgres_bench *bench)
{
    run_sql(bench->url, "ALTER ROLE app SET log_statement = 'all'");
    calls_start(&bench->calls, bench->combd, bench->folder, bench->url);
    must_run(bench, calls_tree_method("Stat"), FOLDERS, folder_request);
    bench->page = take_page(bench);
    bench->create_one = take_create(bench, "/personal/one", false, "create-one");
    bench->create_many = take_create(bench, "/personal/many/m0", true, "create-many");
    calls_end(&bench->calls);
    run_sql(bench->url, "ALTER ROLE app RESET log_statement");
}

/* The same tables with the same rows, so that combd need not follow what pgbench writes. The
 * folders that are written to are numbered, for pgbench to choose one. */
static void copy_database(struct postgres_bench *bench)
{
    char sql[256];
    snprintf(sql, sizeof sql, "CREATE DATABASE copy TEMPLATE %s", bench->database);
    postgres_server_run(&bench->postgres, sql);
    bench->copy = database_of(bench, "copy");
    run_sql(bench->copy,
            "DELETE FROM node WHERE name IN ('create-one', 'create-many');"
            "UPDATE node SET id = int8send(1::bigint) || int8send(substr(name, 2)::bigint)"
            " WHERE parent = (SELECT id FROM node WHERE name = 'many') AND name ~ '^m[0-9]+$'");
    run_sql(bench->copy, "VACUUM ANALYZE");
}

static void prepare(struct postgres_bench *bench)
{
    bench->postgres.settings = settings;
    postgres_server_start(&bench->postgres);
    bench->url = postgres_server_database(&bench->postgres);
    bench->database = strrchr(bench->url, '/') + 1;
    bench->accounts = postgres_server_database(&bench->postgres);
    pgbench_fill(&bench->postgres, strrchr(bench->accounts, '/') + 1, ACCOUNTS_SCALE);
    calls_start(&bench->calls, bench->combd, bench->folder, bench->url);
    make_tree(bench);
    calls_end(&bench->calls);
    take_scripts(bench);
    copy_database(bench);
    postgres_server_run(&bench->postgres, "CHECKPOINT");
}

/* ---- one side of a case ---- */

static double client_cpu(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void sample_calls(struct postgres_bench *bench, const char *method, unsigned clients,
                         size_t n, load_request request, struct sample *ret_sample)
{
    double own = server_cpu(&bench->calls.server), client = client_cpu();
    double postgres = pgbench_server_cpu(&bench->postgres);
    struct load_result result =
        calls_run(&bench->calls, calls_tree_method(method), clients, n, request, bench);
    double calls = (double)result.calls;
    if (result.failed)
        printf("\n%zu of %zu calls failed, the first: %s\n\n", result.failed, result.calls,
               result.first_failure);
    *ret_sample = (struct sample){
        .rate = calls / result.seconds,
        .own_us = (server_cpu(&bench->calls.server) - own) * 1e6 / calls,
        .postgres_us = (pgbench_server_cpu(&bench->postgres) - postgres) * 1e6 / calls,
        .client_us = (client_cpu() - client) * 1e6 / calls,
        .p50_us = result.p50_us,
        .p99_us = result.p99_us,
    };
}

/* A combd that knows nothing but who calls, what is asked for in a warming run, and the way to its
 * store. */
static void restart(struct postgres_bench *bench, load_request request)
{
    calls_end(&bench->calls);
    calls_start(&bench->calls, bench->combd, bench->folder, bench->url);
    must_run(bench, calls_tree_method("Stat"), 2000, request);
}

static const ProtobufCMessage *root_request(void *data, struct grpcc_arena *arena, size_t n)
{
    (void)data, (void)n;
    return stat_of(arena, "/personal");
}

static void stat_known(struct postgres_bench *bench, const struct bench_case *self,
                       struct sample *ret)
{
    restart(bench, folder_request);
    sample_calls(bench, "Stat", self->clients, bench->files, known_request, ret);
}

static void stat_unknown(struct postgres_bench *bench, const struct bench_case *self,
                         struct sample *ret)
{
    restart(bench, root_request);
    sample_calls(bench, "Stat", self->clients, bench->files, unknown_request, ret);
}

static void list_page(struct postgres_bench *bench, const struct bench_case *self,
                      struct sample *ret)
{
    sample_calls(bench, "List", self->clients, bench->pages, page_request, ret);
}

static void create(struct postgres_bench *bench, const struct bench_case *self, struct sample *ret)
{
    sample_calls(bench, "CreateFolder", self->clients, bench->creates,
                 self->many ? create_many_request : create_one_request, ret);
    bench->created += bench->creates + self->clients;
}

static void sample_pgbench(struct postgres_bench *bench, const char *url, unsigned clients,
                           const char *const *arguments, struct sample *ret_sample)
{
    double postgres = pgbench_server_cpu(&bench->postgres);
    struct pgbench_result result =
        pgbench_run(&bench->postgres, strrchr(url, '/') + 1, clients, bench->seconds, arguments);
    double n = (double)result.n;
    *ret_sample = (struct sample){
        .rate = result.rate,
        .own_us = result.own_cpu_s * 1e6 / n,
        .postgres_us = (pgbench_server_cpu(&bench->postgres) - postgres) * 1e6 / n,
        .p50_us = result.latency_us,
    };
}

static void pgbench_select(struct postgres_bench *bench, const struct bench_case *self,
                           struct sample *ret)
{
    static const char *const arguments[] = {"-S", NULL};
    sample_pgbench(bench, bench->accounts, self->clients, arguments, ret);
}

/* The script with the same settings as combd's sessions. */
static void run_script(struct postgres_bench *bench, const struct bench_case *self,
                       const struct script *script, struct sample *ret)
{
    const char *arguments[2 * SCRIPT_PARAMS_MAX + 12];
    char base[48], many[48];
    size_t n = 0;
    snprintf(base, sizeof base, "base=%llu", (unsigned long long)++bench->runs << 40);
    snprintf(many, sizeof many, "many=%zu", bench->many);
    for (const char *const *at = script->variables; *at; at++)
        arguments[n++] = *at;
    arguments[n++] = "-D";
    arguments[n++] = base;
    arguments[n++] = "-D";
    arguments[n++] = many;
    arguments[n++] = "-D";
    arguments[n++] = "n=0";
    arguments[n] = NULL;
    sample_pgbench(bench, bench->copy, self->clients, arguments, ret);
}

static void pgbench_page(struct postgres_bench *bench, const struct bench_case *self,
                         struct sample *ret)
{
    run_script(bench, self, &bench->page, ret);
}

static void pgbench_create(struct postgres_bench *bench, const struct bench_case *self,
                           struct sample *ret)
{
    run_script(bench, self, self->many ? &bench->create_many : &bench->create_one, ret);
}

static const struct bench_case cases[] = {
    {"stat, cold, folders known", "`pgbench -S`", 0.8, stat_known, pgbench_select, 32, false},
    {"stat, cold, nothing known", "`pgbench -S`", 0.4, stat_unknown, pgbench_select, 32, false},
    {"page of 100 of a folder of 10,000", "its statements", 0, list_page, pgbench_page, 32, false},
    {"durable create, 1 folder", "its statements", 0.8, create, pgbench_create, 32, false},
    {"durable create, 1 folder", "its statements", 0.8, create, pgbench_create, 64, false},
    {"durable create, 1,000 folders", "its statements", 0.8, create, pgbench_create, 32, true},
    {"durable create, 1,000 folders", "its statements", 0.8, create, pgbench_create, 64, true},
};
enum { CASES = sizeof cases / sizeof cases[0] };

/* ---- the table ---- */

struct samples {
    struct sample combd[ROUNDS], pgbench[ROUNDS];
    double ratios[ROUNDS];
};

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The median of one member of each sample. */
static double median_of(const struct sample *samples, unsigned n, size_t offset)
{
    double values[ROUNDS];
    for (unsigned i = 0; i < n; i++)
        memcpy(&values[i], (const char *)&samples[i] + offset, sizeof values[i]);
    qsort(values, n, sizeof *values, compare);
    return values[n / 2];
}
#define MEDIAN(samples, n, member) median_of(samples, n, offsetof(struct sample, member))

static void print_case(const struct bench_case *self, struct samples *samples, unsigned n)
{
    char aim[16] = "";
    for (unsigned i = 0; i < n; i++)
        samples->ratios[i] = samples->combd[i].rate / samples->pgbench[i].rate;
    qsort(samples->ratios, n, sizeof samples->ratios[0], compare);
    if (self->aim > 0)
        snprintf(aim, sizeof aim, "%.1f", self->aim);
    printf("| %s, %u in flight | %.0f | %.0f | %.0f | %.1f | %.1f | %.1f | %s | %.0f | %.1f | %.1f "
           "| %.2f (%.2f–%.2f) | %s |\n",
           self->name, self->clients, MEDIAN(samples->combd, n, rate),
           MEDIAN(samples->combd, n, p50_us), MEDIAN(samples->combd, n, p99_us),
           MEDIAN(samples->combd, n, own_us), MEDIAN(samples->combd, n, postgres_us),
           MEDIAN(samples->combd, n, client_us), self->against, MEDIAN(samples->pgbench, n, rate),
           MEDIAN(samples->pgbench, n, postgres_us), MEDIAN(samples->pgbench, n, own_us),
           samples->ratios[n / 2], samples->ratios[0], samples->ratios[n - 1], aim);
}

static void measure(struct postgres_bench *bench)
{
    static struct samples all[CASES];
    calls_start(&bench->calls, bench->combd, bench->folder, bench->url);
    for (unsigned round = 0; round < bench->rounds; round++) {
        for (size_t i = 0; i < CASES; i++) {
            const struct bench_case *self = &cases[i];
            if (!strstr(self->name, bench->only))
                continue;
            if (round % 2)
                self->combd(bench, self, &all[i].combd[round]);
            self->pgbench(bench, self, &all[i].pgbench[round]);
            if (round % 2 == 0)
                self->combd(bench, self, &all[i].combd[round]);
        }
        fprintf(stderr, "bench: round %u of %u\n", round + 1, bench->rounds);
    }
    calls_end(&bench->calls);
    puts("| call | combd: calls/s | p50 µs | p99 µs | combd's CPU µs/call | PostgreSQL's | the "
         "client's | pgbench | its transactions/s | PostgreSQL's CPU µs | pgbench's | combd's rate "
         "/ pgbench's | aim |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (size_t i = 0; i < CASES; i++)
        if (strstr(cases[i].name, bench->only))
            print_case(&cases[i], &all[i], bench->rounds);
}

static void read_options(struct postgres_bench *bench, char **options)
{
    for (; *options; options++) {
        if (strcmp(*options, "--quick") == 0) {
            bench->rounds = bench->seconds = 1;
            bench->files = bench->creates = bench->pages = 200;
            bench->large = 300;
            bench->many = 20;
        } else if (strcmp(*options, "--only") == 0 && options[1]) {
            bench->only = *++options;
        } else if (strcmp(*options, "--rounds") == 0 && options[1] && options[1][0] >= '1' &&
                   options[1][0] <= '0' + ROUNDS) {
            bench->rounds = (unsigned)(*++options)[0] - '0';
        } else {
            fprintf(stderr, "bench: what is %s?\n", *options);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    struct postgres_bench bench = {.files = FILES,
                                   .large = LARGE,
                                   .many = MANY,
                                   .creates = 10000,
                                   .pages = 8000,
                                   .rounds = ROUNDS,
                                   .seconds = 3,
                                   .only = ""};
    if (argc < 3) {
        fprintf(stderr,
                "usage: postgres_bench COMBD FOLDER [--quick] [--only TEXT] [--rounds N]\n");
        return 2;
    }
    bench.combd = argv[1];
    bench.folder = argv[2];
    setenv("TEST_TMPDIR", bench.folder, 1);
    read_options(&bench, argv + 3);
    grpcc_abseil_trust_locks(); /* the client's time is not what is measured */
    prepare(&bench);
    measure(&bench);
    postgres_server_done(&bench.postgres);
    return 0;
}
