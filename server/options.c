/* SPDX-License-Identifier: Apache-2.0 */
#include "server/options.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FLAG_NAME_MAX 64

enum flag_type { FLAG_TEXT, FLAG_NUMBER, FLAG_SWITCH };

/* One flag: where its value goes and what --help says. Numbers are limited to [min, max]. */
struct flag {
    const char *name; /* without the dashes */
    enum flag_type type;
    size_t offset;
    const char *value_name;
    const char *fallback;
    unsigned min, max;
    const char *help;
};

#define MEMBER(name) offsetof(struct comb_options, name)

static const struct flag flags[] = {
    {"home", FLAG_TEXT, MEMBER(home), "DIR", NULL, 0, 0,
     "where the embedded stores lie; made with mode 0700 [~/.local/share/comb]"},
    {"listen", FLAG_TEXT, MEMBER(listen), "ADDRESS", "127.0.0.1:7070", 0, 0,
     "where the API is served: HOST:PORT (port 0: any) or unix:PATH [127.0.0.1:7070]"},
    {"advertise", FLAG_TEXT, MEMBER(advertise), "ADDRESS", NULL, 0, 0,
     "where clients and peers reach this replica, told by the registry: HOST:PORT or unix:PATH "
     "[what --listen says; a wildcard is not used by clients]"},
    {"admin-listen", FLAG_TEXT, MEMBER(admin_listen), "ADDRESS", "127.0.0.1:7071", 0, 0,
     "where comb.v1.Admin is served [127.0.0.1:7071, or the next free port]"},
    {"tls-certificate", FLAG_TEXT, MEMBER(tls_certificate), "FILE", NULL, 0, 0,
     "PEM certificate chain of the listeners; read again when it changes"},
    {"tls-key", FLAG_TEXT, MEMBER(tls_key), "FILE", NULL, 0, 0, "PEM key of --tls-certificate"},
    {"tls-client-ca", FLAG_TEXT, MEMBER(tls_client_ca), "FILE", NULL, 0, 0,
     "PEM authorities: clients must show a certificate of one of them"},
    {"insecure", FLAG_SWITCH, MEMBER(insecure), NULL, NULL, 0, 0,
     "allow listening beyond this machine without TLS"},
    {"config", FLAG_TEXT, MEMBER(config), "URL", NULL, 0, 0,
     "configuration: json:PATH or etcd://HOST:PORT,.../PREFIX [json:HOME/config.json]"},
    {"vault", FLAG_TEXT, MEMBER(vault), "URL", NULL, 0, 0,
     "keys and secrets: json:PATH or vault://HOST:PORT/MOUNT [json:HOME/vault.json]"},
    {"sql", FLAG_TEXT, MEMBER(sql), "URL", NULL, 0, 0,
     "tree, permissions, identity, ...: sqlite:PATH or postgres://USER@HOST:PORT,.../DATABASE "
     "[sqlite:HOME/comb.db]"},
    {"cache", FLAG_TEXT, MEMBER(cache), "URL", NULL, 0, 0,
     "what saves work: mem:SIZE or redis://HOST:PORT [mem:64MiB]"},
    {"registry", FLAG_TEXT, MEMBER(registry), "URL", NULL, 0, 0,
     "who serves: mem: or etcd://HOST:PORT,.../PREFIX [mem:]"},
    {"events", FLAG_TEXT, MEMBER(events), "URL", NULL, 0, 0,
     "hints between replicas: mem: or nats://HOST:PORT,... [mem:]"},
    {"data", FLAG_TEXT, MEMBER(data), "URL", NULL, 0, 0,
     "content of files: files:DIR or s3://BUCKET?endpoint=URL [files:HOME/data]"},
    {"docs", FLAG_TEXT, MEMBER(docs), "URL", NULL, 0, 0,
     "documents and what is derived: sqlite:PATH or mongodb://HOST:PORT,.../DATABASE "
     "[sqlite:HOME/docs.db]"},
    {"vault-token-file", FLAG_TEXT, MEMBER(vault_token_file), "FILE", NULL, 0, 0,
     "token of the vault row, in a file of mode 0600"},
    {"vault-approle-file", FLAG_TEXT, MEMBER(vault_approle_file), "FILE", NULL, 0, 0,
     "ROLE_ID:SECRET_ID that the vault row logs in with, in a file of mode 0600"},
    {"vault-passphrase-file", FLAG_TEXT, MEMBER(vault_passphrase_file), "FILE", NULL, 0, 0,
     "passphrase of a json: vault in place of its key file, in a file of mode 0600"},
    {"config-credentials-file", FLAG_TEXT, MEMBER(config_credentials_file), "FILE", NULL, 0, 0,
     "secret of the config row: a file of mode 0600, or vault:PATH#KEY"},
    {"sql-credentials-file", FLAG_TEXT, MEMBER(sql_credentials_file), "FILE", NULL, 0, 0,
     "secret of the sql row: a file of mode 0600, or vault:PATH#KEY"},
    {"cache-credentials-file", FLAG_TEXT, MEMBER(cache_credentials_file), "FILE", NULL, 0, 0,
     "secret of the cache row: a file of mode 0600, or vault:PATH#KEY"},
    {"registry-credentials-file", FLAG_TEXT, MEMBER(registry_credentials_file), "FILE", NULL, 0, 0,
     "secret of the registry row: a file of mode 0600, or vault:PATH#KEY"},
    {"events-credentials-file", FLAG_TEXT, MEMBER(events_credentials_file), "FILE", NULL, 0, 0,
     "secret of the events row: a file of mode 0600, or vault:PATH#KEY"},
    {"data-credentials-file", FLAG_TEXT, MEMBER(data_credentials_file), "FILE", NULL, 0, 0,
     "secret of the data row: a file of mode 0600, or vault:PATH#KEY"},
    {"docs-credentials-file", FLAG_TEXT, MEMBER(docs_credentials_file), "FILE", NULL, 0, 0,
     "secret of the docs row: a file of mode 0600, or vault:PATH#KEY"},
    {"encrypt-data", FLAG_SWITCH, MEMBER(encrypt_data), NULL, NULL, 0, 0,
     "encrypt contents that come in, by keys that the vault row's key wraps; what is encrypted is "
     "read with or without it"},
    {"cluster", FLAG_SWITCH, MEMBER(cluster), NULL, NULL, 0, 0,
     "refuse to start with a store that only one process can use"},
    {"check", FLAG_SWITCH, MEMBER(check), NULL, NULL, 0, 0,
     "say of each row what it reaches, a line each, and exit: 0 where all can be used, else 1"},
    {"restored", FLAG_SWITCH, MEMBER(restored), NULL, NULL, 0, 0,
     "after the sql row was restored from a backup, before a server is started: begin a new "
     "history, "
     "so that tokens and cursors from before are refused, and exit"},
    {"restore", FLAG_TEXT, MEMBER(restore), "FILE", NULL, 0, 0,
     "put a backup that `comb admin backup` has made back into the rows sql, vault, config, data "
     "and docs, which must be empty, compare, begin a new history, and exit"},
    {"restore-key-file", FLAG_TEXT, MEMBER(restore_key_file), "FILE", NULL, 0, 0,
     "key of the backup, in a file of mode 0600"},
    {"admin-password-file", FLAG_TEXT, MEMBER(admin_password_file), "FILE", NULL, 0, 0,
     "password of the first administrator; without it, and without COMB_ADMIN_PASSWORD in the "
     "environment, one is made and kept in HOME/admin"},
    {"ready-file", FLAG_TEXT, MEMBER(ready_file), "FILE", NULL, 0, 0,
     "written when calls are served: lines listen=ADDRESS, admin=ADDRESS and, with "
     "--metrics-listen, metrics=ADDRESS"},
    {"log", FLAG_TEXT, MEMBER(log), "LEVELS", "all=info", 0, 0,
     "error, warn, info, debug or trace, by component: all=warn,tree=debug [all=info]"},
    {"log-store", FLAG_TEXT, MEMBER(log_store), "LEVEL", "info", 0, 0,
     "what of the log is also kept for `comb log`: the lines of this level and worse ones, as far "
     "as "
     "--log lets them be written; off: none [info]"},
    {"access-log", FLAG_TEXT, MEMBER(access_log), "FILE", NULL, 0, 0,
     "a line of JSON for each call, appended to FILE; - for standard output; SIGHUP opens FILE "
     "again"},
    {"metrics-listen", FLAG_TEXT, MEMBER(metrics_listen), "ADDRESS", NULL, 0, 0,
     "where Prometheus finds /metrics, and people /calls, over HTTP without log-in: HOST:PORT "
     "(port 0: any)"},
    {"drain-delay-ms", FLAG_NUMBER, MEMBER(drain_delay_ms), "MS", "500", 0, 600000,
     "after SIGTERM, how long calls are still served while health says NOT_SERVING [500]"},
    {"drain-grace-ms", FLAG_NUMBER, MEMBER(drain_grace_ms), "MS", "30000", 0, 600000,
     "after that, how long running calls may take [30000]"},
    {"workers", FLAG_NUMBER, MEMBER(workers), "N", "64", 1, 1024,
     "threads for calls that wait for a store [64]"},
    {"facts-mib", FLAG_NUMBER, MEMBER(facts_mib), "MIB", "64", 1, 65536,
     "memory for folders, rights and roles [64]"},
    {"feed-keep-hours", FLAG_NUMBER, MEMBER(feed_keep_hours), "H", "168", 1, 87600,
     "how far the change feed goes back [168]"},
    {"audit-keep-days", FLAG_NUMBER, MEMBER(audit_keep_days), "D", "0", 0, 36500,
     "how far the audit trail goes back; 0: all of it [0]"},
    {"extract-program", FLAG_TEXT, MEMBER(extract_program), "PATH", NULL, 0, 0,
     "the program comb-extract, which reads files for search; none: contents are not read [beside "
     "combd, or ../libexec/comb or ../lib/comb from there]"},
    {"extract-workers", FLAG_NUMBER, MEMBER(extract_workers), "N", "1", 1, 64,
     "files that are read for search at a time [1]"},
    {"extract-timeout-s", FLAG_NUMBER, MEMBER(extract_timeout_s), "S", "30", 1, 40,
     "how long one file may be read for search; then what was read of it is kept [30]"},
    {"extract-memory-mib", FLAG_NUMBER, MEMBER(extract_memory_mib), "MIB", "512", 128, 65536,
     "memory of the process that reads one file for search [512]"},
    {"extract-file-mib", FLAG_NUMBER, MEMBER(extract_file_mib), "MIB", "64", 1, 4096,
     "largest file that is read whole for search: all but text and HTML [64]"},
    {"activity-keep-days", FLAG_NUMBER, MEMBER(activity_keep_days), "D", "365", 0, 36500,
     "how far activities go back; 0: all of them [365]"},
    {"activity-keep-items", FLAG_NUMBER, MEMBER(activity_keep_items), "N", "10000000", 0,
     1000000000, "how many activities are kept, the newest; 0: any number [10000000]"},
    {"log-keep-days", FLAG_NUMBER, MEMBER(log_keep_days), "D", "30", 0, 36500,
     "how far kept log entries go back; 0: all of them [30]"},
    {"log-keep-entries", FLAG_NUMBER, MEMBER(log_keep_entries), "N", "10000000", 0, 1000000000,
     "how many log entries are kept, the newest; 0: any number [10000000]"},
    {"help", FLAG_SWITCH, MEMBER(help), NULL, NULL, 0, 0, "print this and exit"},
    {"version", FLAG_SWITCH, MEMBER(version), NULL, NULL, 0, 0, "print the version and exit"},
};

