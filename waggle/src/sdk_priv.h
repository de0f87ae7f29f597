// SPDX-License-Identifier: Apache-2.0
/*
 * sdk_priv.h - what the files of the SDK share
 *
 *   thread.c     what each thread has of its own: ids, free slots, chunks of queues, counters
 *   slots.c      open spans: a fixed table of slots, and blocks for the few that are large
 *   span.c       start and end; span_set.c what happens between
 *   provider.c   processors, limits, lifecycle
 *   queue.c      ended records on their way to a batch processor's thread
 *   batch.c, simple.c   processors
 *   fork.c       the child of a fork
 */
#ifndef WAGGLE_SDK_PRIV_H
#define WAGGLE_SDK_PRIV_H

#include "priv.h"

enum {
    WAGGLE__SLOT_BYTES = 1024,   /* of an open span, with what it holds so far */
    WAGGLE__BLOCK_BYTES = 65536, /* of one that outgrew its slot */
    WAGGLE__BLOCKS = 64,         /* such spans at once */
    WAGGLE__LIVE_SPANS = 2048,   /* default */
    WAGGLE__HEADROOM = 8,        /* in front of an encoded span: its tag and length */
    WAGGLE__TAIL = 32,           /* kept for what the end of a span adds */
    WAGGLE__QUEUES_MAX = 16,     /* batch processors of a process */
    WAGGLE__CACHE = 16,          /* free slots a thread keeps */
    WAGGLE__PROCESSORS_MAX = 8,
    WAGGLE__CACHE_LINE = 64
};

/* --- time and chance: os.c ----------------------------------------------------------------- */

/* Replaced by tests; never while spans are made. */
struct waggle__os {
    uint64_t (*monotonic_ns)(void);
    uint64_t (*realtime_ns)(void);
    bool (*random)(void *ret, size_t n);
};
extern struct waggle__os waggle__os;

/* Monotonic time, and by how much UTC is ahead of it (read again once a second, so that a step of
 * the clock neither changes a span's duration nor lasts). */
uint64_t waggle__monotonic(void);
uint64_t waggle__utc_offset(uint64_t monotonic_ns);
waggle_deadline waggle__deadline_in(uint32_t ms);
/* A deadline for pthread_cond_timedwait on a condition made by waggle__cond_init. */
struct timespec;
void waggle__timespec(uint64_t monotonic_ns, struct timespec *ret);
void waggle__cond_init(pthread_cond_t *cond);

/* --- counters ------------------------------------------------------------------------------ */

enum waggle__counter {
    WAGGLE__STARTED,
    WAGGLE__ENDED,
    WAGGLE__EXPORTED,
    WAGGLE__NO_SLOT,
    WAGGLE__QUEUE_FULL,
    WAGGLE__TOO_LARGE,
    WAGGLE__SHUTDOWN,
    WAGGLE__FAILED,
    WAGGLE__TIMEOUT,
    WAGGLE__REJECTED,
    WAGGLE__BUSY,
    WAGGLE__VALUES,
    WAGGLE__STALE,
    WAGGLE__LOGGED,
    WAGGLE__UNMEASURED,
    WAGGLE__POINTS_EXPORTED,
    WAGGLE__POINTS_FAILED,
    WAGGLE__N_COUNTERS
};

/* --- threads: thread.c --------------------------------------------------------------------- */

struct waggle__chunk;

/* What a thread holds of a queue. */
struct waggle__open {
    struct waggle__chunk *chunk; /* being filled; NULL = none */
    uint32_t epoch;              /* of the queue these belong to */
    uint32_t tokens;             /* records it may put in without asking */
};

struct waggle__thread {
    uint64_t rng[4];
    uint32_t suppressed; /* in a callback: spans are not recorded */
    uint32_t number;     /* of the thread, from 0 */
    uint32_t n_cache;
    uint32_t cache[WAGGLE__CACHE]; /* free slots */
    struct waggle__open open[WAGGLE__QUEUES_MAX];
    uint8_t *scratch; /* WAGGLE__BLOCK_BYTES for a log record; made by the first one */
    _Atomic uint64_t counters[WAGGLE__N_COUNTERS]; /* written by this thread alone */
    waggle_span_context parent;                    /* scratch of waggle__start */
    struct waggle__thread *next, *previous;
};

extern _Thread_local struct waggle__thread *waggle__self;
struct waggle__thread *waggle__thread_new(void);

/* This thread's block; NULL without memory. */
static inline struct waggle__thread *waggle__thread(void)
{
    struct waggle__thread *t = waggle__self;
    return WAGGLE__LIKELY(t != NULL) ? t : waggle__thread_new();
}

