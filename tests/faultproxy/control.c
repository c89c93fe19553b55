/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/faultproxy/control.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { WORDS_MAX = 6, ANSWER_SECONDS_MAX = 10 };
/* What a lost packet costs before TCP sends it again, at least, on Linux. */
enum { STALL_MS_DEFAULT = 200 };

/* What a command asks for, in the form that fault_proxy_set() hands on. */
struct wish {
    const struct command *command;
    bool ways[FAULT_PROXY_WAYS];
    uint64_t numbers[2];
};

struct command {
    const char *name;
    const char *usage;
    size_t numbers_min, numbers_max;
    uint64_t number_max; /* of the first one */
    bool by_way;         /* "up" or "down" may stand before the numbers */
    void (*apply)(const struct wish *wish, struct fault_proxy_faults *faults,
                  struct flow_fault *way);
};

static void apply_delay(const struct wish *wish, struct fault_proxy_faults *faults,
                        struct flow_fault *way)
{
    (void)faults;
    way->delay_ms = (uint32_t)wish->numbers[0];
    way->jitter_ms = (uint32_t)wish->numbers[1];
}

static void apply_loss(const struct wish *wish, struct fault_proxy_faults *faults,
                       struct flow_fault *way)
{
    (void)faults;
    way->loss_percent = (uint32_t)wish->numbers[0];
    way->stall_ms = wish->numbers[1] > 0 ? (uint32_t)wish->numbers[1] : STALL_MS_DEFAULT;
}

static void apply_bandwidth(const struct wish *wish, struct fault_proxy_faults *faults,
                            struct flow_fault *way)
{
    (void)faults;
    way->bytes_per_second = wish->numbers[0];
}

static void apply_cut(const struct wish *wish, struct fault_proxy_faults *faults,
                      struct flow_fault *way)
{
    (void)wish;
    (void)faults;
    way->blocked = true;
}

static void apply_silent(const struct wish *wish, struct fault_proxy_faults *faults,
                         struct flow_fault *way)
{
    (void)wish;
    (void)way;
    faults->silent = true;
}

static void apply_keep_open(const struct wish *wish, struct fault_proxy_faults *faults,
                            struct flow_fault *way)
{
    (void)wish;
    (void)way;
    faults->keep_open = true;
}

static void apply_refuse(const struct wish *wish, struct fault_proxy_faults *faults,
                         struct flow_fault *way)
{
    (void)wish;
    (void)way;
    faults->refused = true;
}

enum { MS_MAX = 600000 };

/* What is wrong with links; what is not here stands in control_run(). */
static const struct command commands[] = {
    {"delay", "delay LINKS [up|down] MS [JITTER-MS]", 1, 2, MS_MAX, true, apply_delay},
    {"loss", "loss LINKS [up|down] PERCENT [STALL-MS]", 1, 2, 100, true, apply_loss},
    {"bandwidth", "bandwidth LINKS [up|down] BYTES-PER-SECOND", 1, 1, LONG_MAX, true,
     apply_bandwidth},
    {"cut", "cut LINKS [up|down]", 0, 0, 0, true, apply_cut},
    {"silent", "silent LINKS", 0, 0, 0, false, apply_silent},
    {"keep-open", "keep-open LINKS", 0, 0, 0, false, apply_keep_open},
    {"refuse", "refuse LINKS", 0, 0, 0, false, apply_refuse},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static bool read_number(const char *word, uint64_t max, uint64_t *ret_number)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(word, &end, 10);
    if (errno != 0 || *word < '0' || *word > '9' || *end || number > max)
        return false;
    *ret_number = number;
    return true;
}

/* The words behind the links. */
static bool read_wish(const struct command *command, size_t n, char **words, struct wish *wish)
{
    *wish = (struct wish){.command = command, .ways = {true, true}};
    if (command->by_way && n > 0 && strcmp(words[0], "up") == 0) {
        wish->ways[FAULT_PROXY_DOWN] = false;
        n--, words++;
    } else if (command->by_way && n > 0 && strcmp(words[0], "down") == 0) {
        wish->ways[FAULT_PROXY_UP] = false;
        n--, words++;
    }
    if (n < command->numbers_min || n > command->numbers_max)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!read_number(words[i], i == 0 ? command->number_max : MS_MAX, &wish->numbers[i]))
            return false;
    return true;
}

static void change(void *data, struct fault_proxy_faults *faults)
{
    const struct wish *wish = data;

    for (int way = 0; way < FAULT_PROXY_WAYS; way++)
        if (wish->ways[way])
            wish->command->apply(wish, faults, &faults->ways[way]);
}

