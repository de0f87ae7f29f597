// SPDX-License-Identifier: Apache-2.0
/* SigV4 against AWS' published vectors (the request and the signature it must have), against
 * requests that boto and the JavaScript SDK really sent, and with everything that may be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "wire/sigv4.h"

/* A request as text: "METHOD target\nname: value\n...\n\nbody". */
struct text {
    skep_str method, target, body;
    skep_str names[32], values[32];
    unsigned n;
};

static bool find(const void *ctx, skep_str name, unsigned i, skep_str *ret)
{
    const struct text *t = ctx;
    for (unsigned k = 0; k < t->n; k++) {
        if (!skep_str_ieq(t->names[k], name) || i-- > 0)
            continue;
        *ret = t->values[k];
        return true;
    }
    return false;
}

static void parse(const char *text, struct text *t)
{
    skep_str rest = skep_str_c(text);
    skep_str line = skep_str_cut(&rest, '\n');
    memset(t, 0, sizeof *t);
    t->method = skep_str_cut(&line, ' ');
    t->target = line; /* may hold blanks, as in the vector "get-space" */
    while (rest.p) {
        line = skep_str_cut(&rest, '\n');
        if (line.n == 0)
            break;
        assert_true(t->n < 32);
        t->names[t->n] = skep_str_cut(&line, ':');
        t->values[t->n++] = skep_str_trim(line);
    }
    t->body = rest.p ? rest : SKEP_STR("");
}

static const char aws_secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/* SKEP_OK when the request carries the signature it should. */
static skep_rc verify(const char *text, const char *secret, skep_err *err)
{
    struct text t;
    struct skep_arena arena;
    struct skep_sigv4 s;
    char want[SKEP_SIGV4_HEX_BYTES], hash[SKEP_SIGV4_HEX_BYTES];
    parse(text, &t);
    const struct skep_sigv4_request rq = {t.method, t.target, find, &t};
    skep_arena_init(&arena, "test", NULL);
    assert_true(skep_sigv4_present(&arena, &rq));
    skep_rc rc = skep_sigv4_read(&arena, &rq, &s, err);
    if (rc == SKEP_OK) {
        skep_sigv4_hash(skep_str_bytes(t.body), hash);
        skep_str payload = s.payload.n ? s.payload : (skep_str){hash, sizeof hash};
        if (s.payload.n == sizeof hash && !skep_sigv4_equal(s.payload, (skep_str){hash, 64}))
            rc = skep_fail(err, SKEP_EINVAL, "payload");
        else
            rc = skep_sigv4_sign(&arena, &s, &rq, payload, skep_str_c(secret), want, err);
    }
    if (rc == SKEP_OK && !skep_sigv4_equal(s.signature, (skep_str){want, sizeof want}))
        rc = skep_fail(err, SKEP_EINVAL, "not " SKEP_STRFMT " but %.64s", SKEP_STRARG(s.signature),
                       want);
    skep_arena_done(&arena);
    return rc;
}

#define HOST "Host:example.amazonaws.com\n"
#define DATE "X-Amz-Date:20150830T123600Z\n"
#define AUTH(headers, signature)                                                                   \
    "Authorization:AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"            \
    "aws4_request, SignedHeaders=" headers ", Signature=" signature "\n"
#define PLAIN(target, signature) "GET " target "\n" HOST AUTH("host;x-amz-date", signature) DATE
#define PRESIGNED(params, signature)                                                               \
    params "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1"  \
           "%2Fservice%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&"       \
           "X-Amz-Expires=3600&X-Amz-Signature=" signature "\n" HOST
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define VANILLA    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"

