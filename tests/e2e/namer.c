/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/namer.h"

#include <stdio.h>
#include <string.h>

#include "tests/e2e/calls.h"

static enum grpcc_status call(const struct namer *namer, const struct names_op *op,
                              struct grpcc_arena *arena, struct comb_v1_node **ret_node,
                              struct grpcc_error *err)
{
    struct comb_client *client = namer->client;
    const char name[] = {(char)('a' + (int)op->name), 0}, to[] = {(char)('a' + (int)op->to), 0};
    char path[160];
    snprintf(path, sizeof path, "%s/%s", namer->folder, name);
    switch (op->kind) {
    case NAMES_CREATE:
        return calls_mkdir(client, arena, namer->folder, name, false, ret_node, err);
    case NAMES_REMOVE:
        return calls_remove(client, arena, path, err);
    case NAMES_MOVE:
        return calls_move(client, arena, path, NULL, to, ret_node, err);
    default:
        return calls_stat_strong(client, arena, path, ret_node, err);
    }
}

enum grpcc_status namer_call(struct namer *namer, unsigned i, struct grpcc_arena *arena,
                             struct grpcc_error *err)
{
    struct names_op *op = &namer->ops[i];
    struct comb_v1_node *node = NULL;
    *op = (struct names_op){.kind = (enum names_kind)calls_draw(&namer->random, NAMES_LOOK + 1),
                            .name = calls_draw(&namer->random, NAMER_NAMES)};
    op->to = (op->name + 1 + calls_draw(&namer->random, NAMER_NAMES - 1)) % NAMER_NAMES;
    op->begin_ns = calls_now_ns();
    enum grpcc_status status = call(namer, op, arena, &node, err);
    op->end_ns = calls_now_ns();
    op->outcome = status == GRPCC_OK          ? NAMES_DONE
                  : status == GRPCC_NOT_FOUND ? NAMES_MISSING
                                              : NAMES_TAKEN;
    snprintf(namer->ids[i], sizeof namer->ids[i], "%s", node ? node->id : "");
    return status == GRPCC_NOT_FOUND || status == GRPCC_ALREADY_EXISTS ? GRPCC_OK : status;
}

/* Ids of nodes become small numbers. */
static unsigned number_of(const char *id, char (*seen)[40], unsigned *n_seen)
{
    for (unsigned i = 0; i < *n_seen; i++)
        if (strcmp(seen[i], id) == 0)
            return i + 1;
    snprintf(seen[*n_seen], sizeof seen[0], "%s", id);
    return ++*n_seen;
}

enum names_verdict namers_check(const struct namer *namers, unsigned n)
{
    struct names_op ops[NAMES_OPS_MAX];
    char seen[NAMES_OPS_MAX][40];
    unsigned n_ops = 0, n_seen = 0;
    for (unsigned i = 0; i < n; i++) {
        for (unsigned j = 0; j < NAMER_OPS && n_ops < NAMES_OPS_MAX; j++, n_ops++) {
            ops[n_ops] = namers[i].ops[j];
            if (namers[i].ids[j][0])
                ops[n_ops].id = number_of(namers[i].ids[j], seen, &n_seen);
        }
    }
    enum names_verdict verdict = names_check(ops, n_ops);
    for (unsigned i = 0; verdict != NAMES_LINEARIZABLE && i < n_ops; i++)
        fprintf(stderr, "client %u: kind %d name %u to %u outcome %d id %u at %lld..%lld\n",
                i / NAMER_OPS, (int)ops[i].kind, ops[i].name, ops[i].to, (int)ops[i].outcome,
                ops[i].id, (long long)(ops[i].begin_ns - ops[0].begin_ns),
                (long long)(ops[i].end_ns - ops[0].begin_ns));
    return verdict;
}
