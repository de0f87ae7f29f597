// SPDX-License-Identifier: Apache-2.0
/* The item as it is kept.
 *
 *   a member whose name is a secret's      "*****" whatever its value was
 *   "$remote_ip", "$remote_ip_anonymize"   of request.user_ip: the sender's address
 *   deeper than SKEP_ROLLBAR_DEPTH_MAX     "[nested too deep]"
 *
 * Names are compared without case, '-' as '_'.  A secret in a query string (?token=...) is cut out
 * of url and query_string.
 *
 * I1  no value of a secret's name reaches the store: everything else that is read from an item is
 *     read from what this file made.
 * Threads, memory: as the decoder. */
#include "base/assert.h"
#include "ingest/rollbar_priv.h"

static const skep_str names[] = {
    SKEP_STR_INIT("access_token"),
    SKEP_STR_INIT("accesstoken"),
    SKEP_STR_INIT("api_key"),
    SKEP_STR_INIT("apikey"),
    SKEP_STR_INIT("auth"),
    SKEP_STR_INIT("authentication"),
    SKEP_STR_INIT("authorization"),
    SKEP_STR_INIT("confirm_password"),
    SKEP_STR_INIT("cookie"),
    SKEP_STR_INIT("cookies"),
    SKEP_STR_INIT("credit_card"),
    SKEP_STR_INIT("creditcard"),
    SKEP_STR_INIT("csrf_token"),
    SKEP_STR_INIT("passwd"),
    SKEP_STR_INIT("password"),
    SKEP_STR_INIT("password_confirmation"),
    SKEP_STR_INIT("proxy_authorization"),
    SKEP_STR_INIT("pw"),
    SKEP_STR_INIT("secret"),
    SKEP_STR_INIT("secret_key"),
    SKEP_STR_INIT("secret_token"),
    SKEP_STR_INIT("sessionid"),
    SKEP_STR_INIT("set_cookie"),
    SKEP_STR_INIT("ssn"),
    SKEP_STR_INIT("token"),
    SKEP_STR_INIT("x_amz_security_token"),
    SKEP_STR_INIT("x_api_key"),
    SKEP_STR_INIT("x_honeycomb_team"),
    SKEP_STR_INIT("x_rollbar_access_token"),
    SKEP_STR_INIT("x_csrf_token"),
};

const skep_str *skep_rollbar_scrub_names(size_t *ret_n)
{
    *ret_n = SKEP_ARRAY_LEN(names);
    return names;
}

static char plain(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c == '-' ? '_' : c;
}

static bool same_name(skep_str a, skep_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (plain(a.p[i]) != plain(b.p[i]))
            return false;
    }
    return true;
}

static bool secret(const struct skep_rollbar__dec *d, skep_str name)
{
    for (size_t i = 0; i < SKEP_ARRAY_LEN(names); i++) {
        if (same_name(name, names[i]))
            return true;
    }
    for (size_t i = 0; i < d->opts->n_scrub; i++) {
        if (same_name(name, skep_str_c(d->opts->scrub[i])))
            return true;
    }
    return false;
}

/* "a=1&token=x&b=2", also behind a '?': values of secrets replaced.  NULL: there are none. */
static yyjson_mut_val *scrubbed_query(struct skep_rollbar__dec *d, skep_str text)
{
    struct skep_buf out;
    bool any = false;
    size_t question = skep_str_chr(text, '?');
    size_t start = question == SIZE_MAX ? 0 : question + 1;
    skep_buf_init(&out, 3 * text.n + 16);
    skep_buf_put(&out, text.p, start);
    skep_str rest = skep_str_skip(text, start);
    for (bool first = true; rest.p && rest.n; first = false) {
        skep_str pair = skep_str_cut(&rest, '&');
        size_t eq = skep_str_chr(pair, '=');
        bool hide = eq != SIZE_MAX && secret(d, (skep_str){pair.p, eq});
        if (!first)
            skep_buf_u8(&out, '&');
        skep_buf_put(&out, pair.p, hide ? eq + 1 : pair.n);
        if (hide)
            skep_buf_str(&out, SKEP_STR("*****"));
        any |= hide;
        d->rep->scrubbed += hide;
    }
    yyjson_mut_val *ret = any ? yyjson_mut_strncpy(d->doc, (const char *)out.p, out.n) : NULL;
    skep_buf_done(&out);
    return ret;
}

