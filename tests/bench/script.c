/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of the log is "VXID LOG:  execute NAME: TEXT" or "VXID DETAIL:  parameters: $1 = '…', …",
 * which belongs to the one before it. */
static const char execute[] = " LOG:  execute ", detail[] = " DETAIL:  parameters: ";

struct out {
    FILE *file;
    const char **arguments;
    size_t n_arguments;
    const struct script_replacement *replacements;
    size_t n_replacements;
    unsigned n_variables;
};

static _Noreturn void stop(const char *what, const char *of)
{
    fprintf(stderr, "bench: %s: %s\n", what, of);
    exit(1);
}

static char **read_lines(const char *path, size_t *ret_n)
{
    char **lines = NULL, *line = NULL;
    size_t n = 0, room = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        stop("cannot read", path);
    while (getline(&line, &room, file) > 0) {
        lines = realloc(lines, (n + 1) * sizeof *lines);
        if (!lines)
            abort();
        line[strcspn(line, "\n")] = 0;
        lines[n++] = strdup(line);
    }
    free(line);
    fclose(file);
    *ret_n = n;
    return lines;
}

/* The values of "$1 = '…', $2 = NULL, …", NULL for NULL. */
static size_t split_params(char *text, char *params[SCRIPT_PARAMS_MAX])
{
    size_t n = 0;
    for (char *at = strstr(text, "$1 = "); at && n < SCRIPT_PARAMS_MAX; at = strstr(at, "$")) {
        at = strstr(at, " = ") + 3;
        params[n++] = at[0] == '\'' ? at + 1 : NULL;
        if (at[0] != '\'')
            continue;
        char *to = ++at;
        while (at[0] && (at[0] != '\'' || at[1] == '\'')) {
            at += at[0] == '\''; /* doubled */
            *to++ = *at++;
        }
        at += at[0] != 0;
        *to = 0;
    }
    return n;
}

/* A variable of pgbench with this value, as bytea where prefix is "\x". */
static void put_variable(struct out *out, const char *prefix, const char *value, size_t len)
{
    char *definition = NULL;
    if (len == 0) { /* pgbench has no empty variables */
        fprintf(out->file, "''%s", prefix[0] ? "::bytea" : "");
        return;
    }
    if (out->n_variables == SCRIPT_PARAMS_MAX)
        stop("too many parameters", value);
    if (asprintf(&definition, "p%u=%s%.*s", ++out->n_variables, prefix, (int)len, value) < 0)
        abort();
    out->arguments[out->n_arguments++] = "-D";
    out->arguments[out->n_arguments++] = definition;
    fprintf(out->file, ":p%u%s", out->n_variables, prefix[0] ? "::bytea" : "");
}

/* The digits with each piece that is to be replaced in its place. */
static void put_bytes(struct out *out, const char *digits)
{
    const struct script_replacement *found = NULL;
    const char *at = NULL;
    for (size_t i = 0; i < out->n_replacements; i++) {
        const struct script_replacement *one = &out->replacements[i];
        const char *here = one->piece && one->bytes ? strstr(digits, one->piece) : NULL;
        if (here && (!at || here < at)) {
            at = here;
            found = &out->replacements[i];
        }
    }
    if (!found) {
        put_variable(out, "\\x", digits, strlen(digits));
        return;
    }
    const char *rest = at + strlen(found->piece);
    fputc('(', out->file);
    if (at > digits) {
        put_variable(out, "\\x", digits, (size_t)(at - digits));
        fputs(" || ", out->file);
    }
    fputs(found->expression, out->file);
    if (rest[0]) {
        fputs(" || ", out->file);
        put_bytes(out, rest);
    }
    fputc(')', out->file);
}

static void put_param(struct out *out, const char *value)
{
    if (!value) {
        fputs("NULL", out->file);
        return;
    }
    if (strncmp(value, "\\x", 2) == 0) {
        put_bytes(out, value + 2);
        return;
    }
    for (size_t i = 0; i < out->n_replacements; i++) {
        const struct script_replacement *one = &out->replacements[i];
        if (one->piece && !one->bytes && strcmp(value, one->piece) == 0) {
            fputs(one->expression, out->file);
            return;
        }
    }
    put_variable(out, "", value, strlen(value));
}

/* What comes in the place of a statement's first parameter; NULL: what the parameter says. */
static const char *first_of(const struct out *out, const char *text)
{
    for (size_t i = 0; i < out->n_replacements; i++) {
        if (!out->replacements[i].piece && strstr(text, out->replacements[i].statement))
            return out->replacements[i].expression;
    }
    return NULL;
}

static void put_statement(struct out *out, const char *text, char *params[], size_t n_params)
{
    const char *first = first_of(out, text);
    while (*text) {
        char *end;
        unsigned long number = *text == '$' ? strtoul(text + 1, &end, 10) : 0;
        if (number == 0 || number > n_params) {
            fputc(*text++, out->file);
            continue;
        }
        if (number == 1 && first)
            fputs(first, out->file);
        else
            put_param(out, params[number - 1]);
        text = end;
    }
    fputs(";\n", out->file);
}

/* The transaction of the first line that contains marker among parameters. */
static char *find_transaction(char **lines, size_t n, const char *marker)
{
    for (size_t i = 0; i < n; i++) {
        const char *space = strchr(lines[i], ' ');
        if (space && strstr(lines[i], detail) && strstr(lines[i], marker))
            return strndup(lines[i], (size_t)(space - lines[i]) + 1);
    }
    stop("the log tells of no statement with", marker);
}

struct script script_take(const char *log, const char *marker, const char *path, const char *begin,
                          const struct script_replacement *replacements, size_t n_replacements)
{
    struct script script = {.n_statements = 0};
    struct out out = {.file = fopen(path, "w"),
                      .arguments = calloc(2 * SCRIPT_PARAMS_MAX + 3, sizeof(char *)),
                      .replacements = replacements,
                      .n_replacements = n_replacements};
    size_t n;
    char **lines = read_lines(log, &n), *transaction = find_transaction(lines, n, marker);
    if (!out.file || !out.arguments)
        stop("cannot write", path);
    out.arguments[out.n_arguments++] = "-f";
    out.arguments[out.n_arguments++] = path;
    fprintf(out.file, "%s\\startpipeline\n", begin ? begin : "");
    for (size_t i = 0; i < n; i++) {
        char *text = strstr(lines[i], execute), *params[SCRIPT_PARAMS_MAX];
        size_t n_params = 0;
        if (!text || strncmp(lines[i], transaction, strlen(transaction)) != 0)
            continue;
        if (i + 1 < n && strstr(lines[i + 1], detail))
            n_params = split_params(strstr(lines[i + 1], detail), params);
        text = strstr(text + strlen(execute), ": ");
        put_statement(&out, text + 2, params, n_params);
        script.n_statements++;
    }
    fputs("\\endpipeline\n", out.file);
    if (fclose(out.file) != 0)
        stop("cannot write", path);
    script.variables = out.arguments;
    for (size_t i = 0; i < n; i++)
        free(lines[i]);
    free(lines);
    free(transaction);
    return script;
}