static void test_aws_vectors(void **state)
{
    static const char *const vectors[] = {
        PLAIN("/", VANILLA),
        PLAIN("/example1/example2/../..", VANILLA),
        PLAIN("//example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        PLAIN("/./example", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
        PLAIN("/example space/",
              "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
        PLAIN("/" UNRESERVED, "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        PLAIN("/\xe1\x88\xb4", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        PLAIN("/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
              "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"),
        PLAIN("/?\xe1\x88\xb4=bar",
              "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
        PLAIN("/?Param1=value1",
              "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
        PLAIN("/?Param2=value2&Param1=value1",
              "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        PLAIN("/?" UNRESERVED "=" UNRESERVED,
              "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
        "GET /\n" HOST "My-Header1: value1\nMy-Header2: \"a   b   c\"\n" AUTH(
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736") DATE,
        "GET /\n" HOST "My-Header1:value2\nMy-Header1:value2\nMy-Header1:value1\n" AUTH(
            "host;my-header1;x-amz-date",
            "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea") DATE,
        "GET /\n" HOST
        "My-Header1:value4\nMy-Header1:value1\nMy-Header1:value3\nMy-Header1:value2\n" AUTH(
            "host;my-header1;x-amz-date",
            "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01") DATE,
        "POST /\n" HOST AUTH("host;x-amz-date",
                             "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b")
            DATE,
        "POST /\n" HOST "My-Header1:VALUE1\n" AUTH(
            "host;my-header1;x-amz-date",
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d") DATE,
        "POST /\nContent-Type:application/x-www-form-urlencoded\n" HOST
        "Content-Length:13\nx-amz-content-sha256:"
        "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e\n" AUTH(
            "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b") DATE
        "\nParam1=value1",
        PRESIGNED("GET /?Param2=value2&Param1=value1&",
                  "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5"),
        PRESIGNED("GET /\xe1\x88\xb4?",
                  "10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44") DATE,
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(vectors); i++) {
        skep_err err = {.text = ""};
        if (verify(vectors[i], aws_secret, &err) != SKEP_OK)
            fail_msg("vector %zu: %s\n%s", i, err.text, vectors[i]);
        assert_int_not_equal(verify(vectors[i], "another", &err), SKEP_OK);
    }
}

/* As clients sent them. */
static void test_clients(void **state)
{
    static const char *const boto =
        "POST /\nContent-Type: application/x-amz-json-1.1\nHost: 127.0.0.1:18099\n"
        "X-Amz-Date: 20261120T171511Z\nX-Amz-Target: Logs_20140328.DescribeLogGroups\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/ca-central-1/logs/"
        "aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature="
        "d62ee2d1f87db8ff6ae190c80bc25c30c879812e650d1907060792d97a32cf98\n"
        "\n{\"logGroupNamePrefix\": \"cruddur\"}";
    static const char *const js =
        "POST /\nContent-Type: application/x-amz-json-1.1\nContent-Length: 20\n"
        "Host: 127.0.0.1:18096\nX-Amz-Date: 20261120T172409Z\n"
        "amz-sdk-invocation-id: 48fe7bb9-230c-44eb-b2aa-ae30066f09ce\n"
        "amz-sdk-request: attempt=1; max=3\nx-amz-content-sha256: "
        "87eeec2400caf4c9986ded70ae3674666ff43e81f9cdfd962079a74730603e25\n"
        "x-amz-user-agent: aws-sdk-js/3.1168.0\nX-Amz-Target: Logs_20140328.DescribeLogStreams\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=a/20261120/us-east-1/logs/aws4_request, "
        "SignedHeaders=amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;"
        "x-amz-content-sha256;x-amz-date;x-amz-target;x-amz-user-agent, Signature="
        "96296bdc60eb292b605b0a7734560b56b4ed17fde984c497b133ce56e0508da4\n"
        "\n{\"logGroupName\":\"g\"}";
    static const char *const xray =
        "POST /xr/GetGroup\ncontent-type: application/json\nhost: 127.0.0.1:23005\n"
        "x-amz-date: 20261120T171538Z\nauthorization: AWS4-HMAC-SHA256 Credential=A/20261120/"
        "us-east-1/xray/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature="
        "68e2f88ded2aaf1376e57e0b88b7317d17835372e660601e309ce89eca96c6c6\n"
        "\n{\"GroupName\": \"a\"}";
    skep_err err = {.text = ""};
    (void)state;
    if (verify(boto, "secret", &err) != SKEP_OK || verify(js, "b", &err) != SKEP_OK ||
        verify(xray, "SECRET", &err) != SKEP_OK)
        fail_msg("%s", err.text);
}

static void test_wrong(void **state)
{
    static const char *const malformed[][2] = {
        {"GET /\n" HOST DATE "Authorization:AWS4-HMAC-SHA256\n", "must begin"},
        {"GET /\n" HOST DATE "Authorization:AWS4-ECDSA Credential=a\n", "must begin"},
        {"GET /\n" HOST DATE "Authorization:AWS4-HMAC-SHA256 SignedHeaders=host, Signature=a\n",
         "'Credential'"},
        {"GET /\n" HOST DATE "Authorization:AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host\n",
         "'Signature'"},
        {"GET /\n" HOST DATE "Authorization:AWS4-HMAC-SHA256 Credential=a, Signature=a\n",
         "'SignedHeaders'"},
        {"GET /\n" HOST AUTH("host;x-amz-date", VANILLA), "'X-Amz-Date'"},
        {"GET /\n" HOST AUTH("host;x-amz-date", VANILLA) "X-Amz-Date:20150831T123600Z\n",
         "does not match YYYYMMDD"},
        {"GET /\n" HOST AUTH("host;x-amz-date", VANILLA) "X-Amz-Date:20151330T123600Z\n",
         "ISO-8601"},
        {"GET /\n" HOST AUTH("host;x-amz-date", "abc") DATE, "64 hex"},
        {"GET /\n" HOST AUTH("x-amz-date;host", VANILLA) DATE, "ascending"},
        {"GET /\n" HOST AUTH("Host;x-amz-date", VANILLA) DATE, "lower case"},
        {"GET /\n" HOST AUTH("host;;x-amz-date", VANILLA) DATE, "ascending"},
        {"GET /\n" HOST AUTH("x-amz-date", VANILLA) DATE, "'host' must be"},
        {"GET /\n" HOST AUTH("host", VANILLA) DATE, "'x-amz-date' must be"},
        {"GET /\n" HOST AUTH("host;x-amz-date", VANILLA) DATE "X-Amz-Target: Logs.X\n",
         "'x-amz-target' must be"},
        {"GET /\n" HOST AUTH("host;x-amz-date;x-more", VANILLA) DATE, "'x-more' is named"},
        {"GET /\n" HOST AUTH("host;x-amz-date", VANILLA) DATE
         "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\n",
         "UNSIGNED-PAYLOAD"},
        {"GET /\n" HOST DATE "Authorization:AWS4-HMAC-SHA256 Credential=a/20150830/r/aws4_request, "
         "SignedHeaders=host;x-amz-date, Signature=" VANILLA "\n",
         "KEY/YYYYMMDD"},
        {"GET /?X-Amz-Credential=a&X-Amz-Credential=b&X-Amz-Signature=a\n" HOST, "given twice"},
        {"GET /?X-Amz-Signature=" VANILLA "\n" HOST, "X-Amz-Algorithm"},
        {"GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=604801&X-Amz-Signature=a\n" HOST,
         "604800"},
    };
    static const char *const mismatch[] = {
        PLAIN("/other", VANILLA),
        "POST /\n" HOST AUTH("host;x-amz-date", VANILLA) DATE,
        "GET /\nHost:other\n" AUTH("host;x-amz-date", VANILLA) DATE,
        "GET /\n" HOST AUTH("host;x-amz-date", VANILLA) DATE "\nbody",
        "GET /\n" HOST AUTH("host;x-amz-date", VANILLA) DATE
        "x-amz-content-sha256:UNSIGNED-PAYLOAD\n",
    };
    (void)state;
    for (size_t i = 0; i < SKEP_ARRAY_LEN(malformed); i++) {
        skep_err err = {.text = ""};
        skep_rc rc = verify(malformed[i][0], aws_secret, &err);
        if (rc != SKEP_EMALFORMED || !strstr(err.text, malformed[i][1]))
            fail_msg("%s\nrc %d, \"%s\", not \"%s\"", malformed[i][0], rc, err.text,
                     malformed[i][1]);
    }
    for (size_t i = 0; i < SKEP_ARRAY_LEN(mismatch); i++) {
        skep_err err = {.text = ""};
        if (verify(mismatch[i], aws_secret, &err) != SKEP_EINVAL)
            fail_msg("%s\n%s", mismatch[i], err.text);
    }
}

static void test_access_key(void **state)
{
    static const char *const cases[][2] = {
        {PLAIN("/", VANILLA), "AKIDEXAMPLE"},
        {PRESIGNED("GET /?", VANILLA), "AKIDEXAMPLE"},
        {"GET /\n" HOST "Authorization:AWS4-HMAC-SHA256 Credential=test/x\n", "test"},
        {"GET /\n" HOST "Authorization:AWS4-HMAC-SHA256\n", ""},
        {"GET /\n" HOST "Authorization:Bearer x\n", ""},
        {"GET /\n" HOST, ""},
    };
    struct skep_arena arena;
    (void)state;
    skep_arena_init(&arena, "test", NULL);
    for (size_t i = 0; i < SKEP_ARRAY_LEN(cases); i++) {
        struct text t;
        parse(cases[i][0], &t);
        const struct skep_sigv4_request rq = {t.method, t.target, find, &t};
        skep_str key = skep_sigv4_access_key(&arena, &rq);
        if (!skep_str_eq(key, skep_str_c(cases[i][1])))
            fail_msg("%s: \"" SKEP_STRFMT "\"", cases[i][0], SKEP_STRARG(key));
    }
    skep_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aws_vectors),
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_access_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
