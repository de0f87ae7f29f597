// SPDX-License-Identifier: Apache-2.0
/* AWS Signature Version 4.
 *
 *   canonical = METHOD \n path \n query \n name:value\n ... \n names \n payload
 *   to sign   = "AWS4-HMAC-SHA256" \n time \n day/region/service/aws4_request \n sha256(canonical)
 *   key       = HMAC chain over "AWS4" + secret: day, region, service, "aws4_request"
 *   signature = hex(HMAC(key, to sign))
 *
 *   path    dot segments and empty ones removed, then each byte of the path as sent escaped (so a
 *           '%' of the target becomes "%25")
 *   query   names and values decoded and escaped anew, sorted by name, then value; without
 *           X-Amz-Signature
 *   header  values trimmed, runs of blanks made one, several of a name joined by ','
 *
 * I1  `host` is always signed, and so are x-amz-date and x-amz-target when they came: what decides
 *     what a request does is covered.
 * I2  a name of signed_headers stands there once and in lower case, in ascending order.
 * Threads: any.  Memory: the caller's arena, a few times the request's headers; keys on the stack
 * are wiped. */
#include "wire/sigv4.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/buf.h"

static const skep_str algorithm = SKEP_STR_INIT("AWS4-HMAC-SHA256");
static const size_t canonical_limit_bytes = 1 << 20;

struct hmac {
    uint8_t b[crypto_auth_hmacsha256_BYTES];
};

struct param {
    skep_str name, value; /* decoded while looked for, escaped when canonical */
};

void skep_sigv4_hash(skep_bytes b, char ret[SKEP_SIGV4_HEX_BYTES])
{
    static const uint8_t nothing[1];
    uint8_t hash[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(hash, b.n ? b.p : nothing, b.n); /* always 0 */
    skep_hex_encode((skep_bytes){hash, sizeof hash}, ret);
}

bool skep_sigv4_equal(skep_str a, skep_str b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}

/* --- the query ----------------------------------------------------------------------------------
 */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* %xx undone where it is well-formed; a '+' is a plus. */
static skep_str decoded(struct skep_arena *arena, skep_str s)
{
    char *out = skep_arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int hi = s.n - i > 2 && s.p[i] == '%' ? hex_digit(s.p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_digit(s.p[i + 2]) : -1;
        if (lo >= 0) {
            out[n++] = (char)(hi * 16 + lo);
            i += 2;
        } else {
            out[n++] = s.p[i];
        }
    }
    return (skep_str){out, n};
}

static void put_escaped(struct skep_buf *out, skep_str s, bool slash)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     c == '-' || c == '.' || c == '_' || c == '~' || (slash && c == '/');
        if (plain) {
            skep_buf_u8(out, c);
        } else {
            skep_buf_u8(out, '%');
            skep_buf_u8(out, (uint8_t)digits[c >> 4]);
            skep_buf_u8(out, (uint8_t)digits[c & 15]);
        }
    }
}

static skep_str query_of(skep_str target)
{
    skep_str query = target;
    (void)skep_str_cut(&query, '?');
    return query.p ? query : SKEP_STR("");
}

/* The next "name=value" of a query, decoded; false at its end. */
static bool next_param(struct skep_arena *arena, skep_str *query, struct param *ret)
{
    while (query->p && query->n) {
        skep_str value = skep_str_cut(query, '&');
        if (value.n == 0)
            continue;
        skep_str name = skep_str_cut(&value, '=');
        ret->name = decoded(arena, name);
        ret->value = value.p ? decoded(arena, value) : SKEP_STR("");
        return true;
    }
    return false;
}

static skep_str param(struct skep_arena *arena, skep_str target, skep_str name)
{
    struct param p;
    skep_str query = query_of(target);
    while (next_param(arena, &query, &p))
        if (skep_str_eq(p.name, name))
            return p.value;
    return SKEP_STR_NULL;
}

/* --- reading ------------------------------------------------------------------------------------
 */

static skep_str header(const struct skep_sigv4_request *rq, skep_str name)
{
    skep_str v;
    return rq->header(rq->ctx, name, 0, &v) ? v : SKEP_STR_NULL;
}

static bool is_aws(skep_str authorization)
{
    return skep_str_starts(authorization, SKEP_STR("AWS4-"));
}

