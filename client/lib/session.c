/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/session.h"

#include <google/protobuf/timestamp.grpcc.h>
#include <stdio.h>
#include <string.h>

#include "client/lib/internal.h"
#include "comb/v1/auth.grpcc.h"
#include "comb/v1/errors.grpcc.h"

enum { REFRESH_RETRY_S = 5, FILE_WAIT_S = 10, REFRESH_ARENA_MAX = 1 << 20 };

void comb_session_init(struct comb_session *session)
{
    memset(session, 0, sizeof(*session));
    pthread_mutex_init(&session->refresh_lock, NULL);
    pthread_mutex_init(&session->lock, NULL);
}

void comb_session_done(struct comb_session *session)
{
    comb_credentials_done(&session->credentials);
    pthread_mutex_destroy(&session->lock);
    pthread_mutex_destroy(&session->refresh_lock);
}

/* ---- what is kept ---- */

static bool is_empty(const char *text)
{
    return !text || !*text;
}

/* Tokens go only to the servers that they came from: each target that is named must be one of
 * those that the file names. */
static bool are_among(const char *servers, const char *known)
{
    if (is_empty(known))
        return false;
    while (*servers) {
        size_t n = strcspn(servers, ", ");
        const char *at = known;
        while (n > 0 && *at && !(strncmp(at, servers, n) == 0 && strchr(", ", at[n]))) {
            at += strcspn(at, ", ");
            at += strspn(at, ", ");
        }
        if (n > 0 && !*at)
            return false;
        servers += n + strspn(servers + n, ", ");
    }
    return true;
}

/* Takes what `from` holds; the caller holds the lock. */
static void adopt_locked(struct comb_session *session, struct comb_credentials *from)
{
    comb_credentials_done(&session->credentials);
    session->credentials = *from;
    memset(from, 0, sizeof(*from));
    session->generation++;
    session->refresh_after_ns = 0;
}

static void adopt(struct comb_session *session, struct comb_credentials *from)
{
    pthread_mutex_lock(&session->lock);
    adopt_locked(session, from);
    pthread_mutex_unlock(&session->lock);
}

static bool copy(const struct comb_credentials *from, struct comb_credentials *ret_to)
{
    struct comb_credentials to = {.access_expire_s = from->access_expire_s,
                                  .refresh_expire_s = from->refresh_expire_s};
    if (comb_credentials_set(&to.server, from->server) &&
        comb_credentials_set(&to.login, from->login) &&
        comb_credentials_set(&to.access_token, from->access_token) &&
        comb_credentials_set(&to.refresh_token, from->refresh_token) &&
        comb_credentials_set(&to.refresh_request_id, from->refresh_request_id) &&
        comb_credentials_set(&to.seen, from->seen)) {
        *ret_to = to;
        return true;
    }
    comb_credentials_done(&to);
    return false;
}

static enum grpcc_status snapshot(struct comb_session *session,
                                  struct comb_credentials *ret_credentials, struct grpcc_error *err)
{
    pthread_mutex_lock(&session->lock);
    bool good = copy(&session->credentials, ret_credentials);
    pthread_mutex_unlock(&session->lock);
    return good ? GRPCC_OK : comb_error_memory(err);
}

static int64_t file_deadline(void)
{
    return comb_now_ns() + FILE_WAIT_S * COMB_NS_PER_S;
}

enum grpcc_status comb_session_load(struct comb_session *session, const char *path,
                                    const char *server, struct grpcc_error *err)
{
    struct comb_credentials_file file;
    struct comb_credentials stored = {0};
    struct grpcc_error own = GRPCC_ERROR_INIT;
    session->path = path;
    enum grpcc_status status =
        comb_credentials_lock(path, false, file_deadline(), &file, &stored, &own);
    if (status == GRPCC_NOT_FOUND)
        return GRPCC_OK;
    if (status)
        return grpcc_error_set(err, status, "%s", own.message);
    comb_credentials_unlock(&file);
    if (!server || are_among(server, stored.server))
        adopt(session, &stored);
    comb_credentials_done(&stored);
    return GRPCC_OK;
}

enum grpcc_status comb_session_fix(struct comb_session *session, const char *access_token,
                                   struct grpcc_error *err)
{
    struct comb_credentials given = {0};
    if (!comb_credentials_set(&given.access_token, access_token))
        return comb_error_memory(err);
    adopt(session, &given);
    session->fixed = true;
    return GRPCC_OK;
}

