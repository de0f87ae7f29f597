// SPDX-License-Identifier: Apache-2.0
/* test_error.c - reports with the stack they were made on; processes that crash and what the next
 * one says of it */
#include "support.h"

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef WITH_BACKTRACE
#include <waggle/backtrace.h>
#endif

#include "crash_record.h"
#include "sdk_priv.h"

#if UNDER_TSAN || defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#else
#define UNDER_SANITIZER 0
#endif

static struct capture *kept;
static struct waggle_provider *provider;
static struct waggle_logger *logger;
static char directory[64];

static int setup(void **state)
{
    (void)state;
    kept = capture_new();
    provider = provider_with(kept, NULL);
    waggle_provider_add_log(provider, waggle_simple_processor_new(&kept->base));
    logger = waggle_logger_get("error", NULL);
    snprintf(directory, sizeof directory, "/tmp/waggle-crash-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    return 0;
}

static size_t files_left(void)
{
    DIR *d = opendir(directory);
    size_t n = 0;
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static int teardown(void **state)
{
    (void)state;
    char path[400];
    DIR *d = opendir(directory);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(directory);
    waggle_provider_free(provider);
    capture_free(kept);
    return 0;
}

static waggle_log_data log_at(size_t i)
{
    waggle_log_data log;
    assert_true(i < capture_count(kept));
    assert_true(waggle_record_log(&kept->records[i], &log));
    return log;
}

/* An attribute as text, in memory of its own. */
static const char *attr(const waggle_log_data *log, const char *key)
{
    static char text[8][32768];
    static int n;
    char *ret = text[n++ % 8];
    waggle_attr_data a;
    ret[0] = '\0';
    for (waggle_cursor c = {0}; waggle_log_data_attr(log, &c, &a);) {
        if (!str_is(a.key, key))
            continue;
        if (a.value.type == WAGGLE_STR)
            snprintf(ret, 32768, "%.*s", (int)a.value.str.n, a.value.str.p);
        else
            snprintf(ret, 32768, "%lld", (long long)a.value.i64);
    }
    return ret;
}

static pid_t crash_child(const char *how, int *ret_status);

/* --- reports -----------------------------------------------------------------------------------
 */

static void *volatile here; /* an address in the function that reports */

#define NOINLINE __attribute__((noinline))

NOINLINE static void reporter(char id[WAGGLE_ERROR_ID_BYTES])
{
    waggle_error_report(logger,
                        &(waggle_error){.type = "ParseError",
                                        .message = "no total",
                                        .file = "/src/cart.c",
                                        .line = 12,
                                        .function = "total",
                                        .attributes = WAGGLE_ATTRS(waggle_kv_i64("items", 3))},
                        id);
    here = __builtin_return_address(0);
}

static void an_error_has_its_stack(void **state)
{
    (void)state;
    char id[WAGGLE_ERROR_ID_BYTES];
    struct waggle_tracer *tracer = waggle_tracer_get("error", NULL);
    waggle_span span = waggle_span_start(tracer, "work", NULL);
    waggle_scope scope = waggle_attach_span(span);
    reporter(id);
    waggle_detach(scope);
    waggle_span_context c;
    waggle_span_get_context(span, &c);
    waggle_log_data log = log_at(0);
    assert_int_equal(log.severity, WAGGLE_ERROR);
    assert_true(str_is(log.event_name, "waggle.error"));
    assert_true(str_is(log.body.str, "no total"));
    assert_memory_equal(log.trace_id, c.trace_id, 16);
    assert_string_equal(attr(&log, "exception.type"), "ParseError");
    assert_string_equal(attr(&log, "exception.message"), "no total");
    assert_string_equal(attr(&log, "code.file.path"), "/src/cart.c");
    assert_string_equal(attr(&log, "code.line.number"), "12");
    assert_string_equal(attr(&log, "items"), "3");
    assert_string_equal(attr(&log, "log.record.uid"), id);
    assert_int_equal(strlen(id), 36);
    assert_int_equal(id[14], '4');
    waggle_span_end(span);
    const char *stack = attr(&log, "exception.stacktrace");
    if (stack[0] == '\0')
        return; // not glibc
    // the first frame lies in reporter, the second where it was called
    struct waggle__buf modules;
    struct waggle__module m;
    struct waggle__frame f;
    waggle__buf_init(&modules, WAGGLE__MODULES_BYTES);
    waggle__modules_encode(&modules);
    const waggle_str table = {(const char *)modules.p, modules.n};
    waggle_cursor at = {0};
    assert_true(waggle__module_next(table, &at, &m)); // the program itself
    waggle_cursor line = {0};
    const waggle_str text = {stack, strlen(stack)};
    assert_true(waggle__frame_next(text, &line, &f));
    uint64_t from = (uint64_t)(uintptr_t)reporter - m.bias;
    assert_in_range(f.offset, from, from + 1000);
    assert_int_equal(f.module.n, m.path.n);
    assert_int_equal(f.build_id.n, 2 * m.build_id.n);
    assert_true(waggle__frame_next(text, &line, &f));
    assert_int_equal(f.offset, (uint64_t)(uintptr_t)here - m.bias - 1);
    waggle__buf_done(&modules);
}

static void other_reports(void **state)
{
    (void)state;
    waggle_error_message(logger, WAGGLE_WARN, "stock is low",
                         WAGGLE_ATTRS(waggle_kv_i64("left", 2)));
    waggle_error_errno(logger, ENOENT, "open /x");
    waggle_error_errno(logger, 9999, NULL);
    waggle_error_report(logger, &(waggle_error){.no_backtrace = true, .severity = WAGGLE_FATAL},
                        NULL);
    WAGGLE_REPORT(logger, "T", "here");
    waggle_log_data log = log_at(0);
    assert_int_equal(log.severity, WAGGLE_WARN);
    assert_string_equal(attr(&log, "exception.type"), "");
    log = log_at(1);
    assert_string_equal(attr(&log, "exception.type"), "ENOENT");
    assert_string_equal(attr(&log, "exception.message"), "open /x: No such file or directory");
    assert_string_equal(attr(&log, "errno"), "2");
    log = log_at(2);
    assert_string_equal(attr(&log, "exception.type"), "errno 9999");
    log = log_at(3);
    assert_string_equal(attr(&log, "exception.type"), "Error");
    assert_string_equal(attr(&log, "exception.stacktrace"), "");
    log = log_at(4);
    assert_non_null(strstr(attr(&log, "code.file.path"), "test_error.c"));
    char id[WAGGLE_ERROR_ID_BYTES] = "x";
    waggle_error_report(NULL, &(waggle_error){0}, id);
    assert_string_equal(id, "");
    waggle_error_errno(NULL, 1, "x");
    waggle_error_message(NULL, WAGGLE_INFO, "x", WAGGLE_NO_ATTRS);
}

#ifdef WITH_BACKTRACE
/* Of this program, which has debug information. */
static void libbacktrace_names_frames(void **state)
{
    (void)state;
    char id[WAGGLE_ERROR_ID_BYTES];
    int status = 0;
    assert_true(waggle_backtrace_use());
    reporter(id);
    waggle_log_data log = log_at(0);
    const char *stack = attr(&log, "exception.stacktrace");
    const char *line = strstr(stack, " in reporter ");
    assert_non_null(line);
    assert_true(line < strchr(stack, '\n')); // the first
    assert_non_null(strstr(stack, "test_error.c:"));
    assert_non_null(strstr(stack, " in libbacktrace_names_frames "));
    if (!UNDER_SANITIZER) { // another process of the same build
        (void)crash_child("segv", &status);
        assert_int_equal(waggle_crash_send(directory, 5000), 1);
        log = log_at(capture_count(kept) - 1);
        stack = attr(&log, "exception.stacktrace");
        line = strstr(stack, " in crash_as ");
        assert_non_null(line);
        assert_true(line < strchr(stack, '\n'));
        assert_non_null(strstr(stack, " in child_main "));
    }
    waggle_symbolizer_set(NULL);
}
#endif

static void name_it(uintptr_t address, waggle_place_fn *tell, void *self)
{
    (void)address;
    tell(self, &(waggle_place){.function = "inlined", .file = "/s.c", .line = 3});
    tell(self,
         &(waggle_place){.function = "outer(int)\nx", .file = "/s.c", .line = 9, .column = 2});
    tell(self, &(waggle_place){0});
}

static void a_symboliser_names_frames(void **state)
{
    (void)state;
    char id[WAGGLE_ERROR_ID_BYTES];
    waggle_symbolizer_set(name_it);
    reporter(id);
    waggle_symbolizer_set(NULL);
    waggle_log_data log = log_at(0);
    const char *stack = attr(&log, "exception.stacktrace");
    if (stack[0] == '\0')
        return; // not glibc
    struct waggle__frame f;
    waggle_cursor c = {0};
    const waggle_str text = {stack, strlen(stack)};
    assert_true(waggle__frame_next(text, &c, &f));
    assert_true(str_is(f.function, "inlined"));
    assert_int_equal(f.line, 3);
    assert_true(waggle__frame_next(text, &c, &f));
    assert_true(str_is(f.function, "outer(int)"));
    assert_int_equal(f.line, 9);
}

/* --- crashes -----------------------------------------------------------------------------------
 */

NOINLINE static int overflow(int depth)
{
    volatile char much[4096];
    much[depth % 4096] = 1;
    return depth < 0 ? 0 : overflow(depth + 1) + much[0];
}

static void (*volatile nowhere)(void);

static void *in_a_thread(void *self)
{
    (void)self;
    waggle_crash_thread();
    (void)overflow(1);
    return NULL;
}

NOINLINE static void crash_as(const char *how)
{
    volatile int *volatile null = NULL;
    volatile int zero = 0;
    volatile int nine = 9;
    if (strcmp(how, "segv") == 0)
        *null = 1;
    else if (strcmp(how, "abort") == 0)
        abort();
    else if (strcmp(how, "overflow") == 0)
        (void)overflow(1);
    else if (strcmp(how, "call") == 0)
        nowhere();
    else if (strcmp(how, "fpe") == 0)
        zero = nine / zero;
    else if (strcmp(how, "sent") == 0)
        kill(getpid(), SIGBUS);
    else if (strcmp(how, "thread") == 0) {
        pthread_t t;
        pthread_create(&t, NULL, in_a_thread, NULL);
        pthread_join(t, NULL);
    }
}

/* The child: a program that crashes. */
static int child_main(const char *how, const char *where)
{
    const struct rlimit no_core = {0, 0};
    const struct rlimit stack = {8 << 20, 8 << 20};
    setrlimit(RLIMIT_CORE, &no_core);
    setrlimit(RLIMIT_STACK, &stack); // it is to overflow soon, whatever the limit was
    setenv("OTEL_TRACES_EXPORTER", "console", 1);
    setenv("OTEL_LOGS_EXPORTER", "none", 1);
    if (freopen("/dev/null", "w", stdout) == NULL ||
        waggle_init(&(waggle_options){.service_version = "9.8"}) != 0 ||
        waggle_crash_install(where) != 0)
        return 1;
    waggle_crash_note("request 7");
    waggle_span span = waggle_span_start(waggle_tracer_get("child", NULL), "doomed", NULL);
    WAGGLE_SPAN_SCOPE(span);
    crash_as(how);
    return 2;
}

static char own_path[512];

static pid_t crash_child(const char *how, int *ret_status)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl(own_path, own_path, how, directory, (char *)NULL);
        _exit(3);
    }
    assert_int_equal(waitpid(pid, ret_status, 0), pid);
    return pid;
}

