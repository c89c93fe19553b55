// SPDX-License-Identifier: Apache-2.0
// The only C++ of the program: poppler's stable interface is in it. Nothing is thrown out of here.
#include "server/extract/worker/poppler.h"

#include <climits>
#include <exception>
#include <memory>
#include <new>

#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-page.h>

namespace
{

void say_nothing(const std::string &, void *)
{
}

using put_units = bool (*)(void *, const uint16_t *, size_t);

bool put_text(const poppler::ustring &text, put_units put, void *data)
{
    static_assert(sizeof(poppler::ustring::value_type) == sizeof(uint16_t), "UTF-16");
    return put(data, reinterpret_cast<const uint16_t *>(text.data()), text.size());
}

comb_extract_pdf_end read_document(const char *content, size_t len, uint32_t pages_max,
                                   put_units put, void *data)
{
    std::unique_ptr<poppler::document> document(
        poppler::document::load_from_raw_data(content, static_cast<int>(len)));
    if (!document)
        return COMB_EXTRACT_PDF_DAMAGED;
    if (document->is_locked())
        return COMB_EXTRACT_PDF_ENCRYPTED;
    if (!put_text(document->get_title(), put, data))
        return COMB_EXTRACT_PDF_STOPPED;
    const int n_pages = document->pages();
    for (int i = 0; i < n_pages; i++) {
        if (static_cast<uint32_t>(i) >= pages_max)
            return COMB_EXTRACT_PDF_MORE_PAGES;
        std::unique_ptr<poppler::page> page(document->create_page(i));
        // A page that cannot be read leaves the others.
        if (page &&
            !put_text(page->text(poppler::rectf(), poppler::page::non_raw_non_physical_layout), put,
                      data))
            return COMB_EXTRACT_PDF_STOPPED;
    }
    return n_pages > 0 ? COMB_EXTRACT_PDF_ALL : COMB_EXTRACT_PDF_DAMAGED;
}

} // namespace

comb_extract_pdf_end comb_extract_pdf_read(const char *content, size_t len, uint32_t pages_max,
                                           put_units put, void *data)
{
    if (len > INT_MAX)
        return COMB_EXTRACT_PDF_MEMORY;
    poppler::set_debug_error_function(say_nothing, nullptr);
    try {
        return read_document(content, len, pages_max, put, data);
    } catch (const std::bad_alloc &) {
        return COMB_EXTRACT_PDF_MEMORY;
    } catch (const std::exception &) {
        return COMB_EXTRACT_PDF_DAMAGED;
    }
}
