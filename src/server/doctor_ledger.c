// SPDX-License-Identifier: Apache-2.0
/* `skep doctor`: is everything that was received accounted for?
 *
 *   whole ledger, coarse ---- a step does not add up ----> that step alone, finer ---> ... a minute
 *
 * The server compares what the wires counted with what the store has (docs/formats/ledger.md).
 * Where they differ the doctor asks for the finest stretch that is kept, by source and signal, and
 * says by a table what such a difference means and what to do: the sign and the side of it, and
 * whether a loss is on record, tell the cases apart.
 *
 * I1  nothing is evened out: differences of opposite signs are told each.
 * I2  questions are bounded: what is not looked at more closely is told as coarse as it is.
 *
 * Threads: main.  Memory: one answer at a time, as deep as steps get finer. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "server/doctor.h"
#include "wire/rfc3339.h"

enum { ASKS_MAX = 40, TOLD_MAX = 20 };

struct audit {
    struct skep_doctor *d;
    unsigned asks, told, more;
    bool loss_known; /* the store has a record of what is lost */
};

/* One step of one source and signal that does not add up. */
struct gap {
    int64_t start_s, step_s;
    const char *source, *signal;
    int64_t wire;  /* received, and neither stored, under way nor refused; negative: too many */
    int64_t store; /* stored, and neither live nor gone for a reason; negative: too many */
};

static bool lost_on_record(const struct audit *a, const struct gap *g)
{
    return g->store > 0 && a->loss_known;
}

static bool lost(const struct audit *a, const struct gap *g)
{
    (void)a;
    return g->store > 0;
}

static bool back(const struct audit *a, const struct gap *g)
{
    (void)a;
    return g->store < 0;
}

static bool vanished(const struct audit *a, const struct gap *g)
{
    (void)a;
    return g->wire > 0;
}

static bool unheard(const struct audit *a, const struct gap *g)
{
    (void)a;
    return g->wire < 0;
}

/* The first that fits explains a difference; one of each side. */
static const struct meaning {
    bool (*fits)(const struct audit *a, const struct gap *g);
    bool of_store;
    const char *what, *what_to_do;
} meanings[] = {
    {lost_on_record, true, "were stored and are not there any more: a loss is on record, see above",
     "A backup may have them (skep restore). To settle it: skep repair --forget; they count as "
     "expired then."},
    {lost, true, "were stored and are not there any more, and no loss is on record",
     "Stop the server, keep a copy of the data folder, run skep verify: it names the file. Then "
     "skep repair, or restore a backup."},
    {back, true, "are there, and were not stored, or are deleted",
     "Rows that were deleted are back when their file of live rows was damaged (skep repair says "
     "so): delete them again. Otherwise keep a copy of the data folder and run skep verify."},
    {vanished, false, "were received, and were neither stored nor refused",
     "They were not answered, or acknowledged and lost: look at the server's log of that time, run "
     "skep verify, and send or import them again: what is there already is stored once."},
    {unheard, false, "were stored, and no wire counted them",
     "Nothing is lost. Something else wrote to the data folder, or its file state.db is older than "
     "its rows: put back both from the same backup."},
};

static void say_gap(struct audit *a, const struct gap *g, const struct meaning *m)
{
    char from[SKEP_RFC3339_BYTES], to[SKEP_RFC3339_BYTES];
    size_t n = skep_rfc3339(g->start_s * 1000000000, 0, from);
    size_t k = skep_rfc3339((g->start_s + g->step_s) * 1000000000, 0, to);
    int64_t by = m->of_store ? g->store : g->wire;
    if (a->told++ >= TOLD_MAX) {
        a->more++;
        return;
    }
    skep_doctor_say(a->d, SKEP_DOCTOR_PROBLEM, m->what_to_do,
                    "%" PRIu64 " %s of source %s that came from %.*s to %.*s %s",
                    by < 0 ? 0 - (uint64_t)by : (uint64_t)by, g->signal, g->source, (int)n, from,
                    (int)k, to, m->what);
}

static void explain(struct audit *a, const struct gap *g)
{
    bool told[2] = {g->wire == 0, g->store == 0};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(meanings); i++) {
        const struct meaning *m = &meanings[i];
        if (told[m->of_store] || !m->fits(a, g))
            continue;
        say_gap(a, g, m);
        told[m->of_store] = true;
    }
}

/* The ledger of [from, to); NULL when it cannot be had, which is told. */
static yyjson_doc *ask(struct audit *a, int64_t from_s, int64_t to_s)
{
    struct skep_buf path;
    skep_err err = {.text = ""};
    yyjson_doc *doc = NULL;
    struct skep_cli_http *http = &a->d->http;
    a->asks++;
    skep_buf_init(&path, 512);
    skep_buf_printf(&path, "/skep/v1/ledger?source=__all__&start=%" PRId64, from_s);
    if (to_s > 0)
        skep_buf_printf(&path, "&end=%" PRId64, to_s);
    const struct skep_cli_call call = {.method = "GET", .path = skep_buf_text(&path)};
    skep_rc rc = skep_cli_call(http, &call, &err);
    if (rc == SKEP_OK && http->status == 200)
        doc = yyjson_read((const char *)http->body.p, http->body.n, 0);
    if (rc == SKEP_OK && http->status == 403)
        skep_doctor_say(a->d, SKEP_DOCTOR_NOTE,
                        "Give a key of all environments: --key KEY, or SKEP_KEY.",
                        "whether all that was received is accounted for was not looked at: the key "
                        "is of one environment");
    else if (!doc)
        skep_doctor_say(a->d, SKEP_DOCTOR_PROBLEM, "Look at the server's log.",
                        "the ledger cannot be read: status %ld%s%s",
                        rc == SKEP_OK ? http->status : 0, err.text[0] ? ", " : "", err.text);
    skep_buf_done(&path);
    return doc;
}

