// SPDX-License-Identifier: Apache-2.0
/* Frames as they came -> frames of the originals.
 *
 *   with a build id and an offset    its table: one frame, and one for each function inlined there
 *   with a line and a column         the source map of (version, file), of "dynamichost" else:
 *                                    file, line, column, code.  A map knows no functions: the name
 *                                    is that of the function around the place in the original's
 *                                    text, else what the caller's original says where it calls
 *
 * I1  a frame that nothing is known of stays as it is; no frame goes.
 * I2  at most SKEP_STACK_FRAMES_MAX frames stay, the outer and the inner half.
 *
 * Threads: any that may wait.  Memory: the caller's arena; nothing points into the cache. */
#include "base/assert.h"
#include "symbols/enclosing.h"
#include "symbols/symbols_priv.h"

enum { LINE_BYTES_MAX = 400, MAPS = 8, IDENTIFIER_MAX = 200, ADDRESS_MAX = 4096 };

/* Loaded things of one stack. */
struct work {
    struct skep_symbols *s;
    skep_str environment, version;
    struct skep_arena *arena;
    struct {
        enum skep_artifact_kind kind;
        skep_str name;
        struct skep_symbols__loaded *loaded; /* NULL: there is none */
    } had[MAPS];
    unsigned n_had, next;
};

/* Released with the work, or when MAPS others were asked for since. */
static struct skep_symbols__loaded *get(struct work *w, enum skep_artifact_kind kind, skep_str name)
{
    for (unsigned i = 0; i < w->n_had; i++) {
        if (w->had[i].kind == kind && skep_str_eq(w->had[i].name, name))
            return w->had[i].loaded;
    }
    unsigned at = w->n_had < MAPS ? w->n_had++ : w->next++ % MAPS;
    if (at < w->n_had && w->had[at].loaded)
        skep_symbols__release(w->s, w->had[at].loaded);
    w->had[at].kind = kind;
    w->had[at].name = name;
    w->had[at].loaded = skep_symbols__get(
        w->s, w->environment, kind, kind == SKEP_ARTIFACT_MAP ? w->version : SKEP_STR(""), name);
    return w->had[at].loaded;
}

// --- bundles -----------------------------------------------------------------------------------

/* "dynamichost/app.js" of "eu.example/app.js"; empty: it has no host. */
static skep_str any_host(skep_str address, struct skep_buf *out)
{
    size_t slash = skep_str_chr(address, '/');
    if (slash == SIZE_MAX || slash == 0)
        return SKEP_STR("");
    skep_buf_str(out, SKEP_STR("dynamichost"));
    skep_buf_str(out, skep_str_skip(address, slash));
    return out->bad ? SKEP_STR("") : skep_buf_text(out);
}

static const struct skep_sourcemap *map_of(struct work *w, skep_str file)
{
    skep_str address = skep_symbols_address(file);
    struct skep_symbols__loaded *l = get(w, SKEP_ARTIFACT_MAP, address);
    struct skep_buf other;
    if (l)
        return l->map;
    skep_buf_init(&other, ADDRESS_MAX);
    skep_str any = skep_arena_str(w->arena, any_host(address, &other));
    skep_buf_done(&other);
    l = any.n ? get(w, SKEP_ARTIFACT_MAP, any) : NULL;
    return l ? l->map : NULL;
}

static bool word_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static skep_str word_at(skep_str *s)
{
    size_t n = 0;
    while (n < s->n && word_byte(s->p[n]))
        n++;
    skep_str ret = {s->p, n};
    *s = skep_str_skip(*s, n);
    return ret;
}

/* What is called at a place of a line: "cart.total(" -> total, "new Cart(" -> Cart. */
static skep_str callee(skep_str line, uint32_t column)
{
    if (column == 0 || column > line.n)
        return SKEP_STR_NULL;
    skep_str left = skep_str_skip(line, column - 1), word = word_at(&left);
    while (skep_str_eq(word, SKEP_STR("new")) || skep_str_eq(word, SKEP_STR("await"))) {
        left = skep_str_trim(left);
        word = word_at(&left);
    }
    for (;;) {
        if (skep_str_starts(left, SKEP_STR("?.")))
            left = skep_str_skip(left, 2);
        else if (skep_str_starts(left, SKEP_STR(".")))
            left = skep_str_skip(left, 1);
        else
            break;
        if (skep_str_starts(left, SKEP_STR("(")))
            break;
        word = word_at(&left);
    }
    left = skep_str_trim(left);
    bool called = left.n > 0 && (left.p[0] == '(' || left.p[0] == '`' || left.p[0] == '<');
    return called && word.n > 0 && word.n <= IDENTIFIER_MAX ? word : SKEP_STR_NULL;
}

