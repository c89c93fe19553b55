/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "comb/files.h"
#include "comb/lists.h"
#include "tests/e2e/calls.h"
#include "tests/storm/names_role.h"
#include "tests/storm/rights_role.h"
#include "tests/storm/storm.h"

/* ---- readers: names of nodes as versions, by default and by strong reads ---- */

#define READERS 4
#define OBJECTS 3
/* One write, one strong read among so many operations. */
#define WRITES 6
#define STRONG 5

static char objects[OBJECTS][STORM_ID_BYTES];

static void begin_objects(struct storm *storm)
{
    char folder[STORM_PATH_BYTES];
    storm_make(storm, storm->folder, "objects", NULL);
    storm_path(storm, "objects", folder);
    for (unsigned i = 0; i < OBJECTS; i++)
        storm_make(storm, folder, (char[]){(char)('a' + (int)i), 0}, objects[i]);
}

static enum grpcc_status operate(struct storm_client *client, const struct history_op *op,
                                 unsigned turn, struct comb_v1_node **ret_node,
                                 struct grpcc_error *err)
{
    const char *object = objects[op->object];
    char name[64];
    snprintf(name, sizeof name, "%u-%u-%u", op->object, client->number, turn);
    if (op->write)
        return calls_move(client->sdk, client->arena, object, NULL, name, ret_node, err);
    return (op->strong ? calls_stat_strong : calls_stat)(client->sdk, client->arena, object,
                                                         ret_node, err);
}

static void read_and_write(struct storm_client *client)
{
    for (unsigned turn = 0; !storm_is_over(client); turn++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct comb_v1_node *node = NULL;
        struct history_op op = {.client = client->number,
                                .object = calls_draw(&client->random, OBJECTS),
                                .write = calls_draw(&client->random, WRITES) == 0};
        op.strong = !op.write && calls_draw(&client->random, STRONG) == 0;
        op.begin_ns = storm_call_begin(client);
        enum grpcc_status status = operate(client, &op, turn, &node, &err);
        op.end_ns = calls_now_ns();
        if (storm_call_end(client, op.begin_ns, op.write ? "rename" : "stat", status, &err,
                           false)) {
            op.version = node->revision - 1; /* 1 is what it was made with */
            storm_add_op(client, &op);
            if (op.write)
                storm_acknowledged(client, node);
        } else if (op.write) {
            client->unknown++;
        }
        storm_pause();
    }
}

static const struct storm_role readers = {
    .name = "reader", .clients = READERS, .begin = begin_objects, .work = read_and_write};

/* ---- makers: folders under names that nobody else uses ---- */

#define MAKERS 2
/* Folders made between two times that one lists them. */
#define PER_LIST 10
#define PAGE 100

static void begin_made(struct storm *storm)
{
    storm_make(storm, storm->folder, "made", NULL);
}

/* The first page; the whole of it is counted in the end. */
static void list(struct storm_client *client, const char *folder)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    int64_t begin_ns = storm_call_begin(client);
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(client->arena);
    struct comb_v1_tree_list_response *response = NULL;
    request->folder = calls_ref(client->arena, folder);
    request->page_size = PAGE;
    enum grpcc_status status = comb_v1_tree_list(comb_client_channel(client->sdk), client->arena,
                                                 NULL, request, &response, &err);
    if (status == GRPCC_OK && response->n_nodes == 0 && client->n_changes > 0)
        status = grpcc_error_set(&err, GRPCC_DATA_LOSS, "nothing of what it made itself");
    (void)storm_call_end(client, begin_ns, "list", status, &err, false);
}

static void make(struct storm_client *client)
{
    char folder[STORM_PATH_BYTES];
    storm_path(client->storm, "made", folder);
    while (!storm_is_over(client)) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct comb_v1_node *node = NULL;
        char name[32];
        snprintf(name, sizeof name, "%u-%u", client->number, client->made);
        int64_t begin_ns = storm_call_begin(client);
        enum grpcc_status status =
            calls_mkdir(client->sdk, client->arena, folder, name, false, &node, &err);
        if (storm_call_end(client, begin_ns, "mkdir", status, &err, false)) {
            storm_acknowledged(client, node);
            client->made++;
        } else {
            /* The name may be taken. */
            client->unknown++;
            client->made++;
        }
        if (client->made % PER_LIST == 0)
            list(client, folder);
        storm_pause();
    }
}

/* All that was acknowledged is there, and nothing else but what nobody knows of. */
static void judge_made(struct storm *storm);

