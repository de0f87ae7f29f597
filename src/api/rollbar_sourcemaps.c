// SPDX-License-Identifier: Apache-2.0
/* Rollbar's call for source maps (docs/api/rollbar.md):
 *
 *   POST /api/1/sourcemap             version, minified_url, source_map; a form with files or JSON
 *   POST /api/1/sourcemap/download    refused: skep asks no address that a request names
 *
 * Files beside the map, under the names that it has them by, become its sourcesContent where it
 * brings none.
 *
 * Threads: workers.  Memory: the job's arena, the map's copy. */
#include "api/keys.h"
#include "api/rollbar_priv.h"

#include <stdlib.h>

#include "base/assert.h"
#include "symbols/symbols.h"
#include "wire/json_in.h"
#include "wire/multipart.h"

enum { BODY_MAX = 64 << 20 };

/* The parts of a form, by name; of those of one name the first sent stands first. */
struct files {
    struct skep_part *parts;
    size_t n;
};

static int by_name(const void *a, const void *b)
{
    const struct skep_part *x = a, *y = b;
    int c = skep_str_cmp(x->name, y->name);
    return c ? c : x->body.p < y->body.p ? -1 : x->body.p > y->body.p;
}

/* Those that are text, in the arena; none when it has no room for them. */
static struct files files_of(struct skep_api__job *job, const struct skep_api__rb_form *f)
{
    struct files ret = {.n = 0};
    struct skep_multipart m;
    struct skep_part part;
    size_t n = 0;
    if (!f->multipart.n || !skep_multipart_begin(f->multipart, skep_bytes_str(job->req->body), &m))
        return ret;
    for (struct skep_multipart count = m; skep_multipart_next(&count, &part);)
        n++;
    if (n == 0)
        return ret;
    ret.parts = skep_arena_try_alloc(&job->arena, n * sizeof part);
    while (ret.parts && ret.n < n && skep_multipart_next(&m, &part)) {
        ret.parts[ret.n] = part;
        ret.n += skep_utf8_valid(part.body);
    }
    if (ret.n > 1)
        qsort(ret.parts, ret.n, sizeof part, by_name);
    return ret;
}

/* The text that the request sends under a source's name. */
static bool file_of(const struct files *files, skep_str source, skep_str *ret)
{
    size_t low = 0, high = files->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (skep_str_cmp(files->parts[mid].name, source) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == files->n || !skep_str_eq(files->parts[low].name, source))
        return false;
    *ret = files->parts[low].body;
    return true;
}

/* sourcesContent of what the map brings and of files beside it; false: no file is beside it.
 * Cost: one pass over the map's lists. */
static bool fill_contents(const struct files *files, yyjson_mut_doc *doc)
{
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc), *source;
    yyjson_mut_val *made = yyjson_mut_arr(doc);
    yyjson_mut_arr_iter old = {.cur = NULL};
    bool any = false;
    size_t i, max;
    (void)yyjson_mut_arr_iter_init(yyjson_mut_obj_get(root, "sourcesContent"), &old);
    yyjson_mut_arr_foreach(yyjson_mut_obj_get(root, "sources"), i, max, source)
    {
        yyjson_mut_val *have = yyjson_mut_arr_iter_next(&old);
        skep_str name = {yyjson_mut_get_str(source), yyjson_mut_get_len(source)}, text;
        if (yyjson_mut_is_str(have)) {
            (void)yyjson_mut_arr_add_strn(doc, made, yyjson_mut_get_str(have),
                                          yyjson_mut_get_len(have));
        } else if (name.p && file_of(files, name, &text)) {
            (void)yyjson_mut_arr_add_strn(doc, made, text.p, text.n);
            any = true;
        } else {
            (void)yyjson_mut_arr_add_null(doc, made);
        }
    }
    if (any) {
        (void)yyjson_mut_obj_remove_key(root, "sourcesContent");
        (void)yyjson_mut_obj_add_val(doc, root, "sourcesContent", made);
    }
    return any;
}

/* The map as it is kept. */
static skep_str with_contents(struct skep_api__job *job, const struct skep_api__rb_form *f,
                              skep_str map)
{
    struct files files = files_of(job, f);
    if (files.n == 0)
        return map;
    yyjson_alc alc = skep_json_alc(&job->budget);
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)map.p, map.n, 0, &alc, NULL);
    yyjson_mut_doc *copy = doc ? yyjson_doc_mut_copy(doc, &alc) : NULL;
    skep_str ret = map;
    if (copy && fill_contents(&files, copy)) {
        size_t n = 0;
        char *text = yyjson_mut_write_opts(copy, 0, &alc, &n, NULL);
        char *kept = text ? skep_arena_try_alloc(&job->arena, n) : NULL;
        if (kept) {
            memcpy(kept, text, n);
            ret = (skep_str){kept, n};
        }
        if (text)
            alc.free(alc.ctx, text);
    }
    yyjson_mut_doc_free(copy);
    yyjson_doc_free(doc);
    return ret;
}

static void keep(struct skep_api__job *job, const struct skep_api__rb_form *f)
{
    struct skep_artifact a = {.environment = job->req->caller.environment,
                              .actor = job->req->caller.actor};
    skep_str map = SKEP_STR_NULL;
    int64_t id = 0;
    skep_err err = {.text = ""};
    if (!skep_api__rb_member(job, f, "version", SKEP_SYMBOLS_VERSION_MAX, &a.version) ||
        !skep_api__rb_member(job, f, "minified_url", SKEP_ARTIFACT_NAME_MAX, &a.name) ||
        !skep_api__rb_member(job, f, "source_map", SKEP_SYMBOLS_MAP_BYTES_MAX, &map))
        return;
    if (map.n == 0) {
        (void)skep_api__rb_invalid(job, SKEP_STR("source_map is needed"));
        return;
    }
    skep_rc rc =
        skep_symbols_put_map(job->api->cfg.symbols, &a, with_contents(job, f, map), &id, &err);
    if (rc == SKEP_EMALFORMED) {
        (void)skep_api__rb_invalid(job, skep_str_c(err.text));
        return;
    }
    if (rc != SKEP_OK) {
        skep_api__rb_fail_rc(job, rc, &err);
        return;
    }
    skep_api__audit(job, "symbols.create",
                    skep_arena_printf(&job->arena, SKEP_STRFMT " (%lld)",
                                      SKEP_STRARG(skep_symbols_address(a.name)), (long long)id));
    skep_api__rb_begin(job, 200);
    skep_json_object(&job->out.json);
    skep_json_put_i64(&job->out.json, SKEP_STR("id"), id);
    skep_json_end(&job->out.json);
    skep_api__rb_end(job);
}

static void upload(struct skep_api__job *job)
{
    struct skep_api__rb_form f;
    if (!skep_api__rb_form(job, &f))
        return;
    keep(job, &f);
    skep_api__rb_form_done(&f);
}

static void download(struct skep_api__job *job)
{
    (void)skep_api__rb_invalid(job, SKEP_STR("skep fetches nothing from addresses that a request "
                                             "names: upload the map (POST /api/1/sourcemap)"));
}

static const struct skep_route routes[] = {
    SKEP_API__RB_WRITE("POST", "/api/1/sourcemap", upload, BODY_MAX),
    SKEP_API__RB_WRITE("POST", "/api/1/sourcemap/download", download, 1 << 16),
};

const struct skep_api__routes skep_api__rollbar_sourcemaps = {routes, SKEP_ARRAY_LEN(routes)};
