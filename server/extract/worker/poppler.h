/* SPDX-License-Identifier: Apache-2.0 */
/* PDF through poppler's C++ interface, for C. Included by both languages. */
#ifndef COMB_EXTRACT_WORKER_POPPLER_H
#define COMB_EXTRACT_WORKER_POPPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum comb_extract_pdf_end {
    COMB_EXTRACT_PDF_ALL,
    COMB_EXTRACT_PDF_MORE_PAGES, /* than pages_max */
    COMB_EXTRACT_PDF_STOPPED,    /* by put */
    COMB_EXTRACT_PDF_ENCRYPTED,
    COMB_EXTRACT_PDF_DAMAGED,
    COMB_EXTRACT_PDF_MEMORY
};

/* Calls put(data, units, n) with UTF-16: once for the title, and once for each page. False from it
 * ends the reading. */
enum comb_extract_pdf_end
comb_extract_pdf_read(const char *content, size_t len, uint32_t pages_max,
                      bool (*put)(void *data, const uint16_t *units, size_t n), void *data);

#ifdef __cplusplus
}
#endif

#endif
