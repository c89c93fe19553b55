/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes off the wire as messages of comb.v1, chosen by the first byte: whatever they are, the check
 * before decoding holds the decoder within its limits, and what was accepted comes back the same
 * after packing.
 */
#include <string.h>

#include "comb/v1/auth.grpcc.h"
#include "comb/v1/data.grpcc.h"
#include "comb/v1/identity.grpcc.h"
#include "comb/v1/permissions.grpcc.h"
#include "comb/v1/tree.grpcc.h"
#include "grpcc/message.h"
#include "tests/fuzz/fuzz.h"

static const ProtobufCMessageDescriptor *const types[] = {
    &comb_v1_tree_list_request_descriptor,
    &comb_v1_tree_batch_stat_request_descriptor,
    &comb_v1_tree_set_metadata_request_descriptor,
    &comb_v1_tree_move_request_descriptor,
    &comb_v1_data_upload_request_descriptor,
    &comb_v1_data_commit_upload_request_descriptor,
    &comb_v1_permissions_grant_request_descriptor,
    &comb_v1_auth_login_request_descriptor,
    &comb_v1_identity_update_user_request_descriptor,
};

#define N_TYPES (sizeof types / sizeof types[0])

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *type = types[data[0] % N_TYPES];
    struct grpcc_arena *arena = grpcc_arena_new(0);
    must(arena != NULL, "there is memory for an arena");
    struct grpcc_error err = {0};
    void *message = NULL, *again = NULL;
    if (grpcc_message_unpack(arena, type, NULL, data + 1, size - 1, &message, &err) == GRPCC_OK) {
        size_t packed_size = 0, again_size = 0;
        void *packed = grpcc_message_pack(arena, message, &packed_size);
        must(packed != NULL, "what was accepted can be packed");
        must(grpcc_message_unpack(arena, type, NULL, packed, packed_size, &again, &err) == GRPCC_OK,
             "what was packed is accepted");
        void *packed_again = grpcc_message_pack(arena, again, &again_size);
        must(packed_again && again_size == packed_size &&
                 memcmp(packed, packed_again, packed_size) == 0,
             "packing is stable");
    } else {
        must(message == NULL, "the output is untouched on failure");
        must(err.message[0] != 0, "a refusal says why");
    }
    grpcc_arena_free(arena);
    return 0;
}
