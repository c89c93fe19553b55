/* SPDX-License-Identifier: Apache-2.0 */
#include "server/activities/activities.h"

#include "server/activities/internal.h"
#include "server/core/memory.h"

enum comb_status comb_activities_new(const struct comb_activities_parts *parts,
                                     struct comb_activities **ret_activities,
                                     struct comb_error *err)
{
    struct comb_activities *activities = comb_memory_zalloc(sizeof *activities);
    if (!activities)
        return comb_error_no_memory(err);
    activities->parts = *parts;
    const struct comb_items_keep keep = activities_keep(activities);
    enum comb_status status = comb_items_keeper_new(&keep, &activities->keeper, err);
    if (status == COMB_OK)
        *ret_activities = activities;
    else
        comb_memory_free(activities);
    return status;
}

void comb_activities_free(struct comb_activities *activities)
{
    if (!activities)
        return;
    comb_items_keeper_free(activities->keeper);
    comb_memory_free(activities);
}
