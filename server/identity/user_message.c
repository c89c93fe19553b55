/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identity/user_message.h"

#include "server/core/timestamp.h"
#include "server/identity/etag.h"

static char *etag_of(struct grpcc_arena *arena, uint64_t revision)
{
    char etag[COMB_IDENTITY_ETAG_SIZE];
    comb_identity_etag(revision, etag);
    return grpcc_arena_strdup(arena, etag);
}

/* Leaves the root, which is above all, unnamed. */
static bool set_above(struct grpcc_arena *arena, const struct comb_uuid *group, char **ret_text)
{
    if (comb_uuid_equal(group, &comb_role_everybody))
        return true;
    *ret_text = comb_uuid_text(arena, group);
    return *ret_text != NULL;
}

static bool add_roles(struct grpcc_arena *arena, const struct comb_user *user,
                      struct comb_v1_user *message)
{
    for (size_t i = 0; i < user->n_roles; i++) {
        char *id = comb_uuid_text(arena, &user->roles[i]);
        if (!id || !comb_v1_user_add_role_ids(arena, message, id))
            return false;
        if (comb_uuid_equal(&user->roles[i], &comb_role_administrators))
            message->administrator = true;
    }
    return true;
}

enum comb_status comb_identity_user_message(struct grpcc_arena *arena, const struct comb_user *user,
                                            bool all, struct comb_v1_user **ret_message,
                                            struct comb_error *err)
{
    struct comb_v1_user *message = comb_v1_user_new(arena);
    if (!message)
        return comb_error_no_memory(err);
    message->id = comb_uuid_text(arena, &user->id);
    message->login = comb_str_dup(arena, user->login);
    message->display_name = comb_str_dup(arena, user->display_name);
    if (!message->id || !message->login || !message->display_name)
        return comb_error_no_memory(err);
    if (all) {
        message->email = comb_str_dup(arena, user->email);
        message->disabled = user->disabled;
        message->create_time = comb_timestamp_new(arena, user->create_us);
        message->etag = etag_of(arena, user->revision);
        message->personal_workspace_id = comb_uuid_text(arena, &user->personal);
        if (!message->email || !message->create_time || !message->etag ||
            !message->personal_workspace_id ||
            !set_above(arena, &user->group, &message->group_id) || !add_roles(arena, user, message))
            return comb_error_no_memory(err);
    }
    *ret_message = message;
    return COMB_OK;
}

enum comb_status comb_identity_role_message(struct grpcc_arena *arena, const struct comb_role *role,
                                            struct comb_v1_role **ret_message,
                                            struct comb_error *err)
{
    struct comb_v1_role *message = comb_v1_role_new(arena);
    if (!message)
        return comb_error_no_memory(err);
    message->id = comb_uuid_text(arena, &role->id);
    message->name = comb_str_dup(arena, role->name);
    message->label = comb_str_dup(arena, role->label);
    message->override = role->override;
    message->built_in = role->built_in;
    message->create_time = comb_timestamp_new(arena, role->create_us);
    message->etag = etag_of(arena, role->revision);
    if (!message->id || !message->name || !message->label || !message->create_time ||
        !message->etag)
        return comb_error_no_memory(err);
    *ret_message = message;
    return COMB_OK;
}

enum comb_status comb_identity_group_message(struct grpcc_arena *arena,
                                             const struct comb_group *group,
                                             struct comb_v1_group **ret_message,
                                             struct comb_error *err)
{
    struct comb_v1_group *message = comb_v1_group_new(arena);
    if (!message)
        return comb_error_no_memory(err);
    message->id = comb_uuid_text(arena, &group->id);
    message->name = comb_str_dup(arena, group->name);
    message->label = comb_str_dup(arena, group->label);
    message->path = comb_str_dup(arena, group->path);
    message->create_time = comb_timestamp_new(arena, group->create_us);
    message->etag = etag_of(arena, group->revision);
    if (!message->id || !message->name || !message->label || !message->path ||
        !message->create_time || !message->etag ||
        !set_above(arena, &group->parent, &message->parent_id))
        return comb_error_no_memory(err);
    *ret_message = message;
    return COMB_OK;
}
