/* SPDX-License-Identifier: Apache-2.0 */
#include "server/extract/worker/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sanitizers reserve terabytes, and call what no parser does. Their builds try the parsers, not the
 * confinement: no limit of memory, and calls that are not on the list fail instead of ending the
 * process. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INSTRUMENTED true
#else
#define INSTRUMENTED false
#endif

/* Where the new root is mounted, for a moment; any folder will do. */
#define ROOT "/tmp"

static bool filters_are_there(void)
{
    unsigned action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}, {0}};
    return syscall(SYS_capset, &header, none) == 0;
}

/* An empty tmpfs of one page as the root, and nothing else. */
static bool empty_root(void)
{
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", ROOT, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=555") ==
               0 &&
           chdir(ROOT) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
           umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 &&
           mount(NULL, "/", NULL,
                 MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0;
}

enum comb_extract_confinement comb_extract_leave(struct comb_error *err)
{
    bool has_namespaces;
    if (!filters_are_there() || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        (void)comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                             "this kernel or container has no seccomp filters, which text "
                             "extraction does not run without");
        return COMB_EXTRACT_CONFINEMENT_REFUSED;
    }
    syscall(SYS_close_range, COMB_EXTRACT_CONTROL_FD + 1, ~0u, 0);
    has_namespaces =
        unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0 &&
        empty_root();
    if (!drop_capabilities())
        has_namespaces = false;
    /* After what changes credentials: that would clear it. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    return has_namespaces ? COMB_EXTRACT_CONFINED_FULLY : COMB_EXTRACT_CONFINED_BY_FILTER;
}

static bool limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    return setrlimit(resource, &limit) == 0;
}

/* Memory, time, and what a program needs no more of at all. */
static bool set_limits(const struct comb_extract_limits *limits)
{
    return limit(RLIMIT_CPU, limits->cpu_s, limits->cpu_s + 1) && limit(RLIMIT_CORE, 0, 0) &&
           limit(RLIMIT_FSIZE, 0, 0) && limit(RLIMIT_MSGQUEUE, 0, 0) &&
           (INSTRUMENTED || limit(RLIMIT_AS, limits->memory_bytes, limits->memory_bytes));
}

/* Memory, its own signals, clocks, and what stands open. */
static const int allowed[] = {
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(close),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(futex),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(sched_yield),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};
/* What libraries try, and do without. */
static const int failing[] = {
    SCMP_SYS(open),     SCMP_SYS(openat),     SCMP_SYS(access),     SCMP_SYS(faccessat),
    SCMP_SYS(stat),     SCMP_SYS(lstat),      SCMP_SYS(newfstatat), SCMP_SYS(statx),
    SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),     SCMP_SYS(ioctl),
    SCMP_SYS(fcntl),    SCMP_SYS(prlimit64),  SCMP_SYS(getdents64), SCMP_SYS(sched_getaffinity),
};

static int add_rules(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n)
{
    int failed = 0;
    for (size_t i = 0; i < n && !failed; i++) {
        failed = seccomp_rule_add(filter, action, calls[i], 0);
        /* A call that this machine does not have cannot be made. */
        if (failed == -EDOM)
            failed = 0;
    }
    return failed;
}

/* Memory that is or becomes executable is nobody's need. */
static int add_memory_rules(scmp_filter_ctx filter)
{
    int failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (!failed)
        failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    return failed;
}

/* abort() sends itself a signal, and nobody else. */
static int add_signal_rule(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp itself = {
        .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &itself);
}

static int load_filter(void)
{
    scmp_filter_ctx filter =
        seccomp_init(INSTRUMENTED ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_KILL_PROCESS);
    int failed = filter ? 0 : -ENOMEM;
    if (!failed)
        failed = add_rules(filter, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof *allowed);
    if (!failed)
        failed =
            add_rules(filter, SCMP_ACT_ERRNO(EACCES), failing, sizeof failing / sizeof *failing);
    if (!failed)
        failed = add_memory_rules(filter);
    if (!failed)
        failed = add_signal_rule(filter);
    if (!failed)
        failed = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return failed;
}

enum comb_status comb_extract_confine(const struct comb_extract_limits *limits, int keep_fd,
                                      struct comb_error *err)
{
    int failed;
    if (keep_fd > 0)
        syscall(SYS_close_range, 0, (unsigned)keep_fd - 1, 0);
    syscall(SYS_close_range, (unsigned)keep_fd + 1, ~0u, 0);
    if (!set_limits(limits))
        return comb_error_set(err, COMB_INTERNAL, 0, "limits cannot be set: %s", strerror(errno));
    failed = load_filter();
    if (failed)
        return comb_error_set(err, COMB_FAILED_PRECONDITION, 0,
                              "the filter of system calls is refused: %s", strerror(-failed));
    return COMB_OK;
}
