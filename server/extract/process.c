/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Nothing of ours is left to it: no environment, no descriptor but the control socket. */
static int set_actions(posix_spawn_file_actions_t *actions, int control)
{
    int failed = posix_spawn_file_actions_adddup2(actions, control, COMB_EXTRACT_CONTROL_FD);
    if (!failed)
        failed = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!failed)
        failed = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!failed)
        failed = posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
    if (!failed)
        failed = posix_spawn_file_actions_addclosefrom_np(actions, COMB_EXTRACT_CONTROL_FD + 1);
    return failed;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawnattr_setsigmask(attributes, &none);
    if (!failed)
        failed = posix_spawnattr_setsigdefault(attributes, &all);
    if (!failed)
        failed =
            posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return failed;
}

static int spawn(const char *program, int control, pid_t *ret_pid)
{
    static char as_worker[] = "--worker";
    char *const argv[] = {(char *)(uintptr_t)program, as_worker, NULL};
    char *const environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (!failed) {
        failed = set_actions(&actions, control);
        if (!failed)
            failed = set_attributes(&attributes);
        if (!failed)
            failed = posix_spawn(ret_pid, program, &actions, &attributes, argv, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static enum comb_status await_hello(struct comb_extract_process *process, const char *program,
                                    struct comb_error *err)
{
    struct comb_extract_hello hello = {0};
    struct pollfd poll_fd = {.fd = process->control, .events = POLLIN};
    ssize_t n = 0;
    int ready;
    do
        ready = poll(&poll_fd, 1, COMB_EXTRACT_START_MS);
    while (ready < 0 && errno == EINTR);
    if (ready > 0)
        n = recv(process->control, &hello, sizeof hello, 0);
    if (ready == 0)
        return comb_error_set(err, COMB_UNAVAILABLE, 0, "%s does not come up within %d s", program,
                              COMB_EXTRACT_START_MS / 1000);
    if (n <= 0)
        return comb_error_set(err, COMB_UNAVAILABLE, 0,
                              "%s ended at once: run '%s --version' to see why", program, program);
    if (n != (ssize_t)sizeof hello || hello.version != COMB_EXTRACT_WIRE_VERSION)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "%s is of another version: install both programs of one", program);
    if (hello.confinement == COMB_EXTRACT_CONFINEMENT_REFUSED)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "this kernel or container has no seccomp filters, which %s does not "
                              "run without",
                              program);
    process->has_namespaces = hello.confinement == COMB_EXTRACT_CONFINED_FULLY;
    return COMB_OK;
}

enum comb_status comb_extract_process_start(struct comb_extract_process *process,
                                            const char *program, struct comb_error *err)
{
    int pair[2], failed;
    enum comb_status status;
    pid_t pid = 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return comb_error_set(err, COMB_UNAVAILABLE, 0, "no sockets for %s: %s", program,
                              strerror(errno));
    failed = spawn(program, pair[1], &pid);
    close(pair[1]);
    if (failed) {
        close(pair[0]);
        return comb_error_set(err, COMB_UNAVAILABLE, 0, "%s cannot be started: %s", program,
                              strerror(failed));
    }
    *process = (struct comb_extract_process){.pid = pid, .control = pair[0]};
    status = await_hello(process, program, err);
    if (status)
        comb_extract_process_stop(process);
    return status;
}

void comb_extract_process_stop(struct comb_extract_process *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        close(process->control);
    }
    *process = (struct comb_extract_process)COMB_EXTRACT_PROCESS_INIT;
}

bool comb_extract_process_give(struct comb_extract_process *process,
                               const struct comb_extract_job *job, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {(void *)(uintptr_t)job, sizeof *job};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t n;
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    do
        n = sendmsg(process->control, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    process->files++;
    return n == (ssize_t)sizeof *job;
}
