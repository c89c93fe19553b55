/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Well-known types between the wire and C: times, durations, Any, field masks.
 *
 * The conversions check the ranges that the protocol gives these types; a message from a peer may
 * hold anything.
 */
#ifndef GRPCC_WKT_H
#define GRPCC_WKT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "google/protobuf/any.grpcc.h"
#include "google/protobuf/duration.grpcc.h"
#include "google/protobuf/field_mask.grpcc.h"
#include "google/protobuf/timestamp.grpcc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds since 1970: the range of
 * google.protobuf.Timestamp. */
#define GRPCC_TIMESTAMP_SECONDS_MIN (-62135596800)
#define GRPCC_TIMESTAMP_SECONDS_MAX 253402300799
/* About 10,000 years: the range of google.protobuf.Duration is this far to both sides of 0, in
 * seconds. */
#define GRPCC_DURATION_SECONDS_MAX 315576000000
/* What stands before the full name of a message in Any.type_url. */
#define GRPCC_ANY_PREFIX "type.googleapis.com/"

/* A timestamp in arena; NULL: no room, or time is not in the range. */
struct google_protobuf_timestamp *grpcc_timestamp_new(struct grpcc_arena *arena,
                                                      const struct timespec *time) GRPCC_MUST_CHECK;
/* False: not in the range, and *ret_time is untouched. */
bool grpcc_timestamp_to_timespec(const struct google_protobuf_timestamp *timestamp,
                                 struct timespec *ret_time) GRPCC_MUST_CHECK;

/* A duration in arena; NULL: no room, or ms is not in the range. */
struct google_protobuf_duration *grpcc_duration_new_ms(struct grpcc_arena *arena,
                                                       int64_t ms) GRPCC_MUST_CHECK;
/* Whole milliseconds, the rest cut off. False: not in the range, or seconds and nanos of different
 * signs. */
bool grpcc_duration_to_ms(const struct google_protobuf_duration *duration,
                          int64_t *ret_ms) GRPCC_MUST_CHECK;

/* message packed into an Any, both in arena; NULL: no room. */
struct google_protobuf_any *grpcc_any_pack(struct grpcc_arena *arena,
                                           const ProtobufCMessage *message) GRPCC_MUST_CHECK;
/* Whether any holds a message of that type: what follows the last '/' of its type_url is the name.
 */
bool grpcc_any_is(const struct google_protobuf_any *any,
                  const ProtobufCMessageDescriptor *descriptor);
/* FAILED_PRECONDITION: another type; otherwise as grpcc_message_unpack(). *ret_message is untouched
 * on failure. */
enum grpcc_status grpcc_any_unpack(struct grpcc_arena *arena, const struct google_protobuf_any *any,
                                   const ProtobufCMessageDescriptor *descriptor,
                                   const struct grpcc_message_limits *limits, void **ret_message,
                                   struct grpcc_error *err) GRPCC_MUST_CHECK;

/* Whether mask names path ("user.name") or one of those above it ("user"). NULL and an empty mask
 * name nothing. */
bool grpcc_field_mask_covers(const struct google_protobuf_field_mask *mask, const char *path);

#ifdef __cplusplus
}
#endif

#endif
