/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/extract/pool.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/support.h"

#define AWAIT_S 120
#define STEP_US 10000

static const char *program_of(const char *variable)
{
    const char *path = getenv(variable);
    assert_non_null(path);
    path = realpath(path, NULL);
    assert_non_null(path);
    return path;
}

const char *pool_program(void)
{
    static const char *path;
    if (!path)
        path = program_of("COMB_EXTRACT_PROGRAM");
    return path;
}

const char *pool_misbehaving_program(void)
{
    static const char *path;
    if (!path)
        path = program_of("COMB_EXTRACT_MISBEHAVING");
    return path;
}

struct comb_extract *pool_new(const struct comb_extract_options *options)
{
    struct comb_extract *pool;
    struct comb_error err = {0};
    must_ok(comb_extract_new(options, &pool, &err), &err);
    return pool;
}

void pool_file_init(struct pool_file *file, comb_str content)
{
    *file = (struct pool_file){.content = content, .name = "", .media_type = ""};
    pthread_mutex_init(&file->lock, NULL);
    pthread_cond_init(&file->changed, NULL);
    comb_buf_init(&file->text, COMB_EXTRACT_OUTPUT_BYTES_MAX);
}

void pool_file_done(struct pool_file *file)
{
    comb_buf_done(&file->text);
    pthread_cond_destroy(&file->changed);
    pthread_mutex_destroy(&file->lock);
}

static enum comb_status file_read(void *data, void *buffer, size_t capacity, size_t *ret_n,
                                  struct comb_error *err)
{
    struct pool_file *file = data;
    uint64_t size = file->size ? file->size : file->content.len;
    uint64_t left = size - file->n_read;
    size_t n = left < capacity ? (size_t)left : capacity;
    if (file->fails)
        return comb_error_set(err, COMB_UNAVAILABLE, 0, "as the test says");
    for (size_t i = 0; i < n; i++) {
        uint64_t at = file->n_read + i;
        ((char *)buffer)[i] = file->content.ptr[at % file->content.len];
    }
    pthread_mutex_lock(&file->lock);
    file->n_read += n;
    pthread_mutex_unlock(&file->lock);
    *ret_n = n;
    return COMB_OK;
}

static void file_release(void *data)
{
    struct pool_file *file = data;
    pthread_mutex_lock(&file->lock);
    file->n_released++;
    pthread_mutex_unlock(&file->lock);
}

static void file_ended(void *data, const struct comb_extract_result *result)
{
    struct pool_file *file = data;
    pthread_mutex_lock(&file->lock);
    file->result = *result;
    comb_buf_append_str(&file->text, result->text);
    file->result.text = comb_buf_str(&file->text);
    file->n_done++;
    pthread_cond_broadcast(&file->changed);
    pthread_mutex_unlock(&file->lock);
}

void pool_file_submit(struct comb_extract *pool, struct pool_file *file)
{
    struct comb_error err = {0};
    const struct comb_extract_file request = {.name = comb_str_from(file->name),
                                              .media_type = comb_str_from(file->media_type),
                                              .source = {file_read, file_release, file}};
    must_ok(comb_extract_submit(pool, &request, file_ended, file, &file->id, &err), &err);
}

void pool_file_await(struct pool_file *file)
{
    struct timespec until;
    int failed = 0;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += AWAIT_S;
    pthread_mutex_lock(&file->lock);
    while (file->n_done == 0 && !failed)
        failed = pthread_cond_timedwait(&file->changed, &file->lock, &until);
    pthread_mutex_unlock(&file->lock);
    assert_int_equal(failed, 0);
    assert_int_equal(file->n_done, 1);
    assert_int_equal(file->n_released, 1);
}

void pool_file_is(struct comb_extract *pool, struct pool_file *file,
                  enum comb_extract_outcome outcome, enum comb_extract_reason reason,
                  const char *text)
{
    pool_file_submit(pool, file);
    pool_file_await(file);
    if (file->result.outcome != outcome || file->result.reason != reason)
        fprintf(stderr, "'%.60s': %s, %s\n", file->content.ptr,
                comb_extract_outcome_name(file->result.outcome),
                comb_extract_reason_name(file->result.reason));
    assert_int_equal(file->result.outcome, outcome);
    assert_int_equal(file->result.reason, reason);
    if (text)
        assert_string_equal(file->text.len > 0 ? file->text.data : "", text);
    pool_file_done(file);
}

/* ---- processes ---- */

/* The parent and state of a process; false: there is none. */
static bool look_at(pid_t pid, pid_t *ret_parent, char *ret_state)
{
    char path[64], text[512];
    const char *behind_name;
    int parent;
    size_t n;
    FILE *file;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (!file)
        return false;
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    behind_name = strrchr(text, ')');
    if (!behind_name || sscanf(behind_name, ") %c %d", ret_state, &parent) != 2)
        return false;
    *ret_parent = parent;
    return true;
}

pid_t pool_child_of(pid_t parent)
{
    DIR *folder = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;
    assert_non_null(folder);
    while (!found && (entry = readdir(folder)) != NULL) {
        pid_t of, pid = (pid_t)strtol(entry->d_name, NULL, 10);
        char state;
        if (pid > 0 && look_at(pid, &of, &state) && of == parent && state != 'Z')
            found = pid;
    }
    closedir(folder);
    return found;
}

pid_t pool_await_child_of(pid_t parent)
{
    pid_t child = 0;
    for (unsigned i = 0; !child && i < AWAIT_S * (1000000 / STEP_US); i++) {
        child = pool_child_of(parent);
        if (!child)
            usleep(STEP_US);
    }
    assert_true(child > 0);
    return child;
}

void pool_await_gone(pid_t pid)
{
    pid_t parent;
    char state = 0;
    for (unsigned i = 0; i < AWAIT_S * (1000000 / STEP_US); i++) {
        if (!look_at(pid, &parent, &state) || state == 'Z')
            return;
        usleep(STEP_US);
    }
    fail_msg("process %d is still there", (int)pid);
}

unsigned pool_count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    unsigned n = 0;
    assert_non_null(folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}
