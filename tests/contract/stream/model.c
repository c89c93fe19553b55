/* SPDX-License-Identifier: Apache-2.0 */
/* The plain model: arrays, and the rules as they are promised. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/contract/stream/stream.h"

const char *const stream_names[STREAM_NAMES] = {"B", "a", "a b", "b", "\xc3\xa9", "\xe6\x97\xa5"};

/* Where a node is that is not in the tree. */
enum { FREE = -1, BINNED = -2, TOP = -3 };

/* Node 0 is the root. */
struct item {
    int parent, was_in; /* was_in: FREE: that folder is gone for good */
    int name, was_called;
    bool is_file;
    int value;
    uint64_t size, revision, born, touched;
    int rights[SUBJECTS]; /* of the entries on it; 0: none */
};

#define PATH_SIZE 256

struct stream_model {
    struct item items[STREAM_NODES_MAX];
    int n; /* those behind have never been used */
    unsigned seed;
    enum stream_fault fault;
    uint64_t clock;
    char path[PATH_SIZE], parent_path[PATH_SIZE];
};

static int pick(struct stream_model *m, int below)
{
    return (int)((unsigned)rand_r(&m->seed) % (unsigned)below);
}

/* ---- looking around ---- */

static bool is_there(const struct stream_model *m, int i)
{
    while (i > 0)
        i = m->items[i].parent;
    return i == 0;
}

static bool is_below(const struct stream_model *m, int i, int above)
{
    while (i >= 0 && i != above)
        i = m->items[i].parent;
    return i == above;
}

static int child(const struct stream_model *m, int parent, int name)
{
    for (int i = 1; i < m->n; i++) {
        if (m->items[i].parent == parent && m->items[i].name == name)
            return i;
    }
    return -1;
}

static int depth(const struct stream_model *m, int i)
{
    int n = 0;

    for (; i > 0; i = m->items[i].parent)
        n++;
    return n;
}

static void path_of(const struct stream_model *m, int i, char *path)
{
    char rest[PATH_SIZE];

    if (i == 0) {
        snprintf(path, PATH_SIZE, "/work");
        return;
    }
    path_of(m, m->items[i].parent, rest);
    snprintf(path, PATH_SIZE, "%.240s/%s", rest, stream_names[m->items[i].name]);
}

const char *stream_op_path(const struct stream_model *m)
{
    return m->path;
}

const char *stream_op_parent_path(const struct stream_model *m)
{
    return m->parent_path;
}

/* ---- rights ---- */

/* The entry that counts on one node: the user's own, else everybody's. */
static int entry_of(const struct stream_model *m, int i, enum stream_subject who)
{
    const int *rights = m->items[i].rights;

    if (m->fault == FAULT_EVERYBODY_FIRST && rights[SUBJECT_EVERYBODY])
        return rights[SUBJECT_EVERYBODY];
    return rights[who] ? rights[who] : rights[SUBJECT_EVERYBODY];
}

static int rights_of(const struct stream_model *m, enum stream_subject who, int i)
{
    int rights = 0;

    for (; i >= 0; i = m->items[i].parent) {
        int entry = entry_of(m, i, who);

        if (entry == COMB_V1_RIGHTS_DENY && (!rights || m->fault != FAULT_NEARER_ALLOW_LIFTS_DENY))
            return 0;
        if (!rights && entry != COMB_V1_RIGHTS_DENY)
            rights = entry;
    }
    return rights;
}

static bool refuse(struct stream_answer *answer, enum comb_status status, int reason)
{
    *answer = (struct stream_answer){.status = status, .reason = reason, .node = -1};
    return false;
}

/* Whether he has the right on a node that is there, or what he is told. */
static bool permit(const struct stream_model *m, enum stream_subject who, int i, int right,
                   struct stream_answer *answer)
{
    int rights = rights_of(m, who, i);

    if (rights & right)
        return true;
    if (!(rights & COMB_V1_RIGHTS_READ) && who != USER_OWNER)
        return refuse(answer, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND);
    return refuse(answer, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_RIGHT_MISSING);
}

static bool need_folder(const struct stream_model *m, int i, struct stream_answer *answer)
{
    return !m->items[i].is_file ||
           refuse(answer, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_NOT_A_FOLDER);
}

