/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the identity domain share; nobody else includes it. */
#ifndef COMB_IDENTITY_INTERNAL_H
#define COMB_IDENTITY_INTERNAL_H

#include "server/identity/identity.h"

struct comb_identity {
    struct comb_identity_parts parts;
    uint8_t request_key[32];
};

/* Rules of logins and of role names: begins with a letter; letters, digits, "-", "_", ".", "@"; at
 * most COMB_LOGIN_BYTES_MAX; not in the form of a UUID. */
enum comb_status identity_check_name(comb_str name, const char *field,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* Display names, e-mails, labels: UTF-8 without NUL, at most COMB_LABEL_BYTES_MAX. */
enum comb_status identity_check_label(comb_str label, const char *field,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* Empty, or the text of the revision; else ETAG_MISMATCH. */
enum comb_status identity_check_etag(comb_str expected, uint64_t revision,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* Without asking whether memory is new enough: for decisions, which the plan's guards repeat. */
enum comb_status identity_read_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                    comb_str id_or_login, struct comb_user *ret_user,
                                    struct comb_error *err) COMB_MUST_CHECK;
enum comb_status identity_read_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                    comb_str id_or_name, struct comb_role *ret_role,
                                    struct comb_error *err) COMB_MUST_CHECK;

enum comb_status identity_read_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                     comb_str id_or_path, struct comb_group *ret_group,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* The caller's standing, decided on facts and repeated by the plan's guard. */
enum comb_status identity_plan_caller(struct comb_identity *identity, struct comb_ctx *ctx,
                                      struct comb_plan *plan, struct comb_subjects *ret_subjects,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* The same, and PERMISSION_DENIED (ADMINISTRATOR_ONLY) where he is none. */
enum comb_status identity_plan_administrator(struct comb_identity *identity, struct comb_ctx *ctx,
                                             struct comb_plan *plan,
                                             struct comb_error *err) COMB_MUST_CHECK;
/* plan->outcome: the id of what was made or changed. */
enum comb_status identity_plan_outcome(struct comb_ctx *ctx, struct comb_plan *plan,
                                       const struct comb_uuid *id,
                                       struct comb_error *err) COMB_MUST_CHECK;

/* The id of what is named, and that it is still there when the plan is written. */
enum comb_status identity_plan_in_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                        struct comb_plan *plan, comb_str group,
                                        struct comb_uuid *ret_id,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* The id that identity_plan_outcome() kept. INTERNAL: there is none. */
enum comb_status identity_outcome_id(const struct comb_outcome *outcome, struct comb_uuid *ret_id,
                                     struct comb_error *err) COMB_MUST_CHECK;

/* n ids or names into ids; INVALID_ARGUMENT about "roles": too many, one twice, or "everybody". */
enum comb_status identity_resolve_roles(struct comb_identity *identity, struct comb_ctx *ctx,
                                        const comb_str *roles, size_t n,
                                        const struct comb_uuid **ret_ids,
                                        struct comb_error *err) COMB_MUST_CHECK;
/* The user whose id identity_plan_outcome() kept, as he is now. */
enum comb_status identity_user_of_outcome(struct comb_identity *identity, struct comb_ctx *ctx,
                                          const struct comb_outcome *outcome,
                                          struct comb_user *ret_user,
                                          struct comb_error *err) COMB_MUST_CHECK;

#endif
