/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/extract/documents.h"

#include <zip.h>
#include <zlib.h>

#include "server/core/memory.h"
#include "tests/support/cmocka.h"

#define DOCUMENT_BYTES_MAX (512u << 20)

static void put(struct comb_buf *out, const char *text)
{
    assert_true(comb_buf_append_str(out, comb_str_from(text)));
}

void document_zip(struct comb_buf *out, const struct document_entry *entries, size_t n)
{
    zip_error_t error;
    zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_stat_t stat;
    zip_t *zip;
    char *bytes;
    assert_non_null(target);
    zip_source_keep(target);
    zip = zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, &error);
    assert_non_null(zip);
    for (size_t i = 0; i < n; i++) {
        zip_source_t *source =
            zip_source_buffer(zip, entries[i].content.ptr, entries[i].content.len, 0);
        assert_non_null(source);
        assert_true(zip_file_add(zip, entries[i].name, source, ZIP_FL_ENC_UTF_8) >= 0);
    }
    assert_int_equal(zip_close(zip), 0);
    assert_int_equal(zip_source_open(target), 0);
    assert_int_equal(zip_source_stat(target, &stat), 0);
    bytes = comb_memory_alloc(stat.size + 1);
    assert_non_null(bytes);
    assert_int_equal(zip_source_read(target, bytes, stat.size), stat.size);
    zip_source_close(target);
    zip_source_free(target);
    comb_buf_init(out, DOCUMENT_BYTES_MAX);
    assert_true(comb_buf_append(out, bytes, stat.size));
    comb_memory_free(bytes);
}

/* ---- OOXML, ODF ---- */

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
#define TYPES XML "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>"
#define WORD "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
#define DRAWING "http://schemas.openxmlformats.org/drawingml/2006/main"
#define SHEET "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
#define ODF "urn:oasis:names:tc:opendocument:xmlns:"

static comb_str format_xml(struct comb_buf *buf, const char *before, const char *text,
                           const char *after)
{
    comb_buf_init(buf, DOCUMENT_BYTES_MAX);
    put(buf, before);
    put(buf, text);
    put(buf, after);
    return comb_buf_str(buf);
}

void document_docx_of(struct comb_buf *out, comb_str document_xml)
{
    const struct document_entry entries[] = {
        {"[Content_Types].xml", comb_str_from(TYPES)},
        {"word/document.xml", document_xml},
    };
    document_zip(out, entries, 2);
}

void document_docx(struct comb_buf *out, const char *escaped)
{
    struct comb_buf body;
    comb_str xml = format_xml(&body,
                              XML "<w:document xmlns:w=\"" WORD "\"><w:body><w:p><w:r>"
                                  "<w:t>first</w:t><w:tab/><w:t xml:space=\"preserve\">",
                              escaped,
                              "</w:t></w:r></w:p><w:p><w:r><w:delText>deleted</w:delText>"
                              "<w:instrText>PAGE</w:instrText><w:t>last</w:t></w:r></w:p>"
                              "</w:body></w:document>");
    const struct document_entry entries[] = {
        {"[Content_Types].xml", comb_str_from(TYPES)},
        {"word/footnotes.xml",
         comb_str_from(XML "<w:footnotes xmlns:w=\"" WORD "\"><w:footnote><w:p><w:r><w:t>a note"
                           "</w:t></w:r></w:p></w:footnote></w:footnotes>")},
        {"word/document.xml", xml},
        {"word/media/image1.png", comb_str_from("not text")},
        {"docProps/core.xml",
         comb_str_from(XML "<cp:coreProperties xmlns:cp=\"c\" xmlns:dc=\"d\"><dc:title>The title"
                           "</dc:title><cp:revision>77</cp:revision></cp:coreProperties>")},
    };
    document_zip(out, entries, sizeof entries / sizeof *entries);
    comb_buf_done(&body);
}

