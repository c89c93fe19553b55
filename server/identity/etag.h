/* SPDX-License-Identifier: Apache-2.0 */
/* The texts that stand for a revision of a user or a role. */
#ifndef COMB_IDENTITY_ETAG_H
#define COMB_IDENTITY_ETAG_H

#include <stdint.h>

/* Room for an etag and its NUL. */
#define COMB_IDENTITY_ETAG_SIZE 24
void comb_identity_etag(uint64_t revision, char ret_etag[COMB_IDENTITY_ETAG_SIZE]);

#endif
