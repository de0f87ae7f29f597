// SPDX-License-Identifier: Apache-2.0
/* ELF and DWARF -> a table, by elfutils' libdw.
 *
 *   each unit    line rows                                   -> lines
 *                subprograms, inlined subroutines (a tree)   -> nodes, spans [low, high) of each
 *   spans        swept from the left, the innermost wins     -> ranges
 *   symbol table functions where DWARF knows none            -> nodes, ranges
 *
 * Addresses outside of loaded code are left out: linkers put what they dropped at 0.
 *
 * I1  what nests badly is cut to what it lies in: ranges do not overlap whatever the file says.
 * Threads: the caller's.  Memory: bounded by the limits below, and libdw's own, which nothing
 * bounds but the process: child.c. */
#include "symbols/debugfile.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <stdlib.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"
#include "symbols/table.h"

enum {
    NODES_MAX = 2 << 20,
    SPANS_MAX = 4 << 20,
    LINES_MAX = 4 << 20,
    FILES_MAX = 1 << 18,
    CODE_MAX = 64, /* segments of code */
    DEPTH_MAX = 128
};

struct span {
    uint64_t low, high;
    uint32_t node, depth;
};

struct maker {
    struct {
        uint64_t low, high;
    } code[CODE_MAX];
    unsigned n_code;
    Elf *elf;
    Dwarf *dwarf;
    Dwarf_Files *unit_files; /* of the unit at hand */
    size_t n_unit_files;
    uint32_t unit_line; /* the first row of it */
    skep_str *files;    /* slices of libdw's */
    uint32_t *slots;    /* files by hash: index + 1 */
    struct skep_symtab_node *nodes;
    struct span *spans;
    struct skep_symtab_range *ranges;
    struct skep_symtab_row *lines;
    uint32_t n_files, cap_files, n_slots, n_nodes, cap_nodes, n_spans, cap_spans;
    uint32_t n_ranges, cap_ranges, n_lines, cap_lines;
    bool full;
};

static bool in_code(const struct maker *m, uint64_t address)
{
    for (unsigned i = 0; i < m->n_code; i++) {
        if (address >= m->code[i].low && address < m->code[i].high)
            return true;
    }
    return false;
}

// --- pieces ------------------------------------------------------------------------------------

static void slots_grow(struct maker *m)
{
    uint32_t n = m->n_slots ? 2 * m->n_slots : 1024;
    skep_free(m->slots);
    m->slots = skep_alloc_n(uint32_t, n);
    m->n_slots = n;
    for (uint32_t i = 0; i < m->n_files; i++) {
        uint32_t at = (uint32_t)XXH3_64bits(m->files[i].p, m->files[i].n) & (n - 1);
        while (m->slots[at])
            at = (at + 1) & (n - 1);
        m->slots[at] = i + 1;
    }
}

static uint32_t file_index(struct maker *m, const char *path)
{
    skep_str s = skep_str_c(path);
    if (s.n == 0)
        return skep_symtab_none;
    if (m->n_files * 2 >= m->n_slots)
        slots_grow(m);
    uint32_t at = (uint32_t)XXH3_64bits(s.p, s.n) & (m->n_slots - 1);
    for (; m->slots[at]; at = (at + 1) & (m->n_slots - 1)) {
        if (skep_str_eq(m->files[m->slots[at] - 1], s))
            return m->slots[at] - 1;
    }
    if (m->n_files == FILES_MAX) {
        m->full = true;
        return skep_symtab_none;
    }
    SKEP_GROW(m->files, m->n_files, m->cap_files);
    m->files[m->n_files] = s;
    m->slots[at] = m->n_files + 1;
    return m->n_files++;
}

static uint32_t add_node(struct maker *m, const struct skep_symtab_node *node)
{
    if (m->n_nodes == NODES_MAX) {
        m->full = true;
        return skep_symtab_none;
    }
    SKEP_GROW(m->nodes, m->n_nodes, m->cap_nodes);
    m->nodes[m->n_nodes] = *node;
    return m->n_nodes++;
}

static void add_span(struct maker *m, uint64_t low, uint64_t high, uint32_t node, uint32_t depth)
{
    if (low >= high || !in_code(m, low))
        return;
    if (m->n_spans == SPANS_MAX) {
        m->full = true;
        return;
    }
    SKEP_GROW(m->spans, m->n_spans, m->cap_spans);
    m->spans[m->n_spans++] = (struct span){.low = low, .high = high, .node = node, .depth = depth};
}

