/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption at rest (docs/encryption.md): what lies in the data row, what is refused, keys. */
#include <stdio.h>
#include <stdlib.h>

#include "server/core/clock.h"
#include "server/data/block_cipher.h"
#include "server/data/data_keys.h"
#include "tests/contract/data/domain.h"

enum { CONTENT_MAX = 3 << 20, OBJECTS_MAX = 256 };

static char content[CONTENT_MAX];

/* Of `content`, different for each n. */
static comb_str some(size_t size, unsigned n)
{
    for (size_t i = 0; i < size; i++)
        content[i] = (char)(i / 251 + i + n);
    return comb_str_of(content, size);
}

/* For what is no call of the user's: his next one sees at least what he has seen all the same. */
static struct comb_ctx *aside(struct domain *d)
{
    test_ctx_next(&d->stranger);
    return &d->stranger.ctx;
}

/* ---- what lies in the data row ---- */

struct objects {
    char keys[OBJECTS_MAX][COMB_BLOB_KEY_MAX];
    uint64_t sizes[OBJECTS_MAX];
    size_t n;
};

static bool add_object(void *data, comb_str key, uint64_t size)
{
    struct objects *all = data;

    assert_true(all->n < OBJECTS_MAX);
    snprintf(all->keys[all->n], COMB_BLOB_KEY_MAX, "%.*s", COMB_STR_ARG(key));
    all->sizes[all->n++] = size;
    return true;
}

static struct objects list(struct domain *d)
{
    struct objects all = {.n = 0};

    must_ok(comb_blob_list(d->blobs, aside(d), STR(""), add_object, &all, &d->call.err),
            &d->call.err);
    return all;
}

/* The bytes of an object, which the test frees. */
static char *stored_bytes(struct domain *d, const char *key, uint64_t *ret_size)
{
    struct comb_blob_reader *reader = NULL;
    struct comb_ctx *ctx = aside(d);
    char *bytes;
    size_t n = 1;

    must_ok(comb_blob_open(d->blobs, ctx, comb_str_from(key), &reader, ret_size, &d->call.err),
            &d->call.err);
    bytes = malloc(*ret_size + 1);
    assert_non_null(bytes);
    for (uint64_t done = 0; done < *ret_size; done += n) {
        uint64_t left = *ret_size - done;

        must_ok(comb_blob_read(d->blobs, ctx, reader, done, bytes + done,
                               left < COMB_BLOB_CHUNK_MAX ? left : COMB_BLOB_CHUNK_MAX, &n,
                               &d->call.err),
                &d->call.err);
        assert_true(n > 0);
    }
    comb_blob_close_reader(d->blobs, reader);
    return bytes;
}

/* As somebody would who has the data store in his hands. */
static void store_bytes(struct domain *d, const char *key, const char *bytes, uint64_t size)
{
    struct comb_blob_writer *writer = NULL;
    struct comb_ctx *ctx = aside(d);

    must_ok(comb_blob_remove(d->blobs, ctx, comb_str_from(key), &d->call.err), &d->call.err);
    must_ok(comb_blob_create(d->blobs, ctx, comb_str_from(key), 0, &writer, &d->call.err),
            &d->call.err);
    for (uint64_t done = 0; done < size; done += COMB_BLOB_CHUNK_MAX) {
        uint64_t left = size - done;

        must_ok(
            comb_blob_write(
                d->blobs, ctx, writer,
                comb_str_of(bytes + done, left < COMB_BLOB_CHUNK_MAX ? left : COMB_BLOB_CHUNK_MAX),
                &d->call.err),
            &d->call.err);
    }
    must_ok(comb_blob_commit(d->blobs, ctx, writer, &d->call.err), &d->call.err);
}

/* The content of a file is refused from the byte on. */
static void must_refuse(struct domain *d, const char *name, uint64_t offset)
{
    struct comb_v1_data_download_request *request;
    comb_str actual;

    domain_next(d);
    request = domain_request(d, name);
    request->offset = offset;
    must_fail(COMB_DATA_LOSS, domain_get(d, request, &actual), &d->call.err);
}

/* From now on, contents are encrypted; by a process that has taken over. */
static void switch_on(struct domain *d)
{
    comb_data_free(d->data);
    d->encrypts = true;
    d->data = domain_another(d);
}

