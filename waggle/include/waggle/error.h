// SPDX-License-Identifier: Apache-2.0
/*
 * waggle/error.h - reporting errors: a message, an error with its backtrace, a crash
 *
 *     WAGGLE_REPORT(logger, "ParseError", "the cart has no total");
 *     waggle_error_message(logger, WAGGLE_WARN, "stock is low", WAGGLE_NO_ATTRS);
 *
 * A report is a log record with the event name "waggle.error" and OpenTelemetry's exception.type,
 * exception.message and exception.stacktrace: every exporter of logs takes it. It belongs to the
 * current span. The stack is text as sanitizers write it,
 *
 *     #0 0x1394 in total /src/cart.c:12:5              with a symboliser (waggle/backtrace.h)
 *     #0 0x1394 (/srv/app+0x1394) (BuildId: 6f0ad1c2)  without
 *
 * and a receiver that has the binary's debug information finds the rest by its build id.
 *
 * Crashes, only when asked for:
 *
 *     waggle_init(NULL);
 *     waggle_crash_install("/var/lib/shop");   // SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP
 *     waggle_crash_send("/var/lib/shop", 2000); // what an earlier process left there
 *
 * The handler writes a record to a file that has been open since, with calls alone that a signal
 * handler may make, and lets the signal go on to whoever had it before: a core is still dumped.
 */
#ifndef WAGGLE_ERROR_H
#define WAGGLE_ERROR_H

#include "waggle/logs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- reports ------------------------------------------------------------------------------- */

/* Zero everywhere is legal. Borrowed for the call. */
typedef struct waggle_error {
    size_t struct_size;
    int severity;        /* enum waggle_severity; 0: WAGGLE_ERROR */
    const char *type;    /* a class: "ParseError", "ENOENT"; NULL: "Error" */
    const char *message; /* may be NULL */
    waggle_attrs attributes;
    const char *file; /* where it was noticed: __FILE__, __LINE__, __func__ */
    int line;
    const char *function;
    bool no_backtrace;
    waggle_span span;                     /* whose it is; wins over context */
    const struct waggle_context *context; /* NULL: the thread's current one */
} waggle_error;

enum { WAGGLE_ERROR_ID_BYTES = 37 }; /* a uuid as text, with its NUL */

/* Report it, with the stack it is called on.
 *
 * logger  NULL and a logger without an SDK: nothing happens
 * ret_id  the report's uuid (log.record.uid, Rollbar's uuid), to be shown to a user; "" if there is
 *         none; may be NULL
 * Cost    some 10 us, and with a symboliser milliseconds at the first one */
WAGGLE_EXPORT void waggle_error_report(struct waggle_logger *logger, const waggle_error *error,
                                       char ret_id[WAGGLE_ERROR_ID_BYTES]);

/* Report a text, without a stack. */
WAGGLE_EXPORT void waggle_error_message(struct waggle_logger *logger, enum waggle_severity severity,
                                        const char *text, waggle_attrs attributes);

/* Report that a call failed with this errno: type "ENOENT", message "WHAT: No such file ...". */
WAGGLE_EXPORT void waggle_error_errno(struct waggle_logger *logger, int error, const char *what);

#ifndef __cplusplus
/* Report an error here. */
#define WAGGLE_REPORT(logger, type_, message_)                                                     \
    waggle_error_report((logger),                                                                  \
                        &(waggle_error){.type = (type_),                                           \
                                        .message = (message_),                                     \
                                        .file = __FILE__,                                          \
                                        .line = __LINE__,                                          \
                                        .function = __func__},                                     \
                        NULL)
#endif

/* --- symbolisers --------------------------------------------------------------------------- */

/* Where an address is. Texts are borrowed until the callback returns. */
typedef struct waggle_place {
    const char *function, *file; /* NULL: not known */
    uint32_t line, column;       /* 0: not known */
} waggle_place;

/* Tell the places of an address of this process, the innermost inlined function first. */
typedef void waggle_place_fn(void *self, const waggle_place *place);
typedef void waggle_symbolize_fn(uintptr_t address, waggle_place_fn *tell, void *self);

/* Who names addresses; NULL: nobody. Call it while the program has one thread. */
WAGGLE_EXPORT void waggle_symbolizer_set(waggle_symbolize_fn *symbolize);

/* --- crashes ------------------------------------------------------------------------------- */

/* Handle the signals that end a program by writing a record into a file of that directory, which
 * is made if it is not there, for its owner alone. Threads other than the caller's need
 * waggle_crash_thread to survive the overflow of their stack as far as that.
 * Returns  0; -errno (no directory, no file, no memory); -EALREADY */
WAGGLE_EXPORT int waggle_crash_install(const char *directory);

/* Give the calling thread a stack for the handler, once; it is given back when the thread ends. */
WAGGLE_EXPORT bool waggle_crash_thread(void);

/* Look again at what is loaded, after dlopen: frames of modules that are not known are addresses
 * without a name. Takes a lock. */
WAGGLE_EXPORT void waggle_crash_refresh(void);

/* A text that goes with a crash: what is being worked on. Cut at 255 bytes; NULL for none. */
WAGGLE_EXPORT void waggle_crash_note(const char *text);

/* Give the signals back, and remove the file if nothing stands in it. */
WAGGLE_EXPORT void waggle_crash_remove(void);

/* Report the crashes of processes that are no more and wait until they are delivered. Files whose
 * reports were delivered are removed; what was not is kept for the next time, for 30 days.
 * Returns the number of crashes that were reported; -errno if the directory cannot be read. */
WAGGLE_EXPORT int waggle_crash_send(const char *directory, uint32_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
