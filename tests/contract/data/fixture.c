/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/contract/data/fixture.h"

#include <stdlib.h>

int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    test_ctx_init(&f->call);
    f->session = comb_uuid_new();
    f->folder = test_folder_new();
    must_ok(fixture_open_store(f->folder, &f->blobs, &f->call.err), &f->call.err);
    *state = f;
    return 0;
}

int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    comb_blobs_close(f->blobs);
    test_ctx_done(&f->call);
    free(f->folder);
    free(f);
    return 0;
}

uint32_t fixture_caps(void)
{
    void *state = NULL;
    uint32_t caps;

    fixture_setup(&state);
    caps = ((struct fixture *)state)->blobs->driver->caps;
    fixture_teardown(&state);
    return caps;
}

void fixture_reopen(struct fixture *f)
{
    comb_blobs_close(f->blobs);
    f->blobs = NULL;
    must_ok(fixture_open_store(f->folder, &f->blobs, &f->call.err), &f->call.err);
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
    must_ok(comb_blob_create(f->blobs, &f->call.ctx, key, 0, &writer, &f->call.err), &f->call.err);
    for (uint64_t offset = 0; offset < size; offset += chunk) {
        size_t n = size - offset < chunk ? (size_t)(size - offset) : chunk;

        fixture_fill(key, offset, bytes, n);
        must_ok(
            comb_blob_write(f->blobs, &f->call.ctx, writer, comb_str_of(bytes, n), &f->call.err),
            &f->call.err);
    }
    must_ok(comb_blob_commit(f->blobs, &f->call.ctx, writer, &f->call.err), &f->call.err);
    free(bytes);
}

void fixture_must_have(struct fixture *f, comb_str key, uint64_t size)
{
    static char read[1 << 16], expected[sizeof read];
    struct comb_blob_reader *reader = NULL;
    uint64_t actual_size = UINT64_MAX, offset = 0;
    size_t n = 1;

    must_ok(comb_blob_open(f->blobs, &f->call.ctx, key, &reader, &actual_size, &f->call.err),
            &f->call.err);
    assert_int_equal(actual_size, size);
    while (n > 0) {
        must_ok(comb_blob_read(f->blobs, &f->call.ctx, reader, offset, read, sizeof read, &n,
                               &f->call.err),
                &f->call.err);
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

    must_fail(COMB_NOT_FOUND,
              comb_blob_open(f->blobs, &f->call.ctx, key, &reader, &size, &f->call.err),
              &f->call.err);
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

    must_ok(comb_blob_list(f->blobs, &f->call.ctx, prefix, count_one, &count, &f->call.err),
            &f->call.err);
    if (ret_bytes)
        *ret_bytes = count.bytes;
    return count.n;
}
