/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/driver/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/core/hash.h"
#include "server/core/memory.h"
#include "server/core/random.h"
#include "server/core/seal.h"
#include "server/vault/driver/json_error.h"

#define MAGIC "COMBVLT1"
#define MAGIC_SIZE (sizeof MAGIC - 1)
#define FINGERPRINT_SIZE 8
#define HEADER_SIZE (MAGIC_SIZE + FINGERPRINT_SIZE)
#define KEY_SIZE COMB_SEAL_KEY_SIZE
/* The key as hexadecimal digits, with a line end or two. */
#define KEY_TEXT_MAX (2 * KEY_SIZE + 2)
#define PATH_MAX_BYTES 4000

/* What a key's fingerprint is the hash of, in front of the key: the hash serves nothing else. */
static const char FINGERPRINT_LABEL[] = "comb vault key fingerprint";

struct key_page {
    uint8_t key[KEY_SIZE];
};

struct json_file {
    char *path, *key_path, *lock_path, *new_path, *folder;
    int lock;              /* descriptor that holds the lock; -1: none */
    struct key_page *page; /* of its own mapping: left out of core dumps */
    uint8_t header[HEADER_SIZE];
};

static char *path_with(comb_str path, const char *suffix)
{
    size_t room = path.len + strlen(suffix) + 1;
    char *text = comb_memory_alloc(room);
    if (text)
        snprintf(text, room, "%.*s%s", COMB_STR_ARG(path), suffix);
    return text;
}

static char *folder_of(comb_str path)
{
    char *copy = path_with(path, "");
    if (!copy)
        return NULL;
    char *folder = comb_memory_dup(comb_str_from(dirname(copy)));
    comb_memory_free(copy);
    return folder;
}

/* Reads at most room bytes from a descriptor; -1: errno. */
static ssize_t read_whole(int fd, void *data, size_t room)
{
    size_t size = 0;
    while (size < room) {
        ssize_t n = read(fd, (char *)data + size, room - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        size += (size_t)n;
    }
    return (ssize_t)size;
}

static bool write_whole(int fd, const void *data, size_t size)
{
    for (size_t written = 0; written < size;) {
        ssize_t n = write(fd, (const char *)data + written, size - written);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        written += (size_t)n;
    }
    return true;
}

static bool sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

/*
 * Writes data to new_path, durably, and renames it to path. err->ambiguous where the rename was
 * done but may be lost with the power.
 */
static enum comb_status replace(const struct json_file *file, const char *path, const void *data,
                                size_t size, struct comb_error *err)
{
    if (unlink(file->new_path) != 0 && errno != ENOENT)
        return json_error_set(err, errno, "replace", file->new_path);
    int fd = open(file->new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return json_error_set(err, errno, "make", file->new_path);
    bool durable = write_whole(fd, data, size) && fsync(fd) == 0;
    int number = errno;
    close(fd);
    if (!durable || rename(file->new_path, path) != 0) {
        number = durable ? errno : number;
        unlink(file->new_path);
        return json_error_set(err, number, "write", path);
    }
    if (sync_folder(file->folder))
        return COMB_OK;
    enum comb_status status = json_error_set(err, errno, "make durable the folder of", path);
    if (err)
        err->ambiguous = true;
    return status;
}

/* ---- lock and key ---- */

static enum comb_status take_lock(struct json_file *file, struct comb_error *err)
{
    file->lock = open(file->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->lock < 0)
        return json_error_set(err, errno, "open", file->lock_path);
    if (flock(file->lock, LOCK_EX | LOCK_NB) == 0)
        return COMB_OK;
    if (errno != EWOULDBLOCK)
        return json_error_set(err, errno, "lock", file->lock_path);
    return comb_error_set(
        err, COMB_FAILED_PRECONDITION, 0,
        "another process has the vault %s open; stop it, or give this one a vault "
        "of its own",
        file->path);
}

static enum comb_status map_page(struct json_file *file, struct comb_error *err)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return comb_error_no_memory(err);
    file->page = page;
    /* Both are a service to whoever reads the dump or the swap; neither is needed to work. */
    (void)madvise(page, size, MADV_DONTDUMP);
    (void)mlock(page, size);
    return COMB_OK;
}

static enum comb_status check_key_file(const struct json_file *file, int fd, struct comb_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return json_error_set(err, errno, "read", file->key_path);
    if (!S_ISREG(st.st_mode))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "the vault's key %s must be a file",
                              file->key_path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "chmod 600 the vault's key, and think about who has seen it: others "
                              "can read or change it (mode %04o): %s",
                              (unsigned)(st.st_mode & 07777), file->key_path);
    return COMB_OK;
}

