// SPDX-License-Identifier: Apache-2.0
/* What new items cost, and what lists and words of so many cost.
 *
 *   bench_items N FILE [LOOK]
 *
 * FILE becomes a state database with N items of errors no two of which are alike, LOOK (2,000) a
 * look, then each is seen once more; in the end some are merged.  Prints CPU of this thread, kernel
 * included: microseconds an item, and of each question (its counts and its first 50 items) the
 * median of nine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "state/items.h"

enum { ROUNDS = 9, TEXT_MAX = 160 };

struct texts {
    char fingerprint[48], title[TEXT_MAX], type[48], culprit[64];
};

static struct skep_state *state;
static skep_err err;
static uint64_t rng = 88172645463325252ull;

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void must(skep_rc rc, const char *what)
{
    if (rc == SKEP_OK)
        return;
    (void)fprintf(stderr, "bench_items: %s: %s\n", what, err.text);
    exit(1);
}

static uint64_t next(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

/* Like gen's: a class, a function and a service of few, a text with numbers of its own. */
static void make(struct texts *t, struct skep_item_sighting *s, uint64_t n, uint64_t row)
{
    static const char *const types[] = {"ValidationError", "ConnectionRefusedError",
                                        "DeadlineExceeded", "NullPointerException", "OutOfStock"};
    static const char *const functions[] = {"enrichProduct", "renderTemplate", "publishEvent",
                                            "reserve",       "authorize",      "priceOf"};
    static const char *const datasets[] = {"frontend", "auth", "checkout", "payment", "shipping"};
    static const char *const stages[] = {"production", "production", "canary"};
    const char *type = types[next() % SKEP_ARRAY_LEN(types)];
    const char *dataset = datasets[next() % SKEP_ARRAY_LEN(datasets)];
    (void)snprintf(t->type, sizeof t->type, "%s", type);
    (void)snprintf(t->title, sizeof t->title,
                   "%s: %s: call to %s failed after %u ms (attempt %u, request %08x)", type, type,
                   dataset, (unsigned)(next() % 300), (unsigned)(next() % 3),
                   (unsigned)(n * 2654435761u));
    (void)snprintf(t->culprit, sizeof t->culprit, "Handler.java in %s",
                   functions[next() % SKEP_ARRAY_LEN(functions)]);
    (void)snprintf(t->fingerprint, sizeof t->fingerprint, "%016llx%016llx%08x",
                   (unsigned long long)(n * 0x9e3779b97f4a7c15ull),
                   (unsigned long long)(n * 0xc2b2ae3d27d4eb4full), (unsigned)n);
    const skep_ts_ns at = (skep_ts_ns)(1795132800000000000ull + row * 1000000 + n % 7 * 300000);
    *s = (struct skep_item_sighting){.environment = SKEP_STR("default"),
                                     .stage = skep_str_c(stages[next() % 3]),
                                     .fingerprint = skep_str_c(t->fingerprint),
                                     .title = skep_str_c(t->title),
                                     .type = skep_str_c(t->type),
                                     .culprit = skep_str_c(t->culprit),
                                     .dataset = skep_str_c(dataset),
                                     .version = SKEP_STR("2.7.1"),
                                     .level = SKEP_ITEM_ERROR,
                                     .n = 1 + n % 5 / 4,
                                     .first_ns = at,
                                     .last_ns = at,
                                     .first_row = {row / 1000 + 1, (uint32_t)(row % 1000)},
                                     .last_row = {row / 1000 + 1, (uint32_t)(row % 1000)}};
}

