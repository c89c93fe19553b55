/* SPDX-License-Identifier: Apache-2.0 */
/* HTML through libxml2's push parser, which builds no tree here and opens nothing. */
#include <libxml/HTMLparser.h>
#include <strings.h>

#include "server/extract/worker/format.h"

/* What libxml2 is fed at a time: between two, we look whether more is wanted. */
#define STEP_BYTES 16384u
/* Where a page says which charset it is in. */
#define HEAD_BYTES 4096u

struct page {
    struct comb_extract_sink *sink;
    htmlParserCtxtPtr parser;
    uint32_t depth, nesting_max;
    uint32_t hidden; /* the depth of the element whose content nobody sees; 0: none */
    bool is_bomb;
};

static const char *const hidden[] = {"script", "style", "template", "noscript", NULL};
/* What stands within a line; all else begins a new one. A row of a table is a line. */
static const char *const inlines[] = {
    "a",    "abbr", "acronym", "b",    "bdi",   "bdo",  "big",    "cite",   "code",
    "data", "del",  "dfn",     "em",   "font",  "i",    "ins",    "kbd",    "label",
    "mark", "q",    "s",       "samp", "small", "span", "strike", "strong", "sub",
    "sup",  "td",   "th",      "time", "tt",    "u",    "var",    "wbr",    NULL};

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++) {
        if (strcasecmp(name, *names) == 0)
            return true;
    }
    return false;
}

static void page_start(void *data, const xmlChar *name, const xmlChar **attributes)
{
    struct page *page = data;
    page->depth++;
    if (page->depth > page->nesting_max) {
        page->is_bomb = true;
        xmlStopParser(page->parser);
        return;
    }
    if (!page->hidden && is_one_of((const char *)name, hidden))
        page->hidden = page->depth;
    if (page->hidden)
        return;
    if (!is_one_of((const char *)name, inlines))
        comb_extract_sink_break(page->sink);
    for (; attributes && attributes[0]; attributes += 2) {
        const char *value = (const char *)attributes[1];
        if (value &&
            is_one_of((const char *)attributes[0], (const char *[]){"alt", "title", NULL})) {
            comb_extract_sink_space(page->sink);
            comb_extract_sink_put(page->sink, comb_str_from(value));
            comb_extract_sink_space(page->sink);
        }
    }
}

static void page_end(void *data, const xmlChar *name)
{
    struct page *page = data;
    if (!page->hidden && is_one_of((const char *)name, (const char *[]){"td", "th", NULL}))
        comb_extract_sink_space(page->sink);
    else if (!page->hidden && !is_one_of((const char *)name, inlines))
        comb_extract_sink_break(page->sink);
    if (page->hidden == page->depth)
        page->hidden = 0;
    if (page->depth > 0)
        page->depth--;
}

/* White space is one space, as on the screen. */
static void page_text(void *data, const xmlChar *text, int len)
{
    struct page *page = data;
    const char *at = (const char *)text, *end = at + len;
    if (page->hidden)
        return;
    while (at < end) {
        const char *word = at;
        while (at < end && !strchr(" \t\r\n\f", *at))
            at++;
        if (at > word)
            comb_extract_sink_put(page->sink, comb_str_of(word, (size_t)(at - word)));
        if (at < end)
            comb_extract_sink_space(page->sink);
        while (at < end && *at && strchr(" \t\r\n\f", *at))
            at++;
        if (at < end && !*at)
            at++;
    }
}

static void say_nothing(void *data, const char *format, ...)
{
    (void)data;
    (void)format;
}

/* Whether the page's first bytes name a charset. */
static bool names_charset(comb_str head)
{
    static const char word[] = "charset";
    for (size_t i = 0; i + sizeof word - 1 <= head.len; i++) {
        if (strncasecmp(head.ptr + i, word, sizeof word - 1) == 0)
            return true;
    }
    return false;
}

/* libxml2 takes a page without a charset for Latin-1; today it is nearly always UTF-8. */
static xmlCharEncoding encoding_of(comb_str head, bool is_utf8)
{
    if (is_utf8)
        return XML_CHAR_ENCODING_UTF8;
    if (names_charset(head) || comb_str_starts_with(head, STR("\xff\xfe")) ||
        comb_str_starts_with(head, STR("\xfe\xff")))
        return XML_CHAR_ENCODING_NONE;
    /* The head may end within a character. */
    for (size_t cut = 0; cut < 4 && cut <= head.len; cut++) {
        if (comb_str_is_utf8(comb_str_of(head.ptr, head.len - cut)))
            return XML_CHAR_ENCODING_UTF8;
    }
    return XML_CHAR_ENCODING_NONE;
}

static void page_feed(struct page *page, struct comb_extract_input *input)
{
    comb_str piece;
    while (!page->sink->full && !page->is_bomb &&
           (piece = comb_extract_input_next(input)).len > 0) {
        for (size_t at = 0; at < piece.len && !page->sink->full && !page->is_bomb;) {
            size_t n = piece.len - at < STEP_BYTES ? piece.len - at : STEP_BYTES;
            htmlParseChunk(page->parser, piece.ptr + at, (int)n, 0);
            at += n;
        }
    }
}

enum comb_extract_reason comb_extract_read_html(const struct comb_extract_file_view *file,
                                                bool is_utf8)
{
    htmlSAXHandler handler = {.startElement = page_start,
                              .endElement = page_end,
                              .characters = page_text,
                              .ignorableWhitespace = page_text,
                              .warning = say_nothing,
                              .error = say_nothing};
    struct page page = {.sink = file->sink, .nesting_max = file->limits->nesting};
    comb_str head = comb_extract_input_peek(file->input, HEAD_BYTES);

    page.parser =
        htmlCreatePushParserCtxt(&handler, &page, NULL, 0, NULL, encoding_of(head, is_utf8));
    if (!page.parser)
        return COMB_EXTRACT_REASON_MEMORY;
    htmlCtxtUseOptions(page.parser, HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                        HTML_PARSE_RECOVER);
    page_feed(&page, file->input);
    if (!page.is_bomb)
        htmlParseChunk(page.parser, NULL, 0, 1);
    comb_extract_sink_break(file->sink);
    xmlFreeDoc(page.parser->myDoc);
    page.parser->myDoc = NULL;
    htmlFreeParserCtxt(page.parser);
    if (page.is_bomb)
        return COMB_EXTRACT_REASON_BOMB;
    return file->input->failed ? COMB_EXTRACT_REASON_SOURCE : COMB_EXTRACT_REASON_NONE;
}