static skep_str kept_line(struct skep_arena *arena, skep_str line)
{
    line.n = SKEP_MIN(line.n, (size_t)LINE_BYTES_MAX);
    return skep_arena_str(arena, line);
}

static const struct skep_frame_code *code_of(struct skep_arena *arena,
                                             const struct skep_sourcemap *map,
                                             const struct skep_sourcemap_place *at)
{
    skep_str line;
    if (!skep_sourcemap_line(map, at->source, at->line, &line))
        return NULL;
    struct skep_frame_code *c = skep_new(arena, struct skep_frame_code);
    c->line = kept_line(arena, line);
    uint32_t before = SKEP_MIN((uint32_t)SKEP_STACK_CONTEXT_MAX, at->line - 1);
    for (uint32_t i = before; i > 0; i--) {
        if (skep_sourcemap_line(map, at->source, at->line - i, &line))
            c->before[c->n_before++] = kept_line(arena, line);
    }
    for (uint32_t i = 1; i <= SKEP_STACK_CONTEXT_MAX; i++) {
        if (!skep_sourcemap_line(map, at->source, at->line + i, &line))
            break;
        c->after[c->n_after++] = kept_line(arena, line);
    }
    return c;
}

static const struct skep_frame *copy_of(struct skep_arena *arena, const struct skep_frame *f)
{
    struct skep_frame *ret = skep_new(arena, struct skep_frame);
    *ret = *f;
    return ret;
}

/* called: what the caller says; what this one calls itself: *ret_callee, empty when it cannot be
 * told. */
static void map_frame(struct work *w, struct skep_frame *f, skep_str called, skep_str *ret_callee)
{
    struct skep_sourcemap_place at;
    skep_str line = SKEP_STR_NULL;
    const struct skep_sourcemap *map = f->line && f->column ? map_of(w, f->file) : NULL;
    *ret_callee = SKEP_STR_NULL;
    if (!map || !skep_sourcemap_find(map, f->line, f->column, &at))
        return;
    (void)skep_sourcemap_line(map, at.source, at.line, &line);
    skep_str calls = callee(line, at.column), text = skep_sourcemap_text(map, at.source);
    size_t offset = skep_enclosing_offset(text, at.line, at.column);
    skep_str around = offset == SIZE_MAX ? SKEP_STR_NULL : skep_enclosing_function(text, offset);
    *ret_callee = skep_arena_str(w->arena, calls.n ? calls : at.name);
    if (around.n > 0 && around.n <= IDENTIFIER_MAX)
        called = skep_arena_str(w->arena, around);
    f->sent = copy_of(w->arena, f);
    f->file = skep_arena_str(w->arena, at.file);
    f->function = called.n ? called : f->function;
    f->line = at.line;
    f->column = at.column;
    f->code = code_of(w->arena, map, &at);
}

static void apply_maps(struct work *w, struct skep_exception *e)
{
    skep_str name = SKEP_STR_NULL, next;
    for (uint32_t i = 0; i < e->n_frames; i++) {
        map_frame(w, &e->frames[i], name, &next);
        name = next;
    }
}

// --- compiled code -----------------------------------------------------------------------------

static bool is_place(const struct skep_frame *f)
{
    return f->has_offset && f->build_id.n > 0 && f->build_id.n <= 2 * SKEP_SYMTAB_ID_MAX &&
           f->line == 0;
}

/* In lower case, as names of tables are. */
static skep_str build_id_of(const struct skep_frame *f, char out[2 * SKEP_SYMTAB_ID_MAX])
{
    for (size_t i = 0; i < f->build_id.n; i++) {
        char c = f->build_id.p[i];
        out[i] = (char)(c >= 'A' && c <= 'F' ? c + 32 : c);
    }
    return (skep_str){out, f->build_id.n};
}

