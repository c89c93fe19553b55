/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compressed message, in one piece and in pieces as the first bytes say: both come to the same,
 * and never to more than the limit.
 */
#include <string.h>

#include "gen/runtime/src/core/inflate.h"
#include "gen/runtime/src/message/memory.h"
#include "tests/fuzz/fuzz.h"

enum { BYTES_MAX = 64 << 10 };

struct outcome {
    enum grpcc_status status;
    uint8_t *data;
    size_t size;
};

static struct outcome in_pieces(enum grpcc_compression compression, size_t piece,
                                const uint8_t *data, size_t size, struct grpcc_error *err)
{
    struct grpcc_inflate inflate;
    struct outcome outcome = {0};
    outcome.status = grpcc_inflate_begin(&inflate, compression, BYTES_MAX, err);
    must(outcome.status == GRPCC_OK, "it begins");
    for (size_t at = 0; !outcome.status && at < size; at += piece)
        outcome.status =
            grpcc_inflate_feed(&inflate, data + at, size - at < piece ? size - at : piece, err);
    if (!outcome.status)
        outcome.status = grpcc_inflate_end(&inflate, &outcome.data, &outcome.size, err);
    grpcc_inflate_done(&inflate);
    return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    enum grpcc_compression compression =
        data[0] & 1 ? GRPCC_COMPRESSION_GZIP : GRPCC_COMPRESSION_DEFLATE;
    struct grpcc_error err = {0};
    struct outcome whole = {0};
    whole.status =
        grpcc_inflate(compression, data + 2, size - 2, BYTES_MAX, &whole.data, &whole.size, &err);
    must(whole.size <= BYTES_MAX, "the limit holds");
    must(whole.status == GRPCC_OK || err.message[0], "a refusal says why");
    must(whole.status == GRPCC_OK || whole.status == GRPCC_RESOURCE_EXHAUSTED ||
             whole.status == GRPCC_INTERNAL,
         "a refusal is one of two");
    struct outcome parts = in_pieces(compression, 1 + (size_t)data[1], data + 2, size - 2, &err);
    must(parts.status == whole.status && parts.size == whole.size &&
             (whole.size == 0 || memcmp(parts.data, whole.data, whole.size) == 0),
         "pieces come to the same");
    grpcc_memory_free(whole.data);
    grpcc_memory_free(parts.data);
    return 0;
}