/* ---- changes ---- */

static void show(const struct stream_model *m, int i, struct stream_answer *answer)
{
    const struct item *item = &m->items[i];

    *answer = (struct stream_answer){.node = i,
                                     .parent = item->parent,
                                     .name = item->name,
                                     .revision = item->revision,
                                     .size = item->size};
}

static void touch(struct stream_model *m, struct item *item)
{
    item->revision++;
    item->touched = ++m->clock;
}

static int add(struct stream_model *m, int parent, int name, bool is_file)
{
    int i = 1;

    while (i < m->n && m->items[i].parent != FREE)
        i++;
    assert_true(i < STREAM_NODES_MAX);
    if (i == m->n)
        m->n++;
    m->items[i] = (struct item){
        .parent = parent, .name = name, .is_file = is_file, .revision = 1, .born = ++m->clock};
    m->items[i].touched = m->items[i].born;
    return i;
}

/* For good, with all below it; what lies in the bin and came from there has no place any more. */
static void drop(struct stream_model *m, int i)
{
    m->items[i].parent = FREE;
    for (int k = 1; k < m->n; k++) {
        if (m->items[k].parent == i)
            drop(m, k);
        else if (m->items[k].parent == BINNED && m->items[k].was_in == i)
            m->items[k].was_in = FREE;
    }
}

static void bin(struct stream_model *m, int i)
{
    struct item *item = &m->items[i];

    item->was_in = item->parent;
    item->was_called = item->name;
    item->parent = BINNED;
    touch(m, item);
}

/* ---- operations ---- */

/* A name that is to be made in a folder: which node is asked for the right, and what is there. */
static bool find_spot(const struct stream_model *m, const struct stream_op *op, int *ret_there,
                      struct stream_answer *answer)
{
    *ret_there = child(m, op->parent, op->name);
    if (!permit(m, op->who, *ret_there >= 0 ? *ret_there : op->parent, COMB_V1_RIGHTS_WRITE,
                answer))
        return false;
    return *ret_there >= 0 || need_folder(m, op->parent, answer);
}

static void do_mkdir(struct stream_model *m, const struct stream_op *op,
                     struct stream_answer *answer)
{
    int there;

    if (!find_spot(m, op, &there, answer))
        return;
    if (there >= 0 && (!op->flag || m->items[there].is_file)) {
        refuse(answer, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_NAME_TAKEN);
        return;
    }
    show(m, there >= 0 ? there : add(m, op->parent, op->name, false), answer);
}

static void do_put(struct stream_model *m, const struct stream_op *op, struct stream_answer *answer)
{
    int there;

    if (!find_spot(m, op, &there, answer))
        return;
    if (there >= 0 && op->flag) {
        refuse(answer, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_NAME_TAKEN);
        return;
    }
    if (there >= 0 && !m->items[there].is_file) {
        refuse(answer, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_NOT_A_FILE);
        return;
    }
    if (there >= 0)
        touch(m, &m->items[there]);
    else
        there = add(m, op->parent, op->name, true);
    m->items[there].size = op->size;
    show(m, there, answer);
}

/* Write on the node and on the folder that holds it. */
static bool may_take(const struct stream_model *m, const struct stream_op *op,
                     struct stream_answer *answer)
{
    if (!permit(m, op->who, op->node, COMB_V1_RIGHTS_WRITE, answer))
        return false;
    if (op->node == 0)
        return refuse(answer, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_IS_ROOT);
    return (rights_of(m, op->who, m->items[op->node].parent) & COMB_V1_RIGHTS_WRITE) != 0 ||
           refuse(answer, COMB_PERMISSION_DENIED, COMB_V1_ERROR_REASON_RIGHT_MISSING);
}

