/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/internal.h"

enum { FILE_BYTES_MAX = 256 << 10, LOCK_POLL_MS = 10 };

/* ---- the struct ---- */

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void comb_credentials_done(struct comb_credentials *credentials)
{
    wipe(credentials->server);
    wipe(credentials->login);
    wipe(credentials->access_token);
    wipe(credentials->refresh_token);
    wipe(credentials->refresh_request_id);
    wipe(credentials->seen);
    memset(credentials, 0, sizeof(*credentials));
}

bool comb_credentials_set(char **field, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return false;
    wipe(*field);
    *field = copy;
    return true;
}

/* ---- JSON ---- */

struct member {
    const char *name;
    size_t offset;
    bool is_time;
};
#define MEMBER(field, time)                                                                        \
    {                                                                                              \
#field, offsetof(struct comb_credentials, field), time                                     \
    }
static const struct member MEMBERS[] = {
    MEMBER(server, false),
    MEMBER(login, false),
    MEMBER(access_token, false),
    MEMBER(access_expire_s, true),
    MEMBER(refresh_token, false),
    MEMBER(refresh_expire_s, true),
    MEMBER(refresh_request_id, false),
    MEMBER(seen, false),
};
enum { N_MEMBERS = sizeof(MEMBERS) / sizeof(MEMBERS[0]) };

/* Wipes the strings of a parsed file before it goes. */
static void discard(json_t *root)
{
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (json_is_string(value))
            explicit_bzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
    }
    json_decref(root);
}

static bool read_member(const json_t *root, const struct member *member,
                        struct comb_credentials *credentials)
{
    char *field = (char *)credentials + member->offset;
    const json_t *value = json_object_get(root, member->name);
    if (!value)
        return true;
    if (member->is_time) {
        *(int64_t *)field = json_integer_value(value);
        return json_is_integer(value);
    }
    return json_is_string(value) && comb_credentials_set((char **)field, json_string_value(value));
}

static bool from_json(const char *text, size_t size, struct comb_credentials *ret_credentials)
{
    struct comb_credentials credentials = {0};
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(root);
    for (size_t i = 0; good && i < N_MEMBERS; i++)
        good = read_member(root, &MEMBERS[i], &credentials);
    if (root)
        discard(root);
    if (good)
        *ret_credentials = credentials;
    else
        comb_credentials_done(&credentials);
    return good;
}

/* The text for the file, to be wiped and freed; NULL: no memory. */
static char *to_json(const struct comb_credentials *credentials)
{
    json_t *root = json_object();
    bool good = root != NULL;
    for (size_t i = 0; good && i < N_MEMBERS; i++) {
        const char *field = (const char *)credentials + MEMBERS[i].offset;
        if (MEMBERS[i].is_time) {
            good = json_object_set_new(root, MEMBERS[i].name,
                                       json_integer(*(const int64_t *)field)) == 0;
        } else {
            const char *text = *(char *const *)field;
            good = json_object_set_new(root, MEMBERS[i].name, json_string(text ? text : "")) == 0;
        }
    }
    char *text = good ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (root)
        discard(root);
    return text;
}

/* ---- the file ---- */

static enum grpcc_status failed(const char *path, const char *what, struct grpcc_error *err)
{
    int error = errno;
    enum grpcc_status status = error == ENOENT   ? GRPCC_NOT_FOUND
                               : error == EACCES ? GRPCC_PERMISSION_DENIED
                                                 : GRPCC_FAILED_PRECONDITION;
    return grpcc_error_set(err, status, "%s: cannot %s: %s", path, what, strerror(error));
}

/* Whether the path still leads to the file that fd holds: else it was replaced meanwhile. */
static bool is_current(const char *path, int fd)
{
    struct stat held, there;
    return fstat(fd, &held) == 0 && stat(path, &there) == 0 && held.st_dev == there.st_dev &&
           held.st_ino == there.st_ino;
}

