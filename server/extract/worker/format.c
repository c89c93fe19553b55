/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file is. Its first bytes decide where they can; name and media type, which anybody may
 * write, where they cannot. No libmagic: the few kinds that we read are known by few bytes, and it
 * would be one more parser of what strangers send.
 */
#include "server/extract/worker/format.h"

#include <strings.h>

/* A PDF may begin with something else. */
#define HEAD_BYTES 8192u
#define PDF_HEAD_BYTES 1024u
/* Of 1,000 bytes of text, at most so many are control characters. */
#define CONTROL_PER_MILLE_MAX 20u

enum kind { PLAIN, HTML, PDF, PACKAGE, MAIL, OLE, OTHER };

struct known {
    const char *extension, *media_type;
    enum kind kind;
};

static const struct known known[] = {
    {"htm", "text/html", HTML},
    {"html", "text/html", HTML},
    {"xhtml", "application/xhtml+xml", HTML},
    {"pdf", "application/pdf", PDF},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", PACKAGE},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", PACKAGE},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", PACKAGE},
    {"odt", "application/vnd.oasis.opendocument.text", PACKAGE},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet", PACKAGE},
    {"odp", "application/vnd.oasis.opendocument.presentation", PACKAGE},
    {"eml", "message/rfc822", MAIL},
    {"mbox", "application/mbox", MAIL},
};

static bool contains(comb_str text, comb_str what)
{
    return text.len >= what.len && memmem(text.ptr, text.len, what.ptr, what.len) != NULL;
}

static bool is_word(comb_str text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.ptr, word, text.len) == 0;
}

/* What the file is called; PLAIN where that says nothing. */
static enum kind kind_of_name(const struct comb_extract_file_view *file)
{
    const char *dot = file->name.len > 0 ? memrchr(file->name.ptr, '.', file->name.len) : NULL;
    comb_str extension = {NULL, 0}, type = file->media_type;
    const char *semicolon = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;
    if (dot)
        extension = comb_str_of(dot + 1, (size_t)(file->name.ptr + file->name.len - dot - 1));
    if (semicolon)
        type.len = (size_t)(semicolon - type.ptr);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (is_word(extension, known[i].extension) || is_word(type, known[i].media_type))
            return known[i].kind;
    }
    return PLAIN;
}

static bool begins(comb_str head, const char *word)
{
    size_t n = strlen(word);
    return head.len >= n && strncasecmp(head.ptr, word, n) == 0;
}

/* The head of a mail that nobody called one: a header of mails first. */
static bool looks_like_mail(comb_str head)
{
    static const char *const first[] = {"return-path: ",   "received: from ",   "delivered-to: ",
                                        "x-original-to: ", "mime-version: 1.0", "message-id: <"};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        if (begins(head, first[i]))
            return contains(head, STR("\nFrom: ")) || contains(head, STR("\nSubject: "));
    }
    return false;
}

static bool looks_like_html(comb_str head)
{
    if (begins(head, "\xef\xbb\xbf"))
        head = comb_str_of(head.ptr + 3, head.len - 3);
    while (head.len > 0 && memchr(" \t\r\n", *head.ptr, 4))
        head = comb_str_of(head.ptr + 1, head.len - 1);
    return begins(head, "<!doctype html") || begins(head, "<html");
}

/* Bytes that no text has. */
static bool is_binary(comb_str head)
{
    size_t controls = 0;
    for (size_t i = 0; i < head.len; i++) {
        unsigned char c = (unsigned char)head.ptr[i];
        if (c == 0)
            return true;
        controls += c == 0x7f || (c < 0x20 && !memchr("\t\n\v\f\r\b\033", c, 7));
    }
    return controls * 1000 > head.len * CONTROL_PER_MILLE_MAX;
}

/* Text that is a program which draws the text: PostScript, RTF. */
static bool is_markup_unread(comb_str head)
{
    return begins(head, "%!PS") || begins(head, "{\\rtf");
}

static bool is_utf16(comb_str head, enum comb_extract_text_encoding *ret_encoding)
{
    if (!comb_str_starts_with(head, STR("\xff\xfe")) &&
        !comb_str_starts_with(head, STR("\xfe\xff")))
        return false;
    *ret_encoding = head.ptr[0] == '\xff' ? COMB_EXTRACT_TEXT_UTF16_LE : COMB_EXTRACT_TEXT_UTF16_BE;
    return true;
}

