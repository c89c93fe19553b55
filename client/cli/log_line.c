/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/log_line.h"

#include <string.h>
#include <time.h>

static const char *const levels[] = {"", "error", "warn", "info", "debug", "trace"};
enum { N_LEVELS = sizeof levels / sizeof levels[0] };

enum comb_v1_log_level log_level_of(const char *text)
{
    for (int i = 1; i < N_LEVELS; i++)
        if (strcmp(levels[i], text) == 0)
            return (enum comb_v1_log_level)i;
    fprintf(stderr, "comb: a level is error, warn, info, debug or trace\n");
    return COMB_V1_LOG_LEVEL_UNSPECIFIED;
}

/* For a terminal, however long: control characters become "?". */
static void print_text(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        putchar(c < ' ' || c == 0x7f ? '?' : c);
    }
}

static const char *colour_of(enum comb_v1_log_level level)
{
    static const char *const colours[] = {"", "\033[1;31m", "\033[33m", "", "\033[2m", "\033[2m"};
    return cli_has_colours() && (unsigned)level < N_LEVELS ? colours[level] : "";
}

static void print_fields(const struct comb_v1_log_entry *entry)
{
    if (entry->user[0]) {
        printf("  user=");
        print_text(entry->user);
    }
    for (size_t i = 0; i < entry->n_fields; i++) {
        bool is_plain = entry->fields[i]->value[0] && !strpbrk(entry->fields[i]->value, " \"");
        printf("%s%s=%s", i > 0 || entry->user[0] ? " " : "  ", cli_name(entry->fields[i]->name),
               is_plain ? "" : "\"");
        print_text(entry->fields[i]->value);
        printf("%s", is_plain ? "" : "\"");
    }
    if (entry->trace_id[0])
        printf("  trace=%s", cli_name(entry->trace_id));
}

void log_print(const struct cli *cli, const struct comb_v1_log_entry *entry)
{
    const char *colour = colour_of(entry->level);
    if (cli->json) {
        cli_print_json(stdout, &entry->base);
        return;
    }
    printf("%s%s.%03d  %-5s  %-12s  ", colour, cli_time(entry->time),
           entry->time ? (int)(entry->time->nanos / 1000000) : 0,
           levels[(unsigned)entry->level < N_LEVELS ? entry->level : 0], cli_name(entry->service));
    print_text(entry->message);
    print_fields(entry);
    printf("%s\n", colour[0] ? "\033[0m" : "");
}

void log_print_count(const struct cli *cli, const struct comb_v1_log_count *count)
{
    if (cli->json) {
        cli_print_json(stdout, &count->base);
        return;
    }
    printf("%s  %10llu", cli_time(count->period), (unsigned long long)count->entries);
    if (count->errors)
        printf("  %llu errors", (unsigned long long)count->errors);
    if (count->warnings)
        printf("  %llu warnings", (unsigned long long)count->warnings);
    printf("\n");
}
