/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/config.h"

#include "comb/v1/errors.grpcc.h"
#include "server/config/internal.h"
#include "server/config/schema.h"
#include "server/core/memory.h"
#include "server/core/timestamp.h"

/* How often a change is decided anew when a schema changed meanwhile. */
enum { ATTEMPTS_MAX = 4 };

enum comb_status comb_config_new(struct comb_config_store *store, struct comb_facts *facts,
                                 struct comb_config **ret_config, struct comb_error *err)
{
    struct comb_config *config = comb_memory_zalloc(sizeof *config);

    if (!config)
        return comb_error_no_memory(err);
    config->store = store;
    config->facts = facts;
    config_mirror_init(&config->mirror, config_watches_wake, &config->watches);
    enum comb_status status = config_watches_start(config, err);
    const struct comb_config_observer observer = config_mirror_observer(&config->mirror);
    if (status == COMB_OK)
        status = comb_config_store_watch(store, &observer, err);
    if (status == COMB_OK) {
        *ret_config = config;
        return COMB_OK;
    }
    comb_config_free(config);
    return status;
}

void comb_config_free(struct comb_config *config)
{
    if (!config)
        return;
    config_watches_stop(&config->watches);
    /* Taking an observer away cannot fail. */
    (void)!comb_config_store_watch(config->store, NULL, NULL);
    pthread_cond_destroy(&config->watches.wake);
    pthread_mutex_destroy(&config->watches.lock);
    config_mirror_done(&config->mirror);
    comb_memory_free(config);
}

/* ---- reading ---- */

/* Whether what is in memory may answer instead of the store. */
static bool may_be_stale(const struct comb_ctx *ctx, enum comb_status status)
{
    return status == COMB_UNAVAILABLE && !ctx->strong;
}

enum comb_status comb_config_get(struct comb_config *config, struct comb_ctx *ctx, comb_str path,
                                 struct comb_config_entry *ret_entry, bool *ret_stale,
                                 struct comb_error *err)
{
    struct comb_error local = {0};
    enum comb_status status = comb_config_store_get(config->store, ctx, path, ret_entry, &local);

    *ret_stale = false;
    if (may_be_stale(ctx, status)) {
        /* That there is no value could not be marked as stale: it may have been set just now. */
        *ret_stale =
            config_mirror_get(&config->mirror, ctx->arena, path, ret_entry, NULL) == COMB_OK;
        status = *ret_stale ? COMB_OK : status;
    }
    if (status != COMB_OK && err)
        *err = local;
    return status;
}

static void cut_page(struct comb_config_entries *page)
{
    size_t bytes = 0;

    for (size_t i = 0; i < page->n; i++) {
        bytes += page->items[i].value.len;
        if (i > 0 && bytes > COMB_CONFIG_PAGE_BYTES_MAX) {
            page->n = i;
            page->more = true;
        }
    }
}

enum comb_status comb_config_list(struct comb_config *config, struct comb_ctx *ctx, comb_str path,
                                  comb_str after, size_t limit,
                                  struct comb_config_entries *ret_entries, bool *ret_stale,
                                  struct comb_error *err)
{
    struct comb_config_entries page;
    struct comb_error local = {0};
    comb_str at = comb_str_equal(path, STR("/")) ? STR("") : path;
    const char *prefix = grpcc_arena_printf(ctx->arena, "%.*s/", COMB_STR_ARG(at));

    if (!prefix)
        return comb_error_no_memory(err);
    enum comb_status status = comb_config_store_list(config->store, ctx, comb_str_from(prefix),
                                                     after, limit, &page, &local);
    *ret_stale = false;
    if (may_be_stale(ctx, status)) {
        *ret_stale = true;
        status =
            config_mirror_list(&config->mirror, ctx->arena, at, false, after, limit, &page, &local);
    }
    if (status == COMB_OK) {
        cut_page(&page);
        *ret_entries = page;
    } else if (err) {
        *err = local;
    }
    return status;
}

enum comb_status comb_config_history(struct comb_config *config, struct comb_ctx *ctx,
                                     comb_str path, int64_t before, size_t limit,
                                     struct comb_config_entries *ret_entries,
                                     struct comb_error *err)
{
    enum comb_status status =
        comb_config_store_history(config->store, ctx, path, before, limit, ret_entries, err);

    if (status == COMB_OK)
        cut_page(ret_entries);
    return status;
}

/* ---- changing ---- */

/* A batch in the making: the caller's changes, and their schemas, which are compared. */
struct changing {
    struct comb_config *config;
    struct comb_ctx *ctx;
    struct comb_config_change changes[COMB_CONFIG_CHANGES_MAX];
    size_t n, n_own;
};

