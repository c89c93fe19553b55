/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/combd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "comb/v1/identity.grpcc.h"

#define COMBD_BINARY "server/combd"
#define READY_MS_MAX 60000
#define FLAGS_MAX 64
/* Homes with clustered stores that one test makes. */
#define STORES_MAX 8
/* Of a call, also of one that waits for a combd that is being started: slow disks are slow. */
#define TIMEOUT_MS 120000

/* What users made by combd_client_as log in with. */
#define USER_PASSWORD "correct horse battery"

/* A test has the ports of its own network to itself. These lie below those that the system gives
 * away: a client that tries again and again while combd is down could be given combd's. */
static unsigned next_port = 17070;

static void sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void read_line(const char *path, const char *key, char *ret_value, size_t size)
{
    char line[256];
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    ret_value[0] = 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0) {
            snprintf(ret_value, size, "%s", line + strlen(key));
            ret_value[strcspn(ret_value, "\n")] = 0;
        }
    fclose(file);
    if (!ret_value[0])
        fail_msg("%s has no line %s", path, key);
}

static struct stores *new_stores(void)
{
    static struct stores all[STORES_MAX];
    static size_t n;
    assert_in_range(n, 0, STORES_MAX - 1);
    stores_start(&all[n]);
    return &all[n++];
}

static void make_home(struct combd *combd)
{
    const char *kind = getenv("COMB_TEST_STORES");
    const char *base = getenv("TEST_TMPDIR");
    snprintf(combd->home, sizeof combd->home, "%s/comb.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(combd->home))
        fail_msg("%s: %s", combd->home, strerror(errno));
    snprintf(combd->address, sizeof combd->address, "127.0.0.1:%u", next_port++);
    snprintf(combd->admin_address, sizeof combd->admin_address, "127.0.0.1:%u", next_port++);
    if (!combd->stores && kind && strcmp(kind, "clustered") == 0)
        combd->stores = new_stores();
}

static void run_child(const struct combd *combd, const char *ready, const char *const *flags)
{
    char log[512];
    const char *arguments[FLAGS_MAX] = {COMBD_BINARY,         "--home",       combd->home,
                                        "--listen",           combd->address, "--admin-listen",
                                        combd->admin_address, "--ready-file", ready};
    size_t n = 9;
    for (size_t i = 0; combd->stores && i < combd->stores->n_flags; i++)
        arguments[n++] = combd->stores->flags[i];
    for (; flags && *flags && n < FLAGS_MAX - 1; flags++)
        arguments[n++] = *flags;
    snprintf(log, sizeof log, "%s/log", combd->home);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0) {
        dup2(fd, 1);
        dup2(fd, 2);
    }
    execv(COMBD_BINARY, (char *const *)arguments);
    _exit(127);
}

static void print_log(const struct combd *combd)
{
    char path[512], line[1024];
    snprintf(path, sizeof path, "%s/log", combd->home);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        fputs(line, stderr);
    if (file)
        fclose(file);
}

static void await_ready(struct combd *combd, const char *ready)
{
    for (long waited = 0; access(ready, R_OK) != 0; waited += 10) {
        int status = 0;
        if (waitpid(combd->pid, &status, WNOHANG) == combd->pid || waited > READY_MS_MAX) {
            print_log(combd);
            combd->pid = 0;
            fail_msg("combd does not serve (wait status %d)", status);
        }
        sleep_ms(10);
    }
}

static void start(struct combd *combd, const char *const *flags)
{
    char ready[512];
    if (!combd->home[0])
        make_home(combd);
    snprintf(ready, sizeof ready, "%s/ready", combd->home);
    (void)unlink(ready);
    fflush(NULL);
    combd->pid = fork();
    if (combd->pid < 0)
        fail_msg("fork: %s", strerror(errno));
    if (combd->pid == 0)
        run_child(combd, ready, flags);
    await_ready(combd, ready);
    read_line(ready, "listen=", combd->address, sizeof combd->address);
    read_line(ready, "admin=", combd->admin_address, sizeof combd->admin_address);
}

void combd_start(struct combd *combd, const char *const *flags)
{
    char password[512];
    start(combd, flags);
    snprintf(password, sizeof password, "%s/admin", combd->home);
    read_line(password, "", combd->password, sizeof combd->password);
}

void combd_start_beside(struct combd *combd, const struct combd *other, const char *const *flags)
{
    assert_non_null(other->stores);
    combd->stores = other->stores;
    snprintf(combd->password, sizeof combd->password, "%s", other->password);
    start(combd, flags);
}

void combd_kill(struct combd *combd)
{
    if (combd->pid <= 0)
        return;
    kill(combd->pid, SIGKILL);
    waitpid(combd->pid, NULL, 0);
    combd->pid = 0;
}

void combd_stop(struct combd *combd)
{
    int status = 0;
    kill(combd->pid, SIGTERM);
    waitpid(combd->pid, &status, 0);
    combd->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_log(combd);
        fail_msg("combd ended with wait status %d", status);
    }
}

void combd_done(struct combd *combd)
{
    combd_kill(combd);
}

static struct comb_client *open_client(const struct combd *combd, const char *login,
                                       const char *password)
{
    struct comb_client *client = NULL;
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct comb_client_options options = {
        .size = sizeof options, .timeout_ms = TIMEOUT_MS, .pinned = true};
    if (comb_client_open(combd->address, &options, &client, &err) != GRPCC_OK ||
        comb_client_login(client, login, password, "test", &err) != GRPCC_OK)
        fail_msg("%s at %s: %s", login, combd->address, err.message);
    return client;
}

struct comb_client *combd_client(const struct combd *combd)
{
    return open_client(combd, "admin", combd->password);
}

struct comb_client *combd_client_as(const struct combd *combd, const char *login)
{
    struct grpcc_error err = GRPCC_ERROR_INIT;
    struct grpcc_arena *arena = grpcc_arena_new(0);
    struct comb_client *admin = combd_client(combd);
    struct comb_v1_identity_create_user_request *request =
        comb_v1_identity_create_user_request_new(arena);
    struct comb_v1_identity_create_user_response *response = NULL;
    request->login = (char *)login;
    request->password = (char *)USER_PASSWORD;
    enum grpcc_status status = comb_v1_identity_create_user(comb_client_channel(admin), arena, NULL,
                                                            request, &response, &err);
    if (status != GRPCC_OK && status != GRPCC_ALREADY_EXISTS)
        fail_msg("making %s: %s", login, err.message);
    comb_client_close(admin);
    grpcc_arena_free(arena);
    return open_client(combd, login, USER_PASSWORD);
}