bool skep_sigv4_present(struct skep_arena *arena, const struct skep_sigv4_request *rq)
{
    return is_aws(header(rq, SKEP_STR("authorization"))) ||
           (skep_str_find(rq->target, SKEP_STR("X-Amz-")) != SIZE_MAX &&
            param(arena, rq->target, SKEP_STR("X-Amz-Signature")).p);
}

static bool digits(skep_str s, size_t from, size_t n, int64_t *ret)
{
    uint64_t v = 0;
    for (size_t i = from; i < from + n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *ret = (int64_t)v;
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar (the usual count from 1 March). */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    int64_t era = y / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "20150830T123600Z" */
static bool read_time(skep_str s, int64_t *ret)
{
    int64_t y, mo, d, h, mi, sec;
    if (s.n != 16 || s.p[8] != 'T' || s.p[15] != 'Z' || !digits(s, 0, 4, &y) ||
        !digits(s, 4, 2, &mo) || !digits(s, 6, 2, &d) || !digits(s, 9, 2, &h) ||
        !digits(s, 11, 2, &mi) || !digits(s, 13, 2, &sec))
        return false;
    if (mo < 1 || mo > 12 || d < 1 || d > 31 || h > 23 || mi > 59 || sec > 60)
        return false;
    *ret = days_of(y, mo, d) * 86400 + h * 3600 + mi * 60 + sec;
    return true;
}

/* AKID/20150830/us-east-1/service/aws4_request */
static bool read_credential(skep_str s, struct skep_sigv4 *ret)
{
    ret->access_key = skep_str_cut(&s, '/');
    ret->day = skep_str_cut(&s, '/');
    ret->region = skep_str_cut(&s, '/');
    ret->service = skep_str_cut(&s, '/');
    return ret->access_key.n && ret->day.n == 8 && ret->region.n && ret->service.n &&
           skep_str_eq(s, SKEP_STR("aws4_request"));
}

static bool is_hex(skep_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
            return false;
    return s.n == SKEP_SIGV4_HEX_BYTES;
}

/* Credential=..., SignedHeaders=..., Signature=... */
static void read_authorization(skep_str value, skep_str *ret_credential, struct skep_sigv4 *ret)
{
    skep_str rest = skep_str_skip(value, algorithm.n);
    while (rest.p) {
        skep_str v = skep_str_trim(skep_str_cut(&rest, ','));
        skep_str name = skep_str_cut(&v, '=');
        if (!v.p)
            continue;
        if (skep_str_eq(name, SKEP_STR("Credential")))
            *ret_credential = v;
        else if (skep_str_eq(name, SKEP_STR("SignedHeaders")))
            ret->signed_headers = v;
        else if (skep_str_eq(name, SKEP_STR("Signature")))
            ret->signature = v;
    }
}

static skep_rc read_presigned(struct skep_arena *arena, skep_str target, skep_str *ret_credential,
                              struct skep_sigv4 *ret, skep_err *err)
{
    uint64_t expires = 0;
    unsigned seen = 0; /* bit i: known[i] came */
    struct param p;
    skep_str query = query_of(target);
    skep_str expires_text = SKEP_STR(""), used = SKEP_STR("");
    while (next_param(arena, &query, &p)) {
        const struct {
            skep_str name;
            skep_str *to;
        } known[] = {{SKEP_STR("X-Amz-Algorithm"), &used},
                     {SKEP_STR("X-Amz-Credential"), ret_credential},
                     {SKEP_STR("X-Amz-Date"), &ret->at},
                     {SKEP_STR("X-Amz-SignedHeaders"), &ret->signed_headers},
                     {SKEP_STR("X-Amz-Expires"), &expires_text},
                     {SKEP_STR("X-Amz-Content-Sha256"), &ret->payload},
                     {SKEP_STR("X-Amz-Signature"), &ret->signature}};
        for (unsigned i = 0; i < SKEP_ARRAY_LEN(known); i++) {
            if (!skep_str_eq(p.name, known[i].name))
                continue;
            if (seen & (1u << i)) /* which one would count is anyone's guess */
                return skep_fail(err, SKEP_EMALFORMED, SKEP_STRFMT " is given twice",
                                 SKEP_STRARG(known[i].name));
            seen |= 1u << i;
            *known[i].to = p.value;
        }
    }
    if (!skep_str_eq(used, algorithm))
        return skep_fail(err, SKEP_EMALFORMED, "X-Amz-Algorithm must be AWS4-HMAC-SHA256");
    if (!skep_str_u64(expires_text, &expires) || expires > SKEP_SIGV4_EXPIRES_MAX_S)
        return skep_fail(err, SKEP_EMALFORMED,
                         "X-Amz-Expires must be a number of seconds, 604800 (a week) at most");
    ret->expires_s = (int64_t)expires;
    return SKEP_OK;
}

static skep_rc read_parts(struct skep_arena *arena, const struct skep_sigv4_request *rq,
                          skep_str *ret_credential, struct skep_sigv4 *ret, skep_err *err)
{
    skep_str authorization = header(rq, SKEP_STR("authorization"));
    ret->presigned = !is_aws(authorization);
    if (ret->presigned)
        return read_presigned(arena, rq->target, ret_credential, ret, err);
    if (!skep_str_starts(authorization, algorithm) || authorization.n == algorithm.n ||
        authorization.p[algorithm.n] != ' ')
        return skep_fail(err, SKEP_EMALFORMED, "Authorization must begin with AWS4-HMAC-SHA256");
    read_authorization(authorization, ret_credential, ret);
    ret->at = header(rq, SKEP_STR("x-amz-date"));
    ret->payload = header(rq, SKEP_STR("x-amz-content-sha256"));
    return SKEP_OK;
}

/* I2 */
static bool names_ascend(skep_str names)
{
    skep_str before = SKEP_STR("");
    for (unsigned n = 0; names.p; n++) {
        skep_str name = skep_str_cut(&names, ';');
        if (name.n == 0 || n == SKEP_SIGV4_HEADERS_MAX || skep_str_cmp(before, name) >= 0)
            return false;
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] >= 'A' && name.p[i] <= 'Z')
                return false;
        before = name;
    }
    return true;
}

