/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of logs, as people and programs see them; of `comb log`. */
#ifndef COMB_CLI_LOG_LINE_H
#define COMB_CLI_LOG_LINE_H

#include "client/cli/cli.h"
#include "comb/v1/log.grpcc.h"

/* "error" to "trace"; UNSPECIFIED, said on stderr: it is none. */
enum comb_v1_log_level log_level_of(const char *text);
/* One line: for people in columns, with -o json as protobuf's JSON. */
void log_print(const struct cli *cli, const struct comb_v1_log_entry *entry);
/* One line of a count. */
void log_print_count(const struct cli *cli, const struct comb_v1_log_count *count);

#endif