static inline void waggle__count(struct waggle__thread *t, enum waggle__counter c, uint64_t n)
{
    uint64_t v = atomic_load_explicit(&t->counters[c], memory_order_relaxed);
    atomic_store_explicit(&t->counters[c], v + n, memory_order_relaxed);
}

/* The same from where there may be no thread block. */
void waggle__count_any(enum waggle__counter c, uint64_t n);
uint64_t waggle__counted(enum waggle__counter c);

uint64_t waggle__random64(struct waggle__thread *t);
void waggle__reseed(struct waggle__thread *t);
void waggle__threads_lock(void);
void waggle__threads_unlock(void);
void waggle__threads_after_fork(void);

/* --- slots: slots.c ------------------------------------------------------------------------ */

/* Bits of a slot's word; its generation stands in the upper half. */
#define WAGGLE__LOCKED UINT64_C(1)
#define WAGGLE__LIVE   UINT64_C(2) /* recording or not: not ended */
#define WAGGLE__ENDING UINT64_C(4) /* end was called, on_ending runs */

enum {
    WAGGLE__HAS_TRACESTATE = 0x100, /* above the W3C flags in waggle__slot.flags */
    WAGGLE__ORPHAN = 0x200          /* began before a fork: the parent process sends it */
};

struct waggle__slot {
    _Atomic uint64_t word;
    _Atomic uint64_t trace_high, trace_low, span_id; /* bytes as they are, for anyone to read */
    _Atomic uint32_t flags;
    _Atomic uint32_t next_free;
    struct waggle_provider *provider;
    uint32_t scope;
    int32_t block; /* -1: what is encoded stands in the slot */
    uint64_t start_ns, start_monotonic, utc_offset;
    uint8_t *buf; /* encoded fields behind WAGGLE__HEADROOM free bytes */
    uint32_t n, cap;
    uint32_t name_at, name_n, status_at, status_n;
    uint32_t tracestate_at, tracestate_n;
    uint32_t n_attributes, dropped_attributes, n_events, dropped_events, n_links, dropped_links;
    uint32_t status;
    uint64_t seen[4]; /* a bit for each attribute key, by a hash: not set = not there */
    uint8_t room[];
};

enum { WAGGLE__SLOT_ROOM = WAGGLE__SLOT_BYTES - (int)sizeof(struct waggle__slot) - WAGGLE__TAIL };

bool waggle__slots_init(uint32_t n);
struct waggle__slot *waggle__slot(uint32_t i);
/* The same for a number from anywhere; NULL if there is no such slot. */
struct waggle__slot *waggle__slot_at(uint32_t i);
/* A free slot, its word locked with a new generation (lowest bit: recording); NULL if there is
 * none.
 */
struct waggle__slot *waggle__slot_take(struct waggle__thread *t, bool recording,
                                       waggle_span *ret_span);
void waggle__slot_give(struct waggle__thread *t, struct waggle__slot *slot);
void waggle__slots_give_cache(struct waggle__thread *t);
/* Lock a live slot of this generation; NULL if the handle is stale or ended. */
struct waggle__slot *waggle__slot_lock(waggle_span span);
void waggle__slot_unlock(struct waggle__slot *slot, waggle_span span, uint64_t bits);
/* Room for n more bytes, in a block if it must be; false if there is none. */
bool waggle__slot_room(struct waggle__slot *slot, size_t n);
void waggle__slots_after_fork(struct waggle__thread *t);

/* --- what is recorded: span_set.c ---------------------------------------------------------- */

/* Add to a locked slot, within its provider's limits. */
void waggle__add_attributes(struct waggle__slot *slot, waggle_attrs attributes);
void waggle__add_link(struct waggle__slot *slot, const waggle_link *link);
void waggle__add_name(struct waggle__slot *slot, const char *name);
void waggle__span_op_set(waggle_span span, waggle_attrs attributes);
void waggle__span_op_set_name(waggle_span span, const char *name);
void waggle__span_op_set_status(waggle_span span, enum waggle_status status,
                                const char *description);
void waggle__span_op_event(waggle_span span, const char *name, uint64_t time_ns,
                           waggle_attrs attributes);
void waggle__span_op_link(waggle_span span, const waggle_link *link);

/* --- providers: provider.c ----------------------------------------------------------------- */

/* The processors of one signal; appended to under the provider's lock, read without it. */
struct waggle__processors {
    struct waggle_processor *_Atomic p[WAGGLE__PROCESSORS_MAX];
    _Atomic uint32_t n;
};

static inline uint32_t waggle__processors_n(const struct waggle__processors *list)
{
    return atomic_load_explicit(&list->n, memory_order_acquire);
}

