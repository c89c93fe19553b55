/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rows.h"

#include <stddef.h>
#include <string.h>

#include "server/core/backoff.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/vault/vault_driver.h"

/* Waits between questions to a store that the start waits for, and the question's own deadline. */
#define WAIT_FIRST_MS 100
#define WAIT_MOST_MS 2000
#define QUESTION_MS 5000

#define VAULT_REFERENCE "vault:"

/* Flags that give a row's credentials. */
#define CREDENTIALS_MAX 3

#define MEMBER(name) offsetof(struct comb_options, name)

/* What is peculiar to a row; by its number. */
static const struct row {
    const char *name; /* of the row, and of its flag */
    size_t url;       /* the member of struct comb_options */
    const char *embedded, *below_home;
    struct {
        size_t member;
        const char *flag;
    } credentials[CREDENTIALS_MAX];
    bool needed; /* nothing can be served without it */
} table[COMB_ROWS] = {
    [COMB_ROW_VAULT] = {"vault",
                        MEMBER(vault),
                        "json:",
                        "/vault.json",
                        {{MEMBER(vault_token_file), "--vault-token-file"},
                         {MEMBER(vault_approle_file), "--vault-approle-file"},
                         {MEMBER(vault_passphrase_file), "--vault-passphrase-file"}},
                        true},
    [COMB_ROW_CONFIG] = {"config",
                         MEMBER(config),
                         "json:",
                         "/config.json",
                         {{MEMBER(config_credentials_file), "--config-credentials-file"}},
                         false},
    [COMB_ROW_SQL] = {"sql",
                      MEMBER(sql),
                      "sqlite:",
                      "/comb.db",
                      {{MEMBER(sql_credentials_file), "--sql-credentials-file"}},
                      true},
    [COMB_ROW_DATA] = {"data",
                       MEMBER(data),
                       "files:",
                       "/data",
                       {{MEMBER(data_credentials_file), "--data-credentials-file"}},
                       true},
    [COMB_ROW_CACHE] = {"cache",
                        MEMBER(cache),
                        "mem:64MiB",
                        NULL,
                        {{MEMBER(cache_credentials_file), "--cache-credentials-file"}},
                        false},
    [COMB_ROW_REGISTRY] = {"registry",
                           MEMBER(registry),
                           "mem:",
                           NULL,
                           {{MEMBER(registry_credentials_file), "--registry-credentials-file"}},
                           false},
    [COMB_ROW_EVENTS] = {"events",
                         MEMBER(events),
                         "mem:",
                         NULL,
                         {{MEMBER(events_credentials_file), "--events-credentials-file"}},
                         false},
    [COMB_ROW_DOCS] = {"docs",
                       MEMBER(docs),
                       "sqlite:",
                       "/docs.db",
                       {{MEMBER(docs_credentials_file), "--docs-credentials-file"}},
                       false},
};

static const char *option(const struct comb_options *options, size_t member)
{
    return *(const char *const *)((const char *)options + member);
}

const char *comb_row_name(enum comb_row row)
{
    return table[row].name;
}

enum comb_row comb_row_find(const char *name)
{
    int row = 0;
    while (row < COMB_ROWS && strcmp(comb_row_name((enum comb_row)row), name) != 0)
        row++;
    return (enum comb_row)row;
}

/* ---- which driver ---- */

/* "sqlite:PATH or postgres://…": what this build takes for a row. */
static void list_urls(enum comb_row row, bool shared_only, char *ret_text, size_t size)
{
    const struct comb_row_interface *interface = &comb_row_interfaces[row];
    size_t len = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < interface->n_drivers && len < size; i++) {
        if (!shared_only || interface->drivers[i].shared)
            len += (size_t)snprintf(ret_text + len, size - len, "%s%s", len > 0 ? " or " : "",
                                    interface->drivers[i].url);
    }
}

/* "redis:" is of the scheme "redis", and "rediss:", the same store behind TLS: its driver knows
 * what to say of that. */
static bool is_of_scheme(comb_str url, comb_str scheme)
{
    if (!comb_str_starts_with(url, scheme))
        return false;
    size_t end = scheme.len;
    if (end < url.len && url.ptr[end] == 's')
        end++;
    return end < url.len && url.ptr[end] == ':';
}

