/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/store_process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/support.h"

extern char **environ;

enum { READY_S = 120, CHILDREN_MAX = 256 };

void store_process_init(struct store_process *process)
{
    *process = (struct store_process){.folder = test_folder_new()};
}

static pid_t spawn(const struct store_process *process, const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    char *log = test_path(process->folder, "log");
    pid_t pid = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int code = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    free(log);
    if (code != 0)
        fail_msg("%s: %s", argv[0], strerror(code));
    return pid;
}

void store_process_spawn(struct store_process *process, const char *const *argv)
{
    process->pid = spawn(process, argv);
}

void store_process_run(const struct store_process *process, const char *const *argv)
{
    int status = -1;
    waitpid(spawn(process, argv), &status, 0);
    if (status != 0)
        fail_msg("%s failed: see %s/log", argv[0], process->folder);
}

void store_process_await(struct store_process *process, bool (*is_ready)(void *data), void *data)
{
    const struct timespec pause = {0, 20 * 1000 * 1000};
    for (time_t end = time(NULL) + READY_S; time(NULL) < end;) {
        if (is_ready(data))
            return;
        if (waitpid(process->pid, NULL, WNOHANG) == process->pid)
            break;
        nanosleep(&pause, NULL);
    }
    fail_msg("the server does not answer: see %s/log", process->folder);
}

static bool accepts(void *data)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    address.sin_port = htons(*(const uint16_t *)data);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return connected;
}

void store_process_await_port(struct store_process *process, int port)
{
    uint16_t number = (uint16_t)port;
    store_process_await(process, accepts, &number);
}

static size_t children_of(pid_t pid, pid_t ret_children[CHILDREN_MAX])
{
    char path[64];
    size_t n = 0;
    int child;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *children = fopen(path, "r");
    assert_non_null(children);
    while (n < CHILDREN_MAX && fscanf(children, "%d", &child) == 1)
        ret_children[n++] = child;
    fclose(children);
    return n;
}

void store_process_kill(struct store_process *process)
{
    pid_t children[CHILDREN_MAX];
    /* The first one would start others for those that die; without it they become ours. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    kill(process->pid, SIGSTOP);
    size_t n = children_of(process->pid, children);
    kill(process->pid, SIGKILL);
    waitpid(process->pid, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
    process->pid = 0;
}

static void signal_all(const struct store_process *process, int number)
{
    pid_t children[CHILDREN_MAX];
    kill(process->pid, number);
    size_t n = children_of(process->pid, children);
    for (size_t i = 0; i < n; i++)
        kill(children[i], number);
}

/* Whether each thread stands still, or the process is gone. */
static bool is_stopped(pid_t pid)
{
    char path[NAME_MAX + 64], line[512];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    const struct dirent *task;
    bool stopped = true;
    while (tasks && stopped && (task = readdir(tasks))) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/stat", pid, task->d_name);
        FILE *stat = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!stat)
            continue;
        /* "PID (NAME) STATE ...": a name may have anything in it. */
        const char *end = fgets(line, sizeof line, stat) ? strrchr(line, ')') : NULL;
        stopped = !end || strchr("TtZX", end[2]);
        fclose(stat);
    }
    if (tasks)
        closedir(tasks);
    return stopped;
}

static void await_stop(pid_t pid)
{
    const struct timespec pause = {0, 1000 * 1000};
    for (time_t end = time(NULL) + READY_S; time(NULL) < end;) {
        if (is_stopped(pid))
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("process %d does not stop", pid);
}

void store_process_freeze(struct store_process *process)
{
    pid_t children[CHILDREN_MAX];
    signal_all(process, SIGSTOP);
    /* A signal takes a moment to reach the threads that run. */
    await_stop(process->pid);
    size_t n = children_of(process->pid, children);
    for (size_t i = 0; i < n; i++)
        await_stop(children[i]);
}

void store_process_thaw(struct store_process *process)
{
    signal_all(process, SIGCONT);
}

void store_process_done(struct store_process *process, int signal)
{
    if (process->pid > 0) {
        kill(process->pid, SIGCONT);
        kill(process->pid, signal);
        waitpid(process->pid, NULL, 0);
    }
    free(process->folder);
    *process = (struct store_process){0};
}

/* Below those that the kernel gives to connections: a client that tries to reach a server that is
 * down would sooner or later get the server's port for its own end, and be connected to itself. */
enum { PORT_FIRST = 10000, PORTS = 10000 };

static bool is_free(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return bound;
}

int test_free_port(void)
{
    for (int i = 0; i < PORTS; i++) {
        unsigned number = 0;
        /* By chance: some servers keep a socket below /tmp that is called by their port, and the
         * /tmp of tests at the same time is one. */
        assert_int_equal(getrandom(&number, sizeof number, 0), sizeof number);
        int port = PORT_FIRST + (int)(number % PORTS);
        if (is_free(port))
            return port;
    }
    fail_msg("no port is free");
    return 0;
}