static comb_str line_of(const char *text, size_t size)
{
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    return comb_str_of(text, size);
}

static enum comb_status parse_key_file(struct json_file *file, int fd, struct comb_error *err)
{
    enum comb_status status = check_key_file(file, fd, err);
    if (status != COMB_OK)
        return status;
    char text[KEY_TEXT_MAX + 1];
    ssize_t size = read_whole(fd, text, sizeof text);
    if (size < 0)
        status = json_error_set(err, errno, "read", file->key_path);
    else if (size == KEY_SIZE)
        memcpy(file->page->key, text, KEY_SIZE);
    else if (!comb_hex_decode(line_of(text, (size_t)size), file->page->key, KEY_SIZE))
        status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                "put the right key file back: a vault's key has %d bytes or %d "
                                "hexadecimal digits, not so %s",
                                KEY_SIZE, 2 * KEY_SIZE, file->key_path);
    comb_memory_wipe(text, sizeof text);
    return status;
}

static enum comb_status make_key(struct json_file *file, struct comb_error *err)
{
    comb_random(file->page->key, KEY_SIZE);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    char *text = arena ? comb_hex_encode(arena, comb_str_of(file->page->key, KEY_SIZE)) : NULL;
    enum comb_status status =
        text ? replace(file, file->key_path, text, strlen(text), err) : comb_error_no_memory(err);
    if (text)
        comb_memory_wipe(text, strlen(text));
    grpcc_arena_free(arena);
    return status;
}

static enum comb_status load_key(struct json_file *file, struct comb_error *err)
{
    int fd = open(file->key_path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        enum comb_status status = parse_key_file(file, fd, err);
        close(fd);
        return status;
    }
    if (errno != ENOENT)
        return json_error_set(err, errno, "read", file->key_path);
    if (access(file->path, F_OK) == 0)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "put the key file back: the vault is there, but not its key %s",
                              file->key_path);
    return make_key(file, err);
}

static enum comb_status make_header(struct json_file *file, struct comb_error *err)
{
    uint8_t text[sizeof FINGERPRINT_LABEL + KEY_SIZE];
    uint8_t hash[COMB_SHA256_SIZE] = {0};
    memcpy(text, FINGERPRINT_LABEL, sizeof FINGERPRINT_LABEL);
    memcpy(text + sizeof FINGERPRINT_LABEL, file->page->key, KEY_SIZE);
    enum comb_status status = comb_sha256(comb_str_of(text, sizeof text), hash, err);
    comb_memory_wipe(text, sizeof text);
    memcpy(file->header, MAGIC, MAGIC_SIZE);
    memcpy(file->header + MAGIC_SIZE, hash, FINGERPRINT_SIZE);
    return status;
}

enum comb_status json_file_open(comb_str path, struct json_file **ret_file, struct comb_error *err)
{
    if (path.len == 0 || path.len > PATH_MAX_BYTES || memchr(path.ptr, '\0', path.len))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "the path of a json vault must have 1 to %d bytes", PATH_MAX_BYTES);
    struct json_file *file = comb_memory_zalloc(sizeof *file);
    if (!file)
        return comb_error_no_memory(err);
    file->lock = -1;
    file->path = path_with(path, "");
    file->key_path = path_with(path, ".key");
    file->lock_path = path_with(path, ".lock");
    file->new_path = path_with(path, ".new");
    file->folder = folder_of(path);
    enum comb_status status = COMB_OK;
    if (!file->path || !file->key_path || !file->lock_path || !file->new_path || !file->folder)
        status = comb_error_no_memory(err);
    if (status == COMB_OK)
        status = take_lock(file, err);
    if (status == COMB_OK)
        status = map_page(file, err);
    if (status == COMB_OK)
        status = load_key(file, err);
    if (status == COMB_OK)
        status = make_header(file, err);
    if (status == COMB_OK)
        *ret_file = file;
    else
        json_file_close(file);
    return status;
}

