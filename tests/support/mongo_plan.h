/* SPDX-License-Identifier: Apache-2.0 */
/* What a MongoDB was asked, and that it goes by indexes: by the server's own explain. */
#ifndef COMB_TESTS_SUPPORT_MONGO_PLAN_H
#define COMB_TESTS_SUPPORT_MONGO_PLAN_H

#include <bson/bson.h>
#include <stdbool.h>
#include <stddef.h>

struct comb_mongo;
struct comb_ctx;

/* More commands than that are not kept. */
enum { MONGO_COMMANDS_MAX = 256 };

struct mongo_commands {
    bson_t *all[MONGO_COMMANDS_MAX];
    size_t n;
};

/* What else than an index scan whose order needs no sorting is good enough. */
enum mongo_plan {
    MONGO_PLAN_BY_ID = 1,
    MONGO_PLAN_SORTED = 2,
};

/* Keeps a copy of each "find"; for comb_mongo_observe, with a struct mongo_commands as its data. */
void mongo_commands_keep_finds(void *data, const bson_t *command);
void mongo_commands_add(struct mongo_commands *commands, const bson_t *command);
void mongo_commands_clear(struct mongo_commands *commands);

/* Fails the test for a command that does not go by an index. Stops observing, and clears the
 * commands; returns how many there were. allowed: of enum mongo_plan. */
size_t mongo_commands_must_use_indexes(struct mongo_commands *commands, struct comb_mongo *mongo,
                                       struct comb_ctx *ctx, unsigned allowed);

#endif
