/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/worker/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/core/clock.h"
#include "server/extract/wire.h"
#include "server/extract/worker/confine.h"

/* The exit status of a file's process that could not be confined, and has read nothing. */
#define EXIT_NOT_CONFINED 2

/* ---- the process of one file ---- */

struct session {
    int fd;
    char packet[1 + COMB_EXTRACT_PAYLOAD_BYTES_MAX];
};

static bool session_fetch(void *data, comb_str *ret_piece)
{
    struct session *session = data;
    enum comb_extract_packet packet;
    ssize_t n;
    if (!comb_extract_packet_send(session->fd, COMB_EXTRACT_PACKET_MORE, (comb_str){NULL, 0}, 0))
        return false;
    do
        n = recv(session->fd, session->packet, sizeof session->packet, 0);
    while (n < 0 && errno == EINTR);
    return n > 0 &&
           comb_extract_packet_parse(comb_str_of(session->packet, (size_t)n), &packet, ret_piece) &&
           packet == COMB_EXTRACT_PACKET_CONTENT;
}

static bool session_write(void *data, comb_str text)
{
    struct session *session = data;
    return comb_extract_packet_send(session->fd, COMB_EXTRACT_PACKET_TEXT, text, 0);
}

_Noreturn static void read_file(const struct comb_extract_job *job, int fd,
                                comb_extract_read_fn *read)
{
    static struct session session;
    static struct comb_extract_sink sink;
    struct comb_extract_input input;
    const struct comb_extract_file_view file = {
        .name = comb_str_of(job->name, job->name_bytes),
        .media_type = comb_str_of(job->media_type, job->media_type_bytes),
        .input = &input,
        .sink = &sink,
        .limits = &job->limits};
    enum comb_extract_outcome outcome;
    enum comb_extract_reason reason;
    char end[2];

    session.fd = fd;
    comb_extract_sink_init(&sink, job->limits.output_bytes, session_write, &session);
    comb_extract_input_init(&input, session_fetch, &session);
    read(&file, &outcome, &reason);
    end[0] = (char)outcome;
    end[1] = (char)reason;
    (void)comb_extract_packet_send(fd, COMB_EXTRACT_PACKET_END, comb_str_of(end, sizeof end), 0);
    _exit(0);
}

_Noreturn static void start_file(const struct comb_extract_job *job, int fd, pid_t parent,
                                 comb_extract_read_fn *read)
{
    /* The parent may have ended before it was asked to take this process with it. */
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent || comb_extract_confine(&job->limits, fd, NULL))
        _exit(EXIT_NOT_CONFINED);
    read_file(job, fd, read);
}

/* ---- the program ---- */

static bool say(const void *packet, size_t n)
{
    return send(COMB_EXTRACT_CONTROL_FD, packet, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* The next job and its socket; false: there will be none. */
static bool take_job(struct comb_extract_job *ret_job, int *ret_fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {ret_job, sizeof *ret_job};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header;
    ssize_t n;
    do
        n = recvmsg(COMB_EXTRACT_CONTROL_FD, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    header = CMSG_FIRSTHDR(&message);
    if (n != (ssize_t)sizeof *ret_job || !header || header->cmsg_type != SCM_RIGHTS ||
        ret_job->name_bytes > sizeof ret_job->name ||
        ret_job->media_type_bytes > sizeof ret_job->media_type)
        return false;
    memcpy(ret_fd, CMSG_DATA(header), sizeof *ret_fd);
    return true;
}

static void run_job(const struct comb_extract_job *job, int fd, comb_extract_read_fn *read)
{
    struct comb_extract_ended ended = {.wait_status = EXIT_NOT_CONFINED << 8};
    struct rusage usage = {0};
    pid_t parent = getpid(), pid = fork();
    int status;
    if (pid == 0)
        start_file(job, fd, parent, read);
    close(fd);
    if (pid > 0) {
        while (wait4(pid, &status, 0, &usage) < 0 && errno == EINTR)
            continue;
        ended.wait_status = status;
        ended.cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * COMB_US_PER_S +
                       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    }
    (void)say(&ended, sizeof ended);
}

int comb_extract_worker_run(comb_extract_read_fn *read)
{
    struct comb_extract_hello hello = {.version = COMB_EXTRACT_WIRE_VERSION};
    struct comb_extract_job job;
    int fd;

    comb_extract_formats_prepare();
    hello.confinement = comb_extract_leave(NULL);
    if (!say(&hello, sizeof hello) || hello.confinement == COMB_EXTRACT_CONFINEMENT_REFUSED)
        return 1;
    while (take_job(&job, &fd))
        run_job(&job, fd, read);
    return 0;
}
