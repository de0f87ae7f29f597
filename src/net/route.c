// SPDX-License-Identifier: Apache-2.0
/* The route table: method first, then the path segment by segment.
 *
 *   GET -> by hash [ "/a/b" ]
 *          in order [ "/a/:x"  "/a/" + "*"  "/:y" ]      literal < ":name" < "*", from the left
 *
 * Patterns of one method are kept in that order, so the first one that matches is the best one.
 * Paths of literals only are found by hash before any is tried: nothing can beat them.  They are
 * the most, and are not sorted: adding hundreds of them takes no time.
 *
 * Routes of one path that name a header (many operations behind one address) are hashed with its
 * value and come before the one that names none.
 *
 * I1  no two entries of a method have the same shape (":a" and ":b" are the same shape) and header.
 * I2  patterns[] are sorted by compare_shape.
 * Threads: built before start by one, read by all afterwards.  Memory: own; routes borrowed. */
#include "net/net_priv.h"

enum { METHODS_MAX = 16, ROUTE_SEGS_MAX = 16 };
enum kind { LITERAL, NAME, STAR };

struct entry {
    const struct skep_route *route;
    void *ctx;
    skep_str segs[ROUTE_SEGS_MAX];
    enum kind kinds[ROUTE_SEGS_MAX];
    unsigned n_segs;
    bool literal;
};

struct method {
    skep_str name;
    struct entry *entries; /* as they were added */
    uint32_t n, cap;
    struct skep_index literals; /* -> entries */
    uint32_t *patterns;         /* the others, -> entries */
    uint32_t n_patterns, cap_patterns;
    const char *header; /* that some of them name, the same for all; NULL = none does */
};

struct skep_net__routes {
    struct method methods[METHODS_MAX];
    unsigned n_methods;
    const struct skep_route **all; /* as they were added */
    uint32_t n, cap;
};

struct skep_net__routes *skep_net__routes_new(void)
{
    return skep_alloc(struct skep_net__routes);
}

void skep_net__routes_free(struct skep_net__routes *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < t->n_methods; i++) {
        skep_free(t->methods[i].entries);
        skep_free(t->methods[i].patterns);
        skep_index_done(&t->methods[i].literals);
    }
    skep_free(t->all);
    skep_free(t);
}

static const struct method *find_method(const struct skep_net__routes *t, skep_str name)
{
    for (unsigned i = 0; i < t->n_methods; i++)
        if (skep_str_eq(t->methods[i].name, name))
            return &t->methods[i];
    return NULL;
}

static struct method *get_method(struct skep_net__routes *t, skep_str name)
{
    for (unsigned i = 0; i < t->n_methods; i++)
        if (skep_str_eq(t->methods[i].name, name))
            return &t->methods[i];
    skep_assert(t->n_methods < METHODS_MAX);
    struct method *m = &t->methods[t->n_methods++];
    m->name = name;
    skep_index_init(&m->literals, 16);
    return m;
}

static struct entry parse_pattern(const struct skep_route *route, void *ctx)
{
    struct entry e = {.route = route, .ctx = ctx, .literal = true};
    skep_str path = skep_str_c(route->path);
    skep_assert(path.n > 0 && path.p[0] == '/');
    skep_str rest = skep_str_skip(path, 1);
    unsigned n_captures = 0;
    for (bool more = true; more; e.n_segs++) {
        more = skep_str_chr(rest, '/') != SIZE_MAX;
        skep_str seg = skep_str_cut(&rest, '/');
        skep_assert(e.n_segs < ROUTE_SEGS_MAX);
        enum kind k = LITERAL;
        if (seg.n > 1 && seg.p[0] == ':')
            k = NAME;
        else if (seg.n == 1 && seg.p[0] == '*')
            k = STAR;
        skep_assert(k != STAR || !more);
        n_captures += k != LITERAL;
        e.literal = e.literal && k == LITERAL;
        e.kinds[e.n_segs] = k;
        e.segs[e.n_segs] = seg.n ? seg : SKEP_STR("");
    }
    skep_assert(n_captures <= SKEP_NET__CAPTURES_MAX);
    return e;
}

/* Those that name a header first. */
static int compare_header(const struct skep_route *a, const struct skep_route *b)
{
    if (!a->header || !b->header)
        return a->header ? -1 : b->header != NULL;
    int c = skep_str_cmp(skep_str_c(a->header), skep_str_c(b->header));
    return c ? c : skep_str_cmp(skep_str_c(a->header_value), skep_str_c(b->header_value));
}

