/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "client/lib/transfer.h"

#define INTERVAL_NS (COMB_NS_PER_S / 10)

void comb_meter_init(struct comb_meter *meter, comb_progress_function function, void *data)
{
    *meter = (struct comb_meter){.function = function, .data = data};
    meter->progress.path = meter->path;
    pthread_mutex_init(&meter->lock, NULL);
}

void comb_meter_done(struct comb_meter *meter)
{
    pthread_mutex_destroy(&meter->lock);
}

void comb_meter_expect(struct comb_meter *meter, uint64_t bytes, uint64_t files)
{
    pthread_mutex_lock(&meter->lock);
    meter->progress.bytes_total += bytes;
    meter->progress.files_total += files;
    pthread_mutex_unlock(&meter->lock);
}

bool comb_meter_add(struct comb_meter *meter, const char *path, uint64_t bytes, uint64_t files)
{
    pthread_mutex_lock(&meter->lock);
    meter->progress.bytes += bytes;
    meter->progress.files += files;
    int64_t now = meter->function ? comb_now_ns() : 0;
    if (meter->function && !meter->cancelled && now >= meter->next_ns) {
        meter->next_ns = now + INTERVAL_NS;
        snprintf(meter->path, sizeof(meter->path), "%s", path);
        meter->cancelled = !meter->function(meter->data, &meter->progress);
    }
    bool go_on = !meter->cancelled;
    pthread_mutex_unlock(&meter->lock);
    return go_on;
}

void comb_meter_finish(struct comb_meter *meter)
{
    pthread_mutex_lock(&meter->lock);
    meter->progress.finished = true;
    if (meter->function && !meter->cancelled)
        (void)meter->function(meter->data, &meter->progress);
    pthread_mutex_unlock(&meter->lock);
}

enum grpcc_status comb_meter_cancelled(struct grpcc_error *err)
{
    return grpcc_error_set(err, GRPCC_CANCELLED, "cancelled");
}
