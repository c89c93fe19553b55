/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "comb/files.h"

#define SERVER_DEFAULT "127.0.0.1:7070"
/* Time for a restart of a server; a person is told after it that there is none. */
#define UNREACHABLE_MS 3000
#define UUID_LENGTH 36
#define SECRET_MAX 1024

/* The option that argument is, alone or as "--name=VALUE". */
static const struct cli_option *find_option(const struct cli_option *options, const char *argument,
                                            const char **ret_value)
{
    for (const struct cli_option *o = options; o->name; o++) {
        size_t length = strlen(o->name);
        *ret_value = NULL;
        if (strcmp(o->name, argument) == 0)
            return o;
        if (o->takes_value && strncmp(o->name, argument, length) == 0 && argument[length] == '=') {
            *ret_value = argument + length + 1;
            return o;
        }
    }
    return NULL;
}

bool cli_arguments(const struct cli_option *options, int *argc, char **argv, int min, int max,
                   const char *usage)
{
    int operands = 0;
    bool only_operands = false;
    for (int i = 0; i < *argc; i++) {
        const char *argument = argv[i], *value = NULL;
        if (only_operands || argument[0] != '-' || !argument[1]) {
            argv[operands++] = argv[i];
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            only_operands = true;
            continue;
        }
        const struct cli_option *option = find_option(options, argument, &value);
        if (option && option->takes_value && !value && i + 1 < *argc)
            value = argv[++i];
        if (!option || (option->takes_value && !value)) {
            fprintf(stderr, "comb: %s %s\nusage: %s\n", argument,
                    option ? "needs a value" : "is no option here", usage);
            return false;
        }
        *option->value = value ? value : "";
    }
    *argc = operands;
    if (operands >= min && operands <= max)
        return true;
    fprintf(stderr, "usage: %s\n", usage);
    return false;
}

int cli_subverb(struct cli *cli, const struct cli_verb *verbs, const char *noun, int argc,
                char **argv)
{
    for (const struct cli_verb *verb = verbs; argc > 0 && verb->name; verb++)
        if (strcmp(verb->name, argv[0]) == 0)
            return verb->run(cli, argc - 1, argv + 1);
    fprintf(stderr, "usage: comb %s ", noun);
    for (const struct cli_verb *verb = verbs; verb->name; verb++)
        fprintf(stderr, "%s%s", verb == verbs ? "" : "|", verb->name);
    fputs(" ...\n", stderr);
    return CLI_USAGE;
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value && strcmp(value, "0") != 0;
}

bool cli_connect(struct cli *cli)
{
    const char *server = cli->server ? cli->server : getenv("COMB_SERVER");
    cli->pinned |= is_set("COMB_PIN");
    struct comb_client_options options = {
        .size = sizeof options,
        .timeout_ms = cli->timeout_ms,
        .credentials_file = cli->credentials_file,
        .strong = cli->strong,
        .tls = cli->tls,
        .ca_file = cli->ca_file,
        .trust_servers = cli->trust_server,
        .pinned = cli->pinned || cli->trust_server,
        .unreachable_ms = cli->waits ? 0 : UNREACHABLE_MS,
        .user_agent = "comb",
    };
    if (cli->client)
        return true;
    /* Without a server the one of the credentials is taken, and where they name none the default.
     */
    enum grpcc_status status =
        comb_client_open(server && *server ? server : NULL, &options, &cli->client, &cli->err);
    if (status == GRPCC_INVALID_ARGUMENT && (!server || !*server))
        status = comb_client_open(SERVER_DEFAULT, &options, &cli->client, &cli->err);
    if (status == GRPCC_OK) {
        cli->server = comb_client_servers(cli->client);
        return true;
    }
    (void)cli_fail(cli, server);
    return false;
}

struct grpcc_channel *cli_channel(struct cli *cli)
{
    return cli_connect(cli) ? comb_client_channel(cli->client) : NULL;
}

static enum cli_exit exit_of(enum grpcc_status status)
{
    switch (status) {
    case GRPCC_OK:
        return CLI_OK;
    case GRPCC_INVALID_ARGUMENT:
    case GRPCC_OUT_OF_RANGE:
        return CLI_USAGE;
    case GRPCC_NOT_FOUND:
        return CLI_NOT_FOUND;
    case GRPCC_PERMISSION_DENIED:
    case GRPCC_UNAUTHENTICATED:
        return CLI_DENIED;
    case GRPCC_ALREADY_EXISTS:
    case GRPCC_FAILED_PRECONDITION:
    case GRPCC_ABORTED:
        return CLI_CONFLICT;
    case GRPCC_UNAVAILABLE:
    case GRPCC_DEADLINE_EXCEEDED:
    case GRPCC_RESOURCE_EXHAUSTED:
    case GRPCC_CANCELLED:
        return CLI_UNAVAILABLE;
    default:
        return CLI_FAILED;
    }
}

