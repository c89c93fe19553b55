/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/data/fixture.h"

#include <stdio.h>
#include <stdlib.h>

static unsigned stores; /* made by this process so far */

static void open_store(struct fixture *f)
{
    char name[32];

    snprintf(name, sizeof name, "store%u", stores);
    must_ok(fixture_open_store(name, &f->blobs, &f->err));
}

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    stores++;
    f->ctx.arena = grpcc_arena_new(0);
    assert_non_null(f->ctx.arena);
    f->ctx.deadline_ns = INT64_MAX;
    f->session = comb_uuid_new();
    open_store(f);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    comb_blobs_close(f->blobs);
    grpcc_arena_free(f->ctx.arena);
    free(f);
    return 0;
}

void fixture_reopen(struct fixture *f)
{
    comb_blobs_close(f->blobs);
    f->blobs = NULL;
    open_store(f);
}

void fixture_must(struct fixture *f, enum comb_status expected, enum comb_status status,
                  const char *call, const char *file, int line)
{
    if (status != expected)
        print_error("%s: %s, not %s: %s\n", call, comb_status_name(status),
                    comb_status_name(expected), status == COMB_OK ? "" : f->err.msg);
    _assert_true(status == expected, call, file, line);
    if (status != COMB_OK)
        _assert_true(f->err.status == status && f->err.msg[0] != '\0', call, file, line);
}

comb_str fixture_new_key(struct fixture *f, char ret_key[COMB_BLOB_KEY_MAX])
{
    struct comb_uuid blob = comb_uuid_new();

    return comb_blob_key(&f->session, &blob, ret_key);
}

void fixture_fill(comb_str key, uint64_t offset, void *bytes, size_t size)
{
    unsigned char *p = bytes;
    uint64_t seed = 14695981039346656037u;

    for (size_t i = 0; i < key.len; i++)
        seed = (seed ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    for (size_t i = 0; i < size; i++) {
        uint64_t x = seed + (offset + i) * 0x9e3779b97f4a7c15u;

        p[i] = (unsigned char)((x ^ x >> 29) >> 13);
    }
}

void fixture_put(struct fixture *f, comb_str key, uint64_t size, size_t chunk)
{
    struct comb_blob_writer *writer = NULL;
    char *bytes = malloc(chunk);

    assert_non_null(bytes);
    must_ok(comb_blob_create(f->blobs, &f->ctx, key, 0, &writer, &f->err));
    for (uint64_t offset = 0; offset < size; offset += chunk) {
        size_t n = size - offset < chunk ? (size_t)(size - offset) : chunk;

        fixture_fill(key, offset, bytes, n);
        must_ok(comb_blob_write(f->blobs, &f->ctx, writer, comb_str_of(bytes, n), &f->err));
    }
    must_ok(comb_blob_commit(f->blobs, &f->ctx, writer, &f->err));
    free(bytes);
}

void fixture_must_have(struct fixture *f, comb_str key, uint64_t size)
{
    static char read[1 << 16], expected[sizeof read];
    struct comb_blob_reader *reader = NULL;
    uint64_t actual_size = UINT64_MAX, offset = 0;
    size_t n = 1;

    must_ok(comb_blob_open(f->blobs, &f->ctx, key, &reader, &actual_size, &f->err));
    assert_int_equal(actual_size, size);
    while (n > 0) {
        must_ok(comb_blob_read(f->blobs, &f->ctx, reader, offset, read, sizeof read, &n, &f->err));
        fixture_fill(key, offset, expected, n);
        assert_memory_equal(read, expected, n);
        offset += n;
    }
    assert_int_equal(offset, size);
    comb_blob_close_reader(f->blobs, reader);
}

void fixture_must_not_have(struct fixture *f, comb_str key)
{
    struct comb_blob_reader *reader = NULL;
    uint64_t size = 4711;

    must_fail(COMB_NOT_FOUND, comb_blob_open(f->blobs, &f->ctx, key, &reader, &size, &f->err));
    assert_null(reader);
    assert_int_equal(size, 4711);
}

struct count {
    size_t n;
    uint64_t bytes;
};

static bool count_one(void *data, comb_str key, uint64_t size)
{
    struct count *count = data;

    assert_int_equal(key.len, COMB_BLOB_KEY_LENGTH);
    count->n++;
    count->bytes += size;
    return true;
}

size_t fixture_count(struct fixture *f, comb_str prefix, uint64_t *ret_bytes)
{
    struct count count = {0, 0};

    must_ok(comb_blob_list(f->blobs, &f->ctx, prefix, count_one, &count, &f->err));
    if (ret_bytes)
        *ret_bytes = count.bytes;
    return count.n;
}
