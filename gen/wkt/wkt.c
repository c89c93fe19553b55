/* SPDX-License-Identifier: Apache-2.0 */
#include "grpcc/wkt.h"

#include <string.h>

#define MS_PER_SECOND 1000
#define NANOS_PER_MS 1000000
#define NANOS_PER_SECOND 1000000000

static bool is_timestamp(int64_t seconds, int64_t nanos)
{
    return seconds >= GRPCC_TIMESTAMP_SECONDS_MIN && seconds <= GRPCC_TIMESTAMP_SECONDS_MAX &&
           nanos >= 0 && nanos < NANOS_PER_SECOND;
}

struct google_protobuf_timestamp *grpcc_timestamp_new(struct grpcc_arena *arena,
                                                      const struct timespec *time)
{
    struct google_protobuf_timestamp *timestamp;

    if (!is_timestamp(time->tv_sec, time->tv_nsec))
        return NULL;
    timestamp = google_protobuf_timestamp_new(arena);
    if (!timestamp)
        return NULL;
    timestamp->seconds = time->tv_sec;
    timestamp->nanos = (int32_t)time->tv_nsec;
    return timestamp;
}

bool grpcc_timestamp_to_timespec(const struct google_protobuf_timestamp *timestamp,
                                 struct timespec *ret_time)
{
    if (!is_timestamp(timestamp->seconds, timestamp->nanos))
        return false;
    ret_time->tv_sec = timestamp->seconds;
    ret_time->tv_nsec = timestamp->nanos;
    return true;
}

static bool is_duration(int64_t seconds, int64_t nanos)
{
    return seconds >= -GRPCC_DURATION_SECONDS_MAX && seconds <= GRPCC_DURATION_SECONDS_MAX &&
           nanos > -NANOS_PER_SECOND && nanos < NANOS_PER_SECOND && !(seconds > 0 && nanos < 0) &&
           !(seconds < 0 && nanos > 0);
}

struct google_protobuf_duration *grpcc_duration_new_ms(struct grpcc_arena *arena, int64_t ms)
{
    /* Division cuts towards 0, so that both parts have the sign of ms, as the protocol wants. */
    int64_t seconds = ms / MS_PER_SECOND;
    int64_t nanos = ms % MS_PER_SECOND * NANOS_PER_MS;
    struct google_protobuf_duration *duration;

    if (!is_duration(seconds, nanos))
        return NULL;
    duration = google_protobuf_duration_new(arena);
    if (!duration)
        return NULL;
    duration->seconds = seconds;
    duration->nanos = (int32_t)nanos;
    return duration;
}

bool grpcc_duration_to_ms(const struct google_protobuf_duration *duration, int64_t *ret_ms)
{
    if (!is_duration(duration->seconds, duration->nanos))
        return false;
    *ret_ms = duration->seconds * MS_PER_SECOND + duration->nanos / NANOS_PER_MS;
    return true;
}

struct google_protobuf_any *grpcc_any_pack(struct grpcc_arena *arena,
                                           const ProtobufCMessage *message)
{
    struct google_protobuf_any *any = google_protobuf_any_new(arena);
    size_t size = 0;
    void *data = grpcc_message_pack(arena, message, &size);

    if (!any || !data)
        return NULL;
    any->type_url = grpcc_arena_printf(arena, GRPCC_ANY_PREFIX "%s", message->descriptor->name);
    if (!any->type_url)
        return NULL;
    google_protobuf_any_set_value(any, data, size);
    return any;
}

bool grpcc_any_is(const struct google_protobuf_any *any,
                  const ProtobufCMessageDescriptor *descriptor)
{
    const char *slash = strrchr(any->type_url, '/');

    return slash && strcmp(slash + 1, descriptor->name) == 0;
}

enum grpcc_status grpcc_any_unpack(struct grpcc_arena *arena, const struct google_protobuf_any *any,
                                   const ProtobufCMessageDescriptor *descriptor,
                                   const struct grpcc_message_limits *limits, void **ret_message,
                                   struct grpcc_error *err)
{
    if (!grpcc_any_is(any, descriptor))
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION, "the Any holds \"%.200s\", not %s",
                               any->type_url, descriptor->name);
    return grpcc_message_unpack(arena, descriptor, limits, any->value.data, any->value.len,
                                ret_message, err);
}

bool grpcc_field_mask_covers(const struct google_protobuf_field_mask *mask, const char *path)
{
    for (size_t i = 0; mask && i < mask->n_paths; i++) {
        size_t length = strlen(mask->paths[i]);

        if (length > 0 && strncmp(mask->paths[i], path, length) == 0 &&
            (path[length] == '\0' || path[length] == '.'))
            return true;
    }
    return false;
}
