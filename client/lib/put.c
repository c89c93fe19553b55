/* SPDX-License-Identifier: Apache-2.0 */
/* Sending one file: from memory, from a function, from disk. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/transfer.h"

enum grpcc_status comb_put_small(struct comb_client *client, struct grpcc_arena *arena,
                                 struct comb_v1_upload_target *target, const void *data,
                                 size_t length, struct comb_v1_node **ret_node,
                                 struct grpcc_error *err)
{
    unsigned char sha256[COMB_SHA256_BYTES];
    struct comb_v1_data_put_response *response = NULL;
    struct comb_v1_data_put_request *request = comb_v1_data_put_request_new(arena);
    if (!request || !EVP_Digest(data, length, sha256, NULL, EVP_sha256(), NULL))
        return comb_error_memory(err);
    request->target = target;
    comb_v1_data_put_request_set_content(request, data, length);
    comb_v1_data_put_request_set_sha256(request, sha256, sizeof(sha256));
    enum grpcc_status status =
        comb_v1_data_put(client->channel, arena, NULL, request, &response, err);
    if (!status && ret_node)
        *ret_node = response->node;
    return status;
}

static struct comb_put_options complete(const struct comb_put_options *given)
{
    struct comb_put_options options = {0};
    comb_options_copy(&options, sizeof(options), given);
    return options;
}

/* ---- memory ---- */

struct memory {
    const char *at;
    size_t left;
};

static int64_t memory_read(void *data, void *buffer, size_t capacity, struct grpcc_error *err)
{
    struct memory *memory = data;
    size_t n = capacity < memory->left ? capacity : memory->left;
    (void)err;
    memcpy(buffer, memory->at, n);
    memory->at += n;
    memory->left -= n;
    return (int64_t)n;
}

enum grpcc_status comb_put_bytes(struct comb_client *client, struct grpcc_arena *arena,
                                 const char *path, const void *data, size_t length,
                                 const struct comb_put_options *given,
                                 struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    struct comb_put_options options = complete(given);
    struct comb_v1_upload_target *target = NULL;
    struct comb_meter meter;
    enum grpcc_status status = comb_client_check(client, err);
    if (!status)
        status = comb_target_make(arena, path, &options, &target, err);
    if (status)
        return status;
    comb_meter_init(&meter, options.progress, options.progress_data);
    comb_meter_expect(&meter, length, 1);
    if (length <= COMB_CHUNK_BYTES) {
        status = comb_put_small(client, arena, target, data, length, ret_node, err);
    } else {
        struct memory memory = {data, length};
        struct comb_source source = {.read = memory_read,
                                     .data = &memory,
                                     .has_size = true,
                                     .size = length,
                                     .any_thread = true};
        status = comb_upload(client, arena, target, &source, &meter, path, ret_node, err);
    }
    if (!status) {
        (void)comb_meter_add(&meter, path, length <= COMB_CHUNK_BYTES ? length : 0, 1);
        comb_meter_finish(&meter);
    }
    comb_meter_done(&meter);
    return status;
}

/* ---- a function ---- */

struct function {
    int64_t (*read)(void *data, void *buffer, size_t capacity);
    void *data;
};

static int64_t function_read(void *data, void *buffer, size_t capacity, struct grpcc_error *err)
{
    const struct function *function = data;
    size_t filled = 0;
    while (filled < capacity) {
        int64_t n = function->read(function->data, (char *)buffer + filled, capacity - filled);
        if (n < 0 || (uint64_t)n > capacity - filled) {
            comb_meter_cancelled(err);
            return -1;
        }
        if (n == 0)
            break;
        filled += (size_t)n;
    }
    return (int64_t)filled;
}

enum grpcc_status comb_put_stream(struct comb_client *client, struct grpcc_arena *arena,
                                  const char *path,
                                  int64_t (*read)(void *data, void *buffer, size_t capacity),
                                  void *read_data, const struct comb_put_options *given,
                                  struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    struct comb_put_options options = complete(given);
    struct comb_v1_upload_target *target = NULL;
    struct comb_meter meter;
    struct function function = {read, read_data};
    struct comb_source source = {.read = function_read, .data = &function};
    enum grpcc_status status = comb_client_check(client, err);
    if (!status)
        status = comb_target_make(arena, path, &options, &target, err);
    if (status)
        return status;
    comb_meter_init(&meter, options.progress, options.progress_data);
    comb_meter_expect(&meter, 0, 1);
    status = comb_upload(client, arena, target, &source, &meter, path, ret_node, err);
    if (!status) {
        (void)comb_meter_add(&meter, path, 0, 1);
        comb_meter_finish(&meter);
    }
    comb_meter_done(&meter);
    return status;
}

/* ---- a local file ---- */

struct local {
    const char *name;
    int fd;
    struct stat before;
};

static enum grpcc_status local_failed(const struct local *local, struct grpcc_error *err)
{
    int error = errno;
    enum grpcc_status status = error == ENOENT                     ? GRPCC_NOT_FOUND
                               : error == EACCES || error == EPERM ? GRPCC_PERMISSION_DENIED
                                                                   : GRPCC_FAILED_PRECONDITION;
    return grpcc_error_set(err, status, "%s: %s", local->name, strerror(error));
}

