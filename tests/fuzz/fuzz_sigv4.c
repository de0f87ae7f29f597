// SPDX-License-Identifier: Apache-2.0
/* A signed request of any bytes: "METHOD target\nname: value\n...".  What is read is within its
 * bounds; what carries the signature that it should is let in again, and refused when one byte of
 * the signature differs. */
#include "base/assert.h"
#include "wire/sigv4.h"

struct text {
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

static void check(struct skep_arena *arena, const struct skep_sigv4_request *rq)
{
    static const skep_str hash =
        SKEP_STR_INIT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    char one[SKEP_SIGV4_HEX_BYTES], two[SKEP_SIGV4_HEX_BYTES];
    struct skep_sigv4 s;
    skep_err err = {.text = ""};
    skep_str key = skep_sigv4_access_key(arena, rq);
    bool present = skep_sigv4_present(arena, rq);
    if (skep_sigv4_read(arena, rq, &s, &err) != SKEP_OK) {
        skep_assert(err.text[0] != '\0');
        return;
    }
    skep_assert(present && s.signature.n == SKEP_SIGV4_HEX_BYTES && s.day.n == 8);
    skep_assert(skep_str_eq(key, s.access_key));
    skep_assert(s.expires_s >= 0 && s.expires_s <= SKEP_SIGV4_EXPIRES_MAX_S);
    skep_str payload = s.payload.n ? s.payload : hash;
    skep_rc rc = skep_sigv4_sign(arena, &s, rq, payload, SKEP_STR("secret"), one, &err);
    skep_assert(rc == skep_sigv4_sign(arena, &s, rq, payload, SKEP_STR("secret"), two, &err));
    if (rc != SKEP_OK)
        return;
    skep_assert(skep_sigv4_equal((skep_str){one, sizeof one}, (skep_str){two, sizeof two}));
    two[17] ^= 1;
    skep_assert(!skep_sigv4_equal((skep_str){one, sizeof one}, (skep_str){two, sizeof two}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct skep_arena arena;
    struct text t = {.n = 0};
    if (size > 1 << 16)
        return 0;
    skep_arena_init(&arena, "fuzz", NULL);
    skep_str rest = {(const char *)data, size};
    skep_str target = skep_str_cut(&rest, '\n');
    skep_str method = skep_str_cut(&target, ' ');
    while (rest.p && t.n < 32) {
        skep_str value = skep_str_cut(&rest, '\n');
        t.names[t.n] = skep_str_cut(&value, ':');
        t.values[t.n++] = value.p ? skep_str_trim(value) : SKEP_STR("");
    }
    const struct skep_sigv4_request rq = {method, target.p ? target : SKEP_STR("/"), find, &t};
    check(&arena, &rq);
    skep_arena_done(&arena);
    return 0;
}
