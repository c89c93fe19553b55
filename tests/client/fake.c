/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/client/fake.h"

#include <google/protobuf/duration.grpcc.h>
#include <google/protobuf/timestamp.grpcc.h>
#include <google/rpc/error_details.grpcc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comb/v1/auth.grpcc.h"
#include "comb/v1/registry.grpcc.h"
#include "comb/v1/tree.grpcc.h"
#include "tests/client/fake_data.h"

static const char FILE_ID[] = "01890a5d-ac96-774b-bcce-b302099a8057";

/* ---- what is the same for every call ---- */

static void copy_header(struct grpcc_call *call, const char *key, char ret_text[FAKE_TEXT_MAX])
{
    size_t length = 0;
    const char *value = grpcc_call_metadata(call, key, &length);
    snprintf(ret_text, FAKE_TEXT_MAX, "%.*s", (int)length, value ? value : "");
}

void fake_note(struct fake *fake, struct grpcc_call *call, const char *request_id)
{
    struct fake_call noted = {0};
    snprintf(noted.method, sizeof(noted.method), "%s", grpcc_call_method(call)->name);
    snprintf(noted.request_id, sizeof(noted.request_id), "%s", request_id);
    copy_header(call, "comb-request-id", noted.header_request_id);
    copy_header(call, "authorization", noted.authorization);
    copy_header(call, "comb-token", noted.seen);
    copy_header(call, "comb-consistency", noted.consistency);
    pthread_mutex_lock(&fake->lock);
    if (fake->n_calls < FAKE_CALLS_MAX)
        fake->calls[fake->n_calls] = noted;
    fake->n_calls++;
    if (*fake->token)
        assert_true(
            grpcc_call_add_initial_metadata(call, "comb-token", fake->token, strlen(fake->token)));
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->lock);
}

static void add_reason(struct grpcc_call *call, const char *reason)
{
    struct google_rpc_error_info *info = google_rpc_error_info_new(grpcc_call_arena(call));
    assert_non_null(info);
    google_rpc_error_info_set_reason(info, reason);
    google_rpc_error_info_set_domain(info, "comb");
    grpcc_call_add_detail(call, &info->base);
}

static void add_retry_info(struct grpcc_call *call, int64_t seconds)
{
    struct google_rpc_retry_info *info = google_rpc_retry_info_new(grpcc_call_arena(call));
    assert_non_null(info);
    info->retry_delay = google_protobuf_duration_new(grpcc_call_arena(call));
    assert_non_null(info->retry_delay);
    info->retry_delay->seconds = seconds;
    grpcc_call_add_detail(call, &info->base);
}

bool fake_admit(struct fake *fake, struct grpcc_call *call)
{
    char expected[FAKE_TEXT_MAX], given[FAKE_TEXT_MAX];
    copy_header(call, "authorization", given);
    pthread_mutex_lock(&fake->lock);
    snprintf(expected, sizeof(expected), "Bearer access-%u", fake->session);
    bool ended = fake->session_ended || fake->session == 0;
    bool good = !ended && !fake->expired && strcmp(given, expected) == 0;
    bool fails = good && fake->fault.times > 0;
    struct fake_fault fault = fake->fault;
    fake->fault.times -= fails ? 1 : 0;
    pthread_mutex_unlock(&fake->lock);
    if (!good) {
        add_reason(call, ended ? "TOKEN_REVOKED" : "TOKEN_EXPIRED");
        grpcc_call_fail(call, GRPCC_UNAUTHENTICATED, "%s", ended ? "revoked" : "expired");
    } else if (fails) {
        if (fault.has_pushback)
            grpcc_call_set_pushback_ms(call, fault.pushback_ms);
        if (fault.retry_info_s)
            add_retry_info(call, fault.retry_info_s);
        grpcc_call_fail(call, fault.status, "%s",
                        fault.message ? fault.message : "as the test wants");
    }
    return good && !fails;
}

struct comb_v1_node *fake_node(struct fake *fake, struct grpcc_arena *arena)
{
    struct comb_v1_node *node = comb_v1_node_new(arena);
    assert_non_null(node);
    comb_v1_node_set_id(node, FILE_ID);
    comb_v1_node_set_name(node, "a.txt");
    node->kind = COMB_V1_NODE_KIND_FILE;
    node->size = fake->size;
    comb_v1_node_set_etag(node, grpcc_arena_printf(arena, "etag-%u", fake->etag));
    return node;
}

