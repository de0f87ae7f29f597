// SPDX-License-Identifier: Apache-2.0
/*
 * backtrace.c - return addresses, the modules they lie in, and both as text
 *
 * Addresses are glibc's backtrace(); where there is none, a report has no stack. An address in a
 * file is the one in memory minus the module's bias, as nm and addr2line show it; of a return
 * address one is subtracted, so that it lies in the call.
 *
 * Threads: any. waggle__backtrace alone may be called in a signal handler.
 */
#include "backtrace.h"

#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__GLIBC__)
#include <execinfo.h>
#define HAVE_BACKTRACE 1
#else
#define HAVE_BACKTRACE 0
#endif

#include "waggle/error.h"

enum { RAW_MAX = 2048, TEXT_FRAME_BYTES = 8192 };

static waggle_symbolize_fn *symbolizer;

void waggle_symbolizer_set(waggle_symbolize_fn *symbolize)
{
    symbolizer = symbolize;
}

#if defined(__GNUC__)
__attribute__((noinline))
#endif
size_t
waggle__backtrace(uint64_t ret_pcs[WAGGLE__PCS_MAX])
{
#if HAVE_BACKTRACE
    void *raw[RAW_MAX]; // 16 KiB: the handler's stack has room for it
    int got = backtrace(raw, RAW_MAX);
    size_t n = got > 0 ? (size_t)got : 0;
    size_t kept = WAGGLE__MIN(n, (size_t)WAGGLE__PCS_MAX);
    for (size_t i = 0; i < kept; i++) {
        size_t at = i < kept / 2 ? i : n - kept + i;
        ret_pcs[i] = (uint64_t)(uintptr_t)raw[at];
    }
    return kept;
#else
    (void)ret_pcs;
    return 0;
#endif
}

/* --- modules ------------------------------------------------------------------------------- */

static size_t note_size(uint32_t n)
{
    return ((size_t)n + 3) & ~(size_t)3;
}

/* The GNU build id in a module's notes; NULL if there is none. */
static const uint8_t *build_id_of(const struct dl_phdr_info *info, size_t *ret_n)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type != PT_NOTE)
            continue;
        const uint8_t *p = (const uint8_t *)(uintptr_t)(info->dlpi_addr + h->p_vaddr);
        for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= h->p_memsz;) {
            ElfW(Nhdr) note;
            memcpy(&note, p + at, sizeof note);
            size_t name = at + sizeof note;
            size_t desc = name + note_size(note.n_namesz);
            if (desc + note.n_descsz > h->p_memsz)
                break;
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
                memcmp(p + name, "GNU", 4) == 0 && note.n_descsz <= WAGGLE__BUILD_ID_MAX) {
                *ret_n = note.n_descsz;
                return p + desc;
            }
            at = desc + note_size(note.n_descsz);
        }
    }
    *ret_n = 0;
    return NULL;
}

static void put_le(struct waggle__buf *out, uint64_t v, size_t n)
{
    uint8_t bytes[8];
    (void)waggle__put_le64(bytes, v);
    waggle__buf_put(out, bytes, n);
}

static int encode_module(struct dl_phdr_info *info, size_t size, void *self)
{
    struct waggle__buf *out = self;
    char exe[PATH_MAX];
    const char *path = info->dlpi_name;
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    size_t id_n = 0;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type != PT_LOAD)
            continue;
        uint64_t from = (uint64_t)info->dlpi_addr + h->p_vaddr;
        low = WAGGLE__MIN(low, from);
        high = from + h->p_memsz > high ? from + h->p_memsz : high;
    }
    if (path == NULL || path[0] == '\0') { // the program itself
        ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
        exe[n > 0 ? n : 0] = '\0';
        path = exe;
    }
    const uint8_t *id = build_id_of(info, &id_n);
    size_t path_n = strlen(path);
    if (low >= high || path_n > PATH_MAX || out->n + path_n + id_n + 32 > out->limit)
        return 0;
    put_le(out, low, 8);
    put_le(out, high, 8);
    put_le(out, (uint64_t)info->dlpi_addr, 8);
    put_le(out, path_n, 2);
    put_le(out, id_n, 1);
    waggle__buf_put(out, path, path_n);
    waggle__buf_put(out, id != NULL ? (const void *)id : "", id_n);
    return 0;
}

void waggle__modules_encode(struct waggle__buf *out)
{
    (void)dl_iterate_phdr(encode_module, out); // 0: encode_module never stops it
}

