/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/driver/json_file.h"

#include <argon2.h>
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

/* Sealed with a key of its own, or with one out of a passphrase. */
#define KEY_MAGIC "COMBVLT1"
#define PASSPHRASE_MAGIC "COMBVLP1"
#define MAGIC_SIZE (sizeof KEY_MAGIC - 1)
#define FINGERPRINT_SIZE 8
#define SALT_SIZE 16
#define HEADER_SIZE_MAX (MAGIC_SIZE + SALT_SIZE + FINGERPRINT_SIZE)
/* Argon2id of the PASSPHRASE_MAGIC: RFC 9106's second choice. Others would be another magic. */
#define ARGON2_KIB (64 << 10)
#define ARGON2_PASSES 3
#define ARGON2_LANES 1
#define KEY_SIZE COMB_SEAL_KEY_SIZE
/* The key as hexadecimal digits, with a line end or two. */
#define KEY_TEXT_MAX (2 * KEY_SIZE + 2)
#define PATH_MAX_BYTES 4000

/* What a key's fingerprint is the hash of, in front of the key: the hash serves nothing else. */
static const char FINGERPRINT_LABEL[] = "comb vault key fingerprint";

struct key_page {
    uint8_t reading[KEY_SIZE]; /* what the vault is sealed with, where it is there */
    uint8_t writing[KEY_SIZE]; /* what it will be sealed with */
};

/* What stands before the sealed text. */
struct header {
    uint8_t bytes[HEADER_SIZE_MAX];
    size_t size; /* 0: there is no vault yet */
};

