/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of a client: kept, sent, refreshed. One refresh at a time over all threads of a
 * process, and over all processes that share a credentials file.
 */
#ifndef COMB_LIB_SESSION_H
#define COMB_LIB_SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/lib/credentials.h"
#include "grpcc/arena.h"
#include "grpcc/status.h"

struct comb_client;
struct comb_v1_token_pair;

/* Tokens are refreshed when they have less than this left. */
enum { COMB_REFRESH_AHEAD_S = 30 };

struct comb_session {
    pthread_mutex_t refresh_lock; /* held while a refresh runs; taken before `lock` */
    const char *path;             /* of the credentials file; NULL: in memory only */

    pthread_mutex_t lock; /* all below; never held for long */
    struct comb_credentials credentials;
    bool fixed;               /* an access token that the program gave: never refreshed */
    unsigned generation;      /* of the access token */
    int64_t refresh_after_ns; /* not again before: the last refresh ahead of time failed */
};

void comb_session_init(struct comb_session *session);
void comb_session_done(struct comb_session *session);

/* Reads the credentials file, if there is one: server is what the program named, NULL: what the
 * file says. */
enum grpcc_status comb_session_load(struct comb_session *session, const char *path,
                                    const char *server, struct grpcc_error *err) GRPCC_MUST_CHECK;
enum grpcc_status comb_session_fix(struct comb_session *session, const char *access_token,
                                   struct grpcc_error *err) GRPCC_MUST_CHECK;

/* "Bearer <token>" in arena, to be wiped; NULL: there is no token. */
enum grpcc_status comb_session_bearer(struct comb_session *session, struct grpcc_arena *arena,
                                      char **ret_text, unsigned *ret_generation,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;

/* Whether the token should be refreshed before it is used, and its generation. */
bool comb_session_is_stale(struct comb_session *session, unsigned *ret_generation);
/* Whether calls carry a token. */
bool comb_session_has_token(struct comb_session *session);
/* Whether there is a refresh token. */
bool comb_session_can_refresh(struct comb_session *session);

/* New tokens in place of those of that generation; OK at once where they have been replaced.
 * Blocks. UNAUTHENTICATED: the session has ended. */
enum grpcc_status comb_session_refresh(struct comb_client *client, unsigned generation,
                                       int64_t deadline_ns,
                                       struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Replaces all that is kept by a new session, which is written to the file. */
enum grpcc_status comb_session_begin(struct comb_client *client, const char *login,
                                     const struct comb_v1_token_pair *tokens,
                                     struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Forgets the tokens, here and in the file. */
enum grpcc_status comb_session_forget(struct comb_client *client,
                                      struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Keeps what was seen in the file, if there is one. Best effort. */
void comb_session_save_seen(struct comb_client *client);

#endif
