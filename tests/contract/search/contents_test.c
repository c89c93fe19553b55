/* SPDX-License-Identifier: Apache-2.0 */
/* The consumer "search-content": files are found by what is in them, read by the real comb-extract;
 * what cannot be read is kept with its reason. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/contract/search/world.h"

enum { BLOBS_MAX = 300 };

/* The data row of this test. */
static struct blob {
    struct comb_uuid id;
    const char *text;
    size_t len;
    size_t zeros; /* that follow it */
    bool is_slow; /* while the gate is shut, it comes by single spaces, without an end */
    int opened;
} blobs[BLOBS_MAX];
static size_t n_blobs;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum comb_status failure; /* of blobs that are not there */
static bool is_gate_open;

static const struct timespec pause_time = {0, 50 * 1000 * 1000};

struct content {
    const struct blob *blob;
    size_t at;
};

static enum comb_status blob_open(void *data, struct comb_ctx *ctx, const struct comb_uuid *id,
                                  void **ret_content, struct comb_error *err)
{
    struct content *content = calloc(1, sizeof *content);
    (void)data;
    (void)ctx;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_blobs; i++) {
        if (!comb_uuid_equal(&blobs[i].id, id))
            continue;
        blobs[i].opened++;
        content->blob = &blobs[i];
    }
    pthread_mutex_unlock(&lock);
    if (!content->blob) {
        free(content);
        return comb_error_set(err, failure, 0, "the blob is not there");
    }
    *ret_content = content;
    return COMB_OK;
}

static bool is_held_up(const struct blob *blob)
{
    pthread_mutex_lock(&lock);
    bool is_it = blob->is_slow && !is_gate_open;
    pthread_mutex_unlock(&lock);
    return is_it;
}

static enum comb_status blob_read(void *data, struct comb_ctx *ctx, void *buffer, size_t capacity,
                                  size_t *ret_n, struct comb_error *err)
{
    struct content *content = data;
    const struct blob *blob = content->blob;
    size_t left = blob->len + blob->zeros - content->at, n = left < capacity ? left : capacity;
    (void)ctx;
    (void)err;
    if (is_held_up(blob)) {
        nanosleep(&pause_time, NULL);
        memset(buffer, ' ', 1);
        *ret_n = 1;
        return COMB_OK;
    }
    memset(buffer, 0, n);
    if (content->at < blob->len) {
        if (n > blob->len - content->at)
            n = blob->len - content->at;
        memcpy(buffer, blob->text + content->at, n);
    }
    content->at += n;
    *ret_n = n;
    return COMB_OK;
}

static void keep_blob(const struct comb_node *node, const char *text, size_t zeros)
{
    pthread_mutex_lock(&lock);
    assert_true(n_blobs < BLOBS_MAX);
    blobs[n_blobs++] =
        (struct blob){.id = node->blob, .text = text, .len = strlen(text), .zeros = zeros};
    pthread_mutex_unlock(&lock);
}

static int times_opened(const struct comb_node *node)
{
    int times = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_blobs; i++)
        if (comb_uuid_equal(&blobs[i].id, &node->blob))
            times = blobs[i].opened;
    pthread_mutex_unlock(&lock);
    return times;
}

static struct comb_node put_text(struct world *w, const char *name, const char *text)
{
    struct comb_node node = put(w->tree, "/work", name, strlen(text));
    keep_blob(&node, text, 0);
    return node;
}

static struct comb_node put_slow(struct world *w, const char *name, const char *text)
{
    struct comb_node node = put(w->tree, "/work", name, strlen(text));
    pthread_mutex_lock(&lock);
    assert_true(n_blobs < BLOBS_MAX);
    blobs[n_blobs++] =
        (struct blob){.id = node.blob, .text = text, .len = strlen(text), .is_slow = true};
    pthread_mutex_unlock(&lock);
    return node;
}

static void open_gate(bool open)
{
    pthread_mutex_lock(&lock);
    is_gate_open = open;
    pthread_mutex_unlock(&lock);
}

