/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/store.h"

#include <stdio.h>

#include "server/core/clock.h"

const char *comb_store_state_name(enum comb_store_state state)
{
    static const char *const names[] = {"starting", "up", "down"};
    return names[state];
}

bool comb_store_status_set(struct comb_store_status *status, enum comb_store_state state,
                           const struct comb_error *err)
{
    bool changed = status->state != state || status->since_us == 0;
    snprintf(status->error, sizeof status->error, "%s", err ? err->msg : "");
    if (!changed)
        return false;
    if (state == COMB_STORE_UP && status->state == COMB_STORE_DOWN)
        status->reconnects++;
    status->state = state;
    status->since_us = comb_clock_wall_us();
    return true;
}
