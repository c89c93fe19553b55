/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/worker/xml.h"

#include <expat.h>

#include "server/core/memory.h"

struct comb_extract_xml {
    XML_Parser parser;
    struct comb_extract_xml_events events;
    uint32_t depth, nesting_max;
    bool is_bomb;
};

const char *comb_extract_xml_local(const char *name)
{
    const char *colon = strrchr(name, ':');
    return colon ? colon + 1 : name;
}

const char *comb_extract_xml_attribute(const char *const *attributes, const char *local)
{
    for (; attributes[0]; attributes += 2) {
        if (strcmp(comb_extract_xml_local(attributes[0]), local) == 0)
            return attributes[1];
    }
    return NULL;
}

static void stop(struct comb_extract_xml *xml)
{
    xml->is_bomb = true;
    XML_StopParser(xml->parser, XML_FALSE);
}

static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct comb_extract_xml *xml = data;
    if (++xml->depth > xml->nesting_max)
        stop(xml);
    else
        xml->events.start(xml->events.data, comb_extract_xml_local(name),
                          (const char *const *)attributes);
}

static void XMLCALL on_end(void *data, const XML_Char *name)
{
    struct comb_extract_xml *xml = data;
    xml->depth--;
    xml->events.end(xml->events.data, comb_extract_xml_local(name));
}

static void XMLCALL on_text(void *data, const XML_Char *text, int len)
{
    struct comb_extract_xml *xml = data;
    xml->events.text(xml->events.data, comb_str_of(text, (size_t)len));
}

static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    stop(data);
}

struct comb_extract_xml *comb_extract_xml_new(const struct comb_extract_xml_events *events,
                                              uint32_t nesting_max)
{
    struct comb_extract_xml *xml = comb_memory_zalloc(sizeof *xml);
    if (!xml)
        return NULL;
    xml->events = *events;
    xml->nesting_max = nesting_max;
    xml->parser = XML_ParserCreate(NULL);
    if (!xml->parser) {
        comb_memory_free(xml);
        return NULL;
    }
    XML_SetUserData(xml->parser, xml);
    XML_SetElementHandler(xml->parser, on_start, on_end);
    XML_SetCharacterDataHandler(xml->parser, on_text);
    XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
    return xml;
}

void comb_extract_xml_free(struct comb_extract_xml *xml)
{
    if (!xml)
        return;
    XML_ParserFree(xml->parser);
    comb_memory_free(xml);
}

enum comb_extract_reason comb_extract_xml_feed(struct comb_extract_xml *xml, comb_str bytes,
                                               bool is_end)
{
    if (XML_Parse(xml->parser, bytes.ptr, (int)bytes.len, is_end) == XML_STATUS_OK)
        return COMB_EXTRACT_REASON_NONE;
    if (xml->is_bomb)
        return COMB_EXTRACT_REASON_BOMB;
    switch (XML_GetErrorCode(xml->parser)) {
    case XML_ERROR_NO_MEMORY:
        return COMB_EXTRACT_REASON_MEMORY;
    case XML_ERROR_AMPLIFICATION_LIMIT_BREACH:
        return COMB_EXTRACT_REASON_BOMB;
    default:
        return COMB_EXTRACT_REASON_DAMAGED;
    }
}
