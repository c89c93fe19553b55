/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets as a stream, and back. The key of a record is the secret's path, then the number of a
 * version; its value is that version's. Versions without a value are no records, unless it is the
 * newest, so that no number is given out a second time.
 */
#include <string.h>

#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/move/move.h"
#include "server/move/record.h"

#define STEP_MS 30000
#define FOLDER_DEPTH_MAX 64
static const char PART[] = "secret";
/* Takes the place of a version that had no value any more. */
#define PLACEHOLDER STR("-")

struct row_vault {
    struct comb_move_row base;
    struct comb_vault *vault;
};

static struct comb_vault *vault_of(struct comb_move_row *self)
{
    return ((struct row_vault *)self)->vault;
}

static struct comb_ctx step(struct grpcc_arena *arena)
{
    return (struct comb_ctx){.arena = arena, .deadline_ns = comb_clock_in_ms(STEP_MS)};
}

/* ---- out ---- */

/* secret NULL: a version without a value. */
static enum comb_status give_version(const struct comb_move_sink *sink, comb_str path,
                                     uint32_t version, const struct comb_vault_secret *secret,
                                     struct comb_error *err)
{
    struct comb_buf key, content;
    comb_buf_init(&key, COMB_MOVE_KEY_BYTES_MAX);
    comb_buf_init(&content, COMB_MOVE_VALUE_BYTES_MAX);
    bool ok = move_put_bytes(&key, path) && move_put_u64(&key, version);
    if (ok && secret)
        ok =
            move_put_bytes(&content, secret->request_id) && move_put_bytes(&content, secret->value);
    const struct comb_move_record record = {comb_str_from(PART), comb_buf_str(&key),
                                            comb_buf_str(&content)};
    enum comb_status status = ok ? sink->take(sink->data, &record, err) : comb_error_no_memory(err);
    comb_buf_done(&key);
    comb_buf_done_secret(&content);
    return status;
}

static enum comb_status give_secret(struct comb_vault *vault, const struct comb_move_sink *sink,
                                    comb_str path, struct comb_error *err)
{
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    struct comb_vault_version *versions = NULL;
    size_t n = 0;
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status = comb_vault_versions(vault, &ctx, path, &versions, &n, err);
    for (size_t i = 0; status == COMB_OK && i < n; i++) {
        struct comb_vault_secret secret;
        if (versions[i].destroyed || versions[i].delete_us)
            continue;
        ctx.deadline_ns = comb_clock_in_ms(STEP_MS);
        status = comb_vault_get(vault, &ctx, path, versions[i].version, &secret, err);
        if (status == COMB_OK)
            status = give_version(sink, path, secret.version, &secret, err);
    }
    bool is_gone = n > 0 && (versions[n - 1].destroyed || versions[n - 1].delete_us);
    if (status == COMB_OK && is_gone)
        status = give_version(sink, path, versions[n - 1].version, NULL, err);
    grpcc_arena_free(ctx.arena);
    return status;
}

/* A folder's secrets and folders, in the order of their names. folder "": all. */
static enum comb_status give_folder(struct comb_vault *vault, const struct comb_move_sink *sink,
                                    comb_str folder, int depth, struct comb_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_vault_names names = {.more = true, .last = STR("")};
    enum comb_status status = arena ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK && depth > FOLDER_DEPTH_MAX)
        status = comb_error_set(err, COMB_INTERNAL, 0, "folders of the vault lie too deep");
    while (status == COMB_OK && names.more) {
        struct comb_ctx ctx = step(arena);
        status = comb_vault_list(vault, &ctx, folder, names.last, COMB_VAULT_LIST_MAX, &names, err);
        for (size_t i = 0; status == COMB_OK && i < names.n; i++) {
            comb_str name = names.names[i];
            bool is_folder = name.len > 0 && name.ptr[name.len - 1] == '/';
            const char *path =
                grpcc_arena_printf(arena, "%.*s%s%.*s", COMB_STR_ARG(folder), folder.len ? "/" : "",
                                   (int)(name.len - is_folder), name.ptr);
            if (!path)
                status = comb_error_no_memory(err);
            else if (is_folder)
                status = give_folder(vault, sink, comb_str_from(path), depth + 1, err);
            else
                status = give_secret(vault, sink, comb_str_from(path), err);
        }
    }
    grpcc_arena_free(arena);
    return status;
}