static enum comb_status find_driver(enum comb_row row, comb_str url,
                                    const struct comb_row_driver **ret_driver,
                                    struct comb_error *err)
{
    const struct comb_row_interface *interface = &comb_row_interfaces[row];
    for (size_t i = 0; i < interface->n_drivers; i++) {
        if (is_of_scheme(url, comb_str_from(interface->drivers[i].scheme))) {
            *ret_driver = &interface->drivers[i];
            return COMB_OK;
        }
    }
    char known[160];
    list_urls(row, false, known, sizeof known);
    return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "--%s: \"%.*s\": this build takes %s",
                          table[row].name, url.len < 48 ? (int)url.len : 48, url.ptr,
                          known[0] ? known : "no URL for it");
}

static enum comb_status init_row(struct comb_rows *rows, enum comb_row row, const char *home,
                                 struct comb_error *err)
{
    struct comb_row_state *state = &rows->rows[row];
    const char *given = option(rows->options, table[row].url);
    if (!given && comb_row_interfaces[row].n_drivers == 0)
        return COMB_OK;
    int length = given ? snprintf(state->url, sizeof state->url, "%s", given)
                       : snprintf(state->url, sizeof state->url, "%s%s%s", table[row].embedded,
                                  table[row].below_home ? home : "",
                                  table[row].below_home ? table[row].below_home : "");
    if (length >= (int)sizeof state->url)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "--%s: the URL is too long",
                              table[row].name);
    return find_driver(row, comb_str_from(state->url), &state->driver, err);
}

enum comb_status comb_rows_init(struct comb_rows *rows, const struct comb_options *options,
                                const char *home, struct comb_error *err)
{
    *rows = (struct comb_rows){.options = options};
    enum comb_status status = COMB_OK;
    int given = (options->vault_token_file != NULL) + (options->vault_approle_file != NULL) +
                (options->vault_passphrase_file != NULL);
    if (given > 1)
        status = comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                                "give one of --vault-token-file, --vault-approle-file and "
                                "--vault-passphrase-file");
    for (int row = 0; row < COMB_ROWS && status == COMB_OK; row++)
        status = init_row(rows, (enum comb_row)row, home, err);
    return status;
}

enum comb_status comb_rows_check_cluster(const struct comb_rows *rows, FILE *out,
                                         struct comb_error *err)
{
    int refused = 0;
    for (int row = 0; row < COMB_ROWS; row++) {
        const struct comb_row_state *state = &rows->rows[row];
        if (!state->driver || state->driver->shared)
            continue;
        char others[160];
        list_urls((enum comb_row)row, true, others, sizeof others);
        fprintf(out, "combd: --%s %s is for one process only: give --%s %s\n", table[row].name,
                state->url, table[row].name,
                others[0] ? others : "another store, which this build does not have");
        refused++;
    }
    if (refused == 0)
        return COMB_OK;
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                          "--cluster: %d row%s of which other replicas would see nothing", refused,
                          refused == 1 ? " has a store" : "s have stores");
}

/* ---- opening ---- */

/* What "vault:PATH#KEY" refers to; the vault is open. */
static enum comb_status read_reference(struct comb_rows *rows, const char *flag,
                                       const char *reference, struct comb_ctx *ctx,
                                       struct comb_secret *secret, struct comb_error *err)
{
    struct comb_vault *vault = comb_rows_store(rows, COMB_ROW_VAULT);
    struct comb_error why = {0};
    comb_str value;
    if (!vault)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%s %.100s: the vault row is not open", flag, reference);
    enum comb_status status = comb_vault_reference(
        vault, ctx, comb_str_from(reference + sizeof VAULT_REFERENCE - 1), &value, &why);
    if (status == COMB_OK)
        return comb_secret_copy(secret, flag, value, err);
    return comb_error_set(err, status, 0, "%s %.60s: %.140s", flag, reference, why.msg);
}

/* The credentials of a row, where a flag gives some. */
static enum comb_status read_credentials(struct comb_rows *rows, enum comb_row row,
                                         struct comb_ctx *ctx, struct comb_error *err)
{
    struct comb_secret *secret = &rows->rows[row].credentials;
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < CREDENTIALS_MAX && table[row].credentials[i].flag && status == COMB_OK;
         i++) {
        const char *flag = table[row].credentials[i].flag;
        const char *given = option(rows->options, table[row].credentials[i].member);
        if (!given || secret->bytes)
            continue;
        if (row != COMB_ROW_VAULT &&
            strncmp(given, VAULT_REFERENCE, sizeof VAULT_REFERENCE - 1) == 0)
            status = read_reference(rows, flag, given, ctx, secret, err);
        else
            status = comb_secret_read(secret, flag, given, err);
    }
    return status;
}

