/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/driver/etcd_entry.h"

#include <jansson.h>
#include <stdlib.h>

enum { DUMP_FLAGS = JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY };

static comb_str dump(struct grpcc_arena *arena, const json_t *json)
{
    char *text = json ? json_dumps(json, DUMP_FLAGS) : NULL;
    comb_str copy = comb_str_from(text ? grpcc_arena_strdup(arena, text) : NULL);
    free(text);
    return copy;
}

enum comb_status config_etcd_entry(struct grpcc_arena *arena, comb_str path,
                                   const struct etcdserverpb_key_value *kv,
                                   struct comb_config_entry *ret_entry, struct comb_error *err)
{
    json_t *json =
        json_loadb((const char *)kv->value.data, kv->value.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *value = json_object_get(json, "value");
    const char *actor = json_string_value(json_object_get(json, "actor"));
    bool known = actor && json_is_integer(json_object_get(json, "time_us"));
    struct comb_config_entry entry = {.path = path, .revision = kv->mod_revision};
    enum comb_status status = COMB_OK;

    if (known) {
        entry.path.ptr = comb_str_dup(arena, path);
        entry.actor = comb_str_from(grpcc_arena_strdup(arena, actor));
        entry.time_us = json_integer_value(json_object_get(json, "time_us"));
        entry.value = dump(arena, value);
        if (!entry.path.ptr || !entry.actor.ptr || (value && !entry.value.ptr))
            status = comb_error_no_memory(err);
    } else {
        status = comb_error_set(err, COMB_DATA_LOSS, 0,
                                "%.*s in etcd holds what the server did not put there: set it anew",
                                COMB_STR_ARG(path));
    }
    json_decref(json);
    if (status == COMB_OK)
        *ret_entry = entry;
    return status;
}

comb_str config_etcd_text(struct grpcc_arena *arena, comb_str value, int64_t time_us,
                          comb_str actor)
{
    json_t *json = json_pack("{s:I, s:s%}", "time_us", (json_int_t)time_us, "actor",
                             actor.ptr ? actor.ptr : "", actor.len);
    json_t *own =
        value.ptr ? json_loadb(value.ptr, value.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL)
                  : NULL;
    comb_str text = {0};

    if (json && (!value.ptr || (own && json_object_set(json, "value", own) == 0)))
        text = dump(arena, json);
    json_decref(own);
    json_decref(json);
    return text;
}