static enum comb_status vault_give(struct comb_move_row *self, const struct comb_move_sink *sink,
                                   struct comb_error *err)
{
    return give_folder(vault_of(self), sink, STR(""), 0, err);
}

/* ---- in ---- */

static enum comb_status vault_is_empty(struct comb_move_row *self, bool *ret_empty,
                                       struct comb_error *err)
{
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    struct comb_vault_names names;
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status =
        comb_vault_list(vault_of(self), &ctx, STR(""), STR(""), 1, &names, err);
    if (status == COMB_OK)
        *ret_empty = names.n == 0;
    grpcc_arena_free(ctx.arena);
    return status;
}

static enum comb_status newest_of(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                  uint32_t *ret_newest, struct comb_error *err)
{
    struct comb_error why = {0};
    struct comb_vault_version *versions = NULL;
    size_t n = 0;
    enum comb_status status = comb_vault_versions(vault, ctx, path, &versions, &n, &why);
    if (status != COMB_OK && status != COMB_NOT_FOUND) {
        if (err)
            *err = why;
        return status;
    }
    *ret_newest = status == COMB_OK && n > 0 ? versions[n - 1].version : 0;
    return COMB_OK;
}

/* Versions without a value, up to and with `through`. */
static enum comb_status fill(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                             uint32_t *newest, uint32_t through, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    while (status == COMB_OK && *newest < through) {
        uint32_t made = 0;
        ctx->deadline_ns = comb_clock_in_ms(STEP_MS);
        status = comb_vault_put(vault, ctx, path, PLACEHOLDER, *newest, &made, err);
        if (status == COMB_OK)
            status = comb_vault_change(vault, ctx, path, COMB_VAULT_DESTROY, &made, 1, err);
        *newest += 1;
    }
    return status;
}

/* What is missing in front of it has no value, and is made as it is. */
static enum comb_status take_version(struct comb_vault *vault, struct comb_ctx *ctx, comb_str path,
                                     uint32_t version, comb_str content, struct comb_error *err)
{
    struct comb_vault_put put = {.expected = version - 1};
    uint32_t newest = 0, made;
    bool is_gone = content.len == 0;
    if (!is_gone &&
        (!move_get_bytes(&content, &put.request_id) || !move_get_bytes(&content, &put.value)))
        return comb_error_set(err, COMB_DATA_LOSS, 0, "a secret is damaged");
    enum comb_status status = newest_of(vault, ctx, path, &newest, err);
    if (status != COMB_OK || newest >= version)
        return status;
    status = fill(vault, ctx, path, &newest, is_gone ? version : version - 1, err);
    ctx->deadline_ns = comb_clock_in_ms(STEP_MS);
    return status == COMB_OK && !is_gone ? comb_vault_put_once(vault, ctx, path, &put, &made, err)
                                         : status;
}

static enum comb_status vault_take(struct comb_move_row *self,
                                   const struct comb_move_record *record, struct comb_error *err)
{
    struct comb_ctx ctx = step(grpcc_arena_new(0));
    comb_str key = record->key, path;
    uint64_t version;
    if (!ctx.arena)
        return comb_error_no_memory(err);
    enum comb_status status = COMB_OK;
    if (!move_get_bytes(&key, &path) || !move_get_u64(&key, &version) || version == 0 ||
        version > UINT32_MAX)
        status = comb_error_set(err, COMB_DATA_LOSS, 0, "a secret is damaged");
    else
        status = take_version(vault_of(self), &ctx, path, (uint32_t)version, record->value, err);
    grpcc_arena_free(ctx.arena);
    return status;
}

static void vault_free(struct comb_move_row *self)
{
    comb_memory_free(self);
}

static const struct comb_move_row_ops ops = {
    .name = "vault",
    .give = vault_give,
    .is_empty = vault_is_empty,
    .take = vault_take,
    .free = vault_free,
};

enum comb_status comb_move_vault_new(struct comb_vault *vault, struct comb_move_row **ret_row,
                                     struct comb_error *err)
{
    struct row_vault *row = comb_memory_zalloc(sizeof *row);
    if (!row)
        return comb_error_no_memory(err);
    row->base.ops = &ops;
    row->vault = vault;
    *ret_row = &row->base;
    return COMB_OK;
}