// --- lines -------------------------------------------------------------------------------------

/* They come by address; of one address the last counts. */
static void add_line(struct maker *m, Dwarf_Line *line)
{
    Dwarf_Addr address = 0;
    bool end = false;
    int number = 0;
    if (dwarf_lineaddr(line, &address) != 0 || dwarf_lineendsequence(line, &end) != 0 ||
        (!end && (dwarf_lineno(line, &number) != 0 || !in_code(m, address))))
        return;
    if (!end && m->n_lines > m->unit_line && m->lines[m->n_lines - 1].address == address &&
        m->lines[m->n_lines - 1].file != skep_symtab_none)
        m->n_lines--;
    if (m->n_lines == LINES_MAX) {
        m->full = true;
        return;
    }
    SKEP_GROW(m->lines, m->n_lines, m->cap_lines);
    m->lines[m->n_lines++] = (struct skep_symtab_row){
        .address = address,
        .file = end ? skep_symtab_none : file_index(m, dwarf_linesrc(line, NULL, NULL)),
        .line = end || number < 0 ? 0 : (uint32_t)number};
}

/* An end before what begins there. */
static int by_address(const void *a, const void *b)
{
    const struct skep_symtab_row *x = a, *y = b;
    bool end_x = x->file == skep_symtab_none, end_y = y->file == skep_symtab_none;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return end_x == end_y ? (x->line > y->line) - (x->line < y->line) : (end_x ? -1 : 1);
}

/* One row an address, and none that says what the one before says. */
static void order_lines(struct maker *m)
{
    uint32_t kept = 0;
    if (m->n_lines > 1)
        qsort(m->lines, m->n_lines, sizeof *m->lines, by_address);
    for (uint32_t i = 0; i < m->n_lines; i++) {
        const struct skep_symtab_row r = m->lines[i];
        if (kept > 0 && m->lines[kept - 1].address == r.address)
            kept--;
        if (kept == 0 || m->lines[kept - 1].file != r.file || m->lines[kept - 1].line != r.line)
            m->lines[kept++] = r;
    }
    m->n_lines = kept;
}

// --- functions ---------------------------------------------------------------------------------

static uint32_t number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attr;
    Dwarf_Word v = 0;
    if (dwarf_formudata(dwarf_attr(die, name, &attr), &v) != 0 || v > UINT32_MAX)
        return 0;
    return (uint32_t)v;
}

static uint32_t call_file(struct maker *m, Dwarf_Die *die)
{
    uint32_t file = number_of(die, DW_AT_call_file);
    if (!m->unit_files || file >= m->n_unit_files)
        return skep_symtab_none;
    return file_index(m, dwarf_filesrc(m->unit_files, file, NULL, NULL));
}

/* A function with code; its node, or the one around it. */
static uint32_t add_function(struct maker *m, Dwarf_Die *die, bool inlined, uint32_t around,
                             uint32_t depth)
{
    Dwarf_Addr base = 0, low = 0, high = 0;
    uint32_t node = skep_symtab_none;
    for (ptrdiff_t at = 0; (at = dwarf_ranges(die, at, &base, &low, &high)) > 0;) {
        if (node == skep_symtab_none) {
            const struct skep_symtab_node n = {
                .name = skep_str_c(dwarf_diename(die)),
                .parent = inlined ? around : skep_symtab_none,
                .call_file = inlined ? call_file(m, die) : skep_symtab_none,
                .call_line = inlined ? number_of(die, DW_AT_call_line) : 0};
            node = add_node(m, &n);
        }
        if (node == skep_symtab_none)
            return around;
        add_span(m, low, high, node, depth);
    }
    return node == skep_symtab_none ? around : node;
}

/* What functions may stand in. */
static bool holds_functions(int tag)
{
    switch (tag) {
    case DW_TAG_namespace:
    case DW_TAG_class_type:
    case DW_TAG_structure_type:
    case DW_TAG_union_type:
    case DW_TAG_module:
    case DW_TAG_lexical_block:
    case DW_TAG_try_block:
    case DW_TAG_catch_block:
    case DW_TAG_subprogram:
    case DW_TAG_inlined_subroutine: return true;
    default: return false;
    }
}