/* ---- reading ---- */

static void contents_are_encrypted_and_read_back(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 15 * 65536, CONTENT_MAX};
    struct domain *d = *state;
    char name[16];
    uint64_t expected = 0, actual = 0;

    domain_put(d, "before", some(100000, 99));
    switch_on(d);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(name, sizeof name, "f%u", i);
        domain_put(d, name, some(sizes[i], i));
        expected += comb_blocks_stored(sizes[i]);
    }
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(name, sizeof name, "f%u", i);
        domain_must_hold(d, name, some(sizes[i], i));
    }
    domain_must_hold(d, "before", some(100000, 99));
    const struct objects all = list(d);
    assert_int_equal(all.n, 8);
    for (size_t i = 0; i < all.n; i++)
        actual += all.sizes[i];
    assert_true(actual == expected + 100000);
    /* Nor can it be read without the row's key. */
    for (size_t i = 0; i < all.n; i++) {
        uint64_t size;
        char *bytes = stored_bytes(d, all.keys[i], &size);

        if (size == comb_blocks_stored(CONTENT_MAX))
            assert_memory_not_equal(bytes, some(64, 6).ptr, 64);
        free(bytes);
    }
}

static uint64_t n_read;
static const struct comb_blob_driver *below;

static enum comb_status counting_read(struct comb_blobs *self, struct comb_ctx *ctx,
                                      struct comb_blob_reader *reader, uint64_t offset,
                                      void *buffer, size_t capacity, size_t *ret_n,
                                      struct comb_error *err)
{
    enum comb_status status = below->read(self, ctx, reader, offset, buffer, capacity, ret_n, err);

    n_read += status == COMB_OK ? *ret_n : 0;
    return status;
}

static void ranges_read_the_blocks_they_touch(void **state)
{
    static const struct {
        uint64_t offset, length, blocks;
    } ranges[] = {
        {0, 1, 1},       {65535, 1, 1},          {65535, 2, 2},           {65536, 65536, 1},
        {100, 65536, 2}, {1000000, 1500000, 24}, {CONTENT_MAX - 1, 1, 1}, {1 << 20, 1 << 20, 16}};
    struct domain *d = *state;
    struct comb_blob_driver driver = *d->blobs->driver;

    switch_on(d);
    domain_put(d, "f", some(CONTENT_MAX, 1));
    below = d->blobs->driver;
    driver.read = counting_read;
    d->blobs->driver = &driver;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct comb_v1_data_download_request *request;
        comb_str actual;

        domain_next(d);
        request = domain_request(d, "f");
        request->offset = ranges[i].offset;
        request->has_length = true;
        request->length = ranges[i].length;
        n_read = 0;
        must_ok(domain_get(d, request, &actual), &d->call.err);
        assert_int_equal(actual.len, ranges[i].length);
        assert_memory_equal(actual.ptr, content + ranges[i].offset, actual.len);
        assert_int_equal(n_read, ranges[i].blocks * COMB_BLOCK_STORED_BYTES);
    }
    d->blobs->driver = below;
}

