// SPDX-License-Identifier: Apache-2.0
/*
 * error_report.c - errors as log records, with the stack they are reported from
 *
 * Threads: any. Nothing is kept. Memory for the stack's text is taken and given back.
 */
#include "backtrace.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "waggle/error.h"

enum { STACK_TEXT_MAX = 40 << 10, ATTRIBUTES_MAX = 64, OWN_ATTRIBUTES = 8 };

static void make_id(char ret[WAGGLE_ERROR_ID_BYTES])
{
    uint8_t b[16];
    ret[0] = '\0';
    if (getrandom(b, sizeof b, GRND_NONBLOCK) != (ssize_t)sizeof b)
        return;
    b[6] = (uint8_t)(0x40 | (b[6] & 0x0f));
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));
    (void)snprintf(ret, WAGGLE_ERROR_ID_BYTES, // fits
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
}

static void put_own(waggle_kv *kv, size_t *n, const char *key, const char *value)
{
    if (value != NULL && value[0] != '\0')
        kv[(*n)++] = waggle_kv_str(key, value);
}

/* The caller's attributes come last: of the same keys they win. */
static void emit_error(struct waggle_logger *logger, const waggle_error *e, const char *id,
                       waggle_str stack)
{
    waggle_kv kv[OWN_ATTRIBUTES + ATTRIBUTES_MAX];
    size_t n = 0;
    put_own(kv, &n, "exception.type", e->type ? e->type : "Error");
    put_own(kv, &n, "exception.message", e->message);
    put_own(kv, &n, "log.record.uid", id);
    put_own(kv, &n, "code.file.path", e->file);
    put_own(kv, &n, "code.function.name", e->function);
    if (e->line > 0)
        kv[n++] = waggle_kv_i64("code.line.number", e->line);
    if (stack.n > 0)
        kv[n++] = waggle_kv_strn("exception.stacktrace", stack.p, stack.n);
    for (size_t i = 0; i < e->attributes.n && i < ATTRIBUTES_MAX; i++)
        kv[n++] = e->attributes.p[i];
    const waggle_log_record record = {
        .struct_size = sizeof record,
        .severity = e->severity ? e->severity : WAGGLE_ERROR,
        .body = waggle_value_str(e->message ? e->message
                                 : e->type  ? e->type
                                            : "Error"),
        .attributes = waggle_attrs_of(kv, n),
        .event_name = WAGGLE__REPORT_EVENT,
        .span = e->span,
        .context = e->context,
    };
    waggle_log_emit(logger, &record);
}

#if defined(__GNUC__)
#define RETURN_ADDRESS ((uint64_t)(uintptr_t)__builtin_return_address(0))
#else
#define RETURN_ADDRESS UINT64_C(0)
#endif

/* The stack from that return address on: what lies below it is waggle's own. */
static size_t stack_from(uint64_t caller, uint64_t ret_pcs[WAGGLE__PCS_MAX])
{
    size_t n = waggle__backtrace(ret_pcs);
    for (size_t i = 0; i < n; i++) {
        if (ret_pcs[i] != caller)
            continue;
        memmove(ret_pcs, ret_pcs + i, (n - i) * sizeof *ret_pcs);
        return n - i;
    }
    return n; // a compiler that is unknown: it has some frames too many
}

/* `caller`: to where the function that was asked for the report returns. */
static void report_with_stack(struct waggle_logger *logger, const waggle_error *given,
                              uint64_t caller, char ret_id[WAGGLE_ERROR_ID_BYTES])
{
    uint64_t pcs[WAGGLE__PCS_MAX];
    struct waggle__buf text;
    struct waggle__buf modules;
    waggle_error e = {0};
    int saved = errno;
    memcpy(&e, given, given->struct_size ? WAGGLE__MIN(given->struct_size, sizeof e) : sizeof e);
    waggle__buf_init(&text, STACK_TEXT_MAX);
    waggle__buf_init(&modules, WAGGLE__MODULES_BYTES);
    size_t n = e.no_backtrace ? 0 : stack_from(caller, pcs);
    if (n > 0) {
        waggle__modules_encode(&modules);
        waggle__stack_text(&text, pcs, n, 0, (waggle_str){(const char *)modules.p, modules.n},
                           true);
    }
    make_id(ret_id);
    emit_error(logger, &e, ret_id, (waggle_str){(const char *)text.p, text.n});
    waggle__buf_done(&text);
    waggle__buf_done(&modules);
    errno = saved;
}

