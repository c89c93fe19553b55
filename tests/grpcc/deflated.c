/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/grpcc/deflated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

struct deflated deflated_new(enum grpcc_compression compression, const void *prefix,
                             size_t prefix_size, uint8_t value, size_t size)
{
    z_stream stream;
    size_t plain_size = prefix_size + size;
    uint8_t *plain = malloc(plain_size ? plain_size : 1);
    assert_non_null(plain);
    if (prefix_size)
        memcpy(plain, prefix, prefix_size);
    memset(plain + prefix_size, value, size);
    memset(&stream, 0, sizeof(stream));
    int bits = compression == GRPCC_COMPRESSION_GZIP ? MAX_WBITS + 16 : MAX_WBITS;
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    struct deflated made = {NULL, deflateBound(&stream, plain_size)};
    made.data = malloc(made.size);
    assert_non_null(made.data);
    stream.next_in = plain;
    stream.avail_in = (unsigned)plain_size;
    stream.next_out = made.data;
    stream.avail_out = (unsigned)made.size;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    made.size -= stream.avail_out;
    deflateEnd(&stream);
    free(plain);
    return made;
}
