/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"

struct verb {
    const char *name;
    const char *arguments;
    const char *help;
    int (*run)(struct cli *cli, int argc, char **argv);
};

static const struct verb verbs[] = {
    {"login", "[--user LOGIN] [--password-file FILE]", "open a session and keep its tokens",
     cli_login},
    {"logout", "", "end the session", cli_logout},
    {"whoami", "", "who the server takes you for", cli_whoami},
    {"ls", "[-l] [REF]", "children of a folder; / is your workspaces", cli_ls},
    {"tree", "[--depth N] [REF]", "a folder with all that it holds", cli_tree},
    {"stat", "REF...", "all about nodes", cli_stat},
    {"mkdir", "[-p] PATH...", "make folders", cli_mkdir},
    {"put", "[-r] [--lock TOKEN] LOCAL... REMOTE", "send files or, with -r, folders", cli_put},
    {"get", "[-r] REMOTE LOCAL", "fetch a file or, with -r, a folder", cli_get},
    {"cat", "REMOTE...", "write the content of files to stdout", cli_cat},
    {"url", "[--ttl SECONDS] REF", "URLs that read a file from the data store, 60 s long", cli_url},
    {"uploads", "ls|rm ID...", "uploads of yours that were begun and not ended", cli_uploads},
    {"import", "[--files-from FILE] DIR REMOTE", "send a folder and report", cli_import},
    {"mv", "[--replace] [--lock TOKEN] REF TARGET", "rename or move", cli_mv},
    {"rm", "[--permanently] [--lock TOKEN] REF...", "move to the recycle bin, or delete for good",
     cli_rm},
    {"restore", "[--lock TOKEN] ID [TARGET]", "bring back from the recycle bin", cli_restore},
    {"meta", "REF [NS:NAME=TEXT | NS:NAME-]...", "show or change metadata", cli_meta},
    {"lock", "[--shared] [--lease SECONDS] ... REF", "keep others from changing a node for a while",
     cli_lock},
    {"unlock", "[--break] REF [TOKEN]", "end a lock, or those of others", cli_unlock},
    {"locks", "REF...", "who has locked nodes, and until when", cli_locks},
    {"watch", "[-r] [--snapshot] [REF]", "changes as they happen", cli_watch},
    {"grant", "REF SUBJECT RIGHTS [--until TIME]", "set a permission entry", cli_grant},
    {"revoke", "REF SUBJECT", "remove a permission entry", cli_revoke},
    {"rights", "REF", "the permission entries of a node", cli_rights},
    {"check", "REF RIGHTS [--user LOGIN]", "whether a right holds, and why", cli_check},
    {"user", "add|ls|show|set|rm|roles ...", "users", cli_user},
    {"group", "add|ls|show|set|rm ...", "groups, one in another", cli_group},
    {"role", "add|ls|show|set|rm ...", "roles", cli_role},
    {"workspace", "add|ls|show|set ...", "workspaces", cli_workspace},
    {"token", "add|rm ...", "personal access tokens", cli_token},
    {"events", "publish|subscribe ...", "messages for whoever listens now", cli_events},
    {"operations", "ls|show|wait|cancel|rm ...", "work that takes long", cli_operations},
    {"vault", "put|get|ls|rm|key|...", "secrets, and keys that stay there", cli_vault},
    {"audit", "ls|verify|export|key|reindex ...", "who did what, and whether the trail is whole",
     cli_audit},
    {"replicas", "", "the replicas that are found, and how they do", cli_replicas},
    {"registry", "ls|watch [SERVICE]", "who serves, where", cli_registry},
    {"cluster", "top [--once] [--interval SECONDS]", "the whole installation on one screen",
     cli_cluster},
    {"config", "get|set|rm|ls|history|watch ...", "the configuration", cli_config},
    {"find", "[-l] [--facets] [--unread] QUERY...", "search names, contents, metadata", cli_find},
    {"doc", "put|get|ls|find|rm|index|store ...", "JSON documents, by store and id", cli_doc},
    {"log", "[WORD...] [--follow]|append ...", "what was logged", cli_log},
    {"feed", "[REF|--user LOGIN|--mine]|follow|...", "who did what to what", cli_feed},
    {"call", "[SERVICE [METHOD [--json JSON|-]]]", "any method, in JSON", cli_call},
    {"admin", "info|check|consumers|...",
     "one replica, on its admin address; sweeping; encryption; consumers; backup; moves",
     cli_admin},
};

#define N_VERBS (sizeof verbs / sizeof verbs[0])

