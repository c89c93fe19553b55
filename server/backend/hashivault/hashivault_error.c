/* SPDX-License-Identifier: Apache-2.0 */
/* Vault's answers, translated once, each with what the operator has to do. */
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/hashivault/internal.h"

/* The first row that fits; text NULL: any. Vault tells most things by their text alone. */
static const struct {
    long code;
    const char *text;
    enum comb_status status;
    bool retryable;
    const char *advice;
} ERRORS[] = {
    {400, "invalid role or secret ID", COMB_FAILED_PRECONDITION, false,
     "Vault does not know the AppRole: check the ROLE_ID:SECRET_ID that it logs in with"},
    {400, "invalid role_id", COMB_FAILED_PRECONDITION, false,
     "Vault does not know the AppRole: check the ROLE_ID:SECRET_ID that it logs in with"},
    {400, "invalid secret id", COMB_FAILED_PRECONDITION, false,
     "Vault refuses the AppRole's SECRET_ID: it is wrong, used up or expired; make a new one"},
    {403, "invalid token", COMB_FAILED_PRECONDITION, false,
     "Vault does not know the token: it is wrong, revoked or expired; give a new one"},
    {403, "bad token", COMB_FAILED_PRECONDITION, false,
     "Vault does not know the token: it is wrong, revoked or expired; give a new one"},
    {403, "preflight capability check", COMB_FAILED_PRECONDITION, false,
     "Vault has no engine at the mount of the URL that the token may use: make one, or widen the "
     "token's policy"},
    {403, NULL, COMB_FAILED_PRECONDITION, false,
     "Vault's policy of the token does not allow it: widen the policy"},
    {404, "no handler for route", COMB_FAILED_PRECONDITION, false,
     "Vault has no engine at the mount of the URL: vault secrets enable -version=2 -path=MOUNT kv"},
    {412, NULL, COMB_UNAVAILABLE, true, "Vault's replica has not caught up yet"},
    {413, NULL, COMB_INVALID_ARGUMENT, false, "the secret is larger than Vault takes"},
    {429, NULL, COMB_RESOURCE_EXHAUSTED, true, "Vault limits the rate of requests"},
    {307, NULL, COMB_UNAVAILABLE, true,
     "Vault is a standby that does not forward: name the active one in the URL"},
    {472, NULL, COMB_UNAVAILABLE, true, "Vault is a secondary for disasters: name the active one"},
    {473, NULL, COMB_UNAVAILABLE, true, "Vault is a standby: name the active one in the URL"},
    {501, NULL, COMB_UNAVAILABLE, true, "Vault is not initialised: vault operator init"},
    {503, "sealed", COMB_UNAVAILABLE, true, "Vault is sealed: vault operator unseal"},
    {503, NULL, COMB_UNAVAILABLE, true, "Vault is not ready: sealed, or in maintenance"},
};

static bool errors_hold(const json_t *body, const char *text)
{
    const json_t *errors = json_object_get(body, "errors");
    /* How sys/health says it. */
    if (strcmp(text, "sealed") == 0 && json_is_true(json_object_get(body, "sealed")))
        return true;
    for (size_t i = 0; i < json_array_size(errors); i++) {
        const char *line = json_string_value(json_array_get(errors, i));
        if (line && strcasestr(line, text))
            return true;
    }
    return false;
}

bool comb_hashivault_says(const struct comb_hashivault_answer *answer, const char *text)
{
    return errors_hold(answer->body, text);
}

enum comb_status hashivault_error_set(struct comb_error *err, long code, const json_t *body)
{
    enum comb_status status = code >= 500 ? COMB_UNAVAILABLE : COMB_INTERNAL;
    bool retryable = code >= 500;
    const char *advice = "Vault answered with an error of its own: see its log";
    for (size_t i = 0; i < sizeof ERRORS / sizeof ERRORS[0]; i++) {
        if (ERRORS[i].code == code && (!ERRORS[i].text || errors_hold(body, ERRORS[i].text))) {
            status = ERRORS[i].status;
            retryable = ERRORS[i].retryable;
            advice = ERRORS[i].advice;
            break;
        }
    }
    /* Vault's own text stays out: nothing says what it quotes. */
    comb_error_set(err, status,
                   status == COMB_UNAVAILABLE ? COMB_V1_ERROR_REASON_STORE_UNAVAILABLE : 0,
                   "%s (HTTP %ld)", advice, code);
    if (err) {
        err->domain = "vault.hashivault";
        err->native = code;
        err->retryable = retryable;
    }
    return status;
}

enum comb_status comb_hashivault_refuse(const struct comb_hashivault_answer *answer,
                                        struct comb_error *err)
{
    return hashivault_error_set(err, answer->code, answer->body);
}
