/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of OOXML and ODF packages are, and the text of each: pure functions of names and
 * XML. One thread.
 */
#ifndef COMB_EXTRACT_WORKER_PARTS_H
#define COMB_EXTRACT_WORKER_PARTS_H

#include "server/extract/worker/sink.h"
#include "server/extract/worker/xml.h"

/* In the order in which their text is put. */
enum comb_extract_part {
    COMB_EXTRACT_PART_NONE = 0,   /* no text */
    COMB_EXTRACT_PART_PROPERTIES, /* docProps/core.xml, meta.xml: title, subject, keywords */
    COMB_EXTRACT_PART_WORKBOOK,   /* xl/workbook.xml: names of sheets */
    COMB_EXTRACT_PART_BODY,       /* word/document.xml, ppt/slides/slide1.xml */
    COMB_EXTRACT_PART_ODF,        /* content.xml */
    COMB_EXTRACT_PART_STRINGS,    /* xl/sharedStrings.xml */
    COMB_EXTRACT_PART_SHEET,      /* xl/worksheets/sheet1.xml: what is not in the shared strings */
    COMB_EXTRACT_PART_NOTES       /* word/footnotes.xml, word/header1.xml, notes of slides */
};

/* name: of a zip's entry. *ret_number: of slides and sheets, for their order; 0: none. */
enum comb_extract_part comb_extract_part_of(comb_str name, bool is_odf, uint32_t *ret_number);

/* Collects a part's text out of its XML. */
struct comb_extract_part_walk {
    enum comb_extract_part part;
    struct comb_extract_sink *sink;
    uint32_t text;     /* elements around us whose text counts */
    uint32_t skipping; /* elements around us that are skipped */
    bool is_reference; /* the value of the cell is an index into the shared strings */
};

/* Events that feed the walk; it has to outlive them. */
struct comb_extract_xml_events comb_extract_part_walk_init(struct comb_extract_part_walk *walk,
                                                           enum comb_extract_part part,
                                                           struct comb_extract_sink *sink);

#endif
