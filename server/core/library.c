/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static enum comb_status find_functions(const struct comb_library *library, void *handle,
                                       struct comb_error *err)
{
    size_t i = 0;
    for (const char *name = library->functions; *name; name += strlen(name) + 1) {
        void *address = dlsym(handle, name);
        if (!address)
            return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                  "the library %s has no %s: install the package %s in the "
                                  "version that this build was made with",
                                  library->name, name, library->package);
        library->addresses[i++] = address;
    }
    return COMB_OK;
}

enum comb_status comb_library_load(const struct comb_library *library, struct comb_error *err)
{
    /* Never closed: what it started, threads and handlers at exit, may outlive every store. */
    void *handle = dlopen(library->name, RTLD_LAZY | RTLD_LOCAL);
    if (!handle)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "the library %s is missing: install the package %s (%.120s)",
                              library->name, library->package, dlerror());
    return find_functions(library, handle, err);
}