static void show_way(FILE *answer, const char *name, const struct flow_fault *fault)
{
    if (fault->delay_ms || fault->jitter_ms)
        fprintf(answer, " delay %s %u %u", name, fault->delay_ms, fault->jitter_ms);
    if (fault->loss_percent)
        fprintf(answer, " loss %s %u %u", name, fault->loss_percent, fault->stall_ms);
    if (fault->bytes_per_second)
        fprintf(answer, " bandwidth %s %llu", name, (unsigned long long)fault->bytes_per_second);
    if (fault->blocked)
        fprintf(answer, " cut %s", name);
}

static void show(void *data, const struct fault_proxy_view *view)
{
    const struct fault_proxy_faults *faults = view->faults;
    FILE *answer = data;

    fprintf(answer, "%s %s %s connections %zu up %llu down %llu", view->name, view->listen,
            view->target, view->connections, (unsigned long long)view->bytes[FAULT_PROXY_UP],
            (unsigned long long)view->bytes[FAULT_PROXY_DOWN]);
    show_way(answer, "up", &faults->ways[FAULT_PROXY_UP]);
    show_way(answer, "down", &faults->ways[FAULT_PROXY_DOWN]);
    fprintf(answer, "%s%s%s\n", faults->silent ? " silent" : "",
            faults->keep_open ? " keep-open" : "", faults->refused ? " refuse" : "");
}

static void end_answer(FILE *answer, size_t n_links)
{
    fputs(n_links > 0 ? "ok\n" : "error: no link is called so\n", answer);
}

/* Commands without a wish; false: it is none of them. */
static bool run_plain(struct fault_proxy *proxy, size_t n, char **words, FILE *answer)
{
    if (strcmp(words[0], "heal") == 0 && n == 2)
        end_answer(answer, fault_proxy_heal(proxy, words[1]));
    else if (strcmp(words[0], "reset") == 0 && n == 2)
        end_answer(answer, fault_proxy_reset(proxy, words[1]));
    else if (strcmp(words[0], "remove") == 0 && n == 2)
        end_answer(answer, fault_proxy_remove(proxy, words[1]));
    else if (strcmp(words[0], "list") == 0 && n <= 2)
        end_answer(answer, fault_proxy_list(proxy, n == 2 ? words[1] : "*", show, answer) +
                               (n == 1 ? 1 : 0));
    else
        return false;
    return true;
}

static void run_add(struct fault_proxy *proxy, char **words, FILE *answer)
{
    const char *listen = NULL;
    const char *wrong = fault_proxy_add(proxy, words[1], words[2], words[3], &listen);

    if (wrong)
        fprintf(answer, "error: %s\n", wrong);
    else
        fprintf(answer, "%s\nok\n", listen);
}

void control_run(struct fault_proxy *proxy, char *line, FILE *answer)
{
    const struct command *command;
    struct wish wish;
    char *words[WORDS_MAX], *rest = NULL;
    size_t n = 0;

    for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        if (n == WORDS_MAX)
            break;
        words[n++] = word;
    }
    if (n == 4 && strcmp(words[0], "add") == 0) {
        run_add(proxy, words, answer);
        return;
    }
    if (n > 0 && run_plain(proxy, n, words, answer))
        return;
    command = n > 0 ? find_command(words[0]) : NULL;
    if (command && n >= 2 && read_wish(command, n - 2, words + 2, &wish)) {
        end_answer(answer, fault_proxy_set(proxy, words[1], change, &wish));
    } else if (command) {
        fprintf(answer, "error: usage: %s\n", command->usage);
    } else {
        fputs("error: usage: add NAME LISTEN TARGET | list [LINKS] | heal, reset or remove LINKS",
              answer);
        for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
            fprintf(answer, " | %s", commands[i].usage);
        fputc('\n', answer);
    }
}

/* ---- the other side ---- */

static int connect_to(const char *path)
{
    const struct timeval patience = {.tv_sec = ANSWER_SECONDS_MAX};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Copies the answer; its last line decides. */
static int print_answer(FILE *answer)
{
    char line[CONTROL_LINE_MAX * 2];
    int status = 2;

    while (fgets(line, sizeof line, answer)) {
        status = strcmp(line, "ok\n") == 0 ? 0 : 1;
        if (status != 0)
            fputs(line, strncmp(line, "error: ", 7) == 0 ? stderr : stdout);
    }
    if (status == 2)
        fputs("the fault proxy does not answer\n", stderr);
    return status;
}

int control_send(const char *path, int n_words, char **words)
{
    int fd = connect_to(path), status;
    FILE *stream = fd >= 0 ? fdopen(fd, "r+") : NULL;

    if (!stream) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return 2;
    }
    for (int i = 0; i < n_words; i++)
        fprintf(stream, "%s%s", i > 0 ? " " : "", words[i]);
    fputc('\n', stream);
    fflush(stream);
    status = print_answer(stream);
    fclose(stream);
    return status;
}
