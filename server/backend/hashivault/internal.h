/* SPDX-License-Identifier: Apache-2.0 */
/* Between the parts of backend/hashivault. */
#ifndef COMB_BACKEND_HASHIVAULT_INTERNAL_H
#define COMB_BACKEND_HASHIVAULT_INTERNAL_H

#include <pthread.h>

#include "server/backend/hashivault/hashivault.h"
#include "server/backend/http/http.h"

#define TOKEN_MAX 2048

/* Of pages that core files leave out. */
struct hashivault_token {
    char text[TOKEN_MAX];
    size_t len; /* 0: none yet */
};

struct comb_hashivault {
    struct comb_http *http;
    comb_str mount;
    char *mount_text;
    comb_str role_id, secret_id; /* of the options; empty: there is a token */

    pthread_mutex_t lock; /* of all below; held while a log-in or a renewal is under way */
    struct hashivault_token *token;
    uint64_t generation; /* counts tokens */
    int64_t lease_ms;    /* granted at log-in; 0: does not end */
    int64_t renew_ns;    /* when to renew; INT64_MAX: never, or not known yet */

    pthread_mutex_t rest_lock; /* of the keeper's sleep */
    pthread_cond_t rest;
    bool stop;
    pthread_t keeper;
    bool has_keeper;
};

/* Sends a request with a token, or with none. */
enum comb_status hashivault_send(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                 const char *method, comb_str target, const json_t *body,
                                 comb_str token, bool trial,
                                 struct comb_hashivault_answer *ret_answer, struct comb_error *err);

/* A copy of the token in ctx's arena, after a log-in where there was none; generation says which it
 * is. */
enum comb_status hashivault_token(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                  comb_str *ret_token, uint64_t *ret_generation,
                                  struct comb_error *err);
/* The token of that generation was refused: a new one, where there is a way to get it. */
enum comb_status hashivault_replace_token(struct comb_hashivault *vault, struct comb_ctx *ctx,
                                          uint64_t generation, struct comb_error *err);
/* The thread that keeps the token alive. */
void *hashivault_keep(void *vault);

/* An answer other than 2xx, translated once. */
enum comb_status hashivault_error_set(struct comb_error *err, long code, const json_t *body);

#endif
