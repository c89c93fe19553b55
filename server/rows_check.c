/* SPDX-License-Identifier: Apache-2.0 */
/* `combd --check`: all rows are asked at once, a thread each, so that it ends in seconds. */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "server/core/clock.h"
#include "server/rows.h"

/* What one row has to answer within. */
#define CHECK_MS 10000
/* Less free space than this is a full disk. */
#define FREE_BYTES_MIN (16ull << 20)

struct question {
    struct comb_rows *rows;
    enum comb_row row;
    enum comb_status status;
    struct comb_error err;
    struct comb_store_status answer;
};

/* Cuts the last part of a path off; false: there was none. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || !slash[1])
        return false;
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

/* Whether the place of an embedded store can be used: it, or the folder that it will be made in. */
static enum comb_status look_at_place(struct question *question, const char *given)
{
    struct comb_error *err = &question->err;
    char path[COMB_URL_MAX];
    struct stat about;
    struct statvfs disk;
    snprintf(path, sizeof path, "%s%s", given[0] == '/' ? "" : "./", given);
    bool there = stat(path, &about) == 0;
    while (stat(path, &about) != 0) {
        if (errno != ENOENT)
            return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "%.160s: %s", path,
                                  strerror(errno));
        if (!go_up(path))
            return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "%.160s: no such place", given);
    }
    if (!there && !S_ISDIR(about.st_mode))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%.160s is a file, where a folder is needed", path);
    if (access(path, R_OK | W_OK) != 0)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%.160s: %s: run combd as the user that it belongs to, or give "
                              "another place",
                              path, strerror(errno));
    if (statvfs(path, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < FREE_BYTES_MIN)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                              "the disk of %.120s is full: %llu KiB are free; make room", path,
                              (unsigned long long)((uint64_t)disk.f_bavail * disk.f_frsize >> 10));
    snprintf(question->answer.server, sizeof question->answer.server, "%s",
             there ? "there" : "will be made at the first start");
    return COMB_OK;
}

static enum comb_status look_at_embedded(struct question *question)
{
    const char *url = question->rows->rows[question->row].url;
    comb_str rest = comb_row_url_rest(comb_str_from(url));
    if (strncmp(url, "mem:", 4) != 0)
        return look_at_place(question, rest.ptr);
    snprintf(question->answer.server, sizeof question->answer.server, "in the server's memory");
    return COMB_OK;
}

static enum comb_status ask_store(struct question *question, struct comb_ctx *ctx)
{
    struct comb_rows *rows = question->rows;
    enum comb_row row = question->row;
    enum comb_status status = COMB_OK;
    if (!rows->rows[row].store)
        status = comb_rows_open_one(rows, row, ctx, &question->err);
    if (status == COMB_OK && comb_row_interfaces[row].check)
        status = comb_row_interfaces[row].check(comb_rows_store(rows, row), ctx, &question->err);
    if (status == COMB_OK)
        comb_rows_status(rows, row, &question->answer);
    return status;
}

static void *ask(void *data)
{
    struct question *question = data;
    struct comb_ctx ctx = {
        .arena = grpcc_arena_new(0),
        .deadline_ns = comb_clock_monotonic_ns() + CHECK_MS * COMB_NS_PER_MS,
    };
    if (!ctx.arena)
        question->status = comb_error_no_memory(&question->err);
    else if (question->rows->rows[question->row].driver->shared)
        question->status = ask_store(question, &ctx);
    else
        question->status = look_at_embedded(question);
    grpcc_arena_free(ctx.arena);
    return NULL;
}

/* One line, whatever the store's message has in it. */
static void answer(const struct question *question, FILE *out)
{
    const struct comb_row_state *state = &question->rows->rows[question->row];
    const char *name = comb_row_name(question->row), *scheme = state->driver->scheme;
    if (question->status == COMB_OK) {
        fprintf(out, "%-9s %-9s ok      %s%s%s\n", name, scheme, question->answer.server,
                question->answer.server[0] ? ": " : "", state->url);
        return;
    }
    char text[COMB_ERROR_MESSAGE_MAX];
    snprintf(text, sizeof text, "%s", question->err.msg);
    for (char *c = text; *c; c++) {
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    }
    fprintf(out, "%-9s %-9s FAILED  %s (%s)\n", name, scheme, text, state->url);
}

/* Others read their credentials in it, where there is one: an embedded one is not made here. What
 * is wrong with it, its own question finds. */
static void open_vault(struct comb_rows *rows)
{
    const struct comb_row_state *vault = &rows->rows[COMB_ROW_VAULT];
    struct comb_error err = {0};
    struct comb_ctx ctx = {.arena = NULL, .deadline_ns = INT64_MAX};
    if (comb_rows_refer_to_vault(rows) &&
        (vault->driver->shared ||
         access(comb_row_url_rest(comb_str_from(vault->url)).ptr, R_OK) == 0))
        (void)!comb_rows_open_one(rows, COMB_ROW_VAULT, &ctx, &err);
}

bool comb_rows_check(struct comb_rows *rows, FILE *out)
{
    struct question questions[COMB_ROWS];
    pthread_t threads[COMB_ROWS];
    bool running[COMB_ROWS] = {false}, good = true;
    memset(questions, 0, sizeof questions);
    open_vault(rows);
    for (int row = 0; row < COMB_ROWS; row++) {
        questions[row].rows = rows;
        questions[row].row = (enum comb_row)row;
        if (!rows->rows[row].driver)
            continue;
        running[row] = pthread_create(&threads[row], NULL, ask, &questions[row]) == 0;
        if (!running[row])
            ask(&questions[row]);
    }
    for (int row = 0; row < COMB_ROWS; row++) {
        if (!rows->rows[row].driver)
            continue;
        if (running[row])
            pthread_join(threads[row], NULL);
        answer(&questions[row], out);
        good &= questions[row].status == COMB_OK;
    }
    return good;
}
