/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/storm/storm.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/e2e/calls.h"

#define PAUSE_MS 10
#define AWAIT_MS 120000
#define CALL_MS 60000
#define ATTEMPTS_PATIENT 100
#define TOKENS_PATIENT 10000
#define HOME "/personal"

void storm_die(const char *form, ...)
{
    va_list arguments;
    va_start(arguments, form);
    fputs("storm: ", stderr);
    vfprintf(stderr, form, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    exit(1);
}

static void must(enum grpcc_status status, const struct grpcc_error *err, const char *what)
{
    if (status != GRPCC_OK)
        storm_die("%s: %s: %s", what, grpcc_status_name(status), err->message);
}

/* ---- clients ---- */

static struct comb_client *open_client(const char *addresses, const char *login,
                                       const char *password, bool is_patient)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client_options options = {.size = sizeof options, .timeout_ms = CALL_MS};
    struct comb_client *client = NULL;
    /* A machine that stands still for seconds makes the database seem away. */
    if (is_patient) {
        options.attempts_max = ATTEMPTS_PATIENT;
        options.retry_tokens_max = TOKENS_PATIENT;
    }
    must(comb_client_open(addresses, &options, &client, &err), &err, addresses);
    must(comb_client_login(client, login, password, "storm", &err), &err, login);
    return client;
}

void storm_open(struct storm *storm, const char *addresses, const char *password, bool is_patient)
{
    *storm = (struct storm){0};
    storm->admin = (struct storm_client){.storm = storm,
                                         .sdk = open_client(addresses, "admin", password, true),
                                         .arena = grpcc_arena_new(0)};
    for (size_t i = 0; storm_roles[i]; i++) {
        for (unsigned n = 0; n < storm_roles[i]->clients; n++) {
            struct storm_client *client = &storm->clients[storm->n_clients++];
            *client = (struct storm_client){
                .storm = storm,
                .role = storm_roles[i],
                .number = n,
                .sdk = open_client(addresses, storm_roles[i]->are_guests ? STORM_GUEST : "admin",
                                   password, is_patient),
                .random = 0x9e3779b97f4a7c15u * storm->n_clients,
                .arena = grpcc_arena_new(0)};
        }
    }
}

static void close_client(struct storm_client *client)
{
    comb_client_close(client->sdk);
    grpcc_arena_free(client->arena);
    free(client->calls);
    free(client->changes);
    free(client->ops);
    free(client->rights);
}

void storm_close(struct storm *storm)
{
    for (unsigned i = 0; i < storm->n_clients; i++)
        close_client(&storm->clients[i]);
    close_client(&storm->admin);
}

/* ---- what a client does ---- */

bool storm_is_over(const struct storm_client *client)
{
    return atomic_load(&client->storm->over);
}

void storm_pause(void)
{
    calls_sleep_ms(PAUSE_MS);
}

/* Room for one more of size bytes; array: as realloc() takes it. */
static void *grow(void *array, size_t n, size_t *size, size_t element)
{
    if (n < *size)
        return array;
    *size = *size ? 2 * *size : 1024;
    array = realloc(array, *size * element);
    if (!array)
        storm_die("no memory for %zu records", *size);
    return array;
}

int64_t storm_call_begin(struct storm_client *client)
{
    grpcc_arena_reset(client->arena);
    return calls_now_ns();
}

static enum storm_outcome outcome_of(enum storm_away away, enum grpcc_status status,
                                     bool needs_data)
{
    if (status == GRPCC_OK)
        return STORM_GOOD;
    bool may_be_refused = away == STORM_SQL_AWAY || (away == STORM_DATA_AWAY && needs_data);
    return status == GRPCC_UNAVAILABLE && may_be_refused ? STORM_REFUSED : STORM_FAILED;
}

