/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' text format 0.0.4 of what a visit tells. */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grpcc/metrics.h"

enum { NAME_MAX_BYTES = 256, NUMBER_MAX = 32, BUFFER_BYTES = 4096 };

struct text {
    grpcc_write write;
    void *data;
    bool failed;
    char buffer[BUFFER_BYTES]; /* not written yet */
    size_t n_buffered;
    enum grpcc_metric_kind kind;
    const double *bounds;
    size_t n_bounds;
    char name[NAME_MAX_BYTES]; /* of the metric under way, as Prometheus has it */
};

static void flush(struct text *text)
{
    if (!text->failed && text->n_buffered)
        text->failed = !text->write(text->data, text->buffer, text->n_buffered);
    text->n_buffered = 0;
}

static void put(struct text *text, const char *piece, size_t length)
{
    while (length) {
        size_t room = sizeof(text->buffer) - text->n_buffered;
        size_t n = length < room ? length : room;
        memcpy(text->buffer + text->n_buffered, piece, n);
        text->n_buffered += n;
        piece += n;
        length -= n;
        if (text->n_buffered == sizeof(text->buffer))
            flush(text);
    }
}

static void puts_text(struct text *text, const char *piece)
{
    put(text, piece, strlen(piece));
}

/* With backslash, newline and, in labels, the double quote escaped. */
static void put_escaped(struct text *text, const char *value, bool quotes)
{
    const char *from = value;
    for (const char *c = value; *c; c++) {
        if (*c != '\\' && *c != '\n' && !(quotes && *c == '"'))
            continue;
        put(text, from, (size_t)(c - from));
        puts_text(text, *c == '\n' ? "\\n" : *c == '"' ? "\\\"" : "\\\\");
        from = c + 1;
    }
    puts_text(text, from);
}

/* The shortest text that reads as the same number. */
static void put_number(struct text *text, double value)
{
    char number[NUMBER_MAX];
    if (isinf(value))
        snprintf(number, sizeof(number), "%s", value < 0 ? "-Inf" : "+Inf");
    else if (isnan(value))
        snprintf(number, sizeof(number), "NaN");
    else
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(number, sizeof(number), "%.*g", digits, value);
            if (strtod(number, NULL) == value)
                break;
        }
    puts_text(text, number);
}

static void put_name(struct text *text, const char *name)
{
    for (const char *c = name; *c; c++)
        put(text, isalnum((unsigned char)*c) ? c : "_", 1);
}

/* ---- names ---- */

/* As OpenTelemetry spells units for Prometheus; annotations in braces are none. */
static const char *unit_word(const char *unit)
{
    static const char *const words[][2] = {
        {"s", "seconds"},      {"ms", "milliseconds"}, {"us", "microseconds"},
        {"ns", "nanoseconds"}, {"min", "minutes"},     {"h", "hours"},
        {"d", "days"},         {"By", "bytes"},        {"KiBy", "kibibytes"},
        {"MiBy", "mebibytes"}, {"GiBy", "gibibytes"},  {"Cel", "celsius"},
        {"%", "percent"},
    };
    if (!unit || unit[0] == '{')
        return "";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(unit, words[i][0]) == 0)
            return words[i][1];
    return strcmp(unit, "1") == 0 ? "" : unit;
}

static bool ends_with(const char *text, const char *word)
{
    size_t n_text = strlen(text), n_word = strlen(word);
    return n_text >= n_word && strcmp(text + n_text - n_word, word) == 0;
}

static void append(char name[NAME_MAX_BYTES], const char *word)
{
    size_t n = strlen(name);
    if (word[0] && !ends_with(name, word))
        snprintf(name + n, NAME_MAX_BYTES - n, "_%s", word);
}

static void make_name(char name[NAME_MAX_BYTES], enum grpcc_metric_kind kind,
                      const struct grpcc_metric_info *info)
{
    snprintf(name, NAME_MAX_BYTES, "%s", info->name);
    append(name, unit_word(info->unit));
    if (kind == GRPCC_GAUGE && info->unit && strcmp(info->unit, "1") == 0)
        append(name, "ratio");
    if (kind == GRPCC_COUNTER)
        append(name, "total");
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
}

/* ---- the visit ---- */

static void write_metric(void *self, enum grpcc_metric_kind kind,
                         const struct grpcc_metric_info *info)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    struct text *text = self;
    text->kind = kind;
    text->bounds = info->bounds;
    text->n_bounds = info->n_bounds;
    make_name(text->name, kind, info);
    puts_text(text, "# HELP ");
    puts_text(text, text->name);
    puts_text(text, " ");
    put_escaped(text, info->help ? info->help : "", false);
    puts_text(text, "\n# TYPE ");
    puts_text(text, text->name);
    puts_text(text, " ");
    puts_text(text, kinds[kind]);
    puts_text(text, "\n");
}

/* One line; bound NULL: none. */
static void write_line(struct text *text, const char *suffix,
                       const struct grpcc_metric_point *point, const double *bound, double value)
{
    const char *before = "{";
    puts_text(text, text->name);
    puts_text(text, suffix);
    for (size_t i = 0; i < point->n_labels; i++) {
        puts_text(text, before);
        put_name(text, point->labels[i].name);
        puts_text(text, "=\"");
        put_escaped(text, point->labels[i].value, true);
        puts_text(text, "\"");
        before = ",";
    }
    if (bound) {
        puts_text(text, before);
        puts_text(text, "le=\"");
        put_number(text, *bound);
        puts_text(text, "\"");
        before = ",";
    }
    puts_text(text, before[0] == ',' ? "} " : " ");
    put_number(text, value);
    puts_text(text, "\n");
}

static void write_point(void *self, const struct grpcc_metric_point *point)
{
    struct text *text = self;
    const double last = INFINITY;
    uint64_t below = 0;
    if (text->kind != GRPCC_HISTOGRAM) {
        write_line(text, "", point, NULL, point->value);
        return;
    }
    for (size_t i = 0; i <= text->n_bounds; i++) {
        below += point->counts[i];
        write_line(text, "_bucket", point, i < text->n_bounds ? &text->bounds[i] : &last,
                   (double)below);
    }
    write_line(text, "_sum", point, NULL, point->sum);
    write_line(text, "_count", point, NULL, (double)point->count);
}

bool grpcc_metrics_write(struct grpcc_metrics *metrics, grpcc_write write, void *data)
{
    static const struct grpcc_metrics_visitor visitor = {write_metric, write_point};
    struct text text = {.write = write, .data = data};
    grpcc_metrics_visit(metrics, &visitor, &text);
    flush(&text);
    return !text.failed;
}
