/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users, groups and roles: rules of names, who may see and change what, and what a user or a role
 * drags along in other areas.
 *
 * Every function blocks: not on a poller. Threads: any, at once. What is returned lives in
 * ctx->arena. Changes are decided on SQL and guarded by the caller's and the changed user's
 * revisions, under COMB_LOCK_RIGHTS where administrators may become fewer.
 */
#ifndef COMB_IDENTITY_H
#define COMB_IDENTITY_H

#include "server/auth/auth_store.h"
#include "server/auth/throttle.h"
#include "server/facts/facts.h"
#include "server/identity/identity_store.h"
#include "server/mutation/mutation.h"
#include "server/permissions/permissions_store.h"
#include "server/tree/tree_write.h"
#include "server/vault/vault_driver.h"
#include "server/workspaces/workspaces_store.h"

struct comb_identity;

/* What identity works with; all borrowed, all must live longer. */
struct comb_identity_parts {
    struct comb_identity_store *store;
    struct comb_auth_store *sessions;
    struct comb_workspaces_store *workspaces;
    struct comb_permissions_store *permissions;
    struct comb_throttle *throttle; /* of wrong old passwords */
    struct comb_tree *tree;
    struct comb_facts *facts;
    struct comb_mutations *mutations;
    struct comb_vault *vault; /* of the key that hides passwords in request hashes */
};

/* Reads its key from the vault: blocks. */
enum comb_status comb_identity_new(const struct comb_identity_parts *parts, struct comb_ctx *ctx,
                                   struct comb_identity **ret_identity,
                                   struct comb_error *err) COMB_MUST_CHECK;
/* Wipes the key. NULL is fine. */
void comb_identity_free(struct comb_identity *identity);

/*
 * What stands for a password in a request that is hashed for its request id: the hash is stored,
 * and whoever reads it there must not be able to try passwords on it. In arena; "" for "".
 */
enum comb_status comb_identity_hide_password(struct comb_identity *identity,
                                             struct grpcc_arena *arena, const char *password,
                                             char **ret_text,
                                             struct comb_error *err) COMB_MUST_CHECK;

/* ---- references ---- */

/* The id of a user by id or login. NOT_FOUND (USER_NOT_FOUND). */
enum comb_status comb_identity_find_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str id_or_login, struct comb_uuid *ret_id,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* The id of a role by id or name. NOT_FOUND (ROLE_NOT_FOUND). */
enum comb_status comb_identity_find_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str id_or_name, struct comb_uuid *ret_id,
                                         struct comb_error *err) COMB_MUST_CHECK;

/* ---- users ---- */

bool comb_user_is_administrator(const struct comb_user *user);

/* All of the user, by id or login, whoever asks: for other domains. */
enum comb_status comb_identity_read_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str id_or_login, struct comb_user *ret_user,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* The same, by id or by login alone, and straight from SQL: for log-in, refresh and tokens, where
 * what ended him holds at once. */
enum comb_status comb_identity_read_user_now(struct comb_identity *identity, struct comb_ctx *ctx,
                                             const struct comb_uuid *id, struct comb_user *ret_user,
                                             struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_identity_read_login_now(struct comb_identity *identity, struct comb_ctx *ctx,
                                              comb_str login, struct comb_user *ret_user,
                                              struct comb_error *err) COMB_MUST_CHECK;
/* What the caller may see of a user. *ret_all: all of it; else id, login and display name. */
enum comb_status comb_identity_get_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                        comb_str id_or_login, struct comb_user *ret_user,
                                        bool *ret_all, struct comb_error *err) COMB_MUST_CHECK;
