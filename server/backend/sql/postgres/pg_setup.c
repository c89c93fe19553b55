/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's own tables, who the store is, and migrations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/sql/postgres/postgres.h"
#include "server/backend/tls/tls.h"
#include "server/core/clock.h"

/* How long a whole migration, or the wait for that of another process, may take. */
enum { MIGRATE_MS = 60000 };
/* Where a URL names no port. */
enum { DEFAULT_PORT = 5432 };

/* One process at a time makes and changes tables. */
static const char begin_sql[] =
    "BEGIN; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(1129270594, 0)";

static const char setup_sql[] =
    "CREATE TABLE IF NOT EXISTS comb_store (one boolean PRIMARY KEY CHECK (one),"
    " installation uuid NOT NULL, restored integer NOT NULL);"
    "INSERT INTO comb_store VALUES (true, gen_random_uuid(), 1) ON CONFLICT DO NOTHING;"
    "CREATE TABLE IF NOT EXISTS comb_origin (one boolean PRIMARY KEY CHECK (one),"
    " system bigint NOT NULL);"
    "INSERT INTO comb_origin SELECT true, system_identifier FROM pg_control_system()"
    " ON CONFLICT DO NOTHING;"
    "CREATE TABLE IF NOT EXISTS comb_migration (area text, version integer, text text NOT NULL,"
    " time_us bigint NOT NULL, PRIMARY KEY (area, version));"
    "CREATE OR REPLACE FUNCTION comb_guard(n bigint) RETURNS bigint LANGUAGE plpgsql AS $$"
    " BEGIN IF n = 0 THEN RAISE 'guard' USING ERRCODE = 'CG001'; END IF; RETURN n; END $$;"
    "COMMIT";

/* A timeline is one more with each promotion; on a standby it cannot be asked for. A standby has
 * the system's number of its primary; what a dump was put back into has another. */
static const char identify_sql[] =
    "SELECT installation, restored, CASE WHEN pg_is_in_recovery() THEN 0 ELSE"
    " ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,"
    " current_setting('server_version'), system_identifier, system"
    " FROM comb_store, comb_origin, pg_control_system()";

static const char find_sql[] = "SELECT text FROM comb_migration WHERE area = $1 AND version = $2";
static const char newest_sql[] =
    "SELECT coalesce(max(version), 0) FROM comb_migration WHERE area = $1";
static const char record_sql[] = "INSERT INTO comb_migration (area, version, text, time_us)"
                                 " VALUES ($1, $2, $3, $4)";

static int64_t deadline_after(int milliseconds)
{
    return comb_clock_steady_ns() + milliseconds * COMB_NS_PER_MS;
}

static enum comb_status run(PGconn *pq, const char *sql, int64_t deadline_ns,
                            struct comb_error *err)
{
    PGresult *result = comb_pg_ask(pq, sql, NULL, 0, deadline_ns, err);
    PQclear(result);
    return result ? COMB_OK : err->status;
}

/* ---- who the store is ---- */

static enum comb_status read_identity(PGconn *pq, struct comb_sql_info *ret_info,
                                      uint64_t *ret_system, struct comb_error *err)
{
    PGresult *result =
        comb_pg_ask(pq, identify_sql, NULL, 0, deadline_after(COMB_PG_CONNECT_MS), err);
    if (!result)
        return err->status;
    enum comb_status status = COMB_OK;
    if (PQntuples(result) != 1 ||
        !comb_uuid_parse(comb_str_from(PQgetvalue(result, 0, 0)), &ret_info->installation)) {
        status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                "the table comb_store does not say which installation this is");
    } else {
        uint64_t restored = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
        uint64_t timeline = strtoull(PQgetvalue(result, 0, 2), NULL, 10);
        ret_info->incarnation = restored << 32 | timeline;
        ret_info->history_since = restored << 32;
        ret_info->copied = strcmp(PQgetvalue(result, 0, 4), PQgetvalue(result, 0, 5)) != 0;
        *ret_system = (uint64_t)strtoll(PQgetvalue(result, 0, 4), NULL, 10);
        ret_info->driver = "postgres";
        ret_info->shared = true;
        snprintf(ret_info->store, sizeof ret_info->store, "PostgreSQL %.40s",
                 PQgetvalue(result, 0, 3));
    }
    PQclear(result);
    return status;
}

void comb_pg_expect(struct comb_sql *sql, uint64_t incarnation)
{
    struct comb_pg *pg = (struct comb_pg *)sql;
    pthread_mutex_lock(&pg->lock);
    if (incarnation > pg->least)
        pg->least = incarnation;
    pthread_mutex_unlock(&pg->lock);
    comb_pg_wake(pg);
}