static bool is_schema_path(comb_str path)
{
    return comb_str_starts_with(path, STR(COMB_CONFIG_SCHEMAS "/"));
}

/* The change that this batch makes at path; NULL: none. */
static const struct comb_config_change *own_change(const struct changing *changing, comb_str path)
{
    for (size_t i = 0; i < changing->n_own; i++) {
        if (comb_str_equal(changing->changes[i].path, path))
            return &changing->changes[i];
    }
    return NULL;
}

/* The schema of path after the change: its text, ptr NULL where it has none. One from the store is
 * compared in the same transaction, where there is room for it; one that is missing, too. */
static enum comb_status find_schema(struct changing *changing, comb_str path, comb_str *ret_text,
                                    struct comb_error *err)
{
    struct comb_ctx *ctx = changing->ctx;
    comb_str at = comb_str_from(
        grpcc_arena_printf(ctx->arena, COMB_CONFIG_SCHEMAS "%.*s", COMB_STR_ARG(path)));
    struct comb_config_entry entry = {0};

    *ret_text = (comb_str){0};
    if (!at.ptr)
        return comb_error_no_memory(err);
    /* Too deep or too long: there can be none. */
    if (!comb_config_path_is_valid(at))
        return COMB_OK;
    const struct comb_config_change *own = own_change(changing, at);
    if (own) {
        *ret_text = own->value;
        return COMB_OK;
    }
    struct comb_error local = {0};
    enum comb_status status =
        comb_config_store_get(changing->config->store, ctx, at, &entry, &local);
    if (status != COMB_OK && status != COMB_NOT_FOUND) {
        *err = local;
        return status;
    }
    if (changing->n < COMB_CONFIG_CHANGES_MAX)
        changing->changes[changing->n++] = (struct comb_config_change){
            .path = at, .compare_only = true, .has_expected = true, .expected = entry.revision};
    *ret_text = entry.value;
    return COMB_OK;
}

static enum comb_status match_schema(struct changing *changing, comb_str path, const json_t *value,
                                     struct comb_error *err)
{
    comb_str text;
    json_t *schema = NULL;
    enum comb_status status = find_schema(changing, path, &text, err);

    if (status != COMB_OK || !text.ptr)
        return status;
    status = config_json_parse(path, text, &schema, err);
    if (status == COMB_OK)
        status = config_schema_check(schema, err);
    if (status == COMB_OK)
        status = config_schema_match(schema, path, value, err);
    json_decref(schema);
    return status;
}

/* Puts the value into the form that is kept, and asks its schema. */
static enum comb_status check_change(struct changing *changing, struct comb_config_change *change,
                                     struct comb_error *err)
{
    json_t *value = NULL;

    if (!comb_config_path_is_valid(change->path) || !change->value.ptr)
        return COMB_OK; /* the store's wrapper says what is wrong with a path */
    /* Spaces between may make the text longer than what is kept. */
    if (change->value.len > 2 * COMB_CONFIG_VALUE_BYTES_MAX)
        return comb_error_set_subject(err, COMB_RESOURCE_EXHAUSTED, COMB_V1_ERROR_REASON_TOO_LARGE,
                                      "value", "a value has at most %d bytes",
                                      COMB_CONFIG_VALUE_BYTES_MAX);
    enum comb_status status = config_json_parse(change->path, change->value, &value, err);
    if (status != COMB_OK)
        return status;
    if (is_schema_path(change->path))
        status = config_schema_check(value, err);
    else
        status = match_schema(changing, change->path, value, err);
    if (status == COMB_OK)
        status = config_json_text(changing->ctx->arena, value, &change->value, err);
    json_decref(value);
    return status;
}

static comb_str request_of(struct comb_ctx *ctx, const struct comb_request_key *key)
{
    char id[COMB_UUID_TEXT_LENGTH + 1], user[COMB_UUID_TEXT_LENGTH + 1] = "";

    comb_uuid_format(&key->id, id);
    if (ctx->principal)
        comb_uuid_format(&ctx->principal->user, user);
    return comb_str_from(
        grpcc_arena_printf(ctx->arena, "%s%.*s/%s", user, COMB_STR_ARG(ctx->method), id));
}

static enum comb_status change_once(struct changing *changing, const struct comb_request_key *key,
                                    struct comb_config_outcome *ret_outcome, struct comb_error *err)
{
    struct comb_ctx *ctx = changing->ctx;
    struct comb_config_batch batch = {.changes = changing->changes,
                                      .actor = ctx->principal ? ctx->principal->login : STR(""),
                                      .request = request_of(ctx, key)};
    enum comb_status status = batch.request.ptr ? COMB_OK : comb_error_no_memory(err);