static void what_was_changed_is_refused(void **state)
{
    struct domain *d = *state;
    const size_t stored = comb_blocks_stored(200000);
    char *bytes, *changed = malloc(stored), *other;
    uint64_t size;

    assert_non_null(changed);
    switch_on(d);
    domain_put(d, "f", some(200000, 1));
    const struct objects all = list(d);
    const char *key = all.keys[0];
    assert_int_equal(all.n, 1);
    bytes = stored_bytes(d, key, &size);
    assert_int_equal(size, stored);
    /* A bit: only its block is lost. */
    memcpy(changed, bytes, stored);
    changed[COMB_BLOCK_STORED_BYTES + 5] ^= 16;
    store_bytes(d, key, changed, stored);
    must_refuse(d, "f", 0);
    must_refuse(d, "f", COMB_BLOCK_BYTES);
    domain_next(d);
    {
        struct comb_v1_data_download_request *request = domain_request(d, "f");
        comb_str actual;

        request->offset = (uint64_t)2 * COMB_BLOCK_BYTES;
        must_ok(domain_get(d, request, &actual), &d->call.err);
        assert_memory_equal(actual.ptr, content + request->offset, actual.len);
    }
    /* Two blocks in each other's places. */
    memcpy(changed, bytes + COMB_BLOCK_STORED_BYTES, COMB_BLOCK_STORED_BYTES);
    memcpy(changed + COMB_BLOCK_STORED_BYTES, bytes, COMB_BLOCK_STORED_BYTES);
    store_bytes(d, key, changed, stored);
    must_refuse(d, "f", 0);
    must_refuse(d, "f", COMB_BLOCK_BYTES);
    /* Cut, in a block and between two. */
    store_bytes(d, key, bytes, stored - 1);
    must_refuse(d, "f", 0);
    store_bytes(d, key, bytes, (uint64_t)3 * COMB_BLOCK_STORED_BYTES);
    must_refuse(d, "f", 0);
    /* Another content of that size in its place. */
    domain_put(d, "g", some(200000, 1));
    const struct objects both = list(d);
    const char *key_of_g = both.keys[strcmp(both.keys[0], key) == 0];
    other = stored_bytes(d, key_of_g, &size);
    store_bytes(d, key, other, stored);
    must_refuse(d, "f", 0);
    store_bytes(d, key, bytes, stored);
    domain_must_hold(d, "f", some(200000, 1));
    free(other);
    free(bytes);
    free(changed);
}

/* ---- parts ---- */

static struct comb_data_writer *begin_part(struct domain *d, const char *id, comb_str bytes)
{
    struct comb_v1_part_header *header = comb_v1_part_header_new(d->call.ctx.arena);
    const struct comb_request_key key = domain_key();
    struct comb_data_writer *writer = NULL;

    assert_non_null(header);
    header->upload_id = grpcc_arena_strdup(d->call.ctx.arena, id);
    must_ok(comb_data_begin_part(d->data, &d->call.ctx, header, "", &key, &writer, &d->call.err),
            &d->call.err);
    must_ok(comb_data_write(writer, &d->call.ctx, bytes, &d->call.err), &d->call.err);
    return writer;
}

static char *start(struct domain *d, const char *name, uint64_t size)
{
    struct comb_v1_data_start_upload_request *request;
    const struct comb_request_key key = domain_key();
    struct comb_v1_upload *upload = NULL;
    struct comb_ctx *ctx = domain_next(d);

    request = comb_v1_data_start_upload_request_new(ctx->arena);
    assert_non_null(request);
    request->target = domain_header(d, name)->target;
    request->has_size = true;
    request->size = size;
    must_ok(comb_data_start_upload(d->data, ctx, request, &key, &upload, &d->call.err),
            &d->call.err);
    return strdup(upload->id);
}

static void commit(struct domain *d, const char *id)
{
    struct comb_v1_data_commit_upload_request *request;
    const struct comb_request_key key = domain_key();
    struct comb_v1_node *node;
    struct comb_ctx *ctx = domain_next(d);

    request = comb_v1_data_commit_upload_request_new(ctx->arena);
    assert_non_null(request);
    request->upload_id = grpcc_arena_strdup(ctx->arena, id);
    must_ok(comb_data_commit_upload(d->data, ctx, request, &key, &node, &d->call.err),
            &d->call.err);
}

/* A part of that content, in an upload of its own that becomes the file. */
static void put_in_a_part(struct domain *d, const char *name, comb_str bytes)
{
    char *id = start(d, name, bytes.len);
    struct comb_data_writer *writer = begin_part(d, id, bytes);
    struct comb_v1_upload *upload;

    must_ok(comb_data_end_part(writer, &d->call.ctx, &upload, &d->call.err), &d->call.err);
    comb_data_writer_free(writer);
    commit(d, id);
    free(id);
}

/*
 * With one key and nonce for both, the two ciphertexts would differ where the contents do and
 * nowhere else, by the same bits: that is what whoever has both would learn.
 */
