/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/revocation.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/v1/auth.grpcc.h"
#include "comb/v1/identity.grpcc.h"
#include "comb/v1/permissions.grpcc.h"
#include "tests/e2e/calls.h"
#include "tests/support/cmocka.h"

#define BOUND_NS (250 * INT64_C(1000000))
#define NS_PER_MS 1e6
#define OTHERS 2 /* replicas that are told nothing */
/* Trials of which several are under way. */
#define LANES 8
#define LANES_THAT_ASK 2
#define RIGHTS_SHORT 6
#define RIGHTS_LONG 1250
#define TOKENS_SHORT 2
#define TOKENS_LONG 125
#define USERS_SHORT 2
#define USERS_LONG 50
#define WAITS_MAX (LANES * OTHERS * RIGHTS_LONG)
#define PAUSE_MS 1
#define CALL_MS 60000
#define TEXT_BYTES 128
#define PASSWORD "correct horse battery staple"

struct lane {
    unsigned turn;
    char user[TEXT_BYTES];   /* whose right, token, account it is */
    char folder[TEXT_BYTES]; /* what is read: a path or an id */
    char token[TEXT_BYTES], token_id[TEXT_BYTES];
    struct comb_client *at_first;       /* of the user */
    struct comb_client *others[OTHERS]; /* of the user, by his session or his token */
    int64_t waits[OTHERS];              /* of this trial */
    char failure[GRPCC_STATUS_MESSAGE_MAX + 256];
};

/* What is given and taken. give: seen everywhere when it returns. take: at the first replica. Both
 * say in lane->failure what went wrong. */
struct kind {
    const char *name;
    unsigned count_short, count_long;
    bool (*give)(struct lane *lane);
    bool (*take)(struct lane *lane);
    bool (*at_once)(struct lane *lane); /* what is refused without a wait; NULL: nothing is */
};

static struct combd *replicas[1 + OTHERS];
static struct comb_client *admin;
static struct lane lanes[LANES];
static int64_t waits[WAITS_MAX];
static size_t n_waits;
static pthread_mutex_t waits_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- calls ---- */

static bool good(struct lane *lane, enum grpcc_status status, const struct grpcc_error *err,
                 const char *what)
{
    if (status != GRPCC_OK && !lane->failure[0])
        snprintf(lane->failure, sizeof lane->failure, "%s: %s: %s", what, grpcc_status_name(status),
                 err->message);
    return status == GRPCC_OK;
}

/* A machine that stands still for seconds makes the database seem away: many attempts. */
static struct comb_client *open_at(struct lane *lane, const struct combd *combd, const char *token)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = NULL;
    struct comb_client_options options = {.size = sizeof options,
                                          .access_token = token,
                                          .pinned = true,
                                          .timeout_ms = CALL_MS,
                                          .attempts_max = 100,
                                          .retry_tokens_max = 10000};
    (void)good(lane, comb_client_open(combd->address, &options, &client, &err), &err, "open");
    return client;
}

static struct comb_client *log_in_at(struct lane *lane, const struct combd *combd,
                                     const char *login, const char *password)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = open_at(lane, combd, NULL);
    if (client && !good(lane, comb_client_login(client, login, password, "revocation", &err), &err,
                        "log in")) {
        comb_client_close(client);
        client = NULL;
    }
    return client;
}

static enum grpcc_status read_folder(struct comb_client *client, const char *folder, bool strong,
                                     struct grpcc_error *err)
{
    static const struct grpcc_metadata header = {"comb-consistency", "strong", 6};
    struct grpcc_call_options options = {
        .size = sizeof options, .metadata = &header, .n_metadata = 1};
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    struct comb_v1_tree_stat_response *response = NULL;
    request->node = calls_ref(arena, folder);
    enum grpcc_status status = comb_v1_tree_stat(comb_client_channel(client), arena,
                                                 strong ? &options : NULL, request, &response, err);
    grpcc_arena_free(arena);
    return status;
}

