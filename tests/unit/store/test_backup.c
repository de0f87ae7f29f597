// SPDX-License-Identifier: Apache-2.0
/* Backups on a real file system: nothing acknowledged before one began is missing from it, while
 * commits, folds, flushes and merges go on; what is damaged is not restored as if it were whole. */
#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/column/backup_list.h"
#include "store/tools.h"
#include "support/store_client.h"

struct place {
    char root[64], rows[128], to[128], data[128];
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void place_init(struct place *p)
{
    (void)snprintf(p->root, sizeof p->root, "/tmp/skep-backup-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    (void)snprintf(p->rows, sizeof p->rows, "%s/rows", p->root);
    (void)snprintf(p->to, sizeof p->to, "%s/backups", p->root);
    (void)snprintf(p->data, sizeof p->data, "%s/restored", p->root);
}

static void place_done(struct place *p)
{
    (void)nftw(p->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct found {
    unsigned damages;
    char text[256];
};

static void on_found(void *ctx, const struct skep_finding *f)
{
    struct found *x = ctx;
    if (f->level != SKEP_FINDING_DAMAGE)
        return;
    if (x->damages++ == 0)
        (void)snprintf(x->text, sizeof x->text, SKEP_STRFMT ": " SKEP_STRFMT, SKEP_STRARG(f->file),
                       SKEP_STRARG(f->text));
}

static struct skep_backup_result backup(const struct place *p, const char *name, unsigned keep)
{
    struct found f = {0};
    const struct skep_tool t = {.os = skep_os_real(), .found = on_found, .ctx = &f};
    const struct skep_backup_opts opts = {.name = name, .keep = keep};
    struct skep_backup_result r = {0};
    skep_err err;
    if (skep_tool_backup(&t, p->rows, p->to, &opts, &r, &err) != SKEP_OK)
        fail_msg("backup: %s", err.text);
    if (f.damages)
        fail_msg("backup: %s", f.text);
    return r;
}

static skep_rc restore(const struct place *p, const char *at, struct found *f, skep_err *err)
{
    const struct skep_tool t = {.os = skep_os_real(), .found = on_found, .ctx = f};
    struct skep_backup_result r;
    *f = (struct found){0};
    return skep_tool_restore(&t, p->to, at, p->data, &r, err);
}

static struct skep_store *open_store(const char *dir, bool background, struct skep_pool *pool)
{
    const struct skep_column_config cfg = {.os = skep_os_real(),
                                           .dir = dir,
                                           .pool = pool,
                                           .flush_quiet_ns = 1000000,
                                           .part_limit_bytes = background ? 200 << 10 : 64 << 20,
                                           .wal_file_bytes = background ? 256 << 10 : 0,
                                           .no_background = !background};
    struct skep_store *s;
    skep_err err;
    if (skep_column_open(&cfg, &s, &err) != SKEP_OK)
        fail_msg("open: %s", err.text);
    return s;
}

/* --- under load --------------------------------------------------------------------------------
 */

enum { BATCH_ROWS = 50, BACKUPS = 5 };

struct load {
    struct skep_store *store;
    _Atomic uint64_t acked; /* batches 1 .. acked are acknowledged */
    _Atomic bool stop;
};

static void append_all(void *arg)
{
    struct load *l = arg;
    struct rnd rnd = {77};
    for (uint64_t i = 1; !atomic_load(&l->stop); i++) {
        struct skep_batch *b =
            random_batch(&rnd, BATCH_ROWS, 1790000000ll * 1000000000, (int64_t)(i * BATCH_ROWS));
        struct client_result r = client_append(l->store, b);
        if (r.rc != SKEP_OK)
            i--; /* refused for lack of room: its rows come with the next one of the number */
        else
            atomic_store(&l->acked, i);
    }
}

/* All of the batches up to `sure`, none twice, none in part. */
static void expect_batches(const char *rows, uint64_t sure)
{
    size_t n;
    struct skep_store *s = open_store(rows, false, NULL);
    int64_t *tags = client_tags(s, "tag", &n);
    assert_int_equal(n % BATCH_ROWS, 0);
    assert_true(n / BATCH_ROWS >= sure);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(tags[i], (int64_t)(i + BATCH_ROWS));
    skep_free(tags);
    s->ops->close(s);
}

static void test_under_load(void **state)
{
    (void)state;
    struct place p;
    struct load l = {.store = NULL};
    skep_thread thread;
    uint64_t sure[BACKUPS];
    place_init(&p);
    struct skep_pool *pool = skep_pool_new("test", 2);
    l.store = open_store(p.rows, true, pool);
    skep_thread_start(&thread, "load", append_all, &l);
    for (unsigned i = 0; i < BACKUPS; i++) {
        char name[16];
        uint64_t begin = atomic_load(&l.acked);
        while (atomic_load(&l.acked) < begin + 100)
            skep_sleep_ms(1);
        (void)snprintf(name, sizeof name, "b%u", i);
        sure[i] = atomic_load(&l.acked);
        struct skep_backup_result r = backup(&p, name, 0);
        assert_true(r.rows >= sure[i] * BATCH_ROWS);
    }
    atomic_store(&l.stop, true);
    skep_thread_join(&thread);
    struct skep_store_stats st;
    l.store->ops->stats(l.store, &st);
    assert_true(st.segments > 0 || st.merges > 0); /* there was something to be in the way of */
    l.store->ops->close(l.store);
    for (unsigned i = 0; i < BACKUPS; i++) {
        char name[16], rows[160];
        struct found f;
        skep_err err;
        (void)snprintf(name, sizeof name, "b%u", i);
        (void)snprintf(p.data, sizeof p.data, "%s/restored%u", p.root, i);
        if (restore(&p, name, &f, &err) != SKEP_OK)
            fail_msg("restore: %s", err.text);
        if (f.damages)
            fail_msg("%s: %s", name, f.text);
        (void)snprintf(rows, sizeof rows, "%s/rows", p.data);
        expect_batches(rows, sure[i]);
    }
    skep_pool_free(pool);
    place_done(&p);
}

/* --- a log file that is begun meanwhile ---------------------------------------------------------
 */

/* Before the second log file is copied, rows come until the file made ready is in use. */
static struct {
    skep_rc (*open)(const struct skep_os *, const char *, unsigned, int *, skep_err *);
    struct skep_store *store;
    struct rnd rnd;
    unsigned copies;
    uint64_t batches;
} meanwhile;

static void append_one(void)
{
    int64_t tag = (int64_t)(++meanwhile.batches * BATCH_ROWS);
    struct skep_batch *b = random_batch(&meanwhile.rnd, BATCH_ROWS, 1790000000ll * 1000000000, tag);
    assert_int_equal(client_append(meanwhile.store, b).rc, SKEP_OK);
}

static skep_rc open_meanwhile(const struct skep_os *os, const char *path, unsigned flags,
                              int *ret_fd, skep_err *err)
{
    if (skep_str_ends(skep_str_c(path), SKEP_STR("/log.tmp")) && (flags & SKEP_OPEN_CREATE) &&
        ++meanwhile.copies == 2)
        for (unsigned i = 0; i < 100; i++)
            append_one();
    return meanwhile.open(os, path, flags, ret_fd, err);
}

static bool log_is_ready(const struct place *p)
{
    char dir[160];
    unsigned n = 0;
    (void)snprintf(dir, sizeof dir, "%s/wal", p->rows);
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n == 2;
}

static void test_log_begun_meanwhile(void **state)
{
    (void)state;
    struct place p;
    struct found f = {0};
    skep_err err;
    place_init(&p);
    const struct skep_column_config cfg = {.os = skep_os_real(),
                                           .dir = p.rows,
                                           .part_limit_bytes = 64 << 20,
                                           .flush_quiet_ns = INT64_MAX / 1000,
                                           .wal_file_bytes = 256 << 10};
    meanwhile.rnd = (struct rnd){9};
    assert_int_equal(skep_column_open(&cfg, &meanwhile.store, &err), SKEP_OK);
    struct skep_store_stats st;
    do { /* until it is more than half full */
        append_one();
        meanwhile.store->ops->stats(meanwhile.store, &st);
    } while (st.wal_bytes <= 256 << 10 && meanwhile.batches < 100);
    while (!log_is_ready(&p))
        skep_sleep_ms(1);
    uint64_t sure = meanwhile.batches;
    struct skep_os os = *skep_os_real();
    meanwhile.open = os.open;
    os.open = open_meanwhile;
    const struct skep_tool t = {.os = &os, .found = on_found, .ctx = &f};
    struct skep_backup_result r;
    const struct skep_backup_opts opts = {.name = "one"};
    assert_int_equal(skep_tool_backup(&t, p.rows, p.to, &opts, &r, &err), SKEP_OK);
    assert_true(meanwhile.copies >= 2);
    meanwhile.store->ops->close(meanwhile.store);
    if (restore(&p, "one", &f, &err) != SKEP_OK)
        fail_msg("restore: %s", err.text);
    if (f.damages)
        fail_msg("%s", f.text);
    char rows[160];
    (void)snprintf(rows, sizeof rows, "%s/rows", p.data);
    expect_batches(rows, sure);
    place_done(&p);
}

/* --- the folder --------------------------------------------------------------------------------
 */

static void append(struct skep_store *s, struct rnd *rnd, unsigned n)
{
    static int64_t tag;
    struct client_result r =
        client_append(s, random_batch(rnd, n, 1790000000ll * 1000000000, tag += 1000000));
    assert_int_equal(r.rc, SKEP_OK);
}

static void flush(struct skep_store *s)
{
    skep_err err;
    assert_int_equal(s->ops->flush(s, &err), SKEP_OK);
}

static void test_incremental(void **state)
{
    (void)state;
    struct place p;
    struct rnd rnd = {5};
    struct found f;
    skep_err err;
    place_init(&p);
    struct skep_store *s = open_store(p.rows, false, NULL);
    append(s, &rnd, 2000);
    flush(s);
    append(s, &rnd, 300);
    struct skep_backup_result r = backup(&p, "one", 0);
    assert_int_equal(r.rows, 2300);
    assert_true(r.new_files == r.files);
    append(s, &rnd, 40);
    r = backup(&p, "two", 0);
    assert_int_equal(r.rows, 2340);
    assert_int_equal(r.new_files, 1); /* the log: segment and manifest are known */
    flush(s);
    r = backup(&p, "three", 2);
    assert_int_equal(r.dropped, 1);
    s->ops->close(s);
    assert_int_equal(restore(&p, "one", &f, &err), SKEP_ENOTFOUND);
    if (restore(&p, "two", &f, &err) != SKEP_OK)
        fail_msg("%s", err.text);
    assert_int_equal(restore(&p, "three", &f, &err), SKEP_EEXISTS); /* never over data */
    char rows[160];
    (void)snprintf(rows, sizeof rows, "%s/rows", p.data);
    s = open_store(rows, false, NULL);
    struct skep_store_stats st;
    s->ops->stats(s, &st);
    assert_int_equal(st.rows_live, 2340);
    append(s, &rnd, 5); /* and it goes on from there */
    s->ops->close(s);
    struct skep_arena arena;
    struct skep_backup_info *list;
    unsigned n;
    skep_arena_init(&arena, "test", NULL);
    assert_int_equal(skep_tool_backups(skep_os_real(), p.to, &arena, &list, &n, &err), SKEP_OK);
    assert_int_equal(n, 2);
    assert_int_equal(list[0].rows, 2340);
    skep_arena_done(&arena);
    place_done(&p);
}

struct objects {
    char path[16][320];
    unsigned n;
    const char *dir;
};

static bool note_object(void *ctx, skep_str name)
{
    struct objects *o = ctx;
    assert_true(o->n < 16);
    (void)snprintf(o->path[o->n++], sizeof o->path[0], "%s/" SKEP_STRFMT, o->dir,
                   SKEP_STRARG(name));
    return true;
}

static void flip(const char *path)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long size = ftell(file);
    assert_int_equal(fseek(file, size / 2, SEEK_SET), 0);
    int c = fgetc(file);
    assert_int_equal(fseek(file, size / 2, SEEK_SET), 0);
    (void)fputc(c ^ 4, file);
    assert_int_equal(fclose(file), 0);
}

/* A bit of any object: nothing is put in the place of the data folder. */
static void test_damaged_backup(void **state)
{
    (void)state;
    struct place p;
    struct rnd rnd = {6};
    struct objects o = {.n = 0};
    char dir[160];
    place_init(&p);
    struct skep_store *s = open_store(p.rows, false, NULL);
    append(s, &rnd, 500);
    flush(s);
    append(s, &rnd, 300);
    (void)backup(&p, "one", 0);
    s->ops->close(s);
    (void)snprintf(dir, sizeof dir, "%s/objects", p.to);
    o.dir = dir;
    assert_int_equal(skep_os_real()->list(skep_os_real(), dir, note_object, &o, NULL), SKEP_OK);
    assert_int_equal(o.n, 4); /* manifest, segments of spans and logs, log */
    for (unsigned i = 0; i < o.n; i++) {
        struct found f;
        skep_err err;
        struct skep_os_stat st;
        flip(o.path[i]);
        assert_int_equal(restore(&p, NULL, &f, &err), SKEP_ECORRUPT);
        assert_int_equal(f.damages, 1);
        assert_int_equal(skep_os_real()->stat(skep_os_real(), p.data, &st, NULL), SKEP_ENOTFOUND);
        flip(o.path[i]);
    }
    char list[160];
    struct found f;
    skep_err err;
    (void)snprintf(list, sizeof list, "%s/one.backup", p.to);
    flip(list);
    assert_int_equal(restore(&p, NULL, &f, &err), SKEP_ECORRUPT);
    flip(list);
    assert_int_equal(restore(&p, NULL, &f, &err), SKEP_OK);
    place_done(&p);
}

/* Listings are anyone's: no name leads out of the folder. */
static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"../x",           "/etc/passwd",
                                      "rows/seg/x.seg", "rows/seg/../../x",
                                      "rows/LOCK",      "rows/wal/0000000000000001.seg",
                                      "state.db/x",     ""};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(bad); i++)
        assert_false(skep_backup_list__name_ok(skep_str_c(bad[i])));
    static const char *const good[] = {"rows/MANIFEST", "state.db", "rows/seg/0000000000000001.seg",
                                       "rows/seg/0000000000000001.live",
                                       "rows/wal/00000000000000ff.log"};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(good); i++)
        assert_true(skep_backup_list__name_ok(skep_str_c(good[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_under_load),  cmocka_unit_test(test_log_begun_meanwhile),
        cmocka_unit_test(test_incremental), cmocka_unit_test(test_damaged_backup),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
