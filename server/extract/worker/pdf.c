/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/worker/format.h"
#include "server/extract/worker/poppler.h"

static bool put_page(void *data, const uint16_t *units, size_t n)
{
    struct comb_extract_sink *sink = data;
    for (size_t i = 0; i < n && !sink->full; i++)
        comb_extract_sink_put_utf16(sink, units[i]);
    comb_extract_sink_break(sink);
    /* So that what has been read is not lost with a process that takes too long. */
    comb_extract_sink_flush(sink);
    return !sink->full;
}

enum comb_extract_reason comb_extract_read_pdf(const struct comb_extract_file_view *file,
                                               comb_str content)
{
    switch (comb_extract_pdf_read(content.ptr, content.len, file->limits->pages, put_page,
                                  file->sink)) {
    case COMB_EXTRACT_PDF_MORE_PAGES:
        return COMB_EXTRACT_REASON_TOO_LARGE;
    case COMB_EXTRACT_PDF_ENCRYPTED:
        return COMB_EXTRACT_REASON_ENCRYPTED;
    case COMB_EXTRACT_PDF_DAMAGED:
        return COMB_EXTRACT_REASON_DAMAGED;
    case COMB_EXTRACT_PDF_MEMORY:
        return COMB_EXTRACT_REASON_MEMORY;
    case COMB_EXTRACT_PDF_ALL:
    case COMB_EXTRACT_PDF_STOPPED:
        break;
    }
    return COMB_EXTRACT_REASON_NONE;
}