static uint64_t get_le(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)(unsigned char)p[i] << (8 * i);
    return v;
}

bool waggle__module_next(waggle_str table, waggle_cursor *c, struct waggle__module *ret)
{
    enum { HEAD = 27 };
    if (c->at > table.n || table.n - c->at < HEAD)
        return false;
    const char *p = table.p + c->at;
    size_t path_n = get_le(p + 24, 2);
    size_t id_n = get_le(p + 26, 1);
    if (path_n + id_n > table.n - c->at - HEAD || id_n > WAGGLE__BUILD_ID_MAX)
        return false;
    *ret = (struct waggle__module){
        .low = get_le(p, 8),
        .high = get_le(p + 8, 8),
        .bias = get_le(p + 16, 8),
        .path = {p + HEAD, path_n},
        .build_id = {p + HEAD + path_n, id_n},
    };
    c->at += HEAD + path_n + id_n;
    return true;
}

static bool find_module(waggle_str table, uint64_t pc, struct waggle__module *ret)
{
    for (waggle_cursor c = {0}; waggle__module_next(table, &c, ret);)
        if (pc >= ret->low && pc < ret->high)
            return true;
    return false;
}

/* The module of this process that is the same file. */
static bool find_same(waggle_str table, const struct waggle__module *m, struct waggle__module *ret)
{
    for (waggle_cursor c = {0}; m->build_id.n > 0 && waggle__module_next(table, &c, ret);)
        if (ret->build_id.n == m->build_id.n &&
            memcmp(ret->build_id.p, m->build_id.p, m->build_id.n) == 0)
            return true;
    return false;
}

/* --- as text ------------------------------------------------------------------------------- */

struct stack_writer {
    struct waggle__buf *out;
    unsigned n;
    const struct waggle__frame *frame;
    bool told;
};

/* What a line must not be broken by. */
static waggle_str one_line(const char *s)
{
    return (waggle_str){s, strcspn(s, "\r\n")};
}

static void tell_place(void *self, const waggle_place *place)
{
    struct stack_writer *w = self;
    struct waggle__frame f = *w->frame;
    if (place->function == NULL && place->file == NULL)
        return;
    if (place->function != NULL)
        f.function = one_line(place->function);
    if (place->file != NULL && place->line > 0) {
        f.file = one_line(place->file);
        f.line = place->line;
        f.column = place->column;
    }
    waggle__frame_write(w->out, w->n++, &f);
    w->told = true;
}

static void put_pc(struct stack_writer *w, uint64_t pc, bool exact, waggle_str table,
                   waggle_str here)
{
    char id[2 * WAGGLE__BUILD_ID_MAX + 1];
    struct waggle__module m;
    struct waggle__module same;
    const waggle_str none = {"", 0};
    struct waggle__frame f = {.function = none, .file = none, .offset = pc, .has_offset = true};
    uint64_t at = exact ? pc : pc - 1;
    if (!find_module(table, at, &m)) {
        waggle__buf_printf(w->out, "    #%u 0x%llx (unknown+0x0)\n", w->n++,
                           (unsigned long long)pc);
        return;
    }
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < m.build_id.n; i++) {
        id[2 * i] = digits[(unsigned char)m.build_id.p[i] >> 4];
        id[2 * i + 1] = digits[m.build_id.p[i] & 15];
    }
    f.offset = at - m.bias;
    f.module = m.path;
    f.build_id = (waggle_str){id, 2 * m.build_id.n};
    w->frame = &f;
    w->told = false;
    bool mapped = find_same(here, &m, &same);
    uint64_t local = mapped ? f.offset + same.bias : 0;
    if (symbolizer != NULL && mapped && local >= same.low && local < same.high)
        symbolizer((uintptr_t)local, tell_place, w);
    if (!w->told)
        waggle__frame_write(w->out, w->n++, &f);
}

void waggle__stack_text(struct waggle__buf *out, const uint64_t *pcs, size_t n, size_t exact,
                        waggle_str table, bool own)
{
    struct stack_writer w = {.out = out};
    struct waggle__buf mine;
    waggle_str here = table;
    waggle__buf_init(&mine, WAGGLE__MODULES_BYTES);
    if (!own && symbolizer != NULL) {
        waggle__modules_encode(&mine);
        here = (waggle_str){(const char *)mine.p, mine.n};
    }
    for (size_t i = 0; i < n; i++)
        put_pc(&w, pcs[i], i < exact, table, here);
    waggle__buf_done(&mine);
}