static void crashes(void **state)
{
    (void)state;
    static const struct {
        const char *how;
        int signal;
        const char *name, *message;
        size_t frames; /* at least */
    } cases[] = {
        {"segv", SIGSEGV, "SIGSEGV", "invalid memory access (SEGV_MAPERR)", 3},
        {"abort", SIGABRT, "SIGABRT", "aborted", 4},
        {"overflow", SIGSEGV, "SIGSEGV", "invalid memory access (SEGV_", 100},
        {"call", SIGSEGV, "SIGSEGV", "invalid memory access (SEGV_MAPERR)", 3},
        {"fpe", SIGFPE, "SIGFPE", "arithmetic error (FPE_INTDIV)", 3},
        {"sent", SIGBUS, "SIGBUS", "memory that is not there (sent by a process)", 3},
        {"thread", SIGSEGV, "SIGSEGV", "invalid memory access (SEGV_", 100},
    };
    if (UNDER_SANITIZER)
        skip(); // they handle these signals themselves
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
#if !defined(__x86_64__)
        if (strcmp(cases[i].how, "call") == 0 || strcmp(cases[i].how, "fpe") == 0)
            continue;
#endif
        int status = 0;
        pid_t pid = crash_child(cases[i].how, &status);
        assert_true(WIFSIGNALED(status)); // and not by us
        assert_int_equal(WTERMSIG(status), cases[i].signal);
        assert_int_equal(files_left(), 1);
        assert_int_equal(waggle_crash_send(directory, 5000), 1);
        assert_int_equal(files_left(), 0);
        assert_int_equal(waggle_crash_send(directory, 5000), 0);
        waggle_log_data log = log_at(capture_count(kept) - 1);
        assert_int_equal(log.severity, WAGGLE_FATAL);
        assert_string_equal(attr(&log, "exception.type"), cases[i].name);
        assert_int_equal(
            strncmp(attr(&log, "exception.message"), cases[i].message, strlen(cases[i].message)),
            0);
        assert_int_equal(strtol(attr(&log, "process.pid"), NULL, 10), pid);
        assert_string_equal(attr(&log, "crash.note"), "request 7");
        assert_string_equal(attr(&log, "service.version"), "9.8");
        static const uint8_t none[16];
        if (strcmp(cases[i].how, "thread") != 0)
            assert_memory_not_equal(log.trace_id, none, 16); // of the span that was current
        size_t n = 0;
        struct waggle__frame f;
        const char *stack = attr(&log, "exception.stacktrace");
        for (waggle_cursor c = {0}; waggle__frame_next((waggle_str){stack, strlen(stack)}, &c, &f);)
            n++;
        assert_true(n >= cases[i].frames);
    }
}

