/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a right holds, and why. */
#include "server/core/clock.h"
#include "server/permissions/internal.h"
#include "server/permissions/rule.h"

/* Whose rights are explained to whom. */
struct explanation {
    struct comb_ctx *ctx;                /* the caller's */
    const struct comb_access_node *node; /* as the caller resolved it */
    const struct comb_subjects *subjects;
    struct comb_verdict verdict;
};

/* The entries of the link that concern the user, in the order of his roles. False: no room. */
static bool gather_entries(const struct explanation *explanation, const struct comb_fact_link *link,
                           struct comb_permissions_step *step)
{
    const struct comb_subjects *subjects = explanation->subjects;
    int64_t now_us = comb_clock_wall_us();
    struct comb_entry *entries =
        grpcc_arena_calloc(explanation->ctx->arena, link->n_entries, sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    for (size_t r = 0; r < subjects->n_roles; r++) {
        for (size_t e = 0; e < link->n_entries; e++) {
            const struct comb_entry *entry = &link->entries[e];
            bool alive = entry->expire_us == 0 || entry->expire_us > now_us;
            if (alive && comb_uuid_equal(&entry->role, &subjects->roles[r])) {
                entries[step->n_entries++] = *entry;
            }
        }
    }
    step->entries = entries;
    return true;
}

static bool has_decided(const struct comb_verdict *verdict, size_t link)
{
    bool by_entry = verdict->why == COMB_RULE_ENTRY || verdict->why == COMB_RULE_DENIED ||
                    verdict->why == COMB_RULE_SCOPE;
    return by_entry && verdict->link == link;
}

/* As far up as the decision looked: to the top, since a deny may stand anywhere, except that behind
 * a deny nothing matters. */
static bool gather_steps(const struct explanation *explanation,
                         struct comb_permissions_answer *answer)
{
    const struct comb_access_node *node = explanation->node;
    size_t n = explanation->verdict.why == COMB_RULE_DENIED ? explanation->verdict.link + 1
                                                            : node->n_judged;
    struct comb_permissions_step *steps =
        grpcc_arena_calloc(explanation->ctx->arena, n, sizeof *steps);
    if (steps == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if ((comb_access_link_rights(explanation->ctx, node, i) & COMB_V1_RIGHTS_READ) == 0) {
            continue;
        }
        struct comb_permissions_step *step = &steps[answer->n_steps];
        if (!gather_entries(explanation, &node->judged[i], step)) {
            return false;
        }
        step->node = node->judged[i].node;
        step->decided = has_decided(&explanation->verdict, i);
        if (i == 0 || step->n_entries > 0) {
            answer->n_steps++;
        }
    }
    answer->steps = steps;
    return true;
}

static const char *reason_text(enum comb_rule_why why)
{
    switch (why) {
    case COMB_RULE_ENTRY:
        return "the nearest node with an entry for the user gives the rights";
    case COMB_RULE_DENIED:
        return "an entry denies the node on which it stands and all below it";
    case COMB_RULE_SCOPE:
        return "the token's scopes narrow what the user has";
    case COMB_RULE_ADMINISTRATOR:
        return "administrators may read and write everywhere";
    default:
        return "neither the node nor any above it has an entry for the user";
    }
}

static enum comb_status answer_with(const struct explanation *explanation,
                                    const struct comb_permissions_question *question,
                                    struct comb_permissions_answer *ret_answer,
                                    struct comb_error *err)
{
    int rights = explanation->verdict.rights;
    struct comb_permissions_answer answer = {
        .user = explanation->subjects->user,
        .groups = explanation->subjects->n_groups > 0 ? &explanation->subjects->roles[1] : NULL,
        .n_groups = explanation->subjects->n_groups,
        .allowed = (rights & question->rights) == question->rights,
        .rights = rights,
        .reason = "",
    };
    if (question->explain) {
        if (!gather_steps(explanation, &answer)) {
            return comb_error_no_memory(err);
        }
        answer.reason = reason_text(explanation->verdict.why);
    }
    *ret_answer = answer;
    return COMB_OK;
}

/* A check of the caller himself. */
struct own_check {
    struct comb_ctx *ctx;
    const struct comb_permissions_question *question;
    struct comb_access_options options;
    struct comb_access_node node;
    struct comb_permissions_answer *ret_answer;
    comb_facts_done done;
    void *data;
};

static void own_check_resolved(void *data, enum comb_status status, const struct comb_error *err)
{
    struct own_check *check = data;
    struct comb_error failed;
    if (status == COMB_OK) {
        struct explanation explanation = {.ctx = check->ctx,
                                          .node = &check->node,
                                          .subjects = &check->node.subjects,
                                          .verdict = check->node.verdict};
        status = answer_with(&explanation, check->question, check->ret_answer, &failed);
        err = status == COMB_OK ? NULL : &failed;
    }
    check->done(check->data, status, err);
}

void comb_permissions_check_start(struct comb_permissions *permissions, struct comb_ctx *ctx,
                                  const struct comb_permissions_question *question,
                                  struct comb_permissions_answer *ret_answer, comb_facts_done done,
                                  void *data)
{
    struct own_check *check = grpcc_arena_zalloc(ctx->arena, sizeof *check);
    struct comb_error err;
    if (check == NULL) {
        done(data, comb_error_no_memory(&err), &err);
        return;
    }
    *check = (struct own_check){
        .ctx = ctx,
        .question = question,
        .options = {.need = COMB_V1_NEED_LOGIN, .field = "node"},
        .ret_answer = ret_answer,
        .done = done,
        .data = data,
    };
    comb_access_resolve_start(permissions->parts.access, ctx, question->node, &check->options,
                              &check->node, own_check_resolved, check);
}

enum comb_status
comb_permissions_check_user(struct comb_permissions *permissions, struct comb_ctx *ctx,
                            const struct comb_permissions_question *question, comb_str user,
                            struct comb_permissions_answer *ret_answer, struct comb_error *err)
{
    const struct comb_permissions_directory *directory = &permissions->parts.directory;
    struct comb_access_options options = {.need = COMB_V1_NEED_LOGIN, .field = "node"};
    struct comb_access_node node;
    struct comb_subjects subjects;
    struct comb_uuid id;
    enum comb_status status = directory->find_user(directory->data, ctx, user, &id, err);
    if (status != COMB_OK) {
        return status;
    }
    bool own = ctx->principal != NULL && comb_uuid_equal(&id, &ctx->principal->user);
    if (!own) {
        options.need = COMB_V1_NEED_MANAGE;
    }
    status =
        comb_access_resolve(permissions->parts.access, ctx, question->node, &options, &node, err);
    if (status == COMB_OK && !own) {
        status = comb_facts_subjects_wait(permissions->parts.facts, ctx, &id, &subjects, err);
    }
    if (status != COMB_OK) {
        return status;
    }
    struct explanation explanation = {
        .ctx = ctx, .node = &node, .subjects = &node.subjects, .verdict = node.verdict};
    if (!own) {
        explanation.subjects = &subjects;
        explanation.verdict = comb_access_verdict(&subjects, node.judged, node.n_judged);
    }
    return answer_with(&explanation, question, ret_answer, err);
}