static void part_sent_again_is_under_another_key(void **state)
{
    enum { SIZE = 70000 };
    struct domain *d = *state;
    static char with_other_bytes[SIZE];
    struct comb_data_writer *first, *second;
    struct comb_v1_upload *upload;
    uint64_t size;
    size_t same_bits = 0;

    switch_on(d);
    char *id = start(d, "f", SIZE);
    some(SIZE, 1);
    memcpy(with_other_bytes, content, SIZE);
    with_other_bytes[3] ^= 1;
    first = begin_part(d, id, comb_str_of(content, SIZE));
    second = begin_part(d, id, comb_str_of(with_other_bytes, SIZE));
    must_ok(comb_data_end_part(first, &d->call.ctx, &upload, &d->call.err), &d->call.err);
    must_fail(COMB_INVALID_ARGUMENT,
              comb_data_end_part(second, &d->call.ctx, &upload, &d->call.err), &d->call.err);
    /* Until its writer goes, the one that lost lies in the store too. */
    struct objects both = list(d);
    assert_int_equal(both.n, 2);
    char *one = stored_bytes(d, both.keys[0], &size), *two = stored_bytes(d, both.keys[1], &size);
    assert_int_equal(size, comb_blocks_stored(SIZE));
    for (size_t i = 0; i < SIZE; i++)
        same_bits += ((one[i] ^ two[i]) == (content[i] ^ with_other_bytes[i]));
    assert_true(same_bits < SIZE / 100); /* by chance, 1 of 256 */
    free(one);
    free(two);
    comb_data_writer_free(first);
    comb_data_writer_free(second);
    commit(d, id);
    free(id);
    assert_int_equal(domain_objects(d), 1);
    domain_must_hold(d, "f", some(SIZE, 1));
}

/* ---- encryption of what is there ---- */

static bool may_not_go_on(const void *of)
{
    (void)of;
    return false;
}

static struct comb_data_encrypted encrypt_all(struct domain *d)
{
    struct comb_data_encrypted done = {.objects = 0};

    for (int i = 0; !done.walk.is_over; i++) {
        assert_true(i < 100);
        must_ok(comb_data_encrypt_some(d->data, aside(d), &done, NULL, NULL, &d->call.err),
                &d->call.err);
    }
    return done;
}

static void what_is_there_is_encrypted_afterwards(void **state)
{
    struct domain *d = *state;
    struct comb_data_encrypted done = {.objects = 0};
    uint64_t size;

    domain_put(d, "whole", some(200000, 1));
    domain_put(d, "empty", STR(""));
    put_in_a_part(d, "parts", some(100000, 2));
    domain_put(d, "damaged", some(70, 3));
    struct objects plain = list(d);
    assert_int_equal(plain.n, 4);
    for (size_t i = 0; i < plain.n; i++) {
        if (plain.sizes[i] == 70)
            store_bytes(d, plain.keys[i], some(70, 4).ptr, 70);
    }
    must_fail(COMB_FAILED_PRECONDITION,
              comb_data_encrypt_some(d->data, aside(d), &done, NULL, NULL, &d->call.err),
              &d->call.err);
    switch_on(d);
    must_ok(comb_data_encrypt_some(d->data, aside(d), &done, may_not_go_on, NULL, &d->call.err),
            &d->call.err);
    assert_int_equal(done.objects, 0);
    done = encrypt_all(d);
    assert_int_equal(done.objects, 3);
    assert_int_equal(done.bytes, 300000);
    assert_int_equal(done.left, 1);
    domain_must_hold(d, "whole", some(200000, 1));
    domain_must_hold(d, "empty", STR(""));
    domain_must_hold(d, "parts", some(100000, 2));
    domain_must_hold(d, "damaged", some(70, 4));
    /* Again: there is nothing to do. */
    done = encrypt_all(d);
    assert_int_equal(done.objects, 0);
    /* What was is kept for the restore window, also after its writer. */
    domain_sweep(d, d->data);
    assert_int_equal(domain_objects(d), 7);
    domain_advance_us(d, DOMAIN_WINDOW_US + COMB_US_PER_S);
    domain_sweep(d, d->data);
    struct objects rest = list(d);
    assert_int_equal(rest.n, 4);
    for (size_t i = 0; i < rest.n; i++) {
        char *bytes = stored_bytes(d, rest.keys[i], &size);

        assert_true(size == 70 || size == comb_blocks_stored(200000) || size == 16 ||
                    size == comb_blocks_stored(100000));
        free(bytes);
    }
    domain_must_hold(d, "whole", some(200000, 1));
    domain_must_hold(d, "parts", some(100000, 2));
}

