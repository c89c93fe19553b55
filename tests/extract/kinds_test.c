/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of file, as it should be: its text, all of it, and nothing else. */
#include <stdlib.h>

#include "tests/extract/documents.h"
#include "tests/extract/reading.h"
#include "tests/support/cmocka.h"

static int setup(void **state)
{
    struct reading *reading = malloc(sizeof *reading);
    assert_non_null(reading);
    reading_init(reading);
    *state = reading;
    return 0;
}

static int teardown(void **state)
{
    reading_done(*state);
    free(*state);
    return 0;
}

/* At once, and in pieces that end within characters. */
static void read_in_pieces(struct reading *reading, const char *name, comb_str content,
                           const char *text)
{
    static const size_t pieces[] = {0, 1, 3, 4096};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        reading->piece_bytes = pieces[i];
        reading_read(reading, name, content);
        reading_is(reading, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, text);
    }
}

static void text_comes_out_as_it_is(void **state)
{
    read_in_pieces(*state, "a.txt", STR("naïve 漢字 \xf0\x9f\x90\x9d\n\tend\n"),
                   "naïve 漢字 \xf0\x9f\x90\x9d\n\tend\n");
    read_in_pieces(*state, "a.md", STR("# Title\r\n\r\n*a* [b](c)\r\n"), "# Title\n\n*a* [b](c)\n");
    read_in_pieces(*state, "", STR(""), "");
}

static void text_of_other_charsets_becomes_utf8(void **state)
{
    read_in_pieces(*state, "bom", STR("\xef\xbb\xbfwith a mark"), "with a mark\n");
    read_in_pieces(*state, "latin1.txt",
                   STR("caf\xe9 \x80 \xdc"
                       "ber"),
                   "café € Über\n");
    read_in_pieces(*state, "utf16le",
                   STR("\xff\xfe"
                       "a\0\xe9\0=\xd8\x1d\xdc\n\0"),
                   "aé\xf0\x9f\x90\x9d\n");
    read_in_pieces(*state, "utf16be",
                   STR("\xfe\xff"
                       "\0a\0\xe9\xd8=\xdc\x1d"),
                   "aé\xf0\x9f\x90\x9d\n");
    read_in_pieces(*state, "half a pair", STR("\xfe\xff\xd8=\0a"),
                   "\xef\xbf\xbd"
                   "a\n");
}

static void text_has_no_control_characters(void **state)
{
    char line[200];
    comb_str noise;
    memset(line, 'x', sizeof line);
    line[100] = '\x1b';
    line[150] = '\b';
    noise = comb_str_of(line, sizeof line);
    reading_read(*state, "a.txt", noise);
    reading_is(*state, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, NULL);
    reading_lacks(*state, "\x1b");
    reading_lacks(*state, "\b");
}

static void html_is_what_is_seen(void **state)
{
    read_in_pieces(*state, "a.html",
                   STR("<!DOCTYPE html><html><head><title>T &amp; t</title><style>p{}</style>"
                       "<script>if (a < b) hidden()</script></head><body><h1>Head</h1><p>one <b>t"
                       "w</b>o\n  three<br>four &eacute;&#x6f22;<img alt='a bee'>"
                       "<table><tr><td>l<td>r</table><!-- c --></body></html>"),
                   "T & t\nHead\none two three\nfour é漢\na bee\nl r\n");
}

static void html_of_any_charset(void **state)
{
    struct reading *reading = *state;
    reading_read(reading, "a.html", STR("<p>caf\xc3\xa9"));
    reading_has(reading, "café");
    reading_read(reading, "a.html", STR("<p>caf\xe9</p>"));
    reading_has(reading, "café");
    reading_read(reading, "a.html",
                 STR("<meta http-equiv='Content-Type' content='text/html; charset=koi8-r'>"
                     "<p>\xf0\xd2\xc9\xd7\xc5\xd4"));
    reading_has(reading, "Привет");
    reading_read(reading, "x", STR("\n <!doctype HTML><p>not called so"));
    reading_is(reading, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "not called so\n");
}

static void office_files_of_microsoft(void **state)
{
    struct comb_buf file;
    document_docx(&file, "Überschrift &amp; mehr");
    read_in_pieces(*state, "a.docx", comb_buf_str(&file),
                   "The title\nfirst\tÜberschrift & mehr\nlast\na note\n");
    comb_buf_done(&file);
    document_xlsx(&file, "Kosten");
    read_in_pieces(*state, "whatever", comb_buf_str(&file),
                   "Budget\nKosten\nrich text\n1234.5 inline\n");
    comb_buf_done(&file);
    document_pptx(&file, "second");
    read_in_pieces(*state, "a.pptx", comb_buf_str(&file), "second\ntenth\n");
    comb_buf_done(&file);
}

static void office_files_of_open_document(void **state)
{
    static const char *const kinds[] = {"text", "spreadsheet", "presentation"};
    for (size_t i = 0; i < 3; i++) {
        struct comb_buf file;
        document_odf(&file, kinds[i], "Größe");
        read_in_pieces(*state, "a.odt", comb_buf_str(&file), "A heading\nGröße and\tmore\nhere\n");
        comb_buf_done(&file);
    }
}

