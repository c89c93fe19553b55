/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workspaces: rules of slugs, and who sees which: those of which he may read a root; administrators
 * see all.
 *
 * Every function blocks: not on a poller. Threads: any, at once. What is returned lives in
 * ctx->arena.
 */
#ifndef COMB_WORKSPACES_H
#define COMB_WORKSPACES_H

#include "server/facts/facts.h"
#include "server/identity/identity.h"
#include "server/mutation/mutation.h"
#include "server/permissions/access.h"
#include "server/permissions/permissions_store.h"
#include "server/tree/tree_write.h"
#include "server/workspaces/workspaces_store.h"

struct comb_workspaces;

/* What workspaces work with; all borrowed, all must live longer. */
struct comb_workspaces_parts {
    struct comb_workspaces_store *store;
    struct comb_permissions_store *permissions;
    struct comb_identity *identity;
    struct comb_access *access;
    struct comb_tree *tree;
    struct comb_facts *facts;
    struct comb_mutations *mutations;
};

enum comb_status comb_workspaces_new(const struct comb_workspaces_parts *parts,
                                     struct comb_workspaces **ret_workspaces,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* NULL is fine. */
void comb_workspaces_free(struct comb_workspaces *workspaces);

/* A workspace as the caller sees it. */
struct comb_workspace_view {
    struct comb_workspace workspace; /* his own personal one has the slug "personal" */
    int default_rights;              /* of everybody, on the first root; comb.v1.Rights */
};

struct comb_workspaces_new_workspace {
    comb_str slug, label, description;
    comb_str owner;     /* id or login; "": the caller */
    int default_rights; /* comb.v1.Rights; 0: nothing */
};
/* With its root, its bin and its entries, in one mutation. ALREADY_EXISTS (SLUG_TAKEN). */
enum comb_status comb_workspaces_create(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                        const struct comb_request_key *key,
                                        const struct comb_workspaces_new_workspace *new_workspace,
                                        struct comb_workspace_view *ret_view,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* What an update changes; the fields that are named. */
enum comb_workspaces_field {
    COMB_WORKSPACES_SLUG = 1,
    COMB_WORKSPACES_LABEL = 2,
    COMB_WORKSPACES_DESCRIPTION = 4
};
struct comb_workspaces_changes {
    unsigned fields; /* of enum comb_workspaces_field */
    comb_str slug, label, description;
};
/* By id or slug. WORKSPACE_NOT_FOUND; ETAG_MISMATCH, unless expected_etag is ""; SLUG_TAKEN;
 * FIELD_INVALID, also for the slug of a personal one. */
enum comb_status comb_workspaces_update(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                        const struct comb_request_key *key, comb_str id_or_slug,
                                        comb_str expected_etag,
                                        const struct comb_workspaces_changes *changes,
                                        struct comb_workspace_view *ret_view,
                                        struct comb_error *err) COMB_MUST_CHECK;

/* The text that stands for a revision of a workspace. */
#define COMB_WORKSPACES_ETAG_SIZE 24
void comb_workspaces_etag(uint64_t revision, char ret_etag[COMB_WORKSPACES_ETAG_SIZE]);

/* By id or slug; "personal" is the caller's own. NOT_FOUND (WORKSPACE_NOT_FOUND), also where he may
 * not know of it. */
enum comb_status comb_workspaces_get(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                     comb_str id_or_slug, struct comb_workspace_view *ret_view,
                                     struct comb_error *err) COMB_MUST_CHECK;

struct comb_workspaces_page {
    const struct comb_workspace_view *views;
    size_t n;
    comb_str next; /* where the next page goes on; "": this was the last */
};
/* At most max by slug, those after `after`; looks at COMB_PAGE_EXAMINED_MAX at most: a page may be
 * short, or empty, and not the last. */
enum comb_status comb_workspaces_list(struct comb_workspaces *workspaces, struct comb_ctx *ctx,
                                      comb_str after, size_t max,
                                      struct comb_workspaces_page *ret_page,
                                      struct comb_error *err) COMB_MUST_CHECK;
/* The same for the tree's "/": struct comb_tree_hooks.workspaces, with data a struct
 * comb_workspaces. */
enum comb_status comb_workspaces_readable(void *workspaces, struct comb_ctx *ctx, comb_str after,
                                          size_t max,
                                          const struct comb_workspace_fact **ret_workspaces,
                                          size_t *ret_n, struct comb_error *err) COMB_MUST_CHECK;

#endif