/* ---- Tree ---- */

static void stat_node(void *self, struct grpcc_call *call,
                      const struct comb_v1_tree_stat_request *request)
{
    struct fake *fake = self;
    (void)request;
    fake_note(fake, call, "");
    if (!fake_admit(fake, call))
        return;
    struct comb_v1_tree_stat_response *response =
        comb_v1_tree_stat_response_new(grpcc_call_arena(call));
    pthread_mutex_lock(&fake->lock);
    while (fake->hold && !grpcc_call_is_cancelled(call)) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 10 * 1000 * 1000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&fake->changed, &fake->lock, &soon);
    }
    response->node = fake_node(fake, grpcc_call_arena(call));
    pthread_mutex_unlock(&fake->lock);
    comb_v1_tree_stat_finish(call, response);
}

static void create_folder(void *self, struct grpcc_call *call,
                          const struct comb_v1_tree_create_folder_request *request)
{
    struct fake *fake = self;
    fake_note(fake, call, request->request_id);
    if (fake_admit(fake, call))
        comb_v1_tree_create_folder_finish(
            call, comb_v1_tree_create_folder_response_new(grpcc_call_arena(call)));
}

static const struct comb_v1_tree_server TREE = {.stat = stat_node, .create_folder = create_folder};

/* ---- Registry: it is asked in the background, and so not noted, and never fails ---- */

static void list_replicas(void *self, struct grpcc_call *call,
                          const struct comb_v1_registry_list_request *request)
{
    struct fake *fake = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_registry_list_response *response = comb_v1_registry_list_response_new(arena);
    char *rest = NULL;
    (void)request;
    pthread_mutex_lock(&fake->lock);
    char *text = grpcc_arena_strdup(arena, fake->listed);
    pthread_mutex_unlock(&fake->lock);
    for (char *address = strtok_r(text, ",", &rest); address;
         address = strtok_r(NULL, ",", &rest)) {
        struct comb_v1_registry_entry *entry = comb_v1_registry_entry_new(arena);
        comb_v1_registry_entry_set_service(entry, "comb");
        comb_v1_registry_entry_set_id(entry, address);
        assert_true(comb_v1_registry_entry_add_addresses(arena, entry, address));
        assert_true(comb_v1_registry_list_response_add_entries(arena, response, entry));
    }
    comb_v1_registry_list_finish(call, response);
}

static const struct comb_v1_registry_server REGISTRY = {.list = list_replicas};

void fake_set_listed(struct fake *fake, const char *listed)
{
    pthread_mutex_lock(&fake->lock);
    snprintf(fake->listed, sizeof(fake->listed), "%s", listed);
    pthread_mutex_unlock(&fake->lock);
}

/* ---- Auth ---- */

static struct comb_v1_token_pair *tokens_locked(struct fake *fake, struct grpcc_arena *arena)
{
    struct comb_v1_token_pair *pair = comb_v1_token_pair_new(arena);
    pair->access_expire_time = google_protobuf_timestamp_new(arena);
    pair->refresh_expire_time = google_protobuf_timestamp_new(arena);
    pair->access_expire_time->seconds = time(NULL) + fake->token_life_s;
    pair->refresh_expire_time->seconds = time(NULL) + 86400;
    comb_v1_token_pair_set_access_token(pair,
                                        grpcc_arena_printf(arena, "access-%u", fake->session));
    comb_v1_token_pair_set_refresh_token(pair,
                                         grpcc_arena_printf(arena, "refresh-%u", fake->session));
    return pair;
}

static void login(void *self, struct grpcc_call *call,
                  const struct comb_v1_auth_login_request *request)
{
    struct fake *fake = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_auth_login_response *response = comb_v1_auth_login_response_new(arena);
    fake_note(fake, call, "");
    if (strcmp(request->password, "right") != 0) {
        add_reason(call, "CREDENTIALS_INVALID");
        grpcc_call_fail(call, GRPCC_UNAUTHENTICATED, "login or password is wrong");
        return;
    }
    pthread_mutex_lock(&fake->lock);
    fake->session++;
    fake->session_ended = false;
    response->tokens = tokens_locked(fake, arena);
    pthread_mutex_unlock(&fake->lock);
    comb_v1_auth_login_finish(call, response);
}

