/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/security/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gen/runtime/src/core/core.h"
#include "gen/runtime/src/core/log.h"
#include "gen/runtime/src/message/memory.h"
#include "gen/runtime/src/security/tls_check.h"
#include "gen/runtime/src/security/tls_lists.h"

enum { RELOAD_S_DEFAULT = 10, RELOAD_S_MAX = 24 * 3600 };
/* How often core looks at what is written here: its shortest interval. */
enum { CORE_RELOAD_S = 1 };
/* How long core may look on after its credentials were released: much less than this. */
enum { LINGER_S = 5 };
/* A file of certificates larger than this is not one. */
enum { PEM_BYTES_MAX = 1 << 20 };
enum { PATH_SIZE = 32 };

/* A file in memory, at a path of this process. */
struct memory_file {
    int fd; /* -1: none */
    char path[PATH_SIZE];
};

struct grpcc_tls_files {
    struct grpcc_tls_files *next; /* on reloader.files, under its lock, as all below */
    struct grpcc_tls_sources sources;
    size_t refs;                             /* 0: closed */
    int64_t due_ns;                          /* to be looked at; where it is closed: to be freed */
    grpc_tls_certificate_provider *provider; /* core's watcher; NULL where it is closed */
    struct memory_file identity;             /* certificate, chain and key in one */
    struct memory_file roots;
    unsigned char identity_digest[SHA256_DIGEST_LENGTH]; /* of what is published */
    unsigned char roots_digest[SHA256_DIGEST_LENGTH];
    uint64_t lists_sum; /* of the revocation lists that are in use */
    unsigned generation;
    char problem[GRPCC_STATUS_MESSAGE_MAX + 1]; /* what was last logged; empty: all is well */
};

struct text {
    char *bytes;
    size_t length, capacity;
};

/* ---- reading ---- */

static void text_done(struct text *text)
{
    if (text->bytes)
        explicit_bzero(text->bytes, text->capacity);
    grpcc_memory_free(text->bytes);
    *text = (struct text){NULL, 0, 0};
}

static enum grpcc_status no_memory(const char *path, struct grpcc_error *err)
{
    return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "%s: no memory to read it", path);
}

static bool text_init(struct text *text, size_t files)
{
    text->capacity = files * (PEM_BYTES_MAX + 2) + 64;
    text->length = 0;
    text->bytes = grpcc_memory_alloc(text->capacity);
    return text->bytes != NULL;
}

/* Adds the file and a line's end. */
static enum grpcc_status text_read(struct text *text, const char *path, struct grpcc_error *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
    setvbuf(file, NULL, _IONBF, 0); /* keys stay in no buffer but ours */
    size_t size = fread(text->bytes + text->length, 1, PEM_BYTES_MAX + 1, file);
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: cannot be read", path);
    if (size == 0 || size > PEM_BYTES_MAX)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: %s", path,
                               size ? "larger than any certificate" : "the file is empty");
    text->length += size;
    text->bytes[text->length++] = '\n';
    return GRPCC_OK;
}

/* Adds a comment that changes when a revocation list does: core makes its context anew, and so has
 * OpenSSL read the lists again, only where the text of the roots is another one. */
static void text_note_sum(struct text *text, uint64_t sum)
{
    int length = snprintf(text->bytes + text->length, text->capacity - text->length,
                          "# revocation lists: %016llx\n", (unsigned long long)sum);
    text->length += (size_t)length;
}

/* ---- publishing ---- */

/* Core must never find at a path of ours what another part of the program has opened meanwhile:
 * these descriptors are not closed, but used again. Under reloader.lock. */
static struct {
    int *fds;
    size_t n, capacity;
} kept;