struct json_file {
    char *path, *key_path, *next_key_path, *lock_path, *new_path, *folder;
    int lock;              /* descriptor that holds the lock; -1: none */
    struct key_page *page; /* of its own mapping: left out of core dumps */
    struct header found;   /* of the vault as it is */
    struct header header;  /* as it will be written */
    bool next_key;         /* the key that is written with lies in next_key_path */
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

/* Writes data, which is to replace path, to new_path, durably; on failure that is removed. */
static enum comb_status write_new(const struct json_file *file, const char *path, const void *data,
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
    if (durable)
        return COMB_OK;
    unlink(file->new_path);
    return json_error_set(err, number, "write", path);
}

/* The same, and renames it to path. err->ambiguous where the rename was done but may be lost with
 * the power. */
static enum comb_status replace(const struct json_file *file, const char *path, const void *data,
                                size_t size, struct comb_error *err)
{
    enum comb_status status = write_new(file, path, data, size, err);
    if (status != COMB_OK)
        return status;
    if (rename(file->new_path, path) != 0) {
        int number = errno;
        unlink(file->new_path);
        return json_error_set(err, number, "write", path);
    }
    if (sync_folder(file->folder))
        return COMB_OK;
    status = json_error_set(err, errno, "make durable the folder of", path);
    if (err)
        err->ambiguous = true;
    return status;
}

static enum comb_status damaged(const struct json_file *file, struct comb_error *err)
{
    return comb_error_set(err, COMB_DATA_LOSS, 0,
                          "the vault is damaged or not whole; put a copy of it back: %s",
                          file->path);
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

static enum comb_status parse_key_file(const struct json_file *file, int fd,
                                       uint8_t ret_key[KEY_SIZE], struct comb_error *err)
{
    enum comb_status status = check_key_file(file, fd, err);
    if (status != COMB_OK)
        return status;
    char text[KEY_TEXT_MAX + 1];
    ssize_t size = read_whole(fd, text, sizeof text);
    if (size < 0)
        status = json_error_set(err, errno, "read", file->key_path);
    else if (size == KEY_SIZE)
        memcpy(ret_key, text, KEY_SIZE);
    else if (!comb_hex_decode(line_of(text, (size_t)size), ret_key, KEY_SIZE))
        status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                "put the right key file back: a vault's key has %d bytes or %d "
                                "hexadecimal digits, not so %s",
                                KEY_SIZE, 2 * KEY_SIZE, file->key_path);
    comb_memory_wipe(text, sizeof text);
    return status;
}

static enum comb_status make_key(struct json_file *file, struct comb_error *err)
{
    comb_random(file->page->writing, KEY_SIZE);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    char *text = arena ? comb_hex_encode(arena, comb_str_of(file->page->writing, KEY_SIZE)) : NULL;
    enum comb_status status =
        text ? replace(file, file->key_path, text, strlen(text), err) : comb_error_no_memory(err);
    if (text)
        comb_memory_wipe(text, strlen(text));
    grpcc_arena_free(arena);
    return status;
}

/* Sets header to what a vault sealed with key begins with; salt NULL: it is out of a key file. */
static enum comb_status make_header(struct header *header, const uint8_t key[KEY_SIZE],
                                    const uint8_t *salt, struct comb_error *err)
{
    uint8_t text[sizeof FINGERPRINT_LABEL + KEY_SIZE];
    uint8_t hash[COMB_SHA256_SIZE] = {0};
    memcpy(text, FINGERPRINT_LABEL, sizeof FINGERPRINT_LABEL);
    memcpy(text + sizeof FINGERPRINT_LABEL, key, KEY_SIZE);
    enum comb_status status = comb_sha256(comb_str_of(text, sizeof text), hash, err);
    comb_memory_wipe(text, sizeof text);
    memcpy(header->bytes, salt ? PASSPHRASE_MAGIC : KEY_MAGIC, MAGIC_SIZE);
    header->size = MAGIC_SIZE;
    if (salt) {
        memcpy(header->bytes + header->size, salt, SALT_SIZE);
        header->size += SALT_SIZE;
    }
    memcpy(header->bytes + header->size, hash, FINGERPRINT_SIZE);
    header->size += FINGERPRINT_SIZE;
    return status;
}

static bool same_header(const struct header *a, const struct header *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static bool begins_with(const struct header *header, const char *magic)
{
    return header->size > MAGIC_SIZE && memcmp(header->bytes, magic, MAGIC_SIZE) == 0;
}

/* ---- a key out of files ---- */

static enum comb_status read_key(const struct json_file *file, const char *path,
                                 uint8_t ret_key[KEY_SIZE], bool *ret_there, struct comb_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *ret_there = fd >= 0;
    if (fd < 0)
        return errno == ENOENT ? COMB_OK : json_error_set(err, errno, "read", path);
    enum comb_status status = parse_key_file(file, fd, ret_key, err);
    close(fd);
    return status;
}

static enum comb_status load_key(struct json_file *file, struct comb_error *err)
{
    bool there;
    enum comb_status status = read_key(file, file->key_path, file->page->writing, &there, err);
    if (status != COMB_OK)
        return status;
    if (!there && file->found.size > 0)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "put the key file back: the vault is there, but not its key %s",
                              file->key_path);
    if (!there)
        status = make_key(file, err);
    memcpy(file->page->reading, file->page->writing, KEY_SIZE);
    return status;
}

/* The key to change to, where there is one. A crash may have left the vault sealed with either. */
static enum comb_status load_next_key(struct json_file *file, struct comb_error *err)
{
    enum comb_status status =
        read_key(file, file->next_key_path, file->page->writing, &file->next_key, err);
    if (status == COMB_OK)
        status = make_header(&file->header, file->page->writing, NULL, err);
    if (status == COMB_OK && same_header(&file->header, &file->found))
        memcpy(file->page->reading, file->page->writing, KEY_SIZE);
    return status;
}

/* ---- a key out of a passphrase ---- */

static enum comb_status derive(comb_str passphrase, const uint8_t salt[SALT_SIZE],
                               uint8_t ret_key[KEY_SIZE], struct header *ret_header,
                               struct comb_error *err)
{
    int result = argon2id_hash_raw(ARGON2_PASSES, ARGON2_KIB, ARGON2_LANES, passphrase.ptr,
                                   passphrase.len, salt, SALT_SIZE, ret_key, KEY_SIZE);
    if (result != ARGON2_OK)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0, "argon2: %s",
                              argon2_error_message(result));
    return make_header(ret_header, ret_key, salt, err);
}