static void pdf(void **state)
{
    struct comb_buf file;
    document_pdf(&file, "Hello from a page", 3);
    read_in_pieces(*state, "no-extension", comb_buf_str(&file),
                   "Hello from a page\n\nHello from a page\n\nHello from a page\n\n");
    comb_buf_done(&file);
}

static void mail_with_attachments(void **state)
{
    struct comb_buf mail, inner;
    struct reading *reading = *state;
    document_docx(&inner, "in the attachment");
    document_mail(&mail, "=?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?B?IPCfkJ0=?=", "The body.",
                  "report.docx", "application/octet-stream", comb_buf_str(&inner));
    reading_read(reading, "a.eml", comb_buf_str(&mail));
    reading_is(reading, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, NULL);
    reading_has(reading, "Grüße \xf0\x9f\x90\x9d\n");
    reading_has(reading, "Ann <ann@example.org>\nBob <bob@example.org>\nThe body.\n");
    reading_has(reading, "report.docx\n");
    reading_has(reading, "in the attachment");
    comb_buf_done(&inner);

    /* The same within a mail that is attached: its text, and the name of what is in it. */
    inner = mail;
    document_mail(&mail, "outer", "x", "inner.eml", "message/rfc822", comb_buf_str(&inner));
    reading_read(reading, "", comb_buf_str(&mail));
    reading_is(reading, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, NULL);
    reading_has(reading, "outer");
    comb_buf_done(&inner);
    comb_buf_done(&mail);
}

static void mail_within_mail_is_read_one_level_deep(void **state)
{
    struct comb_buf mail, inner, document;
    struct reading *reading = *state;
    document_pdf(&document, "too deep", 1);
    document_mail(&inner, "inner", "inner body", "deep.pdf", "application/pdf",
                  comb_buf_str(&document));
    document_mail(&mail, "outer", "outer body", "inner.eml", "application/octet-stream",
                  comb_buf_str(&inner));
    reading_read(reading, "a.eml", comb_buf_str(&mail));
    reading_is(reading, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, NULL);
    reading_has(reading, "outer body");
    reading_has(reading, "inner body");
    reading_has(reading, "deep.pdf");
    reading_lacks(reading, "too deep");
    comb_buf_done(&document);
    comb_buf_done(&inner);
    comb_buf_done(&mail);
}

static void mail_bodies(void **state)
{
    struct reading *reading = *state;
    reading_read(reading, "alternative.eml",
                 STR("Subject: s\nMIME-Version: 1.0\nContent-Type: multipart/alternative; "
                     "boundary=b\n\n--b\nContent-Type: text/plain; charset=koi8-r\n"
                     "Content-Transfer-Encoding: quoted-printable\n\n=F0=D2=C9=D7=C5=D4\n--b\n"
                     "Content-Type: text/html\n\n<p>twice</p>\n--b--\n"));
    reading_is(reading, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "s\nПривет\n");
    reading_read(
        reading, "html.eml",
        STR("Subject: s\nContent-Type: text/html; charset=iso-8859-1\n\n<p>caf\xe9</p>\n"));
    reading_is(reading, COMB_EXTRACT_TEXT, COMB_EXTRACT_REASON_NONE, "s\ncafé\n");
    reading_read(reading, "box.mbox",
                 STR("From a Mon Jan  1 00:00:00 2024\nSubject: one\n\nfirst\n\n"
                     "From b Mon Jan  1 00:00:00 2024\nSubject: two\n\nsecond\n"));
    reading_has(reading, "one\nfirst\n");
    reading_has(reading, "two\nsecond\n");
}

static void what_holds_no_text_is_unsupported(void **state)
{
    const struct document_entry plain_zip[] = {{"a.txt", STR("text in a zip")}};
    struct comb_buf zip;
    document_zip(&zip, plain_zip, 1);
    const comb_str files[] = {
        comb_buf_str(&zip),
        STR("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 an old one\0\0"),
        STR("%!PS-Adobe-3.0\n(text) show\n"),
        STR("{\\rtf1 text}"),
        STR("\x7f"
            "ELF\2\1\1\0\0\0"),
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        reading_read(*state, "file", files[i]);
        reading_is(*state, COMB_EXTRACT_UNSUPPORTED, COMB_EXTRACT_REASON_NONE, "");
    }
    comb_buf_done(&zip);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(text_comes_out_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(text_of_other_charsets_becomes_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(text_has_no_control_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(html_is_what_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(html_of_any_charset, setup, teardown),
        cmocka_unit_test_setup_teardown(office_files_of_microsoft, setup, teardown),
        cmocka_unit_test_setup_teardown(office_files_of_open_document, setup, teardown),
        cmocka_unit_test_setup_teardown(pdf, setup, teardown),
        cmocka_unit_test_setup_teardown(mail_with_attachments, setup, teardown),
        cmocka_unit_test_setup_teardown(mail_within_mail_is_read_one_level_deep, setup, teardown),
        cmocka_unit_test_setup_teardown(mail_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(what_holds_no_text_is_unsupported, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