/* generation 0: the time that core takes for a file that is not there, whatever is in it. */
static int new_memory(const char *bytes, size_t length, unsigned generation)
{
    int fd = memfd_create("grpcc-certificates", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    while (length) {
        ssize_t written = write(fd, bytes, length);
        if (written <= 0)
            break;
        bytes += written;
        length -= (size_t)written;
    }
    /* Core reads certificate and key one after the other, and takes them for one pair where the
     * times before and after are the same, in seconds: each generation has a time of its own. */
    const struct timespec times[2] = {{.tv_sec = (time_t)generation},
                                      {.tv_sec = (time_t)generation}};
    if (length == 0 && futimens(fd, times) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool publish_locked(struct memory_file *file, const char *bytes, size_t length,
                           unsigned generation)
{
    int fd = new_memory(bytes, length, generation);
    if (fd < 0)
        return false;
    if (file->fd < 0 && kept.n)
        file->fd = kept.fds[--kept.n];
    if (file->fd < 0) {
        file->fd = fd;
    } else {
        dup3(fd, file->fd, O_CLOEXEC); /* at once for whoever opens the path */
        close(fd);
    }
    snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
    return access(file->path, R_OK) == 0;
}

/* The key goes from memory. */
static void withdraw_locked(struct memory_file *file)
{
    if (file->fd < 0)
        return;
    int fd = new_memory("", 0, 0);
    if (fd >= 0) {
        dup3(fd, file->fd, O_CLOEXEC);
        close(fd);
    }
    if (kept.n == kept.capacity) {
        size_t capacity = kept.capacity ? kept.capacity * 2 : 16;
        int *grown = grpcc_memory_realloc(kept.fds, capacity * sizeof(*grown));
        if (!grown)
            return;
        kept.fds = grown;
        kept.capacity = capacity;
    }
    kept.fds[kept.n++] = file->fd;
}

/* Publishes text where it is another one than before, and OpenSSL can use it. */
static enum grpcc_status take_over_locked(struct grpcc_tls_files *files, const struct text *text,
                                          const char *(*check)(const char *pem, size_t length),
                                          struct memory_file *file, unsigned char *digest,
                                          const char *path, struct grpcc_error *err)
{
    unsigned char now[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)text->bytes, text->length, now);
    if (file->fd >= 0 && memcmp(now, digest, sizeof(now)) == 0)
        return GRPCC_OK;
    const char *problem = check(text->bytes, text->length);
    if (problem)
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: %s", path, problem);
    if (!publish_locked(file, text->bytes, text->length, ++files->generation))
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED,
                               "%s: no memory, descriptor or /proc to hold it: %s", path,
                               strerror(errno));
    memcpy(digest, now, sizeof(now));
    return GRPCC_OK;
}

static enum grpcc_status load_identity_locked(struct grpcc_tls_files *files,
                                              struct grpcc_error *err)
{
    struct text text;
    if (!files->sources.certificate_file)
        return GRPCC_OK;
    if (!text_init(&text, 2))
        return no_memory(files->sources.certificate_file, err);
    enum grpcc_status status = text_read(&text, files->sources.certificate_file, err);
    if (!status)
        status = text_read(&text, files->sources.key_file, err);
    if (!status)
        status = take_over_locked(files, &text, grpcc_tls_check_identity, &files->identity,
                                  files->identity_digest, files->sources.certificate_file, err);
    text_done(&text);
    return status;
}

/* Notes the lists in text, once they can all be read. */
static enum grpcc_status load_lists_locked(const struct grpcc_tls_files *files, struct text *text,
                                           uint64_t *ret_sum, struct grpcc_error *err)
{
    const char *directory = files->sources.crl_directory;
    if (!directory)
        return GRPCC_OK;
    enum grpcc_status status = grpcc_tls_lists_sum(directory, ret_sum, err);
    if (!status && (files->roots.fd < 0 || *ret_sum != files->lists_sum))
        status = grpcc_tls_lists_check(directory, err);
    if (!status)
        text_note_sum(text, *ret_sum);
    return status;
}

static enum grpcc_status load_roots_locked(struct grpcc_tls_files *files, struct grpcc_error *err)
{
    struct text text;
    uint64_t sum = 0;
    if (!files->sources.ca_file)
        return GRPCC_OK;
    if (!text_init(&text, 1))
        return no_memory(files->sources.ca_file, err);
    enum grpcc_status status = text_read(&text, files->sources.ca_file, err);
    if (!status)
        status = load_lists_locked(files, &text, &sum, err);
    if (!status)
        status = take_over_locked(files, &text, grpcc_tls_check_roots, &files->roots,
                                  files->roots_digest, files->sources.ca_file, err);
    if (!status)
        files->lists_sum = sum;
    text_done(&text);
    return status;
}

/* Each of the two is used even where the other one is not usable. */
static enum grpcc_status load_locked(struct grpcc_tls_files *files, struct grpcc_error *err)
{
    enum grpcc_status identity = load_identity_locked(files, err);
    enum grpcc_status roots = load_roots_locked(files, identity ? NULL : err);
    return identity ? identity : roots;
}

/* ---- looking again ---- */

/* One thread of the process, while files are open. Files are read under the lock: a close waits for
 * the reading that is under way. */
static struct {
    pthread_mutex_t lock; /* all below */
    pthread_cond_t changed;
    bool has_clock; /* changed waits on CLOCK_MONOTONIC */
    bool running;
    struct grpcc_tls_files *files;
} reloader = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void reload_locked(struct grpcc_tls_files *files)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    if (!load_locked(files, &err)) {
        files->problem[0] = '\0';
        return;
    }
    if (strcmp(files->problem, err.message) == 0)
        return;
    memcpy(files->problem, err.message, sizeof(files->problem));
    grpcc_log(GRPCC_LOG_WARNING, "%s; what was read before stays in use", err.message);
}