/* A tree, without recursion: the way down to the entry at hand. */
static void walk(struct maker *m, Dwarf_Die *unit)
{
    struct {
        Dwarf_Die die;
        uint32_t node;
    } way[DEPTH_MAX];
    unsigned depth = 0;
    way[0].node = skep_symtab_none;
    if (dwarf_child(unit, &way[0].die) != 0)
        return;
    for (;;) {
        Dwarf_Die *die = &way[depth].die;
        int tag = dwarf_tag(die);
        uint32_t around = depth ? way[depth - 1].node : skep_symtab_none, node = around;
        if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine)
            node = add_function(m, die, tag == DW_TAG_inlined_subroutine, around, depth);
        way[depth].node = node;
        if (m->full)
            return;
        if (depth + 1 < DEPTH_MAX && holds_functions(tag) &&
            dwarf_child(die, &way[depth + 1].die) == 0) {
            depth++;
            continue;
        }
        while (dwarf_siblingof(&way[depth].die, &way[depth].die) != 0) {
            if (depth == 0)
                return;
            depth--;
        }
    }
}

static void read_unit(struct maker *m, Dwarf_Die *unit)
{
    Dwarf_Lines *lines = NULL;
    size_t n = 0;
    m->unit_line = m->n_lines;
    if (dwarf_getsrclines(unit, &lines, &n) == 0) {
        for (size_t i = 0; i < n && !m->full; i++)
            add_line(m, dwarf_onesrcline(lines, i));
    }
    m->unit_files = NULL;
    m->n_unit_files = 0;
    (void)dwarf_getsrcfiles(unit, &m->unit_files, &m->n_unit_files);
    walk(m, unit);
}

static void read_dwarf(struct maker *m)
{
    Dwarf_CU *unit = NULL, *next;
    Dwarf_Die die, split;
    uint8_t type;
    while (m->dwarf && !m->full &&
           dwarf_get_units(m->dwarf, unit, &next, NULL, &type, &die, &split) == 0) {
        if (type == DW_UT_compile || type == DW_UT_partial || type == DW_UT_skeleton)
            read_unit(m, &die);
        unit = next;
    }
}

// --- ranges ------------------------------------------------------------------------------------

static int by_start(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    if (x->high != y->high)
        return x->high > y->high ? -1 : 1; /* what is around comes first */
    if (x->depth != y->depth)
        return x->depth < y->depth ? -1 : 1;
    return x->node < y->node ? -1 : x->node > y->node;
}

static void begin_range(struct maker *m, uint64_t start, uint32_t node)
{
    if (m->n_ranges > 0 && m->ranges[m->n_ranges - 1].start == start)
        m->n_ranges--;
    if (m->n_ranges > 0 && m->ranges[m->n_ranges - 1].node == node)
        return;
    SKEP_GROW(m->ranges, m->n_ranges, m->cap_ranges);
    m->ranges[m->n_ranges++] = (struct skep_symtab_range){.start = start, .node = node};
}

static void sweep(struct maker *m)
{
    struct span *open = skep_alloc_n(struct span, m->n_spans + 1);
    uint32_t n = 0;
    m->n_ranges = 0;
    if (m->n_spans > 1)
        qsort(m->spans, m->n_spans, sizeof *m->spans, by_start);
    for (uint32_t i = 0; i <= m->n_spans; i++) {
        bool end = i == m->n_spans;
        while (n > 0 && (end || open[n - 1].high <= m->spans[i].low)) {
            n--;
            begin_range(m, open[n].high, n ? open[n - 1].node : skep_symtab_none);
        }
        if (end)
            break;
        open[n] = m->spans[i];
        if (n > 0 && open[n].high > open[n - 1].high)
            open[n].high = open[n - 1].high; /* I1 */
        begin_range(m, open[n].low, open[n].node);
        n++;
    }
    skep_free(open);
}

static bool covered(const struct maker *m, uint64_t address)
{
    uint32_t lo = 0, hi = m->n_ranges;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (m->ranges[mid].start > address)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo > 0 && m->ranges[lo - 1].node != skep_symtab_none;
}

