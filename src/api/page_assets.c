// SPDX-License-Identifier: Apache-2.0
/* GET / and /ui/...: the embedded page.
 *
 * Files whose name carries a hash of their content are kept for ever by browsers; the document and
 * the icon are revalidated by ETag.  The page may load from itself alone (Content-Security-Policy).
 * Threads: answered on the I/O thread from constant bytes. */
#include "api/api_priv.h"

#include "ui/assets.h"

static const skep_str policy =
    SKEP_STR("default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src "
             "'self' data:; "
             "font-src 'self'; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; "
             "base-uri 'none'; form-action 'self'; frame-ancestors 'none'");

static void add(struct skep_response *r, skep_str name, skep_str value)
{
    r->headers[r->n_headers++] = (struct skep_header){name, value};
}

static bool accepts_gzip(const struct skep_request *req)
{
    skep_str accept = skep_request_header(req, SKEP_STR("Accept-Encoding"));
    while (accept.n) {
        skep_str item = skep_str_cut(&accept, ',');
        skep_str coding = skep_str_trim(skep_str_cut(&item, ';'));
        skep_str weight = skep_str_trim(item);
        double q = 1;
        if (skep_str_starts(weight, SKEP_STR("q=")) && !skep_str_f64(skep_str_skip(weight, 2), &q))
            q = 0;
        if (skep_str_ieq(coding, SKEP_STR("gzip")))
            return q > 0;
    }
    return false;
}

/* If-None-Match: a list of tags, perhaps weak ones, or "*". */
static bool matches(skep_str list, skep_str etag)
{
    while (list.n) {
        skep_str tag = skep_str_trim(skep_str_cut(&list, ','));
        if (skep_str_starts(tag, SKEP_STR("W/")))
            tag = skep_str_skip(tag, 2);
        if (skep_str_eq(tag, etag) || skep_str_eq(tag, SKEP_STR("*")))
            return true;
    }
    return false;
}

/* The document and the icon have stable names; all else under /ui/assets/ carries a hash. */
static bool is_stable_name(skep_str path)
{
    return !skep_str_starts(path, SKEP_STR("/ui/assets/")) ||
           skep_str_eq(path, SKEP_STR("/ui/assets/favicon.svg"));
}

static void security_headers(struct skep_response *r)
{
    add(r, SKEP_STR("Content-Security-Policy"), policy);
    add(r, SKEP_STR("X-Content-Type-Options"), SKEP_STR("nosniff"));
    add(r, SKEP_STR("Referrer-Policy"), SKEP_STR("no-referrer"));
    add(r, SKEP_STR("X-Frame-Options"), SKEP_STR("DENY"));
    add(r, SKEP_STR("Cross-Origin-Opener-Policy"), SKEP_STR("same-origin"));
    add(r, SKEP_STR("Cross-Origin-Resource-Policy"), SKEP_STR("same-origin"));
}

static void handle(void *ctx, struct skep_request *req)
{
    (void)ctx;
    skep_str path = req->path;
    if (skep_str_eq(path, SKEP_STR("/favicon.ico")))
        path = SKEP_STR("/ui/assets/favicon.svg");
    const struct skep_asset *asset = skep_asset_find(path);
    if (!asset) {
        skep_api__fail(req,
                       &(struct skep_api__error){.status = 404, .text = SKEP_STR("no such file")});
        return;
    }
    struct skep_response r = {.status = 200, .content_type = skep_str_c(asset->content_type)};
    security_headers(&r);
    add(&r, SKEP_STR("ETag"), skep_str_c(asset->etag));
    add(&r, SKEP_STR("Vary"), SKEP_STR("Accept-Encoding"));
    add(&r, SKEP_STR("Cache-Control"),
        is_stable_name(path) ? SKEP_STR("no-cache")
                             : SKEP_STR("public, max-age=31536000, immutable"));
    if (matches(skep_request_header(req, SKEP_STR("If-None-Match")), skep_str_c(asset->etag))) {
        r.status = 304;
    } else if (accepts_gzip(req)) {
        add(&r, SKEP_STR("Content-Encoding"), SKEP_STR("gzip"));
        r.body = (skep_bytes){asset->gzip, asset->gzip_bytes};
    } else {
        r.body = (skep_bytes){asset->raw, asset->raw_bytes};
    }
    skep_respond(req, &r);
}

static const struct skep_route routes[] = {
    {.method = "GET",
     .path = "/",
     .handle = handle,
     .flags = SKEP_ROUTE_NAVIGATE,
     .right = SKEP_RIGHT_PUBLIC},
    {.method = "GET",
     .path = "/ui",
     .handle = handle,
     .flags = SKEP_ROUTE_NAVIGATE,
     .right = SKEP_RIGHT_PUBLIC},
    {.method = "GET",
     .path = "/ui/*",
     .handle = handle,
     .flags = SKEP_ROUTE_NAVIGATE,
     .right = SKEP_RIGHT_PUBLIC},
    {.method = "GET", .path = "/favicon.ico", .handle = handle, .right = SKEP_RIGHT_PUBLIC},
};

const struct skep_api__routes skep_api__page_assets = {routes, SKEP_ARRAY_LEN(routes)};
