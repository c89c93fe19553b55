/* SPDX-License-Identifier: Apache-2.0 */
/*
 * combd is killed again and again in the middle of an import: what was acknowledged is there and
 * right, nothing is half there, nothing is there twice, and the import goes on by itself.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "comb/files.h"
#include "comb/lists.h"
#include "tests/e2e/calls.h"
#include "tests/e2e/combd.h"
#include "tests/support/cmocka.h"

#define KILLS_SHORT 5
#define KILLS_LONG 20
#define LIVES_MS_MIN 20
#define LIVES_MS_MAX 500

#define WORKERS 3
#define FILES_MAX 20000 /* of one worker */
#define SMALL_MAX 6000
#define LARGE_EVERY 32
#define LARGE ((2u << 20) + 4711) /* not by one call */
#define PARTS (17u << 20)         /* by parts of an upload session */
#define TREE_FILES 41
#define TREES_MAX 60

struct import {
    struct combd combd;
    struct comb_client *client;
    atomic_bool stop;
    char folder[256]; /* local */
    unsigned trees;   /* acknowledged */
    char tree_error[GRPCC_STATUS_MESSAGE_MAX + 128];
};

/* Sends files one after another. */
struct worker {
    struct import *import;
    unsigned number;
    unsigned files; /* acknowledged: 0 to files - 1 */
    char error[GRPCC_STATUS_MESSAGE_MAX + 128];
};

static size_t size_of(unsigned file)
{
    return file % LARGE_EVERY == LARGE_EVERY - 1 ? LARGE : file * 7919u % SMALL_MAX;
}

static void fill(unsigned worker, unsigned file, unsigned char *bytes)
{
    calls_content(worker * 1000003u + file, bytes, size_of(file));
}

static enum grpcc_status send_file(struct worker *worker, struct grpcc_arena *arena,
                                   unsigned char *bytes, struct grpcc_error *err)
{
    char path[64], local[320];
    size_t n = size_of(worker->files);
    struct comb_put_options options = {.size = sizeof options, .absent = true};
    fill(worker->number, worker->files, bytes);
    snprintf(path, sizeof path, "/personal/import/%u-%u", worker->number, worker->files);
    if (n <= SMALL_MAX)
        return comb_put_bytes(worker->import->client, arena, path, bytes, n, &options, NULL, err);
    snprintf(local, sizeof local, "%s/large-%u", worker->import->folder, worker->number);
    FILE *file = fopen(local, "w");
    if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0)
        return grpcc_error_set(err, GRPCC_INTERNAL, "writing %s", local);
    return comb_put_file(worker->import->client, arena, local, path, &options, NULL, err);
}

static void *worker_run(void *data)
{
    struct worker *worker = data;
    unsigned char *bytes = malloc(LARGE);
    while (bytes && !atomic_load(&worker->import->stop) && worker->files < FILES_MAX) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct grpcc_arena *arena = grpcc_arena_new(0);
        enum grpcc_status status = send_file(worker, arena, bytes, &err);
        if (status == GRPCC_OK)
            worker->files++;
        else
            snprintf(worker->error, sizeof worker->error, "file %u: %s: %s", worker->files,
                     grpcc_status_name(status), err.message);
        grpcc_arena_free(arena);
        if (status != GRPCC_OK)
            break;
    }
    free(bytes);
    return NULL;
}

static void note_problem(void *data, const char *path, const char *why)
{
    struct import *import = data;
    snprintf(import->tree_error, sizeof import->tree_error, "%s: %s", path, why);
}

static enum grpcc_status send_tree(struct import *import, unsigned number,
                                   struct comb_tree_report *ret_report, struct grpcc_error *err)
{
    char path[64], local[320];
    struct comb_tree_options options = {
        .size = sizeof options, .problem = note_problem, .problem_data = import};
    snprintf(path, sizeof path, "/personal/trees/%u", number);
    snprintf(local, sizeof local, "%s/tree", import->folder);
    return comb_put_tree(import->client, local, path, &options, ret_report, err);
}