static int setup(void **state)
{
    const struct comb_extract_options options = {
        .program = getenv("COMB_EXTRACT_PROGRAM"),
        .workers = 2,
        .limits = {.output_bytes = COMB_SEARCH_TEXT_BYTES_MAX, .wall_ms = 30000}};
    char program[4096];
    struct comb_extract_options absolute = options;
    struct comb_error err;
    assert_int_equal(world_setup(state), 0);
    struct world *w = *state;
    assert_non_null(realpath(options.program, program));
    absolute.program = program;
    must_ok(comb_extract_new(&absolute, &w->extract, &err), &err);
    absolute.workers = 1;
    /* However long a busy machine takes for the other files: the end of the batch comes first, and
     * then it is tried again. */
    absolute.limits.wall_ms = 600000;
    must_ok(comb_extract_new(&absolute, &w->slow, &err), &err);
    w->source = (struct comb_search_source){blob_open, blob_read, free, NULL};
    n_blobs = 0;
    failure = COMB_UNAVAILABLE;
    is_gate_open = false;
    return 0;
}

static struct comb_search_content content_of(struct world *w, const struct comb_node *node)
{
    const struct comb_search_content *contents;
    must_ok(w->store->driver->contents(w->store, next(w->tree), &node->id, 1, &contents,
                                       &w->tree->test.err),
            &w->tree->test.err);
    return contents[0];
}

static void await_hits(struct world *w, const char *word, size_t n)
{
    for (int i = 0; i < 60 * 20 && world_hits(w, word, COMB_SEARCH_CONTENT) != n; i++)
        nanosleep(&pause_time, NULL);
    assert_int_equal(world_hits(w, word, COMB_SEARCH_CONTENT), n);
}

static void await_content(struct world *w, const struct comb_node *node)
{
    for (int i = 0; i < 60 * 20; i++) {
        struct comb_search_content content = content_of(w, node);
        if (comb_uuid_equal(&content.blob, &node->blob))
            return;
        nanosleep(&pause_time, NULL);
    }
    fail_msg("nothing is known of a content");
}

static void await_epoch(struct world *w, const struct comb_node *node, uint64_t above)
{
    for (int i = 0; i < 60 * 20 && content_of(w, node).version.epoch <= above; i++)
        nanosleep(&pause_time, NULL);
    assert_true(content_of(w, node).version.epoch > above);
}

static void await_built(struct world *w)
{
    for (int i = 0; i < 60 * 20; i++) {
        if (world_place(w, COMB_SEARCH_CONTENT_CONSUMER).rebuild == COMB_REBUILD_NONE)
            return;
        nanosleep(&pause_time, NULL);
    }
    fail_msg("it is being built for ever");
}

static void files_are_found_by_what_is_in_them(void **state)
{
    enum { FILES = 40 };
    struct world *w = *state;
    char name[32];
    put_text(w, "before.txt", "aardvark zebra");
    world_start(w);
    put_text(w, "after.txt", "aardvark lion");
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "many%d.txt", i);
        put_text(w, name, "one of many");
    }
    await_hits(w, "aardvark", 2);
    await_hits(w, "many", FILES);
    /* Another content: the old one is not found any more. */
    struct comb_node node = put_text(w, "after.txt", "aardvark tiger");
    await_hits(w, "tiger", 1);
    await_hits(w, "lion", 0);
    /* A name says nothing of the content. */
    int before = times_opened(&node);
    move_to(w->tree, "/work/after.txt", "/work", "renamed.txt");
    put_text(w, "last.txt", "the very last");
    await_hits(w, "last", 1);
    await_hits(w, "tiger", 1);
    assert_int_equal(times_opened(&node), before);
    delete_for_good(w->tree, "/work/renamed.txt");
    await_hits(w, "tiger", 0);
}

