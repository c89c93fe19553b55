/* SPDX-License-Identifier: Apache-2.0 */
/* Opening an installation: file, lock, identity, migrations. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/backend/sql/sqlite/sqlite.h"
#include "server/backend/sql/sqlite/sqlite_error.h"
#include "server/core/clock.h"
#include "server/core/memory.h"
#include "server/core/random.h"

/* "Comb" in SQLite's application_id: what file(1) and we know our databases by. */
enum { APPLICATION_ID = 0x436F6D62 };
/* How long a migration waits for the writer's group. */
enum { MIGRATE_BUSY_MS = 10000 };

static enum comb_status system_error(struct comb_error *err, const char *what, const char *path)
{
    int native = errno;
    comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "cannot %s %s: %s", what, path,
                   strerror(native));
    if (err) {
        err->domain = comb_sqlite_domain;
        err->native = native;
    }
    return COMB_FAILED_PRECONDITION;
}

/* Makes the entry of a new file in its folder durable. */
static enum comb_status sync_folder(const char *path, struct comb_error *err)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    assert(slash); /* path is absolute */
    slash[slash == folder] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return system_error(err, "open", folder);
    int result = fsync(fd);
    enum comb_status status = result == 0 ? COMB_OK : system_error(err, "sync", folder);
    close(fd);
    return status;
}

/* The file is there, private where it is new; *ret_path is its only name, so that one lock stands
 * for it whatever links lead to it. */
static enum comb_status make_file(comb_str path, char **ret_path, struct comb_error *err)
{
    char name[PATH_MAX];
    if (path.len == 0 || path.len >= sizeof name || memchr(path.ptr, '\0', path.len))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "the path of the database is empty or too long");
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return system_error(err, "open", name);
    close(fd);
    char resolved[PATH_MAX];
    if (!realpath(name, resolved))
        return system_error(err, "resolve", name);
    enum comb_status status = sync_folder(resolved, err);
    if (status != COMB_OK)
        return status;
    char *copy = comb_memory_dup(comb_str_from(resolved));
    if (!copy)
        return comb_error_no_memory(err);
    *ret_path = copy;
    return COMB_OK;
}

static enum comb_status refuse_second(int fd, const char *path, struct comb_error *err)
{
    char pid[16] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? n : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                   "another process (pid %s) has this installation open: %s; end it, or give this "
                   "one a database of its own",
                   pid[0] ? pid : "unknown", path);
    if (err)
        err->domain = comb_sqlite_domain;
    return COMB_FAILED_PRECONDITION;
}

/* Takes PATH.lock for as long as the descriptor is open. The kernel gives it back when the process
 * ends, however it ends; so the file stays and says nothing by being there. */
static enum comb_status take_lock(const char *path, int *ret_fd, struct comb_error *err)
{
    char name[PATH_MAX + sizeof ".lock"];
    snprintf(name, sizeof name, "%s.lock", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return system_error(err, "open", name);
    enum comb_status status = COMB_OK;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        status =
            errno == EWOULDBLOCK ? refuse_second(fd, path, err) : system_error(err, "lock", name);
    if (status == COMB_OK && (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0))
        status = system_error(err, "write", name);
    if (status != COMB_OK) {
        close(fd);
        return status;
    }
    *ret_fd = fd;
    return COMB_OK;
}

static int read_integer(struct comb_sqlite_conn *conn, const char *text, int64_t *ret_value)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(conn->db, text, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *ret_value = sqlite3_column_int64(statement, 0);
        code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code;
}

/* A database of another program is not written to. */
static enum comb_status check_owner(struct comb_sqlite_conn *conn, const char *path,
                                    struct comb_error *err)
{
    int64_t id = 0, objects = 0;
    int code = read_integer(conn, "PRAGMA application_id", &id);
    if (code == SQLITE_OK)
        code = read_integer(conn, "SELECT count(*) FROM sqlite_schema", &objects);
    if (code != SQLITE_OK)
        return comb_sqlite_error(err, code, conn->db);
    if (id == APPLICATION_ID || (id == 0 && objects == 0))
        return COMB_OK;
    comb_error_set(err, COMB_FAILED_PRECONDITION, 0, "%s is the database of another program", path);
    if (err)
        err->domain = comb_sqlite_domain;
    return COMB_FAILED_PRECONDITION;
}

static const char setup_text[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS comb_installation ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " id BLOB NOT NULL, incarnation INTEGER NOT NULL, origin TEXT NOT NULL,"
    " create_us INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS comb_migration ("
    " area TEXT NOT NULL, version INTEGER NOT NULL, text TEXT NOT NULL, time_us INTEGER NOT NULL,"
    " PRIMARY KEY (area, version)) WITHOUT ROWID";

/* A file that is a copy of the one that was written to before is another history, from there on. */
static const char identify_text[] =
    "INSERT INTO comb_installation (one, id, incarnation, origin, create_us)"
    " VALUES (1, ?1, ?2, ?3, ?4)"
    " ON CONFLICT DO UPDATE SET incarnation = excluded.incarnation, origin = excluded.origin"
    " WHERE origin <> excluded.origin";

/* What tells a file from its copies: its inode, and when that was made. */
static void describe_origin(const char *path, char *ret_origin, size_t size)
{
    struct statx info;
    memset(&info, 0, sizeof info);
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &info) != 0)
        info.stx_mask = 0; /* a file system that cannot tell: all copies look alike */
    snprintf(ret_origin, size, "%llu:%lld.%09u",
             info.stx_mask & STATX_INO ? (unsigned long long)info.stx_ino : 0,
             info.stx_mask & STATX_BTIME ? (long long)info.stx_btime.tv_sec : 0,
             info.stx_mask & STATX_BTIME ? info.stx_btime.tv_nsec : 0);
}

