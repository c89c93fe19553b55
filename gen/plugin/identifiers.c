/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/plugin/identifiers.h"

struct owner {
    const struct model_file *file;
    int line;
};

/* Once for two places: whatever makes two messages the same makes all their functions the same too.
 */
static void report(struct identifiers *identifiers, const struct owner *first,
                   const struct owner *second, const char *name)
{
    const char *key = pool_printf(identifiers->pool, "collision %s:%d %s:%d", first->file->name,
                                  first->line, second->file->name, second->line);

    if (map_get(&identifiers->taken, key))
        return;
    map_put(&identifiers->taken, key, identifiers);
    errors_add(identifiers->errors, second->file->name, second->line,
               "the C name %s is already taken by %s:%d; rename one of them", name,
               first->file->name, first->line);
}

/* key: the identifier behind the space that it lives in; no space has a character of another's
 * identifiers. */
static void declare(struct identifiers *identifiers, const struct model_file *file,
                    const struct source_place *place, const char *name, const char *key)
{
    struct owner *taken = map_get(&identifiers->taken, key);
    struct owner *owner = pool_alloc(identifiers->pool, sizeof(*owner));

    owner->file = file;
    owner->line = place->line;
    if (!taken)
        map_put(&identifiers->taken, key, owner);
    else if (file->generate && taken->file == file && taken->line > owner->line)
        report(identifiers, owner, taken, name);
    else if (file->generate)
        report(identifiers, taken, owner, name);
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
