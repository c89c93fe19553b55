/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A large blob goes to S3 and comes back in the memory of a few parts. 160 MiB; 5 GiB in the long
 * form.
 */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "tests/contract/data/fixture.h"

/* A part, while it is sent libcurl's buffers, and while it is read twice what one request reads. */
#define PEAK_MAX (24u << 20)
/* On top, what the sanitizers and the allocator keep is not ours to say. */
#define RESIDENT_MAX_KIB (64L << 10)

static atomic_size_t held, peak;

static void add(void *pointer)
{
    size_t now = atomic_fetch_add(&held, malloc_usable_size(pointer)) + malloc_usable_size(pointer);
    size_t before = peak;

    while (now > before && !atomic_compare_exchange_weak(&peak, &before, now))
        ;
}

static void *counted_alloc(size_t size)
{
    void *pointer = malloc(size);

    if (pointer)
        add(pointer);
    return pointer;
}

static void counted_free(void *pointer)
{
    if (pointer)
        held -= malloc_usable_size(pointer);
    free(pointer);
}

static void *counted_realloc(void *pointer, size_t size)
{
    size_t before = pointer ? malloc_usable_size(pointer) : 0;
    void *larger = realloc(pointer, size);

    if (larger) {
        held -= before;
        add(larger);
    }
    return larger;
}

static long resident_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Fewer bytes of the pattern than fixture_fill's, which would take longer than the transfer. */
static void fill(char *chunk, uint64_t number)
{
    memcpy(chunk, &number, sizeof number);
    memcpy(chunk + COMB_BLOB_CHUNK_MAX - sizeof number, &number, sizeof number);
}

static void large_blob_takes_the_memory_of_a_few_parts(void **state)
{
    struct fixture *f = *state;
    const uint64_t chunks = getenv("COMB_LONG") ? 5 << 10 : 160;
    static char chunk[COMB_BLOB_CHUNK_MAX], expected[COMB_BLOB_CHUNK_MAX];
    struct comb_blob_writer *writer = NULL;
    struct comb_blob_reader *reader = NULL;
    char text[COMB_BLOB_KEY_MAX];
    comb_str key = fixture_new_key(f, text);
    long before_kib = resident_kib();
    uint64_t size = 0;
    size_t n = 0;

    f->call.ctx.deadline_ns = INT64_MAX;
    peak = held;
    must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, chunks << 20, &writer, &f->call.err),
            &f->call.err);
    for (uint64_t i = 0; i < chunks; i++) {
        fill(chunk, i);
        must_ok(comb_blob_write(f->blobs, &f->call.ctx, writer, comb_str_of(chunk, sizeof chunk),
                                &f->call.err),
                &f->call.err);
    }
    must_ok(comb_blob_commit(f->blobs, &f->call.ctx, writer, &f->call.err), &f->call.err);
    must_ok(comb_blob_open(f->blobs, &f->call.ctx, key, &reader, &size, &f->call.err),
            &f->call.err);
    assert_int_equal(size, chunks << 20);
    for (uint64_t i = 0; i < chunks; i++) {
        must_ok(comb_blob_read(f->blobs, &f->call.ctx, reader, i << 20, chunk, sizeof chunk, &n,
                               &f->call.err),
                &f->call.err);
        fill(expected, i);
        assert_int_equal(n, sizeof chunk);
        assert_memory_equal(chunk, expected, sizeof chunk);
    }
    comb_blob_close_reader(f->blobs, reader);
    printf("s3, %llu MiB up and down: %zu KiB allocated at most, resident %ld KiB more\n",
           (unsigned long long)chunks, peak >> 10, resident_kib() - before_kib);
    assert_true(peak < PEAK_MAX);
    /* The quarantine of a sanitizer keeps what was freed. */
    if (!getenv("ASAN_OPTIONS") && !getenv("TSAN_OPTIONS"))
        assert_true(resident_kib() - before_kib < RESIDENT_MAX_KIB);
    must_ok(comb_blob_remove(f->blobs, &f->call.ctx, key, &f->call.err), &f->call.err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(large_blob_takes_the_memory_of_a_few_parts, fixture_setup,
                                        fixture_teardown),
    };
    static const struct comb_allocator counted = {counted_alloc, counted_realloc, counted_free};

    comb_memory_set_allocator(&counted);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