static enum grpcc_status lock_current(const char *path, bool create, int64_t deadline_ns,
                                      int *ret_fd, struct grpcc_error *err)
{
    for (;;) {
        int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
        if (fd < 0)
            return failed(path, "open it", err);
        bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
        if (locked && is_current(path, fd)) {
            *ret_fd = fd;
            return GRPCC_OK;
        }
        bool busy = !locked && errno == EWOULDBLOCK;
        if (!locked && !busy) {
            enum grpcc_status status = failed(path, "lock it", err);
            close(fd);
            return status;
        }
        close(fd);
        if (comb_now_ns() >= deadline_ns)
            return grpcc_error_set(err, GRPCC_DEADLINE_EXCEEDED,
                                   "%s: another process holds it for too long", path);
        if (busy)
            poll(NULL, 0, LOCK_POLL_MS);
    }
}

static enum grpcc_status read_all(const char *path, int fd,
                                  struct comb_credentials *ret_credentials, struct grpcc_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return failed(path, "look at it", err);
    if (!S_ISREG(info.st_mode) || (info.st_mode & (S_IRWXG | S_IRWXO)))
        return grpcc_error_set(err, GRPCC_PERMISSION_DENIED,
                               "%s holds secrets and others may use it: chmod 600 it", path);
    if (info.st_size == 0) {
        memset(ret_credentials, 0, sizeof(*ret_credentials));
        return GRPCC_OK;
    }
    if (info.st_size > FILE_BYTES_MAX)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s is no credentials file", path);
    size_t size = (size_t)info.st_size;
    char *text = malloc(size);
    if (!text)
        return comb_error_memory(err);
    bool good = pread(fd, text, size, 0) == (ssize_t)size && from_json(text, size, ret_credentials);
    explicit_bzero(text, size);
    free(text);
    if (!good)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "%s cannot be understood: remove it and log in again", path);
    return GRPCC_OK;
}

enum grpcc_status comb_credentials_lock(const char *path, bool create, int64_t deadline_ns,
                                        struct comb_credentials_file *ret_file,
                                        struct comb_credentials *ret_credentials,
                                        struct grpcc_error *err)
{
    int fd = -1;
    enum grpcc_status status = lock_current(path, create, deadline_ns, &fd, err);
    if (status)
        return status;
    status = read_all(path, fd, ret_credentials, err);
    if (status) {
        close(fd);
        return status;
    }
    *ret_file = (struct comb_credentials_file){path, fd};
    return GRPCC_OK;
}

static bool write_all(int fd, const char *text)
{
    size_t size = strlen(text), written = 0;
    while (written < size) {
        ssize_t n = write(fd, text + written, size - written);
        if (n < 0 && errno != EINTR)
            return false;
        written += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0;
}

/* The rename itself is durable when the folder is. */
static bool sync_folder(const char *path)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = fsync(fd) == 0;
    close(fd);
    return good;
}

enum grpcc_status comb_credentials_write(struct comb_credentials_file *file,
                                         const struct comb_credentials *credentials,
                                         struct grpcc_error *err)
{
    char temporary[PATH_MAX];
    int n = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", file->path);
    if (n < 0 || (size_t)n >= sizeof(temporary))
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: too long a path", file->path);
    char *text = to_json(credentials);
    if (!text)
        return comb_error_memory(err);
    enum grpcc_status status = GRPCC_OK;
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        status = failed(file->path, "write a new one beside it", err);
    else if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !write_all(fd, text) ||
             rename(temporary, file->path) != 0 || !sync_folder(file->path))
        status = failed(file->path, "replace it", err);
    explicit_bzero(text, strlen(text));
    free(text);
    if (fd >= 0 && status) {
        unlink(temporary);
        close(fd);
    } else if (fd >= 0) {
        close(file->fd);
        file->fd = fd;
    }
    return status;
}

void comb_credentials_unlock(struct comb_credentials_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}
