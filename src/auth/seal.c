// SPDX-License-Identifier: Apache-2.0
/* The key file and what is made with it; hashes of tokens.
 *
 *   DIR/key = "skep-key-1 " + 64 hex digits + "\n", mode 0600       made at first need, never
 * changed sealed  = nonce (24 bytes) | crypto_secretbox of the secret hash    = BLAKE2b-256(token),
 * keyed with a label of its kind
 *
 * A token has 160 random bits, so a fast hash is enough: there is nothing to guess.
 *
 * I1  the key lies in memory of sodium_malloc: locked, not in core dumps, read-only once it is set.
 * I2  two processes that need a key at once get the same: O_EXCL decides, the loser reads.
 * Threads: any.  Memory: one guarded page. */
#include <sodium.h>

#include "auth/auth_priv.h"
#include "base/assert.h"
#include "base/mem.h"

static const skep_str magic = SKEP_STR_INIT("skep-key-1 ");
enum { FILE_BYTES = 11 + 64 + 1 };

struct skep_auth__seal {
    uint8_t *key; /* sodium_malloc */
};

static struct skep_auth__seal *seal_of(const char text[FILE_BYTES])
{
    struct skep_auth__seal *s = skep_alloc(struct skep_auth__seal);
    s->key = sodium_malloc(SKEP_AUTH__SEAL_KEY_BYTES);
    skep_assert(s->key != NULL);
    bool hex = skep_str_starts((skep_str){text, FILE_BYTES}, magic) &&
               text[FILE_BYTES - 1] == '\n' &&
               skep_hex_decode((skep_str){text + magic.n, 64}, s->key, SKEP_AUTH__SEAL_KEY_BYTES);
    if (!hex) {
        skep_auth__seal_free(s);
        return NULL;
    }
    (void)sodium_mprotect_readonly(s->key); /* a safeguard: works without, too */
    return s;
}