int cli_fail(const struct cli *cli, const char *what)
{
    const char *reason = comb_error_reason(&cli->err);
    fprintf(stderr, "comb: %s%s%s (%s)\n", what ? what : "", what ? ": " : "", cli->err.message,
            reason ? reason : grpcc_status_name(cli->err.status));
    if (cli->err.status == GRPCC_UNAUTHENTICATED)
        fprintf(stderr, "comb: log in with: comb login --user LOGIN\n");
    return exit_of(cli->err.status);
}

int cli_no_memory(void)
{
    fprintf(stderr, "comb: no memory\n");
    return CLI_FAILED;
}

static bool is_uuid(const char *text)
{
    for (int i = 0; i < UUID_LENGTH; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]) || !text[i])
            return false;
    }
    return text[UUID_LENGTH] == 0 || text[UUID_LENGTH] == '/';
}

struct comb_v1_node_ref *cli_ref(struct cli *cli, const char *text)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(cli->arena);
    if (!ref) {
        (void)cli_no_memory();
        return NULL;
    }
    if (text[0] == '/') {
        comb_v1_node_ref_set_path(ref, text);
        return ref;
    }
    if (!is_uuid(text)) {
        fprintf(stderr, "comb: \"%s\" is neither a path that begins with / nor an id\n",
                cli_name(text));
        return NULL;
    }
    comb_v1_node_ref_set_id(ref, grpcc_arena_strndup(cli->arena, text, UUID_LENGTH));
    comb_v1_node_ref_set_path(ref, text[UUID_LENGTH] ? text + UUID_LENGTH + 1 : "");
    return ref;
}

/* A line of stream without its end; false at the end of the stream. */
static bool read_line(FILE *stream, char line[SECRET_MAX])
{
    bool any = fgets(line, SECRET_MAX, stream) != NULL;
    line[any ? strcspn(line, "\r\n") : 0] = 0;
    return any;
}

static bool read_hidden(const char *prompt, char line[SECRET_MAX])
{
    struct termios before, hidden;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        fprintf(stderr, "%s: ", prompt);
        hidden = before;
        hidden.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    }
    bool any = read_line(stdin, line);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    return any;
}

char *cli_secret(struct cli *cli, const char *prompt, const char *file)
{
    char line[SECRET_MAX];
    bool any = false;
    if (file) {
        FILE *stream = fopen(file, "re");
        if (!stream) {
            fprintf(stderr, "comb: %s: %s\n", file, strerror(errno));
            return NULL;
        }
        any = read_line(stream, line);
        fclose(stream);
    } else {
        any = read_hidden(prompt, line);
    }
    char *secret = any ? grpcc_arena_strdup(cli->arena, line) : NULL;
    explicit_bzero(line, sizeof line);
    if (!secret)
        fprintf(stderr, "comb: no %s was given\n", prompt);
    return secret;
}

/* "-2h", "+7d". */
static bool read_relative(const char *text, int64_t *ret_seconds)
{
    static const struct {
        char name;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    char *end;
    if (*text != '-' && *text != '+')
        return false;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno || end == text || !*end || end[1] || labs(number) > INT32_MAX)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].name != *end)
            continue;
        *ret_seconds = time(NULL) + number * units[i].seconds;
        return true;
    }
    return false;
}

static bool read_absolute(const char *text, int64_t *ret_seconds)
{
    struct tm local = {.tm_isdst = -1};
    const char *end = strptime(text, "%Y-%m-%d", &local);
    if (end && *end)
        end = strptime(end, " %H:%M", &local);
    if (!end || *end)
        return false;
    *ret_seconds = mktime(&local);
    return true;
}

struct google_protobuf_timestamp *cli_read_time(struct cli *cli, const char *text)
{
    struct google_protobuf_timestamp *time = google_protobuf_timestamp_new(cli->arena);
    if (time && !read_relative(text, &time->seconds) && !read_absolute(text, &time->seconds)) {
        fprintf(stderr,
                "comb: a time is YYYY-MM-DD, \"YYYY-MM-DD HH:MM\", -2h or +7d (s, m, h, d, "
                "w); not \"%s\"\n",
                text);
        return NULL;
    }
    return time;
}
