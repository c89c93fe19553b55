/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing, what was seen, log-in. */
#include <string.h>
#include <unistd.h>

#include "client/lib/call.h"
#include "comb/v1/auth.grpcc.h"

enum { OPTIONS_BYTES_MAX = 1 << 20, LOGIN_BYTES_MAX = 1 << 20, BUDGET_UNIT = 1000 };

const struct grpcc_channel_policy comb_policy = {
    .unary = comb_call_unary,
    .unary_start = comb_call_unary_start,
    .stream_open = comb_stream_open,
};

const char *comb_version(void)
{
    return COMB_VERSION;
}

void comb_options_copy(void *options, size_t size, const void *given)
{
    size_t given_size = 0;
    if (given) {
        memcpy(&given_size, given, sizeof(given_size));
        memcpy(options, given, given_size && given_size < size ? given_size : size);
    }
    memcpy(options, &size, sizeof(size));
}

/* ---- life ---- */

struct comb_client *comb_client_ref(struct comb_client *client)
{
    atomic_fetch_add_explicit(&client->refs, 1, memory_order_relaxed);
    return client;
}

void comb_client_unref(struct comb_client *client)
{
    if (!client || atomic_fetch_sub_explicit(&client->refs, 1, memory_order_acq_rel) != 1)
        return;
    comb_timer_free(client->timer);
    comb_replicas_done(&client->replicas);
    comb_keeper_done(&client->keeper);
    grpcc_channel_free(client->channel);
    comb_session_done(&client->session);
    comb_seen_done(&client->seen);
    pthread_mutex_destroy(&client->lock);
    grpcc_arena_free(client->arena);
    free(client);
}

enum grpcc_status comb_client_check(const struct comb_client *client, struct grpcc_error *err)
{
    if (client->pid == getpid())
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                           "this client was opened before a fork: open one in the process that "
                           "uses it");
}

static struct comb_client *client_new(void)
{
    struct comb_client *client = calloc(1, sizeof(*client));
    if (!client)
        return NULL;
    atomic_store(&client->refs, 1);
    client->pid = getpid();
    pthread_mutex_init(&client->lock, NULL);
    pthread_mutex_init(&client->replicas.lock, NULL);
    comb_keeper_init(&client->keeper);
    comb_session_init(&client->session);
    comb_seen_init(&client->seen);
    client->arena = grpcc_arena_new(OPTIONS_BYTES_MAX);
    if (client->arena)
        return client;
    comb_client_unref(client);
    return NULL;
}

static void set_numbers(struct comb_client *client, const struct comb_client_options *options)
{
    unsigned tokens =
        options->retry_tokens_max ? options->retry_tokens_max : COMB_RETRY_TOKENS_DEFAULT;
    if (tokens > INT32_MAX / BUDGET_UNIT)
        tokens = INT32_MAX / BUDGET_UNIT;
    client->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : COMB_TIMEOUT_MS_DEFAULT;
    client->attempts_max = options->attempts_max ? options->attempts_max : COMB_ATTEMPTS_DEFAULT;
    client->budget_max = (int)tokens * BUDGET_UNIT;
    atomic_store(&client->budget, client->budget_max);
    client->strong = options->strong;
    int64_t silence_ms = options->silence_ms > 0 ? options->silence_ms : COMB_SILENCE_MS_DEFAULT;
    client->silence_ns = silence_ms * COMB_NS_PER_MS;
    client->unreachable_ns =
        options->unreachable_ms > 0 ? options->unreachable_ms * COMB_NS_PER_MS : INT64_MAX;
}

/* The tokens, and from the file also what was seen and, where the program names none, the server.
 */
static enum grpcc_status load_credentials(struct comb_client *client, const char *servers,
                                          const struct comb_client_options *options,
                                          struct grpcc_error *err)
{
    struct comb_session *session = &client->session;
    enum grpcc_status status = GRPCC_OK;
    if (options->credentials_file && !options->access_token) {
        const char *path = grpcc_arena_strdup(client->arena, options->credentials_file);
        status =
            path ? comb_session_load(session, path, options->trust_servers ? NULL : servers, err)
                 : comb_error_memory(err);
    } else if (options->access_token) {
        status = comb_session_fix(session, options->access_token, err);
    }
    if (status)
        return status;
    const char *seen = session->credentials.seen;
    if (seen)
        (void)comb_seen_add(&client->seen, seen, strlen(seen));
    (void)comb_seen_take_changed(&client->seen);
    if (!servers)
        servers = session->credentials.server;
    client->servers = grpcc_arena_strdup(client->arena, servers ? servers : "");
    return client->servers ? GRPCC_OK : comb_error_memory(err);
}

