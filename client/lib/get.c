/* SPDX-License-Identifier: Apache-2.0 */
/* Reading one file: to a function, to disk. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/transfer.h"

/* ---- to a function ---- */

struct download {
    struct comb_client *client;
    struct grpcc_arena *arena; /* the program's */
    const struct comb_v1_node_ref *ref;
    uint64_t at;
    uint64_t left; /* UINT64_MAX: to the end */
    bool (*write)(void *data, const void *bytes, size_t n);
    void *write_data;
    struct comb_v1_node *node; /* NULL until the first header */
    struct comb_again again;
};

static struct comb_v1_data_download_request *request_of(const struct download *download,
                                                        struct grpcc_arena *arena)
{
    struct comb_v1_data_download_request *request = comb_v1_data_download_request_new(arena);
    if (!request)
        return NULL;
    request->node = (struct comb_v1_node_ref *)(uintptr_t)download->ref;
    request->offset = download->at;
    if (download->left != UINT64_MAX)
        comb_v1_data_download_request_set_length(request, download->left);
    if (download->node)
        comb_v1_data_download_request_set_if_match(request, download->node->etag);
    return request;
}

static enum grpcc_status take_header(struct download *download,
                                     const struct comb_v1_download_header *header,
                                     struct grpcc_error *err)
{
    if (!header->node || header->offset != download->at)
        return grpcc_error_set(err, GRPCC_INTERNAL, "the server answered something else");
    if (!download->node)
        download->node = comb_v1_node_dup(download->arena, header->node);
    if (!download->node)
        return comb_error_memory(err);
    download->left = header->length;
    return GRPCC_OK;
}

static enum grpcc_status take_chunk(struct download *download, const ProtobufCBinaryData *chunk,
                                    struct grpcc_error *err)
{
    if (!download->node || chunk->len > download->left)
        return grpcc_error_set(err, GRPCC_INTERNAL, "the server sent more than it said");
    if (!download->write(download->write_data, chunk->data, chunk->len))
        return comb_meter_cancelled(err);
    download->at += chunk->len;
    download->left -= chunk->len;
    comb_again_progress(&download->again);
    return GRPCC_OK;
}

/* One stream to its end. A failure that is ours ends the download: *ret_ours. */
static enum grpcc_status run_stream(struct download *download, struct grpcc_arena *arena,
                                    bool *ret_ours, struct grpcc_error *err)
{
    struct comb_v1_data_download_request *request = request_of(download, arena);
    enum grpcc_status status = GRPCC_OK;
    int result = 1;
    if (!request)
        return comb_error_memory(err);
    struct comb_v1_data_download_stream *stream =
        comb_v1_data_download_stream_open(download->client->channel, NULL, request, err);
    if (!stream)
        return err->status;
    while (!status) {
        struct comb_v1_data_download_response *message = NULL;
        grpcc_arena_reset(arena);
        result = comb_v1_data_download_stream_read(stream, arena, &message, err);
        if (result <= 0)
            break;
        if (message->part_case == COMB_V1_DATA_DOWNLOAD_RESPONSE_PART_HEADER)
            status = take_header(download, message->header, err);
        else if (message->part_case == COMB_V1_DATA_DOWNLOAD_RESPONSE_PART_CHUNK)
            status = take_chunk(download, &message->chunk, err);
    }
    if (result < 0)
        status = err->status;
    *ret_ours = status != GRPCC_OK;
    if (!status)
        status = comb_v1_data_download_stream_finish(stream, arena, err);
    comb_v1_data_download_stream_free(stream);
    return status;
}

enum grpcc_status comb_get_ref(struct comb_client *client, struct grpcc_arena *arena,
                               const struct comb_v1_node_ref *ref, uint64_t offset, uint64_t length,
                               bool (*write)(void *data, const void *bytes, size_t n),
                               void *write_data, struct comb_v1_node **ret_node,
                               struct grpcc_error *err)
{
    struct grpcc_error own = GRPCC_ERROR_INIT;
    struct download download = {.client = client,
                                .arena = arena,
                                .ref = ref,
                                .at = offset,
                                .left = length,
                                .write = write,
                                .write_data = write_data};
    struct grpcc_arena *scratch = grpcc_arena_new(COMB_ONE_CALL_ARENA_MAX);
    enum grpcc_status status = GRPCC_OK;
    if (!scratch)
        return comb_error_memory(err);
    comb_again_init(&download.again, client);
    for (;;) {
        bool ours = false;
        grpcc_arena_reset(scratch);
        status = run_stream(&download, scratch, &ours, &own);
        if (!status && (!download.node || download.left != 0))
            status = grpcc_error_set(&own, GRPCC_INTERNAL, "the server sent less than it said");
        /* All bytes came, only the end was lost: nothing is left to ask for. */
        if (status && !ours && download.node && download.left == 0 && status == GRPCC_UNAVAILABLE)
            status = GRPCC_OK;
        if (!status || ours || !comb_again_wait(&download.again, status, &own))
            break;
    }
    if (!status && ret_node)
        *ret_node = download.node;
    if (status && err) {
        *err = own;
        err->details = own.details ? grpcc_message_dup(arena, (const void *)own.details) : NULL;
    }
    grpcc_arena_free(scratch);
    return status;
}

