/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random stream of operations on a tree and its permissions, answered by a plain model in memory
 * and by stores. Nodes are called by their number in the model; each store keeps the ids that it
 * gave them.
 */
#ifndef COMB_TESTS_STREAM_H
#define COMB_TESTS_STREAM_H

#include "tests/contract/tree/fixture.h"

/* Nodes that there are at once, in the tree and in the bin. */
#define STREAM_NODES_MAX 4096
#define STREAM_NAMES 6
#define STREAM_DEPTH_MAX 12

extern const char *const stream_names[STREAM_NAMES]; /* in the order of their bytes */

/* Who calls; the first owns the workspace. SUBJECT_EVERYBODY is no caller. */
enum stream_subject { USER_OWNER, USER_GUEST, USER_OTHER, SUBJECT_EVERYBODY, SUBJECTS };
#define STREAM_USERS SUBJECT_EVERYBODY

enum stream_kind {
    OP_MKDIR,
    OP_PUT,
    OP_MOVE,
    OP_DELETE,
    OP_PURGE, /* what is in the bin */
    OP_RESTORE,
    OP_ANNOTATE,
    OP_GRANT,
    OP_REVOKE,
    OP_STAT,
    OP_CHECK,
    OP_LIST,
    OP_KINDS
};

struct stream_op {
    enum stream_kind kind;
    enum stream_subject who;
    int node, parent; /* what it is about, and the folder that something goes to */
    int name;
    bool flag; /* MKDIR: exist_ok; PUT: only if absent; MOVE: replace; DELETE: for good; RESTORE:
                  to parent and name */
    int value; /* ANNOTATE: 0 removes; GRANT: rights; LIST: rows of a page */
    uint64_t size;
    enum stream_subject subject;
    enum comb_v1_tree_order order;
};

struct stream_answer {
    enum comb_status status;
    int reason;
    int node;   /* what it is about, or was made; -1: none */
    int parent; /* of it */
    int name;
    uint64_t revision, size;
    int rights, value;
    int children[STREAM_NAMES]; /* LIST */
    int n_children;
};

/* Ways in which a model differs on purpose, to see that it is caught. */
enum stream_fault {
    FAULT_NONE,
    FAULT_NAMES_IGNORE_CASE, /* lists */
    FAULT_NEARER_ALLOW_LIFTS_DENY,
    FAULT_RESTORE_KEEPS_REVISION,
    FAULT_EVERYBODY_FIRST,        /* their entry counts before a user's own */
    FAULT_METADATA_ALWAYS_COUNTS, /* setting what is there raises the revision */
    FAULTS
};

struct stream_model;
struct stream_model *stream_model_new(unsigned seed, enum stream_fault fault);
void stream_model_free(struct stream_model *model);
/* The next operation, chosen at random, and what it must answer; done to the model. */
void stream_model_step(struct stream_model *model, struct stream_op *ret_op,
                       struct stream_answer *ret_answer);
/* "/work/a/b" of a node that is there; path has room for 256 bytes. As it was before the step that
 * stream_model_step has just done. */
const char *stream_op_path(const struct stream_model *model);
const char *stream_op_parent_path(const struct stream_model *model);

/* A store under test. */
struct stream_side;
struct stream_side *stream_side_new(struct comb_sql *sql);
void stream_side_free(struct stream_side *side);
/* expected says which node is which in what the store answers. */
void stream_side_do(struct stream_side *side, const struct stream_model *model,
                    const struct stream_op *op, const struct stream_answer *expected,
                    struct stream_answer *ret_answer);
/* Totals of all folders are what a walk of all rows counts. */
void stream_side_check(struct stream_side *side);

/* False: they differ, and where is said in text. */
bool stream_same(const struct stream_answer *expected, const struct stream_answer *answer,
                 char text[256]);

#endif
