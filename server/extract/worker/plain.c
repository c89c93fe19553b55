/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/worker/format.h"

static void put_utf16(struct comb_extract_sink *sink, comb_str piece, bool big_endian, int *odd)
{
    for (size_t i = 0; i < piece.len && !sink->full; i++) {
        unsigned byte = (unsigned char)piece.ptr[i];
        if (*odd < 0) {
            *odd = (int)byte;
            continue;
        }
        unsigned first = (unsigned)*odd;
        comb_extract_sink_put_utf16(sink,
                                    (uint16_t)(big_endian ? first << 8 | byte : byte << 8 | first));
        *odd = -1;
    }
}

enum comb_extract_reason comb_extract_read_plain(const struct comb_extract_file_view *file,
                                                 enum comb_extract_text_encoding encoding)
{
    struct comb_extract_sink *sink = file->sink;
    int odd = -1; /* the first byte of a unit whose second has not come */
    bool guessed = sink->guess;
    comb_str piece;

    sink->guess = true;
    while (!sink->full && (piece = comb_extract_input_next(file->input)).len > 0) {
        if (encoding == COMB_EXTRACT_TEXT_BYTES)
            comb_extract_sink_put(sink, piece);
        else
            put_utf16(sink, piece, encoding == COMB_EXTRACT_TEXT_UTF16_BE, &odd);
    }
    comb_extract_sink_break(sink);
    sink->guess = guessed;
    return file->input->failed ? COMB_EXTRACT_REASON_SOURCE : COMB_EXTRACT_REASON_NONE;
}
