/* SPDX-License-Identifier: Apache-2.0 */
#include "server/restore.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/home.h"
#include "server/incarnation.h"
#include "server/move/backup.h"
#include "server/move/state.h"
#include "server/rows.h"
#include "server/services.h"

/* For the rows to answer. */
#define START_MS_MAX 60000

/* Those that a backup has, in the order in which they are opened. */
static const enum comb_row wanted[] = {COMB_ROW_VAULT, COMB_ROW_CONFIG, COMB_ROW_SQL, COMB_ROW_DATA,
                                       COMB_ROW_DOCS};

struct restore {
    const struct comb_options *options;
    char home[COMB_HOME_PATH_MAX];
    struct comb_rows rows;
    struct comb_ctx ctx;
    struct comb_backup_rows in;
    uint8_t key[COMB_ARCHIVE_KEY_SIZE];
};

/* 64 hexadecimal digits. */
static enum comb_status read_key(struct restore *restore, struct comb_error *err)
{
    struct comb_secret secret = {NULL, 0};
    if (!restore->options->restore_key_file)
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "--restore needs --restore-key-file: the key that the backup was "
                              "made with");
    enum comb_status status =
        comb_secret_read(&secret, "--restore-key-file", restore->options->restore_key_file, err);
    if (status != COMB_OK)
        return status;
    if (!comb_hex_decode(comb_str_of(secret.bytes, secret.len), restore->key, sizeof restore->key))
        status = comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                                "--restore-key-file: a key is 64 hexadecimal digits");
    comb_secret_done(&secret);
    return status;
}

static enum comb_status open_rows(struct restore *restore, struct comb_error *err)
{
    struct comb_rows *rows = &restore->rows;
    enum comb_status status = comb_rows_init(rows, restore->options, restore->home, err);
    if (status == COMB_OK && restore->options->cluster)
        status = comb_rows_check_cluster(rows, stderr, err);
    for (size_t i = 0; status == COMB_OK && i < sizeof wanted / sizeof wanted[0]; i++)
        status = comb_rows_open_one(rows, wanted[i], &restore->ctx, err);
    for (size_t i = 0; status == COMB_OK && i < sizeof wanted / sizeof wanted[0]; i++)
        status = comb_rows_ask(rows, wanted[i], &restore->ctx, err);
    if (status != COMB_OK)
        return status;
    status = comb_services_open_docs(comb_rows_store(rows, COMB_ROW_DOCS), &restore->in.docs, err);
    if (status != COMB_OK)
        return status;
    restore->in = (struct comb_backup_rows){
        .sql = comb_rows_store(rows, COMB_ROW_SQL),
        .vault = comb_rows_store(rows, COMB_ROW_VAULT),
        .config = comb_rows_store(rows, COMB_ROW_CONFIG),
        .blobs = comb_rows_store(rows, COMB_ROW_DATA),
        .docs = restore->in.docs,
    };
    return comb_services_migrate(restore->in.sql, err);
}

static bool tell(void *data, const char *what, comb_str part, uint64_t records, uint64_t bytes)
{
    (void)data;
    if (part.len > 0 && isatty(STDERR_FILENO))
        fprintf(stderr, "\r%s: %.*s, %llu records, %llu MiB \033[K", what, COMB_STR_ARG(part),
                (unsigned long long)records, (unsigned long long)(bytes >> 20));
    return true;
}

/* The installation becomes the one that the backup is of, in a history of its own. */
static enum comb_status finish(struct restore *restore, const struct comb_backup_facts *facts,
                               struct comb_error *err)
{
    const struct comb_move_state none = {.phase = COMB_MOVE_NONE};
    restore->ctx.deadline_ns = comb_clock_in_ms(START_MS_MAX);
    enum comb_status status =
        comb_incarnation_adopt(restore->in.sql, comb_rows_store(&restore->rows, COMB_ROW_CONFIG),
                               &restore->ctx, &facts->installation, facts->incarnation, err);
    return status == COMB_OK ? comb_move_state_set(restore->in.sql, &restore->ctx, &none, err)
                             : status;
}

static void say(const struct comb_backup_facts *facts)
{
    char id[COMB_UUID_TEXT_LENGTH + 1], time[32];
    time_t seconds = (time_t)(facts->time_us / COMB_US_PER_S);
    struct tm parts;
    comb_uuid_format(&facts->installation, id);
    strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &parts));
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    printf("put back: installation %s as it was at %s: %llu records, %llu bytes, compared\n", id,
           time, (unsigned long long)facts->records, (unsigned long long)facts->bytes);
    if (facts->faults.damaged > 0)
        printf("of the contents %llu are damaged, as they were when the backup was made; the first "
               "is %s\n",
               (unsigned long long)facts->faults.damaged, facts->faults.first);
    if (facts->faults.missing > 0)
        printf("of the contents %llu are missing, as they were when the backup was made\n",
               (unsigned long long)facts->faults.missing);
    puts("a new history begins: tokens of pages and cursors from before are refused");
}

static enum comb_status restore_file(struct restore *restore, FILE *file, struct comb_error *err)
{
    const struct comb_move_progress progress = {tell, NULL};
    struct comb_archive_reader *reader = NULL;
    struct comb_backup_facts facts;
    enum comb_status status = comb_archive_reader_new(restore->key, file, &reader, err);
    if (status == COMB_OK)
        status = open_rows(restore, err);
    if (status == COMB_OK)
        status = comb_backup_read(&restore->in, reader, &progress, &facts, err);
    comb_archive_reader_free(reader);
    if (status == COMB_OK)
        status = finish(restore, &facts, err);
    if (status == COMB_OK)
        say(&facts);
    return status;
}

enum comb_status comb_run_restore(const struct comb_options *options, struct comb_error *err)
{
    static struct restore restore;
    restore.options = options;
    restore.ctx = (struct comb_ctx){.arena = grpcc_arena_new(0),
                                    .deadline_ns = comb_clock_in_ms(START_MS_MAX)};
    (void)signal(SIGPIPE, SIG_IGN);
    enum comb_status status = restore.ctx.arena ? COMB_OK : comb_error_no_memory(err);
    if (status == COMB_OK)
        status = comb_log_set_levels(comb_str_from(options->log), err);
    if (status == COMB_OK)
        status = read_key(&restore, err);
    FILE *file = status == COMB_OK ? fopen(options->restore, "rb") : NULL;
    if (status == COMB_OK && !file)
        status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "--restore: %s: %s",
                                options->restore, strerror(errno));
    if (status == COMB_OK)
        status = comb_home_open(options, restore.home, err);
    if (status == COMB_OK)
        status = restore_file(&restore, file, err);
    if (file)
        fclose(file);
    comb_services_close_docs(&restore.in.docs);
    comb_rows_done(&restore.rows);
    explicit_bzero(restore.key, sizeof restore.key);
    grpcc_arena_free(restore.ctx.arena);
    return status;
}