/* <0, 0 (same shape), >0. */
static int compare_shape(const struct entry *a, const struct entry *b)
{
    unsigned n = SKEP_MIN(a->n_segs, b->n_segs);
    for (unsigned i = 0; i < n; i++) {
        if (a->kinds[i] != b->kinds[i])
            return a->kinds[i] < b->kinds[i] ? -1 : 1;
        if (a->kinds[i] == LITERAL) {
            int c = skep_str_cmp(a->segs[i], b->segs[i]);
            if (c != 0)
                return c;
        }
    }
    if (a->n_segs != b->n_segs)
        return a->n_segs > b->n_segs ? -1 : 1;
    return compare_header(a->route, b->route);
}

/* The entry that SKEP_ROUTE_PREFIX_SLASH adds. */
static struct entry with_slash(const struct entry *e)
{
    struct entry s = *e;
    skep_assert(s.n_segs < ROUTE_SEGS_MAX);
    s.kinds[s.n_segs] = LITERAL;
    s.segs[s.n_segs++] = SKEP_STR("");
    return s;
}

static uint64_t path_hash(const skep_str *segs, unsigned n)
{
    uint64_t h = n;
    for (unsigned i = 0; i < n; i++)
        h = skep_hash_seed(skep_str_bytes(segs[i]), h);
    return h;
}

/* Of a path of literals with the value of its method's header, "" = none. */
static uint64_t literal_hash(const skep_str *segs, unsigned n, skep_str value)
{
    uint64_t h = path_hash(segs, n);
    return value.n ? skep_hash_seed(skep_str_bytes(value), h) : h;
}

/* Where the hash of an entry of literals leads. */
static uint64_t entry_hash(const struct entry *e)
{
    return literal_hash(e->segs, e->n_segs, skep_str_c(e->route->header_value));
}

/* The entry of the same shape, or NULL; of a pattern *ret_at is its place among the others. */
static const struct entry *same_shape(const struct method *m, const struct entry *e,
                                      uint32_t *ret_at)
{
    struct skep_index_it it = skep_index_begin(&m->literals, entry_hash(e));
    for (uint32_t i; e->literal && (i = skep_index_next(&m->literals, &it)) != SKEP_INDEX_NONE;)
        if (compare_shape(&m->entries[i], e) == 0)
            return &m->entries[i];
    uint32_t at = 0;
    while (at < m->n_patterns && compare_shape(&m->entries[m->patterns[at]], e) < 0)
        at++;
    *ret_at = at;
    return at < m->n_patterns && compare_shape(&m->entries[m->patterns[at]], e) == 0
               ? &m->entries[m->patterns[at]]
               : NULL;
}

static skep_rc insert(struct method *m, const struct entry *e, skep_err *err)
{
    uint32_t at = 0;
    const struct entry *same = same_shape(m, e, &at);
    if (same)
        return skep_fail(err, SKEP_EEXISTS, "routes overlap: %s %s and %s %s", e->route->method,
                         same->route->path, e->route->method, e->route->path);
    SKEP_GROW(m->entries, m->n, m->cap);
    m->entries[m->n] = *e;
    if (e->literal) {
        skep_index_add(&m->literals, entry_hash(e), m->n);
    } else {
        SKEP_GROW(m->patterns, m->n_patterns, m->cap_patterns);
        memmove(m->patterns + at + 1, m->patterns + at,
                (m->n_patterns++ - at) * sizeof *m->patterns);
        m->patterns[at] = m->n;
    }
    m->n++;
    return SKEP_OK;
}

skep_rc skep_net__routes_add(struct skep_net__routes *t, const struct skep_route *route, void *ctx,
                             skep_err *err)
{
    skep_assert(t && route && route->method && route->path && route->handle);
    skep_str name = skep_str_c(route->method);
    struct method *m = get_method(t, name);
    struct entry e = parse_pattern(route, ctx);
    if (route->header) {
        skep_assert(e.literal && route->header_value && route->header_value[0]);
        skep_assert(!m->header || skep_str_eq(skep_str_c(m->header), skep_str_c(route->header)));
        m->header = route->header;
    }
    SKEP_TRY(insert(m, &e, err));
    bool bare = e.kinds[e.n_segs - 1] != STAR && e.segs[e.n_segs - 1].n > 0;
    if ((route->flags & SKEP_ROUTE_PREFIX_SLASH) && bare) {
        struct entry s = with_slash(&e);
        SKEP_TRY(insert(m, &s, err));
    }
    SKEP_GROW(t->all, t->n, t->cap);
    t->all[t->n++] = route;
    return SKEP_OK;
}