static void what_cannot_be_read_is_kept_with_its_reason(void **state)
{
    struct world *w = *state;
    struct comb_node large = put(w->tree, "/work", "large.txt", 9 << 20);
    struct comb_node noise = put_text(w, "noise.bin", "\x7f\x01\x02\xff\xfe binary");
    struct comb_node damaged = put_text(w, "damaged.pdf", "%PDF-1.4\nnothing that follows");
    struct comb_node empty = put(w->tree, "/work", "empty.txt", 0);
    static char words[600 << 10];
    for (size_t i = 0; i + 8 < sizeof words; i += 8)
        memcpy(words + i, i == 0 ? "first   " : "further ", 8);
    keep_blob(&large, words, 0);
    world_start(w);
    await_hits(w, "first", 1);
    struct comb_search_content content = content_of(w, &large);
    assert_int_equal(content.outcome, COMB_EXTRACT_TRUNCATED);
    assert_int_equal(content.reason, COMB_EXTRACT_REASON_TOO_LARGE);
    await_content(w, &noise);
    assert_int_equal(content_of(w, &noise).outcome, COMB_EXTRACT_UNSUPPORTED);
    await_content(w, &damaged);
    content = content_of(w, &damaged);
    assert_int_equal(content.outcome, COMB_EXTRACT_REFUSED);
    assert_int_equal(content.reason, COMB_EXTRACT_REASON_DAMAGED);
    await_content(w, &empty);
    assert_int_equal(content_of(w, &empty).outcome, COMB_EXTRACT_TEXT);
}

static void a_data_row_that_is_away_is_waited_for_and_what_is_lost_is_not(void **state)
{
    struct world *w = *state;
    struct comb_node node = put(w->tree, "/work", "late.txt", 4);
    world_start(w);
    /* Its blob is not there: tried again and again, and then it is. */
    nanosleep(&pause_time, NULL);
    keep_blob(&node, "elephant", 0);
    await_hits(w, "elephant", 1);
    pthread_mutex_lock(&lock);
    failure = COMB_NOT_FOUND;
    pthread_mutex_unlock(&lock);
    struct comb_node lost = put(w->tree, "/work", "lost.txt", 4);
    put_text(w, "next.txt", "giraffe");
    await_hits(w, "giraffe", 1);
    assert_int_equal(content_of(w, &lost).reason, COMB_EXTRACT_REASON_SOURCE);
}

static void built_anew_only_what_is_asked_for_is_read_again(void **state)
{
    struct world *w = *state;
    struct comb_error *err = &w->tree->test.err;
    struct comb_node node = put_text(w, "a.txt", "hippopotamus");
    struct comb_node gone = put_text(w, "b.txt", "crocodile");
    uint64_t before = 0;
    world_start(w);
    await_hits(w, "hippopotamus", 1);
    await_hits(w, "crocodile", 1);
    uint64_t epoch = world_epoch(w, COMB_SEARCH_CONTENT_CONSUMER);
    /* A history that nobody knows: what is there is of the same blobs. */
    world_stop(w);
    const struct comb_sql_statement statement = {
        .text = "UPDATE lease SET incarnation = 0, rebuild = 1 WHERE name = 'search-content'"};
    const struct comb_sql_request request = {COMB_SQL_WRITE, 0, &statement, 1};
    const struct comb_sql_result *result;
    must_ok(comb_sql_run(w->tree->sql, next(w->tree), &request, &result, err), err);
    delete_for_good(w->tree, "/work/b.txt");
    world_start(w);
    await_epoch(w, &node, epoch);
    assert_int_equal(times_opened(&node), 1);
    /* One that is under way would be the answer to who wants another. */
    await_built(w);
    epoch = world_epoch(w, COMB_SEARCH_CONTENT_CONSUMER);
    must_ok(w->leases->driver->begin_anew(w->leases, next(w->tree),
                                          STR(COMB_SEARCH_CONTENT_CONSUMER), &before, err),
            err);
    put_text(w, "c.txt", "the holder hears of it");
    await_epoch(w, &node, epoch);
    assert_true(times_opened(&node) >= 2);
    assert_int_equal(times_opened(&gone), 1);
    await_hits(w, "hippopotamus", 1);
    await_hits(w, "crocodile", 0);
    await_hits(w, "hears", 1);
}

