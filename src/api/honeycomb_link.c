// SPDX-License-Identifier: Apache-2.0
/* A query specification as an address of the page, so that a link from a script or from Terraform
 * shows the same question: /ui/query?from=..&to=..&ds=..&c=COUNT&w=name = "x"&by=..&o=COUNT
 * desc&h=COUNT > 1
 *
 * Filters of one calculation and its name stand behind it (COUNT as errors where error = true);
 * cf= calculated fields, fx= formulas, cmp= the earlier time.  What the page's address cannot say
 * (an OR of a calculation's filters) is left out.
 * Threads: none of its own.  Memory: the request's arena. */
#include <yyjson.h>

#include "api/honeycomb_priv.h"
#include "base/assert.h"
#include "base/mem.h"

struct link {
    struct skep_buf *out;
    struct skep_arena *arena;
    bool has_param;
};

static void param(struct link *l, const char *name, skep_str value)
{
    static const skep_str plain = SKEP_STR("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                           "0123456789-._~()");
    skep_buf_printf(l->out, "%c%s=", l->has_param ? '&' : '?', name);
    l->has_param = true;
    for (size_t i = 0; i < value.n; i++) {
        if (skep_str_chr(plain, value.p[i]) != SIZE_MAX)
            skep_buf_u8(l->out, (uint8_t)value.p[i]);
        else
            skep_buf_printf(l->out, "%%%02X", (unsigned char)value.p[i]);
    }
}

static skep_str str_of(yyjson_val *obj, const char *key)
{
    yyjson_val *v = yyjson_obj_get(obj, key);
    return (skep_str){yyjson_get_str(v), yyjson_get_len(v)};
}

/* A name as the page's texts hold it: in backticks where it has signs of its own. */
static skep_str name_text(struct skep_arena *arena, skep_str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (skep_str_chr(SKEP_STR(" \t\"`()<>=!,"), name.p[i]) != SIZE_MAX)
            return skep_arena_printf(arena, "`" SKEP_STRFMT "`", SKEP_STRARG(name));
    return name;
}

static skep_str calc_text(struct skep_arena *arena, skep_str op, skep_str column)
{
    if (column.n == 0)
        return op;
    return op.n == 0 ? name_text(arena, column)
                     : skep_arena_printf(arena, SKEP_STRFMT "(" SKEP_STRFMT ")", SKEP_STRARG(op),
                                         SKEP_STRARG(column));
}

static skep_str filter_text(struct skep_arena *arena, yyjson_val *f)
{
    size_t n = 0;
    yyjson_val *value = yyjson_obj_get(f, "value");
    char *text = value && !yyjson_is_null(value) ? yyjson_val_write(value, 0, &n) : NULL;
    skep_str all = skep_arena_printf(arena, SKEP_STRFMT " " SKEP_STRFMT "%s" SKEP_STRFMT,
                                     SKEP_STRARG(name_text(arena, str_of(f, "column"))),
                                     SKEP_STRARG(str_of(f, "op")), text ? " " : "",
                                     SKEP_STRARG(((skep_str){text, n})));
    skep_free(text);
    return all;
}

static void filter(struct link *l, yyjson_val *f)
{
    param(l, "w", filter_text(l->arena, f));
}

/* P95(duration_ms) as slow where error = true and ... */
static void calculation(struct link *l, yyjson_val *c)
{
    skep_str text = calc_text(l->arena, str_of(c, "op"), str_of(c, "column"));
    skep_str name = str_of(c, "name");
    yyjson_val *f;
    size_t i, max;
    if (name.n > 0)
        text = skep_arena_printf(l->arena, SKEP_STRFMT " as " SKEP_STRFMT, SKEP_STRARG(text),
                                 SKEP_STRARG(name_text(l->arena, name)));
    if (!skep_str_eq(str_of(c, "filter_combination"), SKEP_STR("OR"))) {
        yyjson_arr_foreach(yyjson_obj_get(c, "filters"), i, max, f)
        {
            text = skep_arena_printf(l->arena, SKEP_STRFMT " %s " SKEP_STRFMT, SKEP_STRARG(text),
                                     i ? "and" : "where", SKEP_STRARG(filter_text(l->arena, f)));
        }
    }
    param(l, "c", text);
}

/* name = expression */
static void named(struct link *l, const char *key, yyjson_val *list)
{
    yyjson_val *v;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, v)
    {
        skep_str name = str_of(v, "name");
        bool odd = skep_str_chr(name, '=') != SIZE_MAX;
        param(l, key,
              skep_arena_printf(l->arena, "%s" SKEP_STRFMT "%s = " SKEP_STRFMT, odd ? "`" : "",
                                SKEP_STRARG(name), odd ? "`" : "",
                                SKEP_STRARG(str_of(v, "expression"))));
    }
}

