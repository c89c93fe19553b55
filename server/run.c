/* SPDX-License-Identifier: Apache-2.0 */
#include "server/run.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <grpc/grpc.h>
#include <grpcc/channelz.h>
#include <sqlite3.h>

#include "comb/v1/admin.grpcc.h"
#include "comb/v1/auth.grpcc.h"
#include "grpcc/log.h"
#include "server/admin/admin_rpc.h"
#include "server/admin_view.h"
#include "server/core/clock.h"
#include "server/core/log.h"
#include "server/extractor.h"
#include "server/health.h"
#include "server/home.h"
#include "server/incarnation.h"
#include "server/janitor.h"
#include "server/listen.h"
#include "server/logs/own.h"
#include "server/observe.h"
#include "server/replica.h"
#include "server/rows.h"
#include "server/services.h"

#define START_MS_MAX 60000
#define CONFIGURED UINT32_MAX

struct run {
    const struct comb_options *options;
    char home[COMB_HOME_PATH_MAX];
    struct grpcc_arena *arena;
    struct comb_ctx ctx;
    struct comb_rows rows;
    struct comb_services services;
    struct comb_incarnation *incarnation;
    struct comb_janitor *janitor;
    struct comb_observe *observe;
    struct comb_logs_sink *sink; /* NULL: the log is not kept */
    struct comb_logs_own own;
    struct grpcc_server *api, *admin;
    sigset_t ends; /* the signals that end it */
    char listen[COMB_ADDRESS_TEXT_MAX], admin_listen[COMB_ADDRESS_TEXT_MAX];
    char metrics_listen[COMB_ADDRESS_TEXT_MAX];
    struct comb_admin info;
    struct comb_replica replica;
    struct comb_admin_view view;
    struct comb_health *health;
    /* Written by Admin.Drain before it signals, read by the main thread after the signal. */
    atomic_uint delay_ms, grace_ms;
    atomic_bool draining;
};

/* ---- what Admin tells and does ---- */

static void begin_drain(void *data, uint32_t delay_ms, uint32_t grace_ms)
{
    struct run *run = data;
    if (atomic_exchange(&run->draining, true))
        return;
    if (delay_ms != CONFIGURED)
        atomic_store(&run->delay_ms, delay_ms);
    if (grace_ms != CONFIGURED)
        atomic_store(&run->grace_ms, grace_ms);
    /* The main thread waits for it. */
    (void)kill(getpid(), SIGTERM);
}

static bool is_draining(void *data)
{
    struct run *run = data;
    return atomic_load(&run->draining);
}

static void fill_admin(struct run *run)
{
    const struct comb_services *s = &run->services;
    struct comb_admin *info = &run->info;
    info->replica = s->replica;
    info->installation = s->info.installation;
    info->start_us = comb_clock_wall_us();
    info->listen = run->listen;
    info->advertise = run->options->advertise ? run->options->advertise : run->listen;
    info->admin_listen = run->admin_listen;
    info->libraries[info->n_libraries++] =
        (struct comb_admin_library){"grpc", grpc_version_string()};
    info->libraries[info->n_libraries++] =
        (struct comb_admin_library){"sqlite", sqlite3_libversion()};
    run->view = (struct comb_admin_view){.rows = &run->rows, .services = &run->services};
    comb_admin_view_init(&run->view, info);
    info->drain = begin_drain;
    info->is_draining = is_draining;
    info->data = run;
}

/* ---- first start ---- */

static enum comb_status make_administrator(struct run *run, struct comb_error *err)
{
    struct comb_services *s = &run->services;
    char *password = NULL;
    bool empty = false, made = false, created = false;
    enum comb_status status = comb_identity_is_empty(s->identity, &run->ctx, &empty, err);
    if (status != COMB_OK || !empty)
        return status;
    status = comb_home_admin_password(run->options, run->home, run->arena, &password, &made, err);
    if (status == COMB_OK)
        status = comb_identity_bootstrap(s->identity, &run->ctx, STR("admin"),
                                         comb_str_from(password), &created, err);
    /* Shown to a person, never to a log. */
    if (status == COMB_OK && created && made && isatty(STDERR_FILENO))
        fprintf(stderr, "combd: the password of \"admin\" is %s; it is not shown again\n",
                password);
    if (status == COMB_OK && created && made)
        fprintf(stderr,
                "combd: made the administrator \"admin\"; his password is kept in %s/admin\n",
                run->home);
    if (password)
        explicit_bzero(password, strlen(password));
    return status;
}