static void crash_record(struct waggle__crash *c)
{
    *c = (struct waggle__crash){.signal = SIGSEGV,
                                .code = 1,
                                .time_ns = 5,
                                .fault_address = 16,
                                .key = 77,
                                .pid = 3,
                                .tid = 4,
                                .exact = 1,
                                .thread_name = {"t", 1},
                                .note = {"", 0},
                                .version = {"1", 1},
                                .n_pcs = 2,
                                .pcs = {0x1394, 0x2000},
                                .modules = {"", 0}};
}

/* Put bytes into a file of the directory. */
static void spool(const char *name, const void *p, size_t n)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *f = fopen(path, "w");
    fwrite(p, 1, n, f);
    fclose(f);
}

static void files_of_the_directory(void **state)
{
    (void)state;
    static uint8_t bytes[3 * WAGGLE__CRASH_BYTES];
    struct waggle__crash c;
    crash_record(&c);
    size_t n = waggle__crash_encode(&c, bytes);
    c.n_pcs = 1;
    n += waggle__crash_encode(&c, bytes + n); // the same crash, told again
    c.key = 78;
    n += waggle__crash_encode(&c, bytes + n);
    spool("waggle-crash-1-0", bytes, n);
    spool("waggle-crash-2-0", bytes, n - 1); // cut: the last one is lost
    spool("waggle-crash-3-0", "", 0);
    spool("waggle-crash-4-0", "nonsense", 8);
    spool("other", bytes, n);
    char path[400];
    snprintf(path, sizeof path, "%s/waggle-crash-3-0", directory);
    int held = open(path, O_RDWR);
    assert_int_equal(flock(held, LOCK_EX), 0); // its owner lives
    snprintf(path, sizeof path, "%s/waggle-crash-5-0", directory);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(waggle_crash_send(directory, 5000), 3);
    assert_int_equal(files_left(), 3); // the one that is held, the link, the one that is not ours
    close(held);
    assert_int_equal(waggle_crash_send(directory, 5000), 0);
    assert_int_equal(files_left(), 2);
    assert_int_equal(waggle_crash_send("/nowhere/at/all", 5000), 0);
    assert_int_equal(waggle_crash_send("/dev/null", 5000), -ENOTDIR);
}

