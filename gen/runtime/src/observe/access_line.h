/* SPDX-License-Identifier: Apache-2.0 */
/* What a line of the access log says. */
#ifndef GRPCC_SRC_ACCESS_LINE_H
#define GRPCC_SRC_ACCESS_LINE_H

#include "grpcc/access_log.h"
#include "grpcc/observer.h"

/* Enough for every value at its longest, each byte escaped. */
enum { GRPCC_ACCESS_LINE_MAX = 8192 };

/* Of a call that ended; call NULL: there was no memory for one. Its length, with the newline. */
size_t grpcc_access_line(char line[GRPCC_ACCESS_LINE_MAX], enum grpcc_access_log_format format,
                         struct grpcc_call *call, const struct grpcc_call_facts *facts,
                         const char *user);
/* That lines are missing. */
size_t grpcc_access_line_dropped(char line[GRPCC_ACCESS_LINE_MAX],
                                 enum grpcc_access_log_format format, uint64_t dropped);

#endif