struct comb_identity_users {
    comb_str login_prefix;
    comb_str group; /* id or path, "/": the root; "": of all groups */
};
/* A page of at most max users by login. */
enum comb_status comb_identity_list_users(struct comb_identity *identity, struct comb_ctx *ctx,
                                          const struct comb_identity_users *which, comb_str after,
                                          size_t max, const struct comb_user **ret_users,
                                          size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;

struct comb_identity_new_user {
    comb_str login, display_name, email;
    comb_str password;     /* "": none */
    const comb_str *roles; /* ids or names, in order */
    size_t n_roles;
    comb_str group; /* id or path; "": the root */
};
/* The user, his personal workspace with its root and bin, and his entry on it, in one mutation.
 * ALREADY_EXISTS (LOGIN_TAKEN). */
enum comb_status comb_identity_create_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key,
                                           const struct comb_identity_new_user *new_user,
                                           struct comb_user *ret_user,
                                           struct comb_error *err) COMB_MUST_CHECK;

enum comb_identity_field {
    COMB_IDENTITY_LOGIN = 1 << 0,
    COMB_IDENTITY_DISPLAY_NAME = 1 << 1,
    COMB_IDENTITY_EMAIL = 1 << 2,
    COMB_IDENTITY_DISABLED = 1 << 3,
    COMB_IDENTITY_PASSWORD = 1 << 4,
    COMB_IDENTITY_GROUP = 1 << 5
};
struct comb_identity_update {
    comb_str user; /* id or login */
    comb_str expected_etag;
    unsigned fields; /* of enum comb_identity_field: which of those below count */
    comb_str login, display_name, email, password;
    comb_str group; /* id or path; "": the root */
    bool disabled;
    comb_str old_password;
};
/* Errors: PERMISSION_DENIED (ADMINISTRATOR_ONLY, SCOPE_EXCEEDED), UNAUTHENTICATED
 * (CREDENTIALS_INVALID: the old password), RESOURCE_EXHAUSTED (LOGIN_THROTTLED),
 * FAILED_PRECONDITION (ETAG_MISMATCH, LAST_ADMINISTRATOR), ALREADY_EXISTS (LOGIN_TAKEN). */
enum comb_status comb_identity_update_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key,
                                           const struct comb_identity_update *update,
                                           struct comb_user *ret_user,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* His sessions, tokens and entries go with him; the root of his personal workspace goes to its bin.
 * FAILED_PRECONDITION (ETAG_MISMATCH, LAST_ADMINISTRATOR). */
enum comb_status comb_identity_delete_user(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key, comb_str user,
                                           comb_str expected_etag,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* roles: ids or names, all of them, in order. FAILED_PRECONDITION as above. */
enum comb_status comb_identity_set_roles(struct comb_identity *identity, struct comb_ctx *ctx,
                                         const struct comb_request_key *key, comb_str user,
                                         comb_str expected_etag, const comb_str *roles,
                                         size_t n_roles, struct comb_user *ret_user,
                                         struct comb_error *err) COMB_MUST_CHECK;

/* ---- roles ---- */

enum comb_status comb_identity_get_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                        comb_str id_or_name, struct comb_role *ret_role,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_identity_list_roles(struct comb_identity *identity, struct comb_ctx *ctx,
                                          comb_str after, size_t max,
                                          const struct comb_role **ret_roles, size_t *ret_n,
                                          struct comb_error *err) COMB_MUST_CHECK;
enum comb_identity_role_field {
    COMB_IDENTITY_ROLE_NAME = 1 << 0,
    COMB_IDENTITY_ROLE_LABEL = 1 << 1,
    COMB_IDENTITY_ROLE_OVERRIDE = 1 << 2
};
struct comb_identity_role_fields {
    unsigned fields; /* of enum comb_identity_role_field; for a new role all count */
    comb_str name, label;
    bool override;
};
/* ALREADY_EXISTS (ROLE_TAKEN). */
enum comb_status comb_identity_create_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key,
                                           const struct comb_identity_role_fields *fields,
                                           struct comb_role *ret_role,
                                           struct comb_error *err) COMB_MUST_CHECK;
/* FAILED_PRECONDITION (BUILT_IN, ETAG_MISMATCH), ALREADY_EXISTS (ROLE_TAKEN). */
enum comb_status comb_identity_update_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key, comb_str role,
                                           comb_str expected_etag,
                                           const struct comb_identity_role_fields *fields,
                                           struct comb_role *ret_role,
                                           struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_identity_delete_role(struct comb_identity *identity, struct comb_ctx *ctx,
                                           const struct comb_request_key *key, comb_str role,
                                           comb_str expected_etag,
                                           struct comb_error *err) COMB_MUST_CHECK;