/* The last number of an IPv4 address to 0, all but three groups of an IPv6 one away. */
static skep_str anonymous(struct skep_arena *arena, skep_str ip)
{
    unsigned groups = 0;
    if (skep_str_chr(ip, ':') == SIZE_MAX) {
        while (ip.n && ip.p[ip.n - 1] != '.')
            ip.n--;
        return skep_arena_printf(arena, SKEP_STRFMT "0", SKEP_STRARG(ip));
    }
    for (size_t i = 0; i < ip.n; i++) {
        if (ip.p[i] == ':' && ++groups == 3)
            ip.n = i;
    }
    return skep_arena_printf(arena, SKEP_STRFMT "::", SKEP_STRARG(ip));
}

/* NULL: as it is. */
static yyjson_mut_val *replaced(struct skep_rollbar__dec *d, skep_str name, yyjson_mut_val *v)
{
    skep_str text = {yyjson_mut_get_str(v), yyjson_mut_get_len(v)};
    if (secret(d, name) && !yyjson_mut_is_null(v)) {
        d->rep->scrubbed++;
        return yyjson_mut_str(d->doc, "*****");
    }
    if (!yyjson_mut_is_str(v))
        return NULL;
    if (same_name(name, SKEP_STR("url")) || same_name(name, SKEP_STR("query_string")))
        return scrubbed_query(d, text);
    if (!same_name(name, SKEP_STR("user_ip")) || d->opts->peer_ip.n == 0)
        return NULL;
    skep_str ip = d->opts->peer_ip;
    if (skep_str_eq(text, SKEP_STR("$remote_ip_anonymize")))
        ip = anonymous(d->opts->arena, ip);
    else if (!skep_str_eq(text, SKEP_STR("$remote_ip")))
        return NULL;
    return yyjson_mut_strncpy(d->doc, ip.p, ip.n);
}

static void scrub(struct skep_rollbar__dec *d, yyjson_mut_val *v, unsigned depth)
{
    size_t i, max;
    yyjson_mut_val *key, *child;
    bool deep = depth == SKEP_ROLLBAR_DEPTH_MAX;
    if (yyjson_mut_is_arr(v)) {
        yyjson_mut_arr_foreach(v, i, max, child)
        {
            if (deep && yyjson_mut_is_ctn(child))
                yyjson_mut_set_str(child, "[nested too deep]");
            else
                scrub(d, child, depth + 1);
        }
        return;
    }
    if (!yyjson_mut_is_obj(v))
        return;
    yyjson_mut_obj_foreach(v, i, max, key, child)
    {
        skep_str name = {yyjson_mut_get_str(key), yyjson_mut_get_len(key)};
        yyjson_mut_val *other = replaced(d, name, child);
        if (other)
            yyjson_mut_set_strn(child, yyjson_mut_get_str(other), yyjson_mut_get_len(other));
        else if (deep && yyjson_mut_is_ctn(child))
            yyjson_mut_set_str(child, "[nested too deep]");
        else
            scrub(d, child, depth + 1);
    }
}

char *skep_rollbar__kept(struct skep_rollbar__dec *d, yyjson_val *data, size_t *ret_n)
{
    d->doc = yyjson_mut_doc_new(&d->alc);
    yyjson_mut_val *root = d->doc ? yyjson_val_mut_copy(d->doc, data) : NULL;
    char *text = NULL;
    if (root) {
        yyjson_mut_doc_set_root(d->doc, root);
        scrub(d, root, 1);
        text =
            yyjson_mut_write_opts(d->doc, YYJSON_WRITE_INF_AND_NAN_AS_NULL, &d->alc, ret_n, NULL);
    }
    yyjson_mut_doc_free(d->doc);
    d->doc = NULL;
    return text;
}
