/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flags of combd. Each is `--x-y` on the command line and COMB_X_Y in the environment; the
 * command line wins. One table (options.c) gives names, defaults and the text of --help.
 */
#ifndef COMB_OPTIONS_H
#define COMB_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "server/core/error.h"

struct comb_options {
    const char *home;
    const char *listen;
    const char *advertise; /* NULL: what was bound of `listen` */
    const char *admin_listen;
    bool admin_listen_given; /* else the next free port is taken where the default's is not */
    const char *ready_file;
    const char *admin_password_file;
    const char *tls_certificate, *tls_key, *tls_client_ca;
    bool insecure;
    /* the rows (server/rows.h): their URLs, NULL: the embedded store below home */
    const char *config, *vault, *sql, *cache, *registry, *events, *data, *docs;
    /* files of mode 0600, NULL: none */
    const char *vault_token_file, *vault_approle_file, *vault_passphrase_file;
    const char *config_credentials_file, *sql_credentials_file, *cache_credentials_file;
    const char *registry_credentials_file, *events_credentials_file, *data_credentials_file;
    const char *docs_credentials_file;
    bool encrypt_data;
    bool cluster; /* every row must be shared with other replicas */
    const char *log;
    const char *log_store; /* the lowest level of the log that is kept in the docs row, or "off" */
    const char *metrics_listen; /* NULL: no metrics */
    const char *access_log;     /* a path, or "-"; NULL: none */
    unsigned drain_delay_ms, drain_grace_ms;
    unsigned workers;
    unsigned facts_mib;
    unsigned feed_keep_hours;
    unsigned audit_keep_days;     /* 0: for ever */
    unsigned activity_keep_days;  /* 0: for ever */
    unsigned activity_keep_items; /* 0: any number */
    unsigned log_keep_days;       /* 0: for ever */
    unsigned log_keep_entries;    /* 0: any number */
    /* reading contents (server/extractor.h) */
    const char *extract_program; /* NULL: where it is looked for; "none": none */
    unsigned extract_workers, extract_timeout_s, extract_memory_mib, extract_file_mib;
    bool check;    /* look at the rows, say what they reach, end */
    bool restored; /* the sql row was put back from a backup: say so to the rows, end */
    /* a backup that is put back into empty stores, and the file of its key; NULL: none */
    const char *restore, *restore_key_file;
    bool help, version;
};

/*
 * Reads the environment, then the command line. Strings point into argv, the environment or static
 * storage. INVALID_ARGUMENT with a message for a flag that does not exist, lacks its value or has a
 * wrong one.
 */
enum comb_status comb_options_parse(struct comb_options *options, int argc, char **argv,
                                    struct comb_error *err) COMB_MUST_CHECK;

/* The text of --help. */
void comb_options_help(FILE *out);

#endif
