/* SPDX-License-Identifier: Apache-2.0 */
#include "server/facts/fact.h"

#include <string.h>

/* Walks over a block: the same steps when it is written and when its pointers are set. */
static void put(char **at, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(*at, bytes, size);
        *at += size;
    }
}

static void put_str(char **at, comb_str s)
{
    put(at, s.ptr, s.len);
}

static void repair_str(const char **at, comb_str *s)
{
    s->ptr = *at;
    *at += s->len;
}

void *comb_fact_node_pack(struct grpcc_arena *arena, const struct comb_fact_node *fact,
                          size_t *ret_size)
{
    const struct comb_node *node = &fact->node;
    size_t size = sizeof *fact + fact->n_entries * sizeof *fact->entries + node->name.len +
                  node->sha256.len + node->media_type.len + node->trash_name.len;
    char *block = grpcc_arena_alloc(arena, size);
    if (block == NULL) {
        return NULL;
    }
    char *at = block;
    put(&at, fact, sizeof *fact);
    put(&at, fact->entries, fact->n_entries * sizeof *fact->entries);
    put_str(&at, node->name);
    put_str(&at, node->sha256);
    put_str(&at, node->media_type);
    put_str(&at, node->trash_name);
    *ret_size = size;
    return block;
}

struct comb_fact_node *comb_fact_node_repair(void *block)
{
    struct comb_fact_node *fact = block;
    fact->entries = (const struct comb_entry *)(fact + 1);
    const char *at = (const char *)(fact->entries + fact->n_entries);
    repair_str(&at, &fact->node.name);
    repair_str(&at, &fact->node.sha256);
    repair_str(&at, &fact->node.media_type);
    repair_str(&at, &fact->node.trash_name);
    return fact;
}

void *comb_fact_subjects_pack(struct grpcc_arena *arena, const struct comb_subjects *subjects,
                              size_t *ret_size)
{
    size_t size = sizeof *subjects + subjects->n_roles * sizeof *subjects->roles;
    char *block = grpcc_arena_alloc(arena, size);
    if (block == NULL) {
        return NULL;
    }
    char *at = block;
    put(&at, subjects, sizeof *subjects);
    put(&at, subjects->roles, subjects->n_roles * sizeof *subjects->roles);
    *ret_size = size;
    return block;
}

struct comb_subjects *comb_fact_subjects_repair(void *block)
{
    struct comb_subjects *subjects = block;
    subjects->roles = (const struct comb_uuid *)(subjects + 1);
    return subjects;
}

void *comb_fact_workspace_pack(struct grpcc_arena *arena,
                               const struct comb_workspace_fact *workspace, size_t *ret_size)
{
    size_t size =
        sizeof *workspace + workspace->n_roots * sizeof *workspace->roots + workspace->slug.len;
    char *block = grpcc_arena_alloc(arena, size);
    if (block == NULL) {
        return NULL;
    }
    char *at = block;
    put(&at, workspace, sizeof *workspace);
    put(&at, workspace->roots, workspace->n_roots * sizeof *workspace->roots);
    put_str(&at, workspace->slug);
    *ret_size = size;
    return block;
}

struct comb_workspace_fact *comb_fact_workspace_repair(void *block)
{
    struct comb_workspace_fact *workspace = block;
    workspace->roots = (const struct comb_uuid *)(workspace + 1);
    const char *at = (const char *)(workspace->roots + workspace->n_roots);
    repair_str(&at, &workspace->slug);
    return workspace;
}
