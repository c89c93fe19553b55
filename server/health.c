/* SPDX-License-Identifier: Apache-2.0 */
#include "server/health.h"

#include <pthread.h>

#include "server/core/clock.h"
#include "server/core/cond.h"
#include "server/core/log.h"
#include "server/core/memory.h"

#define BIT(row) (1u << COMB_ROW_##row)

/*
 * What each service cannot do without; docs/operations.md says it to operators. The cache,
 * registry and events rows are missed by nobody: all goes on, more slowly, or from the last
 * snapshot; so does reading the configuration. "" is the whole server: without the sql row nobody
 * logs in and nothing is read.
 */
static const struct {
    const char *service;
    uint32_t rows;
} table[] = {
    {"", BIT(SQL)},
    {"comb.v1.Activities", BIT(SQL) | BIT(DOCS)},
    {"comb.v1.Auth", BIT(SQL)},
    {"comb.v1.Data", BIT(SQL) | BIT(DATA)},
    {"comb.v1.Documents", BIT(SQL) | BIT(DOCS)},
    {"comb.v1.Identity", BIT(SQL)},
    {"comb.v1.Logs", BIT(SQL) | BIT(DOCS)},
    {"comb.v1.Operations", BIT(SQL)},
    {"comb.v1.Permissions", BIT(SQL)},
    {"comb.v1.Tree", BIT(SQL)},
    {"comb.v1.Vault", BIT(SQL) | BIT(VAULT)},
    {"comb.v1.Workspaces", BIT(SQL)},
};

enum { N_SERVICES = sizeof table / sizeof table[0] };

struct comb_health {
    const struct comb_rows *rows;
    struct grpcc_server *server;
    uint32_t down; /* rows, by bit */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

/* A question to a row that is said to be down; false: it is. */
static bool answers(const struct comb_health *health, enum comb_row row, struct comb_error *err)
{
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0),
                           .deadline_ns =
                               comb_clock_monotonic_ns() + COMB_HEALTH_CHECK_MS * COMB_NS_PER_MS};
    enum comb_status status = ctx.arena ? comb_rows_ask(health->rows, row, &ctx, err) : COMB_OK;
    grpcc_arena_free(ctx.arena);
    return status == COMB_OK;
}

static bool is_down(const struct comb_health *health, enum comb_row row, struct comb_error *err)
{
    struct comb_store_status status;
    comb_rows_status(health->rows, row, &status);
    return status.state == COMB_STORE_DOWN && !answers(health, row, err);
}

static void tell(const struct comb_health *health, uint32_t before)
{
    for (size_t i = 0; i < N_SERVICES; i++) {
        bool served = (health->down & table[i].rows) == 0;
        if (served != ((before & table[i].rows) == 0))
            grpcc_server_set_health(health->server, table[i].service,
                                    served ? GRPCC_SERVING : GRPCC_NOT_SERVING);
    }
}

static void look(struct comb_health *health)
{
    uint32_t before = health->down;
    for (int row = 0; row < COMB_ROWS; row++) {
        struct comb_error err = {0};
        uint32_t bit = 1u << row;
        const char *name = comb_row_name((enum comb_row)row);
        if (!comb_rows_store(health->rows, (enum comb_row)row))
            continue;
        bool down = is_down(health, (enum comb_row)row, &err);
        if (down && !(before & bit))
            comb_log_error(COMB_LOG_WARN, name, "the store is down", &err);
        if (!down && (before & bit))
            comb_log(COMB_LOG_INFO, name, "the store is up again",
                     comb_log_text("row", comb_str_from(name)));
        health->down = down ? health->down | bit : health->down & ~bit;
    }
    tell(health, before);
}

/* Until the next look; true: it is to stop. */
static bool wait_for_stop(struct comb_health *health)
{
    int64_t until_ns = comb_clock_in_ms(COMB_HEALTH_LOOK_MS);
    bool waits = true;
    pthread_mutex_lock(&health->lock);
    while (!health->stopping && waits)
        waits = comb_cond_wait_until(&health->wake, &health->lock, until_ns);
    bool stopping = health->stopping;
    pthread_mutex_unlock(&health->lock);
    return stopping;
}

static void *keep_looking(void *data)
{
    while (!wait_for_stop(data))
        look(data);
    return NULL;
}

enum comb_status comb_health_start(const struct comb_rows *rows, struct grpcc_server *server,
                                   struct comb_health **ret_health, struct comb_error *err)
{
    struct comb_health *health = comb_memory_zalloc(sizeof *health);
    if (!health)
        return comb_error_no_memory(err);
    health->rows = rows;
    health->server = server;
    pthread_mutex_init(&health->lock, NULL);
    comb_cond_init(&health->wake);
    if (pthread_create(&health->thread, NULL, keep_looking, health) != 0) {
        comb_memory_free(health);
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "no thread for the health");
    }
    *ret_health = health;
    return COMB_OK;
}

void comb_health_stop(struct comb_health *health)
{
    if (!health)
        return;
    pthread_mutex_lock(&health->lock);
    health->stopping = true;
    pthread_cond_signal(&health->wake);
    pthread_mutex_unlock(&health->lock);
    pthread_join(health->thread, NULL);
    pthread_cond_destroy(&health->wake);
    pthread_mutex_destroy(&health->lock);
    comb_memory_free(health);
}