static int64_t interval_ns(const struct grpcc_tls_files *files)
{
    return (int64_t)files->sources.reload_s * GRPCC_NS_PER_S;
}

static void files_free_locked(struct grpcc_tls_files *files)
{
    withdraw_locked(&files->identity);
    withdraw_locked(&files->roots);
    grpcc_memory_free((void *)(uintptr_t)files->sources.certificate_file);
    grpcc_memory_free((void *)(uintptr_t)files->sources.key_file);
    grpcc_memory_free((void *)(uintptr_t)files->sources.ca_file);
    grpcc_memory_free((void *)(uintptr_t)files->sources.crl_directory);
    grpcc_memory_free(files);
}

/* Does what is due; when something is due next. */
static int64_t turn_locked(int64_t now_ns)
{
    int64_t due_ns = INT64_MAX;
    struct grpcc_tls_files **link = &reloader.files;
    while (*link) {
        struct grpcc_tls_files *files = *link;
        if (files->due_ns <= now_ns && !files->refs) {
            *link = files->next;
            files_free_locked(files);
            continue;
        }
        if (files->due_ns <= now_ns) {
            reload_locked(files);
            files->due_ns = now_ns + interval_ns(files);
        }
        due_ns = files->due_ns < due_ns ? files->due_ns : due_ns;
        link = &files->next;
    }
    return due_ns;
}

static void *reloader_main(void *data)
{
    (void)data;
    pthread_mutex_lock(&reloader.lock);
    while (reloader.files) {
        int64_t due_ns = turn_locked(grpcc_now_ns());
        if (!reloader.files)
            break;
        const struct timespec until = {.tv_sec = due_ns / GRPCC_NS_PER_S,
                                       .tv_nsec = due_ns % GRPCC_NS_PER_S};
        pthread_cond_timedwait(&reloader.changed, &reloader.lock, &until);
    }
    reloader.running = false;
    pthread_mutex_unlock(&reloader.lock);
    return NULL;
}

static bool start_locked(void)
{
    pthread_t thread;
    if (!reloader.has_clock) {
        pthread_condattr_t monotonic;
        pthread_condattr_init(&monotonic);
        pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        pthread_cond_init(&reloader.changed, &monotonic);
        pthread_condattr_destroy(&monotonic);
        reloader.has_clock = true;
    }
    if (reloader.running)
        return true;
    if (!grpcc_thread_start(&thread, "grpcc-tls", reloader_main, NULL))
        return false;
    pthread_detach(thread);
    reloader.running = true;
    return true;
}

/* ---- life ---- */

/* *copy is the program's string at first, and ours then. */
static bool own(const char **copy)
{
    if (*copy)
        *copy = grpcc_memory_strdup(*copy);
    return *copy != NULL;
}

static unsigned reload_s_of(const struct grpcc_tls_sources *sources)
{
    unsigned reload_s = sources->reload_s ? sources->reload_s : RELOAD_S_DEFAULT;
    return reload_s < RELOAD_S_MAX ? reload_s : RELOAD_S_MAX;
}

