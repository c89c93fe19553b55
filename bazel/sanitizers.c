/* SPDX-License-Identifier: Apache-2.0 */
/* What the sanitizers' run times ask of every test, by names that are reserved for them. */

const char *tsan_suppressions(void) __asm__("__tsan_default_suppressions");

/* A timer thread of gRPC core that has finished is joined by the next one that core starts: where
 * none comes any more, it is reported as leaked. */
const char *tsan_suppressions(void)
{
    return "thread:grpc_core::Thread::Thread\n";
}