/* ---- servers ---- */

/* How long a stream may go on after its connection's age, when the client has been asked to connect
 * anew: a backup, the move of a row, a large file to a client that does not resume are one call. */
#define STREAM_GRACE_MS (24u * 3600 * 1000)

static enum comb_status new_server(const struct comb_options *options, struct grpcc_server **ret,
                                   struct comb_error *err)
{
    const struct grpcc_server_options server = {
        .size = sizeof server,
        .workers = options->workers,
        .connection_age_grace_ms = STREAM_GRACE_MS,
    };
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    *ret = grpcc_server_new(&server, &failure);
    if (*ret)
        return COMB_OK;
    return comb_error_set(err, (enum comb_status)failure.status, 0, "%.200s", failure.message);
}

static enum comb_status start_server(struct grpcc_server *server, struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (grpcc_server_start(server, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, (enum comb_status)failure.status, 0, "%.200s", failure.message);
}

static enum comb_status start_api(struct run *run, struct comb_error *err)
{
    const char *advertise = run->options->advertise;
    enum comb_status status = advertise ? comb_advertise_check(advertise, err) : COMB_OK;
    if (status == COMB_OK)
        status = new_server(run->options, &run->api, err);
    if (status == COMB_OK)
        status = comb_observe_attach(run->observe, run->api, "api", err);
    if (status == COMB_OK)
        status = comb_services_register(&run->services, run->api, err);
    if (status == COMB_OK)
        status = comb_listen(run->api, run->options->listen, run->options, run->listen, err);
    return status == COMB_OK ? start_server(run->api, err) : status;
}

/* What gRPC core counts; only administrators may read it (server/rpc/dispatch.c). */
static enum comb_status serve_channelz(struct grpcc_server *server, struct comb_error *err)
{
    struct grpcc_error failure = GRPCC_ERROR_INIT;
    if (grpcc_channelz_register(server, &failure) == GRPCC_OK)
        return COMB_OK;
    return comb_error_set(err, (enum comb_status)failure.status, 0, "%.200s", failure.message);
}

/* A server of its own: one gRPC server answers every method on every port. */
static enum comb_status start_admin(struct run *run, struct comb_error *err)
{
    static const struct grpcc_service *const services[] = {&comb_v1_admin_service,
                                                           &comb_v1_auth_service};
    const struct comb_options *options = run->options;
    run->view.api = run->api;
    run->view.observe = run->observe;
    enum comb_status status = new_server(options, &run->admin, err);
    if (status == COMB_OK)
        status = comb_observe_attach(run->observe, run->admin, "admin", err);
    if (status == COMB_OK)
        status = comb_admin_rpc_register(run->admin, &run->info, err);
    /* The same log-in as on the API's side. */
    if (status == COMB_OK)
        status = comb_auth_rpc_register(run->admin, run->services.auth, err);
    if (status == COMB_OK)
        status = serve_channelz(run->admin, err);
    if (status == COMB_OK)
        status = comb_dispatch_attach(run->services.dispatch, run->admin, services, 2, err);
    if (status == COMB_OK && options->admin_listen_given)
        status = comb_listen(run->admin, options->admin_listen, options, run->admin_listen, err);
    else if (status == COMB_OK)
        status =
            comb_listen_next(run->admin, options->admin_listen, options, run->admin_listen, err);
    return status == COMB_OK ? start_server(run->admin, err) : status;
}

/* ---- logs of the libraries ---- */

static void log_runtime(void *data, enum grpcc_log_level level, const char *message)
{
    static const enum comb_log_level levels[] = {COMB_LOG_DEBUG, COMB_LOG_INFO, COMB_LOG_WARN,
                                                 COMB_LOG_ERROR};
    (void)data;
    comb_log(levels[level], "grpcc", "runtime", comb_log_text("text", comb_str_from(message)));
}

/* ---- our own log, among the others ---- */

/* From now on lines wait until there is a store. */
static enum comb_status begin_log(struct run *run, struct comb_error *err)
{
    enum comb_log_level level;
    enum comb_status status = comb_log_set_levels(comb_str_from(run->options->log), err);
    if (status != COMB_OK)
        return status;
    if (!comb_log_level_parse(comb_str_from(run->options->log_store), &level))
        return comb_error_set(err, COMB_INVALID_ARGUMENT, 0,
                              "--log-store: must be error, warn, info, debug, trace or off, and is "
                              "\"%.64s\"",
                              run->options->log_store);
    return level == COMB_LOG_OFF ? COMB_OK : comb_logs_sink_new(level, &run->sink, err);
}

static enum comb_status open_services(struct run *run, struct comb_error *err)
{
    enum comb_status status = comb_services_open(&run->services, &run->rows, &run->ctx, err);
    if (status != COMB_OK)
        return status;
    run->own.logs = run->services.logs;
    comb_uuid_format(&run->services.replica, run->own.replica);
    return run->sink ? comb_logs_sink_start(run->sink, comb_logs_own_append, &run->own, err)
                     : COMB_OK;
}

/* ---- the life ---- */

/* As many descriptors as the machine lets a process have: connections need them. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* A signal that comes while a store is waited for ends the start, not only the serving. */
static bool wait_for_store(void *data, uint32_t ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * COMB_NS_PER_MS};
    return sigtimedwait(data, NULL, &time) < 0;
}