bool comb_rows_refer_to_vault(const struct comb_rows *rows)
{
    for (int row = 0; row < COMB_ROWS; row++) {
        const char *given = option(rows->options, table[row].credentials[0].member);
        if (row != COMB_ROW_VAULT && given &&
            strncmp(given, VAULT_REFERENCE, sizeof VAULT_REFERENCE - 1) == 0)
            return true;
    }
    return false;
}

enum comb_status comb_rows_open_one(struct comb_rows *rows, enum comb_row row, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    struct comb_row_state *state = &rows->rows[row];
    enum comb_status status = read_credentials(rows, row, ctx, err);
    if (status != COMB_OK)
        return status;
    const struct comb_store_options options = {
        .url = comb_str_from(state->url),
        .credentials = comb_str_of(state->credentials.bytes, state->credentials.len),
    };
    return state->driver->open(&options, &state->store, err);
}

/* One question, with a deadline of its own within ctx's. */
enum comb_status comb_rows_ask(const struct comb_rows *rows, enum comb_row row,
                               struct comb_ctx *ctx, struct comb_error *err)
{
    if (!comb_row_interfaces[row].check)
        return COMB_OK;
    int64_t whole = ctx->deadline_ns;
    int64_t own = comb_clock_monotonic_ns() + QUESTION_MS * COMB_NS_PER_MS;
    ctx->deadline_ns = own < whole ? own : whole;
    enum comb_status status = comb_row_interfaces[row].check(rows->rows[row].store, ctx, err);
    ctx->deadline_ns = whole;
    return status;
}

/* What waiting may cure: a store that is away, sealed or busy, not a wrong password. */
static bool may_pass(enum comb_status status)
{
    return status == COMB_UNAVAILABLE || status == COMB_DEADLINE_EXCEEDED;
}

/* Opens a row and, where nothing can be served without it, waits until it answers. */
static enum comb_status open_and_wait(struct comb_rows *rows, enum comb_row row,
                                      const struct comb_rows_patience *patience,
                                      struct comb_ctx *ctx, struct comb_error *err)
{
    struct comb_backoff backoff = {.first_ms = WAIT_FIRST_MS, .most_ms = WAIT_MOST_MS};
    bool told = false;
    for (;;) {
        enum comb_status status = COMB_OK;
        if (!rows->rows[row].store)
            status = comb_rows_open_one(rows, row, ctx, err);
        if (status == COMB_OK && table[row].needed)
            status = comb_rows_ask(rows, row, ctx, err);
        if (!may_pass(status) || comb_ctx_left_ms(ctx) == 0)
            return status;
        if (!told)
            comb_log_error(COMB_LOG_WARN, table[row].name, "waiting for the store", err);
        told = true;
        if (!patience->wait(patience->data, comb_backoff_next_ms(&backoff)))
            return comb_error_set(err, COMB_CANCELLED, 0, "stopped while waiting for the %s row",
                                  table[row].name);
    }
}

/* Puts the row's name before the message. */
static enum comb_status name_row(enum comb_row row, enum comb_status status, struct comb_error *err)
{
    if (status == COMB_OK || status == COMB_CANCELLED || !err)
        return status;
    struct comb_error plain = *err;
    snprintf(err->msg, sizeof err->msg, "%s: %.240s", table[row].name, plain.msg);
    return status;
}

enum comb_status comb_rows_open(struct comb_rows *rows, const struct comb_rows_patience *patience,
                                struct comb_ctx *ctx, struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (int row = 0; row < COMB_ROWS && status == COMB_OK; row++) {
        if (rows->rows[row].driver)
            status = name_row((enum comb_row)row,
                              open_and_wait(rows, (enum comb_row)row, patience, ctx, err), err);
    }
    return status;
}

/* ---- open rows ---- */

void *comb_rows_store(const struct comb_rows *rows, enum comb_row row)
{
    return rows->rows[row].store;
}

void comb_rows_status(const struct comb_rows *rows, enum comb_row row,
                      struct comb_store_status *ret_status)
{
    const struct comb_row_state *state = &rows->rows[row];
    struct comb_store_status status = {
        .driver = state->driver->scheme,
        .shared = state->driver->shared,
        .state = COMB_STORE_UP,
    };
    if (comb_row_interfaces[row].status)
        comb_row_interfaces[row].status(state->store, &status);
    *ret_status = status;
}

void comb_rows_done(struct comb_rows *rows)
{
    for (int row = COMB_ROWS - 1; row >= 0; row--) {
        struct comb_row_state *state = &rows->rows[row];
        if (state->store)
            comb_row_interfaces[row].close(state->store);
        state->store = NULL;
        comb_secret_done(&state->credentials);
    }
}
