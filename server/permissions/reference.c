/* SPDX-License-Identifier: Apache-2.0 */
#include "server/permissions/reference.h"

#include <stdarg.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/core/limits.h"

/* Where in the request and in the path. */
struct place {
    const char *field;
    size_t part; /* from 1; 0: the whole path */
};

static enum comb_status refuse(struct comb_error *err, const struct place *place, const char *text)
{
    char subject[COMB_ERROR_SUBJECT_MAX];
    snprintf(subject, sizeof subject, "%s.path", place->field);
    if (place->part == 0) {
        return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_PATH_INVALID,
                                      subject, "%s: %s", subject, text);
    }
    return comb_error_set_subject(err, COMB_INVALID_ARGUMENT, COMB_V1_ERROR_REASON_PATH_INVALID,
                                  subject, "%s: part %zu %s", subject, place->part, text);
}

static enum comb_status check_part(comb_str part, const struct place *place, struct comb_error *err)
{
    if (comb_str_is_empty(part)) {
        return refuse(err, place, "is empty: write one \"/\" between parts, and none at the end");
    }
    if (comb_str_equal(part, STR(".")) || comb_str_equal(part, STR(".."))) {
        return refuse(err, place,
                      "is \".\" or \"..\": resolve it before calling, paths here have no such "
                      "parts");
    }
    if (part.len > COMB_NAME_BYTES_MAX) {
        return refuse(err, place, "is longer than 255 bytes");
    }
    if (!comb_str_is_utf8(part)) {
        return refuse(err, place, "is not UTF-8");
    }
    return COMB_OK;
}

/* Splits rest at its slashes. */
static enum comb_status split(struct grpcc_arena *arena, comb_str rest, const char *field,
                              const comb_str **ret_parts, size_t *ret_n, struct comb_error *err)
{
    struct place place = {.field = field};
    size_t n = 1;
    for (size_t i = 0; i < rest.len; i++) {
        n += rest.ptr[i] == '/';
    }
    /* One more for the slug, which is no part of the depth. */
    if (n > COMB_PATH_DEPTH_MAX + 1) {
        return refuse(err, &place, "it has more than 100 parts");
    }
    comb_str *parts = grpcc_arena_calloc(arena, n, sizeof *parts);
    if (parts == NULL) {
        return comb_error_no_memory(err);
    }
    for (size_t i = 0; i < n; i++) {
        const char *slash = memchr(rest.ptr, '/', rest.len);
        size_t len = slash == NULL ? rest.len : (size_t)(slash - rest.ptr);
        parts[i] = comb_str_of(rest.ptr, len);
        place.part = i + 1;
        enum comb_status status = check_part(parts[i], &place, err);
        if (status != COMB_OK) {
            return status;
        }
        if (slash != NULL) {
            rest = comb_str_of(slash + 1, rest.len - len - 1);
        }
    }
    *ret_parts = parts;
    *ret_n = n;
    return COMB_OK;
}

static enum comb_status parse_absolute(struct grpcc_arena *arena, comb_str path, const char *field,
                                       struct comb_reference *ret_reference, struct comb_error *err)
{
    struct place place = {.field = field};
    if (path.ptr[0] != '/') {
        return refuse(err, &place,
                      "without an id it is absolute: begin it with \"/\" and a workspace's slug");
    }
    if (path.len == 1) {
        *ret_reference = (struct comb_reference){.top = true};
        return COMB_OK;
    }
    const comb_str *parts;
    size_t n;
    enum comb_status status =
        split(arena, comb_str_of(path.ptr + 1, path.len - 1), field, &parts, &n, err);
    if (status == COMB_OK) {
        *ret_reference =
            (struct comb_reference){.slug = parts[0], .parts = parts + 1, .n_parts = n - 1};
    }
    return status;
}

static enum comb_status parse_relative(struct grpcc_arena *arena, comb_str id, comb_str path,
                                       const char *field, struct comb_reference *ret_reference,
                                       struct comb_error *err)
{
    struct comb_reference reference = {0};
    struct place place = {.field = field};
    if (!comb_uuid_parse(id, &reference.id) || comb_uuid_is_nil(&reference.id)) {
        char subject[COMB_ERROR_SUBJECT_MAX];
        snprintf(subject, sizeof subject, "%s.id", field);
        return comb_error_field(err, subject,
                                "%s is not the id of a node: 36 characters, as "
                                "0198f3a2-7c41-7d3e-9b5a-2f6c8e1d4a70",
                                subject);
    }
    if (!comb_str_is_empty(path)) {
        if (path.ptr[0] == '/') {
            return refuse(err, &place,
                          "beside an id it is relative to that node: leave out the \"/\" at its "
                          "beginning");
        }
        enum comb_status status =
            split(arena, path, field, &reference.parts, &reference.n_parts, err);
        if (status != COMB_OK) {
            return status;
        }
        if (reference.n_parts > COMB_PATH_DEPTH_MAX) {
            return refuse(err, &place, "it has more than 100 parts");
        }
    }
    *ret_reference = reference;
    return COMB_OK;
}

enum comb_status comb_reference_parse(struct grpcc_arena *arena, const struct comb_v1_node_ref *ref,
                                      const char *field, struct comb_reference *ret_reference,
                                      struct comb_error *err)
{
    comb_str id = comb_str_from(ref == NULL ? NULL : ref->id);
    comb_str path = comb_str_from(ref == NULL ? NULL : ref->path);
    struct place place = {.field = field};
    if (comb_str_is_empty(id) && comb_str_is_empty(path)) {
        return comb_error_field(err, field, "%s is missing: give an id, a path, or both", field);
    }
    if (path.len > COMB_PATH_BYTES_MAX) {
        return refuse(err, &place, "it is longer than 16 KiB");
    }
    return comb_str_is_empty(id) ? parse_absolute(arena, path, field, ret_reference, err)
                                 : parse_relative(arena, id, path, field, ret_reference, err);
}
