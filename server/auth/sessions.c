/* SPDX-License-Identifier: Apache-2.0 */
/* Log-in, refresh, log-out. */
#include "comb/v1/errors.grpcc.h"
#include "server/auth/internal.h"
#include "server/core/clock.h"
#include "server/core/hash.h"
#include "server/core/limits.h"
#include "server/core/memory.h"
#include "server/identity/password.h"
#include "server/mutation/plan.h"

static void wipe(comb_str *secret)
{
    if (secret->len > 0)
        comb_memory_wipe((char *)secret->ptr, secret->len);
    *secret = (comb_str){0};
}

void comb_auth_tokens_wipe(struct comb_auth_tokens *tokens)
{
    wipe(&tokens->access);
    wipe(&tokens->refresh);
}

/* The tokens of a session whose valid refresh token has that serial. */
static enum comb_status make_tokens(struct comb_auth *auth, struct comb_ctx *ctx,
                                    const struct comb_session *session, uint64_t serial,
                                    struct comb_auth_tokens *ret_tokens, struct comb_error *err)
{
    int64_t now_s = comb_clock_wall_us() / COMB_US_PER_S;
    const struct comb_jwt_claims claims = {.user = session->grant.user,
                                           .session = session->grant.id,
                                           .issue_s = now_s,
                                           .expire_s = now_s + auth->parts.access_s};
    struct comb_opaque opaque = {.id = session->grant.id, .serial = serial};
    comb_str access;
    enum comb_status status =
        comb_opaque_derive_refresh(&auth->keys->opaque, &opaque.id, serial, opaque.secret, err);
    if (status == COMB_OK)
        status = comb_jwt_sign(ctx->arena, &auth->keys->jwt, &claims, &access, err);
    if (status != COMB_OK)
        return status;
    char *refresh = comb_opaque_refresh_text(ctx->arena, &opaque);
    comb_memory_wipe(&opaque, sizeof opaque);
    if (!refresh)
        return comb_error_no_memory(err);
    *ret_tokens = (struct comb_auth_tokens){.access = access,
                                            .refresh = comb_str_from(refresh),
                                            .access_expire_us = claims.expire_s * COMB_US_PER_S,
                                            .refresh_expire_us = session->grant.expire_us};
    return COMB_OK;
}

/* ctx as if the user had called: his request ids, his name in the feed. */
static enum comb_status act_as(struct comb_ctx *ctx, const struct comb_uuid *user,
                               const struct comb_uuid *session, struct comb_error *err)
{
    struct comb_principal *principal = grpcc_arena_zalloc(ctx->arena, sizeof *principal);
    if (!principal)
        return comb_error_no_memory(err);
    principal->user = *user;
    principal->token = *session;
    ctx->principal = principal;
    return COMB_OK;
}

/* ---- log-in ---- */

struct opening {
    struct comb_auth *auth;
    const struct comb_user *user;
    struct comb_session session;
};

static enum comb_status open_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                    struct comb_error *err)
{
    struct opening *opening = data;
    struct comb_auth_store *store = opening->auth->parts.store;
    struct comb_user user;
    plan->kind = COMB_SQL_WRITE;
    plan->about_kind = "session";
    plan->about = opening->session.grant.id;
    enum comb_status status =
        auth_check_grant(opening->auth, ctx, &opening->session.grant, &user, err);
    if (status == COMB_OK)
        status = auth_plan_user(ctx, plan, &user, err);
    if (status == COMB_OK)
        status = store->driver->plan_insert_session(store, ctx, plan, &opening->session,
                                                    plan->now_us - AUTH_FORGET_AFTER_US, err);
    return status;
}

static enum comb_status open_session(struct comb_auth *auth, struct comb_ctx *ctx,
                                     const struct comb_user *user, comb_str label,
                                     struct comb_auth_tokens *ret_tokens, struct comb_error *err)
{
    int64_t now_us = comb_clock_wall_us();
    struct opening opening = {
        .auth = auth,
        .user = user,
        .session = {.grant = {.id = comb_uuid_new(),
                              .user = user->id,
                              .label = label,
                              .generation = user->generation,
                              .create_us = now_us,
                              .expire_us = now_us + auth->parts.refresh_s * COMB_US_PER_S},
                    .serial = 1}};
    /* Each log-in is a new one; the id only settles what a lost commit has become. */
    const struct comb_request_key key = {.id = comb_uuid_new()};
    struct comb_outcome outcome;
    enum comb_status status = act_as(ctx, &user->id, &opening.session.grant.id, err);
    if (status == COMB_OK)
        status = comb_mutation_run(auth->parts.mutations, ctx, &key, open_decide, &opening,
                                   &outcome, err);
    if (status == COMB_OK)
        status = make_tokens(auth, ctx, &opening.session, opening.session.serial, ret_tokens, err);
    return status;
}

