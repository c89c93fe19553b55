/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config/driver/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "server/config/driver/json_error.h"
#include "server/core/memory.h"

/* ---- open ---- */

static char *with(comb_str path, const char *suffix)
{
    char text[PATH_MAX + 16];
    int len = snprintf(text, sizeof text, "%.*s%s", COMB_STR_ARG(path), suffix);
    return comb_memory_dup(comb_str_of(text, (size_t)len));
}

static char *folder_of(comb_str path)
{
    char text[PATH_MAX];
    snprintf(text, sizeof text, "%.*s", COMB_STR_ARG(path));
    return comb_memory_dup(comb_str_from(dirname(text)));
}

static enum comb_status take_lock(struct config_file *file, struct comb_error *err)
{
    file->lock = open(file->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->lock < 0)
        return config_json_error(err, errno, "open", file->lock_path);
    if (flock(file->lock, LOCK_EX | LOCK_NB) == 0)
        return COMB_OK;
    if (errno != EWOULDBLOCK)
        return config_json_error(err, errno, "lock", file->lock_path);
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                          "another process has the configuration %s open; stop it, or use etcd "
                          "for several processes",
                          file->path);
}

enum comb_status config_file_open(comb_str path, struct config_file *ret_file,
                                  struct comb_error *err)
{
    struct config_file file = {.lock = -1};
    enum comb_status status;

    if (path.len == 0 || path.len >= PATH_MAX - 16 || memchr(path.ptr, '\0', path.len))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "json: needs the path of a file: json:PATH");
    file.path = with(path, "");
    file.lock_path = with(path, ".lock");
    file.new_path = with(path, ".new");
    file.backup_path = with(path, ".bak");
    file.folder = folder_of(path);
    if (!file.path || !file.lock_path || !file.new_path || !file.backup_path || !file.folder)
        status = comb_error_no_memory(err);
    else
        status = take_lock(&file, err);
    if (status == COMB_OK)
        *ret_file = file;
    else
        config_file_close(&file);
    return status;
}

void config_file_close(struct config_file *file)
{
    if (file->lock >= 0)
        close(file->lock);
    comb_memory_free(file->path);
    comb_memory_free(file->lock_path);
    comb_memory_free(file->new_path);
    comb_memory_free(file->backup_path);
    comb_memory_free(file->folder);
}

/* ---- read ---- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool config_file_has_changed(const struct config_file *file)
{
    struct stat now = {0};

    if (stat(file->path, &now) != 0)
        now = (struct stat){0};
    return !is_same(&now, &file->known);
}

static bool read_whole(int fd, char *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

enum comb_status config_file_read(struct config_file *file, struct grpcc_arena *arena,
                                  comb_str *ret_text, struct comb_error *err)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    char *data;

    file->known = (struct stat){0};
    if (fd < 0 && errno == ENOENT) {
        *ret_text = (comb_str){0};
        return COMB_OK;
    }
    if (fd < 0 || fstat(fd, &file->known) != 0 || file->known.st_size > CONFIG_FILE_BYTES_MAX) {
        int number = fd < 0 ? errno : EFBIG;
        if (fd >= 0)
            close(fd);
        return config_json_error(err, number, "read", file->path);
    }
    size_t size = (size_t)file->known.st_size;
    data = grpcc_arena_alloc(arena, size + 1);
    bool whole = data && read_whole(fd, data, size);
    close(fd);
    if (!data)
        return comb_error_no_memory(err);
    if (!whole)
        return config_json_error(err, EIO, "read", file->path);
    *ret_text = comb_str_of(data, size);
    return COMB_OK;
}

/* ---- write ---- */

static bool write_whole(int fd, comb_str text)
{
    for (size_t done = 0; done < text.len;) {
        ssize_t n = write(fd, text.ptr + done, text.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* A new file, durable but for its name. */
static enum comb_status write_new(struct config_file *file, comb_str text, struct comb_error *err)
{
    if (text.len > CONFIG_FILE_BYTES_MAX)
        return config_json_error(err, EFBIG, "write", file->path);
    if (unlink(file->new_path) != 0 && errno != ENOENT)
        return config_json_error(err, errno, "replace", file->new_path);
    int fd = open(file->new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return config_json_error(err, errno, "make", file->new_path);
    bool written = write_whole(fd, text) && fsync(fd) == 0;
    int number = errno;
    close(fd);
    if (written)
        return COMB_OK;
    unlink(file->new_path);
    return config_json_error(err, number, "write", file->new_path);
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

enum comb_status config_file_write(struct config_file *file, comb_str text, struct comb_error *err)
{
    enum comb_status status = write_new(file, text, err);

    if (status != COMB_OK)
        return status;
    /* The copy is a service to people; the change does not depend on it. */
    (void)!unlink(file->backup_path);
    (void)!link(file->path, file->backup_path);
    if (rename(file->new_path, file->path) != 0)
        return config_json_error(err, errno, "replace", file->path);
    if (stat(file->path, &file->known) != 0)
        file->known = (struct stat){0};
    if (sync_folder(file->folder))
        return COMB_OK;
    status = config_json_error(err, errno, "make durable the folder of", file->path);
    err->ambiguous = true;
    return status;
}

enum comb_status config_file_try(struct config_file *file, comb_str text, struct comb_error *err)
{
    enum comb_status status = write_new(file, text, err);

    unlink(file->new_path);
    return status;
}
