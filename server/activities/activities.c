/* SPDX-License-Identifier: Apache-2.0 */
#include "server/activities/activities.h"

#include "server/activities/internal.h"
#include "server/core/cond.h"
#include "server/core/memory.h"

enum comb_status comb_activities_new(const struct comb_activities_parts *parts,
                                     struct comb_activities **ret_activities,
                                     struct comb_error *err)
{
    struct comb_activities *activities = comb_memory_zalloc(sizeof *activities);
    if (!activities)
        return comb_error_no_memory(err);
    activities->parts = *parts;
    pthread_mutex_init(&activities->lock, NULL);
    comb_cond_init(&activities->stop);
    activities->has_purger =
        pthread_create(&activities->purger, NULL, activities_keep_purging, activities) == 0;
    if (!activities->has_purger) {
        comb_activities_free(activities);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the activities");
    }
    *ret_activities = activities;
    return COMB_OK;
}

void comb_activities_free(struct comb_activities *activities)
{
    if (!activities)
        return;
    pthread_mutex_lock(&activities->lock);
    activities->is_stopping = true;
    pthread_cond_signal(&activities->stop);
    pthread_mutex_unlock(&activities->lock);
    if (activities->has_purger)
        pthread_join(activities->purger, NULL);
    pthread_cond_destroy(&activities->stop);
    pthread_mutex_destroy(&activities->lock);
    comb_memory_free(activities);
}
