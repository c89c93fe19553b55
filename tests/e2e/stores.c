/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/stores.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define SCRIPT "bazel/stores"
#define CHILDREN_MAX 256
#define GONE_MS_MAX 10000

static void make_folder(struct stores *stores)
{
    const char *base = getenv("TEST_TMPDIR");
    snprintf(stores->folder, sizeof stores->folder, "%s/stores.XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(stores->folder))
        fail_msg("%s: %s", stores->folder, strerror(errno));
}

/* Runs the script; its only line goes to ret_line. */
static void run_script(const struct stores *stores, const char *verb, char *ret_line, size_t size)
{
    char command[512];
    snprintf(command, sizeof command, "%s %s '%s'", SCRIPT, verb, stores->folder);
    fflush(NULL);
    FILE *output = popen(command, "r");
    if (!output)
        fail_msg("%s: %s", command, strerror(errno));
    ret_line[0] = 0;
    if (fgets(ret_line, (int)size, output))
        ret_line[strcspn(ret_line, "\n")] = 0;
    int status = pclose(output);
    if (status != 0)
        fail_msg("%s ended with wait status %d", command, status);
}

void stores_start(struct stores *stores)
{
    if (!stores->folder[0])
        make_folder(stores);
    run_script(stores, "start", stores->line, sizeof stores->line);
    stores->n_flags = 0;
    for (char *flag = stores->line; *flag; flag += strspn(flag, " ")) {
        assert_in_range(stores->n_flags, 0, STORES_FLAGS_MAX - 1);
        stores->flags[stores->n_flags++] = flag;
        flag += strcspn(flag, " ");
        if (*flag)
            *flag++ = 0;
    }
    stores->flags[stores->n_flags] = NULL;
}

void stores_stop(struct stores *stores)
{
    char line[64];
    run_script(stores, "stop", line, sizeof line);
}

static pid_t pid_of(const struct stores *stores, const char *name)
{
    char path[512];
    int pid = 0;
    snprintf(path, sizeof path, "%s/%s/pid", stores->folder, name);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%d", &pid) != 1 || pid <= 1)
        fail_msg("%s names no process", path);
    fclose(file);
    if (kill(pid, 0) != 0)
        fail_msg("%s names process %d, which is not there", path, pid);
    return pid;
}

/* The process and its children. */
static size_t family_of(pid_t pid, pid_t ret_pids[CHILDREN_MAX])
{
    char path[64];
    size_t n = 0;
    int child;
    ret_pids[n++] = pid;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *children = fopen(path, "r");
    while (children && n < CHILDREN_MAX && fscanf(children, "%d", &child) == 1)
        ret_pids[n++] = child;
    if (children)
        fclose(children);
    return n;
}

/* Whoever is their parent reaps them some time. */
static bool is_there(pid_t pid)
{
    char path[64], state = 'X';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    fclose(file);
    return state != 'Z' && state != 'X';
}

void stores_kill(const struct stores *stores, const char *name)
{
    const struct timespec pause = {0, 5 * 1000 * 1000};
    pid_t pids[CHILDREN_MAX];
    /* It would start others for the children that die. */
    pid_t pid = pid_of(stores, name);
    kill(pid, SIGSTOP);
    size_t n = family_of(pid, pids);
    for (size_t i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
    for (size_t i = 0; i < n; i++) {
        for (int waited = 0; is_there(pids[i]); waited += 5) {
            if (waited > GONE_MS_MAX)
                fail_msg("process %d of %s does not end", (int)pids[i], name);
            nanosleep(&pause, NULL);
        }
    }
}

static void signal_family(const struct stores *stores, const char *name, int number)
{
    pid_t pids[CHILDREN_MAX];
    pid_t pid = pid_of(stores, name);
    kill(pid, number);
    size_t n = family_of(pid, pids);
    for (size_t i = 1; i < n; i++)
        kill(pids[i], number);
}

void stores_freeze(const struct stores *stores, const char *name)
{
    signal_family(stores, name, SIGSTOP);
}

void stores_thaw(const struct stores *stores, const char *name)
{
    signal_family(stores, name, SIGCONT);
}