static void *trees_run(void *data)
{
    struct import *import = data;
    while (!atomic_load(&import->stop) && import->trees < TREES_MAX && !import->tree_error[0]) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct comb_tree_report report;
        enum grpcc_status status = send_tree(import, import->trees, &report, &err);
        if (status == GRPCC_OK)
            import->trees++;
        else
            snprintf(import->tree_error, sizeof import->tree_error, "tree %u: %s: %s",
                     import->trees, grpcc_status_name(status), err.message);
    }
    return NULL;
}

static void make_tree(struct import *import)
{
    unsigned char *bytes = malloc(PARTS);
    char path[400];
    assert_non_null(bytes);
    snprintf(path, sizeof path, "%s/tree", import->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/tree/sub", import->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    for (unsigned i = 0; i < TREE_FILES; i++) {
        size_t n = i == 0 ? PARTS : i * 100;
        snprintf(path, sizeof path, "%s/tree/%s%u", import->folder, i % 2 ? "sub/" : "", i);
        calls_content(i + 1, bytes, n);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(bytes, 1, n, file), n);
        assert_int_equal(fclose(file), 0);
    }
    free(bytes);
}

/* Kills combd at random moments while the workers send. */
static void kill_again_and_again(struct import *import, struct worker workers[WORKERS])
{
    pthread_t threads[WORKERS], trees;
    unsigned kills = calls_count(KILLS_SHORT, KILLS_LONG);
    uint64_t random = (uint64_t)calls_now_ns() | 1;
    print_message("%u kills, seed %llu\n", kills, (unsigned long long)random);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.import = import, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, worker_run, &workers[i]), 0);
    }
    assert_int_equal(pthread_create(&trees, NULL, trees_run, import), 0);
    for (unsigned i = 0; i < kills; i++) {
        calls_sleep_ms(LIVES_MS_MIN + (long)calls_draw(&random, LIVES_MS_MAX - LIVES_MS_MIN));
        combd_kill(&import->combd);
        combd_start(&import->combd, NULL);
    }
    atomic_store(&import->stop, true);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(trees, NULL);
    for (unsigned i = 0; i < WORKERS; i++)
        if (workers[i].error[0])
            fail_msg("worker %u: %s", i, workers[i].error);
    if (import->tree_error[0])
        fail_msg("%s", import->tree_error);
}

/* Compares what comes with what is wanted, as it comes. */
struct comparison {
    const unsigned char *wanted;
    size_t n, at;
};

static bool compare(void *data, const void *bytes, size_t n)
{
    struct comparison *comparison = data;
    if (n > comparison->n - comparison->at ||
        memcmp(comparison->wanted + comparison->at, bytes, n) != 0)
        return false;
    comparison->at += n;
    return true;
}

/* What is listed as a file has the content that its name says, by its hash and by its bytes. */
static void check_file(struct import *import, const struct comb_v1_node *node,
                       struct worker workers[WORKERS], unsigned char *bytes)
{
    unsigned worker = 0, file = 0;
    unsigned char sha256[CALLS_SHA256_BYTES];
    char path[300];
    struct grpcc_error err = GRPCC_ERROR_INIT;
    snprintf(path, sizeof path, "/personal/import/%s", node->name);
    assert_int_equal(sscanf(node->name, "%u-%u", &worker, &file), 2);
    assert_true(worker < WORKERS && file < workers[worker].files);
    struct comparison comparison = {.wanted = bytes, .n = size_of(file)};
    fill(worker, file, bytes);
    calls_sha256(bytes, size_of(file), sha256);
    assert_int_equal(node->size, size_of(file));
    assert_int_equal(node->sha256.len, sizeof sha256);
    assert_memory_equal(node->sha256.data, sha256, sizeof sha256);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (comb_get_stream(import->client, arena, path, 0, UINT64_MAX, compare, &comparison, NULL,
                        &err))
        fail_msg("%s: %s", path, err.message);
    assert_int_equal(comparison.at, comparison.n);
    grpcc_arena_free(arena);
}

