/* SPDX-License-Identifier: Apache-2.0 */
/* What every case of the data row's contract begins with: an open, empty store of one driver. */
#ifndef COMB_TESTS_CONTRACT_DATA_FIXTURE_H
#define COMB_TESTS_CONTRACT_DATA_FIXTURE_H

#include "server/data/blob_driver.h"
#include "tests/support/support.h"

struct fixture {
    struct comb_blobs *blobs;
    struct test_ctx call;
    struct comb_uuid session;
    char *folder;
};

/* Opens the driver under test on a store of its own that belongs to the folder, and is the same
 * one for the same folder: the one function that each driver's test brings. */
enum comb_status fixture_open_store(const char *folder, struct comb_blobs **ret_blobs,
                                    struct comb_error *err);

/* cmocka's setup and teardown of one case. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* What the driver says of itself: COMB_BLOB_CAP_…. Needs no case. */
uint32_t fixture_caps(void);
/* Lets the store go and opens it again, as a new process would. */
void fixture_reopen(struct fixture *f);

/* A new key in the fixture's session. */
comb_str fixture_new_key(struct fixture *f, char ret_key[COMB_BLOB_KEY_MAX]);
/* Fills size bytes that depend on the key and on where in the blob they stand. */
void fixture_fill(comb_str key, uint64_t offset, void *bytes, size_t size);
/* Writes a blob of fixture_fill's bytes in chunks; commits it. */
void fixture_put(struct fixture *f, comb_str key, uint64_t size, size_t chunk);
/* The blob is there with exactly that size and those bytes. */
void fixture_must_have(struct fixture *f, comb_str key, uint64_t size);
void fixture_must_not_have(struct fixture *f, comb_str key);
/* How many blobs are listed; *ret_bytes (NULL is fine) is the sum of their sizes. */
size_t fixture_count(struct fixture *f, comb_str prefix, uint64_t *ret_bytes);

#endif
