/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the texts of a record are. They sort byte by byte in the order in which documents are
 * walked.
 *
 * BY_AT: STORE/OWNER/ID, of a definition "=stores/NAME" (no store begins with "="). BY_MADE: STORE/
 * and the revision of the declarations that the keys were made by. BY_DUE: when it may be removed.
 * A key: STORE/VALUES/OWNER/ID, VALUES being hexadecimal: of the owner, where the index is by
 * owner, then of the value at each path, as a tag and bytes that sort as the values do: nothing <
 * null < false < true < numbers < texts.
 */
#ifndef COMB_DOCUMENTS_RECORD_H
#define COMB_DOCUMENTS_RECORD_H

#include <jansson.h>

#include "server/core/hash.h"
#include "server/documents/documents.h"

/* A text that is longer than all it begins and less than any other: between "x" and "x/". */
#define DOCUMENTS_AFTER "!"
/* Greater than all hexadecimal digits and "/". */
#define DOCUMENTS_BEYOND "g"

/* All NULL where there is no room. */
const char *documents_at(struct grpcc_arena *arena, comb_str store, const struct comb_uuid *owner,
                         comb_str id) COMB_MUST_CHECK;
const char *documents_definition_at(struct grpcc_arena *arena, comb_str store) COMB_MUST_CHECK;
const char *documents_made(struct grpcc_arena *arena, comb_str store,
                           int64_t keys_revision) COMB_MUST_CHECK;
const char *documents_due(struct grpcc_arena *arena, int64_t us) COMB_MUST_CHECK;

/* Owner and id out of BY_AT; false: it is damaged. */
bool documents_read_at(comb_str at, struct comb_uuid *ret_owner, comb_str *ret_id) COMB_MUST_CHECK;

/* The value's form in VALUES; NULL: it is an array, an object or a text that is too long, or there
 * is no room. value NULL: there is none. */
const char *documents_value(struct grpcc_arena *arena, const json_t *value) COMB_MUST_CHECK;
/* "10" of a value's form: its kind. */
#define DOCUMENTS_TAG_LENGTH 2

/* The member at a path; NULL: there is none. */
const json_t *documents_member(const json_t *body, comb_str path);
/* Whether it is "/a/b": 1 to 128 bytes, no empty members, "~0" and "~1" alone after "~". */
bool documents_is_path(comb_str path);
bool documents_is_store_name(comb_str name);
bool documents_is_id(comb_str id);

/*
 * Sets BY_MADE and the keys of a record whose BY_AT is set. body NULL: it is in no index. A
 * document whose value at an index' first path is missing or cannot be indexed is not in it.
 * *ret_unfit: the path at which a text was too long; ptr NULL: none.
 */
enum comb_status documents_set_keys(struct grpcc_arena *arena,
                                    const struct comb_document_store *store,
                                    const struct comb_uuid *owner, comb_str id, const json_t *body,
                                    struct comb_document_record *record, comb_str *ret_unfit,
                                    struct comb_error *err) COMB_MUST_CHECK;

#endif