/* Functions of a symbol table that DWARF does not know; how many. */
static uint32_t read_symbols(struct maker *m, GElf_Word section_type)
{
    uint32_t before = m->n_spans;
    for (Elf_Scn *s = NULL; (s = elf_nextscn(m->elf, s)) != NULL;) {
        GElf_Shdr head;
        Elf_Data *data;
        if (!gelf_getshdr(s, &head) || head.sh_type != section_type || head.sh_entsize == 0 ||
            !(data = elf_getdata(s, NULL)))
            continue;
        size_t n = data->d_size / head.sh_entsize;
        for (size_t i = 0; i < SKEP_MIN(n, (size_t)INT32_MAX) && !m->full; i++) {
            GElf_Sym sym;
            if (!gelf_getsym(data, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_FUNC ||
                sym.st_size == 0 || covered(m, sym.st_value))
                continue;
            const char *name = elf_strptr(m->elf, head.sh_link, sym.st_name);
            const struct skep_symtab_node node = {.name = skep_str_c(name),
                                                  .parent = skep_symtab_none,
                                                  .call_file = skep_symtab_none};
            if (name && in_code(m, sym.st_value))
                add_span(m, sym.st_value, sym.st_value + sym.st_size, add_node(m, &node), 0);
        }
    }
    return m->n_spans - before;
}

// --- the file ----------------------------------------------------------------------------------

static void read_code(struct maker *m)
{
    size_t n = 0;
    (void)elf_getphdrnum(m->elf, &n);
    for (size_t i = 0; i < n && m->n_code < CODE_MAX; i++) {
        GElf_Phdr p;
        if (!gelf_getphdr(m->elf, (int)i, &p) || p.p_type != PT_LOAD || !(p.p_flags & PF_X) ||
            p.p_memsz > UINT64_MAX - p.p_vaddr)
            continue;
        m->code[m->n_code].low = p.p_vaddr;
        m->code[m->n_code++].high = p.p_vaddr + p.p_memsz;
    }
}

static skep_rc make(struct maker *m, struct skep_buf *out, skep_err *err)
{
    GElf_Ehdr head;
    const void *id = NULL;
    ssize_t n_id = dwelf_elf_gnu_build_id(m->elf, &id);
    if (!gelf_getehdr(m->elf, &head) || (head.e_type != ET_EXEC && head.e_type != ET_DYN))
        return skep_fail(err, SKEP_EINVAL,
                         "symbols: neither a program nor a shared library (nor the debug file of "
                         "one)");
    if (n_id <= 0 || n_id > SKEP_SYMTAB_ID_MAX)
        return skep_fail(err, SKEP_EINVAL, "symbols: no build id (link with -Wl,--build-id)");
    read_code(m);
    read_dwarf(m);
    sweep(m);
    if (!m->full && read_symbols(m, SHT_SYMTAB) + read_symbols(m, SHT_DYNSYM) > 0)
        sweep(m);
    order_lines(m);
    if (m->full)
        return skep_fail(err, SKEP_ELIMIT, "symbols: more functions or lines than are kept");
    if (m->n_ranges == 0 && m->n_lines == 0)
        return skep_fail(err, SKEP_EINVAL, "symbols: it says nothing of its code (stripped)");
    const struct skep_symtab_parts parts = {.build_id = {id, (size_t)n_id},
                                            .files = m->files,
                                            .nodes = m->nodes,
                                            .ranges = m->ranges,
                                            .lines = m->lines,
                                            .n_files = m->n_files,
                                            .n_nodes = m->n_nodes,
                                            .n_ranges = m->n_ranges,
                                            .n_lines = m->n_lines};
    skep_symtab_write(&parts, out);
    return out->bad ? skep_fail(err, SKEP_ELIMIT, "symbols: the table is too large") : SKEP_OK;
}

skep_rc skep_debugfile_table(uint8_t *elf, size_t n, struct skep_buf *out, skep_err *err)
{
    struct maker *m = skep_alloc(struct maker);
    skep_assert(out != NULL);
    (void)elf_version(EV_CURRENT);
    m->elf = n >= sizeof(Elf32_Ehdr) ? elf_memory((char *)elf, n) : NULL;
    skep_rc rc;
    if (!m->elf || elf_kind(m->elf) != ELF_K_ELF) {
        rc = skep_fail(err, SKEP_EMALFORMED, "symbols: no ELF file");
    } else {
        m->dwarf = dwarf_begin_elf(m->elf, DWARF_C_READ, NULL); /* NULL: no DWARF in it */
        rc = make(m, out, err);
    }
    if (m->dwarf)
        (void)dwarf_end(m->dwarf);
    if (m->elf)
        (void)elf_end(m->elf);
    void *all[] = {m->files, m->slots, m->nodes, m->spans, m->ranges, m->lines, m};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(all); i++)
        skep_free(all[i]);
    return rc;
}