static const struct storm_role makers = {
    .name = "maker", .clients = MAKERS, .begin = begin_made, .work = make, .judge = judge_made};

static void judge_made(struct storm *storm)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_v1_tree_list_request *request = comb_v1_tree_list_request_new(arena);
    struct storm_client *clients[STORM_CLIENTS_MAX];
    struct comb_list *list = NULL;
    const struct comb_v1_node *node = NULL;
    char folder[STORM_PATH_BYTES];
    size_t there = 0, acknowledged = 0, unknown = 0;
    int more;
    storm_path(storm, "made", folder);
    request->folder = calls_ref(arena, folder);
    if (comb_list_open(storm->admin.sdk, request, &list, &err) != GRPCC_OK)
        storm_die("list: %s", err.message);
    while ((more = comb_list_next(list, &node, &err)) == 1)
        there++;
    if (more < 0)
        storm_die("list: %s", err.message);
    for (size_t i = 0, n = storm_each(storm, &makers, clients); i < n; i++) {
        acknowledged += clients[i]->n_changes;
        unknown += clients[i]->unknown;
    }
    if (there < acknowledged || there > acknowledged + unknown)
        storm_die("%zu folders are there, of %zu that were acknowledged and %zu of whom nobody "
                  "knows",
                  there, acknowledged, unknown);
    comb_list_close(list);
    grpcc_arena_free(arena);
}

/* ---- movers: folders into each other ---- */

#define MOVERS 2
#define FOLDERS 5
/* One of so many goes back to where all began. */
#define HOMEWARD 4

static char moved_home[STORM_ID_BYTES], moved[FOLDERS][STORM_ID_BYTES];

static void begin_moved(struct storm *storm)
{
    char folder[STORM_PATH_BYTES];
    storm_make(storm, storm->folder, "moved", moved_home);
    storm_path(storm, "moved", folder);
    for (unsigned i = 0; i < FOLDERS; i++)
        storm_make(storm, folder, (char[]){(char)('a' + (int)i), 0}, moved[i]);
}

static void move(struct storm_client *client)
{
    for (unsigned turn = 0; !storm_is_over(client); turn++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct comb_v1_node *node = NULL;
        unsigned which = calls_draw(&client->random, FOLDERS);
        char name[32]; /* another one, so that no move changes nothing */
        snprintf(name, sizeof name, "%u-%u", client->number, turn);
        unsigned other = (which + 1 + calls_draw(&client->random, FOLDERS - 1)) % FOLDERS;
        const char *to = calls_draw(&client->random, HOMEWARD) == 0 ? moved_home : moved[other];
        int64_t begin_ns = storm_call_begin(client);
        enum grpcc_status status =
            calls_move(client->sdk, client->arena, moved[which], to, name, &node, &err);
        /* Into itself. */
        bool is_refused = status == GRPCC_FAILED_PRECONDITION || status == GRPCC_INVALID_ARGUMENT;
        if (!storm_call_end(client, begin_ns, "move", is_refused ? GRPCC_OK : status, &err, false))
            client->unknown++;
        else if (!is_refused)
            storm_acknowledged(client, node);
        storm_pause();
    }
}

/* Whose parents lead to where all began. */
static void must_lead_home(struct storm *storm, const char *id)
{
    char at[STORM_ID_BYTES];
    snprintf(at, sizeof at, "%s", id);
    for (unsigned step = 0; strcmp(at, moved_home) != 0; step++) {
        struct grpcc_error err = GRPCC_ERROR_INIT;
        struct comb_v1_node *node = NULL;
        grpcc_arena_reset(storm->admin.arena);
        if (step > FOLDERS)
            storm_die("the moved folder %s is in a circle", id);
        if (calls_stat_strong(storm->admin.sdk, storm->admin.arena, at, &node, &err) != GRPCC_OK)
            storm_die("the moved folder %s: %s", id, err.message);
        snprintf(at, sizeof at, "%s", node->parent_id);
    }
}

static void judge_moved(struct storm *storm)
{
    for (unsigned i = 0; i < FOLDERS; i++)
        must_lead_home(storm, moved[i]);
}

static const struct storm_role movers = {
    .name = "mover", .clients = MOVERS, .begin = begin_moved, .work = move, .judge = judge_moved};

/* ---- senders: files, there and back ---- */

#define SENDERS 2
#define FILES 5
#define SMALL_BYTES ((size_t)8 << 10)
/* Sent by parts, and read by a stream. One of so many is of this size. */
#define LARGE_BYTES ((size_t)3 << 20)
#define LARGE 20

struct content {
    unsigned char bytes[LARGE_BYTES];
    size_t n, at;
    bool same;
};

