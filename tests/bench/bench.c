/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench COMBD ECHO_SERVER FOLDER [--quick]: calls against a combd of its own on embedded stores
 * below FOLDER, in one run, each beside the roof that it is held against on this machine. Prints a
 * table in Markdown. --quick: a hundredth of the calls, for a test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comb/v1/admin.grpcc.h"
#include "comb/v1/data.grpcc.h"
#include "tests/bench/calls.h"
#include "tests/bench/echo.grpcc.h"
#include "tests/bench/ids.h"
#include "tests/bench/roofs.h"
#include "tests/bench/streams.h"

#define LARGE_FOLDER 10000
#define SMALL_FOLDER 10
#define PAGE 100

struct bench {
    const char *combd, *folder;
    size_t divisor; /* of all numbers of calls */
    struct calls calls;
    double echo_rate, fsyncs, bytes_roof;
    double calls_per_commit; /* of the case measured last */
};

static void start(struct bench *bench)
{
    calls_start(&bench->calls, bench->combd, bench->folder, NULL);
}

/* What the sql row has done so far. */
struct sql_counters {
    double requests; /* reads and writes asked for */
    double commits;  /* durable ones */
};

static struct sql_counters read_sql(struct bench *bench)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_call_options options = calls_options(&bench->calls);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_admin_info_response *info = NULL;
    struct sql_counters sql = {0};
    if (comb_v1_admin_info(bench->calls.admin, arena, &options,
                           comb_v1_admin_info_request_new(arena), &info, &err))
        calls_stop_with("info", &err);
    for (size_t i = 0; i < info->n_counters; i++) {
        const struct comb_v1_admin_counter *counter = info->counters[i];
        if (strcmp(counter->name, "sql.reads") == 0 || strcmp(counter->name, "sql.writes") == 0)
            sql.requests += (double)counter->value;
        if (strcmp(counter->name, "sql.commits") == 0)
            sql.commits = (double)counter->value;
    }
    grpcc_arena_free(arena);
    return sql;
}

/* ---- rows of the table ---- */

static void print_row(const char *name, const struct load_result *r, double cpu_s, double sql,
                      const char *roof)
{
    double n = (double)r->calls;
    printf("| %s | %.0f | %.0f | %.0f | %.1f | %.2f | %s |\n", name, n / r->seconds, r->p50_us,
           r->p99_us, cpu_s * 1e6 / n, sql / n, roof);
    if (r->failed)
        printf("\n%zu of %zu calls failed, the first: %s\n\n", r->failed, r->calls,
               r->first_failure);
    fflush(stdout);
}

static void measure(struct bench *bench, const char *name, const struct grpcc_method *method,
                    unsigned in_flight, size_t calls, load_request request, void *data,
                    const char *(*roof)(const struct bench *, double rate))
{
    struct sql_counters before = read_sql(bench);
    double cpu = server_cpu(&bench->calls.server);
    struct load_result result =
        calls_run(&bench->calls, method, in_flight, calls / bench->divisor, request, data);
    cpu = server_cpu(&bench->calls.server) - cpu;
    struct sql_counters after = read_sql(bench);
    bench->calls_per_commit = (double)result.calls / (after.commits - before.commits);
    print_row(name, &result, cpu, after.requests - before.requests,
              roof(bench, (double)result.calls / result.seconds));
}

static const char *of_echo(const struct bench *bench, double rate)
{
    static char text[64];
    snprintf(text, sizeof text, "%.2f of echo", rate / bench->echo_rate);
    return text;
}

static const char *of_fsync(const struct bench *bench, double rate)
{
    static char text[80];
    (void)rate;
    snprintf(text, sizeof text, "%.1f calls a durable commit; the disk syncs %.0f/s",
             bench->calls_per_commit, bench->fsyncs);
    return text;
}

static const char *of_bytes(const struct bench *bench, double bytes_per_s)
{
    static char text[80];
    snprintf(text, sizeof text, "%.0f MB/s, %.2f of the slower of SHA-256 and memcpy",
             bytes_per_s / 1e6, bytes_per_s / bench->bytes_roof);
    return text;
}

static const char *of_4_kib(const struct bench *bench, double rate)
{
    return of_bytes(bench, rate * 4096);
}

static const char *of_1_mib(const struct bench *bench, double rate)
{
    return of_bytes(bench, rate * (1 << 20));
}

/* ---- requests ---- */