static inline struct waggle_processor *waggle__processor_at(const struct waggle__processors *list,
                                                            uint32_t i)
{
    return atomic_load_explicit(&list->p[i], memory_order_relaxed);
}

enum { WAGGLE__SIGNALS = 3 }; /* traces, logs, metrics: what has processors */

struct waggle__view;
struct waggle__binding;

struct waggle_provider {
    struct waggle__processors processors[WAGGLE__SIGNALS];
    _Atomic bool is_shut;
    bool is_late;    /* a processor was not done in time: it may still look at what is here */
    bool is_forking; /* its processors hold their locks across a fork */
    _Atomic bool has_on_start, has_on_ending;
    struct waggle_sampler *sampler;
    struct waggle_id_generator *id_generator;
    waggle_limits limits;
    struct waggle__value_limits value_limits;
    waggle_log_limits log_limits;
    struct waggle_resource *resource;
    waggle_resource_info resource_info;
    _Atomic uint32_t metrics_epoch; /* grows with each reader and view */
    _Atomic(struct waggle__view *) views;
    struct waggle__binding *bindings; /* under binding_lock of stream.c */
    enum waggle_exemplar_filter exemplar_filter;
    _Atomic bool has_self_metrics;
    pthread_mutex_t lock;
    struct waggle_provider *next; /* of all: fork.c walks them */
};

typedef void waggle__pair_fn(void *self, waggle_str key, waggle_str value);
/* In the child of a fork: process.pid and a detected service.instance.id become its own. */
void waggle__resource_renew(struct waggle_resource *resource);
void waggle__resource_not_own_instance(struct waggle_resource *resource);
bool waggle__resource_has(const struct waggle_resource *resource, const char *key);
/* As waggle_resource_merge, but only attributes whose key passes. */
typedef bool waggle__passes_fn(void *self, waggle_str key);
bool waggle__resource_merge_some(struct waggle_resource *resource,
                                 const struct waggle_resource *from, waggle__passes_fn *passes,
                                 void *self);
/* What is there by default: telemetry.sdk.*, service.name "unknown_service:NAME". */
void waggle__detect_default(struct waggle_resource *resource);
/* For waggle__pairs: a pair as an attribute of a resource. */
waggle__pair_fn waggle__resource_set_pair;
/* What options of waggle_init say of it; false without memory. */
bool waggle__resource_set_options(struct waggle_resource *resource, const waggle_options *options);

void waggle__providers_lock(void);
void waggle__providers_unlock(void);
struct waggle_provider *waggle__providers_first(void);
void waggle__fork_init(void);

/* Add a processor of that signal, which is owned; false (and freed) if it cannot be. */
bool waggle__provider_add(struct waggle_provider *provider, struct waggle_processor *processor,
                          enum waggle_signal signal);
void waggle__sampler_after_fork(struct waggle_sampler *sampler);
/* '*' any characters, '?' one; upper and lower case are the same. What is not known (p NULL)
 * matches. */
bool waggle__wild_match(const char *pattern, waggle_str s);
/* The same with upper and lower case told apart. */
bool waggle__wild_match_case(const char *pattern, waggle_str s);
/* What metrics have hung on it (stream.c). */
void waggle__metrics_free(struct waggle_provider *provider);
void waggle__metrics_bind_all(void);
/* The scopes there are; returns their number. */
size_t waggle__scopes_now(const waggle_scope_info *ret_scopes[WAGGLE__SCOPES_MAX]);

extern const struct waggle__sdk_ops waggle__sdk_table;
void waggle__log_op_emit(struct waggle_tracer *scope, const waggle_log_record *record);
bool waggle__log_op_enabled(const struct waggle_tracer *scope, int severity,
                            const char *event_name);

/* --- queues: queue.c ----------------------------------------------------------------------- */

struct waggle__queue;

struct waggle__queue *waggle__queue_new(uint32_t max_records, uint32_t batch);
void waggle__queue_free(struct waggle__queue *q);
/* No more records are wanted: its number is free for another queue. A thread that did not know yet
 * may still put one in, which is lost. */
void waggle__queue_retire(struct waggle__queue *q);
/* Little or no room is left, although no batch may be complete: take all. */
bool waggle__queue_is_short(const struct waggle__queue *q);
/* Copy a record in. False if there is no room (counted). Sets *ret_wake if a batch is complete. */
bool waggle__queue_put(struct waggle__queue *q, struct waggle__thread *t,
                       const waggle_record *record, bool *ret_wake);
/* Consumer: take up to max records, also of chunks that are still being filled if `all`. They are
 * copied behind each other into ret_bytes. Returns their number. */
