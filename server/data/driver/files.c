/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs as files of one folder: DIR/SESSION/xx/BLOB, where xx are the last two digits of the blob's
 * id (the random end of a UUIDv7), so that no folder grows without bound.
 *
 * A blob is written as BLOB.tmp beside its place, under a lock that ends with its writer, then
 * synced, renamed, and the folder synced. A kill at any point leaves the whole blob or a .tmp that
 * _list reports and _remove removes.
 */
#include "server/data/driver/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/core/clock.h"
#include "server/core/memory.h"

#define SUFFIX ".tmp"
#define SUFFIX_LENGTH (sizeof SUFFIX - 1)
#define FANOUT 256
/* "SESSION/xx/BLOB.tmp" and a NUL. */
#define PATH_SIZE (2 * COMB_UUID_TEXT_LENGTH + 4 + SUFFIX_LENGTH + 1)
/* A folder that _remove takes away may be needed again at that moment: how often it is made. */
#define FOLDER_ATTEMPTS 16
/* After so many bytes the kernel is told to begin writing them out, so that the sync at the end
 * finds little left to do. */
#define WRITE_OUT_BYTES (8u << 20)

struct files {
    struct comb_blobs base;
    int root;
    int64_t open_us; /* wall clock: since when */
    /* Guards folders being made and removed, and what is known of them. */
    pthread_mutex_t lock;
    /* Folders of one session, the one written last, whose own names are durable. */
    char known_session[COMB_UUID_TEXT_LENGTH + 1];
    bool known[FANOUT];
};

/* Where a blob lies, relative to the root. */
struct place {
    char session[COMB_UUID_TEXT_LENGTH + 1];
    char folder[COMB_UUID_TEXT_LENGTH + 4];
    char path[PATH_SIZE];
    char temporary[PATH_SIZE];
    unsigned slot; /* of FANOUT */
};

struct comb_blob_writer {
    int fd;
    struct place place;
    uint64_t size;
    uint64_t written_out; /* so far the kernel was told to begin */
};

struct comb_blob_reader {
    int fd;
};

/* key has been checked by the wrapper. */
static void place_init(struct place *place, comb_str key)
{
    const char *session = key.ptr, *blob = key.ptr + COMB_UUID_TEXT_LENGTH + 1;
    const char *digits = blob + COMB_UUID_TEXT_LENGTH - 2;

    snprintf(place->session, sizeof place->session, "%.*s", COMB_UUID_TEXT_LENGTH, session);
    snprintf(place->folder, sizeof place->folder, "%s/%.2s", place->session, digits);
    snprintf(place->path, sizeof place->path, "%s/%.*s", place->folder, COMB_UUID_TEXT_LENGTH,
             blob);
    snprintf(place->temporary, sizeof place->temporary, "%s/%.*s" SUFFIX, place->folder,
             COMB_UUID_TEXT_LENGTH, blob);
    place->slot = (unsigned)strtoul((char[]){digits[0], digits[1], 0}, NULL, 16);
}