static void refresh(void *self, struct grpcc_call *call,
                    const struct comb_v1_auth_refresh_request *request)
{
    struct fake *fake = self;
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_auth_refresh_response *response = comb_v1_auth_refresh_response_new(arena);
    char current[FAKE_TEXT_MAX];
    fake_note(fake, call, request->request_id);
    pthread_mutex_lock(&fake->lock);
    snprintf(current, sizeof(current), "refresh-%u", fake->session);
    bool replay = strcmp(request->request_id, fake->refresh_id) == 0;
    bool good = !fake->session_ended && (replay || strcmp(request->refresh_token, current) == 0);
    bool lost = good && fake->lose_answers > 0;
    if (good && !replay) {
        fake->session++;
        fake->refreshes++;
        fake->expired = false;
        snprintf(fake->refresh_id, sizeof(fake->refresh_id), "%s", request->request_id);
    }
    if (good)
        response->tokens = tokens_locked(fake, arena);
    fake->session_ended |= !good;
    fake->lose_answers -= lost ? 1 : 0;
    pthread_mutex_unlock(&fake->lock);
    if (!good) {
        add_reason(call, "REFRESH_REUSED");
        grpcc_call_fail(call, GRPCC_UNAUTHENTICATED, "used twice");
    } else if (lost) {
        grpcc_call_fail(call, GRPCC_UNAVAILABLE, "the answer is lost");
    } else {
        comb_v1_auth_refresh_finish(call, response);
    }
}

static void logout(void *self, struct grpcc_call *call,
                   const struct comb_v1_auth_logout_request *request)
{
    struct fake *fake = self;
    fake_note(fake, call, request->request_id);
    if (!fake_admit(fake, call))
        return;
    pthread_mutex_lock(&fake->lock);
    fake->session_ended = true;
    pthread_mutex_unlock(&fake->lock);
    comb_v1_auth_logout_finish(call, comb_v1_auth_logout_response_new(grpcc_call_arena(call)));
}

static const struct comb_v1_auth_server AUTH = {
    .login = login, .refresh = refresh, .logout = logout};

/* ---- life ---- */

void fake_restart(struct fake *fake)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char address[64];
    fake->server = grpcc_server_new(NULL, &err);
    assert_non_null(fake->server);
    snprintf(address, sizeof(address), "127.0.0.1:%d", fake->port);
    must_ok(comb_v1_tree_register(fake->server, &TREE, fake, &err), &err);
    must_ok(comb_v1_registry_register(fake->server, &REGISTRY, fake, &err), &err);
    must_ok(comb_v1_auth_register(fake->server, &AUTH, fake, &err), &err);
    must_ok(comb_v1_data_register(fake->server, &fake_data, fake, &err), &err);
    must_ok(grpcc_server_listen(fake->server, address, NULL, &fake->port, &err), &err);
    must_ok(grpcc_server_start(fake->server, &err), &err);
    snprintf(fake->address, sizeof(fake->address), "127.0.0.1:%d", fake->port);
}

void fake_start(struct fake *fake, int port)
{
    memset(fake, 0, sizeof(*fake));
    pthread_mutex_init(&fake->lock, NULL);
    pthread_cond_init(&fake->changed, NULL);
    fake->token_life_s = 600;
    fake->etag = 1;
    fake->port = port;
    fake->content = calloc(1, FAKE_CONTENT_MAX);
    assert_non_null(fake->content);
    fake_restart(fake);
}

void fake_stop(struct fake *fake)
{
    grpcc_server_free(fake->server);
    fake->server = NULL;
}

void fake_done(struct fake *fake)
{
    fake_stop(fake);
    free(fake->content);
    pthread_cond_destroy(&fake->changed);
    pthread_mutex_destroy(&fake->lock);
}

void fake_fail(struct fake *fake, struct fake_fault fault)
{
    pthread_mutex_lock(&fake->lock);
    fake->fault = fault;
    pthread_mutex_unlock(&fake->lock);
}