static int64_t number_at(yyjson_val *series, const char *key, size_t i)
{
    return yyjson_get_sint(yyjson_arr_get(yyjson_obj_get(series, key), i));
}

static const char *text_of(yyjson_val *obj, const char *key)
{
    const char *s = yyjson_get_str(yyjson_obj_get(obj, key));
    return s ? s : "?";
}

static void look(struct audit *a, const struct gap *coarse);

static void each_gap(struct audit *a, yyjson_val *source, int64_t step_s, const struct gap *coarse)
{
    yyjson_val *series = yyjson_obj_get(source, "series");
    size_t n = yyjson_arr_size(yyjson_obj_get(series, "start_s"));
    for (size_t i = 0; i < n; i++) {
        struct gap g = {.start_s = number_at(series, "start_s", i),
                        .step_s = step_s,
                        .source = text_of(source, "source"),
                        .signal = text_of(source, "signal"),
                        .wire = number_at(series, "difference", i),
                        .store = number_at(series, "store_difference", i)};
        bool other = coarse && (!skep_str_eq(skep_str_c(g.signal), skep_str_c(coarse->signal)) ||
                                !skep_str_eq(skep_str_c(g.source), skep_str_c(coarse->source)));
        if (other || (g.wire == 0 && g.store == 0))
            continue;
        bool finer = step_s > 60 && a->asks < ASKS_MAX && (!coarse || step_s < coarse->step_s);
        if (finer)
            look(a, &g);
        else
            explain(a, &g); /* I2 */
    }
}

/* The sum of a member of all totals. */
static uint64_t sum_of(yyjson_val *sources, const char *key)
{
    yyjson_val *source;
    size_t i, max;
    uint64_t sum = 0;
    yyjson_arr_foreach(sources, i, max, source)
    {
        sum += yyjson_get_uint(yyjson_obj_get(yyjson_obj_get(source, "totals"), key));
    }
    return sum;
}

static void sound(struct audit *a, yyjson_val *root)
{
    yyjson_val *sources = yyjson_obj_get(root, "sources");
    uint64_t received = sum_of(sources, "received"), stored = sum_of(sources, "stored");
    uint64_t again = sum_of(sources, "duplicate") + sum_of(sources, "superseded");
    uint64_t pending = sum_of(sources, "pending"), sampled = sum_of(sources, "sampled");
    if (yyjson_get_bool(yyjson_obj_get(root, "complete")) == false)
        skep_doctor_say(a->d, SKEP_DOCTOR_PROBLEM,
                        "If it is memory, ask again, or raise --memory; else run skep verify.",
                        "%" PRIu64 " stored rows cannot be read, so that they are not compared: %s",
                        yyjson_get_uint(yyjson_obj_get(root, "unread_rows")),
                        text_of(root, "missing"));
    else if (received > 0 && yyjson_get_uint(yyjson_obj_get(root, "differences")) == 0)
        skep_doctor_say(a->d, SKEP_DOCTOR_OK, NULL,
                        "all that was received is accounted for: %" PRIu64 " = %" PRIu64
                        " stored + %" PRIu64 " sent again + %" PRIu64 " sampled + %" PRIu64
                        " under way + %" PRIu64 " refused",
                        received, stored, again, sampled, pending,
                        received - stored - again - sampled - pending);
}

static void look(struct audit *a, const struct gap *coarse)
{
    yyjson_doc *doc =
        coarse ? ask(a, coarse->start_s, coarse->start_s + coarse->step_s) : ask(a, 0, 0);
    if (!doc)
        return;
    yyjson_val *source, *root = yyjson_doc_get_root(doc);
    int64_t step_s = yyjson_get_sint(yyjson_obj_get(root, "step_s"));
    size_t i, max;
    if (!coarse)
        sound(a, root);
    yyjson_arr_foreach(yyjson_obj_get(root, "sources"), i, max, source)
    {
        each_gap(a, source, step_s, coarse);
    }
    yyjson_doc_free(doc);
}

void skep_doctor_ledger(struct skep_doctor *d)
{
    skep_assert(d->status != NULL);
    yyjson_val *store = yyjson_obj_get(d->status, "store");
    struct audit a = {.d = d, .loss_known = yyjson_arr_size(yyjson_obj_get(store, "missing")) > 0};
    if (yyjson_get_bool(yyjson_obj_get(d->status, "recovering")))
        return; /* told; the store is not whole yet */
    look(&a, NULL);
    if (a.more > 0)
        skep_doctor_say(d, SKEP_DOCTOR_PROBLEM, "GET /skep/v1/ledger has all of them.",
                        "%u more stretches do not add up", a.more);
}
