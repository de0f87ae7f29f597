// SPDX-License-Identifier: Apache-2.0
/*
 * crash_record.c - records of crashes, written in a signal handler and read by a later process
 *
 * The writer calls nothing. The reader trusts nothing: a file may hold half a record, or be another
 * program's.
 *
 * Threads: no state.
 */
#include "crash_record.h"

#include <signal.h>
#include <stdio.h>

static const char magic[4] = {'W', 'G', 'L', 'C'};

enum { CRASH_VERSION = 1 };

static uint32_t fnv1a(const uint8_t *p, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

/* --- writing ------------------------------------------------------------------------------- */

static uint8_t *le_write(uint8_t *w, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *w++ = (uint8_t)(v >> (8 * i));
    return w;
}

static uint8_t *text_write(uint8_t *w, waggle_str s)
{
    size_t n = WAGGLE__MIN(s.n, (size_t)WAGGLE__CRASH_TEXT);
    *w++ = (uint8_t)n;
    for (size_t i = 0; i < n; i++)
        *w++ = (uint8_t)s.p[i];
    return w;
}

size_t waggle__crash_encode(const struct waggle__crash *c, uint8_t *ret)
{
    size_t n_pcs = WAGGLE__MIN(c->n_pcs, (size_t)WAGGLE__PCS_MAX);
    size_t modules_n = WAGGLE__MIN(c->modules.n, (size_t)WAGGLE__MODULES_BYTES);
    uint8_t *w = ret + WAGGLE__CRASH_HEAD;
    w = le_write(w, CRASH_VERSION, 2);
    w = le_write(w, c->signal, 2);
    w = le_write(w, (uint32_t)c->code, 4);
    w = le_write(w, c->time_ns, 8);
    w = le_write(w, c->fault_address, 8);
    w = le_write(w, c->pid, 4);
    w = le_write(w, c->tid, 4);
    w = le_write(w, c->key, 8);
    for (size_t i = 0; i < 16; i++)
        *w++ = c->trace_id[i];
    for (size_t i = 0; i < 8; i++)
        *w++ = c->span_id[i];
    *w++ = c->flags;
    *w++ = c->exact;
    w = le_write(w, n_pcs, 2);
    w = text_write(w, c->thread_name);
    w = text_write(w, c->note);
    w = text_write(w, c->version);
    for (size_t i = 0; i < n_pcs; i++)
        w = le_write(w, c->pcs[i], 8);
    for (size_t i = 0; i < modules_n; i++)
        *w++ = (uint8_t)c->modules.p[i];
    size_t n = (size_t)(w - ret) - WAGGLE__CRASH_HEAD;
    for (size_t i = 0; i < sizeof magic; i++)
        ret[i] = (uint8_t)magic[i];
    (void)le_write(le_write(ret + 4, n, 4), fnv1a(ret + WAGGLE__CRASH_HEAD, n), 4); // the head
    return WAGGLE__CRASH_HEAD + n;
}

/* --- reading ------------------------------------------------------------------------------- */

/* A walk over bytes; `bad` once it would leave them. */
struct crash_reader {
    const uint8_t *p;
    size_t n, at;
    bool bad;
};

static const uint8_t *take(struct crash_reader *r, size_t n)
{
    static const uint8_t none[24];
    if (r->bad || n > r->n - r->at) {
        r->bad = true;
        return n <= sizeof none ? none : NULL;
    }
    r->at += n;
    return r->p + r->at - n;
}

static uint64_t le_read(struct crash_reader *r, size_t n)
{
    const uint8_t *p = take(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static waggle_str text_read(struct crash_reader *r)
{
    size_t n = (size_t)le_read(r, 1);
    const uint8_t *p = take(r, n);
    return r->bad ? (waggle_str){"", 0} : (waggle_str){(const char *)p, n};
}

static bool read_crash(struct crash_reader *r, struct waggle__crash *c)
{
    memset(c, 0, sizeof *c);
    if (le_read(r, 2) != CRASH_VERSION)
        return false;
    c->signal = (uint32_t)le_read(r, 2);
    c->code = (int32_t)(uint32_t)le_read(r, 4);
    c->time_ns = le_read(r, 8);
    c->fault_address = le_read(r, 8);
    c->pid = (uint32_t)le_read(r, 4);
    c->tid = (uint32_t)le_read(r, 4);
    c->key = le_read(r, 8);
    memcpy(c->trace_id, take(r, 16), 16);
    memcpy(c->span_id, take(r, 8), 8);
    c->flags = (uint8_t)le_read(r, 1);
    c->exact = (uint8_t)le_read(r, 1);
    c->n_pcs = (size_t)le_read(r, 2);
    c->thread_name = text_read(r);
    c->note = text_read(r);
    c->version = text_read(r);
    if (r->bad || c->n_pcs > WAGGLE__PCS_MAX)
        return false;
    for (size_t i = 0; i < c->n_pcs; i++)
        c->pcs[i] = le_read(r, 8);
    c->modules = (waggle_str){(const char *)r->p + r->at, r->n - r->at};
    return !r->bad;
}

bool waggle__crash_next(const uint8_t *p, size_t n, size_t *at, struct waggle__crash *ret)
{
    if (*at > n || n - *at < WAGGLE__CRASH_HEAD || memcmp(p + *at, magic, sizeof magic) != 0)
        return false;
    struct crash_reader head = {p + *at + 4, 8, 0, false};
    uint64_t length = le_read(&head, 4);
    uint64_t sum = le_read(&head, 4);
    size_t from = *at + WAGGLE__CRASH_HEAD;
    if (length > n - from || length > WAGGLE__CRASH_BYTES || fnv1a(p + from, length) != sum)
        return false;
    *at = from + length;
    struct crash_reader r = {p + from, length, 0, false};
    return read_crash(&r, ret);
}

/* --- signals ------------------------------------------------------------------------------- */

const char *waggle__signal_name(uint32_t signal)
{
    switch (signal) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    case SIGABRT: return "SIGABRT";
    case SIGTRAP: return "SIGTRAP";
    default: return "signal";
    }
}

static const char *code_name(uint32_t signal, int32_t code)
{
    static const struct {
        int signal, code;
        const char *name;
    } codes[] = {
        {SIGSEGV, SEGV_MAPERR, "SEGV_MAPERR"}, {SIGSEGV, SEGV_ACCERR, "SEGV_ACCERR"},
        {SIGBUS, BUS_ADRALN, "BUS_ADRALN"},    {SIGBUS, BUS_ADRERR, "BUS_ADRERR"},
        {SIGBUS, BUS_OBJERR, "BUS_OBJERR"},    {SIGFPE, FPE_INTDIV, "FPE_INTDIV"},
        {SIGFPE, FPE_INTOVF, "FPE_INTOVF"},    {SIGFPE, FPE_FLTDIV, "FPE_FLTDIV"},
        {SIGFPE, FPE_FLTINV, "FPE_FLTINV"},    {SIGILL, ILL_ILLOPC, "ILL_ILLOPC"},
        {SIGILL, ILL_ILLOPN, "ILL_ILLOPN"},    {SIGILL, ILL_PRVOPC, "ILL_PRVOPC"},
    };
    for (size_t i = 0; i < WAGGLE__COUNT(codes); i++)
        if ((uint32_t)codes[i].signal == signal && codes[i].code == code)
            return codes[i].name;
    return code <= 0 ? "sent by a process" : NULL;
}

void waggle__signal_text(const struct waggle__crash *c, char *ret, size_t cap)
{
    static const struct {
        uint32_t signal;
        const char *text;
    } texts[] = {
        {SIGSEGV, "invalid memory access"},
        {SIGBUS, "memory that is not there"},
        {SIGFPE, "arithmetic error"},
        {SIGILL, "illegal instruction"},
        {SIGABRT, "aborted"},
        {SIGTRAP, "trap"},
    };
    const char *text = "ended by a signal";
    const char *code = c->signal == SIGABRT ? NULL : code_name(c->signal, c->code);
    for (size_t i = 0; i < WAGGLE__COUNT(texts); i++)
        if (texts[i].signal == c->signal)
            text = texts[i].text;
    (void)snprintf(ret, cap, "%s%s%s%s", text, code ? " (" : "", code ? code : "", // fits
                   code ? ")" : "");
}
