// SPDX-License-Identifier: Apache-2.0
/*
 * prom_text.c - a batch of metrics as Prometheus's text 0.0.4 or as OpenMetrics 1.0
 *
 *   # TYPE http_server_duration_seconds histogram
 *   # UNIT http_server_duration_seconds seconds             (OpenMetrics)
 *   # HELP http_server_duration_seconds How long.
 *   http_server_duration_seconds_bucket{a="b",otel_scope_name="x",le="0.5"} 3 # {trace_id="..."}
 * 0.4 1.7e9
 *
 * Metrics are sorted by the name they get here, so that those of one name, of several scopes, make
 * one family: its first member's type, unit and help are told, members of another type are left
 * out.
 *
 *   name     what is not [a-zA-Z0-9_:] is '_', never two of them; unit in words behind it; "_total"
 *   labels   each character that is not [a-zA-Z0-9_] is '_'; keys that become one have their values
 *            joined by ';' in the order of the keys; values that are no text are JSON
 *   exponential histograms  buckets are put together until their bounds are powers of two
 *
 * Threads: no state.
 */
#include "json.h"
#include "prom.h"

#include <stdlib.h>

enum { LABELS_MAX = 128, PROM_BYTES_MAX = 64 << 20, EXEMPLAR_LETTERS = 128 };

struct prom_family {
    waggle_metric_data m;
    uint32_t record;
    size_t name_at, name_n; /* in `names`: what the TYPE line says */
    size_t unit_at, unit_n; /* the same: the unit in words */
    waggle_str key;         /* the name, once all are made */
    bool total;             /* OpenMetrics: the sample has _total behind the name */
    bool unknown;           /* OpenMetrics: a counter that may not be called one */
};

struct prom_page {
    struct waggle__buf *out;
    const waggle_prometheus_options *o;
    const struct waggle__prom_request *request;
    const waggle_batch *batch;
    const waggle_resource_info *resource;
    struct waggle__buf names;  /* of families */
    struct waggle__buf common; /* labels of a family member: scope and resource */
    struct waggle__buf labels; /* of a point */
    struct waggle__buf scratch;
    bool legacy; /* names have to be [a-zA-Z0-9_:] */
    bool suffixes;
    bool complete;
};

/* --- names --------------------------------------------------------------------------------- */

static void put_str(struct waggle__buf *out, waggle_str s)
{
    waggle__buf_put(out, s.p, s.n);
}

static bool ends_with(waggle_str s, waggle_str end)
{
    return s.n > end.n && memcmp(s.p + s.n - end.n, end.p, end.n) == 0;
}

static bool is_counter(const waggle_metric_data *m)
{
    return m->type == WAGGLE_METRIC_SUM && m->is_monotonic;
}

static waggle_str name_of(const struct prom_page *page, const struct prom_family *f)
{
    return (waggle_str){(const char *)page->names.p + f->name_at, f->name_n};
}

static waggle_str unit_of(const struct prom_page *page, const struct prom_family *f)
{
    return (waggle_str){(const char *)page->names.p + f->unit_at, f->unit_n};
}

/* The name with its unit and "_total", as this page wants them. */
static void make_name(struct prom_page *page, struct prom_family *f)
{
    static const waggle_str total = {"_total", 6};
    struct waggle__buf *b = &page->names;
    f->unit_at = b->n;
    waggle__prom_unit(f->m.unit, b);
    if (b->n == f->unit_at && f->m.type == WAGGLE_METRIC_GAUGE && f->m.unit.n == 1 &&
        f->m.unit.p[0] == '1')
        waggle__buf_str(b, "ratio");
    f->unit_n = b->n - f->unit_at;
    f->name_at = b->n;
    if (page->legacy)
        waggle__prom_sanitize(b, f->m.name, true);
    else
        put_str(b, f->m.name);
    f->name_n = b->n - f->name_at;
    bool counts = is_counter(&f->m);
    bool has_total = counts && ends_with(name_of(page, f), total);
    if (has_total) // behind the unit
        b->n -= total.n;
    f->name_n = b->n - f->name_at;
    bool lacks_unit =
        page->suffixes && f->unit_n > 0 && !ends_with(name_of(page, f), unit_of(page, f));
    if (lacks_unit) {
        waggle__buf_str(b, "_");
        (void)waggle__buf_room(b, f->unit_n); // what lies in b may move: its place is asked after
        waggle__buf_put(b, b->p + f->unit_at, b->bad ? 0 : f->unit_n);
    }
    f->total = counts && (page->suffixes || has_total);
    f->unknown = counts && !f->total && page->request->openmetrics;
    if (f->total && !page->request->openmetrics)
        put_str(b, total);
    f->name_n = b->n - f->name_at;
    f->total = f->total && page->request->openmetrics;
}

