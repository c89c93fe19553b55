/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/permissions_rpc.h"

#include <string.h>

#include "comb/v1/permissions.grpcc.h"
#include "server/core/timestamp.h"

/* ----------------------------------------------------------------------------- from the request */

static enum comb_status read_subject(const struct comb_v1_subject *message,
                                     struct comb_permissions_subject *ret_subject,
                                     struct comb_error *err)
{
    struct comb_permissions_subject subject = {0};
    if (message != NULL && message->subject_case == COMB_V1_SUBJECT_SUBJECT_USER) {
        subject.name = comb_str_from(message->user);
    } else if (message != NULL && message->subject_case == COMB_V1_SUBJECT_SUBJECT_ROLE) {
        subject.name = comb_str_from(message->role);
        subject.is_role = true;
    } else if (message != NULL && message->subject_case == COMB_V1_SUBJECT_SUBJECT_GROUP) {
        subject.name = comb_str_from(message->group);
        subject.is_group = true;
    }
    if (comb_str_is_empty(subject.name)) {
        return comb_error_field(err, "subject",
                                "missing: name a user (id or login), a role (id or name) or a "
                                "group (id or path)");
    }
    *ret_subject = subject;
    return COMB_OK;
}

static enum comb_status read_expiry(const struct google_protobuf_timestamp *message,
                                    int64_t *ret_expire_us, struct comb_error *err)
{
    if (!comb_timestamp_read(message, ret_expire_us) || (message != NULL && *ret_expire_us == 0)) {
        return comb_error_field(err, "expire_time", "not a time that lies ahead");
    }
    return COMB_OK;
}

static enum comb_status check_rights(int rights, int max, struct comb_error *err)
{
    if (rights < COMB_V1_RIGHTS_READ || rights > max) {
        return comb_error_field(err, "rights", "must be READ, WRITE%s%s",
                                max == COMB_V1_RIGHTS_DENY ? ", READ_WRITE" : " or READ_WRITE",
                                max == COMB_V1_RIGHTS_DENY ? " or DENY" : "");
    }
    return COMB_OK;
}

/* ----------------------------------------------------------------------------- to the response */

/* NULL: no room. */
static struct comb_v1_permission_entry *entry_message(struct grpcc_arena *arena,
                                                      const struct comb_permission *permission)
{
    const struct comb_entry *entry = &permission->entry;
    struct comb_v1_permission_entry *message = comb_v1_permission_entry_new(arena);
    struct comb_v1_subject *subject = comb_v1_subject_new(arena);
    char *node_id = comb_uuid_text(arena, &entry->node);
    char *role = comb_uuid_text(arena, &entry->role);
    char *granted_by = comb_uuid_text(arena, &entry->granted_by);
    struct google_protobuf_timestamp *create_time = comb_timestamp_new(arena, entry->create_us);
    struct google_protobuf_timestamp *expire_time = NULL;
    if (entry->expire_us != 0) {
        expire_time = comb_timestamp_new(arena, entry->expire_us);
    }
    if (message == NULL || subject == NULL || node_id == NULL || role == NULL ||
        granted_by == NULL || create_time == NULL ||
        (entry->expire_us != 0 && expire_time == NULL)) {
        return NULL;
    }
    if (permission->is_group) {
        comb_v1_subject_set_group(subject, role);
    } else if (permission->is_role) {
        comb_v1_subject_set_role(subject, role);
    } else {
        comb_v1_subject_set_user(subject, role);
    }
    message->node_id = node_id;
    message->subject = subject;
    message->rights = (enum comb_v1_rights)entry->rights;
    message->create_time = create_time;
    message->expire_time = expire_time;
    if (!comb_uuid_is_nil(&entry->granted_by)) { /* nil: the server itself */
        message->granted_by_id = granted_by;
    }
    return message;
}

/* ------------------------------------------------------------------------------ grant and revoke
 */

static enum comb_status grant_run(struct comb_permissions_rpc *rpc, struct grpcc_call *call,
                                  const struct comb_v1_permissions_grant_request *request,
                                  struct comb_permission *ret_permission, struct comb_error *err)
{
    struct comb_permissions_grant grant = {.node = request->node, .rights = (int)request->rights};
    struct comb_request_key key;
    enum comb_status status =
        comb_rpc_request_key(call, request->request_id, &request->base, &key, err);
    if (status == COMB_OK) {
        status = read_subject(request->subject, &grant.subject, err);
    }
    if (status == COMB_OK) {
        status = check_rights(grant.rights, COMB_V1_RIGHTS_DENY, err);
    }
    if (status == COMB_OK) {
        status = read_expiry(request->expire_time, &grant.expire_us, err);
    }
    if (status == COMB_OK) {
        status = comb_permissions_grant(rpc->permissions, comb_rpc_ctx(call), &key, &grant,
                                        ret_permission, err);
    }
    return status;
}