/* Whether the vault was sealed with this passphrase; then its key is the one to read with. */
static enum comb_status try_passphrase(struct json_file *file, comb_str passphrase, bool *ret_fits,
                                       struct comb_error *err)
{
    struct header header = {.size = 0};
    enum comb_status status =
        derive(passphrase, file->found.bytes + MAGIC_SIZE, file->page->reading, &header, err);
    *ret_fits = status == COMB_OK && same_header(&header, &file->found);
    return status;
}

/* passphrases: the one to seal with and, on a second line, the former one. */
static enum comb_status load_passphrase(struct json_file *file, comb_str passphrases,
                                        struct comb_error *err)
{
    const char *end = memchr(passphrases.ptr, '\n', passphrases.len);
    comb_str first =
        end ? comb_str_of(passphrases.ptr, (size_t)(end - passphrases.ptr)) : passphrases;
    comb_str former = end ? comb_str_of(end + 1, passphrases.len - first.len - 1) : (comb_str){0};
    enum comb_status status = COMB_OK;
    bool fits = false, there = false;
    if (begins_with(&file->found, PASSPHRASE_MAGIC)) {
        status = try_passphrase(file, first, &fits, err);
        if (status == COMB_OK && fits) {
            file->header = file->found;
            memcpy(file->page->writing, file->page->reading, KEY_SIZE);
            return COMB_OK;
        }
        if (status == COMB_OK && former.len > 0)
            status = try_passphrase(file, former, &fits, err);
        if (status == COMB_OK && !fits)
            status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                    "give the right passphrase: the vault %s was not sealed with "
                                    "this one",
                                    file->path);
    } else if (file->found.size > 0) {
        status = read_key(file, file->key_path, file->page->reading, &there, err);
        if (status == COMB_OK && !there)
            status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                    "put the key file back: the vault is sealed with %s, and only "
                                    "that can change it to a passphrase",
                                    file->key_path);
    }
    uint8_t salt[SALT_SIZE];
    comb_random(salt, sizeof salt);
    return status == COMB_OK ? derive(first, salt, file->page->writing, &file->header, err)
                             : status;
}

/* What the vault begins with, where it is there and its form is one of ours. */
static enum comb_status peek_header(struct json_file *file, struct comb_error *err)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? COMB_OK : json_error_set(err, errno, "read", file->path);
    ssize_t size = read_whole(fd, file->found.bytes, sizeof file->found.bytes);
    int number = errno;
    close(fd);
    if (size < 0)
        return json_error_set(err, number, "read", file->path);
    file->found.size = (size_t)size;
    bool salted = begins_with(&file->found, PASSPHRASE_MAGIC);
    size_t whole = HEADER_SIZE_MAX - (salted ? 0 : SALT_SIZE);
    if (file->found.size < whole || !(salted || begins_with(&file->found, KEY_MAGIC)))
        return damaged(file, err);
    file->found.size = whole;
    return COMB_OK;
}

static enum comb_status load_keys(struct json_file *file, comb_str passphrases,
                                  struct comb_error *err)
{
    enum comb_status status = peek_header(file, err);
    if (status != COMB_OK)
        return status;
    if (passphrases.len > 0)
        return load_passphrase(file, passphrases, err);
    if (begins_with(&file->found, PASSPHRASE_MAGIC))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "give the passphrase by --vault-passphrase-file: the vault %s is "
                              "sealed with one",
                              file->path);
    status = load_key(file, err);
    return status == COMB_OK ? load_next_key(file, err) : status;
}

