/* SPDX-License-Identifier: Apache-2.0 */
#include "gen/runtime/src/core/log.h"

#include <grpc/support/log.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINE_SIZE = 1024 };

static void log_to_stderr(void *data, enum grpcc_log_level level, const char *message)
{
    (void)data;
    if (level >= GRPCC_LOG_WARNING)
        fprintf(stderr, "grpcc: %s\n", message);
}

/* Held for reading while the function runs: once it is replaced it runs no more, whatever core's
 * threads still have to say. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static struct {
    void (*function)(void *data, enum grpcc_log_level level, const char *message);
    void *data;
} sink = {log_to_stderr, NULL};

static void log_of_core(gpr_log_func_args *args)
{
    enum grpcc_log_level level = GRPCC_LOG_DEBUG;
    if (args->severity == GPR_LOG_SEVERITY_INFO)
        level = GRPCC_LOG_INFO;
    if (args->severity == GPR_LOG_SEVERITY_ERROR)
        level = GRPCC_LOG_ERROR;
    grpcc_log(level, "gRPC core: %s", args->message);
}

void grpcc_set_log(void (*function)(void *data, enum grpcc_log_level level, const char *message),
                   void *data)
{
    pthread_rwlock_wrlock(&lock);
    sink.function = function ? function : log_to_stderr;
    sink.data = data;
    pthread_rwlock_unlock(&lock);
    gpr_set_log_function(function ? log_of_core : NULL);
}

void grpcc_log(enum grpcc_log_level level, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    pthread_rwlock_rdlock(&lock);
    sink.function(sink.data, level, line);
    pthread_rwlock_unlock(&lock);
}