static int64_t local_read(void *data, void *buffer, size_t capacity, struct grpcc_error *err)
{
    const struct local *local = data;
    size_t filled = 0;
    while (filled < capacity) {
        ssize_t n = read(local->fd, (char *)buffer + filled, capacity - filled);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            local_failed(local, err);
            return -1;
        }
        if (n == 0)
            break;
        filled += (size_t)n;
    }
    return (int64_t)filled;
}

static enum grpcc_status local_check(void *data, struct grpcc_error *err)
{
    const struct local *local = data;
    struct stat now;
    if (fstat(local->fd, &now) != 0)
        return local_failed(local, err);
    if (now.st_size != local->before.st_size ||
        now.st_mtim.tv_sec != local->before.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != local->before.st_mtim.tv_nsec)
        return grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                               "%s changed while it was read: nothing was sent; try again when "
                               "nobody writes to it",
                               local->name);
    return GRPCC_OK;
}

static enum grpcc_status local_open(const char *name, struct local *ret_local,
                                    struct grpcc_error *err)
{
    /* Not to hang on a pipe that nobody writes to. */
    struct local local = {.name = name, .fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (local.fd < 0)
        return local_failed(&local, err);
    enum grpcc_status status = GRPCC_OK;
    if (fstat(local.fd, &local.before) != 0)
        status = local_failed(&local, err);
    else if (!S_ISREG(local.before.st_mode))
        status = grpcc_error_set(err, GRPCC_INVALID_ARGUMENT, "%s is no regular file", name);
    if (status)
        close(local.fd);
    else
        *ret_local = local;
    return status;
}

static enum grpcc_status send_small(struct comb_client *client, struct grpcc_arena *arena,
                                    struct comb_v1_upload_target *target, struct local *local,
                                    struct comb_meter *meter, const char *path,
                                    struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    /* One byte more than there should be: a file that grew is noticed. */
    size_t size = (size_t)local->before.st_size;
    char *content = malloc(size + 1);
    enum grpcc_status status = GRPCC_OK;
    if (!content)
        return comb_error_memory(err);
    int64_t n = local_read(local, content, size + 1, err);
    if (n < 0)
        status = err ? err->status : GRPCC_FAILED_PRECONDITION;
    else
        status = local_check(local, err);
    if (!status && (uint64_t)n != size)
        status = grpcc_error_set(err, GRPCC_FAILED_PRECONDITION,
                                 "%s gives %lld bytes and says that it has %lld", local->name,
                                 (long long)n, (long long)size);
    if (!status)
        status = comb_put_small(client, arena, target, content, size, ret_node, err);
    if (!status && !comb_meter_add(meter, path, size, 0))
        status = comb_meter_cancelled(err);
    free(content);
    return status;
}

enum grpcc_status comb_put_local(struct comb_client *client, struct grpcc_arena *arena,
                                 const char *name, struct comb_v1_upload_target *target,
                                 struct comb_meter *meter, const char *path,
                                 struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    struct local local;
    struct grpcc_error own = GRPCC_ERROR_INIT;
    enum grpcc_status status = local_open(name, &local, &own);
    if (status)
        goto out;
    target->metadata = comb_posix_metadata(arena, &local.before);
    target->n_metadata = COMB_POSIX_METADATA;
    if (!target->metadata) {
        status = comb_error_memory(&own);
    } else if (local.before.st_size <= COMB_CHUNK_BYTES) {
        status = send_small(client, arena, target, &local, meter, path, ret_node, &own);
    } else {
        struct comb_source source = {.read = local_read,
                                     .check = local_check,
                                     .data = &local,
                                     .has_size = true,
                                     .size = (uint64_t)local.before.st_size,
                                     .any_thread = true};
        status = comb_upload(client, arena, target, &source, meter, path, ret_node, &own);
    }
    close(local.fd);
out:
    if (status && err)
        *err = own;
    return status;
}

enum grpcc_status comb_put_file(struct comb_client *client, struct grpcc_arena *arena,
                                const char *local, const char *path,
                                const struct comb_put_options *given,
                                struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    struct comb_put_options options = complete(given);
    struct comb_meter meter;
    struct stat info;
    struct comb_v1_upload_target *target = NULL;
    enum grpcc_status status = comb_client_check(client, err);
    if (!status)
        status = comb_target_make(arena, path, &options, &target, err);
    if (status)
        return status;
    comb_meter_init(&meter, options.progress, options.progress_data);
    comb_meter_expect(&meter, stat(local, &info) == 0 ? (uint64_t)info.st_size : 0, 1);
    status = comb_put_local(client, arena, local, target, &meter, path, ret_node, err);
    if (!status) {
        (void)comb_meter_add(&meter, path, 0, 1);
        comb_meter_finish(&meter);
    }
    comb_meter_done(&meter);
    return status;
}
