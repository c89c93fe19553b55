/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a caller's reference to a node that he may use: resolves it on the facts, applies the
 * permission rule, and remembers what the decision rested on, so that a mutation can repeat it as a
 * guard.
 *
 * What a caller may not read does not exist for him: NOT_FOUND. PERMISSION_DENIED is told only
 * about a node that he may read, or manages.
 *
 * Administrators have read and write everywhere and manage all; the owner of a workspace manages
 * its nodes. A token's scopes narrow both: with scopes nobody manages.
 */
#ifndef COMB_PERMISSIONS_ACCESS_H
#define COMB_PERMISSIONS_ACCESS_H

#include "comb/v1/node.grpcc.h"
#include "comb/v1/options.grpcc.h"
#include "server/facts/facts.h"
#include "server/mutation/mutation.h"
#include "server/permissions/rule.h"

struct comb_access;

struct comb_access_node {
    struct comb_fact_chain chain; /* links[0] is the node */
    const struct comb_node
        *node;        /* links[0].node; NULL: the top ("/"), or missing with allow_missing */
    int rights;       /* the caller's effective rights on it */
    bool manages;     /* administrator, or owner of the workspace; never by a token with scopes */
    const char *path; /* "/slug/a/b" where the reference was a path, else NULL */
    comb_str missing[2]; /* with allow_missing: rest of the path that does not exist, and its last
                            part */
    struct comb_decision decision; /* for the guard */
    /* How the rights came about. judged: the links that were asked, which in a bin are those of the
     * place from which the node was deleted. */
    struct comb_subjects subjects;
    struct comb_verdict verdict;
    const struct comb_fact_link *judged;
    size_t n_judged;
};

struct comb_access_options {
    enum comb_v1_need need; /* READ, WRITE or MANAGE; LOGIN: any right that there is */
    const char *field;      /* of the request, for errors: "node" */
    bool allow_recycled;    /* the chain may end in a bin (Restore) */
    bool allow_top;         /* "/" is allowed: node NULL */
    bool allow_missing;     /* the path need not exist: `need` is then asked of its deepest existing
                               folder */
    bool presume_missing;   /* with allow_missing: see comb_facts_question.presume_free */
};

/* Blocking form. Marks ctx->authorised. Errors: INVALID_ARGUMENT (PATH_INVALID, FIELD_INVALID),
 * NOT_FOUND (NODE_NOT_FOUND), PERMISSION_DENIED (RIGHT_MISSING, SCOPE_EXCEEDED), UNAUTHENTICATED
 * (TOKEN_MISSING; TOKEN_REVOKED: the user is gone or disabled); those of the facts. */
enum comb_status comb_access_resolve(struct comb_access *access, struct comb_ctx *ctx,
                                     const struct comb_v1_node_ref *ref,
                                     const struct comb_access_options *options,
                                     struct comb_access_node *ret_node,
                                     struct comb_error *err) COMB_MUST_CHECK;
/* The same, answering through done as facts do; options and ref live until then. */
void comb_access_resolve_start(struct comb_access *access, struct comb_ctx *ctx,
                               const struct comb_v1_node_ref *ref,
                               const struct comb_access_options *options,
                               struct comb_access_node *ret_node, comb_facts_done done, void *data);

/* What the rule and being an administrator give to subjects on the first of the links, without any
 * token that would narrow it; nothing where the user is gone or disabled. */
struct comb_verdict comb_access_verdict(const struct comb_subjects *subjects,
                                        const struct comb_fact_link *links, size_t n_links);
/* Rights of the caller on node->judged[link], for explanations: an ancestor that he may not read is
 * not told of. */
int comb_access_link_rights(struct comb_ctx *ctx, const struct comb_access_node *node, size_t link);
/*
 * Rights of the caller on children of a folder whose own chain is known: for lists, row by row.
 * entries: those on the child.
 */
int comb_access_child_rights(struct comb_access *access, struct comb_ctx *ctx,
                             const struct comb_access_node *folder, const struct comb_node *child,
                             const struct comb_entry *entries, size_t n_entries);
/* Rights of the caller on a node by its id, for feeds: 0 where it does not exist or the chain ends
 * in a bin. */
enum comb_status comb_access_rights(struct comb_access *access, struct comb_ctx *ctx,
                                    const struct comb_uuid *id, int *ret_rights,
                                    struct comb_fact_chain *ret_chain,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* What the caller may do with one of many nodes: rights 0 as above. chain lives until this returns.
 * Anything but OK ends the rest. */
typedef enum comb_status (*comb_access_each)(void *data, size_t i, int rights,
                                             const struct comb_fact_chain *chain,
                                             struct comb_error *err);
/* The same of n nodes: what is not in memory is asked for at once, not one after the other. each is
 * called on this thread, in order. Blocks. */
enum comb_status comb_access_rights_each(struct comb_access *access, struct comb_ctx *ctx,
                                         const struct comb_uuid *ids, size_t n,
                                         comb_access_each each, void *data,
                                         struct comb_error *err) COMB_MUST_CHECK;
/* The absolute path by which the caller reaches the node of the chain, in ctx->arena ("/personal/…"
 * for his own); "" where there is none: no links, or in a bin. */
enum comb_status comb_access_path(struct comb_ctx *ctx, const struct comb_fact_chain *chain,
                                  const char **ret_path, struct comb_error *err) COMB_MUST_CHECK;

enum comb_status comb_access_new(struct comb_facts *facts, struct comb_access **ret_access,
                                 struct comb_error *err) COMB_MUST_CHECK;
void comb_access_free(struct comb_access *access);

#endif