enum grpcc_status comb_session_bearer(struct comb_session *session, struct grpcc_arena *arena,
                                      char **ret_text, unsigned *ret_generation,
                                      struct grpcc_error *err)
{
    char *text = NULL;
    pthread_mutex_lock(&session->lock);
    bool wanted = !is_empty(session->credentials.access_token);
    if (wanted)
        text = grpcc_arena_printf(arena, "Bearer %s", session->credentials.access_token);
    *ret_generation = session->generation;
    pthread_mutex_unlock(&session->lock);
    if (wanted && !text)
        return comb_error_memory(err);
    *ret_text = text;
    return GRPCC_OK;
}

bool comb_session_is_stale(struct comb_session *session, unsigned *ret_generation)
{
    pthread_mutex_lock(&session->lock);
    const struct comb_credentials *credentials = &session->credentials;
    bool stale = !session->fixed && !is_empty(credentials->refresh_token) &&
                 credentials->access_expire_s &&
                 credentials->access_expire_s - COMB_REFRESH_AHEAD_S <= comb_wall_s() &&
                 session->refresh_after_ns <= comb_now_ns();
    *ret_generation = session->generation;
    pthread_mutex_unlock(&session->lock);
    return stale;
}

bool comb_session_has_token(struct comb_session *session)
{
    pthread_mutex_lock(&session->lock);
    bool has = !is_empty(session->credentials.access_token);
    pthread_mutex_unlock(&session->lock);
    return has;
}

bool comb_session_can_refresh(struct comb_session *session)
{
    pthread_mutex_lock(&session->lock);
    bool can = !session->fixed && !is_empty(session->credentials.refresh_token);
    pthread_mutex_unlock(&session->lock);
    return can;
}

/* ---- new tokens ---- */

/* When a token ends by this machine's clock; 0, unknown, where that clock cannot be right: a token
 * that was made just now would have ended. */
static int64_t expiry(const struct google_protobuf_timestamp *time)
{
    return time && time->seconds > comb_wall_s() + COMB_REFRESH_AHEAD_S ? time->seconds : 0;
}

static void wipe_pair(const struct comb_v1_token_pair *tokens)
{
    explicit_bzero(tokens->access_token, strlen(tokens->access_token));
    explicit_bzero(tokens->refresh_token, strlen(tokens->refresh_token));
}

/* Puts a pair into credentials, and wipes it. */
static enum grpcc_status take_pair(struct comb_credentials *credentials,
                                   const struct comb_v1_token_pair *tokens, struct grpcc_error *err)
{
    if (!tokens || is_empty(tokens->access_token))
        return grpcc_error_set(err, GRPCC_INTERNAL, "the server sent no tokens");
    bool good = comb_credentials_set(&credentials->access_token, tokens->access_token) &&
                comb_credentials_set(&credentials->refresh_token, tokens->refresh_token) &&
                comb_credentials_set(&credentials->refresh_request_id, NULL);
    credentials->access_expire_s = expiry(tokens->access_expire_time);
    credentials->refresh_expire_s = expiry(tokens->refresh_expire_time);
    wipe_pair(tokens);
    return good ? GRPCC_OK : comb_error_memory(err);
}

/* Keeps credentials in the file (where one is locked) and in memory. */
static enum grpcc_status keep(struct comb_client *client, struct comb_credentials_file *file,
                              struct comb_credentials *credentials, struct grpcc_error *err)
{
    char seen[COMB_SEEN_TEXT_SIZE];
    enum grpcc_status status = GRPCC_OK;
    comb_seen_text(&client->seen, seen);
    if (!comb_credentials_set(&credentials->seen, seen))
        return comb_error_memory(err);
    if (file->fd >= 0)
        status = comb_credentials_write(file, credentials, err);
    /* Tokens that the server gave out are good, whether or not the file took them. */
    adopt(&client->session, credentials);
    return status;
}