size_t waggle__queue_take(struct waggle__queue *q, bool all, waggle_record *ret_records, size_t max,
                          uint8_t *ret_bytes, size_t cap);
/* Records in chunks that are complete. */
uint32_t waggle__queue_ready(const struct waggle__queue *q);
void waggle__queue_thread_exit(struct waggle__thread *t);
void waggle__queue_after_fork(struct waggle__queue *q);
void waggle__queues_lock(void);
void waggle__queues_unlock(void);

/* --- reading records: record.c ------------------------------------------------------------- */

/* A bounded walk over the fields of a protobuf message; `bad` once it would leave it. */
struct waggle__reader {
    const uint8_t *p;
    size_t n, at;
    bool bad;
};

struct waggle__field {
    uint32_t number, wire;
    uint64_t value; /* varint, fixed */
    waggle_str bytes;
};

/* The next field; false at the end and when the bytes are bad. */
bool waggle__field_next(struct waggle__reader *r, struct waggle__field *ret_field);

/* The bytes of the next field of that number (0: any), or the attribute there, from the cursor on.
 */
bool waggle__next_of(waggle_str message, waggle_cursor *cursor, uint32_t number, waggle_str *ret);
bool waggle__next_attr(waggle_str message, waggle_cursor *cursor, uint32_t number,
                       waggle_attr_data *ret_attr);

/* --- the report of drops: report.c --------------------------------------------------------- */

enum { WAGGLE__REPORT_BYTES = 1024 };

/* What was told so far. */
struct waggle__report {
    uint64_t told[WAGGLE__N_COUNTERS];
    uint64_t since_ns; /* UTC */
};

/* Begin: what was dropped before is not told. */
void waggle__report_init(struct waggle__report *report);

/* If more was dropped than was told: a record of a span that counts it. */
bool waggle__report_make(struct waggle__report *report, uint8_t ret_bytes[WAGGLE__REPORT_BYTES],
                         waggle_record *ret_record);

/* --- errors: error.c ----------------------------------------------------------------------- */

void waggle__error_lock(void);
void waggle__error_unlock(void);
/* Standard error hears of these, unless the program said who hears. */
void waggle__error_level(enum waggle_level level);
/* One line to the error handler. The text says what follows ("..., ignoring it"). */
void waggle__error(enum waggle_level level, const char *format, ...) WAGGLE__PRINTF(2, 3);

/* --- the environment: env.c ---------------------------------------------------------------- */

/* The value; NULL if unset or empty. */
const char *waggle__env(const char *name);
/* A number; `otherwise` if unset, or malformed (which is told). */
uint32_t waggle__env_u32(const char *name, uint32_t otherwise);
bool waggle__env_true(const char *name);
/* What was given, else the first of these variables that is set (other: may be NULL), else "". */
const char *waggle__setting(const char *given, const char *variable, const char *other);
/* Copy texts into one block, which is to be freed, and let each *ret point to its copy; NULL
 * without memory. */
struct waggle__copied {
    const char **ret;
    const char *value;
};
char *waggle__copy_texts(const struct waggle__copied *all, size_t n);
/* Walk a comma list of k=v with percent-decoded values. False, and no call, if any is malformed. */
bool waggle__pairs(const char *list, waggle__pair_fn *fn, void *self);
/* The next name of a comma list into ret; false at its end. Names of 64 bytes and more are cut. */
bool waggle__next_name(const char **list, char ret[64]);
void waggle__env_limits(waggle_limits *limits);
void waggle__env_log_limits(waggle_log_limits *limits);
void waggle__env_batch(waggle_batch_options *options, enum waggle_signal signal);
void waggle__env_reader(waggle_reader_options *options);
enum waggle_exemplar_filter waggle__env_exemplars(void);
struct waggle_sampler *waggle__env_sampler(const char *service_name);
/* The exporters of OTEL_TRACES_EXPORTER, each handed to `add` with the provider. False if one
 * cannot be made. */
bool waggle__env_exporters(enum waggle_signal signal, const char *endpoint,
                           bool (*add)(void *self, struct waggle_exporter *exporter),
                           struct waggle_provider *provider);
void waggle__env_propagators(void);

/* --- exporters ----------------------------------------------------------------------------- */

/* Is there a transport for OTLP over gRPC? */
bool waggle__otlp_has_grpc(void);
/* One, of the environment's certificates; NULL without memory, or if there are none. */
struct waggle_transport *waggle__otlp_grpc_transport(void);
/* Wait; false if the deadline's cancel_fd became readable first. */
bool waggle__wait(uint32_t ms, const waggle_deadline *deadline);

#endif