static bool may_replace(const struct stream_model *m, const struct stream_op *op, int there,
                        struct stream_answer *answer)
{
    if (!op->flag)
        return refuse(answer, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_NAME_TAKEN);
    if (is_below(m, op->node, there))
        return refuse(answer, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_MOVE_INTO_SELF);
    if (m->items[there].is_file != m->items[op->node].is_file)
        return refuse(answer, COMB_FAILED_PRECONDITION,
                      m->items[there].is_file ? COMB_V1_ERROR_REASON_NOT_A_FOLDER
                                              : COMB_V1_ERROR_REASON_NOT_A_FILE);
    if (permit(m, op->who, there, COMB_V1_RIGHTS_WRITE, answer))
        return true;
    if (answer->status == COMB_NOT_FOUND)
        refuse(answer, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_NAME_TAKEN);
    return false;
}

static void do_move(struct stream_model *m, const struct stream_op *op,
                    struct stream_answer *answer)
{
    struct item *item = &m->items[op->node];
    int there;

    if (!may_take(m, op, answer) || !permit(m, op->who, op->parent, COMB_V1_RIGHTS_WRITE, answer) ||
        !need_folder(m, op->parent, answer))
        return;
    if (is_below(m, op->parent, op->node)) {
        refuse(answer, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_MOVE_INTO_SELF);
        return;
    }
    there = child(m, op->parent, op->name);
    if (there >= 0 && there != op->node) {
        if (!may_replace(m, op, there, answer))
            return;
        bin(m, there);
    }
    if (there != op->node) {
        item->parent = op->parent;
        item->name = op->name;
        touch(m, item);
    }
    show(m, op->node, answer);
}

static void do_delete(struct stream_model *m, const struct stream_op *op,
                      struct stream_answer *answer)
{
    struct item *item = &m->items[op->node];

    if (!may_take(m, op, answer))
        return;
    /* Where it is then, nobody can ask for. */
    *answer = (struct stream_answer){
        .node = op->node, .parent = -1, .name = -1, .revision = item->revision + 1};
    if (op->flag)
        drop(m, op->node);
    else
        bin(m, op->node);
}

/* By the owner, who manages the bin. */
static void do_purge(struct stream_model *m, const struct stream_op *op,
                     struct stream_answer *answer)
{
    *answer = (struct stream_answer){
        .node = op->node, .parent = -1, .name = -1, .revision = m->items[op->node].revision + 1};
    drop(m, op->node);
}

static void do_restore(struct stream_model *m, const struct stream_op *op,
                       struct stream_answer *answer)
{
    struct item *item = &m->items[op->node];
    int parent = op->flag ? op->parent : item->was_in,
        name = op->flag ? op->name : item->was_called;
    uint64_t revision = item->revision;

    if (!op->flag && (parent == FREE || !is_there(m, parent))) {
        refuse(answer, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_RESTORE_TARGET);
        return;
    }
    if (!permit(m, op->who, parent, COMB_V1_RIGHTS_WRITE, answer) ||
        !need_folder(m, parent, answer))
        return;
    if (child(m, parent, name) >= 0) {
        if (op->flag)
            refuse(answer, COMB_ALREADY_EXISTS, COMB_V1_ERROR_REASON_NAME_TAKEN);
        else
            refuse(answer, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_RESTORE_TARGET);
        return;
    }
    item->parent = parent;
    item->name = name;
    touch(m, item);
    if (m->fault == FAULT_RESTORE_KEEPS_REVISION)
        item->revision = revision;
    show(m, op->node, answer);
}

static void do_annotate(struct stream_model *m, const struct stream_op *op,
                        struct stream_answer *answer)
{
    struct item *item = &m->items[op->node];

    if (!permit(m, op->who, op->node, COMB_V1_RIGHTS_WRITE, answer))
        return;
    if (item->value != op->value || m->fault == FAULT_METADATA_ALWAYS_COUNTS)
        touch(m, item);
    item->value = op->value;
    show(m, op->node, answer);
}

/* Who does not manage the node is told that, or that it is not there. */
static bool may_manage(const struct stream_model *m, const struct stream_op *op,
                       struct stream_answer *answer)
{
    return op->who == USER_OWNER || permit(m, op->who, op->node, 0, answer);
}

static void do_grant(struct stream_model *m, const struct stream_op *op,
                     struct stream_answer *answer)
{
    if (!may_manage(m, op, answer))
        return;
    m->items[op->node].rights[op->subject] = op->value;
    *answer = (struct stream_answer){.node = -1, .rights = op->value};
}

