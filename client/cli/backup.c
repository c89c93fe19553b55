/* SPDX-License-Identifier: Apache-2.0 */
/* `comb admin backup`: the whole installation into one file. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/admin_verbs.h"
#include "comb/v1/admin.grpcc.h"

#define KEY_SIZE 32
#define USAGE "comb admin backup --key-file KEY [--server ADDRESS] FILE"

static int say_errno(const char *path)
{
    fprintf(stderr, "comb: %s: %s\n", path, strerror(errno));
    return CLI_FAILED;
}

/* ---- the key ---- */

/* A new key, as hexadecimal digits, in a file that is not there yet. */
static int make_key(const char *path, uint8_t key[KEY_SIZE])
{
    char text[2 * KEY_SIZE + 2];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return say_errno(path);
    bool ok = getrandom(key, KEY_SIZE, 0) == KEY_SIZE;
    for (int i = 0; i < KEY_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    text[sizeof text - 2] = '\n';
    ok = ok && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1 && fsync(fd) == 0;
    explicit_bzero(text, sizeof text);
    int status = ok ? CLI_OK : say_errno(path);
    close(fd);
    if (ok)
        fprintf(stderr, "comb: made a key in %s; keep it, and elsewhere than the backup\n", path);
    else
        unlink(path);
    return status;
}

static int digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* 64 hexadecimal digits, of which a line end may follow. */
static int read_key(const char *path, uint8_t key[KEY_SIZE])
{
    char text[2 * KEY_SIZE + 2];
    struct stat info;
    FILE *file = fopen(path, "rbe");
    if (!file)
        return errno == ENOENT ? make_key(path, key) : say_errno(path);
    size_t n = fread(text, 1, sizeof text, file);
    bool ok = fstat(fileno(file), &info) == 0;
    fclose(file);
    if (ok && (info.st_mode & 077) != 0) {
        fprintf(stderr, "comb: %s: others can read it: chmod 600, and think about who has\n", path);
        return CLI_FAILED;
    }
    size_t digits = 0;
    while (digits < n && isxdigit((unsigned char)text[digits]))
        digits++;
    ok = ok && digits == 2 * (size_t)KEY_SIZE;
    for (size_t i = 0; ok && i < KEY_SIZE; i++)
        key[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
    explicit_bzero(text, sizeof text);
    if (!ok)
        fprintf(stderr, "comb: %s: a key is 64 hexadecimal digits\n", path);
    return ok ? CLI_OK : CLI_FAILED;
}

/* ---- the file ---- */

/* Reads the stream into file; *ret_end is the last message, in cli's arena, once it has come. */
static int receive(struct cli *cli, struct comb_v1_admin_backup_stream *stream, FILE *file,
                   struct comb_v1_admin_backup_response **ret_end)
{
    struct comb_v1_admin_backup_response *part = NULL;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    unsigned long long bytes = 0;
    bool shows = !cli->json && isatty(STDERR_FILENO);
    int more = arena ? 1 : -1;
    while (more == 1 && (more = comb_v1_admin_backup_stream_read(
                             stream, *ret_end ? cli->arena : arena, &part, &cli->err)) == 1) {
        bytes += fwrite(part->content.data, 1, part->content.len, file);
        if (shows)
            fprintf(stderr, "\r%llu MiB", bytes >> 20);
        if (part->done && (*ret_end = comb_v1_admin_backup_response_new(cli->arena))) {
            (*ret_end)->done = true;
            (*ret_end)->records = part->records;
            (*ret_end)->bytes = part->bytes;
            (*ret_end)->missing_contents = part->missing_contents;
            (*ret_end)->damaged_contents = part->damaged_contents;
            (*ret_end)->first_fault = grpcc_arena_strdup(cli->arena, part->first_fault);
        }
        grpcc_arena_reset(arena);
        if (ferror(file))
            break;
    }
    if (shows)
        fputs("\r\033[K", stderr);
    grpcc_arena_free(arena);
    if (more == 0 && comb_v1_admin_backup_stream_finish(stream, cli->arena, &cli->err) != GRPCC_OK)
        more = -1;
    return more < 0 ? cli_fail(cli, cli->server) : CLI_OK;
}

static void print_end(struct cli *cli, const struct comb_v1_admin_backup_response *end,
                      const char *path)
{
    if (cli->json) {
        cli_print_json(stdout, &end->base);
        return;
    }
    printf("%s: %llu records, %llu bytes\n", path, (unsigned long long)end->records,
           (unsigned long long)end->bytes);
    if (end->missing_contents + end->damaged_contents > 0)
        printf("of the contents %llu are missing and %llu damaged, the first of them %s\n",
               (unsigned long long)end->missing_contents, (unsigned long long)end->damaged_contents,
               cli_name(end->first_fault));
}

/* Into a file beside path, which takes its name once it is whole and on the disk. */
static int write_backup(struct cli *cli, const uint8_t key[KEY_SIZE], const char *path)
{
    struct comb_v1_admin_backup_request *request = comb_v1_admin_backup_request_new(cli->arena);
    struct comb_v1_admin_backup_response *end = NULL;
    char *partial = grpcc_arena_printf(cli->arena, "%s.partial", path);
    const char *request_id = comb_request_id_new(cli->arena);
    if (!request || !partial || !request_id)
        return cli_no_memory();
    comb_v1_admin_backup_request_set_request_id(request, request_id);
    request->key.data = (uint8_t *)(uintptr_t)key;
    request->key.len = KEY_SIZE;
    int fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file)
        return say_errno(partial);
    struct comb_v1_admin_backup_stream *stream =
        comb_v1_admin_backup_stream_open(cli_channel(cli), NULL, request, &cli->err);
    int status = stream ? receive(cli, stream, file, &end) : cli_fail(cli, cli->server);
    comb_v1_admin_backup_stream_free(stream);
    if (status == CLI_OK && (fflush(file) != 0 || fsync(fileno(file)) != 0))
        status = say_errno(partial);
    if (fclose(file) != 0 && status == CLI_OK)
        status = say_errno(partial);
    if (status == CLI_OK && !end) {
        fprintf(stderr, "comb: the backup ended before it was whole\n");
        status = CLI_FAILED;
    }
    if (status == CLI_OK && rename(partial, path) != 0)
        status = say_errno(path);
    if (status != CLI_OK)
        unlink(partial);
    else
        print_end(cli, end, path);
    return status;
}

int cli_admin_backup(struct cli *cli, int argc, char **argv)
{
    const char *key_file = NULL;
    const struct cli_option options[] = {
        {"--server", true, &cli->server}, {"--key-file", true, &key_file}, {NULL, false, NULL}};
    uint8_t key[KEY_SIZE];
    if (!cli_arguments(options, &argc, argv, 1, 1, USAGE))
        return CLI_USAGE;
    if (!key_file) {
        fputs("comb: a backup is sealed with a key: --key-file KEY, which is made where it is not "
              "there\n",
              stderr);
        return CLI_USAGE;
    }
    if (!cli_connect_admin(cli))
        return CLI_USAGE;
    int status = read_key(key_file, key);
    if (status == CLI_OK)
        status = write_backup(cli, key, argv[0]);
    explicit_bzero(key, sizeof key);
    return status;
}
