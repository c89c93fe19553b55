/* SPDX-License-Identifier: Apache-2.0 */
/* What `comb call` can call. */
#ifndef COMB_CLI_CALL_H
#define COMB_CLI_CALL_H

#include <grpcc/descriptor.h>

/* Every service of api/comb/v1; made from the .proto files (BUILD). */
extern const struct grpcc_service *const cli_services[];
extern const size_t cli_services_count;

#endif