void document_xlsx(struct comb_buf *out, const char *escaped)
{
    struct comb_buf strings;
    comb_str xml = format_xml(&strings, XML "<sst xmlns=\"" SHEET "\"><si><t>", escaped,
                              "</t><rPh><t>pronounced</t></rPh></si><si><r><t>rich </t></r><r>"
                              "<t>text</t></r></si></sst>");
    const struct document_entry entries[] = {
        {"[Content_Types].xml", comb_str_from(TYPES)},
        {"xl/workbook.xml",
         comb_str_from(XML "<workbook xmlns=\"" SHEET "\"><sheets><sheet "
                           "name=\"Budget\" sheetId=\"1\"/></sheets></workbook>")},
        {"xl/worksheets/sheet1.xml",
         comb_str_from(XML "<worksheet xmlns=\"" SHEET "\"><sheetData><row r=\"1\">"
                           "<c r=\"A1\" t=\"s\"><v>0</v></c><c r=\"B1\"><v>1234.5</v></c>"
                           "<c t=\"inlineStr\"><is><t>inline</t></is></c></row></sheetData>"
                           "</worksheet>")},
        {"xl/sharedStrings.xml", xml},
    };
    document_zip(out, entries, sizeof entries / sizeof *entries);
    comb_buf_done(&strings);
}

void document_pptx(struct comb_buf *out, const char *escaped)
{
    struct comb_buf slide;
    comb_str xml =
        format_xml(&slide, XML "<p:sld xmlns:a=\"" DRAWING "\" xmlns:p=\"p\"><a:p><a:r><a:t>",
                   escaped, "</a:t></a:r></a:p></p:sld>");
    const struct document_entry entries[] = {
        {"[Content_Types].xml", comb_str_from(TYPES)},
        {"ppt/slides/slide10.xml",
         comb_str_from(XML "<p:sld xmlns:a=\"" DRAWING "\" xmlns:p=\"p\"><a:p><a:r><a:t>tenth"
                           "</a:t></a:r></a:p></p:sld>")},
        {"ppt/slides/slide2.xml", xml},
    };
    document_zip(out, entries, sizeof entries / sizeof *entries);
    comb_buf_done(&slide);
}

void document_odf(struct comb_buf *out, const char *kind, const char *escaped)
{
    struct comb_buf content, type;
    comb_str xml = format_xml(
        &content,
        XML "<office:document-content xmlns:office=\"" ODF "office:1.0\" xmlns:text=\"" ODF
            "text:1.0\"><office:automatic-styles><x>style</x></office:automatic-styles>"
            "<office:body><text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
            "<text:h>A heading</text:h> <text:p>",
        escaped,
        "<text:s/>and<text:tab/><text:span>more</text:span><text:line-break/>here</text:p>"
        "</office:body></office:document-content>");
    const struct document_entry entries[] = {
        {"mimetype", format_xml(&type, "application/vnd.oasis.opendocument.", kind, "")},
        {"content.xml", xml},
        {"META-INF/manifest.xml", comb_str_from(XML "<manifest:manifest xmlns:manifest=\"m\"/>")},
    };
    document_zip(out, entries, sizeof entries / sizeof *entries);
    comb_buf_done(&content);
    comb_buf_done(&type);
}

/* ---- PDF ---- */

#define PDF_OBJECTS_MAX 4096u

struct pdf {
    struct comb_buf *out;
    size_t at[PDF_OBJECTS_MAX];
    unsigned n;
};

static void pdf_begin(struct pdf *pdf, struct comb_buf *out)
{
    *pdf = (struct pdf){.out = out};
    comb_buf_init(out, DOCUMENT_BYTES_MAX);
    put(out, "%PDF-1.4\n");
}

static void pdf_object(struct pdf *pdf)
{
    assert_true(pdf->n + 1 < PDF_OBJECTS_MAX);
    pdf->at[++pdf->n] = pdf->out->len;
    comb_buf_printf(pdf->out, "%u 0 obj", pdf->n);
}

static void pdf_stream(struct pdf *pdf, comb_str stream)
{
    uLongf packed = compressBound(stream.len);
    unsigned char *bytes = comb_memory_alloc(packed);
    assert_non_null(bytes);
    assert_int_equal(compress(bytes, &packed, (const Bytef *)stream.ptr, stream.len), Z_OK);
    pdf_object(pdf);
    comb_buf_printf(pdf->out, "<</Length %lu/Filter/FlateDecode>>stream\n", packed);
    comb_buf_append(pdf->out, bytes, packed);
    put(pdf->out, "\nendstream endobj\n");
    comb_memory_free(bytes);
}