static enum kind kind_of(const struct comb_extract_file_view *file, comb_str head)
{
    enum kind named = kind_of_name(file);
    enum comb_extract_text_encoding encoding;
    comb_str start = comb_str_of(head.ptr, head.len < PDF_HEAD_BYTES ? head.len : PDF_HEAD_BYTES);
    if (begins(head, "PK\3\4") || begins(head, "PK\5\6"))
        return PACKAGE;
    if (comb_str_starts_with(head, STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")))
        return OLE;
    if (comb_str_starts_with(head, STR("%PDF-")) ||
        (contains(start, STR("%PDF-")) && (named == PDF || is_binary(head))))
        return PDF;
    if (is_utf16(head, &encoding))
        return named == HTML ? HTML : PLAIN;
    if (is_binary(head))
        return named == PLAIN ? OTHER : named;
    if (named == MAIL || looks_like_mail(head))
        return MAIL;
    if (named == HTML || looks_like_html(head))
        return HTML;
    if (named != PLAIN)
        return named;
    return is_markup_unread(head) ? OTHER : PLAIN;
}

/* Compound files are old office files, and new ones that are encrypted. */
static enum comb_extract_reason read_ole(comb_str content, bool *ret_known)
{
    static const char encrypted[] = "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e";
    *ret_known = contains(content, comb_str_of(encrypted, sizeof encrypted));
    return *ret_known ? COMB_EXTRACT_REASON_ENCRYPTED : COMB_EXTRACT_REASON_NONE;
}

static enum comb_extract_reason read_whole(const struct comb_extract_file_view *file,
                                           enum kind kind, bool *ret_known)
{
    comb_str content;
    enum comb_extract_reason reason =
        comb_extract_input_whole(file->input, file->limits->input_bytes, &content);
    if (reason)
        return reason;
    switch (kind) {
    case PDF:
        return comb_extract_read_pdf(file, content);
    case PACKAGE:
        return comb_extract_read_package(file, content, ret_known);
    case MAIL:
        return comb_extract_read_mail(file, content);
    default:
        return read_ole(content, ret_known);
    }
}

static enum comb_extract_reason read_kind(const struct comb_extract_file_view *file, enum kind kind,
                                          comb_str head, bool *ret_known)
{
    enum comb_extract_text_encoding encoding = COMB_EXTRACT_TEXT_BYTES;
    *ret_known = true;
    if (file->input->failed)
        return COMB_EXTRACT_REASON_SOURCE;
    switch (kind) {
    case PLAIN:
        (void)is_utf16(head, &encoding);
        return comb_extract_read_plain(file, encoding);
    case HTML:
        return comb_extract_read_html(file, false);
    case OTHER:
        *ret_known = false;
        return COMB_EXTRACT_REASON_NONE;
    default:
        return read_whole(file, kind, ret_known);
    }
}

/* Whether text that came before the reason did is worth having: not of what is made to harm. */
static bool keeps_text(enum comb_extract_reason reason)
{
    return reason != COMB_EXTRACT_REASON_BOMB && reason != COMB_EXTRACT_REASON_SOURCE;
}

void comb_extract_read(const struct comb_extract_file_view *file,
                       enum comb_extract_outcome *ret_outcome, enum comb_extract_reason *ret_reason)
{
    uint64_t before = file->sink->left;
    comb_str head = comb_extract_input_peek(file->input, HEAD_BYTES);
    bool is_known;
    enum comb_extract_reason reason = read_kind(file, kind_of(file, head), head, &is_known);
    bool has_text;

    if (file->level == 0)
        comb_extract_sink_flush(file->sink);
    has_text = file->sink->left < before;
    if (!reason && file->sink->full)
        reason = COMB_EXTRACT_REASON_TOO_LARGE;
    *ret_reason = reason;
    if (!reason)
        *ret_outcome = is_known ? COMB_EXTRACT_TEXT : COMB_EXTRACT_UNSUPPORTED;
    else
        *ret_outcome =
            has_text && keeps_text(reason) ? COMB_EXTRACT_TRUNCATED : COMB_EXTRACT_REFUSED;
}

void comb_extract_formats_prepare(void)
{
    static const char page[] = "<p>x";
    static const char pdf[] =
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        "2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n";
    struct comb_extract_limits limits = {0};
    static struct comb_extract_sink sink;
    struct comb_extract_input input;
    struct comb_extract_file_view file = {.input = &input, .sink = &sink, .limits = &limits};

    comb_extract_limits_complete(&limits);
    comb_extract_mail_prepare();
    comb_extract_sink_init(&sink, 0, NULL, NULL);
    comb_extract_input_init_memory(&input, comb_str_of(page, sizeof page - 1));
    (void)comb_extract_read_html(&file, true);
    (void)comb_extract_read_pdf(&file, comb_str_of(pdf, sizeof pdf - 1));
    comb_extract_input_done(&input);
}