static struct grpcc_tls_files *files_new_locked(const struct grpcc_tls_sources *sources)
{
    struct grpcc_tls_files *files = grpcc_memory_zalloc(sizeof(*files));
    if (!files)
        return NULL;
    files->sources = *sources;
    files->sources.reload_s = reload_s_of(sources);
    files->identity.fd = files->roots.fd = -1;
    bool certificate = own(&files->sources.certificate_file);
    bool key = own(&files->sources.key_file);
    bool ca = own(&files->sources.ca_file);
    bool lists = own(&files->sources.crl_directory);
    if (certificate == !!sources->certificate_file && key == !!sources->key_file &&
        ca == !!sources->ca_file && lists == !!sources->crl_directory)
        return files;
    files_free_locked(files);
    return NULL;
}

static bool is_same(const char *one, const char *other)
{
    return one && other ? strcmp(one, other) == 0 : one == other;
}

/* The ones of other channels or listeners, also those closed a moment ago. */
static struct grpcc_tls_files *find_locked(const struct grpcc_tls_sources *sources)
{
    struct grpcc_tls_files *files = reloader.files;
    unsigned reload_s = reload_s_of(sources);
    while (files && !(is_same(files->sources.certificate_file, sources->certificate_file) &&
                      is_same(files->sources.key_file, sources->key_file) &&
                      is_same(files->sources.ca_file, sources->ca_file) &&
                      is_same(files->sources.crl_directory, sources->crl_directory) &&
                      files->sources.reload_s == reload_s))
        files = files->next;
    return files;
}

static void watch_locked(struct grpcc_tls_files *files)
{
    const char *identity = files->identity.fd >= 0 ? files->identity.path : NULL;
    const char *roots = files->roots.fd >= 0 ? files->roots.path : NULL;
    if (identity || roots)
        files->provider = grpc_tls_certificate_provider_file_watcher_create(identity, identity,
                                                                            roots, CORE_RELOAD_S);
}

static enum grpcc_status open_locked(const struct grpcc_tls_sources *sources,
                                     struct grpcc_tls_files **ret_files, struct grpcc_error *err)
{
    struct grpcc_tls_files *found = find_locked(sources);
    struct grpcc_tls_files *files = found ? found : files_new_locked(sources);
    if (!files)
        return grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for the certificates");
    enum grpcc_status status = load_locked(files, err);
    if (!status && !start_locked())
        status = grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no thread for the certificates");
    if (status) {
        if (!found)
            files_free_locked(files);
        return status;
    }
    if (!found) {
        files->next = reloader.files;
        reloader.files = files;
    }
    if (files->refs++ == 0) {
        watch_locked(files);
        files->due_ns = grpcc_now_ns() + interval_ns(files);
        pthread_cond_signal(&reloader.changed);
    }
    *ret_files = files;
    return GRPCC_OK;
}

enum grpcc_status grpcc_tls_files_open(const struct grpcc_tls_sources *sources,
                                       struct grpcc_tls_files **ret_files, struct grpcc_error *err)
{
    pthread_mutex_lock(&reloader.lock);
    enum grpcc_status status = open_locked(sources, ret_files, err);
    pthread_mutex_unlock(&reloader.lock);
    return status;
}

void grpcc_tls_files_close(struct grpcc_tls_files *files)
{
    if (!files)
        return;
    pthread_mutex_lock(&reloader.lock);
    if (--files->refs == 0) {
        if (files->provider)
            grpc_tls_certificate_provider_release(files->provider);
        files->provider = NULL;
        files->due_ns = grpcc_now_ns() + (int64_t)LINGER_S * GRPCC_NS_PER_S;
        pthread_cond_signal(&reloader.changed);
    }
    pthread_mutex_unlock(&reloader.lock);
}

grpc_tls_credentials_options *grpcc_tls_files_options(const struct grpcc_tls_files *files)
{
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    if (files->provider)
        grpc_tls_credentials_options_set_certificate_provider(options, files->provider);
    if (files->sources.certificate_file)
        grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    if (files->sources.ca_file)
        grpc_tls_credentials_options_watch_root_certs(options);
    if (files->sources.crl_directory)
        grpc_tls_credentials_options_set_crl_directory(options, files->sources.crl_directory);
    return options;
}
