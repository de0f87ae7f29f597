// SPDX-License-Identifier: Apache-2.0
/* What was uploaded, and what of it is in use.
 *
 *   put      check -> zstd -> the state's database -> its key into `keys`
 *   get      key in `keys`?  no: nothing is there, nobody waited     (most frames of most programs)
 *            in the cache?   yes: that
 *            else database -> zstd -> decoded -> cache, the one used longest ago goes
 *
 * I1  `keys` is what the database has: read at the start and after each change; of several readings
 *     at once that of the last one begun, which knows of all changes before it.
 * I2  what is in the cache was decoded without a fault; what cannot be decoded is as if it were not
 *     there.
 *
 * Threads: any; decoding happens outside of the lock, so two may decode the same thing once each.
 * Memory: the cache's budget: 64 MiB, of the process's. */
#include "symbols/symbols_priv.h"

#include <stdlib.h>
#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"
#include "os/run.h"
#include "wire/pack.h"

enum { LEVEL = 6, READ_MS = 60000, ENVIRONMENT_ONLY = 0 };
static const uint64_t cache_bytes_max = 64 << 20;

static uint64_t key_of(skep_str environment, unsigned kind, skep_str version, skep_str name)
{
    const skep_str parts[] = {environment, version, name};
    uint64_t h = kind;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(parts); i++)
        h = XXH3_64bits_withSeed(parts[i].p ? parts[i].p : "", parts[i].n, h);
    return h;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static bool has_locked(const struct skep_symbols *s, uint64_t key)
{
    return s->n_keys > 0 && bsearch(&key, s->keys, s->n_keys, sizeof key, by_value) != NULL;
}

static skep_rc load_keys(struct skep_symbols *s, skep_err *err)
{
    struct skep_arena arena;
    struct skep_artifact *list = NULL;
    size_t n = 0;
    skep_mutex_lock(&s->lock);
    uint64_t number = ++s->reads;
    skep_mutex_unlock(&s->lock);
    skep_arena_init(&arena, "symbols", NULL);
    skep_rc rc = skep_state_artifacts(s->cfg.state, NULL, &arena, &list, &n, err);
    if (rc == SKEP_OK) {
        uint64_t *keys = skep_alloc_n(uint64_t, 2 * n + 1);
        for (size_t i = 0; i < n; i++) {
            keys[2 * i] = key_of(list[i].environment, list[i].kind, list[i].version, list[i].name);
            keys[2 * i + 1] =
                key_of(list[i].environment, ENVIRONMENT_ONLY, SKEP_STR_NULL, SKEP_STR_NULL);
        }
        qsort(keys, 2 * n, sizeof *keys, by_value);
        skep_mutex_lock(&s->lock);
        if (number > s->read) {
            uint64_t *old = s->keys;
            s->keys = keys;
            s->n_keys = 2 * n;
            s->read = number;
            keys = old;
        }
        skep_mutex_unlock(&s->lock);
        skep_free(keys);
    }
    skep_arena_done(&arena);
    return rc;
}

skep_rc skep_symbols_new(const struct skep_symbols_config *cfg, struct skep_symbols **ret,
                         skep_err *err)
{
    struct skep_symbols *s = skep_alloc(struct skep_symbols);
    skep_assert(cfg->os && cfg->state);
    s->cfg = *cfg;
    skep_budget_init(&s->memory, "symbols", cache_bytes_max, cfg->memory);
    skep_mutex_init(&s->lock, "symbols");
    skep_rc rc = load_keys(s, err);
    if (rc != SKEP_OK) {
        skep_symbols_free(s);
        return rc;
    }
    *ret = s;
    return SKEP_OK;
}

// --- the cache ---------------------------------------------------------------------------------

static void free_loaded(struct skep_symbols *s, struct skep_symbols__loaded *l)
{
    if (l->map)
        skep_sourcemap_free(l->map);
    if (l->table_bytes)
        skep_budget_give(&s->memory, l->bytes);
    skep_free(l->table_bytes);
    skep_free(l);
}

