/* SPDX-License-Identifier: Apache-2.0 */
/* A bearer token in a file. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "gen/runtime/src/message/memory.h"
#include "grpcc/credentials.h"

static const char scheme[] = "Bearer ";

enum { SCHEME_LENGTH = sizeof(scheme) - 1 };

struct token_file {
    char *path;
    pthread_mutex_t lock; /* all below */
    struct stat seen;     /* of the file that was read */
    size_t length;        /* of header; 0: nothing was read */
    char header[SCHEME_LENGTH + GRPCC_TOKEN_BYTES_MAX];
};

static bool is_as_seen(const struct token_file *file, const struct stat *now)
{
    return file->length && now->st_ino == file->seen.st_ino && now->st_dev == file->seen.st_dev &&
           now->st_size == file->seen.st_size && now->st_mtim.tv_sec == file->seen.st_mtim.tv_sec &&
           now->st_mtim.tv_nsec == file->seen.st_mtim.tv_nsec;
}

static enum grpcc_status invalid(const struct token_file *file, const char *why,
                                 struct grpcc_error *err)
{
    return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s: %s", file->path, why);
}

static enum grpcc_status read_locked(struct token_file *file, struct grpcc_error *err)
{
    struct stat now;
    char text[GRPCC_TOKEN_BYTES_MAX + 2];
    if (stat(file->path, &now) != 0)
        return invalid(file, strerror(errno), err);
    if (is_as_seen(file, &now))
        return GRPCC_OK;
    FILE *stream = fopen(file->path, "re");
    if (!stream)
        return invalid(file, strerror(errno), err);
    size_t length = fread(text, 1, sizeof(text), stream);
    fclose(stream);
    while (length && strchr("\r\n\t ", text[length - 1]))
        length--;
    if (length == 0 || length > GRPCC_TOKEN_BYTES_MAX || memchr(text, '\n', length)) {
        explicit_bzero(text, sizeof(text));
        return invalid(file, "not one line with a token", err);
    }
    memcpy(file->header, scheme, SCHEME_LENGTH);
    memcpy(file->header + SCHEME_LENGTH, text, length);
    explicit_bzero(text, sizeof(text));
    file->length = SCHEME_LENGTH + length;
    file->seen = now;
    return GRPCC_OK;
}

static void token_file_get(void *self, const char *service_url, const char *method,
                           struct grpcc_credentials_request *request)
{
    struct token_file *file = self;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    (void)service_url;
    (void)method;
    pthread_mutex_lock(&file->lock);
    if (read_locked(file, &err)) {
        grpcc_credentials_refuse(request, err.message);
    } else {
        const struct grpcc_metadata header = {"authorization", file->header, file->length};
        grpcc_credentials_give(request, &header, 1);
    }
    pthread_mutex_unlock(&file->lock);
}

static void token_file_free(void *self)
{
    struct token_file *file = self;
    pthread_mutex_destroy(&file->lock);
    explicit_bzero(file->header, sizeof(file->header));
    grpcc_memory_free(file->path);
    grpcc_memory_free(file);
}

struct grpcc_credentials *grpcc_credentials_new_token_file(const char *path, bool allow_plaintext,
                                                           struct grpcc_error *err)
{
    struct token_file *file = grpcc_memory_zalloc(sizeof(*file));
    if (file)
        file->path = grpcc_memory_strdup(path);
    if (!file || !file->path) {
        grpcc_memory_free(file);
        grpcc_error_set(err, GRPCC_RESOURCE_EXHAUSTED, "no memory for credentials");
        return NULL;
    }
    pthread_mutex_init(&file->lock, NULL);
    const struct grpcc_credentials_options options = {.size = sizeof(options),
                                                      .get = token_file_get,
                                                      .free = token_file_free,
                                                      .self = file,
                                                      .allow_plaintext = allow_plaintext};
    pthread_mutex_lock(&file->lock);
    enum grpcc_status status = read_locked(file, err);
    pthread_mutex_unlock(&file->lock);
    struct grpcc_credentials *credentials = status ? NULL : grpcc_credentials_new(&options, err);
    if (!credentials)
        token_file_free(file);
    return credentials;
}
