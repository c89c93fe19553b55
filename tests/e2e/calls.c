/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/calls.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comb/v1/permissions.grpcc.h"

#define CHANGES_PAGE 1000

unsigned calls_count(unsigned short_count, unsigned long_count)
{
    const char *value = getenv("COMB_LONG");
    return value && strcmp(value, "1") == 0 ? long_count : short_count;
}

int64_t calls_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void calls_sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

unsigned calls_draw(uint64_t *state, unsigned below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned)((*state >> 33) % below);
}

void calls_content(uint64_t seed, unsigned char *bytes, size_t n)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)calls_draw(&state, 256);
}

void calls_sha256(const void *bytes, size_t n, unsigned char ret_sha256[CALLS_SHA256_BYTES])
{
    SHA256(bytes, n, ret_sha256);
}

struct comb_v1_node_ref *calls_ref(struct grpcc_arena *arena, const char *path)
{
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(arena);
    if (path[0] == '/')
        comb_v1_node_ref_set_path(ref, path);
    else
        comb_v1_node_ref_set_id(ref, path);
    return ref;
}

enum grpcc_status calls_mkdir(struct comb_client *client, struct grpcc_arena *arena,
                              const char *parent, const char *name, bool exist_ok,
                              struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    struct comb_v1_tree_create_folder_request *request =
        comb_v1_tree_create_folder_request_new(arena);
    struct comb_v1_tree_create_folder_response *response = NULL;
    request->parent = calls_ref(arena, parent);
    request->exist_ok = exist_ok;
    comb_v1_tree_create_folder_request_set_name(request, name);
    enum grpcc_status status = comb_v1_tree_create_folder(comb_client_channel(client), arena, NULL,
                                                          request, &response, err);
    if (status == GRPCC_OK && ret_node)
        *ret_node = response->node;
    return status;
}

static enum grpcc_status stat_with(struct comb_client *client, struct grpcc_arena *arena,
                                   const struct grpcc_call_options *options, const char *path,
                                   struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    struct comb_v1_tree_stat_request *request = comb_v1_tree_stat_request_new(arena);
    struct comb_v1_tree_stat_response *response = NULL;
    request->node = calls_ref(arena, path);
    enum grpcc_status status =
        comb_v1_tree_stat(comb_client_channel(client), arena, options, request, &response, err);
    if (status == GRPCC_OK && ret_node)
        *ret_node = response->node;
    return status;
}

enum grpcc_status calls_stat(struct comb_client *client, struct grpcc_arena *arena,
                             const char *path, struct comb_v1_node **ret_node,
                             struct grpcc_error *err)
{
    return stat_with(client, arena, NULL, path, ret_node, err);
}

enum grpcc_status calls_stat_strong(struct comb_client *client, struct grpcc_arena *arena,
                                    const char *path, struct comb_v1_node **ret_node,
                                    struct grpcc_error *err)
{
    static const struct grpcc_metadata header = {"comb-consistency", "strong", 6};
    const struct grpcc_call_options options = {
        .size = sizeof options, .metadata = &header, .n_metadata = 1};
    return stat_with(client, arena, &options, path, ret_node, err);
}

enum grpcc_status calls_move(struct comb_client *client, struct grpcc_arena *arena,
                             const char *path, const char *parent, const char *name,
                             struct comb_v1_node **ret_node, struct grpcc_error *err)
{
    struct comb_v1_tree_move_request *request = comb_v1_tree_move_request_new(arena);
    struct comb_v1_tree_move_response *response = NULL;
    request->node = calls_ref(arena, path);
    if (parent)
        request->target_parent = calls_ref(arena, parent);
    comb_v1_tree_move_request_set_target_name(request, name);
    enum grpcc_status status =
        comb_v1_tree_move(comb_client_channel(client), arena, NULL, request, &response, err);
    if (status == GRPCC_OK && ret_node)
        *ret_node = response->node;
    return status;
}

enum grpcc_status calls_remove(struct comb_client *client, struct grpcc_arena *arena,
                               const char *path, struct grpcc_error *err)
{
    struct comb_v1_tree_delete_request *request = comb_v1_tree_delete_request_new(arena);
    struct comb_v1_tree_delete_response *response = NULL;
    request->node = calls_ref(arena, path);
    request->permanently = true;
    return comb_v1_tree_delete(comb_client_channel(client), arena, NULL, request, &response, err);
}

static struct comb_v1_subject *user(struct grpcc_arena *arena, const char *login)
{
    struct comb_v1_subject *subject = comb_v1_subject_new(arena);
    comb_v1_subject_set_user(subject, login);
    return subject;
}

enum grpcc_status calls_let_read(struct comb_client *client, struct grpcc_arena *arena,
                                 const char *path, const char *login, bool allowed,
                                 struct grpcc_error *err)
{
    struct grpcc_channel *channel = comb_client_channel(client);
    if (allowed) {
        struct comb_v1_permissions_grant_request *request =
            comb_v1_permissions_grant_request_new(arena);
        struct comb_v1_permissions_grant_response *response = NULL;
        request->node = calls_ref(arena, path);
        request->subject = user(arena, login);
        request->rights = COMB_V1_RIGHTS_READ;
        return comb_v1_permissions_grant(channel, arena, NULL, request, &response, err);
    }
    struct comb_v1_permissions_revoke_request *request =
        comb_v1_permissions_revoke_request_new(arena);
    struct comb_v1_permissions_revoke_response *response = NULL;
    request->node = calls_ref(arena, path);
    request->subject = user(arena, login);
    return comb_v1_permissions_revoke(channel, arena, NULL, request, &response, err);
}

static enum grpcc_status get_changes(struct comb_client *client, struct grpcc_arena *arena,
                                     const char *folder, const char *cursor,
                                     struct comb_v1_tree_changes_response **ret_response,
                                     struct grpcc_error *err)
{
    struct comb_v1_tree_changes_request *request = comb_v1_tree_changes_request_new(arena);
    request->folder = calls_ref(arena, folder);
    request->page_size = CHANGES_PAGE;
    comb_v1_tree_changes_request_set_cursor(request, cursor);
    return comb_v1_tree_changes(comb_client_channel(client), arena, NULL, request, ret_response,
                                err);
}

enum grpcc_status calls_cursor(struct comb_client *client, struct grpcc_arena *arena,
                               const char *folder, const char **ret_cursor, struct grpcc_error *err)
{
    struct comb_v1_tree_changes_response *response = NULL;
    enum grpcc_status status = get_changes(client, arena, folder, "", &response, err);
    if (status == GRPCC_OK)
        *ret_cursor = response->next_cursor;
    return status;
}

enum grpcc_status calls_changes(struct comb_client *client, const char *folder, const char *cursor,
                                void (*each)(void *data, const struct comb_v1_change *change),
                                void *data, struct grpcc_error *err)
{
    enum grpcc_status status = GRPCC_OK;
    bool more = true;
    char at[1024];
    snprintf(at, sizeof at, "%s", cursor);
    while (more && status == GRPCC_OK) {
        struct grpcc_arena *arena = grpcc_arena_new(0);
        struct comb_v1_tree_changes_response *response = NULL;
        status = get_changes(client, arena, folder, at, &response, err);
        more = status == GRPCC_OK && response->more;
        for (size_t i = 0; status == GRPCC_OK && i < response->n_changes; i++)
            each(data, response->changes[i]);
        if (status == GRPCC_OK)
            snprintf(at, sizeof at, "%s", response->next_cursor);
        grpcc_arena_free(arena);
    }
    return status;
}