static void print_help(FILE *out)
{
    fputs("usage: comb [OPTIONS] VERB ...\n\n"
          "REF is a path (/workspace/a/b, /personal/a), an id, or id/relative/path.\n"
          "SUBJECT is user:LOGIN or role:NAME; RIGHTS is read, write, rw or deny.\n\n",
          out);
    for (size_t i = 0; i < N_VERBS; i++)
        fprintf(out, "  %-10s %-38s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
    fputs("\noptions:\n"
          "  --server ADDRESS   replicas, separated by commas; one finds the others (COMB_SERVER)\n"
          "  --pin              only those of --server, behind a proxy that chooses (COMB_PIN)\n"
          "  --home DIR         holds client.json with the session (COMB_HOME)\n"
          "  -o json            answers as JSON, for programs\n"
          "  --strong           linearizable reads\n"
          "  --timeout SECONDS  for each call [30]\n"
          "  --wait             as long also where no server can be reached [3 s]\n"
          "  --tls, --ca FILE   TLS, and the authorities to trust\n"
          "  --help, --version\n\n"
          "exit status: 0 done, 1 fault of the server, 2 wrong arguments, 3 not found, 4 denied,\n"
          "5 conflict, 6 unavailable, 7 a tree was sent or fetched but for what was named\n",
          out);
}

/* The options in front of the verb. Moves *argc, *argv behind them; -1: go on, else exit with it.
 */
static int read_globals(struct cli *cli, const char **home, int *argc, char ***argv)
{
    const char *json = NULL, *strong = NULL, *timeout = NULL, *tls = NULL, *help = NULL,
               *version = NULL, *pin = NULL, *wait = NULL;
    const struct cli_option options[] = {
        {"--server", true, &cli->server},
        {"--home", true, home},
        {"-o", true, &json},
        {"--strong", false, &strong},
        {"--timeout", true, &timeout},
        {"--tls", false, &tls},
        {"--ca", true, &cli->ca_file},
        {"--help", false, &help},
        {"-h", false, &help},
        {"--version", false, &version},
        {"--pin", false, &pin},
        {"--wait", false, &wait},
        {NULL, false, NULL},
    };
    /* Only what stands before the verb: its own options are its own. */
    int n = 0;
    while (n < *argc && (*argv)[n][0] == '-') {
        bool takes = false;
        for (const struct cli_option *o = options; o->name; o++)
            takes |= strcmp(o->name, (*argv)[n]) == 0 && o->takes_value;
        n += takes ? 2 : 1;
    }
    int own = n < *argc ? n : *argc;
    char **rest = *argv + own;
    int n_rest = *argc - own;
    if (!cli_arguments(options, &own, *argv, 0, 0, "comb [OPTIONS] VERB ..."))
        return CLI_USAGE;
    if (help) {
        print_help(stdout);
        return CLI_OK;
    }
    if (version) {
        printf("comb %s\n", comb_version());
        return CLI_OK;
    }
    cli->json = json && strcmp(json, "json") == 0;
    cli->strong = strong != NULL;
    cli->pinned = pin != NULL;
    cli->waits = wait != NULL;
    cli->tls = tls || cli->ca_file;
    cli->timeout_ms = timeout ? (int64_t)(strtod(timeout, NULL) * 1000) : 0;
    if ((json && !cli->json && strcmp(json, "text") != 0) || (timeout && cli->timeout_ms <= 0)) {
        fprintf(stderr, "comb: -o takes json or text, --timeout a number of seconds\n");
        return CLI_USAGE;
    }
    *argc = n_rest;
    *argv = rest;
    return -1;
}

/* HOME/client.json in the run's arena; NULL, said on stderr. */
static const char *credentials_path(struct cli *cli, const char *home)
{
    const char *user = getenv("HOME");
    if (!home || !*home)
        home = getenv("COMB_HOME");
    if (home && *home)
        return grpcc_arena_printf(cli->arena, "%s/client.json", home);
    if (user && *user)
        return grpcc_arena_printf(cli->arena, "%s/.local/share/comb/client.json", user);
    fprintf(stderr, "comb: HOME is not set: say where the session is kept with --home DIR\n");
    return NULL;
}

static int run_verb(struct cli *cli, int argc, char **argv)
{
    for (size_t i = 0; i < N_VERBS; i++)
        if (strcmp(verbs[i].name, argv[0]) == 0)
            return verbs[i].run(cli, argc - 1, argv + 1);
    fprintf(stderr, "comb: there is no verb \"%s\"; see comb --help\n", argv[0]);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    struct cli cli = {.arena = grpcc_arena_new(0), .err = GRPCC_ERROR_INIT};
    const char *home = NULL;
    if (!cli.arena)
        return cli_no_memory();
    argc--;
    argv++;
    int status = read_globals(&cli, &home, &argc, &argv);
    if (status < 0 && argc == 0) {
        print_help(stderr);
        status = CLI_USAGE;
    }
    if (status < 0) {
        cli.credentials_file = credentials_path(&cli, home);
        status = cli.credentials_file ? run_verb(&cli, argc, argv) : CLI_USAGE;
    }
    comb_client_close(cli.client);
    grpcc_arena_free(cli.arena);
    if (fflush(stdout) != 0 && status == CLI_OK) {
        perror("comb: writing");
        status = CLI_FAILED;
    }
    return status;
}