skep_rc skep_sigv4_read(struct skep_arena *arena, const struct skep_sigv4_request *rq,
                        struct skep_sigv4 *ret, skep_err *err)
{
    struct skep_sigv4 s = {.at_s = 0};
    skep_str credential = SKEP_STR("");
    skep_assert(rq->header != NULL);
    SKEP_TRY(read_parts(arena, rq, &credential, &s, err));
    if (!credential.n)
        return skep_fail(err, SKEP_EMALFORMED,
                         "Authorization header requires 'Credential' parameter.");
    if (!s.signature.n)
        return skep_fail(err, SKEP_EMALFORMED,
                         "Authorization header requires 'Signature' parameter.");
    if (!s.signed_headers.n)
        return skep_fail(err, SKEP_EMALFORMED,
                         "Authorization header requires 'SignedHeaders' parameter.");
    if (!s.at.n)
        return skep_fail(err, SKEP_EMALFORMED,
                         "Authorization header requires existence of an 'X-Amz-Date' header.");
    if (!read_credential(credential, &s))
        return skep_fail(err, SKEP_EMALFORMED,
                         "Credential must be KEY/YYYYMMDD/REGION/SERVICE/aws4_request");
    if (!is_hex(s.signature))
        return skep_fail(err, SKEP_EMALFORMED, "Signature must be 64 hex digits");
    if (!read_time(s.at, &s.at_s))
        return skep_fail(err, SKEP_EMALFORMED,
                         "Date must be in ISO-8601 'basic format': YYYYMMDDThhmmssZ");
    if (memcmp(s.day.p, s.at.p, s.day.n) != 0)
        return skep_fail(
            err, SKEP_EMALFORMED,
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
            "date from HTTP");
    if (!names_ascend(s.signed_headers))
        return skep_fail(err, SKEP_EMALFORMED,
                         "SignedHeaders must be names in lower case, in ascending order");
    bool unsigned_payload = skep_str_eq(s.payload, SKEP_STR("UNSIGNED-PAYLOAD"));
    if (s.payload.n && !unsigned_payload && !is_hex(s.payload))
        return skep_fail(err, SKEP_EMALFORMED,
                         "x-amz-content-sha256 must be UNSIGNED-PAYLOAD or 64 hex digits");
    *ret = s;
    return SKEP_OK;
}

skep_str skep_sigv4_access_key(struct skep_arena *arena, const struct skep_sigv4_request *rq)
{
    struct skep_sigv4 s = {.at_s = 0};
    skep_str credential = SKEP_STR("");
    skep_str authorization = header(rq, SKEP_STR("authorization"));
    if (is_aws(authorization) && authorization.n > algorithm.n)
        read_authorization(authorization, &credential, &s);
    else if (!is_aws(authorization))
        credential = param(arena, rq->target, SKEP_STR("X-Amz-Credential"));
    return credential.p ? skep_str_cut(&credential, '/') : SKEP_STR("");
}