enum grpcc_status comb_get_stream(struct comb_client *client, struct grpcc_arena *arena,
                                  const char *path, uint64_t offset, uint64_t length,
                                  bool (*write)(void *data, const void *bytes, size_t n),
                                  void *write_data, struct comb_v1_node **ret_node,
                                  struct grpcc_error *err)
{
    enum grpcc_status status = comb_client_check(client, err);
    if (status)
        return status;
    struct comb_v1_node_ref *ref = comb_ref_by_path(arena, path);
    if (!ref)
        return comb_error_memory(err);
    return comb_get_ref(client, arena, ref, offset, length, write, write_data, ret_node, err);
}

/* ---- to disk ---- */

enum { TEMPORARY_NAME_SIZE = 64 };

struct sink {
    int fd;
    int error; /* errno of a write that failed */
    EVP_MD_CTX *digest;
    struct comb_meter *meter;
    const char *path;
    bool cancelled;
};

static bool sink_write(void *data, const void *bytes, size_t n)
{
    struct sink *sink = data;
    for (size_t written = 0; written < n;) {
        ssize_t some = write(sink->fd, (const char *)bytes + written, n - written);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0) {
            sink->error = errno;
            return false;
        }
        written += (size_t)some;
    }
    sink->cancelled = !comb_meter_add(sink->meter, sink->path, n, 0);
    return EVP_DigestUpdate(sink->digest, bytes, n) && !sink->cancelled;
}

static enum grpcc_status check_digest(struct sink *sink, const struct comb_v1_node *node,
                                      struct grpcc_error *err)
{
    unsigned char sha256[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!EVP_DigestFinal_ex(sink->digest, sha256, &size))
        return comb_error_memory(err);
    if (node->sha256.len != size || memcmp(node->sha256.data, sha256, size) != 0)
        return grpcc_error_set(err, GRPCC_DATA_LOSS,
                               "%s: what came has another SHA-256 than the server says",
                               sink->path);
    return GRPCC_OK;
}

static enum grpcc_status disk_failed(const char *name, int error, struct grpcc_error *err)
{
    return grpcc_error_set(err,
                           error == ENOSPC || error == EDQUOT ? GRPCC_RESOURCE_EXHAUSTED
                                                              : GRPCC_FAILED_PRECONDITION,
                           "%s: %s", name, strerror(error));
}

static enum grpcc_status fill(struct comb_client *client, struct grpcc_arena *arena,
                              const struct comb_v1_node_ref *ref, struct sink *sink,
                              const char *name, struct comb_v1_node **ret_node,
                              struct grpcc_error *err)
{
    sink->digest = EVP_MD_CTX_new();
    if (!sink->digest || !EVP_DigestInit_ex(sink->digest, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(sink->digest);
        return comb_error_memory(err);
    }
    enum grpcc_status status =
        comb_get_ref(client, arena, ref, 0, UINT64_MAX, sink_write, sink, ret_node, err);
    if (sink->error)
        status = disk_failed(name, sink->error, err);
    if (!status)
        status = check_digest(sink, *ret_node, err);
    EVP_MD_CTX_free(sink->digest);
    return status;
}

enum grpcc_status comb_get_local(struct comb_client *client, struct grpcc_arena *arena,
                                 const struct comb_v1_node_ref *ref, int folder_fd,
                                 const char *name, const struct comb_v1_node *posix,
                                 struct comb_meter *meter, const char *path,
                                 struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    char temporary[TEMPORARY_NAME_SIZE], id[COMB_ID_LENGTH + 1];
    struct comb_v1_node *node = NULL;
    comb_id_new(id);
    snprintf(temporary, sizeof(temporary), ".comb-%s", id);
    struct sink sink = {.meter = meter, .path = path};
    sink.fd = openat(folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                     S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH);
    if (sink.fd < 0)
        return disk_failed(name, errno, err);
    enum grpcc_status status = fill(client, arena, ref, &sink, name, &node, err);
    if (!status)
        comb_posix_apply(sink.fd, posix ? posix : node);
    if (close(sink.fd) != 0 && !status)
        status = disk_failed(name, errno, err);
    if (!status && renameat(folder_fd, temporary, folder_fd, name) != 0)
        status = disk_failed(name, errno, err);
    if (status)
        unlinkat(folder_fd, temporary, 0);
    else if (ret_node)
        *ret_node = node;
    return status;
}

/* The folder that holds local, and the name in it. */
static int open_folder(struct grpcc_arena *arena, const char *local, const char **ret_name)
{
    const char *slash = strrchr(local, '/');
    *ret_name = slash ? slash + 1 : local;
    const char *folder =
        slash ? grpcc_arena_strndup(arena, local, (size_t)(slash - local + 1)) : ".";
    return folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

enum grpcc_status comb_get_file(struct comb_client *client, struct grpcc_arena *arena,
                                const char *path, const char *local,
                                comb_progress_function progress, void *progress_data,
                                struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    const char *name = NULL;
    struct comb_meter meter;
    struct grpcc_error own = GRPCC_ERROR_INIT;
    enum grpcc_status status = comb_client_check(client, err);
    if (status)
        return status;
    struct comb_v1_node *node = NULL;
    struct comb_v1_node_ref *ref = comb_ref_by_path(arena, path);
    int folder = open_folder(arena, local, &name);
    if (folder < 0)
        return disk_failed(local, errno, err);
    comb_meter_init(&meter, progress, progress_data);
    if (ref)
        status = comb_get_local(client, arena, ref, folder, name, NULL, &meter, path, &node, &own);
    else
        status = comb_error_memory(&own);
    if (!status) {
        (void)comb_meter_add(&meter, path, 0, 1);
        comb_meter_finish(&meter);
        if (ret_node)
            *ret_node = node;
    } else if (err) {
        *err = own;
    }
    comb_meter_done(&meter);
    close(folder);
    return status;
}
