/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML of documents as events, through expat. A document type declaration ends it: no office file
 * has one, and everything that XML can be misused for (entities that grow, files and addresses that
 * are read) begins with one. One thread.
 */
#ifndef COMB_EXTRACT_WORKER_XML_H
#define COMB_EXTRACT_WORKER_XML_H

#include "server/core/str.h"
#include "server/extract/outcome.h"

struct comb_extract_xml;

struct comb_extract_xml_events {
    /* name: without its prefix. attributes: name, value, ..., NULL; names with their prefixes. */
    void (*start)(void *data, const char *name, const char *const *attributes);
    void (*end)(void *data, const char *name);
    void (*text)(void *data, comb_str text);
    void *data;
};

/* NULL: no memory. events are copied. */
struct comb_extract_xml *comb_extract_xml_new(const struct comb_extract_xml_events *events,
                                              uint32_t nesting_max);
void comb_extract_xml_free(struct comb_extract_xml *xml);
/* The next bytes; is_end with the last ones. DAMAGED, BOMB, MEMORY: nothing more may be fed. */
enum comb_extract_reason comb_extract_xml_feed(struct comb_extract_xml *xml, comb_str bytes,
                                               bool is_end);
/* What stands behind the prefix: "p" of "text:p". */
const char *comb_extract_xml_local(const char *name);
/* An attribute's value by its name without prefix; NULL: it has none. */
const char *comb_extract_xml_attribute(const char *const *attributes, const char *local);

#endif