static void order(struct link *l, yyjson_val *o)
{
    bool down = skep_str_eq(str_of(o, "order"), SKEP_STR("descending"));
    skep_str what = calc_text(l->arena, str_of(o, "op"), str_of(o, "column"));
    param(l, "o",
          skep_arena_printf(l->arena, SKEP_STRFMT " %s", SKEP_STRARG(what), down ? "desc" : "asc"));
}

static void having(struct link *l, yyjson_val *h)
{
    skep_str what = calc_text(l->arena, str_of(h, "calculate_op"), str_of(h, "column"));
    param(l, "h",
          skep_arena_printf(l->arena, SKEP_STRFMT " " SKEP_STRFMT " %.17g", SKEP_STRARG(what),
                            SKEP_STRARG(str_of(h, "op")),
                            yyjson_get_num(yyjson_obj_get(h, "value"))));
}

static void lists(struct link *l, yyjson_val *root)
{
    size_t i, max;
    yyjson_val *v;
    yyjson_arr_foreach(yyjson_obj_get(root, "calculations"), i, max, v)
    {
        calculation(l, v);
    }
    if (max == 0)
        param(l, "c", SKEP_STR("COUNT"));
    named(l, "cf", yyjson_obj_get(root, "calculated_fields"));
    named(l, "fx", yyjson_obj_get(root, "formulas"));
    yyjson_arr_foreach(yyjson_obj_get(root, "filters"), i, max, v)
    {
        filter(l, v);
    }
    if (skep_str_eq(str_of(root, "filter_combination"), SKEP_STR("OR")))
        param(l, "or", SKEP_STR("1"));
    yyjson_arr_foreach(yyjson_obj_get(root, "orders"), i, max, v)
    {
        order(l, v);
    }
    yyjson_arr_foreach(yyjson_obj_get(root, "havings"), i, max, v)
    {
        having(l, v);
    }
}

/* limit, granularity, and the page's own scale of heatmaps. */
static void numbers(struct link *l, yyjson_val *root)
{
    static const struct {
        const char *member, *param;
    } of[] = {{"limit", "n"}, {"granularity", "g"}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(of); i++) {
        double v = yyjson_get_num(yyjson_obj_get(root, of[i].member));
        if (v > 0)
            param(l, of[i].param, skep_arena_printf(l->arena, "%.0f", v));
    }
    if (skep_str_eq(str_of(yyjson_obj_get(root, "heatmap"), "scale"), SKEP_STR("linear")))
        param(l, "hs", SKEP_STR("linear"));
}

skep_str skep_api__hny_page_path(struct skep_arena *arena, skep_str dataset, skep_str spec,
                                 skep_ts_ns now_ns)
{
    const struct skep_lang_opts lang = {.now_ns = now_ns};
    const struct skep_plan *plan = NULL;
    struct skep_lang_issue issue;
    if (skep_lang_honeycomb(skep_str_bytes(spec), &lang, arena, &plan, &issue) != SKEP_OK)
        return SKEP_STR("/ui/query"); /* stored by a version that understood more */
    return skep_api__plan_page_path(arena, dataset, spec, plan);
}

skep_str skep_api__plan_page_path(struct skep_arena *arena, skep_str dataset, skep_str spec,
                                  const struct skep_plan *plan)
{
    struct skep_buf out;
    skep_buf_init(&out, 1 << 20);
    struct link l = {.out = &out, .arena = arena};
    skep_buf_str(&out, SKEP_STR("/ui/query"));
    param(&l, "from", skep_arena_printf(arena, "%.3f", (double)plan->range.start_ns / 1e9));
    param(&l, "to", skep_arena_printf(arena, "%.3f", (double)plan->range.end_ns / 1e9));
    if (skep_lang_dataset(dataset).n)
        param(&l, "ds", dataset);
    for (unsigned i = 0; i < plan->n_groups; i++)
        param(&l, "by", skep_field_label(&plan->groups[i]));
    if (plan->compare_offset_ns > 0)
        param(&l, "cmp",
              skep_arena_printf(arena, "%lld", (long long)(plan->compare_offset_ns / 1000000000)));
    yyjson_doc *doc = yyjson_read(spec.p, spec.n, 0);
    lists(&l, yyjson_doc_get_root(doc));
    numbers(&l, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    skep_str path = out.bad ? SKEP_STR("/ui/query") : skep_arena_str(arena, skep_buf_text(&out));
    skep_buf_done(&out);
    return path;
}

skep_str skep_api__hny_page_url(struct skep_api__job *job, skep_str path)
{
    skep_str host = skep_request_header(job->req, SKEP_STR("Host"));
    if (host.n == 0)
        host = job->req->host.n ? job->req->host : job->req->listener;
    return skep_arena_printf(&job->arena, "%s://" SKEP_STRFMT SKEP_STRFMT,
                             job->req->tls ? "https" : "http", SKEP_STRARG(host),
                             SKEP_STRARG(path));
}