/* --- the canonical request -----------------------------------------------------------------------
 */

/* Dot segments are resolved, empty ones fall out; a slash at the end stays. */
static void put_path(struct skep_arena *arena, struct skep_buf *out, skep_str path)
{
    size_t n = 0;
    skep_str rest = path;
    skep_str *segs = skep_new_n(arena, skep_str, path.n + 1);
    while (rest.p) {
        skep_str seg = skep_str_cut(&rest, '/');
        if (skep_str_eq(seg, SKEP_STR("..")))
            n -= n > 0;
        else if (seg.n && !skep_str_eq(seg, SKEP_STR(".")))
            segs[n++] = seg;
    }
    for (size_t i = 0; i < n; i++) {
        skep_buf_u8(out, '/');
        put_escaped(out, segs[i], false);
    }
    if (n == 0 || path.p[path.n - 1] == '/')
        skep_buf_u8(out, '/');
}

static int by_name_and_value(const void *a, const void *b)
{
    const struct param *x = a, *y = b;
    int order = skep_str_cmp(x->name, y->name);
    return order ? order : skep_str_cmp(x->value, y->value);
}

static skep_str escaped(struct skep_arena *arena, skep_str s)
{
    struct skep_buf b;
    skep_buf_init(&b, canonical_limit_bytes);
    put_escaped(&b, s, false);
    skep_str copy = skep_arena_str(arena, skep_buf_text(&b));
    skep_buf_done(&b);
    return copy;
}

static skep_rc put_query(struct skep_arena *arena, struct skep_buf *out, skep_str query,
                         skep_err *err)
{
    size_t n = 0;
    struct param *params = skep_new_n(arena, struct param, SKEP_SIGV4_PARAMS_MAX + 1);
    while (n <= SKEP_SIGV4_PARAMS_MAX && next_param(arena, &query, &params[n])) {
        if (skep_str_eq(params[n].name, SKEP_STR("X-Amz-Signature")))
            continue;
        params[n].name = escaped(arena, params[n].name);
        params[n].value = escaped(arena, params[n].value);
        n++;
    }
    if (n > SKEP_SIGV4_PARAMS_MAX)
        return skep_fail(err, SKEP_EMALFORMED, "more than %d query parameters",
                         SKEP_SIGV4_PARAMS_MAX);
    qsort(params, n, sizeof *params, by_name_and_value);
    for (size_t i = 0; i < n; i++) {
        if (i)
            skep_buf_u8(out, '&');
        skep_buf_str(out, params[i].name);
        skep_buf_u8(out, '=');
        skep_buf_str(out, params[i].value);
    }
    return SKEP_OK;
}

static void put_value(struct skep_buf *out, skep_str v)
{
    bool blank = false;
    v = skep_str_trim(v);
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == ' ' && blank)
            continue;
        blank = v.p[i] == ' ';
        skep_buf_u8(out, (uint8_t)v.p[i]);
    }
}

static skep_rc put_headers(struct skep_buf *out, const struct skep_sigv4 *s,
                           const struct skep_sigv4_request *rq, skep_err *err)
{
    skep_str names = s->signed_headers;
    while (names.p) {
        skep_str v;
        skep_str name = skep_str_cut(&names, ';');
        skep_buf_str(out, name);
        skep_buf_u8(out, ':');
        unsigned i = 0;
        for (; rq->header(rq->ctx, name, i, &v); i++) {
            if (i)
                skep_buf_u8(out, ',');
            put_value(out, v);
        }
        if (i == 0)
            return skep_fail(err, SKEP_EMALFORMED,
                             "'" SKEP_STRFMT "' is named in SignedHeaders and did not come",
                             (int)SKEP_MIN(name.n, (size_t)60), name.p);
        skep_buf_u8(out, '\n');
    }
    return SKEP_OK;
}

static bool is_signed(const struct skep_sigv4 *s, skep_str name)
{
    skep_str names = s->signed_headers;
    while (names.p)
        if (skep_str_eq(skep_str_cut(&names, ';'), name))
            return true;
    return false;
}

