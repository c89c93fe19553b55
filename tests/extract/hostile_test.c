/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are made to harm, damaged or encrypted: parsers end by themselves, with the reason. */
#include <stdio.h>
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

static void refuses(struct reading *reading, const char *name, struct comb_buf *file,
                    enum comb_extract_reason reason)
{
    reading_read(reading, name, comb_buf_str(file));
    reading_is(reading, COMB_EXTRACT_REFUSED, reason, NULL);
    comb_buf_done(file);
}

static comb_str repeat(struct comb_buf *out, const char *before, const char *unit, size_t n,
                       const char *after)
{
    comb_buf_init(out, 512u << 20);
    comb_buf_append_str(out, comb_str_from(before));
    for (size_t i = 0; i < n; i++)
        comb_buf_append_str(out, comb_str_from(unit));
    comb_buf_append_str(out, comb_str_from(after));
    assert_false(out->failed);
    return comb_buf_str(out);
}

#define BODY "<w:document xmlns:w='w'><w:body><w:p>"
#define BODY_END "</w:p></w:body></w:document>"

static void xml_that_declares_is_a_bomb(void **state)
{
    static const char *const documents[] = {
        /* billion laughs */
        "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
        "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;'>]>" BODY "<w:t>&c;</w:t>" BODY_END,
        /* a file of ours; another's address; a declaration from elsewhere */
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" BODY "<w:t>&x;</w:t>" BODY_END,
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'http://127.0.0.1/'>]>" BODY "<w:t>&x;</w:t>" BODY_END,
        "<!DOCTYPE a SYSTEM 'http://127.0.0.1/a.dtd'>" BODY "<w:t>x</w:t>" BODY_END,
        "<!DOCTYPE a [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]>" BODY BODY_END,
    };
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct comb_buf file;
        document_docx_of(&file, comb_str_from(documents[i]));
        refuses(*state, "a.docx", &file, COMB_EXTRACT_REASON_BOMB);
    }
}

static void nesting_is_bounded(void **state)
{
    struct comb_buf xml, file;
    document_docx_of(&file, repeat(&xml, BODY, "<w:r>", 100000, ""));
    refuses(*state, "a.docx", &file, COMB_EXTRACT_REASON_BOMB);
    comb_buf_done(&xml);
    (void)repeat(&file, "<html>", "<div>", 100000, "text");
    refuses(*state, "a.html", &file, COMB_EXTRACT_REASON_BOMB);
}

/* Mails within mails: whatever GMime makes of them, it comes back. */
static void mails_within_mails_end(void **state)
{
    struct comb_buf mail;
    struct reading *reading = *state;
    (void)repeat(&mail, "Subject: s\n", "Content-Type: message/rfc822\n\nSubject: t\n", 20000,
                 "\nbottom\n");
    reading_read(reading, "a.eml", comb_buf_str(&mail));
    assert_true(reading->outcome == COMB_EXTRACT_TEXT || reading->reason != 0);
    comb_buf_done(&mail);
    comb_buf_init(&mail, 64u << 20);
    comb_buf_append_str(&mail, STR("Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n"));
    for (unsigned i = 0; i < 20000; i++)
        comb_buf_append_str(&mail, STR("--b\nContent-Type: text/plain\n\nx\n"));
    refuses(reading, "a.eml", &mail, COMB_EXTRACT_REASON_BOMB);
}

static void what_unpacks_to_far_more_is_a_bomb(void **state)
{
    struct comb_buf xml, file;
    document_docx_of(&file, repeat(&xml, BODY, "          ", 2u << 20, "<w:t>x</w:t>" BODY_END));
    assert_true(file.len < 1u << 16);
    refuses(*state, "a.docx", &file, COMB_EXTRACT_REASON_BOMB);
    comb_buf_done(&xml);
}

static void unpacked_bytes_are_bounded(void **state)
{
    struct reading *reading = *state;
    struct comb_buf xml, file;
    document_docx_of(&file, repeat(&xml, BODY, "<w:t>some text</w:t>", 100000, BODY_END));
    reading->limits.expanded_bytes = 1u << 20;
    reading_read(reading, "a.docx", comb_buf_str(&file));
    reading_is(reading, COMB_EXTRACT_TRUNCATED, COMB_EXTRACT_REASON_TOO_LARGE, NULL);
    reading_has(reading, "some text");
    comb_buf_done(&xml);
    comb_buf_done(&file);
}

static void entries_are_bounded(void **state)
{
    struct reading *reading = *state;
    struct document_entry entries[64];
    char names[64][8];
    struct comb_buf file;
    for (size_t i = 0; i < 64; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        entries[i] = (struct document_entry){names[i], STR("x")};
    }
    document_zip(&file, entries, 64);
    reading->limits.entries = 63;
    refuses(reading, "a.docx", &file, COMB_EXTRACT_REASON_BOMB);
}

/* 42.zip and the like: zips in a zip are not opened. */
static void zips_in_a_zip_stay_closed(void **state)
{
    struct comb_buf inner, outer;
    document_docx(&inner, "unseen");
    const struct document_entry entries[] = {{"a.docx", comb_buf_str(&inner)},
                                             {"lib 0.zip", comb_buf_str(&inner)}};
    document_zip(&outer, entries, 2);
    reading_read(*state, "a.zip", comb_buf_str(&outer));
    reading_is(*state, COMB_EXTRACT_UNSUPPORTED, COMB_EXTRACT_REASON_NONE, "");
    comb_buf_done(&inner);
    comb_buf_done(&outer);
}

