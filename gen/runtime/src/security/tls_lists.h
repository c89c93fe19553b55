/* SPDX-License-Identifier: Apache-2.0 */
/* A folder of revocation lists, as `openssl rehash` makes it. OpenSSL reads it by itself, lazily,
 * and passes over what it cannot read. */
#ifndef GRPCC_SRC_TLS_LISTS_H
#define GRPCC_SRC_TLS_LISTS_H

#include <stdint.h>

#include "grpcc/status.h"

/* A number that changes when anything in the folder does. */
enum grpcc_status grpcc_tls_lists_sum(const char *directory, uint64_t *ret_sum,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Reads every list: INVALID_ARGUMENT names the one that is none. */
enum grpcc_status grpcc_tls_lists_check(const char *directory,
                                        struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