void skep_symbols__release(struct skep_symbols *s, struct skep_symbols__loaded *l)
{
    if (!l)
        return;
    skep_mutex_lock(&s->lock);
    skep_assert(l->refs > 0);
    bool last = --l->refs == 0;
    skep_mutex_unlock(&s->lock);
    if (last)
        free_loaded(s, l);
}

/* Take an entry out of the cache; lock held. */
static struct skep_symbols__loaded *evict_locked(struct skep_symbols *s, unsigned at)
{
    struct skep_symbols__loaded *l = s->cache[at];
    s->cache[at] = NULL;
    if (!l || --l->refs > 0)
        return NULL;
    return l;
}

/* The place of the one used longest ago, an empty one before all. */
static unsigned oldest_locked(const struct skep_symbols *s)
{
    unsigned ret = 0;
    for (unsigned i = 0; i < SKEP_SYMBOLS__CACHE; i++) {
        if (!s->cache[i])
            return i;
        if (s->cache[i]->used < s->cache[ret]->used)
            ret = i;
    }
    return ret;
}

/* Give everything back that nobody uses at the moment. */
static void forget(struct skep_symbols *s)
{
    for (unsigned i = 0; i < SKEP_SYMBOLS__CACHE; i++) {
        skep_mutex_lock(&s->lock);
        struct skep_symbols__loaded *l = evict_locked(s, i);
        skep_mutex_unlock(&s->lock);
        if (l)
            free_loaded(s, l);
    }
}

void skep_symbols_free(struct skep_symbols *s)
{
    if (!s)
        return;
    forget(s);
    skep_budget_done(&s->memory);
    skep_mutex_done(&s->lock);
    skep_free(s->keys);
    skep_free(s);
}

static struct skep_symbols__loaded *find_locked(struct skep_symbols *s, uint64_t key)
{
    for (unsigned i = 0; i < SKEP_SYMBOLS__CACHE; i++) {
        if (s->cache[i] && s->cache[i]->key == key) {
            s->cache[i]->used = ++s->uses;
            s->cache[i]->refs++;
            return s->cache[i];
        }
    }
    return NULL;
}

// --- decoding ----------------------------------------------------------------------------------

/* What a body holds, in memory of its own that was taken from the budget; NULL: no. */
static uint8_t *unpack(struct skep_symbols *s, skep_bytes body, uint64_t most, size_t *ret_n)
{
    size_t n = 0;
    if (!skep_packed_bytes(body, most, &n) || skep_budget_take(&s->memory, n, NULL) != SKEP_OK)
        return NULL;
    uint8_t *ret = skep_malloc(n + 1);
    if (!skep_unpack(body, ret, n)) {
        skep_budget_give(&s->memory, n);
        skep_free(ret);
        return NULL;
    }
    *ret_n = n;
    return ret;
}

static bool decode(struct skep_symbols *s, const struct skep_artifact *a,
                   struct skep_symbols__loaded *l)
{
    bool map = a->kind == SKEP_ARTIFACT_MAP;
    size_t n = 0;
    uint8_t *bytes =
        unpack(s, a->body, map ? SKEP_SYMBOLS_MAP_BYTES_MAX : skep_symtab_bytes_max, &n);
    bool ok;
    if (!bytes)
        return false;
    if (map) {
        ok = skep_sourcemap_read((skep_str){(const char *)bytes, n}, &s->memory, &l->map, NULL) ==
             SKEP_OK;
    } else {
        ok = skep_symtab_open((skep_bytes){bytes, n}, &l->table, NULL) == SKEP_OK;
        if (ok) {
            l->table_bytes = bytes;
            l->bytes = n;
            return true;
        }
    }
    skep_budget_give(&s->memory, n);
    skep_free(bytes);
    return ok;
}

static struct skep_symbols__loaded *load(struct skep_symbols *s, skep_str environment,
                                         enum skep_artifact_kind kind, skep_str version,
                                         skep_str name, uint64_t key)
{
    struct skep_arena arena;
    struct skep_artifact a;
    struct skep_symbols__loaded *l = NULL;
    skep_arena_init(&arena, "symbols", &s->memory);
    if (skep_state_artifact_get(s->cfg.state, environment, kind, version, name, &arena, &a, NULL) ==
        SKEP_OK) {
        l = skep_alloc(struct skep_symbols__loaded);
        l->key = key;
        l->refs = 1;
        if (!decode(s, &a, l)) {
            skep_free(l);
            l = NULL;
        }
    }
    skep_arena_done(&arena);
    return l;
}

