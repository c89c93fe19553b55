/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/pgbench.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PGBENCH "/usr/lib/postgresql/15/bin/pgbench"
#define OUTPUT_MAX 8192

enum { ARGUMENTS_MAX = 192 };

/* A machine may be so busy that a run is over before its clients have connected. */
#define SECONDS_MAX 60

/* Runs it to its end and gives what it printed, in a buffer that the next call uses again. */
static const char *run(const struct postgres_server *server, const char *const *arguments)
{
    static char output[OUTPUT_MAX];
    char port[16];
    int ends[2], status = -1;
    size_t n = 0;
    ssize_t got;
    snprintf(port, sizeof port, "%d", server->port);
    if (pipe(ends) != 0)
        abort();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        setenv("PGHOST", "127.0.0.1", 1);
        setenv("PGPORT", port, 1);
        setenv("PGUSER", "app", 1);
        execv(PGBENCH, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(ends[1]);
    while ((got = read(ends[0], output + n, sizeof output - 1 - n)) > 0)
        n += (size_t)got;
    output[n] = 0;
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (status != 0) {
        fprintf(stderr, "bench: pgbench failed:\n%s\n", output);
        exit(1);
    }
    return output;
}

static double number_after(const char *output, const char *label)
{
    const char *at = strstr(output, label);
    double number = 0;
    if (!at || sscanf(at + strlen(label), "%lf", &number) != 1) {
        fprintf(stderr, "bench: pgbench does not say \"%s\":\n%s\n", label, output);
        exit(1);
    }
    return number;
}

static double children_cpu(void)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Runs it for so many seconds, or twice as many again, until it has done something. */
static const char *run_for(const struct postgres_server *server, const char *const *argv,
                           char *of_seconds, size_t size, unsigned seconds)
{
    for (;; seconds *= 2) {
        snprintf(of_seconds, size, "%u", seconds);
        const char *output = run(server, argv);
        if (number_after(output, "actually processed: ") > 0 || seconds > SECONDS_MAX)
            return output;
    }
}

struct pgbench_result pgbench_run(const struct postgres_server *server, const char *database,
                                  unsigned clients, unsigned seconds, const char *const *arguments)
{
    char of_clients[16], of_seconds[16];
    const char *argv[ARGUMENTS_MAX] = {PGBENCH, "-n", "-M",       "prepared", "-j",
                                       "2",     "-c", of_clients, "-T",       of_seconds};
    size_t n = 10;
    snprintf(of_clients, sizeof of_clients, "%u", clients);
    while (*arguments && n < ARGUMENTS_MAX - 2)
        argv[n++] = *arguments++;
    argv[n] = database;
    double cpu_s = children_cpu();
    const char *output = run_for(server, argv, of_seconds, sizeof of_seconds, seconds);
    struct pgbench_result result = {
        .rate = number_after(output, "\ntps = "),
        .n = (size_t)number_after(output, "actually processed: "),
        .latency_us = number_after(output, "latency average = ") * 1e3,
        .own_cpu_s = children_cpu() - cpu_s,
    };
    if (number_after(output, "failed transactions: ") != 0) {
        fprintf(stderr, "bench: transactions of pgbench failed:\n%s\n", output);
        exit(1);
    }
    return result;
}

void pgbench_fill(const struct postgres_server *server, const char *database, unsigned scale)
{
    char text[16];
    const char *const argv[] = {PGBENCH, "-i", "-q", "-s", text, database, NULL};
    snprintf(text, sizeof text, "%u", scale);
    run(server, argv);
}

/* The fields of /proc/PID/stat behind the program's name. False: it has ended. */
static int read_stat(const char *pid, long *ret_parent, unsigned long long ret_ticks[4])
{
    char path[300], line[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    line[n] = 0;
    const char *rest = strrchr(line, ')');
    return rest &&
           sscanf(rest + 1, " %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
                  ret_parent, &ret_ticks[0], &ret_ticks[1], &ret_ticks[2], &ret_ticks[3]) == 5;
}

double pgbench_server_cpu(const struct postgres_server *server)
{
    unsigned long long sum = 0;
    DIR *processes = opendir("/proc");
    for (const struct dirent *entry; processes && (entry = readdir(processes));) {
        unsigned long long ticks[4];
        long parent;
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
            !read_stat(entry->d_name, &parent, ticks))
            continue;
        if (parent == server->process.pid)
            sum += ticks[0] + ticks[1];
        else if (strtol(entry->d_name, NULL, 10) == server->process.pid)
            sum += ticks[0] + ticks[1] + ticks[2] + ticks[3];
    }
    if (processes)
        closedir(processes);
    return (double)sum / (double)sysconf(_SC_CLK_TCK);
}