enum comb_status comb_pg_identify(struct comb_pg *pg, PGconn *pq, uint64_t *ret_incarnation,
                                  struct comb_error *err)
{
    struct comb_sql_info found;
    uint64_t system;
    pthread_mutex_lock(&pg->lock);
    bool unknown = comb_uuid_is_nil(&pg->info.installation);
    pthread_mutex_unlock(&pg->lock);
    if (unknown) /* the first session of all, which makes what says who the store is */
        return COMB_OK;
    enum comb_status status = read_identity(pq, &found, &system, err);
    if (status != COMB_OK)
        return status;
    pthread_mutex_lock(&pg->lock);
    if (!comb_uuid_equal(&found.installation, &pg->info.installation))
        status = comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                                "the database belongs to another installation");
    else if (found.incarnation < pg->least)
        status = comb_error_set(err, COMB_UNAVAILABLE, 0,
                                "the database is an older one than was seen before: it was left "
                                "behind when another was promoted");
    else if (system != pg->system && found.incarnation == pg->least)
        status = comb_error_set(err, COMB_UNAVAILABLE, 0,
                                "the database is a copy in another server: run combd once with "
                                "--restored");
    if (status == COMB_OK) {
        pg->info = found;
        pg->system = system;
    }
    pthread_mutex_unlock(&pg->lock);
    if (status != COMB_OK) {
        err->domain = comb_pg_domain;
        return status;
    }
    *ret_incarnation = found.incarnation;
    comb_pg_expect(&pg->base, found.incarnation);
    return COMB_OK;
}

/* The value of a word of the URL, or of libpq's environment, for the first of several hosts. */
static void first_of(const PQconninfoOption *options, const char *word, char *ret, size_t size)
{
    ret[0] = 0;
    for (; options->keyword; options++)
        if (strcmp(options->keyword, word) == 0 && options->val)
            snprintf(ret, size, "%.*s", (int)strcspn(options->val, ","), options->val);
}

/* libpq says no more of a certificate than that it refuses it. */
static void explain(const struct comb_pg *pg, struct comb_error *err)
{
    char host[256], port[8], ca[4096];
    PQconninfoOption *options =
        comb_tls_is_refusal(err->msg) ? PQconninfoParse(pg->url, NULL) : NULL;
    if (!options)
        return;
    first_of(options, "host", host, sizeof host);
    first_of(options, "port", port, sizeof port);
    first_of(options, "sslrootcert", ca, sizeof ca);
    PQconninfoFree(options);
    const struct comb_tls_server server = {
        .host = host,
        .port = (uint16_t)(port[0] ? strtoul(port, NULL, 10) : DEFAULT_PORT),
        .opening = COMB_TLS_POSTGRES,
        .ca = ca[0] ? ca : NULL,
    };
    (void)comb_tls_explain(&server, COMB_PG_CONNECT_MS, err);
}

enum comb_status comb_pg_setup(struct comb_pg *pg, struct comb_error *err)
{
    int64_t deadline_ns = deadline_after(MIGRATE_MS);
    uint64_t incarnation;
    PGconn *pq = comb_pg_connect(pg, COMB_PG_WRITE, &incarnation, err);
    if (!pq) {
        explain(pg, err);
        return err->status;
    }
    enum comb_status status = run(pq, begin_sql, deadline_ns, err);
    if (status == COMB_OK)
        status = run(pq, setup_sql, deadline_ns, err);
    if (status == COMB_OK)
        status = read_identity(pq, &pg->info, &pg->system, err);
    if (status == COMB_OK)
        pg->least = pg->info.incarnation;
    PQfinish(pq);
    return status;
}

enum comb_status comb_pg_check(struct comb_sql *sql, struct comb_ctx *ctx, struct comb_error *err)
{
    /* A row may find room in its page while the disk is full: what is sorted on disk shows that. */
    static const char write_sql[] =
        "UPDATE comb_store SET restored = restored;"
        "SET work_mem = '64kB'; SET temp_tablespaces = '';"
        "SELECT count(*) FROM (SELECT n FROM generate_series(1, 20000) AS n ORDER BY -n) AS sorted";
    struct comb_pg *pg = (struct comb_pg *)sql;
    struct comb_error cause = {.status = COMB_OK};
    int left_ms = comb_ctx_left_ms(ctx);
    int64_t deadline_ns =
        deadline_after(left_ms < COMB_PG_CONNECT_MS ? left_ms : COMB_PG_CONNECT_MS);
    uint64_t incarnation;
    PGconn *pq = comb_pg_connect(pg, COMB_PG_WRITE, &incarnation, &cause);
    enum comb_status status = pq ? COMB_OK : cause.status;
    if (status == COMB_OK)
        status = run(pq, write_sql, deadline_ns, &cause);
    if (status == COMB_UNAVAILABLE && pq && comb_clock_steady_ns() >= deadline_ns)
        comb_error_set(
            &cause, status, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
            "the database answers, but no write ends: does its synchronous standby run?");
    PQfinish(pq);
    if (status != COMB_OK && err) {
        explain(pg, &cause);
        cause.domain = comb_pg_domain;
        *err = cause;
    }
    return status;
}

