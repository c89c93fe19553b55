/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixteen clients of a cluster whose parts are killed, frozen and cut off meanwhile (README.md).
 * A phase is one fault, with a folder and a history of its own: begun, run by all clients, ended,
 * judged. What a client does is its role (roles.c); what they all did together is judged in
 * judge.c.
 */
#ifndef TESTS_STORM_STORM_H
#define TESTS_STORM_STORM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comb/client.h"
#include "comb/v1/node.grpcc.h"
#include "tests/support/checkers/feed.h"
#include "tests/support/checkers/history.h"
#include "tests/support/checkers/rights.h"

#define STORM_BOUND_MS 250
#define STORM_GUEST "guest"
#define STORM_ID_BYTES FEED_ID_BYTES
#define STORM_PATH_BYTES 128
#define STORM_ERROR_BYTES (GRPCC_STATUS_MESSAGE_MAX + 128)

/* What a phase's fault takes away, and so which calls may be refused with UNAVAILABLE. */
enum storm_away {
    STORM_NOTHING_AWAY = 0,
    STORM_SQL_AWAY,  /* all calls need it */
    STORM_DATA_AWAY, /* contents of files do */
};

enum storm_outcome { STORM_GOOD, STORM_REFUSED, STORM_FAILED };
struct storm_call {
    int64_t begin_ns, end_ns;
    enum storm_outcome outcome;
    bool is_large; /* carries a large file: its time is not judged */
};

struct storm;
struct storm_client;

/* A kind of work. All of it is for one phase. */
struct storm_role {
    const char *name;
    unsigned clients;
    bool are_guests; /* logged in as STORM_GUEST, who may nothing by himself */
    /* Makes what they work on, before any of them works. NULL: nothing. */
    void (*begin)(struct storm *storm);
    /* Calls until storm_is_over(). */
    void (*work)(struct storm_client *client);
    /* Fails the test for what must not be. NULL: nothing beyond judge.c. */
    void (*judge)(struct storm *storm);
};
extern const struct storm_role *const storm_roles[]; /* ends with NULL */

/* One of the clients: a thread, and a libcomb client with what it has seen. */
struct storm_client {
    struct storm *storm;
    const struct storm_role *role;
    unsigned number; /* among those of its role */
    pthread_t thread;
    struct comb_client *sdk;
    uint64_t random;
    struct grpcc_arena *arena; /* of one call */

    /* The phase. */
    struct storm_call *calls;
    size_t n_calls, calls_size;
    struct feed_entry *changes; /* acknowledged */
    size_t n_changes, changes_size;
    unsigned unknown; /* changes that may have been made: nobody told the client */
    unsigned made;    /* of those who make things by number */
    struct history_op *ops;
    size_t n_ops, ops_size;
    struct rights_op *rights;
    size_t n_rights, rights_size;
    char error[STORM_ERROR_BYTES]; /* the first that must not be; "" */
};

#define STORM_CLIENTS_MAX 16
struct storm {
    struct storm_client admin; /* who prepares and looks on; no thread, no role */
    struct storm_client clients[STORM_CLIENTS_MAX];
    unsigned n_clients;
    enum storm_away away;
    char folder[64];   /* of the phase */
    char cursor[1024]; /* from before its first change */
    atomic_bool over;
    atomic_uint good; /* calls that ended well, since the storm began */
};

struct storm_row {
    size_t calls, failed, refused;
    double p99_ms, longest_ms, gap_ms;            /* gap: no call of any client ended well */
    size_t acknowledged, lost, twice, disordered; /* changes; by the feed */
    char error[STORM_ERROR_BYTES];
};

/* ---- storm.c ---- */

/* Opens all clients at addresses ("HOST:PORT,..."). The password is the administrator's, and that
 * of STORM_GUEST. Ends the program where it cannot. */
void storm_open(struct storm *storm, const char *addresses, const char *password, bool is_patient);
void storm_close(struct storm *storm);
void storm_begin(struct storm *storm, const char *name, enum storm_away away);
void storm_end(struct storm *storm, struct storm_row *ret_row);
/* Waits until n more calls have ended well, at most two minutes. */
void storm_await(struct storm *storm, unsigned n);
_Noreturn void storm_die(const char *form, ...) __attribute__((format(printf, 1, 2)));

/* ---- for roles ---- */

bool storm_is_over(const struct storm_client *client);
/* One call: empties the arena and begins; then says how it ended, with whatever the role expects
 * taken for GRPCC_OK. False: it did not end well. */
int64_t storm_call_begin(struct storm_client *client);
bool storm_call_end(struct storm_client *client, int64_t begin_ns, const char *what,
                    enum grpcc_status status, const struct grpcc_error *err, bool needs_data);
/* A change was acknowledged with the node as it was afterwards. */
void storm_acknowledged(struct storm_client *client, const struct comb_v1_node *node);
void storm_add_op(struct storm_client *client, const struct history_op *op);
void storm_add_rights(struct storm_client *client, const struct rights_op *op);
/* Between two calls. */
void storm_pause(void);
/* By the admin, before or after the phase; must end well. */
void storm_make(struct storm *storm, const char *parent, const char *name,
                char ret_id[STORM_ID_BYTES]);
void storm_path(const struct storm *storm, const char *name, char ret_path[STORM_PATH_BYTES]);

/* ---- judge.c ---- */

/* All that the clients did in the phase. Prints what is wrong. */
void storm_judge(struct storm *storm, struct storm_row *row);
/* Those of a role that were in order. */
size_t storm_each(struct storm *storm, const struct storm_role *role,
                  struct storm_client *ret_clients[STORM_CLIENTS_MAX]);

#endif
