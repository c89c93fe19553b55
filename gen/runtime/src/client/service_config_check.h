/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_SERVICE_CONFIG_CHECK_H
#define GRPCC_SRC_SERVICE_CONFIG_CHECK_H

#include <jansson.h>

#include "grpcc/status.h"

/* INVALID_ARGUMENT and the path of the first field that is not what gRPC's service config has. */
enum grpcc_status grpcc_service_config_check(const json_t *config,
                                             struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
