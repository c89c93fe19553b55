/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRPCC_SRC_LOG_H
#define GRPCC_SRC_LOG_H

#include "grpcc/compiler.h"
#include "grpcc/log.h"

void grpcc_log(enum grpcc_log_level level, const char *format, ...) GRPCC_FORMAT(2, 3);

#endif
