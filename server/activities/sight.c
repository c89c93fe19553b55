/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller may see of a node: decided now, whatever was so when the item was made. */
#include "server/activities/internal.h"

/* Chains of one node, and items of one batch. */
#define SCRATCH_BYTES_MAX ((size_t)32 << 20)
/* Nodes that one call finds out about: of each item its own and two folders; of the last batch some
 * that are not needed any more. */
#define SIGHTS_MAX (3 * COMB_ACTIVITY_DIGEST_EXAMINED_MAX + COMB_ITEM_SCAN_MAX)

enum comb_status activities_eyes_init(struct activities_eyes *eyes,
                                      struct comb_activities *activities, struct comb_ctx *ctx,
                                      struct comb_error *err)
{
    *eyes = (struct activities_eyes){.activities = activities, .ctx = ctx, .scratch = *ctx};
    comb_map_init(&eyes->sights, SIGHTS_MAX, NULL);
    eyes->scratch.arena = grpcc_arena_new(SCRATCH_BYTES_MAX);
    return eyes->scratch.arena ? COMB_OK : comb_error_no_memory(err);
}

void activities_eyes_done(struct activities_eyes *eyes)
{
    comb_ctx_reach(eyes->ctx, eyes->scratch.reached);
    comb_map_done(&eyes->sights);
    grpcc_arena_free(eyes->scratch.arena);
}

/* A node in a bin: the place that it was deleted from decides. */
static enum comb_status see_recycled(struct activities_eyes *eyes, const struct comb_uuid *id,
                                     struct activities_sight *sight, struct comb_error *err)
{
    const struct comb_access_options options = {
        .need = COMB_V1_NEED_READ, .field = "node", .allow_recycled = true};
    struct comb_v1_node_ref *ref = comb_v1_node_ref_new(eyes->scratch.arena);
    struct comb_access_node node;
    struct comb_error refused;
    if (!ref)
        return comb_error_no_memory(err);
    comb_v1_node_ref_set_id(ref, comb_uuid_text(eyes->scratch.arena, id));
    enum comb_status status = comb_access_resolve(eyes->activities->parts.access, &eyes->scratch,
                                                  ref, &options, &node, &refused);
    if (status == COMB_NOT_FOUND || status == COMB_PERMISSION_DENIED)
        return COMB_OK;
    if (status != COMB_OK) {
        *err = refused;
        return status;
    }
    bool is_top = !comb_uuid_is_nil(&node.node->trash_parent);
    sight->reads = sight->is_recycled = true;
    sight->name = is_top ? node.node->trash_name : node.node->name;
    sight->parent = is_top ? node.node->trash_parent : node.node->parent;
    sight->path = "";
    return COMB_OK;
}

static enum comb_status look(struct activities_eyes *eyes, const struct comb_uuid *id, int rights,
                             const struct comb_fact_chain *chain, struct activities_sight *sight,
                             struct comb_error *err)
{
    sight->is_gone = !chain->found;
    if (!chain->found || (!chain->recycled && !(rights & COMB_V1_RIGHTS_READ)))
        return COMB_OK;
    if (chain->recycled)
        return see_recycled(eyes, id, sight, err);
    const struct comb_node *node = chain->links[0].node;
    sight->reads = true;
    /* A root has its workspace's slug for a name. */
    sight->name = chain->n_links > 1 ? node->name : chain->workspace.slug;
    if (chain->n_links > 1)
        sight->parent = node->parent;
    return comb_access_path(&eyes->scratch, chain, &sight->path, err);
}

/* Nodes that are looked at together. */
struct looking {
    struct activities_eyes *eyes;
    const struct comb_uuid *ids;
};

/* The sight of one of them, which is kept. */
static enum comb_status keep_sight(void *data, size_t i, int rights,
                                   const struct comb_fact_chain *chain, struct comb_error *err)
{
    const struct looking *looking = data;
    struct activities_eyes *eyes = looking->eyes;
    struct grpcc_arena *arena = eyes->ctx->arena;
    struct activities_sight *sight = grpcc_arena_zalloc(arena, sizeof *sight);
    if (!sight)
        return comb_error_no_memory(err);
    enum comb_status status = look(eyes, &looking->ids[i], rights, chain, sight, err);
    if (status != COMB_OK)
        return status;
    if (sight->reads) {
        sight->name = comb_str_from(comb_str_dup(arena, sight->name));
        sight->path = grpcc_arena_strdup(arena, sight->path);
    }
    if (grpcc_arena_failed(arena))
        return comb_error_no_memory(err);
    return comb_map_put(&eyes->sights, comb_uuid_bytes(&looking->ids[i]), sight, err);
}

