/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's identity on its way into a call. */
#ifndef GRPCC_SRC_IDENTITY_H
#define GRPCC_SRC_IDENTITY_H

#include <stdbool.h>

#include "grpcc/identity.h"
#include "grpcc/status.h"

/* Removes x-forwarded-client-cert from the call's headers where its peer is not to be believed.
 * When the headers have come, before anything reads them. */
void grpcc_identity_filter(struct grpcc_call *call);
/* Reads what a believed peer has forwarded: UNAUTHENTICATED where that cannot be read. */
enum grpcc_status grpcc_identity_begin(struct grpcc_call *call,
                                       struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