void json_file_close(struct json_file *file)
{
    if (!file)
        return;
    if (file->page) {
        comb_memory_wipe(file->page, sizeof *file->page);
        munmap(file->page, (size_t)sysconf(_SC_PAGESIZE));
    }
    if (file->lock >= 0)
        close(file->lock);
    comb_memory_free(file->path);
    comb_memory_free(file->key_path);
    comb_memory_free(file->lock_path);
    comb_memory_free(file->new_path);
    comb_memory_free(file->folder);
    comb_memory_free(file);
}

/* ---- the vault itself ---- */

static enum comb_status read_sealed(const struct json_file *file, struct grpcc_arena *arena,
                                    comb_str *ret_sealed, struct comb_error *err)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return COMB_OK;
    if (fd < 0)
        return json_error_set(err, errno, "read", file->path);
    enum comb_status status = COMB_OK;
    struct stat st;
    char *data = NULL;
    if (fstat(fd, &st) != 0)
        status = json_error_set(err, errno, "read", file->path);
    else if ((size_t)st.st_size > JSON_FILE_BYTES_MAX)
        status =
            comb_error_set(err, COMB_DATA_LOSS, 0, "%s is larger than a vault may be", file->path);
    else if (!(data = grpcc_arena_alloc(arena, (size_t)st.st_size)))
        status = comb_error_no_memory(err);
    else if (read_whole(fd, data, (size_t)st.st_size) != (ssize_t)st.st_size)
        status = json_error_set(err, EIO, "read", file->path);
    close(fd);
    if (status == COMB_OK)
        *ret_sealed = comb_str_of(data, (size_t)st.st_size);
    return status;
}

static enum comb_status damaged(const struct json_file *file, struct comb_error *err)
{
    return comb_error_set(err, COMB_DATA_LOSS, 0,
                          "the vault is damaged or not whole; put a copy of it back: %s",
                          file->path);
}

static enum comb_status unseal(const struct json_file *file, struct grpcc_arena *arena,
                               comb_str sealed, comb_str *ret_text, struct comb_error *err)
{
    comb_str header = comb_str_of(file->header, HEADER_SIZE);
    if (sealed.len < HEADER_SIZE + COMB_SEAL_OVERHEAD || !comb_str_starts_with(sealed, STR(MAGIC)))
        return damaged(file, err);
    if (!comb_str_starts_with(sealed, header))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "put the right key file back: the vault was not written with the "
                              "key %s",
                              file->key_path);
    comb_str body = comb_str_of(sealed.ptr + HEADER_SIZE, sealed.len - HEADER_SIZE);
    enum comb_status status = comb_seal_open(arena, file->page->key, body, header, ret_text, err);
    return status == COMB_INVALID_ARGUMENT ? damaged(file, err) : status;
}

enum comb_status json_file_read(struct json_file *file, struct grpcc_arena *arena,
                                comb_str *ret_text, struct comb_error *err)
{
    comb_str sealed = {0};
    enum comb_status status = read_sealed(file, arena, &sealed, err);
    if (status == COMB_OK && sealed.ptr)
        status = unseal(file, arena, sealed, ret_text, err);
    return status;
}

enum comb_status json_file_write(struct json_file *file, comb_str text, struct comb_error *err)
{
    size_t size = HEADER_SIZE + COMB_SEAL_OVERHEAD + text.len;
    if (size > JSON_FILE_BYTES_MAX)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                              "the vault %s would be larger than %zu bytes", file->path,
                              JSON_FILE_BYTES_MAX);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_no_memory(err);
    comb_str sealed = {0};
    enum comb_status status = comb_seal(arena, file->page->key, text,
                                        comb_str_of(file->header, HEADER_SIZE), &sealed, err);
    char *data = status == COMB_OK ? grpcc_arena_alloc(arena, size) : NULL;
    if (data) {
        memcpy(data, file->header, HEADER_SIZE);
        memcpy(data + HEADER_SIZE, sealed.ptr, sealed.len);
        status = replace(file, file->path, data, size, err);
    } else if (status == COMB_OK) {
        status = comb_error_no_memory(err);
    }
    grpcc_arena_free(arena);
    return status;
}
