/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/selection.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool comb_selection_init(struct comb_selection *selection, const char *const *files)
{
    memset(selection, 0, sizeof(*selection));
    selection->all = !files;
    if (!files)
        return true;
    while (files[selection->n])
        selection->n++;
    selection->paths = calloc(selection->n + 1, sizeof(*selection->paths));
    selection->found = calloc(selection->n + 1, sizeof(*selection->found));
    if (!selection->paths || !selection->found) {
        comb_selection_done(selection);
        return false;
    }
    for (size_t i = 0; i < selection->n; i++)
        selection->paths[i] = strncmp(files[i], "./", 2) == 0 ? files[i] + 2 : files[i];
    qsort(selection->paths, selection->n, sizeof(*selection->paths), compare);
    return true;
}

void comb_selection_done(struct comb_selection *selection)
{
    free(selection->paths);
    free(selection->found);
    memset(selection, 0, sizeof(*selection));
}

/* The first path that does not lie before the one that is asked for. */
static size_t lower_bound(const struct comb_selection *selection, const char *relative)
{
    size_t low = 0, high = selection->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(selection->paths[middle], relative) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum comb_selected comb_selection_judge(struct comb_selection *selection, const char *relative)
{
    size_t length = strlen(relative);
    if (selection->all)
        return COMB_SELECTED_WHOLE;
    size_t at = lower_bound(selection, relative);
    if (at < selection->n && strcmp(selection->paths[at], relative) == 0) {
        for (; at < selection->n && strcmp(selection->paths[at], relative) == 0; at++)
            selection->found[at] = true;
        return COMB_SELECTED_WHOLE;
    }
    /* "a-b" sorts between "a" and "a/b". */
    for (; at < selection->n && strncmp(selection->paths[at], relative, length) == 0; at++)
        if (selection->paths[at][length] == '/')
            return COMB_SELECTED_PARTS;
    return COMB_SELECTED_NOT;
}