static unsigned check_files(struct import *import, struct worker workers[WORKERS])
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct comb_list *list = NULL;
    const struct comb_v1_node *node = NULL;
    unsigned char *bytes = malloc(LARGE);
    unsigned seen = 0, sent = 0;
    int more;
    assert_non_null(bytes);
    request->folder = calls_ref(arena, "/personal/import");
    request->page_size = 1000;
    assert_int_equal(comb_list_open(import->client, request, &list, &err), GRPCC_OK);
    while ((more = comb_list_next(list, &node, &err)) == 1) {
        check_file(import, node, workers, bytes);
        seen++;
    }
    if (more != 0)
        fail_msg("%s", err.message);
    comb_list_close(list);
    for (unsigned i = 0; i < WORKERS; i++)
        sent += workers[i].files;
    /* Names are unique in a list and each is one that was sent: as many as were sent are all. */
    assert_int_equal(seen, sent);
    free(bytes);
    grpcc_arena_free(arena);
    return sent;
}

/* What was sent is what comes back, and is found unchanged by another import. */
static void check_trees(struct import *import)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_tree_report report;
    char path[64], local[320], command[1024];
    for (unsigned i = 0; i < import->trees; i++) {
        snprintf(path, sizeof path, "/personal/trees/%u", i);
        snprintf(local, sizeof local, "%s/back-%u", import->folder, i);
        if (comb_get_tree(import->client, path, local, NULL, &report, &err))
            fail_msg("%s: %s", path, err.message);
        snprintf(command, sizeof command, "diff -r %s/tree %s && rm -r %s", import->folder, local,
                 local);
        assert_int_equal(system(command), 0);
        if (send_tree(import, i, &report, &err))
            fail_msg("%s: %s", path, err.message);
        assert_int_equal(report.files, 0);
        assert_int_equal(report.unchanged, TREE_FILES);
    }
}

struct feed {
    unsigned files; /* made */
    unsigned contents;
    char (*ids)[40];
    unsigned n_max;
};

static void note_change(void *data, const struct comb_v1_change *change)
{
    struct feed *feed = data;
    feed->contents += change->kind == COMB_V1_CHANGE_KIND_CONTENT;
    if (change->kind != COMB_V1_CHANGE_KIND_CREATED || change->node->kind != COMB_V1_NODE_KIND_FILE)
        return;
    if (feed->files < feed->n_max)
        snprintf(feed->ids[feed->files], sizeof feed->ids[0], "%s", change->node->id);
    feed->files++;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The feed tells of each file once: no repeated attempt made or wrote anything a second time. */
static void check_feed(struct import *import, const char *cursor, unsigned files)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct feed feed = {.n_max = files, .ids = calloc(files, sizeof *feed.ids)};
    assert_non_null(feed.ids);
    if (calls_changes(import->client, "/personal", cursor, note_change, &feed, &err))
        fail_msg("changes: %s", err.message);
    assert_int_equal(feed.files, files);
    assert_int_equal(feed.contents, 0);
    qsort(feed.ids, files, sizeof feed.ids[0], by_text);
    for (unsigned i = 1; i < files; i++)
        assert_string_not_equal(feed.ids[i - 1], feed.ids[i]);
    free(feed.ids);
}

static void an_import_survives_kills(void **state)
{
    static struct import import;
    static struct worker workers[WORKERS];
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    const char *cursor = NULL;
    (void)state;
    combd_start(&import.combd, NULL);
    import.client = combd_client(&import.combd);
    snprintf(import.folder, sizeof import.folder, "%s/local.XXXXXX", getenv("TEST_TMPDIR"));
    assert_non_null(mkdtemp(import.folder));
    make_tree(&import);
    assert_int_equal(calls_cursor(import.client, arena, "/personal", &cursor, &err), GRPCC_OK);
    assert_int_equal(calls_mkdir(import.client, arena, "/personal", "import", false, NULL, &err),
                     GRPCC_OK);
    assert_int_equal(calls_mkdir(import.client, arena, "/personal", "trees", false, NULL, &err),
                     GRPCC_OK);
    kill_again_and_again(&import, workers);
    unsigned files = check_files(&import, workers);
    print_message("%u files and %u trees\n", files, import.trees);
    assert_true(files > 0 && import.trees > 0);
    check_trees(&import);
    check_feed(&import, cursor, files + import.trees * TREE_FILES);
    comb_client_close(import.client);
    grpcc_arena_free(arena);
    combd_stop(&import.combd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_import_survives_kills)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
