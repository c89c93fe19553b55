/* SPDX-License-Identifier: Apache-2.0 */
/*
 * E-mail through GMime: headers that people see, bodies, and attachments of the kinds that we read,
 * one level deep. The library decodes; what parts are is decided as for any file.
 */
#include <glib.h>
#include <gmime/gmime.h>
#include <iconv.h>

#include "server/extract/worker/format.h"

/* glibc loads a library for each of these when it is first asked for it; later, it cannot. */
static const char *const charsets[] = {
    "UTF-16",       "ISO-8859-1",   "ISO-8859-2",   "ISO-8859-5",   "ISO-8859-7",   "ISO-8859-9",
    "ISO-8859-15",  "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253", "WINDOWS-1254",
    "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "KOI8-R",       "KOI8-U",       "SHIFT_JIS",
    "EUC-JP",       "ISO-2022-JP",  "GB18030",      "GBK",          "GB2312",       "BIG5",
    "EUC-KR",       "ISO-8859-8",   "UTF-7",
};

/* Never closed: a charset that nobody has open is unloaded. volatile: nobody reads it, but those
 * who look for leaks. */
static volatile iconv_t kept_open[sizeof charsets / sizeof *charsets];

struct mail {
    const struct comb_extract_file_view *file;
    uint32_t n_parts;
    /* The first thing about a part that keeps text from us; the rest of the mail is read. */
    enum comb_extract_reason first;
    enum comb_extract_reason stop; /* ends it all */
};

static void put_object(struct mail *mail, GMimeObject *object, uint32_t depth);

void comb_extract_mail_prepare(void)
{
    g_mime_init();
    for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
        kept_open[i] = iconv_open("UTF-8", charsets[i]);
}

static void put_line(struct mail *mail, const char *text)
{
    comb_extract_sink_break(mail->file->sink);
    if (text)
        comb_extract_sink_put(mail->file->sink, comb_str_from(text));
    comb_extract_sink_break(mail->file->sink);
}

static void put_headers(struct mail *mail, GMimeMessage *message)
{
    static const GMimeAddressType types[] = {GMIME_ADDRESS_TYPE_FROM, GMIME_ADDRESS_TYPE_TO,
                                             GMIME_ADDRESS_TYPE_CC};
    put_line(mail, g_mime_message_get_subject(message));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        InternetAddressList *list = g_mime_message_get_addresses(message, types[i]);
        char *text = list ? internet_address_list_to_string(list, NULL, FALSE) : NULL;
        put_line(mail, text);
        g_free(text);
    }
}

static void note(struct mail *mail, enum comb_extract_reason reason)
{
    if (mail->first == COMB_EXTRACT_REASON_NONE)
        mail->first = reason;
}

/* The bytes of a part, decoded; the caller frees them with g_byte_array_unref(). */
static GByteArray *decode(GMimePart *part)
{
    GMimeDataWrapper *wrapper = g_mime_part_get_content(part);
    GByteArray *bytes = g_byte_array_new();
    GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(bytes);
    /* The stream only borrows the array. */
    g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
    if (wrapper)
        g_mime_data_wrapper_write_to_stream(wrapper, stream);
    g_object_unref(stream);
    return bytes;
}

/* A part that is a file of its own, as if somebody had saved it. */
static void put_file(struct mail *mail, GMimePart *part, comb_str media_type)
{
    const char *name = g_mime_part_get_filename(part);
    GByteArray *bytes;
    struct comb_extract_input input;
    enum comb_extract_outcome outcome;
    enum comb_extract_reason reason;
    struct comb_extract_file_view inner = *mail->file;

    if (name)
        put_line(mail, name);
    if (mail->file->level > 0)
        return;
    bytes = decode(part);
    comb_extract_input_init_memory(&input, comb_str_of(bytes->data, bytes->len));
    inner.name = comb_str_from(name);
    inner.media_type = media_type;
    inner.input = &input;
    inner.level = mail->file->level + 1;
    comb_extract_read(&inner, &outcome, &reason);
    comb_extract_input_done(&input);
    g_byte_array_unref(bytes);
    note(mail, reason);
    if (reason == COMB_EXTRACT_REASON_BOMB)
        mail->stop = reason;
}

/* What is shown when the mail is opened. */
static void put_body(struct mail *mail, GMimePart *part, bool is_html)
{
    struct comb_extract_file_view inner = *mail->file;
    struct comb_extract_input input;
    const char *charset = g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset");
    char *text = charset && GMIME_IS_TEXT_PART(part)
                     ? g_mime_text_part_get_text(GMIME_TEXT_PART(part))
                     : NULL;
    GByteArray *bytes = text ? NULL : decode(part);
    comb_str content = text ? comb_str_from(text) : comb_str_of(bytes->data, bytes->len);
    enum comb_extract_reason reason;

    comb_extract_input_init_memory(&input, content);
    inner.input = &input;
    if (is_html)
        reason = comb_extract_read_html(&inner, text && comb_str_is_utf8(content));
    else
        reason = comb_extract_read_plain(&inner, COMB_EXTRACT_TEXT_BYTES);
    note(mail, reason);
    if (reason == COMB_EXTRACT_REASON_BOMB)
        mail->stop = reason;
    comb_extract_input_done(&input);
    g_free(text);
    if (bytes)
        g_byte_array_unref(bytes);
}