static int64_t give(void *data, void *buffer, size_t capacity)
{
    struct content *content = data;
    size_t n = content->n - content->at < capacity ? content->n - content->at : capacity;
    memcpy(buffer, content->bytes + content->at, n);
    content->at += n;
    return (int64_t)n;
}

static bool compare(void *data, const void *bytes, size_t n)
{
    struct content *content = data;
    content->same = content->same && content->at + n <= content->n &&
                    memcmp(content->bytes + content->at, bytes, n) == 0;
    content->at += n;
    return content->same;
}

/* Nobody else writes the file, so its etag is the one that is expected. */
static void annotate(struct storm_client *client, const char *path, const char *etag, unsigned turn)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    char expected[64];
    snprintf(expected, sizeof expected, "%s", etag);
    int64_t begin_ns = storm_call_begin(client);
    struct comb_v1_tree_set_metadata_request *request =
        comb_v1_tree_set_metadata_request_new(client->arena);
    struct comb_v1_tree_set_metadata_response *response = NULL;
    struct comb_v1_metadata *piece = comb_v1_metadata_new(client->arena);
    request->node = calls_ref(client->arena, path);
    comb_v1_tree_set_metadata_request_set_expected_etag(request, expected);
    comb_v1_metadata_set_namespace(piece, "storm");
    comb_v1_metadata_set_name(piece, "turn");
    piece->value = comb_v1_metadata_value_new(client->arena);
    comb_v1_metadata_value_set_integer(piece->value, turn);
    if (!comb_v1_tree_set_metadata_request_add_set(client->arena, request, piece))
        storm_die("no memory for a request");
    enum grpcc_status status = comb_v1_tree_set_metadata(
        comb_client_channel(client->sdk), client->arena, NULL, request, &response, &err);
    if (storm_call_end(client, begin_ns, "set metadata", status, &err, false))
        storm_acknowledged(client, response->node);
    else
        client->unknown++;
}

/* The file's etag in ret_etag. */
static bool send_file(struct storm_client *client, const char *path, struct content *content,
                      char ret_etag[64])
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_v1_node *node = NULL;
    int64_t begin_ns = storm_call_begin(client);
    content->at = 0;
    enum grpcc_status status =
        content->n > SMALL_BYTES
            ? comb_put_stream(client->sdk, client->arena, path, give, content, NULL, &node, &err)
            : comb_put_bytes(client->sdk, client->arena, path, content->bytes, content->n, NULL,
                             &node, &err);
    if (!storm_call_end(client, begin_ns, "put", status, &err, true)) {
        client->unknown++;
        return false;
    }
    storm_acknowledged(client, node);
    snprintf(ret_etag, 64, "%s", node->etag);
    return true;
}

static void read_file(struct storm_client *client, const char *path, struct content *content)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    int64_t begin_ns = storm_call_begin(client);
    content->at = 0;
    content->same = true;
    enum grpcc_status status = comb_get_stream(client->sdk, client->arena, path, 0, UINT64_MAX,
                                               compare, content, NULL, &err);
    if (status == GRPCC_OK && content->at != content->n)
        content->same = false;
    if (!content->same)
        status = grpcc_error_set(&err, GRPCC_DATA_LOSS, "not what was sent, at %zu of %zu bytes",
                                 content->at, content->n);
    (void)storm_call_end(client, begin_ns, "get", status, &err, true);
}

static void begin_sent(struct storm *storm)
{
    storm_make(storm, storm->folder, "sent", NULL);
}

static void send_and_read(struct storm_client *client)
{
    static struct content contents[SENDERS];
    struct content *content = &contents[client->number];
    for (unsigned turn = 0; !storm_is_over(client); turn++) {
        char name[32], path[STORM_PATH_BYTES], etag[64];
        snprintf(name, sizeof name, "sent/%u-%u", client->number, turn % FILES);
        storm_path(client->storm, name, path);
        content->n = turn % LARGE == LARGE - 1 ? LARGE_BYTES : SMALL_BYTES;
        calls_content(client->random ^ turn, content->bytes, content->n);
        if (send_file(client, path, content, etag)) {
            annotate(client, path, etag, turn);
            read_file(client, path, content);
        }
        storm_pause();
    }
}

static const struct storm_role senders = {
    .name = "sender", .clients = SENDERS, .begin = begin_sent, .work = send_and_read};

const struct storm_role *const storm_roles[] = {
    &readers, &makers, &movers, &senders, &storm_namers, &storm_granter, &storm_guests, NULL};
