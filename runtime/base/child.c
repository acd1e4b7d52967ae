/* DESIGN. What the parent is to know of a crash lies in one shared mapping, which is also the stack
 * of the child's signal handler: so the handler finds it by itself (ucontext.h), and an overflow of
 * the stack is told like any other crash.
 *
 *   OFFSET          0                    NOTE_BYTES            SHARED_BYTES
 *                   | child_note, handed | stack of the handler |
 */
#include "runtime/base/child.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "runtime/base/clock.h"

enum {
    NOTE_BYTES = 4096,
    SHARED_BYTES = NOTE_BYTES + (64 << 10),
    LEAST_BYTES = 64 << 20, /* it may take at any rate */
    POLL_MS = 2,
};

static const int CRASHES[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, CHILD_HANGS };

/* The beginning of the mapping. */
typedef struct shared {
    child_note note;
    const child_options *options; /* of the process that reads it */
} shared;

static void on_crash(int number, siginfo_t *info, void *context) {
    (void)info;
    shared *s = ((ucontext_t *)context)->uc_stack.ss_sp;
    const child_options *o = s ? s->options : NULL;
    if (o && o->place) o->place(o->arg, s->note.place, CHILD_PLACE_BYTES);
    raise(number); /* once more, without a handler */
}

static void tell_crashes(shared *s) {
    stack_t stack = { .ss_sp = s, .ss_size = SHARED_BYTES };
    struct sigaction action = { .sa_sigaction = on_crash };
    action.sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
    sigaltstack(&stack, NULL);
    for (size_t i = 0; i < sizeof CRASHES / sizeof *CRASHES; i++)
        sigaction(CRASHES[i], &action, NULL);
}

/* A number of a file's line `name`; -1: it is not there. "": of the only line. */
static int64_t read_number(const char *path, const char *name) {
    char line[256];
    int64_t found = -1;
    size_t len = strlen(name);
    FILE *file = fopen(path, "re");
    while (file && found < 0 && fgets(line, sizeof line, file))
        if (!strncmp(line, name, len) && sscanf(line + len, " %" SCNd64, &found) != 1) found = -1;
    if (file) fclose(file);
    return found;
}

/* What is left of the control group's limit; INT64_MAX: there is none. */
static int64_t group_bytes(void) {
    char line[1024] = "", path[1200];
    FILE *file = fopen("/proc/self/cgroup", "re");
    while (file && fgets(line, sizeof line, file) && strncmp(line, "0::", 3)) *line = '\0';
    if (file) fclose(file);
    if (!*line) return INT64_MAX;
    line[strcspn(line, "\n")] = '\0';
    const char *name = strcmp(line + 3, "/") ? line + 3 : "";
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", name);
    int64_t most = read_number(path, "");
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.stat", name);
    int64_t taken = read_number(path, "anon ");
    if (most < 0 || taken < 0) return INT64_MAX;
    return most > taken ? most - taken : 0;
}

int64_t child_free_bytes(void) {
    int64_t left = group_bytes(), machine = read_number("/proc/meminfo", "MemAvailable:");
    return machine >= 0 && machine << 10 < left ? machine << 10 : left;
}

/* More than is free is refused, before the kernel ends the parent as well. */
static void limit_memory(void) {
    int64_t left = child_free_bytes(), data = read_number("/proc/self/status", "VmData:");
    if (left == INT64_MAX || data < 0) return;
    left = left / 10 * 9 > LEAST_BYTES ? left / 10 * 9 : LEAST_BYTES;
    rlim_t most = (rlim_t)((data << 10) + left);
    setrlimit(RLIMIT_DATA, &(struct rlimit){ most, most });
}

static void be_first_to_go(void) {
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t written = fd >= 0 ? write(fd, "1000", 4) : 0;
    (void)written;
    if (fd >= 0) close(fd);
}

static void shut_output(void) {
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd < 0) _exit(1);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
}

static void be_child(shared *s, pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    shut_output();
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    be_first_to_go();
    limit_memory();
    tell_crashes(s);
    s->options->run(s->options->arg, &s->note);
    _exit(0);
}

static int64_t now_ms(void) { return clock_steady_ms(&(clock_source){ 0 }); }

/* Wait for the end of the child, or make it. */
static child_end await(pid_t pid, const shared *s, int *status) {
    const child_options *o = s->options;
    uint64_t at = UINT64_MAX;
    int64_t moved_ms = now_ms();
    while (waitpid(pid, status, WNOHANG) != pid) {
        uint64_t now = s->note.at;
        if (now != at) moved_ms = now_ms();
        at = now;
        if ((o->stop && *o->stop) || now_ms() - moved_ms > o->patience_ms) {
            kill(pid, SIGKILL);
            waitpid(pid, status, 0);
            return CHILD_LOST;
        }
        nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000 }, NULL);
    }
    if (WIFSIGNALED(*status)) return CHILD_CRASHED;
    return WEXITSTATUS(*status) ? CHILD_LOST : CHILD_DONE;
}

void child_step(child_note *note, uint64_t at) {
    int64_t ms = ((shared *)note)->options->step_ms;
    struct itimerval left = { .it_value = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 } };
    note->at = at;
    setitimer(ITIMER_PROF, &left, NULL);
}

void child_run(const child_options *options, child_result *result) {
    *result = (child_result){ .end = CHILD_LOST };
    shared *s =
        mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED) return;
    s->options = options;
    int status = 0;
    pid_t parent = getpid(), pid = fork();
    if (!pid) be_child(s, parent);
    if (pid > 0) result->end = await(pid, s, &status);
    if (result->end == CHILD_CRASHED) result->signal = WTERMSIG(status);
    result->at = s->note.at;
    memcpy(result->place, s->note.place, CHILD_PLACE_BYTES);
    result->place[CHILD_PLACE_BYTES - 1] = '\0';
    munmap(s, SHARED_BYTES);
}
