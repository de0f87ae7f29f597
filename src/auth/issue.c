// SPDX-License-Identifier: Apache-2.0
/* Making keys and environments; names of rights.
 *
 *   id      hcxik_ | hcxlk_ | hcxmk_ and 26 of 32 letters     ingest alone | with query |
 * administers token   id and 32 more letters (160 random bits)         64 characters: no Classic
 * key to any SDK AWS     AKIASKEP and 12 of A-Z2-7; secret of 40 letters and digits Rollbar 32 hex
 * digits
 *
 * The parts are drawn apart, so that one says nothing of another.
 *
 * I1  a secret is drawn from os->random, shown to the caller, kept hashed or sealed, and wiped
 * here. Threads: any.  Memory: the stack. */
#include <sodium.h>

#include "auth/auth_priv.h"
#include "base/assert.h"

enum { ID_LETTERS = 26, SECRET_LETTERS = 32, NAME_MAX_BYTES = 100 };

void skep_auth__draw(const struct skep_os *os, skep_str alphabet, char *out, size_t n)
{
    uint8_t random[64];
    skep_assert(alphabet.n <= 64);
    for (size_t i = 0; i < n;) {
        os->random(os, random, sizeof random);
        for (size_t k = 0; k < sizeof random && i < n; k++) {
            uint8_t v = random[k] & 63;
            if (v < alphabet.n)
                out[i++] = alphabet.p[v];
        }
    }
    out[n] = '\0';
    sodium_memzero(random, sizeof random);
}

