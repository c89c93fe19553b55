/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of comb.v1 in the test's own process that does what a test tells it: fails so many
 * times, breaks off, forgets to answer. It knows tokens and request ids as the real one does.
 */
#ifndef TESTS_CLIENT_FAKE_H
#define TESTS_CLIENT_FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comb/client.h"
#include "grpcc/server.h"
#include "tests/support/cmocka.h"

enum { FAKE_CALLS_MAX = 1024, FAKE_TEXT_MAX = 256, FAKE_CONTENT_MAX = 32 << 20 };

/* One call as it came. */
struct fake_call {
    char method[64];
    char request_id[FAKE_TEXT_MAX]; /* of the message */
    char header_request_id[FAKE_TEXT_MAX];
    char authorization[FAKE_TEXT_MAX];
    char seen[FAKE_TEXT_MAX];
    char consistency[FAKE_TEXT_MAX];
};

/* What the next calls of Tree get instead of an answer. */
struct fake_fault {
    unsigned times;
    enum grpcc_status status;
    bool has_pushback;
    int64_t pushback_ms;
    int64_t retry_info_s; /* RetryInfo; 0: none */
    const char *message;  /* NULL: "as the test wants" */
};

struct fake {
    struct grpcc_server *server;
    int port;
    char address[64];

    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    struct fake_call calls[FAKE_CALLS_MAX];
    size_t n_calls;
    struct fake_fault fault;
    char token[FAKE_TEXT_MAX];  /* what answers carry as comb-token; "": none */
    char listed[FAKE_TEXT_MAX]; /* replicas that its registry tells of, separated by commas */
    unsigned hold;              /* Stat waits until this is false, or it is cancelled */

    /* the session */
    unsigned session;       /* number of the valid tokens: "access-N", "refresh-N"; 0: none */
    unsigned expired;       /* the access token, until the next refresh */
    unsigned refreshes;     /* that made new tokens */
    unsigned session_ended; /* by a refresh token that was used twice */
    unsigned lose_answers;  /* of Refresh: done, and answered UNAVAILABLE */
    char refresh_id[FAKE_TEXT_MAX]; /* of the last refresh */
    int64_t token_life_s;

    /* the one file */
    unsigned char *content;
    size_t size;
    unsigned etag;
    unsigned break_after; /* a download, after so many bytes, once; 0: not */
    unsigned break_parts; /* so many parts break off after they were kept */
    unsigned corrupt;     /* downloads send another first byte */
    unsigned parts, starts, commits, aborts, puts;
};

/* port 0: a free one. */
void fake_start(struct fake *fake, int port);
/* Stops at once: calls under way break. */
void fake_stop(struct fake *fake);
/* As after fake_stop(), on the same port, with the same state. */
void fake_restart(struct fake *fake);
void fake_done(struct fake *fake);
void fake_fail(struct fake *fake, struct fake_fault fault);
/* Reads and writes one of fake's numbers, compares and sets its content, under the lock. */
unsigned fake_read(struct fake *fake, const unsigned *number);
void fake_write(struct fake *fake, unsigned *number, unsigned value);
void fake_must_hold(struct fake *fake, const void *bytes, size_t size);
void fake_fill(struct fake *fake, const void *bytes, size_t size);
/* Answers carry it as comb-token. */
void fake_set_token(struct fake *fake, const char *token);
/* Its registry tells of these from now on: addresses separated by commas. */
void fake_set_listed(struct fake *fake, const char *listed);
/* How many calls of that method came. */
size_t fake_count(struct fake *fake, const char *method);
/* The n-th of them, copied. */
struct fake_call fake_get(struct fake *fake, const char *method, size_t n);
/* Waits until n calls of that method have come. */
void fake_wait(struct fake *fake, const char *method, size_t n);
void fake_release(struct fake *fake);

/* A client of it that is logged in; options may be NULL. */
struct comb_client *fake_client(struct fake *fake, const struct comb_client_options *options);
/* Calls of Tree by client. */
enum grpcc_status fake_stat(struct comb_client *client, struct grpcc_error *err);
enum grpcc_status fake_create(struct comb_client *client, const char *request_id,
                              struct grpcc_error *err);

#define must_ok(call, err) fake_must(GRPCC_OK, (call), (err), #call, __FILE__, __LINE__)
#define must_fail(status, call, err) fake_must((status), (call), (err), #call, __FILE__, __LINE__)
void fake_must(enum grpcc_status expected, enum grpcc_status status, const struct grpcc_error *err,
               const char *call, const char *file, int line);

#endif
