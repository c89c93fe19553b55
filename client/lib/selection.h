/* SPDX-License-Identifier: Apache-2.0 */
/* Which files of a folder are meant: all, or a list of relative paths. */
#ifndef COMB_LIB_SELECTION_H
#define COMB_LIB_SELECTION_H

#include <stdbool.h>
#include <stddef.h>

struct comb_selection {
    const char **paths; /* sorted bytewise; borrowed texts */
    bool *found;
    size_t n;
    bool all;
};

/* files: NULL-terminated; NULL: all. False: no memory. */
bool comb_selection_init(struct comb_selection *selection, const char *const *files);
void comb_selection_done(struct comb_selection *selection);

enum comb_selected {
    COMB_SELECTED_NOT,
    COMB_SELECTED_WHOLE, /* it, with all that it holds */
    COMB_SELECTED_PARTS, /* it is a folder above some that are meant */
};
/* relative: "a/b". Marks what it finds; not from several threads for one path. */
enum comb_selected comb_selection_judge(struct comb_selection *selection, const char *relative);

#endif