static enum comb_status credentials_invalid(struct comb_error *err)
{
    return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_CREDENTIALS_INVALID,
                          "login or password is wrong, or the user is disabled");
}

/* Whoever it is, and whether there is such a login or not: the same steps, the same time. */
static enum comb_status check_credentials(struct comb_auth *auth, struct comb_ctx *ctx,
                                          comb_str login, comb_str password,
                                          struct comb_user *ret_user, struct comb_error *err)
{
    struct comb_throttle *throttle = auth->parts.throttle;
    struct comb_user user = {.disabled = true};
    enum comb_status status = comb_throttle_check(throttle, ctx, login, err);
    if (status == COMB_OK)
        status = comb_identity_read_login_now(auth->parts.identity, ctx, login, &user, err);
    if (status != COMB_OK && status != COMB_NOT_FOUND)
        return status;
    bool matches = false;
    status = comb_password_verify(ctx, user.password, password, &matches, err);
    if (status != COMB_OK)
        return status;
    status = comb_throttle_check(throttle, ctx, login, err);
    if (status != COMB_OK)
        return status;
    if (!matches || user.disabled) {
        comb_throttle_fail(throttle, ctx, login);
        return credentials_invalid(err);
    }
    comb_throttle_succeed(throttle, ctx, login);
    *ret_user = user;
    return COMB_OK;
}

enum comb_status comb_auth_login(struct comb_auth *auth, struct comb_ctx *ctx, comb_str login,
                                 comb_str password, comb_str label,
                                 struct comb_auth_tokens *ret_tokens, struct comb_user *ret_user,
                                 struct comb_error *err)
{
    if (label.len > COMB_LABEL_BYTES_MAX)
        return comb_error_field(err, "label", "at most %d bytes", COMB_LABEL_BYTES_MAX);
    if (password.len > COMB_PASSWORD_BYTES_MAX)
        return comb_error_field(err, "password", "at most %d bytes", COMB_PASSWORD_BYTES_MAX);
    struct comb_user user;
    ctx->claimed_login = login;
    enum comb_status status = check_credentials(auth, ctx, login, password, &user, err);
    if (status == COMB_OK)
        status = open_session(auth, ctx, &user, label, ret_tokens, err);
    if (status == COMB_OK)
        *ret_user = user;
    return status;
}

/* ---- refresh ---- */

struct refreshing {
    struct comb_auth *auth;
    uint64_t serial; /* of the token that was shown */
    struct comb_session session;
};

/* What a repetition needs to give the same answer: the serial, and when the session ends. */
struct refresh_outcome {
    uint64_t serial;
    int64_t expire_us;
};

static enum comb_status refresh_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                       struct comb_error *err)
{
    struct refreshing *refreshing = data;
    struct comb_auth *auth = refreshing->auth;
    struct comb_auth_store *store = auth->parts.store;
    struct comb_session *session = &refreshing->session;
    struct comb_user user;
    plan->kind = COMB_SQL_WRITE;
    enum comb_status status =
        store->driver->get_session(store, ctx, &session->grant.id, session, err);
    if (status == COMB_NOT_FOUND)
        return auth_token_revoked(err);
    if (status == COMB_OK)
        status = auth_check_grant(auth, ctx, &session->grant, &user, err);
    if (status != COMB_OK)
        return status;
    if (session->serial != refreshing->serial)
        return comb_error_set(err, COMB_UNAUTHENTICATED, COMB_V1_ERROR_REASON_REFRESH_REUSED,
                              "the refresh token has been used before: the session has been ended "
                              "for safety; log in again");
    struct refresh_outcome *outcome = grpcc_arena_zalloc(ctx->arena, sizeof *outcome);
    if (!outcome)
        return comb_error_no_memory(err);
    outcome->serial = refreshing->serial + 1;
    outcome->expire_us = plan->now_us + auth->parts.refresh_s * COMB_US_PER_S;
    plan->outcome = comb_str_of(outcome, sizeof *outcome);
    status = auth_plan_user(ctx, plan, &user, err);
    if (status == COMB_OK)
        status = store->driver->plan_refresh_session(store, ctx, plan, &session->grant.id,
                                                     refreshing->serial, outcome->expire_us, err);
    return status;
}

/* ---- ends ---- */

struct ending {
    struct comb_auth *auth;
    struct comb_uuid id;
};

static enum comb_status end_session_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                           struct comb_error *err)
{
    const struct ending *ending = data;
    struct comb_auth_store *store = ending->auth->parts.store;
    plan->kind = COMB_SQL_WRITE;
    enum comb_status status =
        store->driver->plan_revoke_session(store, ctx, plan, &ending->id, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_TOKEN, &ending->id, 0, err);
    return status;
}

