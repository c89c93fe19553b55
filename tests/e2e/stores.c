/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/e2e/stores.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "tests/support/cmocka.h"
#include "tests/support/store_process.h"

#define SCRIPT "bazel/stores"

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
    /* What the script leaves running becomes ours when it ends: it is killed as a child is. */
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
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

/* The server as a process of this one, which stores_start() has seen to. */
static struct store_process process_of(const struct stores *stores, const char *name)
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
    return (struct store_process){.pid = pid};
}

void stores_kill(const struct stores *stores, const char *name)
{
    struct store_process process = process_of(stores, name);
    store_process_kill(&process);
}

void stores_freeze(const struct stores *stores, const char *name)
{
    struct store_process process = process_of(stores, name);
    store_process_freeze(&process);
}

void stores_thaw(const struct stores *stores, const char *name)
{
    struct store_process process = process_of(stores, name);
    store_process_thaw(&process);
}