static int identify(struct comb_sqlite_conn *conn, const char *path)
{
    struct comb_uuid id = comb_uuid_new();
    uint64_t incarnation;
    char origin[64];
    comb_random(&incarnation, sizeof incarnation);
    describe_origin(path, origin, sizeof origin);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(conn->db, identify_text, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_blob(statement, 1, id.bytes, sizeof id.bytes, SQLITE_STATIC);
        /* Kept within SQLite's signed integers, and never 0, which says nothing. */
        sqlite3_bind_int64(statement, 2, (int64_t)((incarnation >> 1) | 1));
        sqlite3_bind_text(statement, 3, origin, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, comb_clock_wall_us());
        code = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int read_identity(struct comb_sqlite_conn *conn, struct comb_sql_info *info)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(conn->db, "SELECT id, incarnation FROM comb_installation", -1,
                                  &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        code = SQLITE_CORRUPT;
        if (sqlite3_column_bytes(statement, 0) == sizeof info->installation.bytes) {
            memcpy(info->installation.bytes, sqlite3_column_blob(statement, 0),
                   sizeof info->installation.bytes);
            info->incarnation = info->history_since = (uint64_t)sqlite3_column_int64(statement, 1);
            code = SQLITE_OK;
        }
    }
    sqlite3_finalize(statement);
    return code;
}

/* Brings the file into order on a connection of its own. */
static enum comb_status prepare_file(struct comb_sqlite *sqlite, struct comb_sqlite_conn *conn,
                                     struct comb_error *err)
{
    char id[64];
    enum comb_status status = check_owner(conn, sqlite->path, err);
    if (status != COMB_OK)
        return status;
    snprintf(id, sizeof id, "PRAGMA application_id = %d; COMMIT", APPLICATION_ID);
    int code = sqlite3_exec(conn->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(conn->db, setup_text, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = identify(conn, sqlite->path);
    if (code == SQLITE_OK)
        code = sqlite3_exec(conn->db, id, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = read_identity(conn, &sqlite->info);
    return code == SQLITE_OK ? COMB_OK : comb_sqlite_error(err, code, conn->db);
}

/* A connection on the heap: its table of statements is too large for a stack. NULL: see err. */
static struct comb_sqlite_conn *conn_new(const char *path, struct comb_error *err)
{
    struct comb_sqlite_conn *conn = comb_memory_zalloc(sizeof *conn);
    if (!conn) {
        comb_error_no_memory(err);
        return NULL;
    }
    if (comb_sqlite_conn_open(conn, path, COMB_SQLITE_WRITER, err) == COMB_OK)
        return conn;
    comb_memory_free(conn);
    return NULL;
}

static void conn_free(struct comb_sqlite_conn *conn)
{
    comb_sqlite_conn_close(conn);
    comb_memory_free(conn);
}

enum comb_status comb_sqlite_setup(struct comb_sqlite *sqlite, comb_str path,
                                   struct comb_error *err)
{
    struct comb_error cause = {.status = COMB_OK};
    enum comb_status status = make_file(path, &sqlite->path, err);
    if (status == COMB_OK)
        status = take_lock(sqlite->path, &sqlite->lock_fd, err);
    if (status != COMB_OK)
        return status;
    sqlite->info.driver = "sqlite";
    snprintf(sqlite->info.store, sizeof sqlite->info.store, "SQLite %s", sqlite3_libversion());
    struct comb_sqlite_conn *conn = conn_new(sqlite->path, &cause);
    if (conn)
        status = prepare_file(sqlite, conn, &cause);
    else
        status = cause.status;
    if (conn)
        conn_free(conn);
    if (status != COMB_OK && err)
        *err = cause;
    return status;
}

static const char find_migration_text[] =
    "SELECT text FROM comb_migration WHERE area = ?1 AND version = ?2";
static const char record_migration_text[] =
    "INSERT INTO comb_migration (area, version, text, time_us) VALUES (?1, ?2, ?3, ?4)";
static const char newest_migration_text[] =
    "SELECT coalesce(max(version), 0) FROM comb_migration WHERE area = ?1";

static enum comb_status run(struct comb_sqlite_conn *conn, struct grpcc_arena *arena,
                            const char *text, const struct comb_sql_value *params, size_t n_params,
                            const struct comb_sql_rows **ret_rows, struct comb_error *err)
{
    struct comb_sql_statement statement = {text, params, n_params, false};
    struct comb_sql_reply reply = {.arena = &arena};
    int code;
    enum comb_status status = comb_sqlite_execute(conn, &statement, 1, &reply, &code, err);
    if (status == COMB_OK)
        *ret_rows = reply.result.rows;
    return status;
}

/* Applies one migration, or finds it applied, in the transaction that is open. */
static enum comb_status migrate_one(struct comb_sqlite_conn *conn, struct grpcc_arena *arena,
                                    const struct comb_sql_migration *migration,
                                    struct comb_error *err)
{
    const struct comb_sql_value params[] = {
        comb_sql_text(comb_str_from(migration->area)),
        comb_sql_integer(migration->version),
        comb_sql_text(comb_str_from(migration->text)),
        comb_sql_integer(comb_clock_wall_us()),
    };
    const struct comb_sql_rows *rows;
    enum comb_status status = run(conn, arena, find_migration_text, params, 2, &rows, err);
    if (status != COMB_OK)
        return status;
    if (rows->n_rows == 1) {
        if (comb_str_equal(comb_sql_at(rows, 0, 0)->bytes, params[2].bytes))
            return COMB_OK;
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "the database was made by another build: its step %s %d differs",
                              migration->area, migration->version);
    }
    int code = sqlite3_exec(conn->db, migration->text, NULL, NULL, NULL);
    if (code != SQLITE_OK)
        return comb_sqlite_error(err, code, conn->db);
    return run(conn, arena, record_migration_text, params, 4, &rows, err);
}

/* Refuses a database whose area has more steps than a program of the release before may meet. */
static enum comb_status check_newest(struct comb_sqlite_conn *conn, struct grpcc_arena *arena,
                                     const struct comb_sql_migration *last, struct comb_error *err)
{
    const struct comb_sql_value area = comb_sql_text(comb_str_from(last->area));
    const struct comb_sql_rows *rows;
    enum comb_status status = run(conn, arena, newest_migration_text, &area, 1, &rows, err);
    if (status != COMB_OK)
        return status;
    if (comb_sql_at(rows, 0, 0)->integer > last->version + COMB_SQL_STEPS_AHEAD_MAX)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "the database was made by a newer version of Comb (%s %lld, this one "
                              "knows %d): use that version",
                              last->area, (long long)comb_sql_at(rows, 0, 0)->integer,
                              last->version);
    return COMB_OK;
}

static enum comb_status migrate_all(struct comb_sqlite_conn *conn, struct grpcc_arena *arena,
                                    const struct comb_sql_migration *migrations, size_t n,
                                    struct comb_error *err)
{
    enum comb_status status = COMB_OK;
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        int code = comb_sqlite_conn_do(conn, "BEGIN IMMEDIATE");
        if (code != SQLITE_OK)
            return comb_sqlite_error(err, code, conn->db);
        bool last = i + 1 == n || strcmp(migrations[i].area, migrations[i + 1].area) != 0;
        if (last)
            status = check_newest(conn, arena, &migrations[i], err);
        if (status == COMB_OK)
            status = migrate_one(conn, arena, &migrations[i], err);
        if (status == COMB_OK) {
            code = comb_sqlite_conn_do(conn, "COMMIT");
            if (code != SQLITE_OK)
                status = comb_sqlite_error(err, code, conn->db);
        }
        if (!sqlite3_get_autocommit(conn->db))
            sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return status;
}

enum comb_status comb_sqlite_migrate(struct comb_sql *sql,
                                     const struct comb_sql_migration *migrations, size_t n,
                                     struct comb_error *err)
{
    struct comb_sqlite *sqlite = (struct comb_sqlite *)sql;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    if (!arena)
        return comb_error_no_memory(err);
    struct comb_error cause = {.status = COMB_OK};
    struct comb_sqlite_conn *conn = conn_new(sqlite->path, &cause);
    enum comb_status status = cause.status;
    if (conn) {
        sqlite3_busy_timeout(conn->db, MIGRATE_BUSY_MS);
        status = migrate_all(conn, arena, migrations, n, &cause);
        conn_free(conn);
    }
    grpcc_arena_free(arena);
    if (status != COMB_OK && err) {
        *err = cause;
        err->domain = comb_sqlite_domain;
    }
    return status;
}