static void do_revoke(struct stream_model *m, const struct stream_op *op,
                      struct stream_answer *answer)
{
    if (!may_manage(m, op, answer))
        return;
    if (!m->items[op->node].rights[op->subject]) {
        refuse(answer, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_ENTRY_NOT_FOUND);
        return;
    }
    m->items[op->node].rights[op->subject] = 0;
    *answer = (struct stream_answer){.node = -1};
}

/* By id, which may be of a node that is not there. */
static void do_stat(struct stream_model *m, const struct stream_op *op,
                    struct stream_answer *answer)
{
    if (!is_there(m, op->node)) {
        refuse(answer, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND);
        return;
    }
    if (!permit(m, op->who, op->node, COMB_V1_RIGHTS_READ, answer))
        return;
    show(m, op->node, answer);
    answer->rights = rights_of(m, op->who, op->node);
    answer->value = m->items[op->node].value;
}

static void do_check(struct stream_model *m, const struct stream_op *op,
                     struct stream_answer *answer)
{
    int rights = rights_of(m, op->who, op->node);

    if (!rights && op->who != USER_OWNER)
        refuse(answer, COMB_NOT_FOUND, COMB_V1_ERROR_REASON_NODE_NOT_FOUND);
    else
        *answer = (struct stream_answer){.node = -1, .rights = rights};
}

static int fold(const char *name)
{
    return tolower((unsigned char)name[0]);
}

static bool is_before(const struct stream_model *m, enum comb_v1_tree_order order, int a, int b)
{
    const struct item *x = &m->items[a], *y = &m->items[b];

    switch (order) {
    case COMB_V1_TREE_ORDER_NAME_DESC:
        return is_before(m, COMB_V1_TREE_ORDER_NAME, b, a);
    case COMB_V1_TREE_ORDER_UPDATE_TIME:
        return x->touched < y->touched;
    case COMB_V1_TREE_ORDER_UPDATE_TIME_DESC:
        return y->touched < x->touched;
    case COMB_V1_TREE_ORDER_SIZE: /* ids grow with time, and decide among folders */
        return x->size != y->size ? x->size < y->size : x->born < y->born;
    case COMB_V1_TREE_ORDER_SIZE_DESC:
        return is_before(m, COMB_V1_TREE_ORDER_SIZE, b, a);
    default:
        if (m->fault == FAULT_NAMES_IGNORE_CASE &&
            fold(stream_names[x->name]) != fold(stream_names[y->name]))
            return fold(stream_names[x->name]) < fold(stream_names[y->name]);
        return x->name < y->name;
    }
}

static void do_list(struct stream_model *m, const struct stream_op *op,
                    struct stream_answer *answer)
{
    int *children = answer->children;

    if (!permit(m, op->who, op->node, COMB_V1_RIGHTS_READ, answer) ||
        !need_folder(m, op->node, answer))
        return;
    *answer = (struct stream_answer){.node = -1};
    for (int i = 1; i < m->n; i++) {
        int at;

        if (m->items[i].parent != op->node || !(rights_of(m, op->who, i) & COMB_V1_RIGHTS_READ))
            continue;
        for (at = answer->n_children++; at > 0 && is_before(m, op->order, i, children[at - 1]);
             at--)
            children[at] = children[at - 1];
        children[at] = i;
    }
}

/* ---- choosing ---- */

/* A node that is there; a folder, if asked. */
static int pick_node(struct stream_model *m, bool folder)
{
    for (int tries = 0; tries < 300; tries++) {
        int i = pick(m, m->n);

        if (is_there(m, i) && (!folder || !m->items[i].is_file) && depth(m, i) < STREAM_DEPTH_MAX)
            return i;
    }
    return 0;
}

/* -1: none. */
static int pick_binned(struct stream_model *m)
{
    for (int tries = 0; tries < 300; tries++) {
        int i = pick(m, m->n);

        if (m->items[i].parent == BINNED)
            return i;
    }
    return -1;
}

static int pick_known(struct stream_model *m)
{
    int i;

    do
        i = pick(m, m->n);
    while (m->items[i].parent == FREE);
    return i;
}

