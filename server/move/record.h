/* SPDX-License-Identifier: Apache-2.0 */
/* Values of records, from inside of server/move: numbers in network byte order, bytes with their
 * length in front. */
#ifndef COMB_MOVE_RECORD_H
#define COMB_MOVE_RECORD_H

#include "server/core/buf.h"
#include "server/core/str.h"

bool move_put_u8(struct comb_buf *buf, uint8_t value);
bool move_put_u64(struct comb_buf *buf, uint64_t value);
bool move_put_bytes(struct comb_buf *buf, comb_str bytes);

/* Each takes from the front of *from; false: it ends before. Bytes are borrowed. */
bool move_get_u8(comb_str *from, uint8_t *ret_value) COMB_MUST_CHECK;
bool move_get_u64(comb_str *from, uint64_t *ret_value) COMB_MUST_CHECK;
bool move_get_bytes(comb_str *from, comb_str *ret_bytes) COMB_MUST_CHECK;

#endif
