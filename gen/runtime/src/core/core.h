/* SPDX-License-Identifier: Apache-2.0 */
/* What server and client share of gRPC core's C API: events, threads, byte buffers, time. */
#ifndef GRPCC_SRC_CORE_H
#define GRPCC_SRC_CORE_H

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gen/runtime/src/message/memory.h"
#include "grpcc/arena.h"
#include "grpcc/message.h"
#include "grpcc/status.h"

#define GRPCC_CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

enum { GRPCC_NS_PER_MS = 1000000, GRPCC_NS_PER_S = 1000000000 };

/* The tag of every operation that is given to core; run is called once, on a poller. */
struct grpcc_tag {
    void (*run)(struct grpcc_tag *tag, bool ok);
};

/* ThreadSanitizer does not see core's synchronisation: what travels through a completion queue is
 * handed over by these. */
void grpcc_handoff_release(void *tag);
void grpcc_handoff_acquire(void *tag);

/*
 * grpc_call_start_batch; tag->run is called exactly once, also where core refuses the batch (a bug,
 * logged), then before this returns. The caller holds no lock, and a reference that the tag gives
 * back: another poller may run it before this returns.
 */
void grpcc_core_start(grpc_call *call, const grpc_op *ops, size_t n_ops, struct grpcc_tag *tag);

/* Marks this thread as one of the runtime's own, where nothing may block. */
void grpcc_core_poller_begin(void);
/* Runs tags until the queue is shut down and empty. */
void grpcc_core_poll(grpc_completion_queue *queue);

/* A thread with all signals blocked: signals belong to the program. */
bool grpcc_thread_start(pthread_t *ret_thread, const char *name, void *(*function)(void *data),
                        void *data) GRPCC_MUST_CHECK;

/* CLOCK_MONOTONIC; INT64_MAX stands for "never" in both directions. */
int64_t grpcc_now_ns(void);
int64_t grpcc_time_from_core(gpr_timespec time);
gpr_timespec grpcc_time_to_core(int64_t time_ns);

/* The message as one slice; NULL: too large for the wire. */
grpc_byte_buffer *grpcc_buffer_pack(const ProtobufCMessage *message) GRPCC_MUST_CHECK;
/* Decodes a received buffer; UNIMPLEMENTED where it is compressed. */
enum grpcc_status grpcc_buffer_unpack(grpc_byte_buffer *buffer, struct grpcc_arena *arena,
                                      const ProtobufCMessageDescriptor *descriptor,
                                      const struct grpcc_message_limits *limits, void **ret_message,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;

/* One step that a thread waits for; signalled once, by another. */
struct grpcc_wait {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
};
void grpcc_wait_init(struct grpcc_wait *wait);
void grpcc_wait_done(struct grpcc_wait *wait);
void grpcc_wait_signal(struct grpcc_wait *wait);
void grpcc_wait_for(struct grpcc_wait *wait);
/* As grpcc_wait_for, until then at most; false: it is then. CLOCK_MONOTONIC. */
bool grpcc_wait_until(struct grpcc_wait *wait, int64_t time_ns) GRPCC_MUST_CHECK;

#endif
