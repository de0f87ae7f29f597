// SPDX-License-Identifier: Apache-2.0
/*
 * jaeger_strategy.c - reading Jaeger's SamplingStrategyResponse
 *
 *   { strategyType: 1
 *     probabilisticSampling: 2 { samplingRate: 1 double }
 *     rateLimitingSampling: 3 { maxTracesPerSecond: 1 int32 }
 *     operationSampling: 4 { defaultSamplingProbability: 1 double,
 * defaultLowerBoundTracesPerSecond: 2 double, perOperationStrategies: 3 { operation: 1,
 * probabilisticSampling: 2 } } }
 *
 * A member that is there decides, whatever the type says: operations before a share before a limit.
 * Of the two encodings the members and what they mean are the same; both end in the same struct.
 *
 * Foreign bytes: rates are brought into their bounds, more operations than there is room for are
 * left out, names are cut.
 *
 * Threads: no state.
 */
#include "jaeger_strategy.h"

#include "json_in.h"

static double within(double v, double most)
{
    return v > 0 ? (v < most ? v : most) : 0; // NaN is 0, too
}

static void set_operation_name(struct waggle__jaeger_strategy *s, waggle_str name)
{
    if (s->n == 0 || s->n > WAGGLE__JAEGER_OPERATIONS)
        return;
    char *to = s->p[s->n - 1].name;
    size_t n = WAGGLE__MIN(name.n, (size_t)WAGGLE__JAEGER_NAME - 1);
    memcpy(to, name.p, n);
    to[n] = '\0';
}

static void begin_operation(struct waggle__jaeger_strategy *s)
{
    if (s->n <= WAGGLE__JAEGER_OPERATIONS)
        s->n++; // one beyond stands for all that find no room
    if (s->n <= WAGGLE__JAEGER_OPERATIONS)
        s->p[s->n - 1] = (struct waggle__jaeger_operation){.rate = 0};
}

/* Operations before a share (-1: none) before a limit. */
static bool finish_strategy(struct waggle__jaeger_strategy *s, double share, bool ok)
{
    s->n = WAGGLE__MIN(s->n, (size_t)WAGGLE__JAEGER_OPERATIONS);
    s->is_set = ok && (s->has_operations || share >= 0 || s->limits);
    s->limits = s->limits && !s->has_operations && share < 0;
    s->rate = s->has_operations || share < 0 ? s->rate : share;
    return s->is_set;
}

/* --- JSON ---------------------------------------------------------------------------------- */

struct strategy_reader {
    struct waggle__jaeger_strategy *s;
    bool in_operation;
    double share; /* of the response itself; -1: it says none */
};

static void take_strategy_number(struct strategy_reader *r, const char *key, double v)
{
    struct waggle__jaeger_strategy *s = r->s;
    enum { MOST = 1000000 };
    if (strcmp(key, "samplingRate") == 0 && r->in_operation) {
        if (s->n <= WAGGLE__JAEGER_OPERATIONS)
            s->p[s->n - 1].rate = within(v, 1);
    } else if (strcmp(key, "samplingRate") == 0) {
        r->share = within(v, 1);
    } else if (strcmp(key, "maxTracesPerSecond") == 0) {
        s->limits = true;
        s->per_second = within(v, MOST);
    } else if (strcmp(key, "defaultSamplingProbability") == 0) {
        s->rate = within(v, 1);
    } else if (strcmp(key, "defaultLowerBoundTracesPerSecond") == 0) {
        s->lower_bound = within(v, MOST);
    }
}