static bool is_seen_everywhere(struct lane *lane)
{
    for (size_t i = 0; i < OTHERS; i++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        if (!good(lane, read_folder(lane->others[i], lane->folder, true, &err), &err,
                  "a strong read of what was given"))
            return false;
    }
    return true;
}

/* ---- a right ---- */

static bool give_right(struct lane *lane)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_permissions_grant_request *request =
        comb_v1_permissions_grant_request_new(arena);
    struct comb_v1_permissions_grant_response *response = NULL;
    request->node = calls_ref(arena, lane->folder);
    request->subject = comb_v1_subject_new(arena);
    comb_v1_subject_set_user(request->subject, lane->user);
    request->rights = COMB_V1_RIGHTS_READ;
    enum grpcc_status status = comb_v1_permissions_grant(comb_client_channel(admin), arena, NULL,
                                                         request, &response, &err);
    grpcc_arena_free(arena);
    return good(lane, status, &err, "grant") && is_seen_everywhere(lane);
}

static bool take_right(struct lane *lane)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_permissions_revoke_request *request =
        comb_v1_permissions_revoke_request_new(arena);
    struct comb_v1_permissions_revoke_response *response = NULL;
    request->node = calls_ref(arena, lane->folder);
    request->subject = comb_v1_subject_new(arena);
    comb_v1_subject_set_user(request->subject, lane->user);
    enum grpcc_status status = comb_v1_permissions_revoke(comb_client_channel(admin), arena, NULL,
                                                          request, &response, &err);
    grpcc_arena_free(arena);
    return good(lane, status, &err, "revoke");
}

/* ---- a token ---- */

static bool make_token(struct lane *lane)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_auth_create_token_request *request =
        comb_v1_auth_create_token_request_new(arena);
    struct comb_v1_auth_create_token_response *response = NULL;
    comb_v1_auth_create_token_request_set_label(request, "revocation");
    enum grpcc_status status = comb_v1_auth_create_token(comb_client_channel(lane->at_first), arena,
                                                         NULL, request, &response, &err);
    if (status == GRPCC_OK) {
        snprintf(lane->token, sizeof lane->token, "%s", response->token);
        snprintf(lane->token_id, sizeof lane->token_id, "%s", response->token_id);
    }
    grpcc_arena_free(arena);
    return good(lane, status, &err, "make a token");
}

static void close_others(struct lane *lane)
{
    for (size_t i = 0; i < OTHERS; i++) {
        comb_client_close(lane->others[i]);
        lane->others[i] = NULL;
    }
}

static bool open_others(struct lane *lane)
{
    close_others(lane);
    for (size_t i = 0; i < OTHERS; i++)
        if (!(lane->others[i] = open_at(lane, replicas[1 + i], lane->token)))
            return false;
    return is_seen_everywhere(lane);
}

static bool give_token(struct lane *lane)
{
    return make_token(lane) && open_others(lane);
}

static bool take_token(struct lane *lane)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_auth_revoke_token_request *request =
        comb_v1_auth_revoke_token_request_new(arena);
    struct comb_v1_auth_revoke_token_response *response = NULL;
    comb_v1_auth_revoke_token_request_set_token_id(request, lane->token_id);
    enum grpcc_status status = comb_v1_auth_revoke_token(comb_client_channel(lane->at_first), arena,
                                                         NULL, request, &response, &err);
    grpcc_arena_free(arena);
    return good(lane, status, &err, "revoke a token");
}

/* ---- an account ---- */

