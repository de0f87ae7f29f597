// SPDX-License-Identifier: Apache-2.0
/* Rows -> sightings (sightings.h).
 *
 *   a row that another wire told of already (twins.h) is no sighting
 *   key       environment, stage, fingerprint
 *   title     by a rule of grouping, else of an error row its name, else "Class: message";
 *             first line, SKEP_ITEM_TITLE_MAX
 *   level     what the sender called it, else its severity, else error
 *   stage     deployment.environment.name, or its old name
 *
 * Threads: the caller's.  Memory: a hundred bytes and its texts an item. */
#include "inbox/sightings.h"
#include "inbox/inbox.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "event/batch.h"

enum column {
    ENVIRONMENT,
    FINGERPRINT,
    STAGE,
    OLD_STAGE,
    TYPE,
    MESSAGE,
    CULPRIT,
    LEVEL,
    VERSION,
    FRAMEWORK,
    LOOSE,
    HOST,
    PID,
    TITLE,
    N_COLUMNS
};

const struct skep_field_ref *skep_inbox__columns(unsigned *ret_n)
{
#define COLUMN(text)                                                                               \
    {                                                                                              \
        .name = SKEP_STR_INIT(text)                                                                \
    }
    static const struct skep_field_ref columns[N_COLUMNS] = {
        [ENVIRONMENT] = COLUMN("meta.environment"),
        [FINGERPRINT] = COLUMN("error.fingerprint"),
        [STAGE] = COLUMN("deployment.environment.name"),
        [OLD_STAGE] = COLUMN("deployment.environment"),
        [TYPE] = COLUMN("exception.type"),
        [MESSAGE] = COLUMN("exception.message"),
        [CULPRIT] = COLUMN("error.culprit"),
        [LEVEL] = COLUMN("error.level"),
        [VERSION] = COLUMN("service.version"),
        [FRAMEWORK] = COLUMN("error.framework"),
        [LOOSE] = COLUMN("error.fingerprint.loose"),
        [HOST] = COLUMN("host.name"),
        [PID] = COLUMN("process.pid"),
        [TITLE] = COLUMN("error.title"),
    };
#undef COLUMN
    *ret_n = N_COLUMNS;
    return columns;
}

static skep_str text_of(const struct skep_row *r, enum column c)
{
    skep_assert(r->n_fields == N_COLUMNS);
    const skep_value *v = &r->fields[c].value;
    return v->type == SKEP_TYPE_STRING ? v->s : SKEP_STR_NULL;
}

/* Also before a NUL: an index of words ends there. */
static skep_str cut(skep_str s, size_t max)
{
    s.n = SKEP_MIN(SKEP_MIN(s.n, max), skep_str_chr(s, '\0'));
    while (s.n && !skep_utf8_valid(s))
        s.n--;
    return s;
}

static skep_str title_of(const struct skep_row *r, struct skep_arena *arena)
{
    skep_str type = text_of(r, TYPE), message = text_of(r, MESSAGE), title = r->name;
    skep_str ruled = text_of(r, TITLE);
    if (ruled.n > 0)
        return cut(ruled, SKEP_ITEM_TITLE_MAX);
    if (r->kind != SKEP_KIND_ERROR || title.n == 0) {
        title = type.n == 0      ? message
                : message.n == 0 ? type
                                 : skep_arena_printf(arena, SKEP_STRFMT ": " SKEP_STRFMT,
                                                     SKEP_STRARG(type), SKEP_STRARG(message));
    }
    title = cut(skep_str_cut(&title, '\n'), SKEP_ITEM_TITLE_MAX);
    return title.n ? title : SKEP_STR("(an error without a name)");
}

