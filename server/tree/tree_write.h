/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of plans for who changes the tree from another area: content (data), workspaces and users
 * (workspaces, identity). Each is called inside the caller's own comb_mutation_decide function,
 * adds its statements, decisions and feed entries to the plan, and leaves room for the caller's: it
 * never sets plan->outcome or plan->kind. The plan must have been zeroed before the first piece
 * (the mutation layer does so); pieces may be mixed with the caller's statements in any order.
 *
 * All that a piece adds lives in ctx->arena. Threads: any; all may block (facts). Errors that rest
 * on facts are only final when decided on fresh ones: comb_tree_decide() sees to that.
 */
#ifndef COMB_TREE_WRITE_H
#define COMB_TREE_WRITE_H

#include "comb/v1/node.grpcc.h"
#include "server/mutation/mutation.h"
#include "server/permissions/access.h"
#include "server/tree/tree_store.h"

struct comb_tree;

/*
 * Runs decide; where it refuses, or finds nothing to change, runs it once more on facts that are
 * certainly not older than this call, since memory may be 250 ms old and no guard looks at what is
 * not written. Use it as the first line of a decide function of the caller's:
 *
 *     return comb_tree_decide(tree, put_decide, put, ctx, plan, err);
 */
enum comb_status comb_tree_decide(struct comb_tree *tree, comb_mutation_decide decide, void *data,
                                  struct comb_ctx *ctx, struct comb_plan *plan,
                                  struct comb_error *err) COMB_MUST_CHECK;

/* Adds a decision that the plan rests on. */
enum comb_status comb_tree_plan_decision(struct comb_ctx *ctx, struct comb_plan *plan,
                                         const struct comb_decision *decision,
                                         struct comb_error *err) COMB_MUST_CHECK;

/* What must be there before a file is written; comb.v1.WriteCondition. */
enum comb_tree_condition {
    COMB_TREE_ANY = 0, /* an existing file gets new content, else a new one is made */
    COMB_TREE_ABSENT,  /* nothing of that name, else ALREADY_EXISTS (NAME_TAKEN) */
    COMB_TREE_ETAG     /* the file with this etag, else FAILED_PRECONDITION (ETAG_MISMATCH) */
};

/* A file to be written: where, and what. All borrowed. */
struct comb_tree_put {
    const struct comb_v1_node_ref *parent;
    const char *field;   /* of the request, for errors: "target"; ".parent" and so on are added */
    comb_str name;       /* checked by the rules of names */
    bool create_parents; /* makes missing folders of parent->path */
    enum comb_tree_condition condition;
    comb_str etag; /* for COMB_TREE_ETAG */
    /* Metadata to set beside what the file has; checked like SetMetadata's. */
    struct comb_v1_metadata *const *metadata;
    size_t n_metadata;
    uint64_t lock_token; /* of the caller's lock on the file; 0: none */
    /* Content: all zero in a check of the target alone (comb_tree_check_put). */
    struct comb_uuid blob;
    uint64_t size;
    comb_str sha256; /* 32 bytes */
    comb_str media_type;
};

/* A node as it will be when the plan has been written. */
struct comb_tree_written {
    struct comb_node node;
    bool created;                 /* false: an existing file gets new content */
    struct comb_uuid blob_before; /* of the content that is replaced; nil: none */
    const char *path;             /* where the request gave a path, else NULL */
};

/*
 * Decides and plans the write of a file: rights, names, condition, missing parents, feed entries.
 * Statements that reference the new blob's row come after the caller's that insert it: call the
 * piece last, or first; both are one transaction.
 * Errors: those of comb_access_resolve; PATH_INVALID (name); NOT_A_FOLDER (parent), NOT_A_FILE
 * (a folder has the name); NAME_TAKEN, ETAG_MISMATCH; TOO_DEEP; FIELD_INVALID and TOO_LARGE
 * (metadata); once a guard has not held, NODE_LOCKED, LOCK_LOST.
 */
enum comb_status comb_tree_plan_put(struct comb_tree *tree, struct comb_ctx *ctx,
                                    struct comb_plan *plan, const struct comb_tree_put *put,
                                    struct comb_tree_written *ret_written,
                                    struct comb_error *err) COMB_MUST_CHECK;
/* The same decision without a plan: early refusal, before content is taken. */
enum comb_status comb_tree_check_put(struct comb_tree *tree, struct comb_ctx *ctx,
                                     const struct comb_tree_put *put,
                                     struct comb_error *err) COMB_MUST_CHECK;

/*
 * Plans the root folder and the recycle bin of a new workspace, whose id is made by the caller:
 * new ids are answered for workspace_root.node and workspace.bin. Rights are the caller's business.
 */
enum comb_status comb_tree_plan_create_root(struct comb_tree *tree, struct comb_ctx *ctx,
                                            struct comb_plan *plan,
                                            const struct comb_uuid *workspace,
                                            struct comb_uuid *ret_root, struct comb_uuid *ret_bin,
                                            struct comb_error *err) COMB_MUST_CHECK;

/*
 * Plans the move of the first node of chain (as facts gave it; a root too) into its workspace's
 * bin. Rights, and the decision about them, are the caller's business; the node's revision is
 * guarded, and its lock by claim. ret_node (NULL is fine): as it will lie there.
 * FAILED_PRECONDITION where the chain has no bin.
 */
enum comb_status comb_tree_plan_recycle(struct comb_tree *tree, struct comb_ctx *ctx,
                                        struct comb_plan *plan, const struct comb_fact_chain *chain,
                                        const struct comb_tree_claim *claim,
                                        struct comb_node *ret_node,
                                        struct comb_error *err) COMB_MUST_CHECK;

/*
 * The outcome to keep with the request id of a mutation that made or changed one node, and the way
 * back: what a repeated request is answered with. The node is read again where it still is; else
 * only id and revision are there.
 */
enum comb_status comb_tree_outcome_pack(struct comb_ctx *ctx, const struct comb_node *node,
                                        bool created, comb_str *ret_outcome,
                                        struct comb_error *err) COMB_MUST_CHECK;
enum comb_status comb_tree_outcome_read(struct comb_tree *tree, struct comb_ctx *ctx,
                                        comb_str outcome, struct comb_tree_written *ret_written,
                                        struct comb_error *err) COMB_MUST_CHECK;

#endif
