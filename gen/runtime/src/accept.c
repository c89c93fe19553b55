/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing tells this file that a connection was closed: it keeps the inode of each socket that it
 * let in, and looks, when it must know, whether the descriptor is still that socket.
 */
#include "grpcc/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* At the limit the open connections are counted anew at most this often. */
enum { SWEEP_NS = 100 * 1000 * 1000 };

static struct {
    pthread_mutex_t lock; /* all below */
    ino_t *sockets;       /* by descriptor; 0: not let in by this file */
    size_t n_sockets;
    unsigned open;
    unsigned open_max;
    int64_t swept_ns;
    int reserve; /* a descriptor kept for the moment when there are no others */
} door = {.lock = PTHREAD_MUTEX_INITIALIZER, .reserve = -1};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static ino_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

static void sweep_locked(void)
{
    door.swept_ns = now_ns();
    for (size_t fd = 0; fd < door.n_sockets; fd++) {
        if (door.sockets[fd] && inode_of((int)fd) != door.sockets[fd]) {
            door.sockets[fd] = 0;
            door.open--;
        }
    }
}

static bool make_room_locked(size_t fd)
{
    if (fd < door.n_sockets)
        return true;
    size_t n = door.n_sockets ? door.n_sockets : 256;
    while (n <= fd)
        n *= 2;
    ino_t *sockets = realloc(door.sockets, n * sizeof(*sockets));
    if (!sockets)
        return false;
    memset(sockets + door.n_sockets, 0, (n - door.n_sockets) * sizeof(*sockets));
    door.sockets = sockets;
    door.n_sockets = n;
    return true;
}

static bool let_in(int fd)
{
    bool let = true;
    pthread_mutex_lock(&door.lock);
    if (make_room_locked((size_t)fd)) {
        door.open += door.sockets[fd] == 0;
        door.sockets[fd] = inode_of(fd);
        bool full = door.open_max && door.open > door.open_max;
        if (full && now_ns() - door.swept_ns >= SWEEP_NS)
            sweep_locked();
        let = !door.open_max || door.open <= door.open_max;
        if (!let) {
            door.sockets[fd] = 0;
            door.open--;
        }
    }
    pthread_mutex_unlock(&door.lock);
    return let;
}

static int system_accept(int listener, struct sockaddr *address, socklen_t *length, int flags)
{
    return (int)syscall(SYS_accept4, listener, address, length, flags);
}

/* Takes one waiting connection by means of the reserve and closes it. False: there was none, or no
 * reserve. */
static bool turn_away(int listener)
{
    pthread_mutex_lock(&door.lock);
    if (door.reserve >= 0)
        close(door.reserve);
    int fd = system_accept(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    door.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pthread_mutex_unlock(&door.lock);
    return fd >= 0;
}

static void keep_reserve(void)
{
    pthread_mutex_lock(&door.lock);
    if (door.reserve < 0)
        door.reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pthread_mutex_unlock(&door.lock);
}

/* glibc declares accept4 with a union for the address, which no plain definition matches. */
int grpcc_accept4(int listener, struct sockaddr *address, socklen_t *length,
                  int flags) __asm__("accept4");

int grpcc_accept4(int listener, struct sockaddr *address, socklen_t *length, int flags)
{
    socklen_t room = length ? *length : 0;
    keep_reserve();
    for (;;) {
        if (length)
            *length = room;
        int fd = system_accept(listener, address, length, flags);
        if (fd >= 0) {
            if (let_in(fd))
                return fd;
            close(fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            if (!turn_away(listener)) {
                errno = EAGAIN;
                return -1;
            }
        } else {
            return -1;
        }
    }
}

void grpcc_accept_set_max(unsigned connections_max)
{
    pthread_mutex_lock(&door.lock);
    door.open_max = connections_max;
    pthread_mutex_unlock(&door.lock);
}

unsigned grpcc_accept_connections(void)
{
    pthread_mutex_lock(&door.lock);
    sweep_locked();
    unsigned open = door.open;
    pthread_mutex_unlock(&door.lock);
    return open;
}