enum grpcc_status comb_session_begin(struct comb_client *client, const char *login,
                                     const struct comb_v1_token_pair *tokens,
                                     struct grpcc_error *err)
{
    struct comb_session *session = &client->session;
    struct comb_credentials_file file = {NULL, -1};
    struct comb_credentials before = {0}, credentials = {0};
    enum grpcc_status status = take_pair(&credentials, tokens, err);
    if (status)
        goto out;
    if (!comb_credentials_set(&credentials.server, client->servers) ||
        !comb_credentials_set(&credentials.login, login)) {
        status = comb_error_memory(err);
        goto out;
    }
    pthread_mutex_lock(&session->refresh_lock);
    if (session->path)
        status = comb_credentials_lock(session->path, true, file_deadline(), &file, &before, err);
    if (!status)
        status = keep(client, &file, &credentials, err);
    pthread_mutex_lock(&session->lock);
    session->fixed = false;
    pthread_mutex_unlock(&session->lock);
    comb_credentials_unlock(&file);
    pthread_mutex_unlock(&session->refresh_lock);
out:
    comb_credentials_done(&before);
    comb_credentials_done(&credentials);
    return status;
}

static bool forget_tokens(struct comb_credentials *credentials)
{
    credentials->access_expire_s = 0;
    credentials->refresh_expire_s = 0;
    return comb_credentials_set(&credentials->access_token, NULL) &&
           comb_credentials_set(&credentials->refresh_token, NULL) &&
           comb_credentials_set(&credentials->refresh_request_id, NULL);
}

enum grpcc_status comb_session_forget(struct comb_client *client, struct grpcc_error *err)
{
    struct comb_session *session = &client->session;
    struct comb_credentials_file file = {NULL, -1};
    struct comb_credentials stored = {0}, credentials = {0};
    pthread_mutex_lock(&session->refresh_lock);
    enum grpcc_status status = snapshot(session, &credentials, err);
    if (!status && session->path) {
        status = comb_credentials_lock(session->path, false, file_deadline(), &file, &stored, err);
        if (status == GRPCC_NOT_FOUND)
            status = GRPCC_OK;
    }
    if (!status && !forget_tokens(&credentials))
        status = comb_error_memory(err);
    if (!status)
        status = keep(client, &file, &credentials, err);
    comb_credentials_unlock(&file);
    pthread_mutex_unlock(&session->refresh_lock);
    comb_credentials_done(&stored);
    comb_credentials_done(&credentials);
    return status;
}

/* ---- refresh ---- */

/* Whether the server has decided: another try with the same request id would give the same. */
static bool is_final(enum grpcc_status status)
{
    switch (status) {
    case GRPCC_OK:
    case GRPCC_UNAUTHENTICATED:
    case GRPCC_INVALID_ARGUMENT:
    case GRPCC_OUT_OF_RANGE:
    case GRPCC_NOT_FOUND:
    case GRPCC_PERMISSION_DENIED:
    case GRPCC_FAILED_PRECONDITION:
        return true;
    default:
        return false;
    }
}

static enum grpcc_status call_refresh(struct comb_client *client,
                                      struct comb_credentials *credentials, int64_t deadline_ns,
                                      struct grpcc_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(REFRESH_ARENA_MAX);
    struct comb_v1_auth_refresh_request *request =
        arena ? comb_v1_auth_refresh_request_new(arena) : NULL;
    struct comb_v1_auth_refresh_response *response = NULL;
    struct grpcc_call_options options = {
        .size = sizeof(options), .timeout_ms = (deadline_ns - comb_now_ns()) / COMB_NS_PER_MS + 1};
    enum grpcc_status status;
    if (!request) {
        status = comb_error_memory(err);
        goto out;
    }
    comb_v1_auth_refresh_request_set_request_id(request, credentials->refresh_request_id);
    comb_v1_auth_refresh_request_set_refresh_token(request, credentials->refresh_token);
    status = comb_v1_auth_refresh(client->channel, arena, &options, request, &response, err);
    if (!status)
        status = take_pair(credentials, response->tokens, err);
out:
    if (err)
        err->details = NULL; /* the arena that they lie in ends here */
    grpcc_arena_free(arena);
    return status;
}

/* With the file locked, if there is one, and the id of this refresh kept in it: whatever becomes of
 * this process, the next one repeats the same refresh. */