#define N_FLAGS (sizeof flags / sizeof flags[0])

static enum comb_status set_value(struct comb_options *options, const struct flag *flag,
                                  const char *value, const char *from, struct comb_error *err)
{
    void *member = (char *)options + flag->offset;
    if (flag->type == FLAG_TEXT) {
        *(const char **)member = value;
        return COMB_OK;
    }
    if (flag->type == FLAG_SWITCH) {
        bool on = !value || strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
        if (!on && strcmp(value, "0") != 0 && strcmp(value, "false") != 0)
            return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                                  "%s: must be 1, true, 0 or false, and is \"%.64s\"", from, value);
        *(bool *)member = on;
        return COMB_OK;
    }
    char *end = NULL;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)value[0]) || *end || errno || number < flag->min ||
        number > flag->max)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "%s: must be a number from %u to %u, and is \"%.64s\"", from,
                              flag->min, flag->max, value);
    *(unsigned *)member = (unsigned)number;
    return COMB_OK;
}

/* "drain-delay-ms" -> "COMB_DRAIN_DELAY_MS" */
static void environment_name(const struct flag *flag, char ret_name[FLAG_NAME_MAX])
{
    snprintf(ret_name, FLAG_NAME_MAX, "COMB_%s", flag->name);
    for (char *c = ret_name; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static enum comb_status read_environment(struct comb_options *options, struct comb_error *err)
{
    for (size_t i = 0; i < N_FLAGS; i++) {
        char name[FLAG_NAME_MAX];
        environment_name(&flags[i], name);
        const char *value = getenv(name);
        if (!value || !*value)
            continue;
        enum comb_status status = set_value(options, &flags[i], value, name, err);
        if (status != COMB_OK)
            return status;
        options->admin_listen_given |= strcmp(flags[i].name, "admin-listen") == 0;
    }
    return COMB_OK;
}

static const struct flag *find_flag(const char *name, size_t length)
{
    for (size_t i = 0; i < N_FLAGS; i++)
        if (strlen(flags[i].name) == length && memcmp(flags[i].name, name, length) == 0)
            return &flags[i];
    return NULL;
}

/* One argument and, where it is not "--x=v", the one behind it; *at is moved on. */
static enum comb_status read_argument(struct comb_options *options, int argc, char **argv, int *at,
                                      struct comb_error *err)
{
    const char *argument = argv[(*at)++];
    if (strncmp(argument, "--", 2) != 0)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "what is \"%.64s\"? Flags begin with --; see combd --help", argument);
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    const struct flag *flag = find_flag(name, equals ? (size_t)(equals - name) : strlen(name));
    if (!flag)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "there is no flag \"%.64s\"; see combd --help", argument);
    const char *value = equals ? equals + 1 : NULL;
    if (!value && flag->type != FLAG_SWITCH) {
        if (*at >= argc)
            return comb_error_set(err, COMB_INVALID_ARGUMENT, 0, "--%s needs a value: --%s %s",
                                  flag->name, flag->name, flag->value_name);
        value = argv[(*at)++];
    }
    char from[FLAG_NAME_MAX];
    snprintf(from, sizeof from, "--%s", flag->name);
    options->admin_listen_given |= strcmp(flag->name, "admin-listen") == 0;
    return set_value(options, flag, value, from, err);
}

enum comb_status comb_options_parse(struct comb_options *options, int argc, char **argv,
                                    struct comb_error *err)
{
    *options = (struct comb_options){0};
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < N_FLAGS && status == COMB_OK; i++)
        if (flags[i].fallback)
            status = set_value(options, &flags[i], flags[i].fallback, flags[i].name, err);
    if (status == COMB_OK)
        status = read_environment(options, err);
    for (int at = 1; at < argc && status == COMB_OK;)
        status = read_argument(options, argc, argv, &at, err);
    return status;
}

void comb_options_help(FILE *out)
{
    fputs("usage: combd [FLAGS]\n\n"
          "Serves comb.v1 against its stores until SIGTERM or SIGINT, then drains: no call that "
          "began\n"
          "is lost. A second signal ends it at once.\n\n"
          "Each flag --x-y can be given as COMB_X_Y in the environment; the command line wins.\n\n",
          out);
    for (size_t i = 0; i < N_FLAGS; i++) {
        char left[FLAG_NAME_MAX];
        snprintf(left, sizeof left, "--%s%s%s", flags[i].name, flags[i].value_name ? " " : "",
                 flags[i].value_name ? flags[i].value_name : "");
        fprintf(out, "  %-32s %s\n", left, flags[i].help);
    }
}
