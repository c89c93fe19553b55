/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/mongo_plan.h"

#include <string.h>

#include "server/backend/mongo/mongo.h"
#include "tests/support/support.h"

void mongo_commands_add(struct mongo_commands *commands, const bson_t *command)
{
    if (commands->n < MONGO_COMMANDS_MAX)
        commands->all[commands->n++] = bson_copy(command);
}

void mongo_commands_keep_finds(void *data, const bson_t *command)
{
    if (bson_has_field(command, "find"))
        mongo_commands_add(data, command);
}

void mongo_commands_clear(struct mongo_commands *commands)
{
    while (commands->n > 0)
        bson_destroy(commands->all[--commands->n]);
}

static bool is_good(const char *plan, unsigned allowed)
{
    if (strstr(plan, "COLLSCAN") || (!(allowed & MONGO_PLAN_SORTED) && strstr(plan, "\"SORT\"")))
        return false;
    return strstr(plan, "IXSCAN") || ((allowed & MONGO_PLAN_BY_ID) && strstr(plan, "IDHACK"));
}

static void must_use_index(struct comb_mongo *mongo, struct comb_ctx *ctx, const bson_t *command,
                           unsigned allowed)
{
    bson_t explain = BSON_INITIALIZER, whole;
    comb_str reply;
    struct comb_error err;
    BSON_APPEND_DOCUMENT(&explain, "explain", command);
    BSON_APPEND_UTF8(&explain, "verbosity", "queryPlanner");
    must_ok(comb_mongo_read(mongo, ctx, &explain, &reply, &err), &err);
    bson_destroy(&explain);
    assert_true(bson_init_static(&whole, (const uint8_t *)reply.ptr, reply.len));
    char *plan = bson_as_relaxed_extended_json(&whole, NULL);
    if (!is_good(plan, allowed)) {
        char *asked = bson_as_relaxed_extended_json(command, NULL);
        fail_msg("%s\nis planned as\n%s", asked, plan);
    }
    bson_free(plan);
}

size_t mongo_commands_must_use_indexes(struct mongo_commands *commands, struct comb_mongo *mongo,
                                       struct comb_ctx *ctx, unsigned allowed)
{
    size_t n = commands->n;
    comb_mongo_observe(mongo, NULL, NULL);
    for (size_t i = 0; i < n; i++)
        must_use_index(mongo, ctx, commands->all[i], allowed);
    mongo_commands_clear(commands);
    return n;
}