static void encrypted_files_say_so(void **state)
{
    struct reading *reading = *state;
    struct comb_buf file;
    document_pdf_encrypted(&file);
    refuses(reading, "a.pdf", &file, COMB_EXTRACT_REASON_ENCRYPTED);
    reading_read(reading, "a.docx",
                 STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
                     "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a"
                     "\0g\0e\0\0"));
    reading_is(reading, COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_ENCRYPTED, "");
    const struct document_entry odf[] = {
        {"mimetype", STR("application/vnd.oasis.opendocument.text")},
        {"content.xml", STR("\x12\x34 noise")},
        {"META-INF/manifest.xml",
         STR("<m:manifest xmlns:m='m'><m:file-entry><m:encryption-data/></m:file-entry>"
             "</m:manifest>")},
    };
    document_zip(&file, odf, 3);
    refuses(reading, "a.odt", &file, COMB_EXTRACT_REASON_ENCRYPTED);
}

static void an_attachment_that_cannot_be_read_leaves_the_mail(void **state)
{
    struct reading *reading = *state;
    struct comb_buf file, mail;
    document_pdf_encrypted(&file);
    document_mail(&mail, "subject", "body", "a.pdf", "application/pdf", comb_buf_str(&file));
    reading_read(reading, "a.eml", comb_buf_str(&mail));
    reading_is(reading, COMB_EXTRACT_TRUNCATED, COMB_EXTRACT_REASON_ENCRYPTED, NULL);
    reading_has(reading, "body");
    comb_buf_done(&file);
    comb_buf_done(&mail);
}

static void more_text_than_allowed_is_cut_at_a_character(void **state)
{
    struct reading *reading = *state;
    struct comb_buf file;
    reading->limits.output_bytes = 1000;
    (void)repeat(&file, "", "漢", 1000, "");
    reading_read(reading, "a.txt", comb_buf_str(&file));
    reading_is(reading, COMB_EXTRACT_TRUNCATED, COMB_EXTRACT_REASON_TOO_LARGE, NULL);
    assert_int_equal(reading->text.len, 999);
    comb_buf_done(&file);
    document_pdf(&file, "a line of text", 200);
    reading_read(reading, "a.pdf", comb_buf_str(&file));
    reading_is(reading, COMB_EXTRACT_TRUNCATED, COMB_EXTRACT_REASON_TOO_LARGE, NULL);
    reading->limits.output_bytes = 0;
    reading->limits.pages = 2;
    reading_read(reading, "a.pdf", comb_buf_str(&file));
    reading_is(reading, COMB_EXTRACT_TRUNCATED, COMB_EXTRACT_REASON_TOO_LARGE,
               "a line of text\n\na line of text\n\n");
    reading->limits.input_bytes = 100;
    reading_read(reading, "a.pdf", comb_buf_str(&file));
    reading_is(reading, COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_TOO_LARGE, "");
    comb_buf_done(&file);
}

/* Every file, cut at many places, comes back with an outcome; what was whole is not said of it. */
static void cut_files_are_damaged(void **state)
{
    static const char *const names[] = {"a.docx", "a.xlsx", "a.pptx", "a.odt", "a.pdf", "a.eml"};
    struct reading *reading = *state;
    struct comb_buf files[6];
    document_docx(&files[0], "text");
    document_xlsx(&files[1], "text");
    document_pptx(&files[2], "text");
    document_odf(&files[3], "text", "text");
    document_pdf(&files[4], "text", 2);
    document_mail(&files[5], "s", "b", "a.pdf", "application/pdf", comb_buf_str(&files[4]));
    for (size_t i = 0; i < 6; i++) {
        size_t step = files[i].len / 40 + 1;
        for (size_t len = 1; len < files[i].len; len += step) {
            /* A copy of its own, so that a byte read behind it is found. */
            char *copy = malloc(len);
            assert_non_null(copy);
            memcpy(copy, files[i].data, len);
            reading_read(reading, names[i], comb_str_of(copy, len));
            if (i < 4 && len > 4)
                reading_is(reading, COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_DAMAGED, "");
            free(copy);
        }
    }
    for (size_t i = 0; i < 6; i++)
        comb_buf_done(&files[i]);
}

static void noise_is_damaged_or_unsupported(void **state)
{
    static const char *const names[] = {"a.docx", "a.odt", "a.pdf", "a.eml", "a.html", "a"};
    struct reading *reading = *state;
    static char noise[65536];
    uint32_t seed = 20261122;
    for (size_t i = 0; i < sizeof noise; i++) {
        seed = seed * 1664525u + 1013904223u;
        noise[i] = (char)(seed >> 24);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        reading_read(reading, names[i], comb_str_of(noise, sizeof noise));
        if (i < 3)
            reading_is(reading, COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_DAMAGED, "");
    }
    reading_is(reading, COMB_EXTRACT_UNSUPPORTED, COMB_EXTRACT_REASON_NONE, "");
    /* With the beginning of each kind in front. */
    memcpy(noise, "PK\3\4", 4);
    reading_read(reading, "a", comb_str_of(noise, sizeof noise));
    reading_is(reading, COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_DAMAGED, "");
    memcpy(noise, "%PDF-1.7\n", 9);
    reading_read(reading, "a", comb_str_of(noise, sizeof noise));
    reading_is(reading, COMB_EXTRACT_REFUSED, COMB_EXTRACT_REASON_DAMAGED, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(xml_that_declares_is_a_bomb, setup, teardown),
        cmocka_unit_test_setup_teardown(nesting_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(mails_within_mails_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_unpacks_to_far_more_is_a_bomb, setup, teardown),
        cmocka_unit_test_setup_teardown(unpacked_bytes_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(zips_in_a_zip_stay_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(encrypted_files_say_so, setup, teardown),
        cmocka_unit_test_setup_teardown(an_attachment_that_cannot_be_read_leaves_the_mail, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(more_text_than_allowed_is_cut_at_a_character, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(cut_files_are_damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_is_damaged_or_unsupported, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
