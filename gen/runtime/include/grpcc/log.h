/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the runtime, and gRPC core below it, say what no caller can be told: bugs of handlers, a
 * full descriptor table. Nothing is logged per call.
 */
#ifndef GRPCC_LOG_H
#define GRPCC_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

enum grpcc_log_level {
    GRPCC_LOG_DEBUG = 0,
    GRPCC_LOG_INFO = 1,
    GRPCC_LOG_WARNING = 2,
    GRPCC_LOG_ERROR = 3
};

/*
 * Replaces the default, which writes warnings and errors to stderr. function NULL: the default
 * again. Any thread calls it, also several at once; it must not call the runtime. Set it first, so
 * that nothing is missed. The one before is not called any more when this returns.
 */
void grpcc_set_log(void (*function)(void *data, enum grpcc_log_level level, const char *message),
                   void *data);

#ifdef __cplusplus
}
#endif

#endif
