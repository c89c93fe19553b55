/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcomb: a client of Comb's replicas.
 *
 * A client holds connections to the replicas that it was told of and to those that it finds through
 * them, the tokens of a session, and what its caller has seen of the tree. comb_client_channel()
 * gives a channel for the generated stubs (comb_v1_tree_stat() and all others): calls made on it
 * carry the tokens, are refreshed, retried on another replica and answered once, whatever became of
 * the replica that they were on:
 *
 *     struct comb_client *client;
 *     if (comb_client_open("127.0.0.1:7070", NULL, &client, &err) ||
 *         comb_client_login(client, "admin", password, NULL, &err))
 *         ...
 *     comb_v1_tree_stat(comb_client_channel(client), arena, NULL, request, &response, &err);
 *
 * The functions of comb/files.h and comb/lists.h stand on the same channel.
 *
 * Manners: nothing process-wide is changed (no signal handlers, no log but through the function
 * that was set); threads that the library starts have all signals blocked; after a fork without
 * exec every handle answers FAILED_PRECONDITION. Threads: a client may be used by any number of
 * threads at once.
 */
#ifndef COMB_CLIENT_H
#define COMB_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grpcc/arena.h"
#include "grpcc/channel.h"
#include "grpcc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct comb_client;

/* Zero in a member: the default in brackets. */
struct comb_client_options {
    size_t size;               /* sizeof(struct comb_client_options): lets the struct grow */
    int64_t timeout_ms;        /* of calls that name none, all attempts together [30000] */
    unsigned attempts_max;     /* of one call [5] */
    unsigned retry_tokens_max; /* budget: a failed attempt takes one, a success gives back a tenth
                                  [100] */
    const char *credentials_file; /* tokens are read from it and kept in it, mode 0600; NULL: in
                                     memory only */
    const char *access_token;     /* a personal access token, instead of a session */
    bool strong;                  /* all reads linearizable */
    bool tls;                     /* and these as in struct grpcc_channel_options */
    const char *ca_file, *certificate_file, *key_file, *host_override;
    const char *user_agent;
    bool trust_servers; /* the tokens of the file are sent to `servers` even where it does not name
                           them: for the admin side of a replica */
    /* Since 0.4.0; nothing smaller may come first, since it would lie where older structs end. */
    int64_t discovery_ms;   /* how often the list of replicas is asked for, while there are calls
                               [5000] */
    int64_t silence_ms;     /* a replica that says nothing for so long, also when it is asked after
                               its health, is left for another one [1000] */
    int64_t unreachable_ms; /* a call for which no server at all can be reached ends with
                               UNAVAILABLE after this [its timeout] */
    int64_t hedge_ms; /* reads that are not answered after this are sent to a second replica too,
                         and the first answer is taken; COMB_HEDGE_P95: after as long as all but one
                         in twenty take [never] */
    unsigned hedge_percent; /* of reads that are hedged, at most [10] */
    bool pinned; /* only `servers` are used, whatever others there are: behind a proxy or a mesh,
                    which choose themselves, and for one particular replica */
};
enum { COMB_HEDGE_P95 = -1 };

/*
 * servers: replicas, "127.0.0.1:7070,127.0.0.1:7080", or one target that names several
 * ("dns:///comb:7070"); NULL: those that the credentials file names. Tokens of that file are
 * used only for servers that it names. Does not connect yet. Ownership: *ret_client is freed by
 * comb_client_close(). Errors: INVALID_ARGUMENT for a target that cannot be read, or for none at
 * all; PERMISSION_DENIED for a credentials file that others may read.
 */
enum grpcc_status comb_client_open(const char *servers, const struct comb_client_options *options,
                                   struct comb_client **ret_client,
                                   struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Calls under way end with CANCELLED, streams too; their handles stay valid until they are freed.
 * Any thread. NULL is fine. */
void comb_client_close(struct comb_client *client);

/* For generated stubs; borrowed, lives as long as the client. An empty request_id of a mutation is
 * filled in, once per call and not per attempt. */
struct grpcc_channel *comb_client_channel(struct comb_client *client);

/* Opens a session; its tokens replace those that the client holds. label: for people, may be NULL.
 */
enum grpcc_status comb_client_login(struct comb_client *client, const char *login,
                                    const char *password, const char *label,
                                    struct grpcc_error *err) GRPCC_MUST_CHECK;
/* Ends the session and forgets its tokens. */
enum grpcc_status comb_client_logout(struct comb_client *client,
                                     struct grpcc_error *err) GRPCC_MUST_CHECK;

/* The servers that the session in a credentials file was opened at, in arena; NULL: there is no
 * such file, or it names none. */
const char *comb_credentials_server(const char *credentials_file, struct grpcc_arena *arena);
/* The servers that the client was opened on, as comb_client_open() got or found them; borrowed. */
const char *comb_client_servers(const struct comb_client *client);

/* What the client has seen, for another client to go on from (comb_client_set_seen); text in arena,
 * "" at first. */
const char *comb_client_seen(struct comb_client *client, struct grpcc_arena *arena);
enum grpcc_status comb_client_set_seen(struct comb_client *client, const char *seen,
                                       struct grpcc_error *err) GRPCC_MUST_CHECK;

/* A new request id (UUIDv7 text) in arena, for a mutation that is to be repeated by the program
 * itself. NULL: no room. */
const char *comb_request_id_new(struct grpcc_arena *arena);

/* "CURSOR_EXPIRED" and so on: the reason in an error's details, as comb/v1/errors.proto names it;
 * NULL: it has none, or one that this version does not know. Static storage. */
const char *comb_error_reason(const struct grpcc_error *err);

/* The version of the library, "0.4.0". */
const char *comb_version(void);

#ifdef __cplusplus
}
#endif

#endif
