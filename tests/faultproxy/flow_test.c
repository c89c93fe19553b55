/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/faultproxy/flow_test.h"

#include <string.h>

#include "tests/faultproxy/flow.h"
#include "tests/support/support.h"

enum { MS = 1000 };

/* Bytes whose values tell their place: `from` is that of the first one. */
static void put(struct flow *flow, const struct flow_fault *fault, size_t from, size_t n,
                uint32_t chance, int64_t now_us)
{
    unsigned char bytes[4096];

    assert_true(n <= sizeof bytes && n <= flow_room(flow));
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)((from + i) * 31 >> 3);
    flow_put(flow, fault, bytes, n, chance, now_us);
}

/* Takes all that is due, checks it and returns how much it was. */
static size_t take(struct flow *flow, const struct flow_fault *fault, size_t from, int64_t now_us)
{
    const unsigned char *bytes;
    size_t n, all = 0;

    while ((n = flow_peek(flow, fault, now_us, &bytes)) > 0) {
        for (size_t i = 0; i < n; i++)
            assert_int_equal(bytes[i], (unsigned char)((from + all + i) * 31 >> 3));
        flow_sent(flow, fault, n, now_us);
        all += n;
    }
    return all;
}

void bytes_come_in_order_when_they_are_due(void **state)
{
    struct flow_fault fault = {.delay_ms = 10, .jitter_ms = 20};
    struct flow flow;
    size_t put_so_far = 0, taken = 0;

    (void)state;
    assert_true(flow_init(&flow));
    /* Much more than the ring holds, by chances that would overtake one another. */
    for (int64_t now_us = 0; now_us < 4000 * MS; now_us += MS) {
        size_t n = (size_t)(now_us / MS * 7 % 997) + 1;

        put(&flow, &fault, put_so_far, n, (uint32_t)(now_us * 2654435761U), now_us);
        put_so_far += n;
        assert_true(flow_next_us(&flow, &fault) >= now_us);
        taken += take(&flow, &fault, taken, now_us + MS - 1);
    }
    assert_true(put_so_far > 4 * FLOW_BYTES_MAX);
    assert_true(taken < put_so_far);
    flow_hurry(&flow);
    taken += take(&flow, &fault, taken, 4000 * MS);
    assert_int_equal(taken, put_so_far);
    assert_true(flow_next_us(&flow, &fault) == INT64_MAX);

    fault = (struct flow_fault){.delay_ms = 10};
    put(&flow, &fault, put_so_far, 5, 7, 5000 * MS);
    assert_int_equal(take(&flow, &fault, taken, 5010 * MS - 1), 0);
    assert_true(flow_next_us(&flow, &fault) == 5010 * MS);
    fault.blocked = true;
    assert_int_equal(take(&flow, &fault, taken, 6000 * MS), 0);
    assert_true(flow_next_us(&flow, &fault) == INT64_MAX);
    fault.blocked = false;
    assert_int_equal(take(&flow, &fault, taken, 5010 * MS), 5);
    flow_done(&flow);
}

void a_full_flow_takes_nothing(void **state)
{
    const struct flow_fault none = {0};
    struct flow flow;
    size_t n = 0;

    (void)state;
    assert_true(flow_init(&flow));
    for (; flow_room(&flow) > 0; n++)
        put(&flow, &none, n, 1, 0, 0);
    assert_int_equal(n, FLOW_SEGMENTS_MAX);
    assert_int_equal(take(&flow, &none, 0, 0), n);
    for (n = 0; flow_room(&flow) > 0; n += 4096)
        put(&flow, &none, n, 4096, 0, 0);
    assert_int_equal(n, FLOW_BYTES_MAX);
    assert_int_equal(take(&flow, &none, 0, 0), n);
    flow_done(&flow);
}

void bandwidth_is_kept(void **state)
{
    const struct flow_fault fault = {.bytes_per_second = 1000};
    struct flow flow;
    size_t taken = 0;

    (void)state;
    assert_true(flow_init(&flow));
    put(&flow, &fault, 0, 2000, 0, 0);
    /* 1.5 s, asked when it says that it has something. */
    for (int64_t now_us = 0; now_us < 1500 * MS; now_us = flow_next_us(&flow, &fault))
        taken += take(&flow, &fault, taken, now_us);
    assert_in_range(taken, 1480, 1510);
    flow_hurry(&flow);
    assert_int_equal(take(&flow, &(struct flow_fault){0}, taken, 1500 * MS), 2000 - taken);
    flow_done(&flow);
}

void lost_bytes_hold_up_what_follows(void **state)
{
    const struct flow_fault lost = {.loss_percent = 100, .stall_ms = 200}, none = {0};
    struct flow flow;

    (void)state;
    assert_true(flow_init(&flow));
    put(&flow, &lost, 0, 10, 12345, 0);
    put(&flow, &none, 10, 10, 12345, MS);
    assert_int_equal(take(&flow, &none, 0, 200 * MS - 1), 0);
    assert_int_equal(take(&flow, &none, 0, 200 * MS), 20);
    flow_done(&flow);
}

void an_end_comes_behind_the_bytes(void **state)
{
    const struct flow_fault fault = {.delay_ms = 5};
    struct flow flow;

    (void)state;
    assert_true(flow_init(&flow));
    put(&flow, &fault, 0, 10, 0, 0);
    flow_end(&flow, &fault, false, MS);
    assert_int_equal(flow_room(&flow), 0);
    assert_false(flow_is_over(&flow, &fault, 100 * MS));
    assert_int_equal(take(&flow, &fault, 0, 5 * MS), 10);
    assert_false(flow_is_over(&flow, &fault, 5 * MS));
    assert_true(flow_next_us(&flow, &fault) == 6 * MS);
    assert_true(flow_is_over(&flow, &fault, 6 * MS));
    assert_false(flow_is_over(&flow, &(struct flow_fault){.blocked = true}, 6 * MS));
    flow_done(&flow);
}