static void permissions_grant(void *self, struct grpcc_call *call,
                              const struct comb_v1_permissions_grant_request *request)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_permissions_grant_response *response =
        comb_v1_permissions_grant_response_new(arena);
    struct comb_permission permission;
    struct comb_error err = {0};
    enum comb_status status = grant_run(self, call, request, &permission, &err);
    if (status == COMB_OK) {
        struct comb_v1_permission_entry *entry = entry_message(arena, &permission);
        if (response == NULL || entry == NULL) {
            status = comb_error_no_memory(&err);
        } else {
            response->entry = entry;
        }
    }
    comb_rpc_finish(call, status, response == NULL ? NULL : &response->base, &err);
}

static void permissions_revoke(void *self, struct grpcc_call *call,
                               const struct comb_v1_permissions_revoke_request *request)
{
    struct comb_permissions_rpc *rpc = self;
    struct comb_v1_permissions_revoke_response *response =
        comb_v1_permissions_revoke_response_new(grpcc_call_arena(call));
    struct comb_permissions_subject subject;
    struct comb_request_key key;
    struct comb_error err = {0};
    enum comb_status status = response == NULL ? comb_error_no_memory(&err)
                                               : comb_rpc_request_key(call, request->request_id,
                                                                      &request->base, &key, &err);
    if (status == COMB_OK) {
        status = read_subject(request->subject, &subject, &err);
    }
    if (status == COMB_OK) {
        status = comb_permissions_revoke(rpc->permissions, comb_rpc_ctx(call), &key, request->node,
                                         &subject, &err);
    }
    comb_rpc_finish(call, status, response == NULL ? NULL : &response->base, &err);
}

/* ------------------------------------------------------------------------------------------ list
 */

/* What must stay the same from page to page: all but size and token. ptr NULL: no room. */
static comb_str pack_query(struct grpcc_arena *arena,
                           const struct comb_v1_permissions_list_request *request)
{
    struct comb_v1_permissions_list_request same = *request;
    same.page_size = 0;
    same.page_token = (char *)"";
    return comb_rpc_pack(arena, &same.base);
}

static enum comb_status list_fill(struct grpcc_arena *arena,
                                  const struct comb_permission *permissions, size_t n,
                                  struct comb_v1_permissions_list_response *response,
                                  struct comb_error *err)
{
    for (size_t i = 0; i < n; i++) {
        struct comb_v1_permission_entry *entry = entry_message(arena, &permissions[i]);
        if (entry == NULL ||
            !comb_v1_permissions_list_response_add_entries(arena, response, entry)) {
            return comb_error_no_memory(err);
        }
    }
    return COMB_OK;
}

static enum comb_status list_page(struct comb_permissions_rpc *rpc, struct comb_ctx *ctx,
                                  const struct comb_v1_permissions_list_request *request,
                                  comb_str query,
                                  struct comb_v1_permissions_list_response *response,
                                  struct comb_error *err)
{
    struct comb_uuid after = {{0}};
    comb_str state;
    size_t max, n;
    bool more;
    const struct comb_permission *permissions;
    enum comb_status status = comb_rpc_page_size(request->page_size, &max, err);
    if (status == COMB_OK) {
        status = comb_page_token_open(rpc->sealer, ctx, query, request->page_token, &state, err);
    }
    if (status == COMB_OK) {
        if (state.len == sizeof after.bytes) {
            memcpy(after.bytes, state.ptr, sizeof after.bytes);
        }
        status = comb_permissions_list(rpc->permissions, ctx, request->node, &after, max,
                                       &permissions, &n, &more, err);
    }
    if (status == COMB_OK) {
        status = list_fill(ctx->arena, permissions, n, response, err);
    }
    if (status == COMB_OK && more && n > 0) {
        status = comb_page_token_seal(rpc->sealer, ctx, query,
                                      comb_uuid_bytes(&permissions[n - 1].entry.role),
                                      &response->next_page_token, err);
    }
    return status;
}

static void permissions_list(void *self, struct grpcc_call *call,
                             const struct comb_v1_permissions_list_request *request)
{
    struct grpcc_arena *arena = grpcc_call_arena(call);
    struct comb_v1_permissions_list_response *response =
        comb_v1_permissions_list_response_new(arena);
    struct comb_error err = {0};
    const comb_str query = pack_query(arena, request);
    enum comb_status status =
        response == NULL || query.ptr == NULL
            ? comb_error_no_memory(&err)
            : list_page(self, comb_rpc_ctx(call), request, query, response, &err);
    comb_rpc_finish(call, status, response == NULL ? NULL : &response->base, &err);
}

/* ----------------------------------------------------------------------------------------- check
 */