/* The same n items each time it is called. */
static void see_all(uint64_t n, uint64_t look, uint64_t first_row, const char *what)
{
    struct texts *texts = skep_alloc_n(struct texts, look);
    struct skep_item_sighting *x = skep_alloc_n(struct skep_item_sighting, look);
    struct skep_item_change *changes = skep_alloc_n(struct skep_item_change, look);
    double took = 0;
    rng = 88172645463325252ull;
    for (uint64_t at = 0; at < n; at += look) {
        size_t some = SKEP_MIN(look, n - at);
        for (size_t i = 0; i < some; i++)
            make(&texts[i], &x[i], at + i, first_row + at + i);
        const struct skep_items_look seen = {.sightings = x, .n = some, .at = x[some - 1].last_row};
        double begin = cpu_ms();
        must(skep_state_items_see(state, &seen, x[0].first_ns, changes, &err), "see");
        took += cpu_ms() - begin;
    }
    (void)printf("%s: %.2f us an item\n", what, took * 1e3 / (double)n);
    skep_free(changes);
    skep_free(x);
    skep_free(texts);
}

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void ask(const char *what, struct skep_item_query q)
{
    double took[ROUNDS];
    struct skep_arena arena;
    struct skep_item *list;
    size_t n;
    uint64_t all = 0;
    skep_arena_init(&arena, "bench", NULL);
    q.environment = SKEP_STR("default");
    q.limit = q.limit ? q.limit : 50;
    for (unsigned i = 0; i < ROUNDS; i++) {
        double begin = cpu_ms();
        must(skep_state_items(state, &q, &arena, &list, &n, &all, &err), what);
        took[i] = cpu_ms() - begin;
        skep_arena_reset(&arena);
    }
    double first = took[0];
    qsort(took, ROUNDS, sizeof *took, by_size);
    (void)printf("  %-36s first %8.2f ms, then %8.2f ms, %llu items\n", what, first,
                 took[ROUNDS / 2], (unsigned long long)all);
    skep_arena_done(&arena);
}

static void ask_all(uint64_t n)
{
    char one[16];
    (void)snprintf(one, sizeof one, "%08x", (unsigned)(n / 2 * 2654435761u));
    const unsigned active = 1u << SKEP_ITEM_ACTIVE;
    ask("by last", (struct skep_item_query){.statuses = active});
    ask("by first", (struct skep_item_query){.statuses = active, .order = SKEP_ITEMS_BY_FIRST});
    ask("by total", (struct skep_item_query){.statuses = active, .order = SKEP_ITEMS_BY_TOTAL});
    ask("by level", (struct skep_item_query){.statuses = active, .order = SKEP_ITEMS_BY_LEVEL});
    ask("by last, of a stage",
        (struct skep_item_query){.statuses = active, .stage = SKEP_STR("canary")});
    ask("by level, of nobody's", (struct skep_item_query){.statuses = active,
                                                          .owner = SKEP_STR("-"),
                                                          .order = SKEP_ITEMS_BY_LEVEL});
    ask("page in the middle",
        (struct skep_item_query){.statuses = active, .offset = (unsigned)n / 2});
    ask("a word that one has",
        (struct skep_item_query){.statuses = active, .words = skep_str_c(one)});
    ask("a word that none has",
        (struct skep_item_query){.statuses = active, .words = SKEP_STR("nowhere")});
    ask("a word that a fifth have",
        (struct skep_item_query){.statuses = active, .words = SKEP_STR("OutOfStock")});
    ask("a word that all have",
        (struct skep_item_query){.statuses = active, .words = SKEP_STR("failed")});
    ask("two letters that few have",
        (struct skep_item_query){.statuses = active, .words = SKEP_STR("e7 9c")});
    ask("two words, by total", (struct skep_item_query){.statuses = active,
                                                        .words = SKEP_STR("authorize 299"),
                                                        .order = SKEP_ITEMS_BY_TOTAL});
    ask("a word, in a stage", (struct skep_item_query){.statuses = active,
                                                       .words = SKEP_STR("deadline"),
                                                       .stage = SKEP_STR("canary")});
}

/* Those of the first one's stage. */
static void merge_some(void)
{
    unsigned n = 0;
    double begin = cpu_ms();
    for (int64_t id = 2; id < 60; id++)
        n += skep_state_item_merge(state, SKEP_STR("default"), id, 1, SKEP_STR("bench"), 1, &err) ==
             SKEP_OK;
    (void)printf("merged %u: %.2f ms an item\n", n, (cpu_ms() - begin) / (n ? n : 1));
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        (void)fprintf(stderr, "bench_items N FILE [LOOK]\n");
        return 2;
    }
    uint64_t n = strtoull(argv[1], NULL, 10), look = argc > 3 ? strtoull(argv[3], NULL, 10) : 2000;
    const struct skep_state_config cfg = {.os = skep_os_real(), .path = argv[2]};
    if (access(argv[2], F_OK) == 0) {
        (void)fprintf(stderr, "bench_items: %s is there already\n", argv[2]);
        return 2;
    }
    must(skep_state_open(&cfg, &state, &err), argv[2]);
    see_all(n, look, 0, "new");
    see_all(n, look, n, "again");
    ask_all(n);
    merge_some();
    skep_state_close(state);
    return 0;
}
