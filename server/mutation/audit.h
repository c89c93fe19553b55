/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of the audit trail, on their way into it: made with the change that they tell of, or by
 * server/audit for what is no change in SQL, and put into the table audit_intake. What is in there
 * is numbered, chained and moved into the trail by server/audit, off the way of who writes.
 */
#ifndef COMB_MUTATION_AUDIT_H
#define COMB_MUTATION_AUDIT_H

#include "comb/v1/audit.grpcc.h"
#include "server/mutation/mutation.h"

/* What a record holds at most: what is longer is cut, so that no caller makes large ones. Bytes. */
#define COMB_AUDIT_TEXT_MAX 256
#define COMB_AUDIT_RIGHTS_MAX 2048
#define COMB_AUDIT_TARGETS_MAX 16
#define COMB_AUDIT_RECORD_MAX 16384

/* A record of what ctx's caller does now: id, time, who, method, from where, trace. In ctx's arena;
 * NULL: no room. *ret_id, which may be NULL: its id. */
struct comb_v1_audit_record *
comb_audit_record_new(struct comb_ctx *ctx, enum comb_v1_audit_kind kind, struct comb_uuid *ret_id);
/* Adds what it is about, where there are not COMB_AUDIT_TARGETS_MAX yet. False: no room. */
bool comb_audit_record_add_target(struct grpcc_arena *arena, struct comb_v1_audit_record *record,
                                  const char *kind, comb_str id) COMB_MUST_CHECK;
/* text in arena, cut to max bytes at a character's end; NULL: no room. */
char *comb_audit_text(struct grpcc_arena *arena, comb_str text, size_t max) COMB_MUST_CHECK;

/* The bytes of the record of a plan that is being written, in ctx's arena. */
enum comb_status comb_audit_of_plan(struct comb_ctx *ctx, const struct comb_request_key *key,
                                    const struct comb_plan *plan, struct comb_uuid *ret_id,
                                    comb_str *ret_record, struct comb_error *err) COMB_MUST_CHECK;

/* The statement that puts a record into the intake: ?1 its id, ?2 its bytes. */
const char *comb_audit_insert_sql(struct comb_sql *sql);

#endif