struct check_call {
    struct comb_permissions_rpc *rpc;
    struct grpcc_call *call;
    struct comb_permissions_question question;
    struct comb_permissions_answer answer;
    comb_str user;
};

/* The entries of a step are the user's: his own has his id. */
static bool step_fill(struct grpcc_arena *arena, const struct comb_permissions_step *step,
                      const struct comb_permissions_answer *answer,
                      struct comb_v1_check_step *message)
{
    message->node_id = comb_uuid_text(arena, &step->node->id);
    message->name = comb_str_dup(arena, step->node->name);
    message->decided = step->decided;
    if (message->node_id == NULL || message->name == NULL) {
        return false;
    }
    for (size_t i = 0; i < step->n_entries; i++) {
        struct comb_permission permission = {
            .entry = step->entries[i],
            .is_role = !comb_uuid_equal(&step->entries[i].role, &answer->user),
        };
        for (size_t j = 0; j < answer->n_groups && !permission.is_group; j++) {
            permission.is_group = comb_uuid_equal(&step->entries[i].role, &answer->groups[j]);
        }
        struct comb_v1_permission_entry *entry = entry_message(arena, &permission);
        if (entry == NULL || !comb_v1_check_step_add_entries(arena, message, entry)) {
            return false;
        }
    }
    return true;
}

static bool check_fill(struct grpcc_arena *arena, const struct comb_permissions_answer *answer,
                       struct comb_v1_permissions_check_response *response)
{
    response->allowed = answer->allowed;
    response->effective = (enum comb_v1_rights)answer->rights;
    comb_v1_permissions_check_response_set_reason(response, answer->reason);
    for (size_t i = 0; i < answer->n_steps; i++) {
        struct comb_v1_check_step *step = comb_v1_check_step_new(arena);
        if (step == NULL || !step_fill(arena, &answer->steps[i], answer, step) ||
            !comb_v1_permissions_check_response_add_steps(arena, response, step)) {
            return false;
        }
    }
    return true;
}

static void check_done(void *data, enum comb_status status, const struct comb_error *err)
{
    struct check_call *check = data;
    struct grpcc_arena *arena = grpcc_call_arena(check->call);
    struct comb_v1_permissions_check_response *response = NULL;
    struct comb_error failed;
    if (status == COMB_OK) {
        response = comb_v1_permissions_check_response_new(arena);
        if (response == NULL || !check_fill(arena, &check->answer, response)) {
            status = comb_error_no_memory(&failed);
            err = &failed;
        }
    }
    comb_rpc_finish(check->call, status, response == NULL ? NULL : &response->base, err);
}

/* On a worker: another user is looked up by name, which blocks. */
static void check_other(void *self, struct grpcc_call *call, const void *request)
{
    struct check_call *check = self;
    struct comb_error err = {0};
    (void)request;
    enum comb_status status =
        comb_permissions_check_user(check->rpc->permissions, comb_rpc_ctx(call), &check->question,
                                    check->user, &check->answer, &err);
    check_done(check, status, &err);
}

static void permissions_check(void *self, struct grpcc_call *call,
                              const struct comb_v1_permissions_check_request *request)
{
    struct comb_permissions_rpc *rpc = self;
    struct check_call *check = grpcc_arena_zalloc(grpcc_call_arena(call), sizeof *check);
    struct comb_error err = {0};
    enum comb_status status =
        check == NULL ? comb_error_no_memory(&err)
                      : check_rights((int)request->rights, COMB_V1_RIGHTS_READ_WRITE, &err);
    if (status != COMB_OK) {
        comb_rpc_fail(call, &err);
        return;
    }
    check->rpc = rpc;
    check->call = call;
    check->user = comb_str_from(request->user);
    check->question = (struct comb_permissions_question){
        .node = request->node,
        .rights = (int)request->rights,
        .explain = request->explain,
    };
    if (comb_str_is_empty(check->user)) {
        comb_permissions_check_start(rpc->permissions, comb_rpc_ctx(call), &check->question,
                                     &check->answer, check_done, check);
    } else {
        grpcc_call_hand_over(call, check_other, check);
    }
}

/* ------------------------------------------------------------------------------------- the whole
 */

static const struct comb_v1_permissions_server TABLE = {
    .grant = permissions_grant,
    .revoke = permissions_revoke,
    .list = permissions_list,
    .check = permissions_check,
};

enum comb_status comb_permissions_rpc_register(struct grpcc_server *server,
                                               struct comb_permissions_rpc *rpc,
                                               struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (comb_v1_permissions_register(server, &TABLE, rpc, &failure) != GRPCC_OK) {
        return comb_error_set(err, COMB_INTERNAL, 0, "comb.v1.Permissions: %.200s",
                              failure.message);
    }
    return COMB_OK;
}