/* ---- keys ---- */

static void rotation_touches_no_object(void **state)
{
    enum { FILES = 70 };
    static const struct comb_blob_driver none = {.name = "none"};
    struct domain *d = *state;
    const struct comb_blob_driver *driver = d->blobs->driver;
    struct comb_data_encrypted done = {.objects = 0};
    const struct comb_uuid request = comb_uuid_new(), next = comb_uuid_new();
    char name[16];

    domain_put(d, "plain", some(10, 1));
    switch_on(d);
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%u", i);
        domain_put(d, name, some(10, i));
    }
    put_in_a_part(d, "parts", some(100000, 2));
    d->blobs->driver = &none; /* has no slots */
    while (!done.walk.is_over)
        must_ok(comb_data_rewrap_some(d->data, aside(d), &request, &done, &d->call.err),
                &d->call.err);
    assert_int_equal(done.objects, FILES + 1);
    assert_int_equal(done.left, 0);
    /* The same request again makes no version. */
    done = (struct comb_data_encrypted){.objects = 0};
    while (!done.walk.is_over)
        must_ok(comb_data_rewrap_some(d->data, aside(d), &request, &done, &d->call.err),
                &d->call.err);
    assert_int_equal(done.objects, 0);
    done = (struct comb_data_encrypted){.objects = 0};
    while (!done.walk.is_over)
        must_ok(comb_data_rewrap_some(d->data, aside(d), &next, &done, &d->call.err), &d->call.err);
    assert_int_equal(done.objects, FILES + 1);
    d->blobs->driver = driver;
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%u", i);
        domain_must_hold(d, name, some(10, i));
    }
    domain_must_hold(d, "parts", some(100000, 2));
    /* A process that has never heard of the first version reads them too. */
    comb_data_free(d->data);
    d->data = domain_another(d);
    domain_must_hold(d, "f3", some(10, 3));
}

static enum comb_status away(struct comb_vault *self, struct comb_ctx *ctx, comb_str path,
                             uint32_t version, struct comb_vault_secret *ret_secret,
                             struct comb_error *err)
{
    (void)self;
    (void)ctx;
    (void)path;
    (void)version;
    (void)ret_secret;
    return comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE, "away");
}

static void keys_in_memory_outlive_the_vault_for_their_lease(void **state)
{
    struct domain *d = *state;
    const struct comb_vault_driver *driver = d->vault->driver;
    struct comb_vault_driver broken = *driver;
    const struct comb_request_key key = domain_key();
    struct comb_v1_node *node;
    comb_str actual;

    switch_on(d);
    domain_put(d, "f", some(1000, 1));
    broken.get = away;
    d->vault->driver = &broken;
    domain_advance_us(d, COMB_DATA_KEYS_FRESH_US + COMB_US_PER_S);
    domain_must_hold(d, "f", some(1000, 1));
    domain_put(d, "g", some(1000, 2));
    domain_advance_us(d, COMB_DATA_KEYS_LEASE_US);
    must_ok(comb_data_keep_session(d->data, aside(d), &d->call.err), &d->call.err);
    domain_next(d);
    must_fail(COMB_UNAVAILABLE, domain_get(d, domain_request(d, "f"), &actual), &d->call.err);
    domain_next(d);
    must_fail(COMB_UNAVAILABLE, domain_write(d, domain_header(d, "h"), &key, STR("x"), &node),
              &d->call.err);
    d->vault->driver = driver;
    domain_must_hold(d, "f", some(1000, 1));
    domain_must_hold(d, "g", some(1000, 2));
}

int suite_domain_encrypt(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(contents_are_encrypted_and_read_back, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(ranges_read_the_blocks_they_touch, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(what_was_changed_is_refused, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(part_sent_again_is_under_another_key, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(what_is_there_is_encrypted_afterwards, domain_setup,
                                        domain_teardown),
        cmocka_unit_test_setup_teardown(rotation_touches_no_object, domain_setup, domain_teardown),
        cmocka_unit_test_setup_teardown(keys_in_memory_outlive_the_vault_for_their_lease,
                                        domain_setup, domain_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
