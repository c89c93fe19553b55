/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/feed_line.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comb/v1/identity.grpcc.h"

/* Of an id, where there is no name. */
enum { ID_SHOWN = 8 };

/* ---- names ---- */

const char *feed_login(struct feed_names *names, const char *user_id)
{
    struct cli *cli = names->cli;
    if (!user_id[0])
        return "comb";
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->known[i].id, user_id) == 0)
            return names->known[i].login;
    }
    size_t at = names->n < FEED_NAMES_MAX ? names->n++ : 0;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_identity_get_user_request *request =
        arena ? comb_v1_identity_get_user_request_new(arena) : NULL;
    struct comb_v1_identity_get_user_response *response = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    snprintf(names->known[at].id, sizeof names->known[at].id, "%s", user_id);
    snprintf(names->known[at].login, sizeof names->known[at].login, "%.*s", ID_SHOWN, user_id);
    if (request) {
        comb_v1_identity_get_user_request_set_user(request, user_id);
        if (comb_v1_identity_get_user(cli_channel(cli), arena, NULL, request, &response, &err) ==
            GRPCC_OK)
            snprintf(names->known[at].login, sizeof names->known[at].login, "%s",
                     response->user->login);
    }
    grpcc_arena_free(arena);
    return names->known[at].login;
}

/* ---- for people ---- */

static bool is_renamed(const struct comb_v1_activity *activity)
{
    return activity->target && activity->origin &&
           strcmp(activity->target->id, activity->origin->id) == 0;
}

const char *feed_verb(const struct comb_v1_activity *activity)
{
    switch (activity->change) {
    case COMB_V1_CHANGE_KIND_METADATA:
        return "described";
    case COMB_V1_CHANGE_KIND_PERMISSIONS:
        return "shared";
    case COMB_V1_CHANGE_KIND_DELETED:
        return "removed";
    case COMB_V1_CHANGE_KIND_MOVED:
        return is_renamed(activity) ? "renamed" : "moved";
    default:
        return feed_verb_of_type(activity->type);
    }
}

const char *feed_verb_of_type(enum comb_v1_activity_type type)
{
    static const char *const verbs[] = {"did something to", "made",    "changed", "moved",
                                        "deleted",          "restored"};
    return verbs[(unsigned)type < sizeof verbs / sizeof verbs[0] ? type : 0];
}

static const char *shown_name(const struct comb_v1_activity_object *object)
{
    return cli_name(object->path[0] ? object->path : object->name);
}

static const char *slash_of(const struct comb_v1_activity_object *object)
{
    return object->kind == COMB_V1_NODE_KIND_FOLDER ? "/" : "";
}

/* "from /a", "out of /a": where there is something to say. */
static void print_places(FILE *out, const struct comb_v1_activity *activity)
{
    const struct comb_v1_activity_place *origin = activity->origin;
    if (activity->old_name[0])
        fprintf(out, "  (was %s)", cli_name(activity->old_name));
    else if (origin && !is_renamed(activity))
        fprintf(out, "  from %s", cli_name(origin->path[0] ? origin->path : origin->name));
}

void feed_print(struct feed_names *names, const struct comb_v1_activity *activity)
{
    bool is_bold = activity->unread && cli_has_colours();
    printf("%s%s %s  %-12s %-9s %s%s", is_bold ? "\033[1m" : "", activity->unread ? "*" : " ",
           cli_time(activity->published), cli_name(feed_login(names, activity->actor_id)),
           feed_verb(activity), shown_name(activity->object), slash_of(activity->object));
    print_places(stdout, activity);
    if (activity->count > 1)
        printf("  (%u times)", activity->count);
    printf("%s\n", is_bold ? "\033[0m" : "");
}

void feed_print_digest(struct feed_names *names, const struct comb_v1_activity_digest_line *line)
{
    bool is_folder = line->kind == COMB_V1_NODE_KIND_FOLDER;
    printf("%s  %-12s %-9s ", cli_time(line->period), cli_name(feed_login(names, line->actor_id)),
           feed_verb_of_type(line->type));
    if (line->objects == 1)
        printf("%s%s", cli_name(line->newest->name), slash_of(line->newest));
    else
        printf("%u %s", line->objects, is_folder ? "folders" : "files");
    if (line->folder)
        printf(" in %s", cli_name(line->folder->path[0] ? line->folder->path : line->folder->name));
    printf("\n");
}

/* ---- for programs: ActivityStreams 2.0 ---- */

static void set_text(json_t *to, const char *key, const char *text)
{
    if (text[0])
        json_object_set_new(to, key, json_string(text));
}