/* --- values -------------------------------------------------------------------------------- */

static void put_escaped(struct waggle__buf *out, waggle_str s, bool quotes)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\n')
            waggle__buf_str(out, "\\n");
        else if (c == '\\' || (c == '"' && quotes))
            waggle__buf_put(out, (const char[2]){'\\', c}, 2);
        else
            waggle__buf_put(out, &c, 1);
    }
}

static void put_f64(struct waggle__buf *out, double v)
{
    char text[40];
    if (v != v)
        waggle__buf_str(out, "NaN");
    else if (v - v != 0)
        waggle__buf_str(out, v > 0 ? "+Inf" : "-Inf");
    else
        waggle__buf_str(out, waggle__shortest_double(v, text));
}

static void put_i64_or_f64(struct waggle__buf *out, bool is_double, int64_t i, double d)
{
    if (is_double)
        put_f64(out, d);
    else
        waggle__buf_printf(out, "%lld", (long long)i);
}

/* --- labels -------------------------------------------------------------------------------- */

struct prom_label {
    waggle_str key;
    waggle_value_data value;
    size_t name_at, name_n; /* in page->scratch */
};

struct prom_labels {
    const char *prefix;
    size_t n;
    struct prom_label p[LABELS_MAX];
};

static void add_label(struct prom_page *page, struct prom_labels *list, const waggle_attr_data *a)
{
    struct waggle__buf *b = &page->scratch;
    if (list->n == LABELS_MAX || a->key.n == 0)
        return;
    struct prom_label *l = &list->p[list->n++];
    *l = (struct prom_label){a->key, a->value, b->n, 0};
    waggle__buf_str(b, list->prefix);
    if (page->legacy)
        waggle__prom_sanitize(b, a->key, false);
    else
        put_str(b, a->key);
    l->name_n = b->n - l->name_at;
}

