/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "comb/files.h"
#include "google/protobuf/timestamp.grpcc.h"

#define NAME_MAX_SHOWN 4096
/* What formats a value gives one of so many buffers, in turn: good for one line of output. */
#define TEXTS_AT_ONCE 4

const char *cli_bytes(uint64_t bytes)
{
    static _Thread_local char texts[TEXTS_AT_ONCE][32];
    static _Thread_local unsigned next;
    char *text = texts[next++ % TEXTS_AT_ONCE];
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(text, sizeof texts[0], unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

const char *cli_time(const struct google_protobuf_timestamp *time)
{
    static _Thread_local char texts[TEXTS_AT_ONCE][32];
    static _Thread_local unsigned next;
    char *text = texts[next++ % TEXTS_AT_ONCE];
    struct tm local;
    time_t seconds = time ? (time_t)time->seconds : 0;
    if (!time || !localtime_r(&seconds, &local) ||
        strftime(text, sizeof texts[0], "%Y-%m-%d %H:%M:%S", &local) == 0)
        return "-";
    return text;
}

bool cli_has_colours(void)
{
    const char *refused = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(refused && *refused);
}

const char *cli_name(const char *name)
{
    static _Thread_local char texts[TEXTS_AT_ONCE][NAME_MAX_SHOWN];
    static _Thread_local unsigned next;
    char *text = texts[next++ % TEXTS_AT_ONCE];
    size_t n = 0;
    for (; name[n] && n + 1 < NAME_MAX_SHOWN; n++) {
        unsigned char c = (unsigned char)name[n];
        text[n] = c < 0x20 || c == 0x7f ? '?' : name[n];
    }
    text[n] = 0;
    return text;
}

static const char *kind_letter(const struct comb_v1_node *node)
{
    return node->kind == COMB_V1_NODE_KIND_FOLDER ? "d" : "-";
}

void cli_print_node_line(FILE *out, const struct comb_v1_node *node)
{
    fprintf(out, "%s %12llu  %s  %s%s\n", kind_letter(node), (unsigned long long)node->size,
            cli_time(node->update_time), cli_name(node->name),
            node->kind == COMB_V1_NODE_KIND_FOLDER ? "/" : "");
}

static void print_rights(FILE *out, const struct comb_v1_node *node)
{
    static const char *const names[] = {"-", "read", "write", "read and write"};
    if ((unsigned)node->rights < sizeof names / sizeof names[0] && node->rights)
        fprintf(out, "  rights    %s\n", names[node->rights]);
}

static void print_content(FILE *out, const struct comb_v1_node *node)
{
    fprintf(out, "  size      %s (%llu bytes)\n", cli_bytes(node->size),
            (unsigned long long)node->size);
    fprintf(out, "  type      %s\n", cli_name(node->media_type));
    fprintf(out, "  sha256    ");
    for (size_t i = 0; i < node->sha256.len; i++)
        fprintf(out, "%02x", node->sha256.data[i]);
    fputc('\n', out);
}

static void print_metadata(FILE *out, const struct comb_v1_metadata *entry)
{
    const struct comb_v1_metadata_value *value = entry->value;
    fprintf(out, "  meta      %s:%s = ", cli_name(entry->namespace_), cli_name(entry->name));
    if (!value)
        fputs("?\n", out);
    else if (value->value_case == COMB_V1_METADATA_VALUE_VALUE_TEXT)
        fprintf(out, "%s\n", cli_name(value->text));
    else if (value->value_case == COMB_V1_METADATA_VALUE_VALUE_INTEGER)
        fprintf(out, "%lld\n", (long long)value->integer);
    else if (value->value_case == COMB_V1_METADATA_VALUE_VALUE_NUMBER)
        fprintf(out, "%g\n", value->number);
    else if (value->value_case == COMB_V1_METADATA_VALUE_VALUE_FLAG)
        fprintf(out, "%s\n", value->flag ? "yes" : "no");
    else if (value->value_case == COMB_V1_METADATA_VALUE_VALUE_TIME)
        fprintf(out, "%s\n", cli_time(value->time));
    else
        fprintf(out, "%zu texts\n", value->texts ? value->texts->n_texts : 0);
}

void cli_print_node(FILE *out, const struct comb_v1_node *node)
{
    bool folder = node->kind == COMB_V1_NODE_KIND_FOLDER;
    fprintf(out, "%s\n", cli_name(node->path && node->path[0] ? node->path : node->name));
    fprintf(out, "  id        %s\n", node->id);
    fprintf(out, "  kind      %s\n", folder ? "folder" : "file");
    if (!folder)
        print_content(out, node);
    if (node->totals)
        fprintf(out, "  holds     %llu files, %llu folders, %s\n",
                (unsigned long long)node->totals->files, (unsigned long long)node->totals->folders,
                cli_bytes(node->totals->bytes));
    fprintf(out, "  changed   %s\n", cli_time(node->update_time));
    fprintf(out, "  made      %s\n", cli_time(node->create_time));
    fprintf(out, "  etag      %s\n", cli_name(node->etag));
    print_rights(out, node);
    if (node->recycled)
        fprintf(out, "  recycled  %s, was %s in %s\n", cli_time(node->recycled->time),
                cli_name(node->recycled->name), node->recycled->parent_id);
    for (size_t i = 0; i < node->n_metadata; i++)
        print_metadata(out, node->metadata[i]);
}

static int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40 ? size.ws_col : 80;
}

/* "[#####     ] 12/40 files  1.5 MiB  name", cut to the terminal. */
bool cli_progress(void *data, const struct comb_progress *progress)
{
    char bar[21], line[512];
    (void)data;
    if (!isatty(STDERR_FILENO))
        return true;
    double part = progress->bytes_total ? (double)progress->bytes / (double)progress->bytes_total
                  : progress->finished  ? 1
                                        : 0;
    size_t filled = (size_t)((part > 1 ? 1 : part) * (sizeof bar - 1));
    memset(bar, ' ', sizeof bar - 1);
    memset(bar, '#', filled);
    bar[sizeof bar - 1] = 0;
    snprintf(line, sizeof line, "[%s] %llu/%llu files  %s  %s", bar,
             (unsigned long long)progress->files, (unsigned long long)progress->files_total,
             cli_bytes(progress->bytes), progress->path ? cli_name(progress->path) : "");
    fprintf(stderr, "\r\033[K%.*s", terminal_width() - 1, line);
    if (progress->finished)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    return true;
}