const struct skep_route *skep_net__routes_at(const struct skep_net__routes *t, size_t i)
{
    return i < t->n ? t->all[i] : NULL;
}

static bool matches(const struct entry *e, const struct skep_net__uri *uri,
                    struct skep_net__match *ret)
{
    unsigned n_captures = 0;
    for (unsigned i = 0; i < e->n_segs; i++) {
        if (i >= uri->n_segs)
            return false;
        skep_str seg = uri->segs[i];
        if (e->kinds[i] == STAR) {
            const char *end = uri->path.p + uri->path.n;
            ret->captures[n_captures++] = (skep_str){seg.p, (size_t)(end - seg.p)};
            ret->n_captures = n_captures;
            return true;
        }
        if (e->kinds[i] == LITERAL ? !skep_str_eq(e->segs[i], seg) : seg.n == 0)
            return false;
        if (e->kinds[i] == NAME)
            ret->captures[n_captures++] = seg;
    }
    ret->n_captures = n_captures;
    return e->n_segs == uri->n_segs;
}

static void found(const struct entry *e, struct skep_net__match *m, struct skep_net__match *ret)
{
    m->route = e->route;
    m->ctx = e->ctx;
    *ret = *m;
}

/* A route of literals whose header has this value; "" = that names none. */
static bool find_literal(const struct method *m, const struct skep_net__uri *uri, skep_str value,
                         struct skep_net__match *ret)
{
    struct skep_net__match match = {0};
    struct skep_index_it it =
        skep_index_begin(&m->literals, literal_hash(uri->segs, uri->n_segs, value));
    for (uint32_t i; (i = skep_index_next(&m->literals, &it)) != SKEP_INDEX_NONE;) {
        const struct entry *e = &m->entries[i];
        if (!skep_str_eq(skep_str_c(e->route->header_value), value) || !matches(e, uri, &match))
            continue;
        found(e, &match, ret);
        return true;
    }
    return false;
}

static bool find_in(const struct method *m, const struct skep_net__uri *uri,
                    const struct skep_request *req, struct skep_net__match *ret)
{
    struct skep_net__match match = {0};
    skep_str value = SKEP_STR_NULL;
    if (req && m->header)
        value = skep_request_header(req, skep_str_c(m->header));
    if (value.n && find_literal(m, uri, value, ret))
        return true;
    if (find_literal(m, uri, SKEP_STR_NULL, ret))
        return true;
    for (uint32_t i = 0; i < m->n_patterns; i++) {
        const struct entry *e = &m->entries[m->patterns[i]];
        if (!matches(e, uri, &match))
            continue;
        found(e, &match, ret);
        return true;
    }
    return false;
}

bool skep_net__routes_find(const struct skep_net__routes *t, skep_str method,
                           const struct skep_net__uri *uri, const struct skep_request *req,
                           struct skep_net__match *ret)
{
    const struct method *m = find_method(t, method);
    if (m && find_in(m, uri, req, ret))
        return true;
    if (!skep_str_eq(method, SKEP_STR("HEAD")))
        return false;
    m = find_method(t, SKEP_STR("GET"));
    return m && find_in(m, uri, req, ret);
}

skep_str skep_net__routes_allow(const struct skep_net__routes *t, struct skep_arena *arena,
                                const struct skep_net__uri *uri)
{
    skep_str all = SKEP_STR("");
    bool head = false;
    for (unsigned i = 0; i < t->n_methods; i++) {
        struct skep_net__match found;
        if (!find_in(&t->methods[i], uri, NULL, &found))
            continue;
        skep_str name = t->methods[i].name;
        head = head || skep_str_eq(name, SKEP_STR("HEAD"));
        const char *extra = "";
        if (!head && skep_str_eq(name, SKEP_STR("GET"))) {
            extra = ", HEAD";
            head = true;
        }
        all = skep_arena_printf(arena, SKEP_STRFMT "%s" SKEP_STRFMT "%s", SKEP_STRARG(all),
                                all.n ? ", " : "", SKEP_STRARG(name), extra);
    }
    return all;
}