/* The refresh token is in two hands: neither shall have the session any longer. What it was that
 * went wrong stays in err. */
static void end_reused(struct comb_auth *auth, struct comb_ctx *ctx,
                       const struct comb_uuid *session)
{
    struct ending ending = {.auth = auth, .id = *session};
    const struct comb_request_key key = {.id = comb_uuid_new()};
    struct comb_outcome outcome;
    struct comb_error ignored;
    (void)!comb_mutation_run(auth->parts.mutations, ctx, &key, end_session_decide, &ending,
                             &outcome, &ignored);
}

static enum comb_status parse_refresh(struct comb_auth *auth, struct comb_ctx *ctx,
                                      comb_str refresh_token, struct refreshing *refreshing,
                                      struct comb_error *err)
{
    struct comb_opaque opaque;
    uint8_t secret[COMB_OPAQUE_SECRET_SIZE];
    if (!comb_opaque_parse_refresh(ctx->arena, refresh_token, &opaque))
        return auth_token_invalid(err);
    enum comb_status status =
        comb_opaque_derive_refresh(&auth->keys->opaque, &opaque.id, opaque.serial, secret, err);
    if (status == COMB_OK && !comb_secret_equal(comb_str_of(secret, sizeof secret),
                                                comb_str_of(opaque.secret, sizeof opaque.secret)))
        status = auth_token_invalid(err);
    refreshing->serial = opaque.serial;
    refreshing->session.grant.id = opaque.id;
    comb_memory_wipe(secret, sizeof secret);
    comb_memory_wipe(&opaque, sizeof opaque);
    return status;
}

enum comb_status comb_auth_refresh(struct comb_auth *auth, struct comb_ctx *ctx,
                                   const struct comb_request_key *key, comb_str refresh_token,
                                   struct comb_auth_tokens *ret_tokens, struct comb_error *err)
{
    struct comb_auth_store *store = auth->parts.store;
    struct refreshing refreshing = {.auth = auth};
    struct comb_outcome outcome;
    struct comb_error local = {0};
    enum comb_status status = parse_refresh(auth, ctx, refresh_token, &refreshing, err);
    if (status != COMB_OK)
        return status;
    struct comb_session *session = &refreshing.session;
    status = store->driver->get_session(store, ctx, &session->grant.id, session, err);
    if (status == COMB_NOT_FOUND)
        return auth_token_revoked(err);
    if (status == COMB_OK)
        status = act_as(ctx, &session->grant.user, &session->grant.id, err);
    if (status != COMB_OK)
        return status;
    status = comb_mutation_run(auth->parts.mutations, ctx, key, refresh_decide, &refreshing,
                               &outcome, &local);
    if (status != COMB_OK && local.reason == COMB_V1_ERROR_REASON_REFRESH_REUSED)
        end_reused(auth, ctx, &session->grant.id);
    if (status != COMB_OK) {
        if (err)
            *err = local;
        return status;
    }
    struct refresh_outcome kept;
    if (outcome.bytes.len != sizeof kept)
        return comb_error_set(err, COMB_INTERNAL, 0, "an outcome is no refresh");
    memcpy(&kept, outcome.bytes.ptr, sizeof kept);
    session->grant.expire_us = kept.expire_us;
    return make_tokens(auth, ctx, session, kept.serial, ret_tokens, err);
}

/* ---- log-out ---- */

static enum comb_status logout_decide(void *data, struct comb_ctx *ctx, struct comb_plan *plan,
                                      struct comb_error *err)
{
    struct ending *ending = data;
    struct comb_auth_store *store = ending->auth->parts.store;
    struct comb_session session;
    enum comb_status status = store->driver->get_session(store, ctx, &ending->id, &session, err);
    if (status == COMB_OK)
        return end_session_decide(data, ctx, plan, err);
    if (status != COMB_NOT_FOUND)
        return status;
    plan->kind = COMB_SQL_WRITE;
    status = store->driver->plan_revoke_token(store, ctx, plan, &ending->id, err);
    if (status == COMB_OK)
        status = comb_plan_tell(plan, COMB_FEED_TOKEN, &ending->id, 0, err);
    return status;
}

enum comb_status comb_auth_logout(struct comb_auth *auth, struct comb_ctx *ctx,
                                  const struct comb_request_key *key, struct comb_error *err)
{
    struct ending ending = {.auth = auth, .id = ctx->principal->token};
    struct comb_outcome outcome;
    return comb_mutation_run(auth->parts.mutations, ctx, key, logout_decide, &ending, &outcome,
                             err);
}