static void put_part(struct mail *mail, GMimePart *part)
{
    GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
    const char *disposition = g_mime_object_get_disposition(GMIME_OBJECT(part));
    bool is_attached = disposition && g_ascii_strcasecmp(disposition, "attachment") == 0;
    bool is_html = g_mime_content_type_is_type(type, "text", "html");
    char *media_type;
    if (!is_attached && (is_html || g_mime_content_type_is_type(type, "text", "plain"))) {
        put_body(mail, part, is_html);
        return;
    }
    if (g_mime_content_type_is_type(type, "application", "pkcs7-mime") ||
        g_mime_content_type_is_type(type, "application", "x-pkcs7-mime"))
        note(mail, COMB_EXTRACT_REASON_ENCRYPTED);
    media_type = g_mime_content_type_get_mime_type(type);
    put_file(mail, part, comb_str_from(media_type));
    g_free(media_type);
}

/* Of alternatives that say the same, plain text; without any, all. */
static GMimeObject *plain_alternative(GMimeMultipart *multipart)
{
    GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(multipart));
    int n = g_mime_multipart_get_count(multipart);
    if (!g_mime_content_type_is_type(type, "multipart", "alternative"))
        return NULL;
    for (int i = 0; i < n; i++) {
        GMimeObject *object = g_mime_multipart_get_part(multipart, i);
        GMimeContentType *inner = object ? g_mime_object_get_content_type(object) : NULL;
        if (inner && g_mime_content_type_is_type(inner, "text", "plain"))
            return object;
    }
    return NULL;
}

static void put_multipart(struct mail *mail, GMimeMultipart *multipart, uint32_t depth)
{
    GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(multipart));
    GMimeObject *plain = plain_alternative(multipart);
    int n = g_mime_multipart_get_count(multipart);
    if (g_mime_content_type_is_type(type, "multipart", "encrypted")) {
        note(mail, COMB_EXTRACT_REASON_ENCRYPTED);
        return;
    }
    if (plain) {
        put_object(mail, plain, depth);
        return;
    }
    for (int i = 0; i < n && !mail->stop && !mail->file->sink->full; i++)
        put_object(mail, g_mime_multipart_get_part(multipart, i), depth);
}

/* A mail within the mail: its text is read, what is attached to it is named only. */
static void put_inner_message(struct mail *mail, GMimeMessage *message, uint32_t depth)
{
    struct comb_extract_file_view inner = *mail->file;
    const struct comb_extract_file_view *outer = mail->file;
    if (!message)
        return;
    put_headers(mail, message);
    if (outer->level > 0)
        return;
    inner.level = outer->level + 1;
    mail->file = &inner;
    put_object(mail, g_mime_message_get_mime_part(message), depth);
    mail->file = outer;
}

static void put_object(struct mail *mail, GMimeObject *object, uint32_t depth)
{
    const struct comb_extract_limits *limits = mail->file->limits;
    if (!object || mail->stop || mail->file->sink->full)
        return;
    if (depth > limits->nesting || ++mail->n_parts > limits->entries) {
        mail->stop = COMB_EXTRACT_REASON_BOMB;
        return;
    }
    if (GMIME_IS_MULTIPART(object))
        put_multipart(mail, GMIME_MULTIPART(object), depth + 1);
    else if (GMIME_IS_MESSAGE_PART(object))
        put_inner_message(mail, g_mime_message_part_get_message(GMIME_MESSAGE_PART(object)),
                          depth + 1);
    else if (GMIME_IS_PART(object))
        put_part(mail, GMIME_PART(object));
}

enum comb_extract_reason comb_extract_read_mail(const struct comb_extract_file_view *file,
                                                comb_str content)
{
    struct mail mail = {.file = file};
    bool is_mbox = comb_str_starts_with(content, STR("From "));
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer(content.ptr, content.len);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    bool any = false;

    g_mime_parser_set_format(parser, is_mbox ? GMIME_FORMAT_MBOX : GMIME_FORMAT_MESSAGE);
    do {
        GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
        if (!message)
            break;
        any = true;
        put_headers(&mail, message);
        put_object(&mail, g_mime_message_get_mime_part(message), 0);
        g_object_unref(message);
    } while (is_mbox && !g_mime_parser_eos(parser) && !mail.stop && !file->sink->full);
    g_object_unref(parser);
    g_object_unref(stream);
    if (!any)
        return COMB_EXTRACT_REASON_DAMAGED;
    return mail.stop ? mail.stop : mail.first;
}