/* I1 */
static skep_rc check_covered(const struct skep_sigv4 *s, const struct skep_sigv4_request *rq,
                             skep_err *err)
{
    static const skep_str must[] = {SKEP_STR_INIT("host"), SKEP_STR_INIT("x-amz-date"),
                                    SKEP_STR_INIT("x-amz-target")};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(must); i++) {
        bool date_in_query = s->presigned && i == 1;
        bool needed = i == 0 || (header(rq, must[i]).p && !date_in_query);
        if (needed && !is_signed(s, must[i]))
            return skep_fail(err, SKEP_EMALFORMED,
                             "'" SKEP_STRFMT "' must be a 'SignedHeader' in the AWS Authorization.",
                             SKEP_STRARG(must[i]));
    }
    return SKEP_OK;
}

static skep_rc put_canonical(struct skep_arena *arena, struct skep_buf *out,
                             const struct skep_sigv4 *s, const struct skep_sigv4_request *rq,
                             skep_str payload, skep_err *err)
{
    skep_str path = rq->target;
    path = skep_str_cut(&path, '?');
    skep_buf_str(out, rq->method);
    skep_buf_u8(out, '\n');
    put_path(arena, out, path);
    skep_buf_u8(out, '\n');
    SKEP_TRY(put_query(arena, out, query_of(rq->target), err));
    skep_buf_u8(out, '\n');
    SKEP_TRY(put_headers(out, s, rq, err));
    skep_buf_u8(out, '\n');
    skep_buf_str(out, s->signed_headers);
    skep_buf_u8(out, '\n');
    skep_buf_str(out, payload);
    if (out->bad)
        return skep_fail(err, SKEP_EMALFORMED, "the canonical request is too long");
    return SKEP_OK;
}

/* --- the signature -------------------------------------------------------------------------------
 */

static struct hmac hmac(skep_bytes key, skep_str text)
{
    struct hmac out;
    crypto_auth_hmacsha256_state st;
    (void)crypto_auth_hmacsha256_init(&st, key.p, key.n); /* all three: always 0 */
    (void)crypto_auth_hmacsha256_update(&st, (const uint8_t *)(text.n ? text.p : ""), text.n);
    (void)crypto_auth_hmacsha256_final(&st, out.b);
    sodium_memzero(&st, sizeof st);
    return out;
}

static struct hmac signing_key(const struct skep_sigv4 *s, skep_str secret)
{
    uint8_t first[4 + 256] = "AWS4";
    skep_assert(secret.n <= sizeof first - 4);
    memcpy(first + 4, secret.p, secret.n);
    struct hmac k = hmac((skep_bytes){first, 4 + secret.n}, s->day);
    k = hmac((skep_bytes){k.b, sizeof k.b}, s->region);
    k = hmac((skep_bytes){k.b, sizeof k.b}, s->service);
    k = hmac((skep_bytes){k.b, sizeof k.b}, SKEP_STR("aws4_request"));
    sodium_memzero(first, sizeof first);
    return k;
}

skep_rc skep_sigv4_sign(struct skep_arena *arena, const struct skep_sigv4 *s,
                        const struct skep_sigv4_request *rq, skep_str payload, skep_str secret,
                        char ret[SKEP_SIGV4_HEX_BYTES], skep_err *err)
{
    struct skep_buf canonical;
    char hash[SKEP_SIGV4_HEX_BYTES];
    skep_assert(payload.n > 0 && secret.n > 0);
    SKEP_TRY(check_covered(s, rq, err));
    skep_buf_init(&canonical, canonical_limit_bytes);
    skep_rc rc = put_canonical(arena, &canonical, s, rq, payload, err);
    if (rc == SKEP_OK)
        skep_sigv4_hash(skep_buf_bytes(&canonical), hash);
    skep_buf_done(&canonical);
    if (rc != SKEP_OK)
        return rc;
    skep_str text =
        skep_arena_printf(arena,
                          SKEP_STRFMT "\n" SKEP_STRFMT "\n" SKEP_STRFMT "/" SKEP_STRFMT
                                      "/" SKEP_STRFMT "/aws4_request\n%.64s",
                          SKEP_STRARG(algorithm), SKEP_STRARG(s->at), SKEP_STRARG(s->day),
                          SKEP_STRARG(s->region), SKEP_STRARG(s->service), hash);
    struct hmac key = signing_key(s, secret);
    struct hmac signature = hmac((skep_bytes){key.b, sizeof key.b}, text);
    skep_hex_encode((skep_bytes){signature.b, sizeof signature.b}, ret);
    sodium_memzero(&key, sizeof key);
    return SKEP_OK;
}
