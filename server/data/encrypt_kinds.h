/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption of what is there, as operations (docs/encryption.md). */
#ifndef COMB_DATA_ENCRYPT_KINDS_H
#define COMB_DATA_ENCRYPT_KINDS_H

#include "server/data/data.h"
#include "server/operations/engine.h"

#define COMB_DATA_ENCRYPT_KIND "data.encrypt"
#define COMB_DATA_ROTATE_KIND "data.rotate-keys"

/* They have no result; progress counts the contents. data outlives the engine. */
void comb_data_encrypt_kind(struct comb_data *data, struct comb_operation_kind *ret_kind);
void comb_data_rotate_kind(struct comb_data *data, struct comb_operation_kind *ret_kind);

#endif
