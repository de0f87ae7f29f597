// SPDX-License-Identifier: Apache-2.0
/*
 * sigv4.c - AWS Signature Version 4
 *
 *   canonical  METHOD \n path \n query \n (name:value \n)* \n names \n hex(hash of the body)
 *   to sign    AWS4-HMAC-SHA256 \n date \n scope \n hex(hash of canonical)
 *   scope      YYYYMMDD/region/service/aws4_request
 *   key        HMAC chain: "AWS4" secret, YYYYMMDD, region, service, "aws4_request"
 *
 * Threads: no state.
 */
#include "sigv4.h"

#include <stdio.h>
#include <time.h>

enum { TO_SIGN_MAX = 512, SECRET_MAX = 256 };

void waggle__aws_date(uint64_t seconds, char ret[17])
{
    time_t t = (time_t)seconds;
    struct tm tm;
    ret[0] = '\0';
    if (gmtime_r(&t, &tm) != NULL)
        (void)strftime(ret, 17, "%Y%m%dT%H%M%SZ", &tm); // "" for a year of five digits
}

static void hash_str(struct waggle__sha256 *h, const char *s)
{
    waggle__sha256_put(h, s, strlen(s));
}

/* A header's value as it is signed: without blanks at its ends, runs of them as one. */
static void hash_value(struct waggle__sha256 *h, const char *s)
{
    size_t n = strlen(s);
    while (n > 0 && s[n - 1] == ' ')
        n--;
    size_t i = 0;
    while (i < n && s[i] == ' ')
        i++;
    for (; i < n; i++)
        if (s[i] != ' ' || s[i - 1] != ' ')
            waggle__sha256_put(h, s + i, 1);
}

static void hash_names(struct waggle__sha256 *h, const struct waggle__aws_request *r)
{
    for (size_t i = 0; i < r->n_headers; i++) {
        hash_str(h, i > 0 ? ";" : "");
        hash_str(h, r->headers[i].name);
    }
}

static void canonical_hash(const struct waggle__aws_request *r, char ret[65])
{
    struct waggle__sha256 h;
    uint8_t hash[WAGGLE__SHA256_BYTES];
    waggle__sha256_init(&h);
    const char *const lines[] = {r->method, r->path, r->query};
    for (size_t i = 0; i < WAGGLE__COUNT(lines); i++) {
        hash_str(&h, lines[i]);
        hash_str(&h, "\n");
    }
    for (size_t i = 0; i < r->n_headers; i++) {
        hash_str(&h, r->headers[i].name);
        hash_str(&h, ":");
        hash_value(&h, r->headers[i].value);
        hash_str(&h, "\n");
    }
    hash_str(&h, "\n");
    hash_names(&h, r);
    hash_str(&h, "\n");
    waggle__sha256_hex(r->body_hash, ret);
    hash_str(&h, ret);
    waggle__sha256_end(&h, hash);
    waggle__sha256_hex(hash, ret);
}

static void signing_key(const struct waggle__aws_key *key, const char *day, uint8_t ret[32])
{
    char secret[SECRET_MAX];
    const char *const chain[] = {key->region, key->service, "aws4_request"};
    int n = snprintf(secret, sizeof secret, "AWS4%s", key->secret);
    waggle__hmac_sha256(secret, n > 0 ? WAGGLE__MIN((size_t)n, sizeof secret - 1) : 0, day, 8, ret);
    for (size_t i = 0; i < WAGGLE__COUNT(chain); i++)
        waggle__hmac_sha256(ret, WAGGLE__SHA256_BYTES, chain[i], strlen(chain[i]), ret);
}

void waggle__aws_sign(struct waggle__buf *out, const struct waggle__aws_key *key,
                      const struct waggle__aws_request *r)
{
    char canonical[65];
    char signature[65];
    char scope[160];
    char to_sign[TO_SIGN_MAX];
    uint8_t hash[WAGGLE__SHA256_BYTES];
    canonical_hash(r, canonical);
    (void)snprintf(scope, sizeof scope, "%.8s/%s/%s/aws4_request", r->date, key->region,
                   key->service); // cut: a signature that is refused
    int n = snprintf(to_sign, sizeof to_sign, "AWS4-HMAC-SHA256\n%s\n%s\n%s", r->date, scope,
                     canonical);
    signing_key(key, r->date, hash);
    waggle__hmac_sha256(hash, sizeof hash, to_sign,
                        n > 0 ? WAGGLE__MIN((size_t)n, sizeof to_sign - 1) : 0, hash);
    waggle__sha256_hex(hash, signature);
    waggle__buf_printf(out, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=", key->id, scope);
    for (size_t i = 0; i < r->n_headers; i++) {
        waggle__buf_str(out, i > 0 ? ";" : "");
        waggle__buf_str(out, r->headers[i].name);
    }
    waggle__buf_printf(out, ", Signature=%s", signature);
}