static void pdf_end(struct pdf *pdf, const char *trailer)
{
    size_t xref = pdf->out->len;
    comb_buf_printf(pdf->out, "xref\n0 %u\n0000000000 65535 f \n", pdf->n + 1);
    for (unsigned i = 1; i <= pdf->n; i++)
        comb_buf_printf(pdf->out, "%010zu 00000 n \n", pdf->at[i]);
    comb_buf_printf(pdf->out, "trailer<</Root 1 0 R/Size %u%s>>\nstartxref\n%zu\n%%%%EOF\n",
                    pdf->n + 1, trailer, xref);
    assert_false(pdf->out->failed);
}

/* Objects: 1 catalog, 2 pages, 3 font, 4 content, 5... pages that all show it. */
static void pdf_pages(struct comb_buf *out, comb_str stream, unsigned n_pages, const char *trailer)
{
    struct pdf pdf;
    pdf_begin(&pdf, out);
    pdf_object(&pdf);
    put(out, "<</Type/Catalog/Pages 2 0 R>>endobj\n");
    pdf_object(&pdf);
    put(out, "<</Type/Pages/Kids[");
    for (unsigned i = 0; i < n_pages; i++)
        comb_buf_printf(out, "%u 0 R ", 5 + i);
    comb_buf_printf(out, "]/Count %u>>endobj\n", n_pages);
    pdf_object(&pdf);
    put(out, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n");
    pdf_stream(&pdf, stream);
    for (unsigned i = 0; i < n_pages; i++) {
        pdf_object(&pdf);
        put(out, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F 3 0 R>>>>"
                 "/Contents 4 0 R>>endobj\n");
    }
    pdf_end(&pdf, trailer);
}

void document_pdf(struct comb_buf *out, const char *text, unsigned n_pages)
{
    struct comb_buf stream;
    comb_buf_init(&stream, 65536);
    comb_buf_printf(&stream, "BT /F 12 Tf 50 700 Td (%s) Tj ET", text);
    pdf_pages(out, comb_buf_str(&stream), n_pages, "");
    comb_buf_done(&stream);
}

void document_pdf_of(struct comb_buf *out, comb_str stream)
{
    pdf_pages(out, stream, 1, "");
}

void document_pdf_encrypted(struct comb_buf *out)
{
    pdf_pages(out, STR("BT /F 12 Tf (secret) Tj ET"), 1,
              "/Encrypt<</Filter/Standard/V 1/R 2/P -4"
              "/O<4141414141414141414141414141414141414141414141414141414141414141>"
              "/U<4242424242424242424242424242424242424242424242424242424242424242>>>"
              "/ID[<00112233445566778899aabbccddeeff><00112233445566778899aabbccddeeff>]");
}

/* ---- mail ---- */

static void put_base64(struct comb_buf *out, comb_str content)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < content.len; i += 3) {
        size_t n = content.len - i < 3 ? content.len - i : 3;
        unsigned bits = (unsigned)(unsigned char)content.ptr[i] << 16;
        if (n > 1)
            bits |= (unsigned)(unsigned char)content.ptr[i + 1] << 8;
        if (n > 2)
            bits |= (unsigned char)content.ptr[i + 2];
        for (unsigned j = 0; j < 4; j++)
            comb_buf_append_char(out, j <= n ? digits[bits >> (18 - 6 * j) & 63] : '=');
        if (i / 3 % 18 == 17)
            put(out, "\r\n");
    }
    put(out, "\r\n");
}

void document_mail(struct comb_buf *out, const char *subject, const char *body, const char *name,
                   const char *media_type, comb_str content)
{
    comb_buf_init(out, DOCUMENT_BYTES_MAX);
    comb_buf_printf(out,
                    "Received: from a by b\r\nFrom: Ann <ann@example.org>\r\n"
                    "To: Bob <bob@example.org>\r\nSubject: %s\r\nMIME-Version: 1.0\r\n"
                    "Content-Type: multipart/mixed; boundary=\"=_1\"\r\n\r\n"
                    "--=_1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n"
                    "--=_1\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n"
                    "Content-Disposition: attachment; filename=\"%s\"\r\n\r\n",
                    subject, body, media_type, name);
    put_base64(out, content);
    put(out, "--=_1--\r\n");
    assert_false(out->failed);
}
