/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/core/core.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "gen/runtime/src/core/log.h"
#include "grpcc/channel.h"

static _Thread_local bool polling;

bool grpcc_on_poller_thread(void)
{
    return polling;
}

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif

#ifdef THREAD_SANITIZER
void __tsan_acquire(void *address);
void __tsan_release(void *address);

void grpcc_handoff_release(void *tag)
{
    __tsan_release(tag);
}

void grpcc_handoff_acquire(void *tag)
{
    __tsan_acquire(tag);
}
#else
void grpcc_handoff_release(void *tag)
{
    (void)tag;
}

void grpcc_handoff_acquire(void *tag)
{
    (void)tag;
}
#endif

void grpcc_core_start(grpc_call *call, const grpc_op *ops, size_t n_ops, struct grpcc_tag *tag)
{
    grpcc_handoff_release(tag);
    grpc_call_error error = grpc_call_start_batch(call, ops, n_ops, tag, NULL);
    if (error == GRPC_CALL_OK)
        return;
    grpcc_log(GRPCC_LOG_ERROR, "core refused a batch: %s", grpc_call_error_to_string(error));
    tag->run(tag, false);
}

void grpcc_core_poller_begin(void)
{
    polling = true;
}

void grpcc_core_poll(grpc_completion_queue *queue)
{
    polling = true;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            break;
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        struct grpcc_tag *tag = event.tag;
        grpcc_handoff_acquire(tag);
        tag->run(tag, event.success != 0);
    }
    polling = false;
}

bool grpcc_thread_start(pthread_t *ret_thread, const char *name, void *(*function)(void *data),
                        void *data)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(ret_thread, NULL, function, data);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure)
        return false;
    pthread_setname_np(*ret_thread, name);
    return true;
}

int64_t grpcc_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * GRPCC_NS_PER_S + now.tv_nsec;
}

int64_t grpcc_time_from_core(gpr_timespec time)
{
    gpr_timespec monotonic = gpr_convert_clock_type(time, GPR_CLOCK_MONOTONIC);
    if (monotonic.tv_sec >= INT64_MAX / GRPCC_NS_PER_S)
        return INT64_MAX;
    if (monotonic.tv_sec < 0)
        return 0;
    return monotonic.tv_sec * GRPCC_NS_PER_S + monotonic.tv_nsec;
}

gpr_timespec grpcc_time_to_core(int64_t time_ns)
{
    if (time_ns == INT64_MAX)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_from_nanos(time_ns, GPR_CLOCK_MONOTONIC);
}

grpc_byte_buffer *grpcc_buffer_pack(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > INT32_MAX)
        return NULL;
    grpc_slice slice = grpc_slice_malloc(size);
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

enum grpcc_status grpcc_buffer_unpack(grpc_byte_buffer *buffer, struct grpcc_arena *arena,
                                      const ProtobufCMessageDescriptor *descriptor,
                                      const struct grpcc_message_limits *limits, void **ret_message,
                                      struct grpcc_error *err)
{
    if (buffer->data.raw.compression != GRPC_COMPRESS_NONE)
        return grpcc_error_set(err, GRPCC_UNIMPLEMENTED, "compressed messages are not accepted");
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return grpcc_error_set(err, GRPCC_INTERNAL, "a message could not be read");
    /* One slice is decoded where it lies; the decoder wants contiguous bytes, so more than one are
     * put together. */
    bool contiguous = buffer->data.raw.slice_buffer.count == 1;
    grpc_slice *borrowed = NULL;
    grpc_slice joined = grpc_empty_slice();
    if (contiguous)
        grpc_byte_buffer_reader_peek(&reader, &borrowed);
    else
        joined = grpc_byte_buffer_reader_readall(&reader);
    const grpc_slice *slice = borrowed ? borrowed : &joined;
    enum grpcc_status status =
        grpcc_message_unpack(arena, descriptor, limits, GRPC_SLICE_START_PTR(*slice),
                             GRPC_SLICE_LENGTH(*slice), ret_message, err);
    grpc_slice_unref(joined);
    grpc_byte_buffer_reader_destroy(&reader);
    return status;
}

void grpcc_wait_init(struct grpcc_wait *wait)
{
    pthread_mutex_init(&wait->lock, NULL);
    pthread_cond_init(&wait->changed, NULL);
    wait->done = false;
}

void grpcc_wait_done(struct grpcc_wait *wait)
{
    pthread_cond_destroy(&wait->changed);
    pthread_mutex_destroy(&wait->lock);
}

void grpcc_wait_signal(struct grpcc_wait *wait)
{
    pthread_mutex_lock(&wait->lock);
    wait->done = true;
    pthread_cond_signal(&wait->changed);
    pthread_mutex_unlock(&wait->lock);
}

bool grpcc_wait_until(struct grpcc_wait *wait, int64_t time_ns)
{
    struct timespec until = {.tv_sec = time_ns / GRPCC_NS_PER_S,
                             .tv_nsec = time_ns % GRPCC_NS_PER_S};
    int failure = 0;
    pthread_mutex_lock(&wait->lock);
    while (!wait->done && !failure)
        failure = pthread_cond_clockwait(&wait->changed, &wait->lock, CLOCK_MONOTONIC, &until);
    bool done = wait->done;
    pthread_mutex_unlock(&wait->lock);
    return done;
}

void grpcc_wait_for(struct grpcc_wait *wait)
{
    pthread_mutex_lock(&wait->lock);
    while (!wait->done)
        pthread_cond_wait(&wait->changed, &wait->lock);
    pthread_mutex_unlock(&wait->lock);
}
