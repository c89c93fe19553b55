/* SPDX-License-Identifier: Apache-2.0 */
/* Names, paths and chains. */
#include "server/tree/internal.h"

enum comb_status tree_name_check(comb_str name, const char *field, struct comb_error *err)
{
    const int reason = COMB_V1_ERROR_REASON_PATH_INVALID;

    if (comb_str_is_empty(name))
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, reason, field,
                                      "a name is missing");
    if (name.len > COMB_NAME_BYTES_MAX)
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, reason, field,
                                      "a name has %zu bytes, at most %d are allowed", name.len,
                                      COMB_NAME_BYTES_MAX);
    if (comb_str_equal(name, STR(".")) || comb_str_equal(name, STR("..")))
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, reason, field,
                                      "\".\" and \"..\" are no names");
    if (memchr(name.ptr, '/', name.len) || memchr(name.ptr, '\0', name.len))
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, reason, field,
                                      "a name must not hold \"/\" or NUL");
    if (!comb_str_is_utf8(name))
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, reason, field,
                                      "a name must be valid UTF-8");
    return COMB_OK;
}

enum comb_status tree_path_split(struct grpcc_arena *arena, comb_str path, size_t max,
                                 const char *field, comb_str **ret_parts, size_t *ret_n,
                                 struct comb_error *err)
{
    comb_str *parts;
    size_t n = 1, used = 0, start = 0;

    for (size_t i = 0; i < path.len; i++)
        n += path.ptr[i] == '/';
    if (n > max)
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_PATH_INVALID,
                                      field, "the path has %zu parts, at most %zu are allowed here",
                                      n, max);
    parts = grpcc_arena_calloc(arena, n, sizeof *parts);
    if (!parts)
        return comb_error_no_memory(err);
    for (size_t i = 0; i <= path.len; i++) {
        enum comb_status status;

        if (i < path.len && path.ptr[i] != '/')
            continue;
        parts[used] = comb_str_of(path.ptr + start, i - start);
        status = tree_name_check(parts[used++], field, err);
        if (status != COMB_OK)
            return status;
        start = i + 1;
    }
    *ret_parts = parts;
    *ret_n = used;
    return COMB_OK;
}

const char *tree_path_join(struct grpcc_arena *arena, const char *base, comb_str rest)
{
    size_t length = strlen(base);
    const char *slash = length == 0 || base[length - 1] == '/' ? "" : "/";

    return grpcc_arena_printf(arena, "%s%s%.*s", base, slash, COMB_STR_ARG(rest));
}

struct comb_uuid *tree_chain_ids(struct grpcc_arena *arena, const struct comb_fact_link *links,
                                 size_t n)
{
    struct comb_uuid *ids = grpcc_arena_calloc(arena, n, sizeof *ids);

    for (size_t i = 0; ids && i < n; i++)
        ids[i] = links[i].node->id;
    return ids;
}

bool tree_ids_contain(const struct comb_uuid *ids, size_t n, const struct comb_uuid *id)
{
    for (size_t i = 0; i < n; i++) {
        if (comb_uuid_equal(&ids[i], id))
            return true;
    }
    return false;
}

enum comb_status tree_need_folder(const struct comb_node *node, const char *field,
                                  struct comb_error *err)
{
    if (node->kind == COMB_V1_NODE_KIND_FOLDER)
        return COMB_OK;
    return comb_error_set_subject(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_NOT_A_FOLDER,
                                  field, "\"%.*s\" is a file, a folder is needed here",
                                  COMB_STR_ARG(node->name));
}

enum comb_status tree_need_depth(size_t n_links, const char *field, struct comb_error *err)
{
    /* The root is a link too. */
    if (n_links <= COMB_PATH_DEPTH_MAX + 1)
        return COMB_OK;
    return comb_error_set_subject(err, COMB_FAILED_PRECONDITION, COMB_V1_ERROR_REASON_TOO_DEEP,
                                  field,
                                  "the path would have %zu parts below its workspace, at most "
                                  "%d are allowed",
                                  n_links - 1, COMB_PATH_DEPTH_MAX);
}

const char *tree_title(struct grpcc_arena *arena, const struct comb_fact_chain *chain)
{
    if (chain->n_links != 1 || comb_str_is_empty(chain->workspace.slug))
        return NULL;
    return comb_str_dup(arena, chain->workspace.slug);
}
