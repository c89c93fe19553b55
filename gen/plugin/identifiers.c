/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/identifiers.h"

struct owner {
    const struct model_file *file;
    int line;
};

/* key: the identifier behind the space that it lives in; no space has a character of another's
 * identifiers. */
static void declare(struct identifiers *identifiers, const struct model_file *file,
                    const struct source_place *place, const char *name, const char *key)
{
    struct owner *owner = map_get(&identifiers->taken, key);

    if (owner) {
        if (file->generate)
            errors_add(identifiers->errors, file->name, place->line,
                       "the C name %s is already taken by %s:%d; rename one of them", name,
                       owner->file->name, owner->line);
        return;
    }
    owner = pool_alloc(identifiers->pool, sizeof(*owner));
    owner->file = file;
    owner->line = place->line;
    map_put(&identifiers->taken, key, owner);
}

void identifiers_declare(struct identifiers *identifiers, const struct model_file *file,
                         const struct source_place *place, const char *name)
{
    declare(identifiers, file, place, name, pool_strdup(identifiers->pool, name));
}

void identifiers_declare_tag(struct identifiers *identifiers, const struct model_file *file,
                             const struct source_place *place, const char *name)
{
    declare(identifiers, file, place, name, pool_printf(identifiers->pool, "tag %s", name));
}

void identifiers_declare_member(struct identifiers *identifiers, const struct model_file *file,
                                const struct source_place *place, const char *tag, const char *name)
{
    declare(identifiers, file, place, name, pool_printf(identifiers->pool, "%s.%s", tag, name));
}