static enum stream_kind pick_kind(struct stream_model *m)
{
    static const int shares[OP_KINDS] = {
        [OP_MKDIR] = 14, [OP_PUT] = 12,    [OP_MOVE] = 16,    [OP_DELETE] = 8,
        [OP_PURGE] = 4,  [OP_RESTORE] = 6, [OP_ANNOTATE] = 6, [OP_GRANT] = 6,
        [OP_REVOKE] = 6, [OP_STAT] = 12,   [OP_CHECK] = 6,    [OP_LIST] = 10};
    int at = pick(m, 106), kind = 0;

    while (at >= shares[kind])
        at -= shares[kind++];
    return (enum stream_kind)kind;
}

static int pick_rights(struct stream_model *m, enum stream_subject subject)
{
    static const int all[] = {COMB_V1_RIGHTS_READ_WRITE, COMB_V1_RIGHTS_READ,
                              COMB_V1_RIGHTS_READ_WRITE, COMB_V1_RIGHTS_READ,
                              COMB_V1_RIGHTS_WRITE,      COMB_V1_RIGHTS_DENY};

    /* A workspace whose owner may do nothing would be a dull one. */
    return all[pick(m, subject == USER_GUEST || subject == USER_OTHER ? 6 : 2)];
}

static struct stream_op pick_op(struct stream_model *m)
{
    struct stream_op op = {
        .kind = pick_kind(m),
        .who = pick(m, 3) ? USER_OWNER : (enum stream_subject)pick(m, STREAM_USERS),
        .node = pick_node(m, false),
        .parent = pick_node(m, pick(m, 8) != 0),
        .name = pick(m, STREAM_NAMES),
        .flag = pick(m, 2),
        .subject = (enum stream_subject)pick(m, SUBJECTS),
        .order = (enum comb_v1_tree_order)pick(m, COMB_V1_TREE_ORDER_SIZE_DESC + 1),
        .value = pick(m, 3)};

    op.size = ++m->clock;
    switch (op.kind) {
    case OP_DELETE:
        op.flag = pick(m, 3) == 0;
        break;
    case OP_PURGE:
    case OP_RESTORE:
        op.node = pick_binned(m);
        op.who = USER_OWNER;
        if (op.node < 0)
            op = (struct stream_op){.kind = OP_LIST, .value = 2};
        break;
    case OP_GRANT:
        op.value = pick_rights(m, op.subject);
        break;
    case OP_STAT:
        op.node = pick_known(m);
        break;
    case OP_LIST:
        op.value = 1 + pick(m, 4);
        break;
    default:
        break;
    }
    return op;
}

void stream_model_step(struct stream_model *m, struct stream_op *ret_op,
                       struct stream_answer *ret_answer)
{
    static void (*const all[])(struct stream_model *, const struct stream_op *,
                               struct stream_answer *) = {
        [OP_MKDIR] = do_mkdir,       [OP_PUT] = do_put,     [OP_MOVE] = do_move,
        [OP_DELETE] = do_delete,     [OP_PURGE] = do_purge, [OP_RESTORE] = do_restore,
        [OP_ANNOTATE] = do_annotate, [OP_GRANT] = do_grant, [OP_REVOKE] = do_revoke,
        [OP_STAT] = do_stat,         [OP_CHECK] = do_check, [OP_LIST] = do_list};
    struct stream_op op = pick_op(m);

    m->path[0] = '\0';
    if (is_there(m, op.node))
        path_of(m, op.node, m->path);
    path_of(m, op.parent, m->parent_path);
    *ret_answer = (struct stream_answer){.node = -1};
    all[op.kind](m, &op, ret_answer);
    *ret_op = op;
}

struct stream_model *stream_model_new(unsigned seed, enum stream_fault fault)
{
    struct stream_model *m = calloc(1, sizeof *m);

    assert_non_null(m);
    m->seed = seed;
    m->fault = fault;
    m->items[0] = (struct item){.parent = TOP, .name = -1, .revision = 1};
    m->items[0].rights[USER_OWNER] = COMB_V1_RIGHTS_READ_WRITE;
    m->n = 1;
    return m;
}

void stream_model_free(struct stream_model *m)
{
    free(m);
}
