/* SPDX-License-Identifier: Apache-2.0 */
#include "server/move/lanes.h"

#include <pthread.h>
#include <stdint.h>

#include "server/core/memory.h"
#include "server/move/move.h"

struct lane_item {
    void (*run)(void *item);
    void *item;
    bool is_done;
};

struct move_lanes {
    pthread_mutex_t lock; /* guards what follows, up to the threads */
    pthread_cond_t more;  /* something was put, or all is to end */
    pthread_cond_t done;  /* something was run */
    struct lane_item ring[COMB_MOVE_AT_ONCE_MAX];
    uint64_t n_put, n_begun, n_taken; /* put and taken are changed by the owner alone */
    bool is_ending;
    pthread_t threads[COMB_MOVE_AT_ONCE_MAX];
    size_t n_threads;
};

static void *work(void *data)
{
    struct move_lanes *lanes = data;
    pthread_mutex_lock(&lanes->lock);
    while (!lanes->is_ending) {
        if (lanes->n_begun == lanes->n_put) {
            pthread_cond_wait(&lanes->more, &lanes->lock);
            continue;
        }
        struct lane_item *lane = &lanes->ring[lanes->n_begun++ % COMB_MOVE_AT_ONCE_MAX];
        pthread_mutex_unlock(&lanes->lock);
        lane->run(lane->item);
        pthread_mutex_lock(&lanes->lock);
        lane->is_done = true;
        pthread_cond_signal(&lanes->done);
    }
    pthread_mutex_unlock(&lanes->lock);
    return NULL;
}

enum comb_status move_lanes_new(struct move_lanes **ret_lanes, struct comb_error *err)
{
    struct move_lanes *lanes = comb_memory_zalloc(sizeof *lanes);
    if (!lanes)
        return comb_error_no_memory(err);
    pthread_mutex_init(&lanes->lock, NULL);
    pthread_cond_init(&lanes->more, NULL);
    pthread_cond_init(&lanes->done, NULL);
    while (lanes->n_threads < COMB_MOVE_AT_ONCE_MAX &&
           pthread_create(&lanes->threads[lanes->n_threads], NULL, work, lanes) == 0)
        lanes->n_threads++;
    /* With a few of them it is only slower. */
    if (lanes->n_threads == 0) {
        move_lanes_free(lanes);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the copy");
    }
    *ret_lanes = lanes;
    return COMB_OK;
}

void move_lanes_free(struct move_lanes *lanes)
{
    if (!lanes)
        return;
    pthread_mutex_lock(&lanes->lock);
    lanes->is_ending = true;
    pthread_cond_broadcast(&lanes->more);
    pthread_mutex_unlock(&lanes->lock);
    for (size_t i = 0; i < lanes->n_threads; i++)
        pthread_join(lanes->threads[i], NULL);
    pthread_cond_destroy(&lanes->more);
    pthread_cond_destroy(&lanes->done);
    pthread_mutex_destroy(&lanes->lock);
    comb_memory_free(lanes);
}

bool move_lanes_are_full(const struct move_lanes *lanes)
{
    return lanes->n_put - lanes->n_taken == COMB_MOVE_AT_ONCE_MAX;
}

void move_lanes_put(struct move_lanes *lanes, void (*run)(void *item), void *item)
{
    pthread_mutex_lock(&lanes->lock);
    lanes->ring[lanes->n_put++ % COMB_MOVE_AT_ONCE_MAX] = (struct lane_item){run, item, false};
    pthread_cond_signal(&lanes->more);
    pthread_mutex_unlock(&lanes->lock);
}

void *move_lanes_take(struct move_lanes *lanes)
{
    if (lanes->n_taken == lanes->n_put)
        return NULL;
    const struct lane_item *oldest = &lanes->ring[lanes->n_taken % COMB_MOVE_AT_ONCE_MAX];
    pthread_mutex_lock(&lanes->lock);
    while (!oldest->is_done)
        pthread_cond_wait(&lanes->done, &lanes->lock);
    lanes->n_taken++;
    pthread_mutex_unlock(&lanes->lock);
    return oldest->item;
}