static const ProtobufCMessage *say_request(void *data, struct grpcc_arena *arena, size_t n)
{
    struct comb_bench_echo_say_request *request = comb_bench_echo_say_request_new(arena);
    (void)data, (void)n;
    comb_bench_echo_say_request_set_text(
        request, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    return &request->base;
}

static const ProtobufCMessage *stat_request(void *data, struct grpcc_arena *arena, size_t n)
{
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    size_t modulus = *(const size_t *)data;
    request->node =
        calls_ref(arena, "", grpcc_arena_printf(arena, "/personal/large/n%zu", n % modulus));
    return &request->base;
}

static const ProtobufCMessage *create_request(void *data, struct grpcc_arena *arena, size_t n)
{
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    request->parent = calls_ref(arena, "", data);
    comb_v1_tree_create_folder_request_set_name(request, grpcc_arena_printf(arena, "n%zu", n));
    comb_v1_tree_create_folder_request_set_request_id(request, new_request_id(arena));
    return &request->base;
}

/* Moves a folder back and forth between two others. */
static const ProtobufCMessage *move_request(void *data, struct grpcc_arena *arena, size_t n)
{
    struct comb_v1_tree_move_request *request = comb_v1_tree_move_request_new(arena);
    request->node = calls_ref(arena, data, "");
    request->target_parent = calls_ref(arena, "", n % 2 ? "/personal/b" : "/personal/a");
    comb_v1_tree_move_request_set_request_id(request, new_request_id(arena));
    return &request->base;
}

static const ProtobufCMessage *page_request(void *data, struct grpcc_arena *arena, size_t n)
{
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    (void)n;
    request->folder = calls_ref(arena, "", "/personal/large");
    request->page_size = PAGE;
    comb_v1_tree_list_request_set_page_token(request, data);
    return &request->base;
}

struct put {
    const uint8_t *bytes;
    size_t size;
};

static const ProtobufCMessage *put_request(void *data, struct grpcc_arena *arena, size_t n)
{
    const struct put *put = data;
    struct comb_v1_data_put_request *request = comb_v1_data_put_request_new(arena);
    request->target = comb_v1_upload_target_new(arena);
    request->target->parent = calls_ref(arena, "", "/personal/files");
    comb_v1_upload_target_set_name(request->target,
                                   grpcc_arena_printf(arena, "f%zu-%zu", put->size, n));
    request->content = (ProtobufCBinaryData){put->size, (uint8_t *)put->bytes};
    comb_v1_data_put_request_set_request_id(request, new_request_id(arena));
    return &request->base;
}

/* ---- what is there before ---- */

static void fill_folder(struct bench *bench, const char *path, size_t n)
{
    struct load_result result = calls_run(&bench->calls, calls_tree_method("CreateFolder"), 64, n,
                                          create_request, (void *)path);
    if (result.failed) {
        fprintf(stderr, "bench: filling %s: %s\n", path, result.first_failure);
        exit(1);
    }
}

/* The token of the last page of the large folder. */
static char *last_page(struct bench *bench)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_call_options options = calls_options(&bench->calls);
    char *token = (char *)"", *next = (char *)"";
    do {
        struct comb_v1_tree_list_response *response = NULL;
        token = next;
        const ProtobufCMessage *request = page_request(token, bench->calls.arena, 0);
        if (comb_v1_tree_list(bench->calls.channel, bench->calls.arena, &options,
                              (const void *)request, &response, &err))
            calls_stop_with("list", &err);
        next = response->next_page_token;
    } while (next[0]);
    return token;
}

/* ---- the cases ---- */

static void bench_echo(struct bench *bench, const char *binary)
{
    const char *const none[] = {NULL};
    struct server echo = {0};
    struct grpcc_error err = GRPCC_ERROR_INIT;
    snprintf(echo.home, sizeof echo.home, "%.200s", bench->folder);
    server_start(&echo, binary, none);
    struct grpcc_channel *channel = grpcc_channel_new(echo.listen, NULL, &err);
    if (!channel)
        calls_stop_with("echo", &err);
    const struct load load = {.channel = channel,
                              .method = &comb_bench_echo_methods[0],
                              .in_flight = 64,
                              .calls = 200000 / bench->divisor,
                              .request = say_request};
    double cpu = server_cpu(&echo);
    struct load_result result = load_run(&load);
    bench->echo_rate = (double)result.calls / result.seconds;
    print_row("echo, 64 B, 64 in flight", &result, server_cpu(&echo) - cpu, 0, "");
    grpcc_channel_free(channel);
    server_stop(&echo);
}

static void bench_creates(struct bench *bench)
{
    calls_make_folder(&bench->calls, "/personal", "one", NULL);
    calls_make_folder(&bench->calls, "/personal", "many", NULL);
    calls_make_folder(&bench->calls, "/personal", "large", NULL);
    measure(bench, "create a folder, 1 client", calls_tree_method("CreateFolder"), 1, 500,
            create_request, (void *)"/personal/one", of_fsync);
    measure(bench, "create a folder, 64 clients", calls_tree_method("CreateFolder"), 64, 20000,
            create_request, (void *)"/personal/many", of_fsync);
    fill_folder(bench, "/personal/large", LARGE_FOLDER / bench->divisor);
}

