/* SPDX-License-Identifier: Apache-2.0 */
/* google.rpc.Status as the trailer grpc-status-details-bin, written by hand: it is cut to fit while
 * it is written. */
#ifndef GRPCC_SRC_DETAILS_H
#define GRPCC_SRC_DETAILS_H

#include "grpcc/arena.h"
#include "grpcc/status.h"

/* One google.protobuf.Any, encoded as field `details` of google.rpc.Status, tag included. */
struct grpcc_detail {
    struct grpcc_detail *next;
    size_t size;
    uint8_t bytes[];
};

/* NULL: no room, or larger than GRPCC_STATUS_DETAILS_MAX by itself. */
struct grpcc_detail *grpcc_detail_new(struct grpcc_arena *arena,
                                      const ProtobufCMessage *message) GRPCC_MUST_CHECK;
/* The serialized Status with as many details, from the first on, as GRPCC_STATUS_DETAILS_MAX
 * allows; NULL: no room. */
const void *grpcc_details_encode(struct grpcc_arena *arena, enum grpcc_status status,
                                 const char *message, const struct grpcc_detail *details,
                                 size_t *ret_size) GRPCC_MUST_CHECK;

#endif
