/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/core/clock.h"

/* How long the process of a file may take to be gone once comb-extract has been killed. */
#define GONE_WITHIN_MS 5000

struct run {
    const struct comb_extract_session *session;
    struct comb_buf *text;
    int fd;              /* the file's socket; -1: its process is gone */
    int64_t deadline_ns; /* comb_clock_steady_ns() */
    bool has_ended;      /* comb-extract said how the process ended */
    bool has_end;        /* the process itself said how it went */
    bool source_failed;
    enum comb_extract_reason forced; /* what we end it for */
    enum comb_extract_outcome outcome;
    enum comb_extract_reason reason;
    struct comb_extract_ended ended;
    char packet[1 + COMB_EXTRACT_PAYLOAD_BYTES_MAX];
    char content[COMB_EXTRACT_PAYLOAD_BYTES_MAX];
};

enum comb_extract_reason comb_extract_reason_of_end(int wait_status, int64_t cpu_us,
                                                    const struct comb_extract_limits *limits)
{
    if (!WIFSIGNALED(wait_status))
        return COMB_EXTRACT_REASON_CRASHED;
    switch (WTERMSIG(wait_status)) {
    case SIGXCPU:
        return COMB_EXTRACT_REASON_TIMEOUT;
    case SIGSYS:
        return COMB_EXTRACT_REASON_FORBIDDEN;
    case SIGKILL:
        /* The kernel's, a second after a SIGXCPU that was not obeyed. */
        return cpu_us >= (int64_t)limits->cpu_s * COMB_US_PER_S ? COMB_EXTRACT_REASON_TIMEOUT
                                                                : COMB_EXTRACT_REASON_CRASHED;
    case SIGABRT:
    case SIGTRAP:
        /* How these libraries end where memory is refused: poppler's C++, GLib's g_error(). */
        return COMB_EXTRACT_REASON_MEMORY;
    default:
        return COMB_EXTRACT_REASON_CRASHED;
    }
}

/* Gives the process its next piece. It waits for it: a socket that is full means that it does not.
 */
static void answer_more(struct run *run)
{
    const struct comb_extract_source *source = run->session->source;
    enum comb_extract_packet packet = COMB_EXTRACT_PACKET_CONTENT;
    size_t n = 0;
    if (!run->source_failed &&
        source->read(source->data, run->content, sizeof run->content, &n, NULL) != COMB_OK)
        run->source_failed = true;
    if (run->source_failed || n > sizeof run->content) {
        packet = COMB_EXTRACT_PACKET_FAILED;
        n = 0;
    }
    if (!comb_extract_packet_send(run->fd, packet, comb_str_of(run->content, n), MSG_DONTWAIT) &&
        errno == EAGAIN)
        run->forced = COMB_EXTRACT_REASON_CRASHED;
}

static void take_packet(struct run *run, size_t n)
{
    enum comb_extract_packet packet;
    comb_str payload;
    bool is_fine =
        !run->has_end && comb_extract_packet_parse(comb_str_of(run->packet, n), &packet, &payload);
    if (is_fine && packet == COMB_EXTRACT_PACKET_MORE)
        answer_more(run);
    else if (is_fine && packet == COMB_EXTRACT_PACKET_TEXT)
        is_fine = comb_buf_append_str(run->text, payload);
    else if (is_fine && packet == COMB_EXTRACT_PACKET_END)
        is_fine = run->has_end = comb_extract_end_parse(payload, &run->outcome, &run->reason);
    else
        is_fine = false;
    if (!is_fine)
        run->forced = COMB_EXTRACT_REASON_CRASHED;
}

static void take_from_file(struct run *run)
{
    ssize_t n = recv(run->fd, run->packet, sizeof run->packet, MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && (size_t)n <= sizeof run->packet) {
        take_packet(run, (size_t)n);
        return;
    }
    if (n > 0)
        run->forced = COMB_EXTRACT_REASON_CRASHED; /* longer than any packet */
    close(run->fd);
    run->fd = -1;
}

static void take_from_control(struct run *run)
{
    ssize_t n = recv(run->session->process->control, &run->ended, sizeof run->ended, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n == (ssize_t)sizeof run->ended)
        run->has_ended = true;
    else
        run->forced = COMB_EXTRACT_REASON_UNAVAILABLE; /* comb-extract itself is gone */
}

