/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script of pgbench that runs the very statements that a call of combd has run: taken from
 * PostgreSQL's log, sent in one pipeline with one Sync as combd does, with the parameters of that
 * call. What has to differ from run to run is put in its place.
 */
#ifndef TESTS_BENCH_SCRIPT_H
#define TESTS_BENCH_SCRIPT_H

#include <stddef.h>

/* What the log has to say in front of each line for script_take(): the virtual transaction. */
#define SCRIPT_LOG_PREFIX "%v "

enum { SCRIPT_PARAMS_MAX = 64 };

/* A piece of parameters: hexadecimal digits of a bytea (`bytes`), or a whole text; or, where piece
 * is NULL, the first parameter of each statement that has `statement` in its text. In its place
 * comes an expression of SQL over pgbench's variables. */
struct script_replacement {
    const char *piece, *expression;
    int bytes;
    const char *statement;
};

struct script {
    const char *const *variables; /* for pgbench_run(): "-f", the file, "-D", "p1=…", …, NULL */
    size_t n_statements;
};

/*
 * Writes to path the script of the first transaction in the log of which a parameter contains
 * marker. begin: pgbench's own lines, before the statements; NULL: none. Ends the program where
 * there is none such. It lives as long as the program.
 */
struct script script_take(const char *log, const char *marker, const char *path, const char *begin,
                          const struct script_replacement *replacements, size_t n_replacements);

#endif