struct skep_symbols__loaded *skep_symbols__get(struct skep_symbols *s, skep_str environment,
                                               enum skep_artifact_kind kind, skep_str version,
                                               skep_str name)
{
    uint64_t key = key_of(environment, kind, version, name);
    struct skep_symbols__loaded *gone = NULL;
    skep_mutex_lock(&s->lock);
    bool there = has_locked(s, key);
    struct skep_symbols__loaded *l = there ? find_locked(s, key) : NULL;
    uint64_t reads = s->reads;
    skep_mutex_unlock(&s->lock);
    if (!there || l)
        return l;
    l = load(s, environment, kind, version, name, key);
    if (!l) { /* once more without what others left there */
        forget(s);
        l = load(s, environment, kind, version, name, key);
    }
    if (!l)
        return NULL;
    skep_mutex_lock(&s->lock);
    if (reads == s->reads) { /* nothing was put or dropped meanwhile, which this may be without */
        unsigned at = oldest_locked(s);
        gone = evict_locked(s, at);
        s->cache[at] = l;
        l->refs++;
        l->used = ++s->uses;
    }
    skep_mutex_unlock(&s->lock);
    if (gone)
        free_loaded(s, gone);
    return l;
}

bool skep_symbols__has(struct skep_symbols *s, skep_str environment, enum skep_artifact_kind kind,
                       skep_str version, skep_str name)
{
    uint64_t key = key_of(environment, kind, version, name);
    skep_mutex_lock(&s->lock);
    bool ret = has_locked(s, key);
    skep_mutex_unlock(&s->lock);
    return ret;
}

bool skep_symbols_any(struct skep_symbols *s, skep_str environment)
{
    uint64_t key = key_of(environment, ENVIRONMENT_ONLY, SKEP_STR_NULL, SKEP_STR_NULL);
    skep_mutex_lock(&s->lock);
    bool ret = has_locked(s, key);
    skep_mutex_unlock(&s->lock);
    return ret;
}

// --- putting -----------------------------------------------------------------------------------

skep_str skep_symbols_address(skep_str url)
{
    size_t scheme = skep_str_find(url, SKEP_STR("://"));
    if (scheme != SIZE_MAX)
        url = skep_str_skip(url, scheme + 3);
    else if (skep_str_starts(url, SKEP_STR("//")))
        url = skep_str_skip(url, 2);
    for (size_t i = 0; i < url.n; i++) {
        if (url.p[i] == '?' || url.p[i] == '#')
            url.n = i;
    }
    return url;
}

/* Whatever was decoded under old names must not answer for new ones: what is being decoded now sees
 * the number of the reading and stays out of the cache, what is in the cache goes. */
static skep_rc changed(struct skep_symbols *s, skep_err *err)
{
    skep_rc rc = load_keys(s, err);
    forget(s);
    return rc;
}

static skep_rc keep(struct skep_symbols *s, struct skep_artifact *a, skep_bytes file,
                    int64_t *ret_id, skep_err *err)
{
    size_t bound = skep_pack_bound(file.n);
    struct skep_buf packed;
    SKEP_TRY(skep_budget_take(&s->memory, bound, err));
    skep_buf_init(&packed, bound);
    skep_pack(file, LEVEL, &packed);
    skep_rc rc = packed.bad ? skep_fail(err, SKEP_ENOMEM, "no memory left to pack it") : SKEP_OK;
    a->body = skep_buf_bytes(&packed);
    a->created_ns = s->cfg.os->now_ns(s->cfg.os);
    if (rc == SKEP_OK)
        rc = skep_state_artifact_put(s->cfg.state, a, ret_id, err);
    skep_buf_done(&packed);
    skep_budget_give(&s->memory, bound);
    SKEP_TRY(rc);
    return changed(s, err);
}

