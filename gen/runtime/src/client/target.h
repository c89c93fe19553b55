/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_TARGET_H
#define GRPCC_SRC_TARGET_H

#include "grpcc/status.h"

/* INVALID_ARGUMENT for a target that no call could ever reach, and why. */
enum grpcc_status grpcc_target_check(const char *target, struct grpcc_error *err) GRPCC_MUST_CHECK;

#endif