bool storm_call_end(struct storm_client *client, int64_t begin_ns, const char *what,
                    enum grpcc_status status, const struct grpcc_error *err, bool needs_data)
{
    struct storm_call call = {.begin_ns = begin_ns,
                              .end_ns = calls_now_ns(),
                              .outcome = outcome_of(client->storm->away, status, needs_data),
                              .is_large = needs_data};
    client->calls = grow(client->calls, client->n_calls, &client->calls_size, sizeof call);
    client->calls[client->n_calls++] = call;
    if (call.outcome == STORM_FAILED && !client->error[0])
        snprintf(client->error, sizeof client->error, "%s %u: %s: %s: %s", client->role->name,
                 client->number, what, grpcc_status_name(status), err->message);
    if (call.outcome == STORM_GOOD)
        atomic_fetch_add(&client->storm->good, 1);
    return call.outcome == STORM_GOOD;
}

void storm_acknowledged(struct storm_client *client, const struct comb_v1_node *node)
{
    struct feed_entry change = {.revision = node->revision};
    snprintf(change.id, sizeof change.id, "%s", node->id);
    client->changes =
        grow(client->changes, client->n_changes, &client->changes_size, sizeof change);
    client->changes[client->n_changes++] = change;
}

void storm_add_op(struct storm_client *client, const struct history_op *op)
{
    client->ops = grow(client->ops, client->n_ops, &client->ops_size, sizeof *op);
    client->ops[client->n_ops++] = *op;
}

void storm_add_rights(struct storm_client *client, const struct rights_op *op)
{
    client->rights = grow(client->rights, client->n_rights, &client->rights_size, sizeof *op);
    client->rights[client->n_rights++] = *op;
}

/* ---- phases ---- */

void storm_path(const struct storm *storm, const char *name, char ret_path[STORM_PATH_BYTES])
{
    snprintf(ret_path, STORM_PATH_BYTES, "%s/%s", storm->folder, name);
}

void storm_make(struct storm *storm, const char *parent, const char *name,
                char ret_id[STORM_ID_BYTES])
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_node *node = NULL;
    struct storm_client *admin = &storm->admin;
    grpcc_arena_reset(admin->arena);
    must(calls_mkdir(admin->sdk, admin->arena, parent, name, false, &node, &err), &err, name);
    storm_acknowledged(admin, node);
    if (ret_id)
        snprintf(ret_id, STORM_ID_BYTES, "%s", node->id);
}

static void *work(void *data)
{
    struct storm_client *client = data;
    client->role->work(client);
    return NULL;
}

static void forget(struct storm_client *client)
{
    client->n_calls = client->n_changes = client->n_ops = client->n_rights = 0;
    client->unknown = client->made = 0;
    client->error[0] = 0;
}

void storm_begin(struct storm *storm, const char *name, enum storm_away away)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    const char *cursor = NULL;
    char phase_name[32];
    storm->away = away;
    forget(&storm->admin);
    atomic_store(&storm->over, false);
    snprintf(phase_name, sizeof phase_name, "storm-%lld", (long long)(calls_now_ns() / 1000000));
    snprintf(storm->folder, sizeof storm->folder, HOME "/%s", phase_name);
    storm_make(storm, HOME, phase_name, NULL);
    storm->admin.n_changes = 0; /* it lies outside of itself */
    must(calls_cursor(storm->admin.sdk, arena, storm->folder, &cursor, &err), &err, name);
    snprintf(storm->cursor, sizeof storm->cursor, "%s", cursor);
    grpcc_arena_free(arena);
    for (size_t i = 0; storm_roles[i]; i++)
        if (storm_roles[i]->begin)
            storm_roles[i]->begin(storm);
    for (unsigned i = 0; i < storm->n_clients; i++) {
        struct storm_client *client = &storm->clients[i];
        forget(client);
        if (pthread_create(&client->thread, NULL, work, client) != 0)
            storm_die("no thread for client %u", i);
    }
}

void storm_await(struct storm *storm, unsigned n)
{
    unsigned until = atomic_load(&storm->good) + n;
    for (int waited = 0; waited < AWAIT_MS && atomic_load(&storm->good) < until; waited += 5)
        calls_sleep_ms(5);
}

void storm_end(struct storm *storm, struct storm_row *ret_row)
{
    atomic_store(&storm->over, true);
    for (unsigned i = 0; i < storm->n_clients; i++)
        pthread_join(storm->clients[i].thread, NULL);
    storm_judge(storm, ret_row);
}