static bool make_user(struct lane *lane, const char *login)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_identity_create_user_request *request =
        comb_v1_identity_create_user_request_new(arena);
    struct comb_v1_identity_create_user_response *response = NULL;
    comb_v1_identity_create_user_request_set_login(request, login);
    comb_v1_identity_create_user_request_set_password(request, PASSWORD);
    enum grpcc_status status = comb_v1_identity_create_user(comb_client_channel(admin), arena, NULL,
                                                            request, &response, &err);
    grpcc_arena_free(arena);
    snprintf(lane->user, sizeof lane->user, "%s", login);
    comb_client_close(lane->at_first);
    lane->at_first = NULL;
    if (good(lane, status, &err, "make a user"))
        lane->at_first = log_in_at(lane, replicas[0], login, PASSWORD);
    return lane->at_first != NULL;
}

static bool give_account(struct lane *lane)
{
    static atomic_uint n;
    char login[TEXT_BYTES];
    snprintf(login, sizeof login, "account-%u", atomic_fetch_add(&n, 1));
    return make_user(lane, login) && make_token(lane) && open_others(lane);
}

static bool take_account(struct lane *lane)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_identity_update_user_request *request =
        comb_v1_identity_update_user_request_new(arena);
    struct comb_v1_identity_update_user_response *response = NULL;
    char path[] = "disabled", *paths[] = {path};
    struct google_protobuf_field_mask *mask = google_protobuf_field_mask_new(arena);
    mask->n_paths = 1;
    mask->paths = paths;
    comb_v1_identity_update_user_request_set_user(request, lane->user);
    request->update_mask = mask;
    request->disabled = true;
    enum grpcc_status status = comb_v1_identity_update_user(comb_client_channel(admin), arena, NULL,
                                                            request, &response, &err);
    grpcc_arena_free(arena);
    return good(lane, status, &err, "disable a user");
}

/* Who is disabled logs in nowhere. */
static bool logs_in_nowhere(struct lane *lane)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client *client = open_at(lane, replicas[1 + (size_t)(lane - lanes) % OTHERS], NULL);
    if (!client)
        return false;
    enum grpcc_status status = comb_client_login(client, lane->user, PASSWORD, "revocation", &err);
    comb_client_close(client);
    if (status == GRPCC_UNAUTHENTICATED || status == GRPCC_PERMISSION_DENIED)
        return true;
    snprintf(lane->failure, sizeof lane->failure, "who was disabled logged in: %s: %s",
             grpcc_status_name(status), err.message);
    return false;
}

/* ---- trials ---- */

static const struct kind kinds[] = {
    {"a right", RIGHTS_SHORT, RIGHTS_LONG, give_right, take_right, NULL},
    {"a token", TOKENS_SHORT, TOKENS_LONG, give_token, take_token, NULL},
    {"a disabled user", USERS_SHORT, USERS_LONG, give_account, take_account, logs_in_nowhere},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])
static const struct kind *kind;

/* How long after the acknowledgement the last read began that was allowed; 0: none was. */
static bool await_refusal(struct lane *lane, int64_t taken_ns)
{
    bool refused[OTHERS] = {false};
    for (size_t left = OTHERS; left > 0; calls_sleep_ms(PAUSE_MS)) {
        for (size_t i = 0; i < OTHERS; i++) {
            struct grpcc_error err = GRPCC_ERROR_INIT;
            if (refused[i])
                continue;
            int64_t after_ns = calls_now_ns() - taken_ns;
            enum grpcc_status status = read_folder(lane->others[i], lane->folder, false, &err);
            if (status == GRPCC_NOT_FOUND || status == GRPCC_UNAUTHENTICATED) {
                refused[i] = true;
                left--;
                continue;
            }
            if (!good(lane, status, &err, "a read of what was taken"))
                return false;
            lane->waits[i] = after_ns;
            if (after_ns > BOUND_NS) {
                snprintf(lane->failure, sizeof lane->failure,
                         "replica %zu allowed a read that began %.0f ms after it was taken", i + 2,
                         (double)after_ns / NS_PER_MS);
                return false;
            }
        }
    }
    return true;
}