/* ---- groups ---- */

/* By id or path; "" and "/": the root, which has the id of the role of everybody and no name. */
enum comb_status comb_identity_get_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str id_or_path, struct comb_group *ret_group,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* The id alone, for who grants to groups. */
enum comb_status comb_identity_find_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                          comb_str id_or_path, struct comb_uuid *ret_id,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* Which of n ids, at most COMB_NODE_ENTRIES_MAX, are groups. */
enum comb_status comb_identity_are_groups(struct comb_identity *identity, struct comb_ctx *ctx,
                                          const struct comb_uuid *ids, size_t n, bool *ret_are,
                                          struct comb_error *err) COMB_MUST_CHECK;
/* A page of at most max groups right below one, by name. */
enum comb_status comb_identity_list_groups(struct comb_identity *identity, struct comb_ctx *ctx,
                                           comb_str parent, comb_str after, size_t max,
                                           const struct comb_group **ret_groups, size_t *ret_n,
                                           struct comb_error *err) COMB_MUST_CHECK;
enum comb_identity_group_field {
    COMB_IDENTITY_GROUP_NAME = 1 << 0,
    COMB_IDENTITY_GROUP_LABEL = 1 << 1,
    COMB_IDENTITY_GROUP_PARENT = 1 << 2
};
struct comb_identity_group_fields {
    unsigned fields; /* of enum comb_identity_group_field; for a new group all count */
    comb_str name, label;
    comb_str parent; /* id or path; "": the root */
};
/* ALREADY_EXISTS (GROUP_TAKEN), FAILED_PRECONDITION (GROUP_PLACE). */
enum comb_status comb_identity_create_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                            const struct comb_request_key *key,
                                            const struct comb_identity_group_fields *fields,
                                            struct comb_group *ret_group,
                                            struct comb_error *err) COMB_MUST_CHECK;
/* With a new parent all that is below it moves, and rights with it, whatever the number of users:
 * no row of theirs is written. FAILED_PRECONDITION (BUILT_IN, ETAG_MISMATCH, GROUP_PLACE),
 * ALREADY_EXISTS (GROUP_TAKEN). */
enum comb_status comb_identity_update_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                            const struct comb_request_key *key, comb_str group,
                                            comb_str expected_etag,
                                            const struct comb_identity_group_fields *fields,
                                            struct comb_group *ret_group,
                                            struct comb_error *err) COMB_MUST_CHECK;
/* Its entries go with it. recursive: with what is below it, up to COMB_GROUP_DELETE_GROUPS_MAX
 * groups; up to COMB_GROUP_DELETE_USERS_MAX users of all of them go to the group above.
 * FAILED_PRECONDITION (BUILT_IN, ETAG_MISMATCH, GROUP_NOT_EMPTY). */
enum comb_status comb_identity_delete_group(struct comb_identity *identity, struct comb_ctx *ctx,
                                            const struct comb_request_key *key, comb_str group,
                                            comb_str expected_etag, bool recursive,
                                            struct comb_error *err) COMB_MUST_CHECK;

/* ---- first start ---- */

/*
 * Whether nobody is there yet. Then a password is to be made and kept where its reader finds it,
 * before comb_identity_bootstrap(): whatever moment the process dies at, the next start finds
 * either no user and the kept password, or the administrator who has it.
 */
enum comb_status comb_identity_is_empty(struct comb_identity *identity, struct comb_ctx *ctx,
                                        bool *ret_empty, struct comb_error *err) COMB_MUST_CHECK;
/* Makes the first administrator with his personal workspace, all or nothing; does nothing where
 * there is a user already. */
enum comb_status comb_identity_bootstrap(struct comb_identity *identity, struct comb_ctx *ctx,
                                         comb_str login, comb_str password, bool *ret_created,
                                         struct comb_error *err) COMB_MUST_CHECK;

#endif
