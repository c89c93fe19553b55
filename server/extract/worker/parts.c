/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/worker/parts.h"

/* An element, by what it means for text. */
enum meaning {
    NOTHING,
    TEXT,      /* its characters count */
    PARAGRAPH, /* a line ends behind it */
    CELL,      /* white space behind it */
    TAB,
    BREAK,
    SPACE,
    SKIP /* neither it nor what is in it counts */
};

struct element {
    const char *name;
    enum meaning meaning;
};

/* WordprocessingML, DrawingML, SpreadsheetML's shared strings. Fallback repeats Choice for old
 * programs; rPh is how a Japanese string is pronounced. */
static const struct element ooxml[] = {
    {"t", TEXT},   {"p", PARAGRAPH}, {"si", PARAGRAPH}, {"tc", CELL},       {"tab", TAB},
    {"br", BREAK}, {"cr", BREAK},    {"rPh", SKIP},     {"Fallback", SKIP}, {NULL, NOTHING},
};
static const struct element sheet[] = {
    {"v", TEXT}, {"t", TEXT}, {"c", CELL}, {"row", PARAGRAPH}, {"rPh", SKIP}, {NULL, NOTHING},
};
/* p and h are TEXT and PARAGRAPH both: see on_start(). Deleted text is in tracked-changes. */
static const struct element odf[] = {
    {"p", PARAGRAPH},      {"h", PARAGRAPH},          {"s", SPACE},          {"tab", TAB},
    {"line-break", BREAK}, {"tracked-changes", SKIP}, {"binary-data", SKIP}, {NULL, NOTHING},
};
static const struct element properties[] = {
    {"title", PARAGRAPH},    {"subject", PARAGRAPH},         {"description", PARAGRAPH},
    {"keywords", PARAGRAPH}, {"keyword", PARAGRAPH},         {"category", PARAGRAPH},
    {"creator", PARAGRAPH},  {"initial-creator", PARAGRAPH}, {NULL, NOTHING},
};
static const struct element nothing[] = {{NULL, NOTHING}};

static const struct element *elements_of(enum comb_extract_part part)
{
    switch (part) {
    case COMB_EXTRACT_PART_PROPERTIES:
        return properties;
    case COMB_EXTRACT_PART_BODY:
    case COMB_EXTRACT_PART_NOTES:
    case COMB_EXTRACT_PART_STRINGS:
        return ooxml;
    case COMB_EXTRACT_PART_SHEET:
        return sheet;
    case COMB_EXTRACT_PART_ODF:
        return odf;
    case COMB_EXTRACT_PART_NONE:
    case COMB_EXTRACT_PART_WORKBOOK:
        break;
    }
    return nothing;
}

static enum meaning meaning_of(const struct comb_extract_part_walk *walk, const char *name)
{
    const struct element *element = elements_of(walk->part);
    while (element->name && strcmp(element->name, name) != 0)
        element++;
    return element->meaning;
}

/* Whether a paragraph's own characters count: in OOXML only those of its t. */
static bool is_text(const struct comb_extract_part_walk *walk, enum meaning meaning)
{
    return meaning == TEXT ||
           (meaning == PARAGRAPH &&
            (walk->part == COMB_EXTRACT_PART_ODF || walk->part == COMB_EXTRACT_PART_PROPERTIES));
}

static void on_start(void *data, const char *name, const char *const *attributes)
{
    struct comb_extract_part_walk *walk = data;
    enum meaning meaning = meaning_of(walk, name);
    if (walk->skipping || meaning == SKIP) {
        walk->skipping++;
        return;
    }
    if (walk->part == COMB_EXTRACT_PART_WORKBOOK && strcmp(name, "sheet") == 0) {
        comb_extract_sink_put(walk->sink,
                              comb_str_from(comb_extract_xml_attribute(attributes, "name")));
        comb_extract_sink_break(walk->sink);
    }
    if (walk->part == COMB_EXTRACT_PART_SHEET && meaning == CELL) {
        const char *type = comb_extract_xml_attribute(attributes, "t");
        walk->is_reference = type && strcmp(type, "s") == 0;
    }
    if (is_text(walk, meaning))
        walk->text++;
    if (meaning == TAB)
        comb_extract_sink_put(walk->sink, STR("\t"));
    else if (meaning == BREAK)
        comb_extract_sink_break(walk->sink);
    else if (meaning == SPACE)
        comb_extract_sink_space(walk->sink);
}

