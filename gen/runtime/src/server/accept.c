/* SPDX-License-Identifier: Apache-2.0 */
#include "grpcc/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gen/runtime/src/server/accept_memory.h"
#include "gen/runtime/src/server/accept_read.h"
#include "gen/runtime/src/server/accept_table.h"

/* At a limit the open connections are counted anew at most this often. */
enum { SWEEP_NS = 100 * 1000 * 1000 };
/* Descriptors for all but connections: files, stores, connections that this process makes. */
enum { DESCRIPTORS_OF_PROGRAM = 1024 };

static struct {
    pthread_mutex_t lock; /* all below */
    struct grpcc_accept_table table;
    unsigned open_max;
    unsigned open_per_peer_max;
    int64_t swept_ns;
    int reserve; /* a descriptor kept for the moment when there are no others */
} door = {.lock = PTHREAD_MUTEX_INITIALIZER, .reserve = -1};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool is_full_locked(const struct grpcc_remote *remote)
{
    if (door.open_max && door.table.open > door.open_max)
        return true;
    return door.open_per_peer_max &&
           grpcc_accept_table_count(&door.table, remote, door.open_per_peer_max) >
               door.open_per_peer_max;
}

static bool let_in(int fd, const struct grpcc_remote *remote)
{
    pthread_mutex_lock(&door.lock);
    bool known = grpcc_accept_table_add(&door.table, fd, remote);
    bool full = known && is_full_locked(remote);
    if (full && now_ns() - door.swept_ns >= SWEEP_NS) {
        grpcc_accept_table_sweep(&door.table);
        door.swept_ns = now_ns();
        full = is_full_locked(remote);
    }
    if (full)
        grpcc_accept_table_remove(&door.table, fd);
    pthread_mutex_unlock(&door.lock);
    return !full;
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

static bool let_in_from(int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    struct grpcc_remote remote;
    socklen_t length = sizeof(address);
    /* It fails where the peer has gone already: such a connection ends by itself. */
    (void)getpeername(fd, (struct sockaddr *)&address, &length);
    grpcc_remote_from(&remote, (const struct sockaddr *)&address);
    return let_in(fd, &remote);
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
            if (let_in_from(fd)) {
                grpcc_read_in_turns(fd);
                return fd;
            }
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

/* A limit of the process that would be met before ours is raised as far as it may be. */
static void raise_descriptors(unsigned connections_max)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)connections_max + DESCRIPTORS_OF_PROGRAM;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

void grpcc_accept_set_max(unsigned connections_max)
{
    pthread_mutex_lock(&door.lock);
    door.open_max = connections_max;
    pthread_mutex_unlock(&door.lock);
    raise_descriptors(connections_max);
    grpcc_memory_give_back();
}

void grpcc_accept_set_per_peer_max(unsigned connections_max)
{
    pthread_mutex_lock(&door.lock);
    door.open_per_peer_max = connections_max;
    pthread_mutex_unlock(&door.lock);
}

unsigned grpcc_accept_connections(void)
{
    pthread_mutex_lock(&door.lock);
    grpcc_accept_table_sweep(&door.table);
    door.swept_ns = now_ns();
    unsigned open = door.table.open;
    pthread_mutex_unlock(&door.lock);
    return open;
}

bool grpcc_accept_hang_up(const char *peer)
{
    struct grpcc_remote remote;
    if (!grpcc_remote_parse(&remote, peer))
        return false;
    pthread_mutex_lock(&door.lock);
    int fd = grpcc_accept_table_dup(&door.table, &remote);
    pthread_mutex_unlock(&door.lock);
    if (fd < 0)
        return false;
    /* What the peer still sends is refused when core closes its descriptor, not left to wait. */
    const struct linger at_once = {.l_onoff = 1};
    bool done = setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0 &&
                shutdown(fd, SHUT_RDWR) == 0;
    close(fd);
    return done;
}