static int compare_str(waggle_str a, waggle_str b)
{
    size_t n = WAGGLE__MIN(a.n, b.n);
    int c = n > 0 ? memcmp(a.p, b.p, n) : 0;
    return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

static waggle_str label_name(const struct prom_page *page, const struct prom_label *l)
{
    return (waggle_str){(const char *)page->scratch.p + l->name_at, l->name_n};
}

static void sort_labels(const struct prom_page *page, struct prom_labels *list)
{
    for (size_t i = 1; i < list->n; i++) {
        struct prom_label l = list->p[i];
        size_t k = i;
        for (; k > 0; k--) {
            int c = compare_str(label_name(page, &list->p[k - 1]), label_name(page, &l));
            if (c < 0 || (c == 0 && compare_str(list->p[k - 1].key, l.key) <= 0))
                break;
            list->p[k] = list->p[k - 1];
        }
        list->p[k] = l;
    }
}

static void put_label_value(struct waggle__buf *out, const waggle_value_data *v)
{
    struct waggle__buf json;
    if (v->type == WAGGLE_STR) {
        put_escaped(out, v->str, true);
        return;
    }
    waggle__buf_init(&json, PROM_BYTES_MAX);
    waggle__json_value(&json, v);
    put_escaped(out, (waggle_str){(const char *)json.p, json.n}, true);
    waggle__buf_done(&json);
}

static void put_label_name(struct waggle__buf *out, waggle_str name)
{
    bool plain = waggle__prom_is_legacy(name, false);
    waggle__buf_str(out, plain ? "" : "\"");
    put_escaped(out, name, true);
    waggle__buf_str(out, plain ? "" : "\"");
}

/* name="value",... ; empties the list. */
static void put_labels(struct prom_page *page, struct prom_labels *list, struct waggle__buf *out)
{
    if (page->scratch.bad)
        list->n = 0;
    sort_labels(page, list);
    for (size_t i = 0; i < list->n;) {
        waggle_str name = label_name(page, &list->p[i]);
        waggle__buf_str(out, out->n > 0 ? "," : "");
        put_label_name(out, name);
        waggle__buf_str(out, "=\"");
        for (size_t first = i; i < list->n && compare_str(label_name(page, &list->p[i]), name) == 0;
             i++) {
            waggle__buf_str(out, i > first ? ";" : "");
            put_label_value(out, &list->p[i].value);
        }
        waggle__buf_str(out, "\"");
    }
    list->n = 0;
    page->scratch.n = 0;
}

static void put_text_label(struct waggle__buf *out, const char *name, waggle_str value)
{
    if (value.n == 0)
        return;
    waggle__buf_printf(out, "%s%s=\"", out->n > 0 ? "," : "", name);
    put_escaped(out, value, true);
    waggle__buf_str(out, "\"");
}

static bool is_among(const char *const *patterns, size_t n, waggle_str key)
{
    for (size_t i = 0; i < n; i++)
        if (waggle__wild_match_case(patterns[i], key))
            return true;
    return false;
}

/* What all points of this metric have. */
static void make_common(struct prom_page *page, const waggle_scope_info *scope)
{
    const waggle_prometheus_options *o = page->o;
    struct prom_labels list = {.prefix = ""};
    waggle_attr_data a;
    page->common.n = page->scratch.n = 0;
    for (waggle_cursor c = {0}; waggle_attr_next(page->resource->attributes, &c, &a);)
        if (is_among(o->resource_labels, o->n_resource_labels, a.key) &&
            !is_among(o->no_resource_labels, o->n_no_resource_labels, a.key))
            add_label(page, &list, &a);
    put_labels(page, &list, &page->common);
    if (o->no_scope_labels)
        return;
    put_text_label(&page->common, "otel_scope_name", scope->name);
    put_text_label(&page->common, "otel_scope_version", scope->version);
    put_text_label(&page->common, "otel_scope_schema_url", scope->schema_url);
    list.prefix = "otel_scope_";
    for (waggle_cursor c = {0}; waggle_attr_next(scope->attributes, &c, &a);)
        add_label(page, &list, &a);
    put_labels(page, &list, &page->common);
}

static void make_labels(struct prom_page *page, const waggle_point_data *point)
{
    struct prom_labels list = {.prefix = ""};
    waggle_attr_data a;
    page->labels.n = page->scratch.n = 0;
    for (waggle_cursor c = {0}; waggle_point_data_attr(point, &c, &a);)
        add_label(page, &list, &a);
    put_labels(page, &list, &page->labels);
    if (page->common.n > 0) {
        waggle__buf_str(&page->labels, page->labels.n > 0 ? "," : "");
        waggle__buf_put(&page->labels, page->common.p, page->common.n);
    }
}

/* --- samples ------------------------------------------------------------------------------- */

static void put_bound(struct prom_page *page, double le)
{
    size_t from = page->out->n;
    put_f64(page->out, le);
    bool whole = le - le == 0; // OpenMetrics wants 1.0
    for (size_t i = from; whole && i < page->out->n; i++)
        whole = page->out->p[i] == '-' || (page->out->p[i] >= '0' && page->out->p[i] <= '9');
    if (whole && page->request->openmetrics)
        waggle__buf_str(page->out, ".0");
}

/* name_suffix{labels,le="..."} and a blank. */
static void begin_sample(struct prom_page *page, const struct prom_family *f, const char *suffix,
                         const double *le)
{
    struct waggle__buf *out = page->out;
    waggle_str name = name_of(page, f);
    bool quoted = !waggle__prom_is_legacy(name, true);
    bool any = quoted || page->labels.n > 0 || le != NULL;
    if (!quoted) {
        put_str(out, name);
        waggle__buf_str(out, suffix);
    }
    waggle__buf_str(out, any ? "{" : "");
    if (quoted) {
        waggle__buf_str(out, "\"");
        put_escaped(out, name, true);
        waggle__buf_printf(out, "%s\"", suffix);
    }
    if (page->labels.n > 0) {
        waggle__buf_str(out, quoted ? "," : "");
        waggle__buf_put(out, page->labels.p, page->labels.n);
    }
    if (le != NULL) {
        waggle__buf_str(out, quoted || page->labels.n > 0 ? ",le=\"" : "le=\"");
        put_bound(page, *le);
        waggle__buf_str(out, "\"");
    }
    waggle__buf_str(out, any ? "} " : " ");
}

static void put_hex(struct waggle__buf *out, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        waggle__buf_printf(out, "%02x", p[i]);
}

/* The attributes that fit into what the format allows. */
static void put_exemplar_labels(struct prom_page *page, const waggle_exemplar_data *e)
{
    static const uint8_t zero[16];
    struct waggle__buf *out = page->out;
    size_t from = out->n;
    size_t left = EXEMPLAR_LETTERS;
    waggle_attr_data a;
    if (memcmp(e->trace_id, zero, sizeof e->trace_id) != 0) {
        waggle__buf_str(out, "trace_id=\"");
        put_hex(out, e->trace_id, sizeof e->trace_id);
        waggle__buf_str(out, "\",span_id=\"");
        put_hex(out, e->span_id, sizeof e->span_id);
        waggle__buf_str(out, "\"");
        left -= strlen("trace_id") + 32 + strlen("span_id") + 16;
    }
    for (waggle_cursor c = {0}; waggle_exemplar_data_attr(e, &c, &a);) {
        size_t need = a.key.n + 1 + (a.value.type == WAGGLE_STR ? a.value.str.n : 32);
        bool fits = need <= left && (a.value.type == WAGGLE_STR || a.value.type == WAGGLE_I64 ||
                                     a.value.type == WAGGLE_BOOL || a.value.type == WAGGLE_F64);
        if (!fits)
            continue;
        left -= need;
        waggle__buf_str(out, out->n > from ? "," : "");
        waggle__prom_sanitize(out, a.key, false);
        waggle__buf_str(out, "=\"");
        put_label_value(out, &a.value);
        waggle__buf_str(out, "\"");
    }
}

/* Ends the sample's line, with an example from above `low` to `high`, if there is one. */
static void end_sample(struct prom_page *page, const waggle_point_data *point, double low,
                       double high)
{
    waggle_exemplar_data e;
    bool wanted = page->request->openmetrics && point != NULL;
    for (waggle_cursor c = {0}; wanted && waggle_point_data_exemplar(point, &c, &e);) {
        double v = e.is_double ? e.f64 : (double)e.i64;
        if (!(v > low && v <= high))
            continue;
        waggle__buf_str(page->out, " # {");
        put_exemplar_labels(page, &e);
        waggle__buf_str(page->out, "} ");
        put_i64_or_f64(page->out, e.is_double, e.i64, e.f64);
        waggle__buf_printf(page->out, " %llu.%03llu", (unsigned long long)(e.time_ns / 1000000000u),
                           (unsigned long long)(e.time_ns / 1000000u % 1000u));
        break;
    }
    waggle__buf_str(page->out, "\n");
}

#define PROM_INF (1e308 * 10)

static void put_bucket(struct prom_page *page, const struct prom_family *f,
                       const waggle_point_data *point, double low, double high, uint64_t count)
{
    begin_sample(page, f, "_bucket", &high);
    waggle__buf_printf(page->out, "%llu", (unsigned long long)count);
    end_sample(page, point, low, high);
}

static void put_explicit(struct prom_page *page, const struct prom_family *f,
                         const waggle_point_data *point)
{
    uint64_t n = 0;
    uint64_t sum = 0;
    double low = -PROM_INF;
    double high = 0;
    for (waggle_cursor c = {0}; waggle_bucket_next(point, &c, &n, &high); low = high) {
        sum += n;
        put_bucket(page, f, point, low, high, sum);
    }
}

/* 2^e; too small is the smallest that is normal, too large infinity. */
static double power_of_two(int64_t e)
{
    enum { E_MIN = -1022, E_MAX = 1023 };
    double v;
    if (e > E_MAX)
        return PROM_INF;
    uint64_t bits = (uint64_t)((e < E_MIN ? E_MIN : e) + E_MAX) << 52;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* 2^-scale of a scale that is not positive; lower than -20 is as -20. */
static int64_t coarseness(int scale)
{
    enum { LOWEST = -20 };
    return (int64_t)1 << -(scale < LOWEST ? LOWEST : scale);
}

/* The power of two at or above bucket i's upper bound 2^((i + 1) / 2^scale). */
static int64_t upper_power(int64_t i, int scale)
{
    if (scale <= 0)
        return (i + 1) * coarseness(scale);
    int64_t size = (int64_t)1 << WAGGLE__MIN(scale, 40);
    return (i >= 0 ? i / size : -((-i + size - 1) / size)) + 1;
}

/* The power of two at or below the lower bound. */
static int64_t lower_power(int64_t i, int scale)
{
    return scale <= 0 ? i * coarseness(scale) : upper_power(i, scale) - 1;
}

enum { PROM_BUCKETS_MAX = 512 };

static size_t read_counts(waggle_str counts, uint64_t ret[PROM_BUCKETS_MAX])
{
    size_t n = 0;
    for (waggle_cursor c = {0}; n < PROM_BUCKETS_MAX && waggle_count_next(counts, &c, &ret[n]);)
        n++;
    return n;
}

static void put_exponential(struct prom_page *page, const struct prom_family *f,
                            const waggle_point_data *point)
{
    uint64_t counts[PROM_BUCKETS_MAX];
    uint64_t sum = 0;
    double low = -PROM_INF;
    size_t n = read_counts(point->negative, counts);
    for (size_t i = n; i-- > 0;) { // the most negative first
        int64_t at = (int64_t)point->negative_offset + (int64_t)i;
        int64_t power = lower_power(at, point->scale);
        sum += counts[i];
        if (i > 0 && lower_power(at - 1, point->scale) == power)
            continue;
        put_bucket(page, f, point, low, -power_of_two(power), sum);
        low = -power_of_two(power);
    }
    sum += point->zero_count;
    if (sum > 0)
        put_bucket(page, f, point, low, 0, sum);
    low = sum > 0 ? 0 : low;
    n = read_counts(point->positive, counts);
    for (size_t i = 0; i < n; i++) {
        int64_t at = (int64_t)point->positive_offset + (int64_t)i;
        int64_t power = upper_power(at, point->scale);
        sum += counts[i];
        if ((i + 1 < n && upper_power(at + 1, point->scale) == power) || power > 1023)
            continue;
        put_bucket(page, f, point, low, power_of_two(power), sum);
        low = power_of_two(power);
    }
    put_bucket(page, f, point, low, PROM_INF, point->count);
}

static void put_point(struct prom_page *page, const struct prom_family *f,
                      const waggle_point_data *point)
{
    make_labels(page, point);
    if (f->m.type == WAGGLE_METRIC_GAUGE || f->m.type == WAGGLE_METRIC_SUM) {
        begin_sample(page, f, f->total ? "_total" : "", NULL);
        put_i64_or_f64(page->out, point->is_double, point->i64, point->f64);
        end_sample(page, is_counter(&f->m) && !f->unknown ? point : NULL, -PROM_INF, PROM_INF);
        return;
    }
    if (f->m.type == WAGGLE_METRIC_HISTOGRAM)
        put_explicit(page, f, point);
    else
        put_exponential(page, f, point);
    if (point->has_sum) {
        begin_sample(page, f, "_sum", NULL);
        put_f64(page->out, point->sum);
        end_sample(page, NULL, 0, 0);
    }
    begin_sample(page, f, "_count", NULL);
    waggle__buf_printf(page->out, "%llu\n", (unsigned long long)point->count);
}

/* --- families ------------------------------------------------------------------------------ */

static const char *type_of(const struct prom_family *f)
{
    if (f->unknown)
        return "unknown";
    if (is_counter(&f->m))
        return "counter";
    return f->m.type == WAGGLE_METRIC_GAUGE || f->m.type == WAGGLE_METRIC_SUM ? "gauge"
                                                                              : "histogram";
}

static void put_meta(struct prom_page *page, const char *what, const struct prom_family *f)
{
    waggle_str name = name_of(page, f);
    bool plain = waggle__prom_is_legacy(name, true);
    waggle__buf_printf(page->out, "# %s %s", what, plain ? "" : "\"");
    put_escaped(page->out, name, true);
    waggle__buf_str(page->out, plain ? " " : "\" ");
}

static void put_family_head(struct prom_page *page, const struct prom_family *f)
{
    struct waggle__buf *out = page->out;
    put_meta(page, "TYPE", f);
    waggle__buf_printf(out, "%s\n", type_of(f));
    if (page->request->openmetrics && f->unit_n > 0 &&
        ends_with(name_of(page, f), unit_of(page, f))) {
        put_meta(page, "UNIT", f);
        put_str(out, unit_of(page, f));
        waggle__buf_str(out, "\n");
    }
    if (f->m.description.n > 0) {
        put_meta(page, "HELP", f);
        put_escaped(out, f->m.description, page->request->openmetrics);
        waggle__buf_str(out, "\n");
    }
}

/* One member of a family: a metric of a scope. */
static void put_member_points(struct prom_page *page, const struct prom_family *f)
{
    waggle_point_data point;
    make_common(page, page->batch->scopes[page->batch->records[f->record].scope]);
    for (waggle_cursor c = {0}; waggle_metric_data_point(&f->m, &c, &point);)
        put_point(page, f, &point);
}

static int compare_families(const void *a, const void *b)
{
    const struct prom_family *x = a;
    const struct prom_family *y = b;
    int c = compare_str(x->key, y->key);
    return c != 0 ? c : (x->record > y->record) - (x->record < y->record);
}

/* The batch's metrics, sorted by name; to be freed. */
static struct prom_family *make_families(struct prom_page *page, size_t *ret_n)
{
    size_t n = 0;
    struct prom_family *list = calloc(page->batch->n_records + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < page->batch->n_records; i++) {
        struct prom_family *f = &list[n];
        if (!waggle_record_metric(&page->batch->records[i], &f->m))
            continue;
        f->record = (uint32_t)i;
        make_name(page, f);
        n++;
    }
    for (size_t i = 0; i < n; i++) // now that no name moves any more
        list[i].key = name_of(page, &list[i]);
    if (list != NULL && !page->names.bad)
        qsort(list, n, sizeof *list, compare_families);
    *ret_n = n;
    return list;
}

static void put_families(struct prom_page *page)
{
    size_t n = 0;
    struct prom_family *list = make_families(page, &n);
    const struct prom_family *first = list;
    page->complete = list != NULL && !page->names.bad;
    n = page->complete ? n : 0;
    for (size_t i = 0; i < n; i++) {
        struct prom_family *f = &list[i];
        bool begins = i == 0 || compare_str(f->key, first->key) != 0;
        first = begins ? f : first;
        if (begins)
            put_family_head(page, f);
        if (strcmp(type_of(f), type_of(first)) == 0)
            put_member_points(page, f);
        else
            page->complete = false;
    }
    free(list);
}

static void put_target_info(struct prom_page *page)
{
    bool om = page->request->openmetrics;
    struct prom_labels list = {.prefix = ""};
    waggle_attr_data a;
    page->labels.n = page->scratch.n = 0;
    for (waggle_cursor c = {0}; waggle_attr_next(page->resource->attributes, &c, &a);)
        add_label(page, &list, &a);
    put_labels(page, &list, &page->labels);
    if (page->labels.n == 0)
        return;
    waggle__buf_str(page->out,
                    om ? "# TYPE target info\n# HELP target Target metadata\ntarget_info{"
                       : "# HELP target_info Target metadata\n"
                         "# TYPE target_info gauge\ntarget_info{");
    waggle__buf_put(page->out, page->labels.p, page->labels.n);
    waggle__buf_str(page->out, "} 1\n");
}

bool waggle__prom_text(const waggle_batch *batch, const waggle_resource_info *resource,
                       const waggle_prometheus_options *options,
                       const struct waggle__prom_request *request, struct waggle__buf *out)
{
    struct prom_page page = {
        .out = out,
        .o = options,
        .request = request,
        .batch = batch,
        .resource = resource,
        .legacy = options->names <= WAGGLE_PROMETHEUS_UNDERSCORES_NO_SUFFIX || !request->utf8,
        .suffixes = options->names == WAGGLE_PROMETHEUS_UNDERSCORES ||
                    options->names == WAGGLE_PROMETHEUS_UTF8,
        .complete = true,
    };
    waggle__buf_init(&page.names, PROM_BYTES_MAX);
    waggle__buf_init(&page.common, PROM_BYTES_MAX);
    waggle__buf_init(&page.labels, PROM_BYTES_MAX);
    waggle__buf_init(&page.scratch, PROM_BYTES_MAX);
    if (!options->no_target_info)
        put_target_info(&page);
    if (batch != NULL)
        put_families(&page);
    if (request->openmetrics)
        waggle__buf_str(out, "# EOF\n");
    bool ok = page.complete && !page.common.bad && !page.labels.bad && !page.scratch.bad;
    waggle__buf_done(&page.names);
    waggle__buf_done(&page.common);
    waggle__buf_done(&page.labels);
    waggle__buf_done(&page.scratch);
    return ok;
}
