/* SPDX-License-Identifier: Apache-2.0 */
/* What administrators and metrics are told of consumers. */
#include "server/consumers/internal.h"

#include "server/core/clock.h"

size_t comb_consumers_get_stats(struct comb_consumers *consumers,
                                struct comb_consumer_stats *ret_stats, size_t max)
{
    int64_t now_us = comb_clock_wall_us();
    for (size_t i = 0; i < consumers->n_runs && i < max; i++) {
        struct comb_consumer_run *run = &consumers->runs[i];
        int64_t pending_us = atomic_load(&run->pending_us);
        ret_stats[i] = (struct comb_consumer_stats){
            .name = run->consumer.name,
            .is_held = comb_lease_is_held(&run->lease),
            .is_rebuilding = atomic_load(&run->is_rebuilding),
            .taken = atomic_load(&run->taken),
            .lost = atomic_load(&run->lost),
            .batches = atomic_load(&run->batches),
            .entries = atomic_load(&run->entries),
            .failures = atomic_load(&run->failures),
            .set_aside = atomic_load(&run->set_aside),
            .rebuild_steps = atomic_load(&run->rebuild_steps),
            .lag_us = pending_us > 0 && now_us > pending_us ? now_us - pending_us : 0,
        };
    }
    for (size_t i = 0; i < consumers->n_others && consumers->n_runs + i < max; i++) {
        const struct comb_consumer_other *other = &consumers->others[i];
        struct comb_consumer_stats *stats = &ret_stats[consumers->n_runs + i];
        *stats = (struct comb_consumer_stats){.name = other->name};
        other->stats(other->data, stats);
    }
    return consumers->n_runs + consumers->n_others;
}

/* What waits for who helps the consumer `helped`. */
static void add_waiting(comb_str helped, const struct comb_lease_info *leases, size_t n,
                        struct comb_consumer_status *status)
{
    for (size_t i = 0; i < n; i++) {
        if (!comb_str_equal(leases[i].name, helped))
            continue;
        status->n_behind = leases[i].n_wanted;
        status->oldest_us = leases[i].wanted_us;
    }
}

/* How far a lease's work is behind. */
static enum comb_status add_lag(struct comb_consumers *consumers, struct comb_ctx *ctx,
                                const struct comb_lease_info *leases, size_t n,
                                struct comb_consumer_status *status, struct comb_error *err)
{
    for (size_t i = 0; i < consumers->n_others; i++) {
        const struct comb_consumer_other *other = &consumers->others[i];
        if (!comb_str_equal(status->lease.name, comb_str_from(other->name)))
            continue;
        status->is_other = true;
        return other->lag(other->data, ctx, COMB_CONSUMER_BEHIND_MAX, &status->n_behind,
                          &status->oldest_us, err);
    }
    for (size_t i = 0; i < consumers->n_runs; i++) {
        const struct comb_consumer *consumer = &consumers->runs[i].consumer;
        /* What waits for its helper is told of there. */
        if (consumers->runs[i].is_helped &&
            comb_str_equal(status->lease.name, comb_str_from(consumer->name)))
            status->lease.n_aside -= status->lease.n_wanted;
        if (!consumer->helps || !comb_str_equal(status->lease.name, comb_str_from(consumer->name)))
            continue;
        add_waiting(comb_str_from(consumer->helps), leases, n, status);
        return COMB_OK;
    }
    if (!comb_sql_is_history(consumers->sql, status->lease.place.cursor.incarnation))
        return COMB_OK;
    return comb_feed_lag(consumers->sql, ctx, status->lease.place.cursor, COMB_CONSUMER_BEHIND_MAX,
                         &status->n_behind, &status->oldest_us, err);
}

enum comb_status comb_consumers_status(struct comb_consumers *consumers, struct comb_ctx *ctx,
                                       const struct comb_consumer_status **ret_status,
                                       size_t *ret_n, struct comb_error *err)
{
    const struct comb_lease_info *leases;
    size_t n = 0;
    enum comb_status status =
        consumers->store->driver->list(consumers->store, ctx, &leases, &n, err);
    if (status != COMB_OK)
        return status;
    struct comb_consumer_status *found = grpcc_arena_calloc(ctx->arena, n, sizeof *found);
    if (!found)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        found[i].lease = leases[i];
        found[i].is_of_this_server =
            leases[i].is_held &&
            comb_uuid_equal(&leases[i].holder, comb_lease_keeper_holder(consumers->keeper));
        status = add_lag(consumers, ctx, leases, n, &found[i], err);
    }
    if (status != COMB_OK)
        return status;
    *ret_status = found;
    *ret_n = n;
    return COMB_OK;
}

/* NOT_FOUND where there is none of that name. */
static enum comb_status check_name(struct comb_consumers *consumers, struct comb_ctx *ctx,
                                   comb_str name, struct comb_error *err)
{
    struct comb_consumer_place place;
    if (name.len > COMB_LEASE_NAME_BYTES_MAX)
        name.len = COMB_LEASE_NAME_BYTES_MAX;
    enum comb_status status =
        consumers->store->driver->place(consumers->store, ctx, name, &place, err);
    if (status == COMB_NOT_FOUND)
        return comb_error_set(err, COMB_NOT_FOUND, 0, "there is no consumer \"%.*s\"",
                              (int)name.len, name.ptr);
    return status;
}

enum comb_status comb_consumers_list_aside(struct comb_consumers *consumers, struct comb_ctx *ctx,
                                           comb_str name, struct comb_cursor after, size_t max,
                                           const struct comb_consumer_aside **ret_asides,
                                           size_t *ret_n, struct comb_error *err)
{
    struct comb_consumers_store *store = consumers->store;
    enum comb_status status = check_name(consumers, ctx, name, err);
    if (status != COMB_OK)
        return status;
    return store->driver->list_aside(store, ctx, name, after, max, ret_asides, ret_n, err);
}

enum comb_status comb_consumers_retry(struct comb_consumers *consumers, struct comb_ctx *ctx,
                                      comb_str name, const struct comb_cursor *cursors, size_t n,
                                      size_t *ret_n, struct comb_error *err)
{
    struct comb_consumers_store *store = consumers->store;
    enum comb_status status = check_name(consumers, ctx, name, err);
    if (status != COMB_OK)
        return status;
    return store->driver->want_aside(store, ctx, name, cursors, n, ret_n, err);
}

enum comb_status comb_consumers_add_other(struct comb_consumers *consumers,
                                          const struct comb_consumer_other *other,
                                          struct comb_error *err)
{
    if (consumers->n_others == COMB_CONSUMERS_MAX)
        return comb_error_set(err, COMB_INTERNAL, 0, "no room for the lease %.80s", other->name);
    consumers->others[consumers->n_others++] = *other;
    return COMB_OK;
}