/* Waits for something, and deals with it. */
static void step(struct run *run)
{
    struct pollfd fds[] = {
        {.fd = run->fd, .events = POLLIN},
        {.fd = run->has_ended ? -1 : run->session->process->control, .events = POLLIN},
        {.fd = run->session->wake, .events = POLLIN},
    };
    int64_t left_ms = (run->deadline_ns - comb_clock_steady_ns()) / COMB_NS_PER_MS;
    if (atomic_load(run->session->cancelled)) {
        run->forced = COMB_EXTRACT_REASON_CANCELLED;
        return;
    }
    if (left_ms <= 0) {
        run->forced = COMB_EXTRACT_REASON_TIMEOUT;
        return;
    }
    if (poll(fds, 3, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) <= 0)
        return;
    if (fds[0].revents)
        take_from_file(run);
    if (fds[1].revents)
        take_from_control(run);
}

/* Ends the file's process with its comb-extract, and sees it gone: its end of the socket closes. */
static void force(struct run *run)
{
    comb_extract_process_stop(run->session->process);
    while (run->fd >= 0) {
        struct pollfd fd = {.fd = run->fd, .events = POLLIN};
        ssize_t n = 0;
        int ready = poll(&fd, 1, GONE_WITHIN_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready > 0)
            n = recv(run->fd, run->packet, sizeof run->packet, MSG_DONTWAIT);
        if (n > 0)
            continue;
        close(run->fd);
        run->fd = -1;
    }
}

/* What a caller may take for text, whatever the process was made to send. */
static bool is_text(comb_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == 0x7f || (c < 0x20 && c != '\n' && c != '\t'))
            return false;
    }
    return comb_str_is_utf8(text);
}

/* Whether text that came before is worth having; of a process that fell to its file, none is. */
static bool keeps_text(enum comb_extract_reason reason)
{
    switch (reason) {
    case COMB_EXTRACT_REASON_NONE:
    case COMB_EXTRACT_REASON_TOO_LARGE:
    case COMB_EXTRACT_REASON_ENCRYPTED:
    case COMB_EXTRACT_REASON_DAMAGED:
    case COMB_EXTRACT_REASON_TIMEOUT:
    case COMB_EXTRACT_REASON_MEMORY:
        return true;
    default:
        return false;
    }
}

static enum comb_extract_reason reason_of(const struct run *run)
{
    if (run->forced)
        return run->forced;
    if (run->source_failed)
        return COMB_EXTRACT_REASON_SOURCE;
    if (!is_text(comb_buf_str(run->text)))
        return COMB_EXTRACT_REASON_CRASHED;
    if (run->has_end)
        return run->reason;
    return comb_extract_reason_of_end(run->ended.wait_status, run->ended.cpu_us,
                                      &run->session->job->limits);
}

static void conclude(const struct run *run, struct comb_extract_result *result)
{
    enum comb_extract_reason reason = reason_of(run);
    bool has_text = run->text->len > 0 && keeps_text(reason);
    result->reason = reason;
    if (!reason)
        result->outcome = run->outcome;
    else
        result->outcome = has_text ? COMB_EXTRACT_TRUNCATED : COMB_EXTRACT_REFUSED;
    if (has_text && result->outcome != COMB_EXTRACT_UNSUPPORTED)
        result->text = comb_buf_str(run->text);
    result->cpu_us = run->ended.cpu_us;
}

void comb_extract_session_run(const struct comb_extract_session *session, struct comb_buf *text,
                              struct comb_extract_result *result)
{
    struct run run = {.session = session, .text = text, .fd = -1};
    int64_t begin_ns = comb_clock_steady_ns();
    int pair[2];

    *result = (struct comb_extract_result){.outcome = COMB_EXTRACT_REFUSED,
                                           .reason = COMB_EXTRACT_REASON_UNAVAILABLE};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return;
    run.fd = pair[0];
    run.deadline_ns = begin_ns + (int64_t)session->job->limits.wall_ms * COMB_NS_PER_MS;
    if (!comb_extract_process_give(session->process, session->job, pair[1]))
        run.forced = COMB_EXTRACT_REASON_UNAVAILABLE;
    close(pair[1]);
    while (!run.forced && (run.fd >= 0 || !run.has_ended))
        step(&run);
    if (run.forced)
        force(&run);
    conclude(&run, result);
    result->wall_us = (comb_clock_steady_ns() - begin_ns) / 1000;
}