static void take_strategy_event(void *self, enum waggle__json_event event, unsigned depth,
                                const char *key, const char *text, double number)
{
    struct strategy_reader *r = self;
    bool is_operation = strcmp(key, "perOperationStrategies") == 0;
    (void)depth;
    if (event == WAGGLE__JSON_BEGIN && strcmp(key, "operationSampling") == 0) {
        r->s->has_operations = true;
    } else if (event == WAGGLE__JSON_BEGIN && is_operation) {
        begin_operation(r->s);
        r->in_operation = true;
    } else if (event == WAGGLE__JSON_END && is_operation) {
        r->in_operation = false;
    } else if (event == WAGGLE__JSON_TEXT && r->in_operation && strcmp(key, "operation") == 0) {
        set_operation_name(r->s, (waggle_str){text, strlen(text)});
    } else if (event == WAGGLE__JSON_NUMBER) {
        take_strategy_number(r, key, number);
    }
}

bool waggle__jaeger_from_json(waggle_str json, struct waggle__jaeger_strategy *ret)
{
    struct strategy_reader r = {.s = ret, .share = -1};
    *ret = (struct waggle__jaeger_strategy){0};
    bool ok = waggle__json_walk(json, take_strategy_event, &r);
    return finish_strategy(ret, r.share, ok);
}

/* --- protobuf ------------------------------------------------------------------------------ */

static double field_double(const struct waggle__field *f)
{
    double v = 0;
    memcpy(&v, &f->value, sizeof v);
    return f->wire == WAGGLE__FIXED64 ? v : 0;
}

/* The double that is field 1 of the message. */
static double rate_of(waggle_str message)
{
    struct waggle__reader r = {(const uint8_t *)message.p, message.n, 0, false};
    struct waggle__field f;
    double v = 0;
    while (waggle__field_next(&r, &f))
        if (f.number == 1)
            v = field_double(&f);
    return within(v, 1);
}

static void read_operation(waggle_str message, struct waggle__jaeger_strategy *s)
{
    struct waggle__reader r = {(const uint8_t *)message.p, message.n, 0, false};
    struct waggle__field f;
    begin_operation(s);
    while (waggle__field_next(&r, &f)) {
        if (f.wire != WAGGLE__LEN)
            continue;
        if (f.number == 1)
            set_operation_name(s, f.bytes);
        else if (f.number == 2 && s->n <= WAGGLE__JAEGER_OPERATIONS)
            s->p[s->n - 1].rate = rate_of(f.bytes);
    }
}

static void read_operations(waggle_str message, struct waggle__jaeger_strategy *s)
{
    enum { MOST = 1000000 };
    struct waggle__reader r = {(const uint8_t *)message.p, message.n, 0, false};
    struct waggle__field f;
    s->has_operations = true;
    while (waggle__field_next(&r, &f)) {
        if (f.number == 1)
            s->rate = within(field_double(&f), 1);
        else if (f.number == 2)
            s->lower_bound = within(field_double(&f), MOST);
        else if (f.number == 3 && f.wire == WAGGLE__LEN)
            read_operation(f.bytes, s);
    }
}

static void read_limit(waggle_str message, struct waggle__jaeger_strategy *s)
{
    struct waggle__reader r = {(const uint8_t *)message.p, message.n, 0, false};
    struct waggle__field f;
    s->limits = true;
    while (waggle__field_next(&r, &f))
        if (f.number == 1 && f.wire == WAGGLE__VARINT)
            s->per_second = within((double)(int64_t)f.value, 1000000); // a negative one, too
}

bool waggle__jaeger_from_protobuf(waggle_str message, struct waggle__jaeger_strategy *ret)
{
    struct waggle__reader r = {(const uint8_t *)message.p, message.n, 0, false};
    struct waggle__field f;
    double share = -1;
    *ret = (struct waggle__jaeger_strategy){0};
    while (waggle__field_next(&r, &f)) {
        if (f.wire != WAGGLE__LEN)
            continue;
        if (f.number == 2)
            share = rate_of(f.bytes);
        else if (f.number == 3)
            read_limit(f.bytes, ret);
        else if (f.number == 4)
            read_operations(f.bytes, ret);
    }
    return finish_strategy(ret, share, !r.bad);
}