int skep_inbox_level(skep_str said, uint8_t severity)
{
    static const struct {
        skep_str name;
        int level;
    } levels[] = {{SKEP_STR_INIT("critical"), SKEP_ITEM_CRITICAL},
                  {SKEP_STR_INIT("error"), SKEP_ITEM_ERROR},
                  {SKEP_STR_INIT("warning"), SKEP_ITEM_WARNING},
                  {SKEP_STR_INIT("info"), SKEP_ITEM_INFO},
                  {SKEP_STR_INIT("debug"), SKEP_ITEM_DEBUG}};
    for (size_t i = 0; i < SKEP_ARRAY_LEN(levels); i++) {
        if (skep_str_ieq(said, levels[i].name))
            return levels[i].level;
    }
    return severity >= 21                    ? SKEP_ITEM_CRITICAL
           : severity == 0 || severity >= 17 ? SKEP_ITEM_ERROR
           : severity >= 13                  ? SKEP_ITEM_WARNING
           : severity >= 9                   ? SKEP_ITEM_INFO
                                             : SKEP_ITEM_DEBUG;
}

static skep_str environment_of(const struct skep_row *r)
{
    skep_str environment = text_of(r, ENVIRONMENT);
    return environment.n ? environment : SKEP_ENVIRONMENT_DEFAULT;
}

static skep_str stage_of(const struct skep_row *r)
{
    skep_str stage = text_of(r, STAGE);
    return cut(stage.n ? stage : text_of(r, OLD_STAGE), SKEP_ITEM_TITLE_MAX);
}

bool skep_inbox__is_occurrence(const struct skep_row *r)
{
    return text_of(r, FINGERPRINT).n > 0 && r->kind != SKEP_KIND_SPAN;
}

struct skep_report skep_inbox__report(const struct skep_row *r)
{
    const skep_value *pid = &r->fields[PID].value;
    return (struct skep_report){.environment = environment_of(r),
                                .loose = text_of(r, LOOSE),
                                .trace = r->trace_id,
                                .host = text_of(r, HOST),
                                .pid = pid->type == SKEP_TYPE_INT ? pid->i : 0,
                                .time_ns = r->time_ns,
                                .wire = skep_twins_wire(r->source, r->kind),
                                .row = r->id};
}

/* Only what tells items apart; the rest is read of those that are new. */
static struct skep_item_sighting key_of(const struct skep_row *r)
{
    return (struct skep_item_sighting){.environment = environment_of(r),
                                       .stage = stage_of(r),
                                       .fingerprint = text_of(r, FINGERPRINT)};
}

static struct skep_item_sighting first_of(const struct skep_row *r,
                                          const struct skep_item_sighting *key,
                                          struct skep_arena *texts, struct skep_arena *arena)
{
    return (struct skep_item_sighting){
        .environment = skep_arena_str(texts, key->environment),
        .stage = skep_arena_str(texts, key->stage),
        .fingerprint = skep_arena_str(texts, key->fingerprint),
        .title = skep_arena_str(texts, title_of(r, arena)),
        .type = skep_arena_str(texts, cut(text_of(r, TYPE), SKEP_ITEM_TITLE_MAX)),
        .culprit = skep_arena_str(texts, cut(text_of(r, CULPRIT), 1024)),
        .dataset = skep_arena_str(texts, r->dataset),
        .framework = skep_arena_str(texts, cut(text_of(r, FRAMEWORK), SKEP_ITEM_TITLE_MAX)),
        .level = skep_inbox_level(text_of(r, LEVEL), r->severity),
        .first_ns = r->time_ns,
        .last_ns = r->time_ns,
        .first_row = r->id,
    };
}

static bool same_item(const struct skep_item_sighting *a, const struct skep_item_sighting *b)
{
    return skep_str_eq(a->fingerprint, b->fingerprint) && skep_str_eq(a->stage, b->stage) &&
           skep_str_eq(a->environment, b->environment);
}

// --- gathering ---------------------------------------------------------------------------------

void skep_inbox__gathering_init(struct skep_inbox__gathering *g)
{
    *g = (struct skep_inbox__gathering){.n = 0};
    skep_arena_init(&g->texts, "sightings", NULL);
    skep_index_init(&g->index, 64);
}

