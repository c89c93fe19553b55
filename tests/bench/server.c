/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16
#define READY_MS_MAX 30000

static void read_ready(const char *path, struct server *server)
{
    char line[128];
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "listen=", 7) == 0)
            snprintf(server->listen, sizeof server->listen, "%.63s", line + 7);
        if (strncmp(line, "admin=", 6) == 0)
            snprintf(server->admin, sizeof server->admin, "%.63s", line + 6);
    }
    if (file)
        fclose(file);
}

static int append(const char **argv, int n, const char *const *arguments)
{
    while (*arguments && n < ARGUMENTS_MAX - 1)
        argv[n++] = *arguments++;
    return n;
}

void server_start_under(struct server *server, const char *const *prefix, const char *binary,
                        const char *const *arguments)
{
    char ready[300];
    const char *const own[] = {binary, "--ready-file", ready, NULL};
    const char *argv[ARGUMENTS_MAX] = {NULL};
    struct timespec pause = {0, 5000000};
    snprintf(ready, sizeof ready, "%s/ready", server->home);
    (void)unlink(ready);
    append(argv, append(argv, append(argv, 0, prefix), own), arguments);
    fflush(NULL);
    server->pid = fork();
    if (server->pid == 0) {
        /* It ends with the bench, however that ends. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, 2);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    for (int waited = 0; access(ready, R_OK) != 0; waited += 5) {
        if (waited > READY_MS_MAX || waitpid(server->pid, NULL, WNOHANG) == server->pid) {
            fprintf(stderr, "bench: %s does not serve\n", binary);
            exit(1);
        }
        nanosleep(&pause, NULL);
    }
    read_ready(ready, server);
}

void server_start(struct server *server, const char *binary, const char *const *arguments)
{
    static const char *const none[] = {NULL};
    server_start_under(server, none, binary, arguments);
}

void server_stop(struct server *server)
{
    kill(server->pid, SIGTERM);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

double server_cpu(const struct server *server)
{
    clockid_t clock;
    struct timespec used = {0};
    if (clock_getcpuclockid(server->pid, &clock) == 0)
        clock_gettime(clock, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}
