/* SPDX-License-Identifier: Apache-2.0 */
/*
 * comb, the command line: what all verbs share. A verb is a row of the table in main.c; its
 * function gets its own arguments and answers the exit status.
 */
#ifndef COMB_CLI_H
#define COMB_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "comb/client.h"
#include "comb/v1/node.grpcc.h"
#include "google/protobuf/field_mask.grpcc.h"

/* Exit statuses: 0 done; 1 the server's or the store's fault; 2 wrong arguments; then by status
 * class. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,      /* UNKNOWN, INTERNAL, DATA_LOSS, UNIMPLEMENTED */
    CLI_USAGE = 2,       /* wrong arguments, INVALID_ARGUMENT, OUT_OF_RANGE */
    CLI_NOT_FOUND = 3,   /* NOT_FOUND */
    CLI_DENIED = 4,      /* PERMISSION_DENIED, UNAUTHENTICATED */
    CLI_CONFLICT = 5,    /* ALREADY_EXISTS, FAILED_PRECONDITION, ABORTED */
    CLI_UNAVAILABLE = 6, /* UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, CANCELLED */
    CLI_PARTLY = 7       /* a transfer of a tree that left something out */
};

/* What lags behind by more changes is said to do so by as many at least (admin.proto, lag_entries).
 */
#define CLI_LAG_MAX 100000

/* One run of the program. */
struct cli {
    const char *server; /* of --server, COMB_SERVER or the credentials; NULL: the default */
    const char *credentials_file;
    bool json; /* -o json */
    bool strong;
    int64_t timeout_ms; /* 0: the library's */
    bool tls;
    bool pinned;       /* no other replicas than `server` */
    bool waits;        /* as long as timeout_ms also where no server can be reached */
    bool trust_server; /* the session's tokens may go to `server`, whatever it was opened at */
    const char *ca_file;
    struct grpcc_arena *arena;  /* lives as long as the run */
    struct comb_client *client; /* after cli_connect() */
    struct grpcc_error err;
};

/* Options of a verb: "--name VALUE", "--name=VALUE" or, without value, "--name"; "-x" for single
 * letters. */
struct cli_option {
    const char *name; /* with its dashes; NULL ends the list */
    bool takes_value;
    const char **value; /* where it goes; a switch sets it to "" */
};

/*
 * Takes the options out of argv and leaves the rest: *argc operands at argv[0]. "--" ends the
 * options. False, said on stderr: an option that there is not, or without its value, or a number of
 * operands outside [min, max].
 */
bool cli_arguments(const struct cli_option *options, int *argc, char **argv, int min, int max,
                   const char *usage) GRPCC_MUST_CHECK;

/* The verbs of a noun, ended by a NULL name: "comb user add". */
struct cli_verb {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv);
};
/* Runs the verb that argv[0] names, with what follows it. */
int cli_subverb(struct cli *cli, const struct cli_verb *verbs, const char *noun, int argc,
                char **argv);

/* Opens the client with the credentials. False, said on stderr. */
bool cli_connect(struct cli *cli) GRPCC_MUST_CHECK;
/* The same to the admin side, which has an address of its own (--server, COMB_ADMIN_SERVER); the
 * session is the same. */
bool cli_connect_admin(struct cli *cli) GRPCC_MUST_CHECK;
/* The channel for generated stubs; connects first. NULL, said on stderr. */
struct grpcc_channel *cli_channel(struct cli *cli) GRPCC_MUST_CHECK;

/* Says the error of the run on stderr ("comb: what: message") and gives its exit status. */
int cli_fail(const struct cli *cli, const char *what);
/* CLI_FAILED, for a machine without memory. */
int cli_no_memory(void);

/* "/a/b", "UUID" or "UUID/a/b" as a reference in the run's arena; NULL, said on stderr. */
struct comb_v1_node_ref *cli_ref(struct cli *cli, const char *text) GRPCC_MUST_CHECK;

/* Reads a secret without echo from a terminal, else a line of stdin; or the first line of file. In
 * the run's arena; NULL, said on stderr. */
char *cli_secret(struct cli *cli, const char *prompt, const char *file) GRPCC_MUST_CHECK;

/* Local time, "2026-01-31" or "2026-01-31 12:00"; or "-2h", two hours ago, "+7d", in seven days: s,
 * m, h, d, w. In the run's arena; NULL, said on stderr. */
