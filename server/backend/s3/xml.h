/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of S3 as a stream of leaves. Threads: any. */
#ifndef COMB_S3_XML_H
#define COMB_S3_XML_H

#include "server/core/error.h"
#include "server/core/str.h"

/* What S3 sends is flat: a page of 1,000 keys has four levels. */
#define COMB_S3_XML_DEPTH_MAX 8
/* The names of the elements above a leaf, and the text of one leaf: keys have up to 1,024 bytes. */
#define COMB_S3_XML_PATH_MAX 256
#define COMB_S3_XML_TEXT_MAX 4096

/*
 * Called at the end of every element, from the inside out. path: "ListBucketResult/Contents/Key";
 * text: what stands directly in it, unescaped, both valid during the call. False ends the walk.
 */
typedef bool (*comb_s3_xml_each)(void *data, const char *path, comb_str text);

/* UNAVAILABLE: not well-formed, too deep or long, or with a document type, which could blow up.
 * What each was called with before then is to be thrown away. */
enum comb_status comb_s3_xml_parse(comb_str document, comb_s3_xml_each each, void *data,
                                   struct comb_error *err) COMB_MUST_CHECK;

#endif