enum comb_status activities_look(struct activities_eyes *eyes, const struct comb_uuid *nodes,
                                 size_t n, struct comb_error *err)
{
    struct comb_uuid *unseen = grpcc_arena_calloc(eyes->scratch.arena, n, sizeof *unseen);
    struct looking looking = {eyes, unseen};
    size_t n_unseen = 0;
    if (!unseen)
        return comb_error_no_memory(err);
    for (size_t i = 0; i < n; i++) {
        bool is_asked = comb_map_get(&eyes->sights, comb_uuid_bytes(&nodes[i])) != NULL;
        for (size_t j = 0; j < n_unseen && !is_asked; j++)
            is_asked = comb_uuid_equal(&unseen[j], &nodes[i]);
        if (!is_asked)
            unseen[n_unseen++] = nodes[i];
    }
    if (n_unseen == 0)
        return COMB_OK;
    enum comb_status status =
        comb_access_rights_each(eyes->activities->parts.access, &eyes->scratch, unseen, n_unseen,
                                keep_sight, &looking, err);
    /* One look at the store is new enough for the whole call. */
    if (status == COMB_OK)
        comb_ctx_asked(&eyes->scratch);
    return status;
}

enum comb_status activities_see(struct activities_eyes *eyes, const struct comb_uuid *node,
                                const struct activities_sight **ret_sight, struct comb_error *err)
{
    const struct activities_sight *sight = comb_map_get(&eyes->sights, comb_uuid_bytes(node));
    enum comb_status status = sight ? COMB_OK : activities_look(eyes, node, 1, err);
    if (status == COMB_OK)
        *ret_sight = sight ? sight : comb_map_get(&eyes->sights, comb_uuid_bytes(node));
    return status;
}

bool activities_may_see(const struct comb_ctx *ctx, const struct activities_record *record,
                        const struct activities_sight *sight)
{
    if (!sight->is_gone)
        return sight->reads;
    /* Its entries went with it: nobody can say any more who could read it. */
    return ctx->principal->n_scopes == 0 &&
           (ctx->principal->administrator ||
            comb_uuid_equal(&record->actor, &ctx->principal->user));
}

enum comb_status activities_see_place(struct activities_eyes *eyes, const struct comb_uuid *folder,
                                      struct comb_v1_activity_place **ret_place,
                                      struct comb_error *err)
{
    struct grpcc_arena *arena = eyes->ctx->arena;
    const struct activities_sight *sight = NULL;
    *ret_place = NULL;
    if (comb_uuid_is_nil(folder))
        return COMB_OK;
    enum comb_status status = activities_see(eyes, folder, &sight, err);
    if (status != COMB_OK || !sight->reads)
        return status;
    struct comb_v1_activity_place *place = comb_v1_activity_place_new(arena);
    if (!place)
        return comb_error_no_memory(err);
    comb_v1_activity_place_set_id(place, comb_uuid_text(arena, folder));
    comb_v1_activity_place_set_name(place, sight->name.ptr);
    comb_v1_activity_place_set_path(place, sight->path);
    *ret_place = place;
    return COMB_OK;
}

enum comb_status activities_see_object(struct activities_eyes *eyes,
                                       const struct activities_record *record,
                                       const struct activities_sight *sight,
                                       struct comb_v1_activity_object **ret_object,
                                       struct comb_error *err)
{
    struct grpcc_arena *arena = eyes->ctx->arena;
    const struct comb_v1_activity_object *known = record->known->object;
    struct comb_v1_activity_object *object = comb_v1_activity_object_new(arena);
    if (!object)
        return comb_error_no_memory(err);
    comb_v1_activity_object_set_id(object, comb_uuid_text(arena, &record->node));
    comb_v1_activity_object_set_name(
        object, grpcc_arena_strdup(arena, sight->reads ? sight->name.ptr : known->name));
    comb_v1_activity_object_set_path(object, sight->reads ? sight->path : NULL);
    comb_v1_activity_object_set_media_type(object, grpcc_arena_strdup(arena, known->media_type));
    object->kind = known->kind;
    object->size = known->size;
    object->recycled = sight->is_recycled;
    object->gone = sight->is_gone;
    *ret_object = object;
    return grpcc_arena_failed(arena) ? comb_error_no_memory(err) : COMB_OK;
}
