/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search/reindex_kind.h"

#include <string.h>
#include <time.h>

#include "server/core/clock.h"
#include "server/search/contents.h"
#include "server/search/indexer.h"
#include "server/search/walk.h"

/* Between two looks how far the consumers are. */
#define LOOK_MS 500
#define STOP_LOOK_MS 50
/* Looks in a row at which nobody held a consumer, before it is no longer waited for: longer than a
 * lease, and than a replica takes to start. */
#define LOOKS_UNHELD_MAX 240

enum { PARTS = 2 };
static const char *const consumers[PARTS] = {COMB_SEARCH_CONSUMER, COMB_SEARCH_CONTENT_CONSUMER};

/* What is kept from step to step; its bytes, since who reads them may be another build. */
struct state {
    uint64_t epochs[PARTS]; /* of before */
    uint64_t unheld[PARTS]; /* looks in a row */
    uint64_t waits[PARTS];  /* 1: it is not done */
    uint64_t total;
};
enum { NUMBERS = sizeof(struct state) / sizeof(uint64_t), STATE_SIZE = NUMBERS * 8 };

static enum comb_status read_state(comb_str bytes, struct state *ret_state, struct comb_error *err)
{
    uint64_t numbers[NUMBERS] = {0};
    if (bytes.len != STATE_SIZE)
        return comb_error_set(err, COMB_DATA_LOSS, 0, "the state of building anew is damaged");
    for (size_t i = 0; i < STATE_SIZE; i++)
        numbers[i / 8] = numbers[i / 8] << 8 | (uint8_t)bytes.ptr[i];
    memcpy(ret_state, numbers, sizeof *ret_state);
    return COMB_OK;
}

static comb_str write_state(struct grpcc_arena *arena, const struct state *state)
{
    uint64_t numbers[NUMBERS];
    uint8_t *bytes = grpcc_arena_alloc(arena, STATE_SIZE);
    memcpy(numbers, state, sizeof numbers);
    for (size_t i = 0; bytes && i < STATE_SIZE; i++)
        bytes[i] = (uint8_t)(numbers[i / 8] >> (56 - i % 8 * 8));
    return comb_str_of(bytes, bytes ? STATE_SIZE : 0);
}

static enum comb_status ask(const struct comb_search_reindex_parts *parts, struct comb_ctx *ctx,
                            struct state *ret_state, struct comb_error *err)
{
    struct state state = {0};
    struct comb_search_counts counts = {0};
    enum comb_status status = parts->store->driver->count(parts->store, ctx, &counts, err);
    for (size_t i = 0; i < PARTS && status == COMB_OK; i++) {
        status = parts->leases->driver->begin_anew(parts->leases, ctx, comb_str_from(consumers[i]),
                                                   &state.epochs[i], err);
        state.waits[i] = status == COMB_OK;
        /* Nobody has ever held it: there is nothing to build anew. */
        if (status == COMB_NOT_FOUND)
            status = COMB_OK;
    }
    state.total = counts.documents;
    if (status == COMB_OK)
        *ret_state = state;
    return status;
}

/* Returns early where the operation is to end. */
static void pause_between_looks(const struct comb_operation_run *run)
{
    const struct timespec time = {0, STOP_LOOK_MS * COMB_NS_PER_MS};
    for (int i = 0; i < LOOK_MS / STOP_LOOK_MS && comb_operation_may_go_on(run); i++)
        nanosleep(&time, NULL);
}

static const struct comb_lease_info *find_lease(const struct comb_lease_info *leases, size_t n,
                                                const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (comb_str_equal(leases[i].name, comb_str_from(name)))
            return &leases[i];
    return NULL;
}

/* How many nodes a consumer has looked at; all of them where it is done. */
static uint64_t look_at(const struct comb_lease_info *lease, size_t part, struct state *state)
{
    struct comb_search_progress progress = {0};
    struct comb_error err;
    if (!lease || !state->waits[part])
        return state->total;
    const struct comb_consumer_place *place = &lease->place;
    state->unheld[part] = lease->is_held ? 0 : state->unheld[part] + 1;
    bool is_done = place->rebuild == COMB_REBUILD_NONE && place->epoch > state->epochs[part];
    if (is_done || state->unheld[part] > LOOKS_UNHELD_MAX) {
        state->waits[part] = 0;
        return state->total;
    }
    if (place->rebuild == COMB_REBUILD_NONE ||
        comb_search_progress_read(place->state, &progress, &err) != COMB_OK)
        return 0;
    return progress.nodes < state->total ? progress.nodes : state->total;
}

static enum comb_status look(const struct comb_search_reindex_parts *parts, struct comb_ctx *ctx,
                             struct state *state, struct comb_operation_step *step,
                             struct comb_error *err)
{
    const struct comb_lease_info *leases;
    size_t n = 0;
    uint64_t done[PARTS];
    enum comb_status status = parts->leases->driver->list(parts->leases, ctx, &leases, &n, err);
    if (status != COMB_OK)
        return status;
    for (size_t i = 0; i < PARTS; i++)
        done[i] = look_at(find_lease(leases, n, consumers[i]), i, state);
    step->is_last = !state->waits[0] && !state->waits[1];
    const char *message = grpcc_arena_printf(
        ctx->arena, "attributes of %llu and contents of %llu of about %llu nodes",
        (unsigned long long)done[0], (unsigned long long)done[1], (unsigned long long)state->total);
    if (!message)
        return comb_error_no_memory(err);
    step->progress = (struct comb_operation_progress){.done = done[0] + done[1],
                                                      .total = PARTS * state->total,
                                                      .unit = STR("parts of documents"),
                                                      .message = comb_str_from(message)};
    return COMB_OK;
}

static enum comb_status reindex_step(void *data, struct comb_ctx *ctx,
                                     struct comb_operation_step *step, struct comb_error *err)
{
    const struct comb_search_reindex_parts *parts = data;
    struct state state;
    enum comb_status status;
    if (step->state.len == 0) {
        status = ask(parts, ctx, &state, err);
        step->progress = (struct comb_operation_progress){.unit = STR("parts of documents"),
                                                          .message = STR("asked for")};
    } else {
        status = read_state(step->state, &state, err);
        pause_between_looks(step->run);
        if (status == COMB_OK)
            status = look(parts, ctx, &state, step, err);
    }
    if (status != COMB_OK)
        return status;
    step->next_state = write_state(ctx->arena, &state);
    return step->next_state.ptr ? COMB_OK : comb_error_no_memory(err);
}

void comb_search_reindex_kind(const struct comb_search_reindex_parts *parts,
                              struct comb_operation_kind *ret_kind)
{
    *ret_kind = (struct comb_operation_kind){.name = COMB_SEARCH_REINDEX_KIND,
                                             .is_startable = true,
                                             .is_single = true,
                                             .step = reindex_step,
                                             .data = (void *)(uintptr_t)parts};
}