static void draw_all(const struct skep_os *os, unsigned rights, struct skep_issued *ret)
{
    static const skep_str crockford = SKEP_STR_INIT("0123456789abcdefghjkmnpqrstvwxyz");
    static const skep_str base32 = SKEP_STR_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    static const skep_str alnum =
        SKEP_STR_INIT("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
    char kind = (rights & SKEP_RIGHT_ADMIN) ? 'm' : (rights & SKEP_RIGHT_QUERY) ? 'l' : 'i';
    memcpy(ret->id, "hcx_k_", 6);
    ret->id[3] = kind;
    skep_auth__draw(os, crockford, ret->id + 6, ID_LETTERS);
    memcpy(ret->token, ret->id, 32);
    skep_auth__draw(os, crockford, ret->token + 32, SECRET_LETTERS);
    memcpy(ret->access_key, "AKIASKEP", 8);
    skep_auth__draw(os, base32, ret->access_key + 8, 12);
    skep_auth__draw(os, alnum, ret->aws_secret, SKEP_AUTH__AWS_SECRET_BYTES);
    skep_auth__draw(os, SKEP_STR("0123456789abcdef"), ret->rollbar, 32);
}

skep_rc skep_auth_check_name(skep_str s, skep_err *err)
{
    bool ok = s.n > 0 && s.n <= NAME_MAX_BYTES && skep_utf8_valid(s);
    for (size_t i = 0; i < s.n; i++)
        ok = ok && (unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f;
    if (!ok)
        return skep_fail(err, SKEP_EINVAL, "a name has 1 to %d bytes and no control characters",
                         NAME_MAX_BYTES);
    return SKEP_OK;
}

static skep_rc check(const struct skep_os *os, const struct skep_issue *what, skep_err *err)
{
    SKEP_TRY(skep_auth_check_name(what->name, err));
    if (what->rights == 0 || (what->rights & ~(unsigned)SKEP_RIGHT_ALL))
        return skep_fail(err, SKEP_EINVAL, "rights are any of ingest, query and admin");
    if (what->environment.n == 0 && what->rights == SKEP_RIGHT_INGEST)
        return skep_fail(
            err, SKEP_EINVAL,
            "a key of all environments is one that queries or administers; say which environment");
    if (what->expires_ns && what->expires_ns <= os->now_ns(os))
        return skep_fail(err, SKEP_EINVAL, "the key would have expired already");
    const struct skep_key_limits *l = &what->limits;
    const uint64_t max = (uint64_t)INT64_MAX;
    if (l->events_per_minute > max || l->bytes_per_minute > max || l->events_per_day > max ||
        l->bytes_per_day > max)
        return skep_fail(err, SKEP_EINVAL, "a limit is too large");
    return SKEP_OK;
}

static skep_rc keep(const struct skep_os *os, struct skep_state *state,
                    const struct skep_auth__seal *seal, const struct skep_issue *what,
                    const struct skep_issued *k, skep_err *err)
{
    uint8_t token_hash[SKEP_STATE_HASH_BYTES], rollbar_hash[SKEP_STATE_HASH_BYTES];
    uint8_t sealed[SKEP_STATE_SEALED_MAX_BYTES];
    skep_auth__hash(SKEP_AUTH__TOKEN, skep_str_c(k->token), token_hash);
    skep_auth__hash(SKEP_AUTH__ROLLBAR, skep_str_c(k->rollbar), rollbar_hash);
    size_t n = skep_auth__seal(os, seal, skep_str_c(k->aws_secret), sealed);
    const struct skep_state_key row = {.id = skep_str_c(k->id),
                                       .name = what->name,
                                       .environment = what->environment,
                                       .rights = what->rights,
                                       .token_hash = {token_hash, sizeof token_hash},
                                       .rollbar_hash = {rollbar_hash, sizeof rollbar_hash},
                                       .access_key = skep_str_c(k->access_key),
                                       .sealed = {sealed, n},
                                       .created_ns = os->now_ns(os),
                                       .expires_ns = what->expires_ns,
                                       .limits = what->limits};
    return skep_state_put_key(state, &row, err);
}

skep_rc skep_auth_issue(const struct skep_os *os, struct skep_state *state, const char *key_file,
                        const struct skep_issue *what, struct skep_issued *ret, skep_err *err)
{
    struct skep_auth__seal *seal = NULL;
    SKEP_TRY(check(os, what, err));
    SKEP_TRY(skep_auth__seal_open(os, key_file, true, &seal, err));
    draw_all(os, what->rights, ret);
    skep_rc rc = keep(os, state, seal, what, ret, err);
    skep_auth__seal_free(seal);
    if (rc != SKEP_OK)
        skep_issued_wipe(ret);
    return rc;
}

void skep_issued_wipe(struct skep_issued *i)
{
    sodium_memzero(i, sizeof *i);
}

skep_rc skep_auth_environment(const struct skep_os *os, struct skep_state *state, skep_str name,
                              skep_str description, skep_str color, struct skep_arena *arena,
                              struct skep_state_environment *ret, skep_err *err)
{
    char id[33] = "hcxen_";
    SKEP_TRY(skep_auth_check_name(name, err));
    skep_str slug = skep_state_slug(arena, name);
    if (slug.p[0] == '_' || slug.p[0] == '-' || slug.p[0] == '.')
        return skep_fail(err, SKEP_EINVAL, "the name must begin with a letter or a digit");
    if (description.n > 1023 || !skep_utf8_valid(description) || color.n > 40 ||
        !skep_utf8_valid(color))
        return skep_fail(err, SKEP_EINVAL, "description or color is too long, or no UTF-8");
    if (sodium_init() < 0)
        return skep_fail(err, SKEP_EIO, "libsodium finds no randomness");
    skep_auth__draw(os, SKEP_STR("0123456789abcdefghjkmnpqrstvwxyz"), id + 6, ID_LETTERS);
    *ret = (struct skep_state_environment){.id = skep_arena_str(arena, skep_str_c(id)),
                                           .slug = slug,
                                           .name = skep_arena_str(arena, name),
                                           .description = skep_arena_str(arena, description),
                                           .color = skep_arena_str(arena, color),
                                           .created_ns = os->now_ns(os)};
    return skep_state_put_environment(state, ret, err);
}

/* --- names
 * ----------------------------------------------------------------------------------------- */

static const struct {
    unsigned right;
    skep_str name;
} rights_names[] = {{SKEP_RIGHT_INGEST, SKEP_STR_INIT("ingest")},
                    {SKEP_RIGHT_QUERY, SKEP_STR_INIT("query")},
                    {SKEP_RIGHT_ADMIN, SKEP_STR_INIT("admin")}};

skep_str skep_rights_text(struct skep_arena *arena, unsigned rights)
{
    skep_str text = SKEP_STR("");
    for (size_t i = 0; i < SKEP_ARRAY_LEN(rights_names); i++)
        if (rights & rights_names[i].right)
            text = skep_arena_printf(arena, SKEP_STRFMT "%s" SKEP_STRFMT, SKEP_STRARG(text),
                                     text.n ? "," : "", SKEP_STRARG(rights_names[i].name));
    return text;
}

bool skep_rights_parse(skep_str s, unsigned *ret)
{
    unsigned rights = 0;
    while (s.p) {
        unsigned one = 0;
        skep_str name = skep_str_trim(skep_str_cut(&s, ','));
        for (size_t i = 0; i < SKEP_ARRAY_LEN(rights_names); i++)
            if (skep_str_eq(rights_names[i].name, name))
                one = rights_names[i].right;
        if (!one)
            return false;
        rights |= one;
    }
    *ret = rights;
    return rights != 0;
}

const char *skep_denied_name(enum skep_denied why)
{
    static const char *const names[SKEP_DENIED_COUNT] = {
        "no",        "missing", "malformed", "unknown",     "revoked",        "expired",
        "signature", "clock",   "right",     "environment", "no_environment", "rate",
    };
    skep_assert(why < SKEP_DENIED_COUNT);
    return names[why];
}
