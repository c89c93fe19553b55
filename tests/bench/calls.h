/* SPDX-License-Identifier: Apache-2.0 */
/* A combd of the bench's own with its administrator logged in, and the requests that benches send.
 * What fails ends the program with a line that says why. */
#ifndef TESTS_BENCH_CALLS_H
#define TESTS_BENCH_CALLS_H

#include "comb/v1/tree.grpcc.h"
#include "tests/bench/load.h"
#include "tests/bench/server.h"

struct calls {
    struct server server; /* its home: where it keeps what it has on disk */
    struct grpcc_channel *channel, *admin;
    struct grpcc_metadata token; /* a header of every call */
    char authorization[2048];
    struct grpcc_arena *arena;
};

_Noreturn void calls_stop_with(const char *what, const struct grpcc_error *err);

/* Starts combd with its data below FOLDER/home, on the sql row of that URL (NULL: its own), and
 * logs its administrator in. A second start finds what the first one left. */
void calls_start(struct calls *calls, const char *combd, const char *folder, const char *sql);
void calls_end(struct calls *calls);
struct grpcc_call_options calls_options(const struct calls *calls);

const struct grpcc_method *calls_tree_method(const char *name);
/* Makes a folder and gives its id, in calls' arena. request_id: NULL for a new one. */
char *calls_make_folder(struct calls *calls, const char *parent, const char *name,
                        const char *request_id);
/* So many calls of it; none may fail that a table rests on. */
struct load_result calls_run(struct calls *calls, const struct grpcc_method *method,
                             unsigned in_flight, size_t n, load_request request, void *data);

/* By id or, where that is "", by path. */
struct comb_v1_node_ref *calls_ref(struct grpcc_arena *arena, const char *id, const char *path);

#endif