static skep_rc read_file(const struct skep_os *os, const char *path, struct skep_auth__seal **ret,
                         skep_err *err)
{
    int fd;
    char text[FILE_BYTES];
    struct skep_os_stat st;
    SKEP_TRY(os->open(os, path, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = os->fstat(os, fd, &st, err);
    if (rc == SKEP_OK && st.size_bytes != FILE_BYTES)
        rc = skep_fail(err, SKEP_ECORRUPT, "%s is no key file of skep", path);
    if (rc == SKEP_OK)
        rc = os->pread(os, fd, text, sizeof text, 0, err);
    os->close(os, fd);
    if (rc == SKEP_OK) {
        *ret = seal_of(text);
        if (!*ret)
            rc = skep_fail(err, SKEP_ECORRUPT, "%s is no key file of skep", path);
    }
    sodium_memzero(text, sizeof text);
    return rc;
}

/* "DIR/key" -> "DIR", for its fsync. */
static skep_rc sync_folder(const struct skep_os *os, const char *path, skep_err *err)
{
    int fd;
    struct skep_arena arena;
    skep_str dir = skep_str_c(path);
    skep_arena_init(&arena, "key file", NULL);
    while (dir.n && dir.p[dir.n - 1] != '/')
        dir.n--;
    dir = dir.n ? (skep_str){dir.p, dir.n - 1} : SKEP_STR(".");
    skep_rc rc =
        os->open(os, skep_cstr(&arena, dir.n ? dir : SKEP_STR("/")), SKEP_OPEN_DIR, &fd, err);
    if (rc == SKEP_OK) {
        rc = os->fsync(os, fd, err);
        os->close(os, fd);
    }
    skep_arena_done(&arena);
    return rc;
}

/* Written aside and renamed would lose I2; so a cut file is removed again. */
static skep_rc make_file(const struct skep_os *os, const char *path, skep_err *err)
{
    int fd;
    uint8_t key[SKEP_AUTH__SEAL_KEY_BYTES];
    char text[FILE_BYTES];
    SKEP_TRY(os->open(os, path, SKEP_OPEN_WRITE | SKEP_OPEN_CREATE | SKEP_OPEN_EXCL, &fd, err));
    os->random(os, key, sizeof key);
    memcpy(text, magic.p, magic.n);
    skep_hex_encode((skep_bytes){key, sizeof key}, text + magic.n);
    text[FILE_BYTES - 1] = '\n';
    skep_rc rc = os->pwrite(os, fd, text, sizeof text, 0, err);
    if (rc == SKEP_OK)
        rc = os->fsync(os, fd, err);
    os->close(os, fd);
    sodium_memzero(key, sizeof key);
    sodium_memzero(text, sizeof text);
    if (rc == SKEP_OK)
        return sync_folder(os, path, err);
    (void)os->unlink(os, path, NULL); /* the first error is the one to report */
    return rc;
}

skep_rc skep_auth__seal_open(const struct skep_os *os, const char *path, bool make,
                             struct skep_auth__seal **ret, skep_err *err)
{
    struct skep_os_stat st;
    *ret = NULL;
    if (sodium_init() < 0)
        return skep_fail(err, SKEP_EIO, "libsodium finds no randomness");
    skep_rc rc = os->stat(os, path, &st, err);
    if (rc == SKEP_ENOTFOUND && !make)
        return SKEP_OK;
    if (rc == SKEP_ENOTFOUND) {
        rc = make_file(os, path, err);
        if (rc == SKEP_EEXISTS)
            rc = SKEP_OK; /* I2 */
    }
    return rc == SKEP_OK ? read_file(os, path, ret, err) : rc;
}

void skep_auth__seal_free(struct skep_auth__seal *s)
{
    if (!s)
        return;
    sodium_free(s->key); // tidy: allow banned: sodium_malloc's
    skep_free(s);
}

size_t skep_auth__seal(const struct skep_os *os, const struct skep_auth__seal *s, skep_str secret,
                       uint8_t *out)
{
    size_t n = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + secret.n;
    skep_assert(n <= SKEP_STATE_SEALED_MAX_BYTES);
    os->random(os, out, crypto_secretbox_NONCEBYTES);
    int rc = crypto_secretbox_easy(out + crypto_secretbox_NONCEBYTES, (const uint8_t *)secret.p,
                                   secret.n, out, s->key);
    skep_assert(rc == 0);
    return n;
}

bool skep_auth__unseal(const struct skep_auth__seal *s, skep_bytes sealed,
                       char ret[SKEP_AUTH__AWS_SECRET_BYTES])
{
    const size_t head = crypto_secretbox_NONCEBYTES;
    return s && sealed.n == head + crypto_secretbox_MACBYTES + SKEP_AUTH__AWS_SECRET_BYTES &&
           crypto_secretbox_open_easy((uint8_t *)ret, sealed.p + head, sealed.n - head, sealed.p,
                                      s->key) == 0;
}

void skep_auth__hash(enum skep_auth__kind kind, skep_str token, uint8_t ret[SKEP_STATE_HASH_BYTES])
{
    static const skep_str labels[] = {[SKEP_AUTH__TOKEN] = SKEP_STR_INIT("skep key token 1"),
                                      [SKEP_AUTH__ROLLBAR] = SKEP_STR_INIT("skep key rollbar 1"),
                                      [SKEP_AUTH__SESSION] = SKEP_STR_INIT("skep session 1"),
                                      [SKEP_AUTH__LINK] = SKEP_STR_INIT("skep one-time link 1")};
    skep_assert(token.n <= SKEP_AUTH__TOKEN_MAX_BYTES);
    int rc =
        crypto_generichash(ret, SKEP_STATE_HASH_BYTES, (const uint8_t *)(token.n ? token.p : ""),
                           token.n, (const uint8_t *)labels[kind].p, labels[kind].n);
    skep_assert(rc == 0);
}

skep_rc skep_auth_derive(const struct skep_os *os, const char *key_file, skep_str label,
                         uint8_t ret[static 32], skep_err *err)
{
    struct skep_auth__seal *seal = NULL;
    SKEP_TRY(skep_auth__seal_open(os, key_file, true, &seal, err));
    int rc = crypto_generichash(ret, 32, (const uint8_t *)label.p, label.n, seal->key,
                                SKEP_AUTH__SEAL_KEY_BYTES);
    skep_assert(rc == 0); /* of sizes in range */
    skep_auth__seal_free(seal);
    return SKEP_OK;
}

enum { SECRET_MAX_BYTES = 4096 };

static skep_rc read_secret(const struct skep_os *os, const char *path, char *text, skep_err *err)
{
    int fd;
    struct skep_os_stat st;
    SKEP_TRY(os->open(os, path, SKEP_OPEN_READ, &fd, err));
    skep_rc rc = os->fstat(os, fd, &st, err);
    if (rc == SKEP_OK && st.size_bytes > SECRET_MAX_BYTES)
        rc = skep_fail(err, SKEP_EINVAL, "%s has more than %d bytes", path, SECRET_MAX_BYTES);
    if (rc == SKEP_OK && st.size_bytes)
        rc = os->pread(os, fd, text, (size_t)st.size_bytes, 0, err);
    os->close(os, fd);
    SKEP_TRY(rc);
    text[st.size_bytes] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return text[0] ? SKEP_OK : skep_fail(err, SKEP_EINVAL, "%s is empty", path);
}

skep_rc skep_auth_secret_file(const struct skep_os *os, const char *path, char **ret, skep_err *err)
{
    char *text = sodium_malloc(SECRET_MAX_BYTES + 1);
    skep_assert(text != NULL);
    skep_rc rc = read_secret(os, path, text, err);
    if (rc == SKEP_OK)
        *ret = text;
    else
        sodium_free(text); // tidy: allow banned: sodium_malloc's
    return rc;
}
