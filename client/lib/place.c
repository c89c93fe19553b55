/* SPDX-License-Identifier: Apache-2.0 */
/* Paths, references, and what POSIX says of a file. */
#include <fcntl.h>
#include <google/protobuf/timestamp.grpcc.h>
#include <string.h>

#include "client/lib/transfer.h"

static const char POSIX[] = "posix", MODE[] = "mode", MTIME[] = "mtime";
/* Permissions, set-id and sticky bits: what chmod() takes. */
enum { MODE_BITS = 07777 };

struct comb_v1_node_ref *comb_ref_by_path(struct grpcc_arena *arena, const char *path)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(arena);
    if (ref)
        comb_v1_node_ref_set_path(ref, path);
    return ref;
}

static struct comb_v1_write_condition *condition_of(struct grpcc_arena *arena,
                                                    const struct comb_put_options *options)
{
    struct comb_v1_write_condition *condition = comb_v1_write_condition_new(arena);
    if (!condition)
        return NULL;
    if (options->expected_etag)
        comb_v1_write_condition_set_etag(condition, options->expected_etag);
    else
        comb_v1_write_condition_set_absent(condition, true);
    return condition;
}

enum grpcc_status comb_target_make(struct grpcc_arena *arena, const char *path,
                                   const struct comb_put_options *options,
                                   struct comb_v1_upload_target **ret_target,
                                   struct grpcc_error *err)
{
    const char *slash = strrchr(path, '/');
    if (path[0] != '/' || slash == path || !slash[1])
        return grpcc_error_set(err, GRPCC_INVALID_ARGUMENT,
                               "\"%.256s\": a file's path has a workspace and a name, as in "
                               "\"/personal/a.txt\"",
                               path);
    struct comb_v1_upload_target *target = comb_v1_upload_target_new(arena);
    char *parent = grpcc_arena_strndup(arena, path, (size_t)(slash - path));
    const char *name = grpcc_arena_strdup(arena, slash + 1);
    if (!target || !parent || !name)
        return comb_error_memory(err);
    target->parent = comb_ref_by_path(arena, parent);
    comb_v1_upload_target_set_name(target, name);
    if (!target->parent)
        return comb_error_memory(err);
    if (options) {
        target->create_parents = options->create_parents;
        target->lock_token = options->lock_token;
        comb_v1_upload_target_set_media_type(target, options->media_type);
        if (options->expected_etag || options->absent) {
            target->condition = condition_of(arena, options);
            if (!target->condition)
                return comb_error_memory(err);
        }
    }
    *ret_target = target;
    return GRPCC_OK;
}

/* The bytes of the character at text, 0: not UTF-8. Surrogates, overlong forms and what lies beyond
 * U+10FFFF are none (RFC 3629). */
static size_t character_length(const unsigned char *text)
{
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = text[0] < 0x80   ? 1
               : text[0] < 0xc0 ? 0
               : text[0] < 0xe0 ? 2
               : text[0] < 0xf0 ? 3
                                : 4;
    if (n < 2 || text[0] > 0xf4)
        return n < 2 ? n : 0;
    uint32_t code = text[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    return code < LEAST[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

bool comb_name_is_good(const char *name)
{
    const unsigned char *at = (const unsigned char *)name;
    while (*at) {
        size_t n = character_length(at);
        if (n == 0)
            return false;
        at += n;
    }
    return at != (const unsigned char *)name;
}

/* ---- posix ---- */

static struct comb_v1_metadata *metadata_new(struct grpcc_arena *arena, const char *name)
{
    struct comb_v1_metadata *metadata = comb_v1_metadata_new(arena);
    if (!metadata)
        return NULL;
    comb_v1_metadata_set_namespace(metadata, POSIX);
    comb_v1_metadata_set_name(metadata, name);
    metadata->value = comb_v1_metadata_value_new(arena);
    return metadata->value ? metadata : NULL;
}

struct comb_v1_metadata **comb_posix_metadata(struct grpcc_arena *arena, const struct stat *info)
{
    struct comb_v1_metadata **items =
        grpcc_arena_calloc(arena, COMB_POSIX_METADATA, sizeof(*items));
    struct google_protobuf_timestamp *time = google_protobuf_timestamp_new(arena);
    if (!items || !time)
        return NULL;
    items[0] = metadata_new(arena, MODE);
    items[1] = metadata_new(arena, MTIME);
    if (!items[0] || !items[1])
        return NULL;
    time->seconds = info->st_mtim.tv_sec;
    time->nanos = (int32_t)info->st_mtim.tv_nsec;
    comb_v1_metadata_value_set_integer(items[0]->value, info->st_mode & MODE_BITS);
    comb_v1_metadata_value_set_time(items[1]->value, time);
    return items;
}

static const struct comb_v1_metadata_value *find(const struct comb_v1_node *node, const char *name)
{
    for (size_t i = 0; i < node->n_metadata; i++)
        if (strcmp(node->metadata[i]->namespace_, POSIX) == 0 &&
            strcmp(node->metadata[i]->name, name) == 0)
            return node->metadata[i]->value;
    return NULL;
}

bool comb_posix_mode(const struct comb_v1_node *node, mode_t *ret_mode)
{
    const struct comb_v1_metadata_value *value = find(node, MODE);
    if (!value || value->value_case != COMB_V1_METADATA_VALUE_VALUE_INTEGER)
        return false;
    *ret_mode = (mode_t)value->integer & MODE_BITS;
    return true;
}

bool comb_posix_mtime(const struct comb_v1_node *node, struct timespec *ret_time)
{
    const struct comb_v1_metadata_value *value = find(node, MTIME);
    if (!value || value->value_case != COMB_V1_METADATA_VALUE_VALUE_TIME || !value->time)
        return false;
    ret_time->tv_sec = value->time->seconds;
    ret_time->tv_nsec = value->time->nanos;
    return true;
}

void comb_posix_apply(int fd, const struct comb_v1_node *node)
{
    mode_t mode;
    struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};
    if (comb_posix_mode(node, &mode))
        (void)!fchmod(fd, mode & (S_IRWXU | S_IRWXG | S_IRWXO));
    if (comb_posix_mtime(node, &times[1]))
        (void)!futimens(fd, times);
}