static void what_is_not_delivered_is_kept(void **state)
{
    (void)state;
    static uint8_t bytes[WAGGLE__CRASH_BYTES];
    struct waggle__crash c;
    crash_record(&c);
    spool("waggle-crash-1-0", bytes, waggle__crash_encode(&c, bytes));
    kept->result = WAGGLE_EXPORT_FAILED;
    assert_int_equal(waggle_crash_send(directory, 5000), 1);
    assert_int_equal(files_left(), 1);
    kept->result = WAGGLE_EXPORT_OK;
    assert_int_equal(waggle_crash_send(directory, 5000), 1);
    assert_int_equal(files_left(), 0);
    spool("waggle-crash-1-0", bytes, waggle__crash_encode(&c, bytes));
    char path[400];
    snprintf(path, sizeof path, "%s/waggle-crash-1-0", directory);
    const struct timespec long_ago[2] = {{1, 0}, {1, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, long_ago, 0), 0);
    assert_int_equal(waggle_crash_send(directory, 5000), 0);
    assert_int_equal(files_left(), 0);
}

static void install_and_remove(void **state)
{
    (void)state;
    struct sigaction a;
    char inner[128];
    if (UNDER_SANITIZER)
        skip(); // they handle these signals themselves
    snprintf(inner, sizeof inner, "%s/none/at/all", directory);
    assert_int_equal(waggle_crash_install(inner), -ENOENT);
    assert_int_equal(waggle_crash_install(directory), 0);
    assert_int_equal(waggle_crash_install(directory), -EALREADY);
    assert_int_equal(files_left(), 1);
    assert_int_equal(waggle_crash_send(directory, 5000), 0);
    assert_int_equal(files_left(), 1); // it is our own
    sigaction(SIGSEGV, NULL, &a);
    assert_true(a.sa_flags & SA_ONSTACK);
    waggle_crash_remove();
    sigaction(SIGSEGV, NULL, &a);
    assert_true(a.sa_handler == SIG_DFL || (a.sa_flags & SA_SIGINFO) == 0);
    assert_int_equal(files_left(), 0);
    waggle_crash_remove();
}