void waggle_error_report(struct waggle_logger *logger, const waggle_error *error,
                         char ret_id[WAGGLE_ERROR_ID_BYTES])
{
    char id[WAGGLE_ERROR_ID_BYTES] = "";
    if (error != NULL && waggle_logger_enabled(logger))
        report_with_stack(logger, error, RETURN_ADDRESS, id);
    if (ret_id != NULL)
        memcpy(ret_id, id, sizeof id);
}

void waggle_error_message(struct waggle_logger *logger, enum waggle_severity severity,
                          const char *text, waggle_attrs attributes)
{
    const waggle_log_record record = {
        .struct_size = sizeof record,
        .severity = (int)severity,
        .body = waggle_value_str(text),
        .attributes = attributes,
        .event_name = WAGGLE__REPORT_EVENT,
    };
    if (waggle_logger_enabled(logger))
        waggle_log_emit(logger, &record);
}

static const char *errno_name(int error)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {{EPERM, "EPERM"},
                 {ENOENT, "ENOENT"},
                 {EINTR, "EINTR"},
                 {EIO, "EIO"},
                 {EBADF, "EBADF"},
                 {EAGAIN, "EAGAIN"},
                 {ENOMEM, "ENOMEM"},
                 {EACCES, "EACCES"},
                 {EFAULT, "EFAULT"},
                 {EBUSY, "EBUSY"},
                 {EEXIST, "EEXIST"},
                 {ENOTDIR, "ENOTDIR"},
                 {EISDIR, "EISDIR"},
                 {EINVAL, "EINVAL"},
                 {ENFILE, "ENFILE"},
                 {EMFILE, "EMFILE"},
                 {EFBIG, "EFBIG"},
                 {ENOSPC, "ENOSPC"},
                 {EROFS, "EROFS"},
                 {EPIPE, "EPIPE"},
                 {EDOM, "EDOM"},
                 {ERANGE, "ERANGE"},
                 {ENAMETOOLONG, "ENAMETOOLONG"},
                 {ENOTEMPTY, "ENOTEMPTY"},
                 {ELOOP, "ELOOP"},
                 {EPROTO, "EPROTO"},
                 {EADDRINUSE, "EADDRINUSE"},
                 {ENETUNREACH, "ENETUNREACH"},
                 {ECONNABORTED, "ECONNABORTED"},
                 {ECONNRESET, "ECONNRESET"},
                 {ENOTCONN, "ENOTCONN"},
                 {ETIMEDOUT, "ETIMEDOUT"},
                 {ECONNREFUSED, "ECONNREFUSED"},
                 {EHOSTUNREACH, "EHOSTUNREACH"}};
    for (size_t i = 0; i < WAGGLE__COUNT(names); i++)
        if (names[i].number == error)
            return names[i].name;
    return NULL;
}

void waggle_error_errno(struct waggle_logger *logger, int error, const char *what)
{
    char number[16];
    char reason[128] = "an error without a name";
    char message[512];
    char id[WAGGLE_ERROR_ID_BYTES];
    const char *name = errno_name(error);
    if (!waggle_logger_enabled(logger))
        return;
    (void)snprintf(number, sizeof number, "errno %d", error); // fits
#if defined(__GLIBC__)                                        // with _GNU_SOURCE it gives the text
    const char *text = strerror_r(error, reason, sizeof reason);
#else
    (void)strerror_r(error, reason, sizeof reason); // what stands there serves then
    const char *text = reason;
#endif
    (void)snprintf(message, sizeof message, "%s: %s", what ? what : "a call failed", text); // cut
    report_with_stack(logger,
                      &(waggle_error){.type = name ? name : number,
                                      .message = message,
                                      .attributes = WAGGLE_ATTRS(waggle_kv_i64("errno", error))},
                      RETURN_ADDRESS, id);
}