struct google_protobuf_timestamp *cli_read_time(struct cli *cli, const char *text) GRPCC_MUST_CHECK;

/* The token of a lock, for --lock; 0 for NULL. False, said on stderr. */
bool cli_read_lock(const char *text, uint64_t *ret_token) GRPCC_MUST_CHECK;

/* ---- output.c ---- */

/* A message as JSON (protobuf's JSON mapping) and a newline. */
void cli_print_json(FILE *out, const ProtobufCMessage *message);
/* One line of `comb ls -l`. */
void cli_print_node_line(FILE *out, const struct comb_v1_node *node);
/* All of a node, a line a field. */
void cli_print_node(FILE *out, const struct comb_v1_node *node);
/* "1.5 MiB". This and the next two give one of four buffers of the thread, in turn: good for one
 * line of output. */
const char *cli_bytes(uint64_t bytes);
/* Local time, "2026-01-31 12:00:00"; "-" for NULL. */
const char *cli_time(const struct google_protobuf_timestamp *time);
/* A name for a terminal: control characters become "?". */
const char *cli_name(const char *name);
/* Whether stdout is a terminal that wants colours (NO_COLOR). */
bool cli_has_colours(void);
/* A progress bar on stderr where that is a terminal; nothing elsewhere. For comb/files.h. */
struct comb_progress;
bool cli_progress(void *data, const struct comb_progress *progress);

/* ---- verbs ---- */

int cli_login(struct cli *cli, int argc, char **argv);
int cli_logout(struct cli *cli, int argc, char **argv);
int cli_whoami(struct cli *cli, int argc, char **argv);
int cli_token(struct cli *cli, int argc, char **argv);

int cli_ls(struct cli *cli, int argc, char **argv);
int cli_tree(struct cli *cli, int argc, char **argv);
int cli_stat(struct cli *cli, int argc, char **argv);
int cli_mkdir(struct cli *cli, int argc, char **argv);
int cli_mv(struct cli *cli, int argc, char **argv);
int cli_rm(struct cli *cli, int argc, char **argv);
int cli_restore(struct cli *cli, int argc, char **argv);
int cli_meta(struct cli *cli, int argc, char **argv);
int cli_lock(struct cli *cli, int argc, char **argv);
int cli_unlock(struct cli *cli, int argc, char **argv);
int cli_locks(struct cli *cli, int argc, char **argv);
int cli_watch(struct cli *cli, int argc, char **argv);

int cli_put(struct cli *cli, int argc, char **argv);
int cli_get(struct cli *cli, int argc, char **argv);
int cli_cat(struct cli *cli, int argc, char **argv);
int cli_import(struct cli *cli, int argc, char **argv);
int cli_uploads(struct cli *cli, int argc, char **argv);
int cli_url(struct cli *cli, int argc, char **argv);

int cli_grant(struct cli *cli, int argc, char **argv);
int cli_revoke(struct cli *cli, int argc, char **argv);
int cli_rights(struct cli *cli, int argc, char **argv);
int cli_check(struct cli *cli, int argc, char **argv);

int cli_user(struct cli *cli, int argc, char **argv);
int cli_group(struct cli *cli, int argc, char **argv);
int cli_role(struct cli *cli, int argc, char **argv);
/* Adds path to the mask where value was given. */
bool cli_mask_if(struct cli *cli, struct google_protobuf_field_mask *mask, const char *value,
                 const char *path);
int cli_workspace(struct cli *cli, int argc, char **argv);
int cli_events(struct cli *cli, int argc, char **argv);
int cli_operations(struct cli *cli, int argc, char **argv);
int cli_call(struct cli *cli, int argc, char **argv);
int cli_vault(struct cli *cli, int argc, char **argv);
int cli_audit(struct cli *cli, int argc, char **argv);
int cli_replicas(struct cli *cli, int argc, char **argv);
int cli_registry(struct cli *cli, int argc, char **argv);
int cli_admin(struct cli *cli, int argc, char **argv);
int cli_cluster(struct cli *cli, int argc, char **argv);
int cli_config(struct cli *cli, int argc, char **argv);
int cli_doc(struct cli *cli, int argc, char **argv);
int cli_feed(struct cli *cli, int argc, char **argv);
int cli_find(struct cli *cli, int argc, char **argv);
int cli_log(struct cli *cli, int argc, char **argv);

#endif
