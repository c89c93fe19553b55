/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Granting, revoking, listing and explaining permission entries.
 *
 * Whoever changes or lists the entries of a node must manage it: be an administrator or own its
 * workspace. Changes are decided on facts that are as new as the call (a strong read), guarded by
 * what they rested on, under COMB_LOCK_RIGHTS, and raise the node's acl_revision, so that every
 * write that was decided on the old entries is decided again.
 *
 * What is returned lives in ctx->arena. Threads: any. Functions block unless they say otherwise.
 */
#ifndef COMB_PERMISSIONS_H
#define COMB_PERMISSIONS_H

#include "server/permissions/access.h"
#include "server/permissions/permissions_store.h"

struct comb_permissions;

/* Turns names into ids, and tells which ids are groups': identity's comb_identity_find_user,
 * _find_role, _find_group and _are_groups, given by main: identity itself stands on this area's
 * store. All block. Errors: NOT_FOUND (USER_NOT_FOUND, ROLE_NOT_FOUND, GROUP_NOT_FOUND). */
struct comb_permissions_directory {
    enum comb_status (*find_user)(void *data, struct comb_ctx *ctx, comb_str id_or_login,
                                  struct comb_uuid *ret_id, struct comb_error *err);
    enum comb_status (*find_role)(void *data, struct comb_ctx *ctx, comb_str id_or_name,
                                  struct comb_uuid *ret_id, struct comb_error *err);
    enum comb_status (*find_group)(void *data, struct comb_ctx *ctx, comb_str id_or_path,
                                   struct comb_uuid *ret_id, struct comb_error *err);
    enum comb_status (*are_groups)(void *data, struct comb_ctx *ctx, const struct comb_uuid *ids,
                                   size_t n, bool *ret_are, struct comb_error *err);
    void *data;
};

/* What it works with; all borrowed, all must live longer. */
struct comb_permissions_parts {
    struct comb_permissions_store *store;
    struct comb_access *access;
    struct comb_facts *facts;
    struct comb_mutations *mutations;
    struct comb_permissions_directory directory;
};
enum comb_status comb_permissions_new(const struct comb_permissions_parts *parts,
                                      struct comb_permissions **ret_permissions,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_permissions_free(struct comb_permissions *permissions);

/* Whom an entry is for, as a caller says it. */
struct comb_permissions_subject {
    bool is_role, is_group; /* neither: a user */
    comb_str name;          /* id or login; id or name of a role; id or path of a group */
};

/* An entry, and whether its role is one, a group's, or a user's own. */
struct comb_permission {
    struct comb_entry entry;
    bool is_role, is_group;
};

struct comb_permissions_grant {
    const struct comb_v1_node_ref *node;
    struct comb_permissions_subject subject;
    int rights;        /* comb.v1.Rights, not UNSPECIFIED */
    int64_t expire_us; /* 0: never */
};
/* Sets an entry; one that is there is replaced. Errors: those of comb_access_resolve; FIELD_INVALID
 * (expire_time); TOO_LARGE (entries on one node). */
enum comb_status comb_permissions_grant(struct comb_permissions *permissions, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_permissions_grant *grant,
                                        struct comb_permission *ret_permission,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* NOT_FOUND (ENTRY_NOT_FOUND). */
enum comb_status comb_permissions_revoke(struct comb_permissions *permissions, struct comb_ctx *ctx,
                                         const struct comb_request_key *key,
                                         const struct comb_v1_node_ref *node,
                                         const struct comb_permissions_subject *subject,
                                         struct comb_error *err) COMB_MUST_CHECK;

/* At most max entries of the node, by the ids of their subjects, behind after (nil: the first). */
enum comb_status comb_permissions_list(struct comb_permissions *permissions, struct comb_ctx *ctx,
                                       const struct comb_v1_node_ref *node,
                                       const struct comb_uuid *after, size_t max,
                                       const struct comb_permission **ret_permissions,
                                       size_t *ret_n, bool *ret_more,
                                       struct comb_error *err) COMB_MUST_CHECK;

/* What one node of the chain contributed. */
struct comb_permissions_step {
    const struct comb_node *node;
    const struct comb_entry *entries; /* that concern the user, in the order of his roles */
    size_t n_entries;
    bool decided;
};
struct comb_permissions_answer {
    struct comb_uuid user;          /* about whom */
    const struct comb_uuid *groups; /* that he is in */
    size_t n_groups;
    bool allowed;
    int rights; /* all of the user's on the node */
    /* With explain: nearest first, as far as they matter and the caller may read them. */
    const struct comb_permissions_step *steps;
    size_t n_steps;
    const char *reason; /* a sentence; "" without explain */
};
struct comb_permissions_question {
    const struct comb_v1_node_ref *node;
    int rights; /* READ, WRITE or READ_WRITE */
    bool explain;
};
/* Of the caller himself. Does not block: answers as facts do; question lives until then. */
void comb_permissions_check_start(struct comb_permissions *permissions, struct comb_ctx *ctx,
                                  const struct comb_permissions_question *question,
                                  struct comb_permissions_answer *ret_answer, comb_facts_done done,
                                  void *data);
/* Of any user, by id or login; of others than himself the caller must manage the node. */
enum comb_status comb_permissions_check_user(struct comb_permissions *permissions,
                                             struct comb_ctx *ctx,
                                             const struct comb_permissions_question *question,
                                             comb_str user,
                                             struct comb_permissions_answer *ret_answer,
                                             struct comb_error *err) COMB_MUST_CHECK;

/* Whether an entry's role is a user's own; else a role. For answers. */
enum comb_status comb_permissions_is_user(struct comb_permissions *permissions,
                                          struct comb_ctx *ctx, const struct comb_uuid *role,
                                          bool *ret_is_user,
                                          struct comb_error *err) COMB_MUST_CHECK;

#endif
