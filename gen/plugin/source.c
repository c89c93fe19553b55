/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/source.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef const Google__Protobuf__SourceCodeInfo__Location *location_ptr;

static int compare_paths(const int32_t *a, size_t n_a, const int32_t *b, size_t n_b)
{
    for (size_t i = 0; i < n_a && i < n_b; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return (n_a > n_b) - (n_a < n_b);
}

static int compare_locations(const void *a, const void *b)
{
    location_ptr x = *(const location_ptr *)a, y = *(const location_ptr *)b;

    return compare_paths(x->path, x->n_path, y->path, y->n_path);
}

static int compare_key(const void *key, const void *element)
{
    const struct source_path *path = key;
    location_ptr location = *(const location_ptr *)element;

    return compare_paths(path->steps, path->n, location->path, location->n_path);
}

void source_init(struct source *source, struct pool *pool,
                 const Google__Protobuf__SourceCodeInfo *info)
{
    memset(source, 0, sizeof(*source));
    if (!info || info->n_location == 0)
        return;
    source->n = info->n_location;
    source->sorted = pool_array(pool, source->n, sizeof(location_ptr));
    for (size_t i = 0; i < source->n; i++)
        source->sorted[i] = info->location[i];
    qsort(source->sorted, source->n, sizeof(location_ptr), compare_locations);
}

struct source_path source_step(const struct source_path *path, int32_t field, size_t index)
{
    struct source_path longer = *path;

    assert(longer.n + 2 <= SOURCE_PATH_MAX);
    longer.steps[longer.n++] = field;
    longer.steps[longer.n++] = (int32_t)index;
    return longer;
}

static const char *join_comments(struct pool *pool, const char *leading, const char *trailing)
{
    if (leading && trailing)
        return pool_printf(pool, "%s\n%s", leading, trailing);
    return leading ? leading : trailing;
}

struct source_place source_find(const struct source *source, struct pool *pool,
                                const struct source_path *path)
{
    struct source_place place = {0};
    location_ptr const *found;

    if (source->n == 0)
        return place;
    found = bsearch(path, source->sorted, source->n, sizeof(location_ptr), compare_key);
    if (!found)
        return place;
    if ((*found)->n_span > 0)
        place.line = (*found)->span[0] + 1;
    place.comment = join_comments(pool, (*found)->leading_comments, (*found)->trailing_comments);
    return place;
}