static int sync_folder(const struct files *files, const char *path)
{
    int fd = openat(files->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result;

    if (fd < 0)
        return -1;
    result = fsync(fd);
    close(fd);
    return result;
}

static int make_folder_locked(const struct files *files, const char *path)
{
    return mkdirat(files->root, path, 0700) == 0 || errno == EEXIST ? 0 : -1;
}

static int make_folders(struct files *files, const struct place *place)
{
    int result;

    pthread_mutex_lock(&files->lock);
    result = make_folder_locked(files, place->session);
    if (result == 0)
        result = make_folder_locked(files, place->folder);
    pthread_mutex_unlock(&files->lock);
    return result;
}

/* Makes the names of the blob's folders durable, once for each. The blob lies in them already, so
 * that they cannot go away meanwhile. */
static int sync_parents(struct files *files, const struct place *place)
{
    bool is_known;

    pthread_mutex_lock(&files->lock);
    is_known = strcmp(files->known_session, place->session) == 0 && files->known[place->slot];
    pthread_mutex_unlock(&files->lock);
    if (is_known)
        return 0;
    if (sync_folder(files, place->session) != 0 || sync_folder(files, ".") != 0)
        return -1;
    pthread_mutex_lock(&files->lock);
    if (strcmp(files->known_session, place->session) != 0) {
        memcpy(files->known_session, place->session, sizeof files->known_session);
        memset(files->known, 0, sizeof files->known);
    }
    files->known[place->slot] = true;
    pthread_mutex_unlock(&files->lock);
    return 0;
}

/* Removes the blob's folders where they are empty. */
static void remove_folders(struct files *files, const struct place *place)
{
    pthread_mutex_lock(&files->lock);
    if (unlinkat(files->root, place->folder, AT_REMOVEDIR) == 0) {
        if (strcmp(files->known_session, place->session) == 0)
            files->known[place->slot] = false;
        if (unlinkat(files->root, place->session, AT_REMOVEDIR) == 0 &&
            strcmp(files->known_session, place->session) == 0)
            files->known_session[0] = '\0';
    }
    pthread_mutex_unlock(&files->lock);
}

static int open_temporary(struct files *files, const struct place *place)
{
    int fd = -1;

    for (int i = 0; i < FOLDER_ATTEMPTS; i++) {
        fd = openat(files->root, place->temporary,
                    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0 || errno != ENOENT || make_folders(files, place) != 0)
            break;
    }
    return fd;
}

/* Asks for the room that was announced, without changing the length; where the file system cannot
 * do that, the writes themselves will tell. */
static int reserve(int fd, uint64_t size)
{
    if (size == 0 || size > INT64_MAX || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0)
        return 0;
    return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? -1 : 0;
}

static enum comb_status files_create(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                                     uint64_t size_hint, struct comb_blob_writer **ret_writer,
                                     struct comb_error *err)
{
    struct files *files = (struct files *)self;
    struct comb_blob_writer *writer = comb_memory_zalloc(sizeof *writer);
    int native;

    (void)ctx;
    if (!writer)
        return comb_error_no_memory(err);
    place_init(&writer->place, key);
    writer->fd = open_temporary(files, &writer->place);
    if (writer->fd < 0) {
        native = errno;
        comb_memory_free(writer);
        return comb_files_error(err, native, "begin a blob");
    }
    /* Says to _list that the writer lives; ends with the descriptor, whatever ends that. */
    native = flock(writer->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    /* Whoever finishes a blob holds its temporary name, so this look cannot be overtaken. */
    if (native == 0 && faccessat(files->root, writer->place.path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        native = EEXIST;
    if (native == 0 && reserve(writer->fd, size_hint) != 0)
        native = errno;
    if (native != 0) {
        self->driver->abort(self, writer);
        return comb_files_error(err, native, "begin a blob");
    }
    *ret_writer = writer;
    return COMB_OK;
}

static enum comb_status files_write(struct comb_blobs *self, struct comb_ctx *ctx,
                                    struct comb_blob_writer *writer, comb_str bytes,
                                    struct comb_error *err)
{
    (void)self;
    (void)ctx;
    while (bytes.len > 0) {
        ssize_t n = write(writer->fd, bytes.ptr, bytes.len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return comb_files_error(err, errno, "write a blob");
        bytes = comb_str_of(bytes.ptr + n, bytes.len - (size_t)n);
        writer->size += (uint64_t)n;
    }
    if (writer->size - writer->written_out >= WRITE_OUT_BYTES) {
        /* Advice: its failure shows up in the sync. */
        (void)sync_file_range(writer->fd, (off_t)writer->written_out,
                              (off_t)(writer->size - writer->written_out), SYNC_FILE_RANGE_WRITE);
        writer->written_out = writer->size;
    }
    return COMB_OK;
}

static enum comb_status files_commit(struct comb_blobs *self, struct comb_ctx *ctx,
                                     struct comb_blob_writer *writer, struct comb_error *err)
{
    struct files *files = (struct files *)self;
    const struct place *place = &writer->place;
    int native = 0;

    (void)ctx;
    if (fdatasync(writer->fd) != 0 ||
        renameat(files->root, place->temporary, files->root, place->path) != 0) {
        native = errno;
    } else if (sync_folder(files, place->folder) != 0 || sync_parents(files, place) != 0) {
        native = errno;
        (void)unlinkat(files->root, place->path, 0);
    }
    if (native != 0) {
        self->driver->abort(self, writer);
        /* Only the sweeper takes a temporary file away: it has ended the writer's session. */
        return native == ENOENT
                   ? comb_error_set(err, COMB_ABORTED, 0, "the blob was removed meanwhile")
                   : comb_files_error(err, native, "make a blob durable");
    }
    close(writer->fd);
    comb_memory_free(writer);
    return COMB_OK;
}

static void files_abort(struct comb_blobs *self, struct comb_blob_writer *writer)
{
    struct files *files = (struct files *)self;

    if (!writer)
        return;
    (void)unlinkat(files->root, writer->place.temporary, 0);
    close(writer->fd);
    remove_folders(files, &writer->place);
    comb_memory_free(writer);
}

static enum comb_status files_open(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                                   struct comb_blob_reader **ret_reader, uint64_t *ret_size,
                                   struct comb_error *err)
{
    struct files *files = (struct files *)self;
    struct comb_blob_reader *reader;
    struct place place;
    struct stat stat;
    int fd;

    (void)ctx;
    place_init(&place, key);
    fd = openat(files->root, place.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return comb_files_error(err, errno, "open a blob");
    reader = comb_memory_alloc(sizeof *reader);
    if (!reader || fstat(fd, &stat) != 0) {
        int native = reader ? errno : ENOMEM;

        comb_memory_free(reader);
        close(fd);
        return comb_files_error(err, native, "open a blob");
    }
    reader->fd = fd;
    *ret_reader = reader;
    *ret_size = (uint64_t)stat.st_size;
    return COMB_OK;
}

static enum comb_status files_read(struct comb_blobs *self, struct comb_ctx *ctx,
                                   struct comb_blob_reader *reader, uint64_t offset, void *buffer,
                                   size_t capacity, size_t *ret_n, struct comb_error *err)
{
    size_t done = 0;

    (void)self;
    (void)ctx;
    while (done < capacity) {
        ssize_t n =
            pread(reader->fd, (char *)buffer + done, capacity - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return comb_files_error(err, errno, "read a blob");
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret_n = done;
    return COMB_OK;
}

static void files_close_reader(struct comb_blobs *self, struct comb_blob_reader *reader)
{
    (void)self;
    if (!reader)
        return;
    close(reader->fd);
    comb_memory_free(reader);
}

static enum comb_status files_remove(struct comb_blobs *self, struct comb_ctx *ctx, comb_str key,
                                     struct comb_error *err)
{
    struct files *files = (struct files *)self;
    struct place place;

    (void)ctx;
    place_init(&place, key);
    if ((unlinkat(files->root, place.path, 0) != 0 && errno != ENOENT) ||
        (unlinkat(files->root, place.temporary, 0) != 0 && errno != ENOENT))
        return comb_files_error(err, errno, "remove a blob");
    remove_folders(files, &place);
    return COMB_OK;
}

/* A walk over the three levels of folders. */
struct walk {
    struct comb_ctx *ctx;
    bool (*each)(void *data, comb_str key, uint64_t size);
    void *data;
    bool ended; /* by each */
    struct comb_error *err;
};

static void close_folder(DIR **folder)
{
    if (*folder)
        closedir(*folder);
}

/* NULL and errno where it cannot be opened. */
static DIR *open_folder(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !folder)
        close(fd);
    return folder;
}

/* Next entry but "." and ".."; NULL at the end, or with errno where reading fails. */
static const char *next_name(DIR *folder)
{
    const struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(folder);
    } while (entry && entry->d_name[0] == '.');
    return entry ? entry->d_name : NULL;
}

/* A temporary file whose writer is alive is not there yet; the lock tells. */
static bool is_being_written(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is_locked;

    if (fd < 0)
        return false;
    is_locked = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return is_locked;
}

static void walk_file(struct walk *walk, int folder, const char *session, const char *name)
{
    char key[COMB_BLOB_KEY_MAX];
    struct stat stat;
    size_t length = strlen(name);
    struct comb_uuid id;

    if (length == COMB_UUID_TEXT_LENGTH + SUFFIX_LENGTH &&
        strcmp(name + COMB_UUID_TEXT_LENGTH, SUFFIX) == 0) {
        if (is_being_written(folder, name))
            return;
        length = COMB_UUID_TEXT_LENGTH;
    }
    /* What nobody of us has put there is left alone; what went away meanwhile is not there. */
    if (!comb_uuid_parse(comb_str_of(name, length), &id) ||
        fstatat(folder, name, &stat, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(stat.st_mode))
        return;
    snprintf(key, sizeof key, "%.*s/%.*s", COMB_UUID_TEXT_LENGTH, session, COMB_UUID_TEXT_LENGTH,
             name);
    walk->ended =
        !walk->each(walk->data, comb_str_of(key, COMB_BLOB_KEY_LENGTH), (uint64_t)stat.st_size);
}

static enum comb_status walk_folder(struct walk *walk, int parent, const char *session,
                                    const char *name)
{
    DIR *folder COMB_CLEANUP(close_folder) = open_folder(parent, name);
    const char *file;

    if (!folder)
        return errno == ENOENT || errno == ENOTDIR
                   ? COMB_OK
                   : comb_files_error(walk->err, errno, "list blobs");
    while (!walk->ended && (file = next_name(folder)))
        walk_file(walk, dirfd(folder), session, file);
    return walk->ended || errno == 0 ? comb_ctx_check(walk->ctx, walk->err)
                                     : comb_files_error(walk->err, errno, "list blobs");
}

static enum comb_status walk_session(struct walk *walk, int root, const char *session)
{
    DIR *folders COMB_CLEANUP(close_folder) = NULL;
    enum comb_status status = COMB_OK;
    struct comb_uuid id;
    const char *name;

    if (!comb_uuid_parse(comb_str_from(session), &id))
        return COMB_OK;
    folders = open_folder(root, session);
    if (!folders)
        return errno == ENOENT || errno == ENOTDIR
                   ? COMB_OK
                   : comb_files_error(walk->err, errno, "list blobs");
    while (status == COMB_OK && !walk->ended && (name = next_name(folders)))
        status = walk_folder(walk, dirfd(folders), session, name);
    if (status == COMB_OK && !walk->ended && errno != 0)
        status = comb_files_error(walk->err, errno, "list blobs");
    return status;
}

static enum comb_status files_list(struct comb_blobs *self, struct comb_ctx *ctx, comb_str prefix,
                                   bool (*each)(void *data, comb_str key, uint64_t size),
                                   void *data, struct comb_error *err)
{
    struct files *files = (struct files *)self;
    struct walk walk = {.ctx = ctx, .each = each, .data = data, .err = err};
    DIR *sessions COMB_CLEANUP(close_folder) = NULL;
    enum comb_status status = COMB_OK;
    const char *name;

    if (prefix.len > 0) {
        char session[COMB_UUID_TEXT_LENGTH + 1];

        snprintf(session, sizeof session, "%.*s", COMB_UUID_TEXT_LENGTH, prefix.ptr);
        return walk_session(&walk, files->root, session);
    }
    sessions = open_folder(files->root, ".");
    if (!sessions)
        return comb_files_error(err, errno, "list blobs");
    while (status == COMB_OK && !walk.ended && (name = next_name(sessions)))
        status = walk_session(&walk, files->root, name);
    if (status == COMB_OK && !walk.ended && errno != 0)
        status = comb_files_error(err, errno, "list blobs");
    return status;
}

/* Asks for one block, which no folder lists. */
static enum comb_status files_check(struct comb_blobs *self, struct comb_ctx *ctx,
                                    struct comb_error *err)
{
    struct files *files = (struct files *)self;
    int fd = openat(files->root, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
    int native;

    (void)ctx;
    if (fd < 0 && errno != EOPNOTSUPP)
        return comb_files_error(err, errno, "make a file in its folder");
    if (fd < 0) /* a file system without nameless files */
        return COMB_OK;
    native = write(fd, "", 1) == 1 && fdatasync(fd) == 0 ? 0 : errno;
    close(fd);
    return native == 0 ? COMB_OK : comb_files_error(err, native, "write in its folder");
}

static void files_status(struct comb_blobs *self, struct comb_store_status *ret_status)
{
    struct files *files = (struct files *)self;

    ret_status->state = COMB_STORE_UP;
    ret_status->since_us = files->open_us;
}

static void files_close(struct comb_blobs *self)
{
    struct files *files = (struct files *)self;

    if (!files)
        return;
    close(files->root);
    pthread_mutex_destroy(&files->lock);
    comb_memory_free(files);
}

const struct comb_blob_driver comb_blob_driver_files = {
    .name = "files",
    .create = files_create,
    .write = files_write,
    .commit = files_commit,
    .abort = files_abort,
    .open = files_open,
    .read = files_read,
    .close_reader = files_close_reader,
    .remove = files_remove,
    .list = files_list,
    .check = files_check,
    .status = files_status,
    .close = files_close,
};

/* Makes the folder's own name durable. */
static int sync_parent_of_root(int root)
{
    int parent = openat(root, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result;

    if (parent < 0)
        return -1;
    result = fsync(parent);
    close(parent);
    return result;
}

enum comb_status comb_blob_files_open(comb_str directory, struct comb_blobs **ret_blobs,
                                      struct comb_error *err)
{
    char path[4096];
    struct files *files;
    bool is_new;
    int root;

    if (directory.len == 0 || directory.len >= sizeof path ||
        memchr(directory.ptr, '\0', directory.len))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "the folder of files:DIR has 1 to %zu bytes", sizeof path - 1);
    snprintf(path, sizeof path, "%.*s", COMB_STR_ARG(directory));
    is_new = mkdir(path, 0700) == 0;
    if (!is_new && errno != EEXIST)
        return comb_files_error(err, errno, "make its folder");
    root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return comb_files_error(err, errno, "open its folder");
    if (is_new && sync_parent_of_root(root) != 0) {
        int native = errno;

        close(root);
        return comb_files_error(err, native, "make its folder durable");
    }
    files = comb_memory_zalloc(sizeof *files);
    if (!files) {
        close(root);
        return comb_error_no_memory(err);
    }
    files->base.driver = &comb_blob_driver_files;
    files->root = root;
    files->open_us = comb_clock_wall_us();
    pthread_mutex_init(&files->lock, NULL);
    *ret_blobs = &files->base;
    return COMB_OK;
}