    for (size_t i = 0; i < changing->n_own && status == COMB_OK; i++)
        status = check_change(changing, &changing->changes[i], err);
    if (status != COMB_OK)
        return status;
    batch.n = changing->n;
    memcpy(batch.hash, key->hash, sizeof batch.hash);
    status = comb_config_store_apply(changing->config->store, ctx, &batch, ret_outcome, err);
    if (status == COMB_OK)
        ctx->replayed = ret_outcome->replayed;
    return status;
}

/* A schema that changed between its reading and the change: it is asked again. */
static bool is_about_schema(const struct comb_error *err, const struct changing *changing)
{
    for (size_t i = changing->n_own; i < changing->n; i++) {
        if (comb_str_equal(comb_str_from(err->subject), changing->changes[i].path))
            return err->reason == COMB_V1_ERROR_REASON_ETAG_MISMATCH;
    }
    return false;
}

static enum comb_status change_all(struct comb_config *config, struct comb_ctx *ctx,
                                   const struct comb_request_key *key,
                                   const struct comb_config_change *changes, size_t n,
                                   struct comb_config_outcome *ret_outcome, struct comb_error *err)
{
    struct comb_error local = {0};
    enum comb_status status = COMB_ABORTED;
    bool again = true;

    for (int i = 0; i < ATTEMPTS_MAX && again; i++) {
        struct changing changing = {.config = config, .ctx = ctx, .n = n, .n_own = n};
        memcpy(changing.changes, changes, n * sizeof changes[0]);
        status = change_once(&changing, key, ret_outcome, &local);
        again = status == COMB_FAILED_PRECONDITION && is_about_schema(&local, &changing);
    }
    if (status != COMB_OK && err)
        *err = local;
    return status;
}

enum comb_status comb_config_set(struct comb_config *config, struct comb_ctx *ctx,
                                 const struct comb_request_key *key,
                                 const struct comb_config_change *changes, size_t n,
                                 int64_t *ret_revision, struct comb_error *err)
{
    struct comb_config_outcome outcome = {0};

    if (n == 0 || n > COMB_CONFIG_CHANGES_MAX)
        return comb_error_field(err, "changes", "1 to %d paths can be changed at once",
                                COMB_CONFIG_CHANGES_MAX);
    enum comb_status status = change_all(config, ctx, key, changes, n, &outcome, err);
    if (status == COMB_OK)
        *ret_revision = outcome.revision;
    return status;
}

enum comb_status comb_config_delete(struct comb_config *config, struct comb_ctx *ctx,
                                    const struct comb_request_key *key, comb_str path,
                                    int64_t expected, int64_t *ret_revision, struct comb_error *err)
{
    struct comb_config_change change = {.path = path, .has_expected = true, .expected = expected};
    struct comb_config_outcome outcome = {0};
    struct comb_config_entry entry = {0};

    if (expected < 0)
        return comb_error_field(err, "expected_revision", "revisions are not negative");
    if (expected == 0) {
        struct comb_error local = {0};
        enum comb_status found = comb_config_store_get(config->store, ctx, path, &entry, &local);
        if (found != COMB_OK && found != COMB_NOT_FOUND) {
            if (err)
                *err = local;
            return found;
        }
        /* Without a value it may be the repetition of a request that was done: the store knows. */
        change.has_expected = false;
        if (found == COMB_NOT_FOUND)
            change = (struct comb_config_change){
                .path = path, .compare_only = true, .has_expected = true, .expected = -1};
    }
    enum comb_status status = change_all(config, ctx, key, &change, 1, &outcome, err);
    if (status == COMB_FAILED_PRECONDITION && change.expected == -1)
        return comb_error_set(err, COMB_NOT_FOUND, 0, "%.*s has no value", COMB_STR_ARG(path));
    if (status == COMB_OK)
        *ret_revision = outcome.revision;
    return status;
}

/* ---- messages ---- */

struct comb_v1_config_entry *comb_config_message(struct grpcc_arena *arena,
                                                 const struct comb_config_entry *entry)
{
    struct comb_v1_config_entry *message = comb_v1_config_entry_new(arena);

    if (!message)
        return NULL;
    message->path = comb_str_dup(arena, entry->path);
    message->value = comb_str_dup(arena, entry->value);
    message->actor = comb_str_dup(arena, entry->actor);
    message->revision = entry->revision;
    if (entry->time_us > 0)
        message->time = comb_timestamp_new(arena, entry->time_us);
    if (!message->path || !message->value || !message->actor ||
        (entry->time_us > 0 && !message->time))
        return NULL;
    return message;
}
