/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backend/s3/xml.h"

#include <expat.h>
#include <limits.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/memory.h"

struct walk {
    XML_Parser parser;
    comb_s3_xml_each each;
    void *data;
    char path[COMB_S3_XML_PATH_MAX];
    size_t path_length[COMB_S3_XML_DEPTH_MAX + 1]; /* before each open element */
    size_t depth;
    char text[COMB_S3_XML_TEXT_MAX];
    size_t text_length;
    bool ended;  /* by each */
    bool failed; /* by a limit */
};

static void stop(struct walk *walk, bool failed)
{
    walk->failed |= failed;
    XML_StopParser(walk->parser, XML_FALSE);
}

static void begin_element(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct walk *walk = data;
    size_t length = strlen(walk->path), room = sizeof walk->path - length;

    (void)attributes;
    if (walk->depth == COMB_S3_XML_DEPTH_MAX || strlen(name) + 2 > room) {
        stop(walk, true);
        return;
    }
    walk->path_length[walk->depth++] = length;
    snprintf(walk->path + length, room, "%s%s", length > 0 ? "/" : "", name);
    walk->text_length = 0;
}

static void end_element(void *data, const XML_Char *name)
{
    struct walk *walk = data;

    (void)name;
    if (!walk->each(walk->data, walk->path, comb_str_of(walk->text, walk->text_length))) {
        walk->ended = true;
        stop(walk, false);
    }
    walk->path[walk->path_length[--walk->depth]] = '\0';
    walk->text_length = 0;
}

static void add_text(void *data, const XML_Char *text, int length)
{
    struct walk *walk = data;

    if ((size_t)length > sizeof walk->text - walk->text_length) {
        stop(walk, true);
        return;
    }
    memcpy(walk->text + walk->text_length, text, (size_t)length);
    walk->text_length += (size_t)length;
}

static void refuse_doctype(void *data, const XML_Char *name, const XML_Char *system_id,
                           const XML_Char *public_id, int has_internal)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal;
    stop(data, true);
}

enum comb_status comb_s3_xml_parse(comb_str document, comb_s3_xml_each each, void *data,
                                   struct comb_error *err)
{
    const XML_Memory_Handling_Suite memory = {comb_memory_alloc, comb_memory_realloc,
                                              comb_memory_free};
    struct walk *walk = comb_memory_zalloc(sizeof *walk);
    enum comb_status status = COMB_OK;

    if (walk)
        walk->parser = XML_ParserCreate_MM("UTF-8", &memory, NULL);
    if (!walk || !walk->parser) {
        comb_memory_free(walk);
        return comb_error_no_memory(err);
    }
    walk->each = each;
    walk->data = data;
    XML_SetUserData(walk->parser, walk);
    XML_SetElementHandler(walk->parser, begin_element, end_element);
    XML_SetCharacterDataHandler(walk->parser, add_text);
    XML_SetStartDoctypeDeclHandler(walk->parser, refuse_doctype);
    if (document.len > INT_MAX ||
        (XML_Parse(walk->parser, document.ptr, (int)document.len, 1) != XML_STATUS_OK &&
         !walk->ended) ||
        walk->failed) {
        status = comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                                "the endpoint's answer is not the XML that S3 sends");
    }
    XML_ParserFree(walk->parser);
    comb_memory_free(walk);
    return status;
}