unsigned fake_read(struct fake *fake, const unsigned *number)
{
    pthread_mutex_lock(&fake->lock);
    unsigned value = *number;
    pthread_mutex_unlock(&fake->lock);
    return value;
}

void fake_write(struct fake *fake, unsigned *number, unsigned value)
{
    pthread_mutex_lock(&fake->lock);
    *number = value;
    pthread_mutex_unlock(&fake->lock);
}

void fake_must_hold(struct fake *fake, const void *bytes, size_t size)
{
    pthread_mutex_lock(&fake->lock);
    size_t held = fake->size;
    int order = memcmp(fake->content, bytes, size);
    pthread_mutex_unlock(&fake->lock);
    assert_int_equal(held, size);
    assert_int_equal(order, 0);
}

void fake_fill(struct fake *fake, const void *bytes, size_t size)
{
    pthread_mutex_lock(&fake->lock);
    memcpy(fake->content, bytes, size);
    fake->size = size;
    pthread_mutex_unlock(&fake->lock);
}

void fake_set_token(struct fake *fake, const char *token)
{
    pthread_mutex_lock(&fake->lock);
    snprintf(fake->token, sizeof(fake->token), "%s", token);
    pthread_mutex_unlock(&fake->lock);
}

/* ---- what came ---- */

static size_t count_locked(const struct fake *fake, const char *method)
{
    size_t n = 0;
    for (size_t i = 0; i < fake->n_calls && i < FAKE_CALLS_MAX; i++)
        n += strcmp(fake->calls[i].method, method) == 0;
    return n;
}

size_t fake_count(struct fake *fake, const char *method)
{
    pthread_mutex_lock(&fake->lock);
    size_t n = count_locked(fake, method);
    pthread_mutex_unlock(&fake->lock);
    return n;
}

struct fake_call fake_get(struct fake *fake, const char *method, size_t n)
{
    struct fake_call found = {0};
    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->n_calls && i < FAKE_CALLS_MAX; i++)
        if (strcmp(fake->calls[i].method, method) == 0 && n-- == 0)
            found = fake->calls[i];
    pthread_mutex_unlock(&fake->lock);
    assert_true(*found.method);
    return found;
}

void fake_wait(struct fake *fake, const char *method, size_t n)
{
    pthread_mutex_lock(&fake->lock);
    while (count_locked(fake, method) < n)
        pthread_cond_wait(&fake->changed, &fake->lock);
    pthread_mutex_unlock(&fake->lock);
}

void fake_release(struct fake *fake)
{
    pthread_mutex_lock(&fake->lock);
    fake->hold = false;
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->lock);
}

/* ---- clients ---- */

void fake_must(enum grpcc_status expected, enum grpcc_status status, const struct grpcc_error *err,
               const char *call, const char *file, int line)
{
    if (status == expected)
        return;
    print_error("%s: %s (%s)\n", call, grpcc_status_name(status), err->message);
    _fail(file, line);
}

struct comb_client *fake_client(struct fake *fake, const struct comb_client_options *options)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = NULL;
    must_ok(comb_client_open(fake->address, options, &client, &err), &err);
    must_ok(comb_client_login(client, "admin", "right", "test", &err), &err);
    return client;
}

enum grpcc_status fake_stat(struct comb_client *client, struct grpcc_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_stat_response *response = NULL;
    enum grpcc_status status =
        comb_v1_tree_stat(comb_client_channel(client), arena, NULL,
                          comb_v1_tree_stat_request_new(arena), &response, err);
    assert_true(status || response);
    err->details = NULL;
    grpcc_arena_free(arena);
    return status;
}

enum grpcc_status fake_create(struct comb_client *client, const char *request_id,
                              struct grpcc_error *err)
{
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_create_folder_response *response = NULL;
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    comb_v1_tree_create_folder_request_set_request_id(request, request_id);
    enum grpcc_status status = comb_v1_tree_create_folder(comb_client_channel(client), arena, NULL,
                                                          request, &response, err);
    assert_string_equal(request->request_id, request_id ? request_id : "");
    err->details = NULL;
    grpcc_arena_free(arena);
    return status;
}