static uint32_t places_of(struct work *w, const struct skep_frame *f,
                          struct skep_symtab_place places[SKEP_SYMTAB_INLINE_MAX])
{
    char id[2 * SKEP_SYMTAB_ID_MAX];
    if (!is_place(f))
        return 0;
    struct skep_symbols__loaded *l =
        get(w, SKEP_ARTIFACT_NATIVE, skep_arena_str(w->arena, build_id_of(f, id)));
    return l ? skep_symtab_find(&l->table, f->offset, places) : 0;
}

static struct skep_frame placed(struct work *w, const struct skep_frame *f,
                                const struct skep_frame *sent, const struct skep_symtab_place *at)
{
    struct skep_frame ret = *f;
    ret.sent = sent;
    ret.function = at->function.n ? skep_arena_str(w->arena, at->function) : f->function;
    ret.file = at->file.n ? skep_arena_str(w->arena, at->file) : f->file;
    ret.line = at->line;
    return ret;
}

/* Of more frames than may stay the outer and the inner half. */
static uint32_t cut_middle(struct skep_frame *f, uint32_t n)
{
    uint32_t half = SKEP_STACK_FRAMES_MAX / 2;
    if (n <= SKEP_STACK_FRAMES_MAX)
        return n;
    memmove(f + half, f + (n - half), half * sizeof *f);
    return SKEP_STACK_FRAMES_MAX;
}

static void apply_tables(struct work *w, struct skep_exception *e)
{
    struct skep_symtab_place places[SKEP_SYMTAB_INLINE_MAX];
    struct skep_frame *frames = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->n_frames; i++) {
        uint32_t found = places_of(w, &e->frames[i], places);
        if (found > 0 && !frames) {
            frames = skep_new_n(w->arena, struct skep_frame,
                                2 * SKEP_STACK_FRAMES_MAX + SKEP_SYMTAB_INLINE_MAX);
            memcpy(frames, e->frames, i * sizeof *frames);
            n = i;
        }
        if (!frames)
            continue;
        const struct skep_frame *sent = copy_of(w->arena, &e->frames[i]);
        for (uint32_t k = found; k > 0; k--)
            frames[n++] = placed(w, &e->frames[i], sent, &places[k - 1]);
        if (found == 0)
            frames[n++] = e->frames[i];
        if (n > 2 * SKEP_STACK_FRAMES_MAX)
            n = cut_middle(frames, n);
    }
    if (frames) {
        e->frames = frames;
        e->n_frames = cut_middle(frames, n);
    }
}

void skep_symbols_apply(struct skep_symbols *s, skep_str environment, skep_str version,
                        struct skep_stack *stack, struct skep_arena *arena)
{
    struct work w = {.s = s, .environment = environment, .version = version, .arena = arena};
    skep_assert(s && arena);
    if (!skep_symbols_any(s, environment))
        return;
    for (uint32_t c = 0; c < stack->n; c++) {
        apply_maps(&w, &stack->chain[c]);
        apply_tables(&w, &stack->chain[c]);
    }
    for (unsigned i = 0; i < w.n_had; i++)
        skep_symbols__release(s, w.had[i].loaded);
}

static bool frame_wanted(struct skep_symbols *s, skep_str environment, skep_str version,
                         const struct skep_frame *f)
{
    char id[2 * SKEP_SYMTAB_ID_MAX];
    struct skep_buf other;
    if (is_place(f))
        return skep_symbols__has(s, environment, SKEP_ARTIFACT_NATIVE, SKEP_STR(""),
                                 build_id_of(f, id));
    if (f->line == 0 || f->column == 0 || version.n == 0)
        return false;
    skep_str address = skep_symbols_address(f->file);
    if (skep_symbols__has(s, environment, SKEP_ARTIFACT_MAP, version, address))
        return true;
    skep_buf_init(&other, ADDRESS_MAX);
    skep_str any = any_host(address, &other);
    bool ret = any.n > 0 && skep_symbols__has(s, environment, SKEP_ARTIFACT_MAP, version, any);
    skep_buf_done(&other);
    return ret;
}

bool skep_symbols_wanted(struct skep_symbols *s, skep_str environment, skep_str version,
                         const struct skep_stack *stack)
{
    skep_assert(s && stack);
    if (!skep_symbols_any(s, environment))
        return false;
    for (uint32_t c = 0; c < stack->n; c++) {
        for (uint32_t i = 0; i < stack->chain[c].n_frames; i++) {
            if (frame_wanted(s, environment, version, &stack->chain[c].frames[i]))
                return true;
        }
    }
    return false;
}