static void on_end(void *data, const char *name)
{
    struct comb_extract_part_walk *walk = data;
    enum meaning meaning = meaning_of(walk, name);
    if (walk->skipping) {
        walk->skipping--;
        return;
    }
    if (is_text(walk, meaning))
        walk->text--;
    if (meaning == PARAGRAPH)
        comb_extract_sink_break(walk->sink);
    else if (meaning == CELL)
        comb_extract_sink_space(walk->sink);
}

static void on_text(void *data, comb_str text)
{
    struct comb_extract_part_walk *walk = data;
    bool is_index = walk->part == COMB_EXTRACT_PART_SHEET && walk->is_reference;
    if (walk->text > 0 && !walk->skipping && !is_index)
        comb_extract_sink_put(walk->sink, text);
}

struct comb_extract_xml_events comb_extract_part_walk_init(struct comb_extract_part_walk *walk,
                                                           enum comb_extract_part part,
                                                           struct comb_extract_sink *sink)
{
    *walk = (struct comb_extract_part_walk){.part = part, .sink = sink};
    return (struct comb_extract_xml_events){on_start, on_end, on_text, walk};
}

/* ---- names ---- */

struct pattern {
    const char *folder, *stem; /* of FOLDER/STEM[NUMBER].xml */
    enum comb_extract_part part;
};

/* Office 365 writes word/document2.xml now and then. */
static const struct pattern patterns[] = {
    {"docProps/", "core", COMB_EXTRACT_PART_PROPERTIES},
    {"word/", "document", COMB_EXTRACT_PART_BODY},
    {"word/", "header", COMB_EXTRACT_PART_NOTES},
    {"word/", "footer", COMB_EXTRACT_PART_NOTES},
    {"word/", "footnotes", COMB_EXTRACT_PART_NOTES},
    {"word/", "endnotes", COMB_EXTRACT_PART_NOTES},
    {"word/", "comments", COMB_EXTRACT_PART_NOTES},
    {"xl/", "workbook", COMB_EXTRACT_PART_WORKBOOK},
    {"xl/", "sharedStrings", COMB_EXTRACT_PART_STRINGS},
    {"xl/worksheets/", "sheet", COMB_EXTRACT_PART_SHEET},
    {"xl/", "comments", COMB_EXTRACT_PART_NOTES},
    {"ppt/slides/", "slide", COMB_EXTRACT_PART_BODY},
    {"ppt/notesSlides/", "notesSlide", COMB_EXTRACT_PART_NOTES},
};

static bool skip(comb_str *name, const char *prefix)
{
    size_t n = strlen(prefix);
    if (!comb_str_starts_with(*name, comb_str_of(prefix, n)))
        return false;
    *name = comb_str_of(name->ptr + n, name->len - n);
    return true;
}

static bool matches(comb_str name, const struct pattern *pattern, uint32_t *ret_number)
{
    uint32_t number = 0;
    if (!skip(&name, pattern->folder) || !skip(&name, pattern->stem))
        return false;
    while (name.len > 0 && *name.ptr >= '0' && *name.ptr <= '9' && number < 100000000) {
        number = number * 10 + (uint32_t)(*name.ptr - '0');
        name = comb_str_of(name.ptr + 1, name.len - 1);
    }
    *ret_number = number;
    return comb_str_equal(name, STR(".xml"));
}

enum comb_extract_part comb_extract_part_of(comb_str name, bool is_odf, uint32_t *ret_number)
{
    *ret_number = 0;
    if (is_odf && comb_str_equal(name, STR("content.xml")))
        return COMB_EXTRACT_PART_ODF;
    if (is_odf)
        return comb_str_equal(name, STR("meta.xml")) ? COMB_EXTRACT_PART_PROPERTIES
                                                     : COMB_EXTRACT_PART_NONE;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        if (matches(name, &patterns[i], ret_number))
            return patterns[i].part;
    }
    return COMB_EXTRACT_PART_NONE;
}