static void bench_stats(struct bench *bench)
{
    size_t all = LARGE_FOLDER / bench->divisor, few = all < 1000 ? all : 1000;
    /* Every node of the folder once, by a server that has seen none of them. */
    calls_end(&bench->calls);
    start(bench);
    measure(bench, "stat, cold, 64 in flight", calls_tree_method("Stat"), 64, LARGE_FOLDER,
            stat_request, &all, of_echo);
    measure(bench, "stat, warm, 64 in flight", calls_tree_method("Stat"), 64, 200000, stat_request,
            &few, of_echo);
}

static void bench_pages(struct bench *bench)
{
    char *last = last_page(bench);
    measure(bench, "first page of 100 of a folder of 10,000", calls_tree_method("List"), 8, 4000,
            page_request, (void *)"", of_echo);
    measure(bench, "last page of 100 of a folder of 10,000", calls_tree_method("List"), 8, 4000,
            page_request, last, of_echo);
}

static void bench_moves(struct bench *bench)
{
    calls_make_folder(&bench->calls, "/personal", "a", NULL);
    calls_make_folder(&bench->calls, "/personal", "b", NULL);
    char *small = calls_make_folder(&bench->calls, "/personal", "small", NULL);
    char *large = calls_make_folder(&bench->calls, "/personal", "huge", NULL);
    fill_folder(bench, "/personal/small", SMALL_FOLDER);
    fill_folder(bench, "/personal/huge", LARGE_FOLDER / bench->divisor);
    measure(bench, "move a folder of 10", calls_tree_method("Move"), 1, 500, move_request, small,
            of_fsync);
    measure(bench, "move a folder of 10,000", calls_tree_method("Move"), 1, 500, move_request,
            large, of_fsync);
}

static void bench_data(struct bench *bench)
{
    static uint8_t bytes[1 << 20];
    struct put small = {bytes, 4096}, large = {bytes, sizeof bytes};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    calls_make_folder(&bench->calls, "/personal", "files", NULL);
    measure(bench, "upload 4 KiB, 16 in flight", &comb_v1_data_methods[0], 16, 4000, put_request,
            &small, of_4_kib);
    measure(bench, "upload 1 MiB, 4 in flight", &comb_v1_data_methods[0], 4, 400, put_request,
            &large, of_1_mib);
    const struct stream_target target = {bench->calls.channel, bench->calls.authorization,
                                         &bench->calls.server};
    const struct {
        const char *up, *down, *path;
        uint64_t size;
        unsigned times;
    } streams[] = {
        {NULL, "download 4 KiB", "/personal/files/f4096-0", 4096, 2000},
        {NULL, "download 1 MiB", "/personal/files/f1048576-0", 1 << 20, 200},
        {"upload 1 GiB, one stream", "download 1 GiB, one stream", "/personal/files/gib", 1 << 30,
         1},
    };
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        uint64_t size = streams[i].up ? streams[i].size / bench->divisor : streams[i].size;
        unsigned times = (unsigned)(streams[i].times / bench->divisor);
        struct stream_result up = {0}, down;
        if (streams[i].up) {
            up = stream_upload(&target, streams[i].path, size);
            printf("| %s | | | | %.0f | | %s |\n", streams[i].up, up.cpu_s * 1e6,
                   of_bytes(bench, (double)size / up.seconds));
        }
        down = stream_download(&target, streams[i].path, size, times ? times : 1);
        printf("| %s | %.0f | | | %.0f | | %s |\n", streams[i].down, 1 / down.seconds,
               down.cpu_s * 1e6, of_bytes(bench, (double)size / down.seconds));
        fflush(stdout);
    }
}

static void print_machine(const struct bench *bench)
{
    printf("SHA-256 %.0f MB/s, memcpy %.0f MB/s (one core); %.0f fdatasync/s in the stores' "
           "folder; %ld processors.\n\n",
           roof_sha256() / 1e6, roof_memcpy() / 1e6, bench->fsyncs, sysconf(_SC_NPROCESSORS_ONLN));
    puts("| what | calls/s | p50 µs | p99 µs | server CPU µs/call | SQL requests/call | held "
         "against |\n|---|---|---|---|---|---|---|");
}

int main(int argc, char **argv)
{
    struct bench bench = {.divisor = 1};
    if (argc < 4) {
        fprintf(stderr, "usage: bench COMBD ECHO_SERVER FOLDER [--quick]\n");
        return 2;
    }
    if (argc > 4 && strcmp(argv[4], "--quick") == 0)
        bench.divisor = 100;
    bench.combd = argv[1];
    bench.folder = argv[3];
    bench.fsyncs = roof_fsync(bench.folder);
    double sha = roof_sha256(), copy = roof_memcpy();
    bench.bytes_roof = sha < copy ? sha : copy;
    print_machine(&bench);
    bench_echo(&bench, argv[2]);
    start(&bench);
    bench_creates(&bench);
    bench_stats(&bench);
    bench_pages(&bench);
    bench_moves(&bench);
    bench_data(&bench);
    calls_end(&bench.calls);
    grpcc_arena_free(bench.calls.arena);
    return 0;
}