/* How many wait for who reads slow files, as administrators are told. */
static uint64_t waiting(struct world *w)
{
    const struct comb_consumer_status *found;
    struct comb_error *err = &w->tree->test.err;
    size_t n = 0;
    must_ok(comb_consumers_status(w->consumers, next(w->tree), &found, &n, err), err);
    for (size_t i = 0; i < n; i++)
        if (comb_str_equal(found[i].lease.name, STR(COMB_SEARCH_SLOW_CONSUMER))) {
            assert_int_equal(found[i].oldest_us > 0, found[i].n_behind > 0);
            return found[i].n_behind;
        }
    fail_msg("nobody reads slow files");
    return 0;
}

static void await_waiting(struct world *w, uint64_t n)
{
    for (int i = 0; i < 60 * 20 && waiting(w) != n; i++)
        nanosleep(&pause_time, NULL);
    assert_int_equal(waiting(w), n);
}

/* It is past its first building, in which nothing is put off. */
static void start_built(struct world *w)
{
    put_text(w, "first.txt", "the very first");
    world_start(w);
    await_hits(w, "first", 1);
    await_built(w);
}

static void slow_files_hold_up_nobody_and_are_found_in_the_end(void **state)
{
    enum { FILES = 200 };
    struct world *w = *state;
    char name[32];
    start_built(w);
    put_slow(w, "stays.txt", "tortoise stays");
    put_slow(w, "changes.txt", "tortoise changes");
    struct comb_node gone = put_slow(w, "goes.txt", "tortoise goes");
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "many%d.txt", i);
        put_text(w, name, "one of many");
    }
    await_hits(w, "many", FILES);
    assert_int_equal(waiting(w), 3);
    assert_int_equal(world_hits(w, "tortoise", COMB_SEARCH_CONTENT), 0);
    /* What becomes of them meanwhile counts, for who reads them late too. */
    put_text(w, "changes.txt", "hare");
    await_hits(w, "hare", 1);
    delete_for_good(w->tree, "/work/goes.txt");
    /* Who reads one gives it up, and the next one goes on. */
    world_stop(w);
    world_start(w);
    put_text(w, "later.txt", "one of many");
    await_hits(w, "many", FILES + 1);
    assert_int_equal(waiting(w), 3);
    open_gate(true);
    await_waiting(w, 0);
    assert_int_equal(world_hits(w, "tortoise", COMB_SEARCH_CONTENT), 1);
    assert_int_equal(world_hits(w, "stays", COMB_SEARCH_CONTENT), 1);
    assert_int_equal(world_hits(w, "hare", COMB_SEARCH_CONTENT), 1);
    /* The one that is gone was begun once, and not read afterwards. */
    assert_int_equal(times_opened(&gone), 1);
}

static void built_anew_slow_files_are_read_and_none_waits_any_more(void **state)
{
    struct world *w = *state;
    struct comb_error *err = &w->tree->test.err;
    uint64_t before = 0;
    start_built(w);
    put_slow(w, "slow.txt", "tortoise");
    await_waiting(w, 1);
    uint64_t epoch = world_epoch(w, COMB_SEARCH_CONTENT_CONSUMER);
    must_ok(w->leases->driver->begin_anew(w->leases, next(w->tree),
                                          STR(COMB_SEARCH_CONTENT_CONSUMER), &before, err),
            err);
    open_gate(true);
    for (int i = 0; i < 60 * 20 && world_epoch(w, COMB_SEARCH_CONTENT_CONSUMER) <= epoch; i++)
        nanosleep(&pause_time, NULL);
    await_built(w);
    await_hits(w, "tortoise", 1);
    await_waiting(w, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_found_by_what_is_in_them),
        TEST(what_cannot_be_read_is_kept_with_its_reason),
        TEST(a_data_row_that_is_away_is_waited_for_and_what_is_lost_is_not),
        TEST(built_anew_only_what_is_asked_for_is_read_again),
        TEST(slow_files_hold_up_nobody_and_are_found_in_the_end),
        TEST(built_anew_slow_files_are_read_and_none_waits_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
