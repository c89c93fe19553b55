/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials file: who is logged in where, with which tokens. JSON, mode 0600, replaced
 * atomically; processes that share it take turns by a lock on the file itself, which moves on to
 * each new file before that takes the old one's place.
 */
#ifndef COMB_LIB_CREDENTIALS_H
#define COMB_LIB_CREDENTIALS_H

#include <stdint.h>

#include "client/lib/seen.h"
#include "grpcc/status.h"

/* All strings are the struct's own, NULL or "" for none; times are seconds since 1970, 0: unknown.
 */
struct comb_credentials {
    char *server; /* as comb_client_open() got it */
    char *login;
    char *access_token;
    int64_t access_expire_s;
    char *refresh_token;
    int64_t refresh_expire_s;
    /* Of a refresh that was sent, or may have been, and was not answered: the next one must carry
     * the same, or the server takes it for a stolen token. */
    char *refresh_request_id;
    char *seen;
};

/* Wipes and frees what the struct holds. */
void comb_credentials_done(struct comb_credentials *credentials);
/* Replaces *field, which is wiped, by a copy of text. False: no memory. */
bool comb_credentials_set(char **field, const char *text) GRPCC_MUST_CHECK;

struct comb_credentials_file {
    const char *path; /* borrowed */
    int fd;           /* locked; -1: not */
};

/*
 * Locks the file and reads it; makes an empty one where there is none and `create` says so.
 * NOT_FOUND: there is none. PERMISSION_DENIED: others may read it, or we may not.
 * INVALID_ARGUMENT: it cannot be understood. DEADLINE_EXCEEDED: another process holds it.
 * *ret_credentials goes to comb_credentials_done(), *ret_file to _unlock().
 */
enum grpcc_status comb_credentials_lock(const char *path, bool create, int64_t deadline_ns,
                                        struct comb_credentials_file *ret_file,
                                        struct comb_credentials *ret_credentials,
                                        struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Durable when it returns OK; the lock stays. */
enum grpcc_status comb_credentials_write(struct comb_credentials_file *file,
                                         const struct comb_credentials *credentials,
                                         struct grpcc_error *err) GRPCC_MUST_CHECK;
void comb_credentials_unlock(struct comb_credentials_file *file);

#endif
