/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a connection that the fault proxy carries: bytes in order, each kept until it is
 * due. Knows no socket and no clock; all times are microseconds of one clock that the caller reads.
 */
#ifndef TESTS_FAULTPROXY_FLOW_H
#define TESTS_FAULTPROXY_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a flow holds at most; whoever sends more than that waits, as on a full network. */
enum { FLOW_BYTES_MAX = 256 * 1024, FLOW_SEGMENTS_MAX = 1024 };

/* What is wrong with one direction of a link. All zero: nothing. */
struct flow_fault {
    uint32_t delay_ms;         /* each byte comes so much later */
    uint32_t jitter_ms;        /* and up to so much more, by chance, in order all the same */
    uint32_t loss_percent;     /* so many of a hundred reads are lost and come after stall_ms, */
    uint32_t stall_ms;         /* as if TCP had sent them again; what follows waits for them */
    uint64_t bytes_per_second; /* 0: as fast as it goes */
    bool blocked;              /* nothing passes; what comes is kept */
};

struct flow {
    unsigned char *bytes; /* a ring of FLOW_BYTES_MAX */
    size_t head, used;
    struct {
        size_t n;
        int64_t due_us;
    } segments[FLOW_SEGMENTS_MAX]; /* a ring: what was read at once */
    size_t first, n;
    int64_t last_due_us; /* of what was put last: nothing overtakes it */
    int64_t paced_us;    /* bandwidth allows nothing before */
    bool ended;          /* the sender has; its end is due at last_due_us */
    bool reset;          /* it ended by a reset */
};

/* False: no memory. */
bool flow_init(struct flow *flow);
void flow_done(struct flow *flow);

/* Bytes that flow_put() takes now. */
size_t flow_room(const struct flow *flow);
/* Takes n bytes, at most flow_room(). `chance` is a random number. */
void flow_put(struct flow *flow, const struct flow_fault *fault, const void *bytes, size_t n,
              uint32_t chance, int64_t now_us);
/* The sender has ended, and nothing follows. */
void flow_end(struct flow *flow, const struct flow_fault *fault, bool reset, int64_t now_us);
/* What is due at now_us, as far as it lies together; 0: nothing. */
size_t flow_peek(const struct flow *flow, const struct flow_fault *fault, int64_t now_us,
                 const unsigned char **ret_bytes);
/* n bytes of what flow_peek() showed have been sent. */
void flow_sent(struct flow *flow, const struct flow_fault *fault, size_t n, int64_t now_us);
/* Whether all bytes have been sent and the end is due. */
bool flow_is_over(const struct flow *flow, const struct flow_fault *fault, int64_t now_us);
/* When flow_peek() or flow_is_over() next has something; INT64_MAX: when something is put. */
int64_t flow_next_us(const struct flow *flow, const struct flow_fault *fault);
/* Makes all that waits due: the faults are healed. */
void flow_hurry(struct flow *flow);

#endif