static enum comb_status open_rows(struct run *run, struct comb_error *err)
{
    const struct comb_rows_patience patience = {wait_for_store, &run->ends};
    enum comb_status status = comb_rows_init(&run->rows, run->options, run->home, err);
    if (status == COMB_OK && run->options->cluster)
        status = comb_rows_check_cluster(&run->rows, stderr, err);
    if (status == COMB_OK)
        status = comb_rows_open(&run->rows, &patience, &run->ctx, err);
    return status;
}

static enum comb_status start(struct run *run, struct comb_error *err)
{
    enum comb_status status = begin_log(run, err);
    if (status == COMB_OK)
        status = comb_home_open(run->options, run->home, err);
    if (status == COMB_OK)
        status = open_rows(run, err);
    if (status == COMB_OK)
        status = comb_incarnation_start(comb_rows_store(&run->rows, COMB_ROW_SQL),
                                        comb_rows_store(&run->rows, COMB_ROW_CONFIG), &run->ctx,
                                        &run->incarnation, err);
    if (status == COMB_OK)
        status = open_services(run, err);
    if (status == COMB_OK)
        status = make_administrator(run, err);
    if (status != COMB_OK)
        return status;
    fill_admin(run);
    status = comb_janitor_start(&run->services, run->options, &run->janitor, err);
    if (status == COMB_OK)
        status = comb_observe_open(run->options, &run->services, run->sink, &run->observe, err);
    if (status == COMB_OK)
        status = start_api(run, err);
    if (status == COMB_OK)
        status = comb_health_start(&run->rows, run->api, &run->health, err);
    if (status == COMB_OK)
        status = start_admin(run, err);
    if (status == COMB_OK)
        status = comb_observe_serve(run->observe, run->api, run->admin, run->metrics_listen, err);
    if (status == COMB_OK)
        status = comb_replica_announce(&run->replica, run->services.directory, &run->info, run->api,
                                       err);
    if (status == COMB_OK && run->options->ready_file)
        status = comb_ready_write(run->options->ready_file, run->listen, run->admin_listen,
                                  run->metrics_listen, err);
    if (status == COMB_OK)
        comb_log(COMB_LOG_INFO, "run", "serving",
                 comb_log_text("listen", comb_str_from(run->listen)),
                 comb_log_text("admin", comb_str_from(run->admin_listen)),
                 comb_log_text("metrics", comb_str_from(run->metrics_listen)),
                 comb_log_text("version", STR(COMB_VERSION)));
    return status;
}

/* SIGHUP is there only where there is a file to open again. */
static void wait_for_the_end(struct run *run, const sigset_t *signals)
{
    int number = 0;
    while (sigwait(signals, &number) == 0 && number == SIGHUP)
        comb_observe_reopen(run->observe);
}

/* A second signal during the drain ends the process at once. */
static void *end_at_second_signal(void *data)
{
    int number = 0;
    while (sigwait(data, &number) == 0 && number == SIGHUP)
        continue;
    _exit(1);
}

static void drain(struct run *run, sigset_t *signals)
{
    pthread_t second;
    atomic_store(&run->draining, true);
    if (pthread_create(&second, NULL, end_at_second_signal, signals) == 0)
        pthread_detach(second);
    comb_log(COMB_LOG_INFO, "run", "draining",
             comb_log_integer("delay_ms", atomic_load(&run->delay_ms)),
             comb_log_integer("grace_ms", atomic_load(&run->grace_ms)));
    comb_replica_refresh(&run->replica);
    /* Watches have no end of their own. */
    comb_services_drain(&run->services);
    grpcc_server_drain(run->api, atomic_load(&run->delay_ms), atomic_load(&run->grace_ms));
    grpcc_server_drain(run->admin, 0, 1000);
    comb_replica_withdraw(&run->replica);
}

