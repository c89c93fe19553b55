/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree/filter.h"

#include <ctype.h>
#include <stdio.h>

#include "grpcc/wkt.h"
#include "server/core/clock.h"

/* Where the check is: the path is written once, in front of what is checked below it. */
struct walk {
    size_t n_conditions;
    size_t length; /* of path */
    char path[COMB_ERROR_SUBJECT_MAX];
    struct comb_error *err;
};

static enum comb_status check(struct walk *walk, const struct comb_v1_node_filter *filter,
                              unsigned depth);

/* Adds to the path; a path that is too long for an error is cut. Returns its length before. */
static size_t enter(struct walk *walk, const char *text)
{
    size_t before = walk->length, room = sizeof walk->path - before;
    int n = snprintf(walk->path + before, room, "%s", text);

    walk->length = (size_t)n < room ? before + (size_t)n : sizeof walk->path - 1;
    return before;
}

static void leave(struct walk *walk, size_t before)
{
    walk->length = before;
    walk->path[before] = '\0';
}

static enum comb_status check_list(struct walk *walk, const struct comb_v1_node_filter_list *list,
                                   const char *name, unsigned depth)
{
    size_t before = enter(walk, name);
    enum comb_status status = COMB_OK;

    if (list->n_filters == 0)
        return comb_error_field(walk->err, walk->path, "at least one filter is needed");
    for (size_t i = 0; i < list->n_filters && status == COMB_OK; i++) {
        char index[40];
        size_t here;

        snprintf(index, sizeof index, ".filters[%zu]", i);
        here = enter(walk, index);
        status = check(walk, list->filters[i], depth);
        if (status == COMB_OK)
            leave(walk, here);
    }
    if (status == COMB_OK)
        leave(walk, before);
    return status;
}

static enum comb_status check_negate(struct walk *walk, const struct comb_v1_node_filter *filter,
                                     unsigned depth)
{
    size_t before = enter(walk, ".negate");
    enum comb_status status = check(walk, filter, depth);

    if (status == COMB_OK)
        leave(walk, before);
    return status;
}

static enum comb_status check_time(struct walk *walk, const struct comb_v1_time_range *range)
{
    struct timespec time;

    if (range->from && !grpcc_timestamp_to_timespec(range->from, &time))
        enter(walk, ".update_time.from");
    else if (range->until && !grpcc_timestamp_to_timespec(range->until, &time))
        enter(walk, ".update_time.until");
    else
        return COMB_OK;
    return comb_error_field(walk->err, walk->path, "not a time between the years 1 and 9999");
}

static enum comb_status check(struct walk *walk, const struct comb_v1_node_filter *filter,
                              unsigned depth)
{
    if (depth > COMB_TREE_FILTER_DEPTH_MAX)
        return comb_error_field(walk->err, walk->path, "filters are nested more than %d deep",
                                COMB_TREE_FILTER_DEPTH_MAX);
    if (++walk->n_conditions > COMB_TREE_FILTER_CONDITIONS_MAX)
        return comb_error_field(walk->err, walk->path, "there are more than %d conditions",
                                COMB_TREE_FILTER_CONDITIONS_MAX);
    switch (filter->condition_case) {
    case COMB_V1_NODE_FILTER_CONDITION_NOT_SET:
        return comb_error_field(walk->err, walk->path, "the filter has no condition");
    case COMB_V1_NODE_FILTER_CONDITION_ALL_OF:
        return check_list(walk, filter->all_of, ".all_of", depth + 1);
    case COMB_V1_NODE_FILTER_CONDITION_ANY_OF:
        return check_list(walk, filter->any_of, ".any_of", depth + 1);
    case COMB_V1_NODE_FILTER_CONDITION_NEGATE:
        return check_negate(walk, filter->negate, depth + 1);
    case COMB_V1_NODE_FILTER_CONDITION_KIND:
        if (filter->kind == COMB_V1_NODE_KIND_FILE || filter->kind == COMB_V1_NODE_KIND_FOLDER)
            return COMB_OK;
        enter(walk, ".kind");
        return comb_error_field(walk->err, walk->path, "%d is not a kind: use FILE or FOLDER",
                                (int)filter->kind);
    case COMB_V1_NODE_FILTER_CONDITION_UPDATE_TIME:
        return check_time(walk, filter->update_time);
    case COMB_V1_NODE_FILTER_CONDITION_NAME:
    case COMB_V1_NODE_FILTER_CONDITION_NAME_PREFIX:
    case COMB_V1_NODE_FILTER_CONDITION_NAME_CONTAINS:
    case COMB_V1_NODE_FILTER_CONDITION_SIZE:
    case COMB_V1_NODE_FILTER_CONDITION_MEDIA_TYPE_PREFIX:
        return COMB_OK;
    }
    return comb_error_field(walk->err, walk->path, "the condition is not known");
}