static void note_waits(const struct lane *lane)
{
    pthread_mutex_lock(&waits_lock);
    for (size_t i = 0; i < OTHERS && n_waits < WAITS_MAX; i++)
        waits[n_waits++] = lane->waits[i];
    pthread_mutex_unlock(&waits_lock);
}

static void *run_lane(void *data)
{
    struct lane *lane = data;
    unsigned count = calls_count(kind->count_short, kind->count_long);
    bool going = true;
    for (lane->turn = 0; going && lane->turn < count; lane->turn++) {
        memset(lane->waits, 0, sizeof lane->waits);
        going = kind->give(lane) && kind->take(lane);
        int64_t taken_ns = calls_now_ns();
        /* Asking takes long, so such a trial tells nothing of how soon; and who fails to log in too
         * often waits. */
        bool asked = kind->at_once && lane->turn == 1 && lane < lanes + LANES_THAT_ASK;
        going = going && (!asked || kind->at_once(lane)) && await_refusal(lane, taken_ns);
        if (going && !asked)
            note_waits(lane);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void run_kind(const char *stores)
{
    pthread_t threads[LANES];
    n_waits = 0;
    for (size_t i = 0; i < LANES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_lane, &lanes[i]), 0);
    for (size_t i = 0; i < LANES; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < LANES; i++)
        if (lanes[i].failure[0])
            fail_msg("%s, %s, trial %u: %s", kind->name, stores, lanes[i].turn, lanes[i].failure);
    qsort(waits, n_waits, sizeof waits[0], by_value);
    print_message("| %s | %s | %zu | %.1f | %.1f | %.1f |\n", stores, kind->name, n_waits,
                  (double)waits[n_waits / 2] / NS_PER_MS,
                  (double)waits[n_waits * 99 / 100] / NS_PER_MS,
                  (double)waits[n_waits - 1] / NS_PER_MS);
}

/* The user of a lane, and what he reads: a folder of the administrator's where the trials are of a
 * right, else his own. */
static void prepare(struct lane *lane, bool of_right)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_node *made = NULL;
    char name[TEXT_BYTES];
    snprintf(lane->folder, sizeof lane->folder, "/personal");
    if (!give_account(lane))
        fail_msg("%s", lane->failure);
    if (of_right) {
        snprintf(name, sizeof name, "of-%.100s", lane->user);
        if (calls_mkdir(admin, arena, "/personal", name, false, &made, &err) != GRPCC_OK)
            fail_msg("%s: %s", name, err.message);
        snprintf(lane->folder, sizeof lane->folder, "%s", made->id);
    }
    grpcc_arena_free(arena);
}

static void run_kinds(const char *stores)
{
    print_message(
        "| stores | what was taken | reads at another replica | p50 ms | p99 ms | most ms "
        "|\n|---|---|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < N_KINDS; i++) {
        kind = &kinds[i];
        for (size_t j = 0; j < LANES; j++)
            prepare(&lanes[j], kind->take == take_right);
        run_kind(stores);
        for (size_t j = 0; j < LANES; j++)
            close_others(&lanes[j]);
    }
}

/* ---- ---- */

void revocation_begin(struct combd *first, struct combd *second, struct combd *third)
{
    struct lane *any = &lanes[0];
    replicas[0] = first;
    replicas[1] = second;
    replicas[2] = third;
    admin = log_in_at(any, first, "admin", first->password);
    if (!admin)
        fail_msg("%s", any->failure);
}

void revocation_end(void)
{
    for (size_t i = 0; i < LANES; i++) {
        close_others(&lanes[i]);
        comb_client_close(lanes[i].at_first);
    }
    comb_client_close(admin);
}

void what_was_taken_is_refused(void **state)
{
    (void)state;
    run_kinds("all up");
}

void what_was_taken_is_refused_without_nats(void **state)
{
    (void)state;
    stores_freeze(replicas[0]->stores, "nats");
    run_kinds("NATS frozen");
    stores_thaw(replicas[0]->stores, "nats");
}