static void stop(struct run *run)
{
    comb_observe_stop(run->observe);
    comb_replica_withdraw(&run->replica);
    comb_health_stop(run->health);
    grpcc_server_free(run->admin);
    grpcc_server_free(run->api);
    comb_observe_free(run->observe);
    comb_janitor_stop(run->janitor);
    comb_logs_sink_stop(run->sink);
    comb_services_close(&run->services);
    comb_incarnation_stop(run->incarnation);
    comb_rows_done(&run->rows);
    comb_logs_sink_free(run->sink);
    grpcc_arena_free(run->arena);
}

enum comb_status comb_run_check(const struct comb_options *options, bool *ret_good,
                                struct comb_error *err)
{
    static struct comb_rows rows;
    char home[COMB_HOME_PATH_MAX];
    /* The lines on standard output say it all. */
    enum comb_status status = comb_log_set_levels(STR("all=off"), err);
    if (status == COMB_OK)
        status = comb_home_find(options, home, err);
    if (status == COMB_OK)
        status = comb_rows_init(&rows, options, home, err);
    if (status == COMB_OK && options->cluster)
        status = comb_rows_check_cluster(&rows, stderr, err);
    if (status != COMB_OK)
        return status;
    grpcc_set_log(log_runtime, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    *ret_good = comb_rows_check(&rows, stdout);
    if (!comb_extractor_check(options, stdout))
        *ret_good = false;
    comb_rows_done(&rows);
    return COMB_OK;
}

enum comb_status comb_run_restored(const struct comb_options *options, struct comb_error *err)
{
    static struct comb_rows rows;
    char home[COMB_HOME_PATH_MAX];
    struct comb_ctx ctx = {.arena = grpcc_arena_new(0),
                           .deadline_ns = comb_clock_in_ms(START_MS_MAX)};
    enum comb_status status = ctx.arena ? COMB_OK : comb_error_no_memory(err);
    grpcc_set_log(log_runtime, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (status == COMB_OK)
        status = comb_log_set_levels(comb_str_from(options->log), err);
    if (status == COMB_OK)
        status = comb_home_open(options, home, err);
    if (status == COMB_OK)
        status = comb_rows_init(&rows, options, home, err);
    if (status == COMB_OK && comb_rows_refer_to_vault(&rows))
        status = comb_rows_open_one(&rows, COMB_ROW_VAULT, &ctx, err);
    if (status == COMB_OK)
        status = comb_rows_open_one(&rows, COMB_ROW_CONFIG, &ctx, err);
    if (status == COMB_OK)
        status = comb_rows_open_one(&rows, COMB_ROW_SQL, &ctx, err);
    if (status == COMB_OK)
        status = comb_incarnation_begin_anew(comb_rows_store(&rows, COMB_ROW_SQL),
                                             comb_rows_store(&rows, COMB_ROW_CONFIG), &ctx, err);
    if (status == COMB_OK)
        puts("a new history begins: tokens and cursors from before are refused");
    comb_rows_done(&rows);
    grpcc_arena_free(ctx.arena);
    return status;
}

enum comb_status comb_run(const struct comb_options *options, struct comb_error *err)
{
    static struct run run;
    static sigset_t signals;
    /* Before any thread is made, so that all of them block what this one waits for. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    run.ends = signals;
    if (comb_observe_has_file(options))
        sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file beyond RLIMIT_FSIZE is a full store, no crash */
    grpcc_set_log(log_runtime, NULL);
    raise_descriptors();
    run.options = options;
    run.arena = grpcc_arena_new(0);
    if (!run.arena)
        return comb_error_no_memory(err);
    run.ctx.arena = run.arena;
    run.ctx.deadline_ns = comb_clock_monotonic_ns() + START_MS_MAX * COMB_NS_PER_MS;
    atomic_store(&run.delay_ms, options->drain_delay_ms);
    atomic_store(&run.grace_ms, options->drain_grace_ms);
    enum comb_status status = start(&run, err);
    if (status == COMB_OK) {
        wait_for_the_end(&run, &signals);
        drain(&run, &signals);
    }
    stop(&run);
    return status;
}
