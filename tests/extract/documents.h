/* SPDX-License-Identifier: Apache-2.0 */
/* Files of each kind, made by the tests that read them: good ones, and what is made to harm. */
#ifndef TESTS_EXTRACT_DOCUMENTS_H
#define TESTS_EXTRACT_DOCUMENTS_H

#include "server/core/buf.h"

/* An entry of a zip, stored or deflated. */
struct document_entry {
    const char *name;
    comb_str content;
};
/* A zip of n entries. All documents: the caller ends them with comb_buf_done(). */
void document_zip(struct comb_buf *out, const struct document_entry *entries, size_t n);

/* The smallest packages that say text. escaped: as it stands in XML. */
void document_docx(struct comb_buf *out, const char *escaped);
void document_xlsx(struct comb_buf *out, const char *escaped);
void document_pptx(struct comb_buf *out, const char *escaped);
/* kind: "text", "spreadsheet", "presentation". */
void document_odf(struct comb_buf *out, const char *kind, const char *escaped);
/* A docx whose word/document.xml is this. */
void document_docx_of(struct comb_buf *out, comb_str document_xml);

/* A PDF of n_pages that each show the text, ASCII without parentheses. */
void document_pdf(struct comb_buf *out, const char *text, unsigned n_pages);
/* A PDF with one page of which everything in `stream` is the content, inflated. */
void document_pdf_of(struct comb_buf *out, comb_str stream);
/* A PDF that opens with a password only (of the standard handler, revision 2). */
void document_pdf_encrypted(struct comb_buf *out);

/* A mail with an attachment; content is encoded in base64. */
void document_mail(struct comb_buf *out, const char *subject, const char *body, const char *name,
                   const char *media_type, comb_str content);

#endif
