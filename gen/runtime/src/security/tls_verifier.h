/* SPDX-License-Identifier: Apache-2.0 */
/* Core's hook in the handshake, which looks at the peer's SPIFFE ID. */
#ifndef GRPCC_SRC_TLS_VERIFIER_H
#define GRPCC_SRC_TLS_VERIFIER_H

#include <grpc/grpc_security.h>
#include <stdbool.h>

#include "gen/runtime/src/security/spiffe.h"

/*
 * Lets only the peers of list finish a handshake; takes list. optional: also who showed no
 * certificate. NULL without memory, and list is freed. The caller releases what it gets.
 */
grpc_tls_certificate_verifier *grpcc_tls_verifier_new(struct grpcc_spiffe_list *list,
                                                      bool optional) GRPCC_MUST_CHECK;

#endif