/* ---- migrations ---- */

/* The value of the only row, to be freed; *ret_value NULL: no row. */
static enum comb_status ask_value(PGconn *pq, const char *sql, const char *const *params,
                                  int n_params, int64_t deadline_ns, char **ret_value,
                                  struct comb_error *err)
{
    PGresult *result = comb_pg_ask(pq, sql, params, n_params, deadline_ns, err);
    if (!result)
        return err->status;
    *ret_value = PQntuples(result) == 1 ? strdup(PQgetvalue(result, 0, 0)) : NULL;
    PQclear(result);
    return COMB_OK;
}

static enum comb_status apply(PGconn *pq, const struct comb_sql_migration *migration,
                              int64_t deadline_ns, struct comb_error *err)
{
    char version[16], time[32];
    const char *const params[] = {migration->area, version, migration->text, time};
    char *applied = NULL;
    snprintf(version, sizeof version, "%d", migration->version);
    snprintf(time, sizeof time, "%lld", (long long)comb_clock_wall_us());
    enum comb_status status = ask_value(pq, find_sql, params, 2, deadline_ns, &applied, err);
    if (status != COMB_OK)
        return status;
    if (applied) {
        bool same = strcmp(applied, migration->text) == 0;
        free(applied);
        return same ? COMB_OK
                    : comb_error_set(
                          err, COMB_FAILED_PRECONDITION, 0,
                          "the database was made by another build: its step %s %d differs",
                          migration->area, migration->version);
    }
    status = run(pq, migration->text, deadline_ns, err);
    if (status != COMB_OK)
        return status;
    PGresult *result = comb_pg_ask(pq, record_sql, params, 4, deadline_ns, err);
    PQclear(result);
    return result ? COMB_OK : err->status;
}

/* Refuses a database whose area has more steps than a program of the release before may meet. */
static enum comb_status check_newest(PGconn *pq, const struct comb_sql_migration *last,
                                     int64_t deadline_ns, struct comb_error *err)
{
    const char *const params[] = {last->area};
    char *newest = NULL;
    enum comb_status status = ask_value(pq, newest_sql, params, 1, deadline_ns, &newest, err);
    if (status != COMB_OK)
        return status;
    long version = newest ? strtol(newest, NULL, 10) : 0;
    free(newest);
    if (version <= last->version + COMB_SQL_STEPS_AHEAD_MAX)
        return COMB_OK;
    return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                          "the database was made by a newer version of Comb (%s %ld, this one "
                          "knows %d): use that version",
                          last->area, version, last->version);
}

enum comb_status comb_pg_migrate(struct comb_sql *sql, const struct comb_sql_migration *migrations,
                                 size_t n, struct comb_error *err)
{
    struct comb_pg *pg = (struct comb_pg *)sql;
    struct comb_error cause = {.status = COMB_OK};
    int64_t deadline_ns = deadline_after(MIGRATE_MS);
    uint64_t incarnation;
    PGconn *pq = comb_pg_connect(pg, COMB_PG_WRITE, &incarnation, &cause);
    enum comb_status status = pq ? COMB_OK : cause.status;
    for (size_t i = 0; i < n && status == COMB_OK; i++) {
        bool last = i + 1 == n || strcmp(migrations[i].area, migrations[i + 1].area) != 0;
        status = run(pq, begin_sql, deadline_ns, &cause);
        if (status == COMB_OK && last)
            status = check_newest(pq, &migrations[i], deadline_ns, &cause);
        if (status == COMB_OK)
            status = apply(pq, &migrations[i], deadline_ns, &cause);
        if (status == COMB_OK)
            status = run(pq, "COMMIT", deadline_ns, &cause);
    }
    /* What is open is undone with its session. */
    PQfinish(pq);
    if (status != COMB_OK) {
        cause.domain = comb_pg_domain;
        if (err)
            *err = cause;
    }
    return status;
}
