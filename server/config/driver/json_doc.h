/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document of the json driver: what its file holds. Knows no file.
 *
 *   {"comb.config": 1, "revision": 7,
 *    "values":   {"/a/b": VALUE, …},                                      people edit this
 *    "history":  {"/a/b": [{"revision", "time_us", "actor", "value"}, …], …}  newest last
 *    "requests": {KEY: {"hash", "revision", "time_us"}, …},
 *    "marks":    {NAME: NUMBER, …}}
 *
 * `history` knows what the values were when the server wrote the file: what differs from it in
 * `values` was edited by hand, and becomes a revision of its own. A deleted path has a last state
 * without "value". Documents are never changed: a change makes a new one, which shares what is the
 * same.
 */
#ifndef COMB_CONFIG_JSON_DOC_H
#define COMB_CONFIG_JSON_DOC_H

#include <jansson.h>

#include "server/config/config_driver.h"

/* Request keys that are remembered; above it changes are refused. */
enum { CONFIG_REQUESTS_MAX = 10000 };

/* An empty one; NULL: no memory. Give back with json_decref(), as all documents. */
json_t *config_doc_new(void) COMB_MUST_CHECK;
/* FAILED_PRECONDITION names the line and what is wrong there. */
enum comb_status config_doc_parse(comb_str text, const char *file, json_t **ret_doc,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* The text of the file: the caller frees it with free(). NULL: no memory. */
char *config_doc_text(const json_t *doc) COMB_MUST_CHECK;

int64_t config_doc_revision(const json_t *doc);
/* The newest state of path in arena; false: it never had one, or (err set) no memory. */
bool config_doc_find(const json_t *doc, struct grpcc_arena *arena, comb_str path,
                     struct comb_config_entry *ret_entry, struct comb_error *err);
/* All paths below prefix behind after, at most limit. */
enum comb_status config_doc_list(const json_t *doc, struct grpcc_arena *arena, comb_str prefix,
                                 comb_str after, size_t limit,
                                 struct comb_config_entries *ret_entries,
                                 struct comb_error *err) COMB_MUST_CHECK;
enum comb_status config_doc_history(const json_t *doc, struct grpcc_arena *arena, comb_str path,
                                    int64_t before, size_t limit,
                                    struct comb_config_entries *ret_entries,
                                    struct comb_error *err) COMB_MUST_CHECK;

/* doc with the batch done, at the next revision; *ret_doc is NULL where the request was done before
 * or nothing is to do. */
enum comb_status config_doc_apply(const json_t *doc, const struct comb_config_batch *batch,
                                  int64_t now_us, json_t **ret_doc,
                                  struct comb_config_outcome *ret_outcome,
                                  struct comb_error *err) COMB_MUST_CHECK;
/* read, a document that was just parsed, as what follows doc: what differs gets the next revision.
 * *ret_doc is NULL where all values are doc's. */
enum comb_status config_doc_merge(const json_t *doc, const json_t *read, int64_t now_us,
                                  json_t **ret_doc, struct comb_error *err) COMB_MUST_CHECK;
enum comb_status config_doc_raise_mark(const json_t *doc, comb_str name, uint64_t value,
                                       json_t **ret_doc, uint64_t *ret_highest,
                                       struct comb_error *err) COMB_MUST_CHECK;

#endif
