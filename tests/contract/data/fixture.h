/* SPDX-License-Identifier: Apache-2.0 */
/* What every case of the data row's contract begins with: an open, empty store of one driver. */
#ifndef COMB_TESTS_CONTRACT_DATA_FIXTURE_H
#define COMB_TESTS_CONTRACT_DATA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/data/blob_driver.h"

struct fixture {
    struct comb_blobs *blobs;
    struct comb_ctx ctx;
    struct comb_error err;
    struct comb_uuid session;
};

/* Opens the driver under test on a store of that name, made where it is missing: the one function
 * that each driver's test brings. */
enum comb_status fixture_open_store(const char *name, struct comb_blobs **ret_blobs,
                                    struct comb_error *err);

/* cmocka's setup and teardown of one case. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Lets the store go and opens it again, as a new process would. */
void fixture_reopen(struct fixture *f);

/* The call is a success, or fails with the status and says why. */
#define must_ok(call) fixture_must(f, COMB_OK, (call), #call, __FILE__, __LINE__)
#define must_fail(status, call) fixture_must(f, (status), (call), #call, __FILE__, __LINE__)
void fixture_must(struct fixture *f, enum comb_status expected, enum comb_status status,
                  const char *call, const char *file, int line);

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
