/* SPDX-License-Identifier: Apache-2.0 */
/* A listener outlives the want of descriptors, and counts who is there. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grpcc/accept.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/grpcc/fixture.h"

/* Another process that connects, so that its descriptors are not ours. */
struct crowd {
    pid_t pid;
    int orders;  /* we write: a port, then one byte for "go" */
    int answers; /* one byte when all are connected, or have been closed by the server */
};

enum { CROWD = 60 };

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void crowd_main(int orders, int answers)
{
    uint16_t port = 0;
    int fds[CROWD];
    char byte = 0;
    if (read(orders, &port, sizeof(port)) != sizeof(port))
        _exit(1);
    for (int i = 0; i < CROWD; i++)
        fds[i] = connect_to(port);
    if (write(answers, &byte, 1) != 1 || read(orders, &byte, 1) != 1)
        _exit(2);
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
    _exit(0);
}

/* Before gRPC is used: it does not survive a fork. */
static void crowd_gather(struct crowd *crowd)
{
    int orders[2], answers[2];
    assert_int_equal(pipe(orders), 0);
    assert_int_equal(pipe(answers), 0);
    crowd->pid = fork();
    if (crowd->pid == 0)
        crowd_main(orders[0], answers[1]);
    close(orders[0]);
    close(answers[1]);
    crowd->orders = orders[1];
    crowd->answers = answers[0];
}

static void crowd_come(struct crowd *crowd, int port)
{
    uint16_t short_port = (uint16_t)port;
    char byte = 0;
    assert_int_equal(write(crowd->orders, &short_port, sizeof(short_port)), sizeof(short_port));
    assert_int_equal(read(crowd->answers, &byte, 1), 1);
}

static void crowd_go(struct crowd *crowd)
{
    int status = 0;
    assert_int_equal(write(crowd->orders, "g", 1), 1);
    assert_int_equal(waitpid(crowd->pid, &status, 0), crowd->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(crowd->orders);
    close(crowd->answers);
}

static struct crowd crowds[3];

static struct fixture *listening(unsigned connections_max, unsigned per_peer_max, int *ret_port)
{
    struct grpcc_server_options options = {.size = sizeof(options),
                                           .connections_max = connections_max,
                                           .connections_per_peer_max = per_peer_max};
    struct fixture *f = fixture_new(&options, &echo_table);
    assert_int_equal(grpcc_server_listen(f->server, "127.0.0.1:0", NULL, ret_port, &f->err),
                     GRPCC_OK);
    fixture_start(f);
    return f;
}

static void must_answer(struct fixture *f, int port)
{
    char target[32];
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct grpcc_channel_options channel_options = {
        .size = sizeof(channel_options), .reconnect_min_ms = 100, .reconnect_max_ms = 100};
    struct grpcc_call_options options = {.size = sizeof(options), .wait_for_ready = true};
    struct grpcc_channel *channel = grpcc_channel_new(target, &channel_options, &f->err);
    struct grpcc_testing_answer *answer = NULL;
    assert_int_equal(
        grpcc_testing_echo_unary(channel, f->arena, &options, ask(f, "x"), &answer, &f->err),
        GRPCC_OK);
    grpcc_channel_free(channel);
}

static void the_listener_outlives_a_full_table(void **state)
{
    struct rlimit before, tight;
    struct fixture *f;
    int port = 0;
    (void)state;
    f = listening(0, 0, &port);
    int highest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(highest >= 0);
    close(highest);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)highest + 8; /* far fewer than the crowd */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    crowd_come(&crowds[0], port);
    crowd_go(&crowds[0]);
    must_answer(f, port);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    void *freed = f;
    fixture_free(&freed);
}

enum { MAX = 10 };

static void cap_crowd(struct crowd *crowd, unsigned connections_max, unsigned per_peer_max)
{
    struct fixture *f;
    int port = 0;
    f = listening(connections_max, per_peer_max, &port);
    crowd_come(crowd, port);
    /* All have been let in or turned away when one that waited behind them is answered, or not. */
    struct grpcc_server_stats stats;
    do
        grpcc_server_get_stats(f->server, &stats);
    while (stats.connections < MAX);
    assert_int_equal(stats.connections, MAX);
    assert_int_equal(grpcc_accept_connections(), MAX);
    crowd_go(crowd);
    must_answer(f, port);
    while (grpcc_accept_connections() > 1)
        sched_yield();
    void *freed = f;
    fixture_free(&freed);
    while (grpcc_accept_connections() > 0)
        sched_yield();
}

static void connections_are_counted_and_capped(void **state)
{
    (void)state;
    cap_crowd(&crowds[1], MAX, 0);
}

static void connections_of_one_peer_are_capped(void **state)
{
    (void)state;
    cap_crowd(&crowds[2], 0, MAX);
}

/* Where the handler, on its own thread, writes the peer of a call; NULL: nowhere. */
static struct {
    pthread_mutex_t lock;
    char *peer;
} noted = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note_into(char *peer)
{
    pthread_mutex_lock(&noted.lock);
    noted.peer = peer;
    pthread_mutex_unlock(&noted.lock);
}

static void note_peer(void *self, struct grpcc_call *call, const struct grpcc_testing_ask *request)
{
    pthread_mutex_lock(&noted.lock);
    if (noted.peer)
        snprintf(noted.peer, 64, "%s", grpcc_call_peer(call));
    pthread_mutex_unlock(&noted.lock);
    echo_table.unary(self, call, request);
}

static void a_connection_is_hung_up_on(void **state)
{
    static const struct grpcc_testing_echo_server table = {.unary = note_peer};
    struct fixture *f = fixture_new(NULL, &table);
    char first[64] = "", second[64] = "", target[32];
    int port = 0;
    (void)state;
    note_into(first);
    assert_int_equal(grpcc_server_listen(f->server, "[::1]:0", NULL, &port, &f->err), GRPCC_OK);
    fixture_start(f);
    snprintf(target, sizeof(target), "[::1]:%d", port);
    struct grpcc_call_options options = {.size = sizeof(options), .wait_for_ready = true};
    struct grpcc_channel *channel = grpcc_channel_new(target, NULL, &f->err);
    struct grpcc_testing_answer *answer = NULL;
    assert_int_equal(
        grpcc_testing_echo_unary(channel, f->arena, &options, ask(f, "x"), &answer, &f->err),
        GRPCC_OK);
    note_into(second);
    assert_false(grpcc_accept_hang_up("ipv4:192.0.2.1:1"));
    assert_false(grpcc_accept_hang_up("unix:"));
    assert_true(grpcc_accept_hang_up(first));
    /* Until the channel has noticed, a call may still go the old way and fail. */
    while (grpcc_testing_echo_unary(channel, f->arena, &options, ask(f, "x"), &answer, &f->err))
        assert_int_equal(f->err.status, GRPCC_UNAVAILABLE);
    note_into(NULL);
    assert_string_not_equal(first, second);
    assert_false(grpcc_accept_hang_up(first));
    grpcc_channel_free(channel);
    void *freed = f;
    fixture_free(&freed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_listener_outlives_a_full_table),
        cmocka_unit_test(connections_are_counted_and_capped),
        cmocka_unit_test(connections_of_one_peer_are_capped),
        cmocka_unit_test(a_connection_is_hung_up_on),
    };
    crowd_gather(&crowds[0]);
    crowd_gather(&crowds[1]);
    crowd_gather(&crowds[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