static void set_urn(json_t *to, const char *kind, const char *id)
{
    char urn[96];
    snprintf(urn, sizeof urn, "urn:%s:%s", kind, id);
    json_object_set_new(to, "id", json_string(urn));
}

static void set_time(json_t *to, const char *key, const struct google_protobuf_timestamp *time)
{
    time_t seconds = (time_t)time->seconds;
    struct tm utc;
    char date[32], text[48];
    if (!gmtime_r(&seconds, &utc) || !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc))
        return;
    snprintf(text, sizeof text, "%s.%06dZ", date, time->nanos / 1000);
    json_object_set_new(to, key, json_string(text));
}

static json_t *to_place(const struct comb_v1_activity_place *place)
{
    json_t *to = json_pack("{s:s}", "type", "Collection");
    set_urn(to, "uuid", place->id);
    set_text(to, "name", place->name);
    set_text(to, "comb:path", place->path);
    return to;
}

static json_t *to_object(const struct comb_v1_activity_object *object)
{
    const char *type = object->kind == COMB_V1_NODE_KIND_FOLDER ? "Collection" : "Document";
    json_t *to = json_pack("{s:s}", "type", object->gone ? "Tombstone" : type);
    if (object->gone)
        json_object_set_new(to, "formerType", json_string(type));
    set_urn(to, "uuid", object->id);
    set_text(to, "name", object->name);
    set_text(to, "mediaType", object->media_type);
    set_text(to, "comb:path", object->path);
    if (object->kind == COMB_V1_NODE_KIND_FILE)
        json_object_set_new(to, "comb:size", json_integer((json_int_t)object->size));
    if (object->recycled)
        json_object_set_new(to, "comb:recycled", json_true());
    return to;
}

static json_t *to_actor(struct feed_names *names, const char *user_id)
{
    json_t *to = json_pack("{s:s}", "type", user_id[0] ? "Person" : "Service");
    if (user_id[0])
        set_urn(to, "uuid", user_id);
    set_text(to, "name", feed_login(names, user_id));
    return to;
}

static void set_summary(struct feed_names *names, json_t *to,
                        const struct comb_v1_activity *activity)
{
    char *text =
        grpcc_arena_printf(names->cli->arena, "%s %s %s", feed_login(names, activity->actor_id),
                           feed_verb(activity), activity->object->name);
    if (text)
        set_text(to, "summary", text);
}

static const char *type_name(enum comb_v1_activity_type type)
{
    static const char *const names[] = {"Activity", "Create", "Update", "Move", "Delete", "Undo"};
    return names[(unsigned)type < sizeof names / sizeof names[0] ? type : 0];
}

static const char *change_name(enum comb_v1_change_kind kind)
{
    static const char *const names[] = {"unknown",  "created",  "content", "moved",      "metadata",
                                        "recycled", "restored", "deleted", "permissions"};
    return names[(unsigned)kind < sizeof names / sizeof names[0] ? kind : 0];
}

bool feed_print_json(struct feed_names *names, const struct comb_v1_activity *activity)
{
    json_t *to =
        json_pack("{s:[s,{s:s}], s:s}", "@context", "https://www.w3.org/ns/activitystreams", "comb",
                  "urn:comb:ns#", "type", type_name(activity->type));
    json_t *object = to_object(activity->object);
    if (!to || !object)
        return false;
    set_urn(to, "comb:activity", activity->id);
    set_summary(names, to, activity);
    json_object_set_new(to, "actor", to_actor(names, activity->actor_id));
    /* What is undone is an activity. */
    if (activity->type == COMB_V1_ACTIVITY_TYPE_UNDO)
        object = json_pack("{s:s, s:o}", "type", "Delete", "object", object);
    json_object_set_new(to, "object", object);
    if (activity->target)
        json_object_set_new(to, "target", to_place(activity->target));
    if (activity->origin)
        json_object_set_new(to, "origin", to_place(activity->origin));
    set_time(to, "published", activity->published);
    set_text(to, "comb:change", change_name(activity->change));
    set_text(to, "comb:oldName", activity->old_name);
    if (activity->count > 1) {
        json_object_set_new(to, "comb:count", json_integer(activity->count));
        set_time(to, "comb:firstPublished", activity->first_published);
    }
    if (activity->unread)
        json_object_set_new(to, "comb:unread", json_true());
    bool is_printed = json_dumpf(to, stdout, JSON_COMPACT) == 0 && putchar('\n') == '\n';
    json_decref(to);
    return is_printed;
}