skep_rc skep_symbols_put_map(struct skep_symbols *s, const struct skep_artifact *what,
                             skep_str json, int64_t *ret_id, skep_err *err)
{
    struct skep_artifact a = *what;
    struct skep_sourcemap *map = NULL;
    a.kind = SKEP_ARTIFACT_MAP;
    a.name = skep_symbols_address(what->name);
    a.bytes = json.n;
    if (a.version.n == 0 || a.version.n > SKEP_SYMBOLS_VERSION_MAX)
        return skep_fail(err, SKEP_EINVAL, "version is needed, of at most %d bytes",
                         SKEP_SYMBOLS_VERSION_MAX);
    if (a.name.n == 0 || a.name.n > SKEP_ARTIFACT_NAME_MAX)
        return skep_fail(err, SKEP_EINVAL, "minified_url is needed, of at most %d bytes",
                         SKEP_ARTIFACT_NAME_MAX);
    if (json.n > SKEP_SYMBOLS_MAP_BYTES_MAX)
        return skep_fail(err, SKEP_ETOOLARGE, "a source map has at most %d MiB",
                         SKEP_SYMBOLS_MAP_BYTES_MAX >> 20);
    forget(s);
    SKEP_TRY(skep_sourcemap_read(json, &s->memory, &map, err));
    skep_sourcemap_free(map);
    return keep(s, &a, skep_str_bytes(json), ret_id, err);
}

/* The table of a file: itself, or what the reader makes of it, in `made`; a reader that refuses
 * says why in its place. */
static skep_rc table_of(struct skep_symbols *s, skep_bytes file, struct skep_buf *made,
                        skep_bytes *ret, skep_err *err)
{
    *ret = file;
    if (skep_symtab_is(file))
        return SKEP_OK;
    if (file.n < 4 || memcmp(file.p, "\177ELF", 4) != 0)
        return skep_fail(err, SKEP_EMALFORMED, "neither an ELF file nor a table of one");
    if (!s->cfg.reader)
        return skep_fail(err, SKEP_EUNSUPPORTED, "send a table (skep symbols table FILE)");
    skep_err why = {.text = ""};
    skep_rc rc = skep_os_run(s->cfg.reader, file, made, READ_MS, &why);
    if (rc == SKEP_EINVAL)
        return skep_fail(err, SKEP_EINVAL, SKEP_STRFMT,
                         SKEP_STRARG(made->n > 0 && made->n < sizeof why.text
                                         ? skep_str_trim(skep_buf_text(made))
                                         : skep_str_c(why.text)));
    if (rc != SKEP_OK)
        return skep_fail(err, rc, "reading the debug file: %s", why.text);
    *ret = skep_buf_bytes(made);
    return SKEP_OK;
}

skep_rc skep_symbols_put_native(struct skep_symbols *s, const struct skep_artifact *what,
                                skep_bytes file, struct skep_arena *arena, skep_str *ret_build_id,
                                int64_t *ret_id, skep_err *err)
{
    struct skep_artifact a = *what;
    struct skep_symtab t;
    struct skep_buf made;
    skep_bytes table;
    skep_buf_init(&made, skep_symtab_bytes_max);
    skep_rc rc = table_of(s, file, &made, &table, err);
    if (rc == SKEP_OK)
        rc = skep_symtab_open(table, &t, err);
    if (rc == SKEP_OK && t.build_id.n == 0)
        rc = skep_fail(err, SKEP_EINVAL, "it has no build id");
    if (rc == SKEP_OK) {
        char *hex = skep_arena_alloc(arena, 2 * t.build_id.n);
        skep_hex_encode(t.build_id, hex);
        *ret_build_id = (skep_str){hex, 2 * t.build_id.n};
        a.kind = SKEP_ARTIFACT_NATIVE;
        a.version = SKEP_STR("");
        a.name = *ret_build_id;
        a.bytes = file.n;
        rc = keep(s, &a, table, ret_id, err);
    }
    skep_buf_done(&made);
    return rc;
}

skep_rc skep_symbols_drop(struct skep_symbols *s, skep_str environment, int64_t id, skep_err *err)
{
    SKEP_TRY(skep_state_artifact_drop(s->cfg.state, environment, id, err));
    return changed(s, err);
}