static void records(void **state)
{
    (void)state;
    static uint8_t bytes[WAGGLE__CRASH_BYTES];
    struct waggle__crash c;
    struct waggle__crash read;
    size_t at = 0;
    crash_record(&c);
    size_t n = waggle__crash_encode(&c, bytes);
    assert_true(waggle__crash_next(bytes, n, &at, &read));
    assert_int_equal(at, n);
    assert_int_equal(read.signal, SIGSEGV);
    assert_int_equal(read.fault_address, 16);
    assert_int_equal(read.n_pcs, 2);
    assert_int_equal(read.pcs[1], 0x2000);
    assert_true(str_is(read.thread_name, "t"));
    for (size_t i = 0; i < n; i++) { // no changed byte goes unseen
        bytes[i] ^= 1;
        at = 0;
        assert_false(waggle__crash_next(bytes, n, &at, &read));
        bytes[i] ^= 1;
    }
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return child_main(argv[1], argv[2]);
    ssize_t n = readlink("/proc/self/exe", own_path, sizeof own_path - 1);
    own_path[n > 0 ? n : 0] = '\0';
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_error_has_its_stack),
        T(other_reports),
        T(a_symboliser_names_frames),
#ifdef WITH_BACKTRACE
        T(libbacktrace_names_frames),
#endif
        T(records),
        T(files_of_the_directory),
        T(what_is_not_delivered_is_kept),
        T(install_and_remove),
        T(crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