enum comb_status json_file_open(comb_str path, comb_str passphrases, struct json_file **ret_file,
                                struct comb_error *err)
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
    file->next_key_path = path_with(path, ".key.next");
    file->lock_path = path_with(path, ".lock");
    file->new_path = path_with(path, ".new");
    file->folder = folder_of(path);
    enum comb_status status = COMB_OK;
    if (!file->path || !file->key_path || !file->next_key_path || !file->lock_path ||
        !file->new_path || !file->folder)
        status = comb_error_no_memory(err);
    if (status == COMB_OK)
        status = take_lock(file, err);
    if (status == COMB_OK)
        status = map_page(file, err);
    if (status == COMB_OK)
        status = load_keys(file, passphrases, err);
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
    comb_memory_free(file->next_key_path);
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

static enum comb_status unseal(const struct json_file *file, struct grpcc_arena *arena,
                               comb_str sealed, comb_str *ret_text, struct comb_error *err)
{
    comb_str header = comb_str_of(file->found.bytes, file->found.size);
    if (sealed.len < header.len + COMB_SEAL_OVERHEAD || !comb_str_starts_with(sealed, header))
        return damaged(file, err);
    struct header expected = {.size = 0};
    const uint8_t *salt =
        begins_with(&file->found, PASSPHRASE_MAGIC) ? file->found.bytes + MAGIC_SIZE : NULL;
    enum comb_status status = make_header(&expected, file->page->reading, salt, err);
    if (status != COMB_OK)
        return status;
    if (!same_header(&expected, &file->found))
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "put the right key file back: the vault was not written with the "
                              "key %s",
                              file->key_path);
    comb_str body = comb_str_of(sealed.ptr + header.len, sealed.len - header.len);
    status = comb_seal_open(arena, file->page->reading, body, header, ret_text, err);
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

bool json_file_is_stale(const struct json_file *file)
{
    return file->next_key || !same_header(&file->found, &file->header);
}

/* The next key takes the place of the former one, once the vault is sealed with it. */
static enum comb_status adopt_next_key(struct json_file *file, struct comb_error *err)
{
    if (!file->next_key)
        return COMB_OK;
    if (rename(file->next_key_path, file->key_path) != 0 || !sync_folder(file->folder))
        return json_error_set(err, errno, "rename", file->next_key_path);
    file->next_key = false;
    return COMB_OK;
}

enum comb_status json_file_write(struct json_file *file, comb_str text, struct comb_error *err)
{
    size_t size = file->header.size + COMB_SEAL_OVERHEAD + text.len;
    if (size > JSON_FILE_BYTES_MAX)
        return comb_error_set(err, COMB_RESOURCE_EXHAUSTED, 0,
                              "the vault %s would be larger than %zu bytes", file->path,
                              JSON_FILE_BYTES_MAX);
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_no_memory(err);
    comb_str header = comb_str_of(file->header.bytes, file->header.size), sealed = {0};
    enum comb_status status = comb_seal(arena, file->page->writing, text, header, &sealed, err);
    char *data = status == COMB_OK ? grpcc_arena_alloc(arena, size) : NULL;
    if (data) {
        memcpy(data, header.ptr, header.len);
        memcpy(data + header.len, sealed.ptr, sealed.len);
        status = replace(file, file->path, data, size, err);
    } else if (status == COMB_OK) {
        status = comb_error_no_memory(err);
    }
    grpcc_arena_free(arena);
    if (status != COMB_OK)
        return status;
    file->found = file->header;
    memcpy(file->page->reading, file->page->writing, KEY_SIZE);
    return adopt_next_key(file, err);
}

enum comb_status json_file_try(struct json_file *file, struct comb_error *err)
{
    static const char block[4096];
    enum comb_status status = write_new(file, file->path, block, sizeof block, err);
    if (status == COMB_OK)
        unlink(file->new_path);
    return status;
}