void skep_inbox__gathering_done(struct skep_inbox__gathering *g)
{
    skep_index_done(&g->index);
    skep_arena_done(&g->texts);
    skep_free(g->sightings);
    skep_free(g->twins);
}

void skep_inbox__gathering_clear(struct skep_inbox__gathering *g)
{
    g->n = g->n_twins = g->rows = 0;
    skep_index_clear(&g->index);
    skep_arena_reset(&g->texts);
}

static struct skep_item_sighting *item_of(struct skep_inbox__gathering *g, const struct skep_row *r,
                                          struct skep_arena *arena)
{
    const struct skep_item_sighting key = key_of(r);
    uint64_t hash = skep_hash(skep_str_bytes(key.fingerprint));
    struct skep_index_it it = skep_index_begin(&g->index, hash);
    uint32_t at;
    while ((at = skep_index_next(&g->index, &it)) != SKEP_INDEX_NONE) {
        if (same_item(&g->sightings[at], &key))
            return &g->sightings[at];
    }
    if (g->n == g->cap) {
        g->cap = g->cap ? 2 * g->cap : 64;
        g->sightings = skep_realloc(g->sightings, g->cap * sizeof *g->sightings);
    }
    skep_index_add(&g->index, hash, (uint32_t)g->n);
    g->sightings[g->n] = first_of(r, &key, &g->texts, arena);
    return &g->sightings[g->n++];
}

static void sight(struct skep_inbox__gathering *g, const struct skep_row *r,
                  struct skep_arena *arena)
{
    struct skep_item_sighting *s = item_of(g, r, arena);
    s->n++;
    s->first_ns = SKEP_MIN(s->first_ns, r->time_ns);
    s->last_ns = SKEP_MAX(s->last_ns, r->time_ns);
    s->last_row = r->id;
    skep_str version = cut(text_of(r, VERSION), SKEP_ITEM_VERSION_MAX);
    if (version.n && !skep_str_eq(version, s->version))
        s->version = skep_arena_str(&g->texts, version);
}

static void add_twin(struct skep_inbox__gathering *g, const struct skep_row *r,
                     const struct skep_report *report, skep_row_id of, unsigned of_wire)
{
    if (g->n_twins == g->cap_twins) {
        g->cap_twins = g->cap_twins ? 2 * g->cap_twins : 64;
        g->twins = skep_realloc(g->twins, g->cap_twins * sizeof *g->twins);
    }
    g->twins[g->n_twins++] = (struct skep_item_twin){
        .row = r->id,
        .of = of,
        .wire = report->wire,
        .of_wire = of_wire,
        .environment = skep_arena_str(&g->texts, report->environment),
        .stage = skep_arena_str(&g->texts, stage_of(r)),
        .fingerprint = skep_arena_str(&g->texts, text_of(r, FINGERPRINT)),
        .time_ns = r->time_ns,
    };
}

void skep_inbox__gather(struct skep_inbox__gathering *g, const struct skep_rows *rows,
                        struct skep_twins *memory, struct skep_arena *arena)
{
    for (size_t i = 0; i < rows->n; i++) {
        const struct skep_row *r = &rows->rows[i];
        skep_row_id of;
        unsigned of_wire;
        if (!skep_inbox__is_occurrence(r))
            continue;
        struct skep_report report = skep_inbox__report(r);
        if (skep_twins_see(memory, &report, &of, &of_wire))
            add_twin(g, r, &report, of, of_wire);
        else
            sight(g, r, arena);
    }
    g->rows += rows->n;
    g->at = rows->n ? rows->rows[rows->n - 1].id : g->at;
}

struct skep_items_look skep_inbox__look_of(const struct skep_inbox__gathering *g,
                                           const struct skep_twins *memory)
{
    skep_assert(g->rows > 0);
    return (struct skep_items_look){.sightings = g->sightings,
                                    .n = g->n,
                                    .twins = g->twins,
                                    .n_twins = g->n_twins,
                                    .at = g->at,
                                    .from = skep_twins_from(memory)};
}