static enum grpcc_status refresh_stored(struct comb_client *client,
                                        struct comb_credentials_file *file,
                                        struct comb_credentials *credentials, int64_t deadline_ns,
                                        struct grpcc_error *err)
{
    struct comb_session *session = &client->session;
    enum grpcc_status status = GRPCC_OK;
    if (is_empty(credentials->refresh_token))
        return grpcc_error_set(err, GRPCC_UNAUTHENTICATED, "not logged in");
    if (is_empty(credentials->refresh_request_id)) {
        char id[COMB_ID_LENGTH + 1];
        comb_id_new(id);
        if (!comb_credentials_set(&credentials->refresh_request_id, id))
            return comb_error_memory(err);
        if (file->fd >= 0)
            status = comb_credentials_write(file, credentials, err);
        if (status)
            return status;
        pthread_mutex_lock(&session->lock);
        bool kept = comb_credentials_set(&session->credentials.refresh_request_id, id);
        pthread_mutex_unlock(&session->lock);
        if (!kept)
            return comb_error_memory(err);
    }
    status = call_refresh(client, credentials, deadline_ns, err);
    if (!is_final(status))
        return status;
    if (status) {
        struct grpcc_error ignored = GRPCC_ERROR_INIT;
        bool ended = status == GRPCC_UNAUTHENTICATED;
        if (ended ? forget_tokens(credentials)
                  : comb_credentials_set(&credentials->refresh_request_id, NULL))
            (void)!keep(client, file, credentials, &ignored); /* the refusal is what counts */
        return status;
    }
    return keep(client, file, credentials, err);
}

static enum grpcc_status refresh_held(struct comb_client *client, int64_t deadline_ns,
                                      struct grpcc_error *err)
{
    struct comb_session *session = &client->session;
    struct comb_credentials_file file = {NULL, -1};
    struct comb_credentials mine = {0}, stored = {0};
    enum grpcc_status status = snapshot(session, &mine, err);
    if (!status && session->path)
        status = comb_credentials_lock(session->path, true, deadline_ns, &file, &stored, err);
    if (status)
        goto out;
    if (!is_empty(stored.access_token) && are_among(client->servers, stored.server)) {
        /* The file is what processes share: what it says is newer, or the same. */
        bool newer =
            is_empty(mine.access_token) || strcmp(mine.access_token, stored.access_token) != 0;
        comb_credentials_done(&mine);
        mine = stored;
        memset(&stored, 0, sizeof(stored));
        if (newer) {
            adopt(session, &mine);
            goto out;
        }
    }
    status = refresh_stored(client, &file, &mine, deadline_ns, err);
out:
    comb_credentials_unlock(&file);
    comb_credentials_done(&mine);
    comb_credentials_done(&stored);
    return status;
}

enum grpcc_status comb_session_refresh(struct comb_client *client, unsigned generation,
                                       int64_t deadline_ns, struct grpcc_error *err)
{
    struct comb_session *session = &client->session;
    enum grpcc_status status = GRPCC_OK;
    pthread_mutex_lock(&session->refresh_lock);
    pthread_mutex_lock(&session->lock);
    bool done = session->generation != generation;
    pthread_mutex_unlock(&session->lock);
    if (!done)
        status = refresh_held(client, deadline_ns, err);
    if (status) {
        pthread_mutex_lock(&session->lock);
        session->refresh_after_ns = comb_now_ns() + REFRESH_RETRY_S * COMB_NS_PER_S;
        pthread_mutex_unlock(&session->lock);
    }
    pthread_mutex_unlock(&session->refresh_lock);
    return status;
}

void comb_session_save_seen(struct comb_client *client)
{
    struct comb_session *session = &client->session;
    struct comb_credentials_file file = {NULL, -1};
    struct comb_credentials stored = {0};
    struct grpcc_error ignored = GRPCC_ERROR_INIT;
    char seen[COMB_SEEN_TEXT_SIZE];
    if (!session->path || session->fixed || !comb_seen_take_changed(&client->seen))
        return;
    if (comb_credentials_lock(session->path, false, file_deadline(), &file, &stored, &ignored))
        return;
    if (are_among(client->servers, stored.server)) {
        /* Another process may have seen more meanwhile. */
        if (stored.seen)
            (void)comb_seen_add(&client->seen, stored.seen, strlen(stored.seen));
        comb_seen_text(&client->seen, seen);
        if (comb_credentials_set(&stored.seen, seen))
            (void)!comb_credentials_write(&file, &stored, &ignored);
    }
    comb_credentials_unlock(&file);
    comb_credentials_done(&stored);
}
