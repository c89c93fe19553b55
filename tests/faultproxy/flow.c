/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/faultproxy/flow.h"

#include <stdlib.h>
#include <string.h>

enum { US_PER_MS = 1000, US_PER_S = 1000000 };
/* Bandwidth is given out in portions of so much time. */
enum { PORTIONS_PER_S = 100 };

bool flow_init(struct flow *flow)
{
    *flow = (struct flow){.bytes = malloc(FLOW_BYTES_MAX)};
    return flow->bytes != NULL;
}

void flow_done(struct flow *flow)
{
    free(flow->bytes);
    *flow = (struct flow){0};
}

size_t flow_room(const struct flow *flow)
{
    return flow->ended || flow->n == FLOW_SEGMENTS_MAX ? 0 : FLOW_BYTES_MAX - flow->used;
}

static int64_t due_at(const struct flow *flow, const struct flow_fault *fault, uint32_t chance,
                      int64_t now_us)
{
    int64_t due_us = now_us + (int64_t)fault->delay_ms * US_PER_MS;

    if (fault->jitter_ms > 0)
        due_us += chance % ((int64_t)fault->jitter_ms * US_PER_MS);
    /* Other bits than those of the jitter, so that both are by chance. */
    if ((chance >> 16) % 100 < fault->loss_percent)
        due_us += (int64_t)fault->stall_ms * US_PER_MS;
    return due_us > flow->last_due_us ? due_us : flow->last_due_us;
}

void flow_put(struct flow *flow, const struct flow_fault *fault, const void *bytes, size_t n,
              uint32_t chance, int64_t now_us)
{
    size_t tail = (flow->head + flow->used) % FLOW_BYTES_MAX;
    size_t until_wrap = FLOW_BYTES_MAX - tail;
    size_t i = (flow->first + flow->n) % FLOW_SEGMENTS_MAX;

    if (n <= until_wrap) {
        memcpy(flow->bytes + tail, bytes, n);
    } else {
        memcpy(flow->bytes + tail, bytes, until_wrap);
        memcpy(flow->bytes, (const unsigned char *)bytes + until_wrap, n - until_wrap);
    }
    flow->used += n;
    flow->last_due_us = due_at(flow, fault, chance, now_us);
    flow->segments[i].n = n;
    flow->segments[i].due_us = flow->last_due_us;
    flow->n++;
}

void flow_end(struct flow *flow, const struct flow_fault *fault, bool reset, int64_t now_us)
{
    flow->ended = true;
    flow->reset = reset;
    flow->last_due_us = due_at(flow, fault, 0, now_us);
}

static size_t portion(const struct flow_fault *fault)
{
    uint64_t bytes = fault->bytes_per_second / PORTIONS_PER_S;

    if (fault->bytes_per_second == 0 || bytes > FLOW_BYTES_MAX)
        return FLOW_BYTES_MAX;
    return bytes > 0 ? (size_t)bytes : 1;
}

size_t flow_peek(const struct flow *flow, const struct flow_fault *fault, int64_t now_us,
                 const unsigned char **ret_bytes)
{
    size_t due = 0;

    if (fault->blocked || (fault->bytes_per_second > 0 && now_us < flow->paced_us))
        return 0;
    for (size_t i = 0; i < flow->n; i++) {
        size_t at = (flow->first + i) % FLOW_SEGMENTS_MAX;

        if (flow->segments[at].due_us > now_us)
            break;
        due += flow->segments[at].n;
    }
    if (due > portion(fault))
        due = portion(fault);
    if (due > FLOW_BYTES_MAX - flow->head)
        due = FLOW_BYTES_MAX - flow->head;
    *ret_bytes = flow->bytes + flow->head;
    return due;
}

void flow_sent(struct flow *flow, const struct flow_fault *fault, size_t n, int64_t now_us)
{
    flow->head = (flow->head + n) % FLOW_BYTES_MAX;
    flow->used -= n;
    if (fault->bytes_per_second > 0)
        flow->paced_us = now_us + (int64_t)(n * US_PER_S / fault->bytes_per_second);
    while (n > 0) {
        size_t part = flow->segments[flow->first].n;

        if (part > n) {
            flow->segments[flow->first].n -= n;
            return;
        }
        n -= part;
        flow->first = (flow->first + 1) % FLOW_SEGMENTS_MAX;
        flow->n--;
    }
}

bool flow_is_over(const struct flow *flow, const struct flow_fault *fault, int64_t now_us)
{
    return flow->ended && flow->n == 0 && !fault->blocked && flow->last_due_us <= now_us;
}

int64_t flow_next_us(const struct flow *flow, const struct flow_fault *fault)
{
    int64_t due_us;

    if (fault->blocked || (flow->n == 0 && !flow->ended))
        return INT64_MAX;
    if (flow->n == 0)
        return flow->last_due_us;
    due_us = flow->segments[flow->first].due_us;
    return fault->bytes_per_second > 0 && flow->paced_us > due_us ? flow->paced_us : due_us;
}

void flow_hurry(struct flow *flow)
{
    for (size_t i = 0; i < flow->n; i++)
        flow->segments[(flow->first + i) % FLOW_SEGMENTS_MAX].due_us = 0;
    flow->last_due_us = 0;
    flow->paced_us = 0;
}
