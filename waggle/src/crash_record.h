// SPDX-License-Identifier: Apache-2.0
/*
 * crash_record.h - what a signal handler leaves in the spool file
 *
 *   u32 "WGLC"  u32 bytes behind this word and the next  u32 FNV-1a of them
 *   u16 version (1)  u16 signal  i32 code  u64 time_ns  u64 fault address
 *   u32 pid  u32 tid  u64 key                   one crash: a later record of the same key is fuller
 *   u8 trace id[16]  u8 span id[8]  u8 flags  u8 exact  u16 n_pcs
 *   u8 n, thread's name   u8 n, note   u8 n, service.version
 *   u64 pcs[n_pcs]   the rest: modules (backtrace.h)
 *
 * Little endian, without padding.
 */
#ifndef WAGGLE_CRASH_RECORD_H
#define WAGGLE_CRASH_RECORD_H

#include "backtrace.h"

enum {
    WAGGLE__CRASH_HEAD = 12,
    WAGGLE__CRASH_FIXED = 72,
    WAGGLE__CRASH_TEXT = 255,
    /* Largest record: all texts, all addresses, all modules. */
    WAGGLE__CRASH_BYTES = WAGGLE__CRASH_HEAD + WAGGLE__CRASH_FIXED + 3 * 256 + 8 * WAGGLE__PCS_MAX +
                          WAGGLE__MODULES_BYTES
};

struct waggle__crash {
    uint32_t signal;
    int32_t code;
    uint64_t time_ns, fault_address, key;
    uint32_t pid, tid;
    uint8_t trace_id[16], span_id[8], flags;
    uint8_t exact; /* of the first addresses, how many are no return addresses */
    waggle_str thread_name, note, version;
    uint64_t pcs[WAGGLE__PCS_MAX];
    size_t n_pcs;
    waggle_str modules;
};

/* Encode into `ret`, which has room for WAGGLE__CRASH_BYTES; texts are cut. No call, no lock: for
 * signal handlers. Returns the bytes. */
size_t waggle__crash_encode(const struct waggle__crash *crash, uint8_t *ret);

/* The next record from *at on; false at the end, and where the bytes are no record. */
bool waggle__crash_next(const uint8_t *p, size_t n, size_t *at, struct waggle__crash *ret);

/* "SIGSEGV"; "signal" if it has no name. */
const char *waggle__signal_name(uint32_t signal);

/* What it means: "invalid memory access (SEGV_MAPERR)". */
void waggle__signal_text(const struct waggle__crash *crash, char *ret, size_t cap);

#endif
