/* SPDX-License-Identifier: Apache-2.0 */
/* A docs row of the driver that the test is linked with (docs_row_DRIVER). */
#ifndef COMB_TESTS_DOCS_ROW_H
#define COMB_TESTS_DOCS_ROW_H

#include "server/docs/docs.h"

/* A row of its own for the process, empty at first; one at a time. Fails the test where it cannot
 * be made. */
struct comb_docs *test_docs_row_open(void);
void test_docs_row_close(struct comb_docs *docs);
/* Fails the test unless every statement or command since the last call was answered by an index, in
 * its order; says how many there were. has_arrays: an index has an array in it, and the MongoDB
 * server of the tests, which takes all members of such an index for arrays, may sort behind it. */
size_t test_docs_row_must_use_indexes(struct comb_docs *docs, struct comb_ctx *ctx,
                                      bool has_arrays);

#endif
