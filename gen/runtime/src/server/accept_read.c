/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/server/accept_read.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* Bytes of one turn: two hundred calls at most. A turn costs three system calls and a wait, which
 * is as much as reading it: of a descriptor that brings few calls each turn is twice as long as the
 * one before, up to the most. */
enum { TURN_BYTES = 32 << 10, TURN_BYTES_MAX = 256 << 10 };
/* Calls that began since the descriptor's last turn, from which on it is one that brings many
 * calls; and how long it waits then, in steps in which no more than so many begin. */
enum { CALLS_MANY = 16, STEP_US = 1000, STEPS_MAX = 20 };
/* Core asks once more before it waits, where the first answer came after a part of what it wanted.
 */
enum { REFUSALS = 2 };
/* Descriptors above it are read as core likes. */
enum { DESCRIPTORS_MAX = 1 << 16 };

/* By descriptor: 0 not in turns, else 1 + the bytes that are left of the turn; negative: how often
 * reading is still refused. Only the one thread that reads a descriptor changes it then. */
static atomic_int left[DESCRIPTORS_MAX];
static atomic_int turns[DESCRIPTORS_MAX]; /* bytes of its next turn */
static atomic_uint calls;
static atomic_uint calls_at_turn[DESCRIPTORS_MAX];

void grpcc_accept_note_call(void)
{
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
}

/* What has been read is worked off first. On the thread that would read: the other pollers go on,
 * and where all wait, no call begins and none waits longer. */
static void let_calls_begin(int fd)
{
    unsigned now = atomic_load(&calls);
    bool many = now - atomic_load(&calls_at_turn[fd]) >= CALLS_MANY;
    int turn = atomic_load_explicit(&turns[fd], memory_order_relaxed);
    if (many)
        turn = TURN_BYTES;
    else if (turn < TURN_BYTES_MAX)
        turn *= 2;
    atomic_store_explicit(&turns[fd], turn, memory_order_relaxed);
    for (int step = 0; many && step < STEPS_MAX; step++) {
        unsigned before = now;
        usleep(STEP_US);
        now = atomic_load(&calls);
        many = now - before >= CALLS_MANY;
    }
    atomic_store(&calls_at_turn[fd], now);
}

static int whole_turn(int fd)
{
    return 1 + atomic_load_explicit(&turns[fd], memory_order_relaxed);
}

static bool is_turn_taker(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS_MAX &&
           atomic_load_explicit(&left[fd], memory_order_relaxed) != 0;
}

void grpcc_read_in_turns(int fd)
{
    if (fd >= DESCRIPTORS_MAX)
        return;
    atomic_store_explicit(&turns[fd], TURN_BYTES, memory_order_relaxed);
    atomic_store_explicit(&left[fd], 1 + TURN_BYTES, memory_order_relaxed);
}

/* The number may be another file's by now, which nobody would tell when to go on. */
static bool can_wait(int fd)
{
    int protocol = 0;
    socklen_t length = sizeof(protocol);
    int flags = fcntl(fd, F_GETFL);
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 &&
           protocol == IPPROTO_TCP && flags >= 0 && flags & O_NONBLOCK;
}

/* Says that there is nothing to read, and has the kernel say that there is: to set the low-water
 * mark tells all who wait for the socket's edge. False: it cannot be done, go on reading. */
static bool refuse(int fd)
{
    const int one = 1;
    int refusals = atomic_load_explicit(&left[fd], memory_order_relaxed);
    if (refusals >= 0)
        let_calls_begin(fd);
    refusals = refusals < 0 ? refusals + 1 : 1 - REFUSALS;
    if (!can_wait(fd)) {
        atomic_store_explicit(&left[fd], 0, memory_order_relaxed);
        return false;
    }
    atomic_store_explicit(&left[fd], refusals < 0 ? refusals : whole_turn(fd),
                          memory_order_relaxed);
    return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof(one)) == 0;
}

/* recvmsg of at most so many bytes. */
static ssize_t read_at_most(int fd, struct msghdr *message, int flags, size_t bytes)
{
    struct iovec *vectors = message->msg_iov;
    size_t n_vectors = message->msg_iovlen, n = 0;
    while (n < n_vectors && vectors[n].iov_len < bytes)
        bytes -= vectors[n++].iov_len;
    if (n == n_vectors)
        return syscall(SYS_recvmsg, fd, message, flags);
    size_t whole = vectors[n].iov_len;
    vectors[n].iov_len = bytes;
    message->msg_iovlen = n + 1;
    ssize_t got = syscall(SYS_recvmsg, fd, message, flags);
    vectors[n].iov_len = whole;
    message->msg_iovlen = n_vectors;
    return got;
}

/* Under another name here, so that glibc's declaration need not be met to the letter. */
ssize_t grpcc_recvmsg(int fd, struct msghdr *message, int flags) __asm__("recvmsg");

ssize_t grpcc_recvmsg(int fd, struct msghdr *message, int flags)
{
    bool in_turns = is_turn_taker(fd) && !(flags & MSG_PEEK);
    if (in_turns && atomic_load_explicit(&left[fd], memory_order_relaxed) <= 1 && refuse(fd)) {
        errno = EAGAIN;
        return -1;
    }
    if (!in_turns || !is_turn_taker(fd))
        return syscall(SYS_recvmsg, fd, message, flags);
    int now = atomic_load_explicit(&left[fd], memory_order_relaxed);
    ssize_t n = read_at_most(fd, message, flags, (size_t)now - 1);
    if (n > 0)
        now -= (int)n;
    else if (n < 0 && errno == EAGAIN)
        now = whole_turn(fd);
    atomic_store_explicit(&left[fd], now, memory_order_relaxed);
    return n;
}