enum comb_status comb_tree_filter_check(const struct comb_v1_node_filter *filter, const char *field,
                                        struct comb_error *err)
{
    struct walk walk = {.err = err};

    if (!filter)
        return COMB_OK;
    enter(&walk, field);
    return check(&walk, filter, 1);
}

/* ASCII letters of either case alike; all other bytes as they are. */
static bool contains(comb_str name, comb_str part)
{
    for (size_t start = 0; start + part.len <= name.len; start++) {
        size_t i = 0;

        while (i < part.len &&
               tolower((unsigned char)name.ptr[start + i]) == tolower((unsigned char)part.ptr[i]))
            i++;
        if (i == part.len)
            return true;
    }
    return false;
}

static int64_t microseconds(const struct google_protobuf_timestamp *time)
{
    return time->seconds * COMB_US_PER_S + time->nanos / 1000;
}

static bool in_time(const struct comb_v1_time_range *range, int64_t us)
{
    return (!range->from || us >= microseconds(range->from)) &&
           (!range->until || us < microseconds(range->until));
}

static bool in_size(const struct comb_v1_size_range *range, uint64_t size)
{
    return (!range->has_min || size >= range->min) && (!range->has_max || size <= range->max);
}

static bool any_matches(const struct comb_v1_node_filter_list *list, const struct comb_node *node,
                        bool wanted)
{
    for (size_t i = 0; i < list->n_filters; i++) {
        if (comb_tree_filter_match(list->filters[i], node) == wanted)
            return true;
    }
    return false;
}

bool comb_tree_filter_match(const struct comb_v1_node_filter *filter, const struct comb_node *node)
{
    if (!filter)
        return true;
    switch (filter->condition_case) {
    case COMB_V1_NODE_FILTER_CONDITION_ALL_OF:
        return !any_matches(filter->all_of, node, false);
    case COMB_V1_NODE_FILTER_CONDITION_ANY_OF:
        return any_matches(filter->any_of, node, true);
    case COMB_V1_NODE_FILTER_CONDITION_NEGATE:
        return !comb_tree_filter_match(filter->negate, node);
    case COMB_V1_NODE_FILTER_CONDITION_KIND:
        return node->kind == (int)filter->kind;
    case COMB_V1_NODE_FILTER_CONDITION_NAME:
        return comb_str_equal(node->name, comb_str_from(filter->name));
    case COMB_V1_NODE_FILTER_CONDITION_NAME_PREFIX:
        return comb_str_starts_with(node->name, comb_str_from(filter->name_prefix));
    case COMB_V1_NODE_FILTER_CONDITION_NAME_CONTAINS:
        return contains(node->name, comb_str_from(filter->name_contains));
    case COMB_V1_NODE_FILTER_CONDITION_SIZE:
        return in_size(filter->size, node->size);
    case COMB_V1_NODE_FILTER_CONDITION_UPDATE_TIME:
        return in_time(filter->update_time, node->update_us);
    case COMB_V1_NODE_FILTER_CONDITION_MEDIA_TYPE_PREFIX:
        return comb_str_starts_with(node->media_type, comb_str_from(filter->media_type_prefix));
    case COMB_V1_NODE_FILTER_CONDITION_NOT_SET:
        break;
    }
    return false;
}