const char *comb_credentials_server(const char *credentials_file, struct grpcc_arena *arena)
{
    struct comb_session session;
    const char *server = NULL;
    comb_session_init(&session);
    if (comb_session_load(&session, credentials_file, NULL, NULL) == GRPCC_OK &&
        session.credentials.server && *session.credentials.server)
        server = grpcc_arena_strdup(arena, session.credentials.server);
    comb_session_done(&session);
    return server;
}

enum grpcc_status comb_client_open(const char *servers, const struct comb_client_options *given,
                                   struct comb_client **ret_client, struct grpcc_error *err)
{
    struct comb_client_options options = {0};
    struct grpcc_error own = GRPCC_ERROR_INIT;
    comb_options_copy(&options, sizeof(options), given);
    struct comb_client *client = client_new();
    if (!client)
        return comb_error_memory(err);
    set_numbers(client, &options);
    enum grpcc_status status = load_credentials(client, servers, &options, &own);
    if (!status)
        status = comb_replicas_open(client, client->servers, &options, &own);
    if (!status) {
        comb_discovery_init(client, &options);
        comb_hedging_init(client, &options);
        client->channel = grpcc_channel_new_policy(&comb_policy, client, &own);
        status = client->channel ? GRPCC_OK : own.status;
    }
    if (status) {
        comb_client_unref(client);
        if (err)
            *err = own;
        return status;
    }
    *ret_client = client;
    return GRPCC_OK;
}

void comb_client_close(struct comb_client *client)
{
    /* In the child of a fork nothing may be touched: other threads of the parent may have held the
     * locks, and core does not work there. */
    if (!client || client->pid != getpid())
        return;
    pthread_mutex_lock(&client->lock);
    client->closed = true;
    comb_calls_cancel_locked(client);
    comb_streams_cancel_locked(client);
    pthread_mutex_unlock(&client->lock);
    comb_timer_wake(client);
    comb_session_save_seen(client);
    if (!comb_keeper_stop(client))
        comb_client_unref(client);
}

struct grpcc_channel *comb_client_channel(struct comb_client *client)
{
    return client->channel;
}

/* ---- what was seen ---- */

const char *comb_client_seen(struct comb_client *client, struct grpcc_arena *arena)
{
    char text[COMB_SEEN_TEXT_SIZE];
    comb_seen_text(&client->seen, text);
    return grpcc_arena_strdup(arena, text);
}

enum grpcc_status comb_client_set_seen(struct comb_client *client, const char *seen,
                                       struct grpcc_error *err)
{
    if (comb_client_check(client, err))
        return GRPCC_FAILED_PRECONDITION;
    if (comb_seen_add(&client->seen, seen, strlen(seen)))
        return GRPCC_OK;
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                           "not what comb_client_seen() gave: tokens separated by commas");
}

/* ---- log-in ---- */

enum grpcc_status comb_client_login(struct comb_client *client, const char *login,
                                    const char *password, const char *label,
                                    struct grpcc_error *err)
{
    struct comb_v1_auth_login_response *response = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(LOGIN_BYTES_MAX);
    struct comb_v1_auth_login_request *request =
        arena ? comb_v1_auth_login_request_new(arena) : NULL;
    enum grpcc_status status;
    if (!request) {
        status = comb_error_memory(err);
        goto out;
    }
    comb_v1_auth_login_request_set_login(request, login);
    comb_v1_auth_login_request_set_password(request, password);
    comb_v1_auth_login_request_set_label(request, label);
    status = comb_v1_auth_login(client->channel, arena, NULL, request, &response, err);
    if (!status)
        status = comb_session_begin(client, login, response->tokens, err);
out:
    if (err)
        err->details = NULL; /* the arena that they lie in ends here */
    grpcc_arena_free(arena);
    return status;
}

enum grpcc_status comb_client_logout(struct comb_client *client, struct grpcc_error *err)
{
    struct comb_v1_auth_logout_response *response = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(LOGIN_BYTES_MAX);
    struct comb_v1_auth_logout_request *request =
        arena ? comb_v1_auth_logout_request_new(arena) : NULL;
    enum grpcc_status status =
        request ? comb_v1_auth_logout(client->channel, arena, NULL, request, &response, err)
                : comb_error_memory(err);
    /* A session that the server has ended already is as good as ended. */
    if (!status || status == GRPCC_UNAUTHENTICATED)
        status = comb_session_forget(client, err);
    if (err)
        err->details = NULL;
    grpcc_arena_free(arena);
    return status;
}

const char *comb_client_servers(const struct comb_client *client)
{
    return client->servers;
}
