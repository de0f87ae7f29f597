// SPDX-License-Identifier: Apache-2.0
/* Column codecs: an array of 1..65,536 values to bytes and back, any range of it alone.
 *
 * One file a codec, all listed in codecs.c; docs/formats/segment.md has the bytes.  Codecs are
 * stateless; any thread.  Integers are int64 (bools 0/1, doubles their bits, dictionary codes).
 * To add one: a file, a row in codecs.c, an id here; the conformance suite tests it. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "event/event.h"
#include "store/column/codec/bits.h"

enum {
    SKEP_CODEC_BLOCK = 1024,
    SKEP_CODEC_MAX_VALUES = 65536,
    SKEP_CODEC_SAMPLE = 768 /* values looked at before all are */
};

/* On disk: never reuse. */
enum skep_codec_id {
    SKEP_CODEC_CONSTANT = 1,
    SKEP_CODEC_RAW64 = 2,
    SKEP_CODEC_FOR = 3,
    SKEP_CODEC_DELTA = 4,
    SKEP_CODEC_RLE = 5,
    SKEP_CODEC_IDICT = 6,
    SKEP_CODEC_DECIMAL = 7,
    SKEP_CODEC_CLASSES = 8,
    SKEP_CODEC_DCLASSES = 9,
    SKEP_CODEC_STR = 16,
    SKEP_CODEC_FSST = 17,
    SKEP_CODEC_TMPL18 = 18, /* read, no longer written */
    SKEP_CODEC_TMPL = 19,
    /* Not in the table: columns with a layout of their own (segment_ids.c). */
    SKEP_CODEC_TRACE_RUNS = 32,
    SKEP_CODEC_PARENT_REFS = 33,
    SKEP_CODEC_MAP = 34, /* map.h: values follow another column */
    SKEP_CODEC_LAG = 35  /* segment_lag.h: steps beside another column */
};

enum skep_codec_kind { SKEP_CODEC_INTS, SKEP_CODEC_STRINGS };

/* What is to be encoded; n values of one of the two arrays. */
struct skep_codec_in {
    uint32_t n; /* 1..SKEP_CODEC_MAX_VALUES */
    bool f64;   /* ints are the bits of doubles */
    bool codes; /* ints are codes of a dictionary or list numbers: counted and compared packed */
    const int64_t *ints;
    const skep_str *strs;
};

/* Encoded bytes; readable SKEP_BITS_PAD bytes past the end.  The bytes are hostile. */
struct skep_codec_chunk {
    const uint8_t *p;
    size_t n;
    uint32_t n_values;
};

/* What a codec has made of a chunk to decode it, kept from call to call. */
struct skep_codec_opened {
    const uint8_t *p;
    size_t n;
    void *state;
    void (*close)(void *state);
};
/* Memory for decoded strings, reused after each reset. */
struct skep_codec_scratch {
    struct skep_codec_opened opened;
    struct skep_codec__block {
        struct skep_codec__block *older;
        size_t n, cap;
        uint8_t bytes[];
    } * head;
};
/* n bytes, valid until the next reset. */
uint8_t *skep_codec_scratch_take(struct skep_codec_scratch *s, size_t n);
/* Keeps the newest block. */
void skep_codec_scratch_reset(struct skep_codec_scratch *s);
/* Before the bytes of a chunk that was decoded with this scratch go, or change. */
void skep_codec_scratch_forget(struct skep_codec_scratch *s);
void skep_codec_scratch_done(struct skep_codec_scratch *s);

/* A member of a JSON document: the keys on the way to it. */
struct skep_codec_path {
    const skep_str *keys;
    unsigned n;    /* > 0 */
    uint64_t hash; /* of all of them: a path is told from others by it */
};

struct skep_codec_ops {
    const char *name; /* shown in skep dump */
    uint8_t id;
    uint8_t kind; /* enum skep_codec_kind */
    /* Encoded size in bytes, exact or estimated; SIZE_MAX = cannot encode these. */
    size_t (*score)(const struct skep_codec_in *in);
    /* Append the encoding; goes bad with the buffer's limit. */
    void (*encode)(const struct skep_codec_in *in, struct skep_buf *out);
    /* Values [first, first + n) of the chunk, n <= SKEP_CODEC_MAX_VALUES.  INTS: */
    skep_rc (*decode)(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t *out);
    /* INTS, all optional; callers use the functions below, which do without.
     * The same values as 32-bit numbers; ECORRUPT when one does not fit. */
    skep_rc (*decode32)(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                        uint32_t *out);
    /* counts[v - low] += 1 for each value v; ECORRUPT for one outside [low, low + n_counts). */
    skep_rc (*tally)(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t low,
                     uint32_t *counts, uint32_t n_counts);
    /* Bit i of bits: is value first + i in [lo, hi]?  Sets ceil(n / 64) words. */
    skep_rc (*between)(const struct skep_codec_chunk *c, uint32_t first, uint32_t n, int64_t lo,
                       int64_t hi, uint64_t *bits);
    /* STRINGS: out[i] points into the chunk or into the scratch. */
    skep_rc (*decode_str)(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                          skep_str *out, struct skep_codec_scratch *scratch);
    /* STRINGS, optional (skep_codec_contains() does without).  Bit i of bits: does string first + i
     * contain the text?  n <= SKEP_CODEC_BLOCK; ceil(n / 64) words. */
    skep_rc (*contains)(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                        skep_str needle, uint64_t *bits, struct skep_codec_scratch *scratch);
    /* STRINGS, optional.  As decode_str, of the strings with wanted[i]; other out[i] are not set or
     * anything. */
    skep_rc (*some)(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                    const uint8_t *wanted, skep_str *out, struct skep_codec_scratch *scratch);
    /* STRINGS, optional.  Of the strings with wanted[i]: known[i] = is it told here what the string
     * as a JSON document has at the path?  Then ret[i]: null (also where it is no document), bool,
     * integer, double or string; no list and no map.  Texts stand in the scratch, or the chunk
     * while that is the one last read.  n <= SKEP_CODEC_BLOCK. */
    skep_rc (*members)(const struct skep_codec_chunk *c, uint32_t first, uint32_t n,
                       const struct skep_codec_path *path, const uint8_t *wanted, uint8_t *known,
                       skep_value *ret, struct skep_codec_scratch *scratch);
};

extern const struct skep_codec_ops skep_codec_constant, skep_codec_raw64, skep_codec_for,
    skep_codec_delta, skep_codec_rle, skep_codec_idict, skep_codec_decimal, skep_codec_classes,
    skep_codec_dclasses, skep_codec_str, skep_codec_fsst, skep_codec_tmpl18, skep_codec_tmpl;

/* The codec of an id, or NULL. */
const struct skep_codec_ops *skep_codec_find(uint8_t id);
/* All codecs; *ret_n of them. */
const struct skep_codec_ops *const *skep_codec_all(size_t *ret_n);
/* The one with the lowest score for these values. */
const struct skep_codec_ops *skep_codec_choose(const struct skep_codec_in *in, size_t *ret_score);

/* The optional members, or what does the same by decode (codes.c).  n <= SKEP_CODEC_BLOCK for
 * between(). */
SKEP_NODISCARD skep_rc skep_codec_decode32(const struct skep_codec_ops *o,
                                           const struct skep_codec_chunk *c, uint32_t first,
                                           uint32_t n, uint32_t *out);
SKEP_NODISCARD skep_rc skep_codec_tally(const struct skep_codec_ops *o,
                                        const struct skep_codec_chunk *c, uint32_t first,
                                        uint32_t n, int64_t low, uint32_t *counts,
                                        uint32_t n_counts);
SKEP_NODISCARD skep_rc skep_codec_between(const struct skep_codec_ops *o,
                                          const struct skep_codec_chunk *c, uint32_t first,
                                          uint32_t n, int64_t lo, int64_t hi, uint64_t *bits);
/* bits[i / 64] bit i % 64 = v[i] in [lo, hi]; ceil(n / 64) words. */
void skep_codec__bits_between(const int64_t *v, uint32_t n, int64_t lo, int64_t hi, uint64_t *bits);
void skep_codec__bits_between32(const uint32_t *v, uint32_t n, uint32_t lo, uint32_t hi,
                                uint64_t *bits);
SKEP_NODISCARD skep_rc skep_codec_contains(const struct skep_codec_ops *o,
                                           const struct skep_codec_chunk *c, uint32_t first,
                                           uint32_t n, skep_str needle, uint64_t *bits,
                                           struct skep_codec_scratch *scratch);
/* Which of the strings contain the text; fastest where they stand back to back (search.c). */
void skep_codec_search(const skep_str *s, uint32_t n, skep_str needle, uint64_t *bits);
/* Set bits [first, first + n). */
void skep_codec__set_bits(uint64_t *bits, uint32_t first, uint32_t n);

/* Building blocks shared by the codecs: frame of reference with exceptions (for.c). */
size_t skep_codec__for_size(const int64_t *v, uint32_t n);
/* The smallest and the largest of v[n], n > 0. */
void skep_codec__bounds(const int64_t *v, uint32_t n, int64_t *ret_min, int64_t *ret_max);
void skep_codec__for_put(const int64_t *v, uint32_t n, struct skep_buf *out);
SKEP_NODISCARD skep_rc skep_codec__for_get(const struct skep_codec_chunk *c, uint32_t first,
                                           uint32_t n, int64_t *out);
SKEP_NODISCARD skep_rc skep_codec__for_get32(const struct skep_codec_chunk *c, uint32_t first,
                                             uint32_t n, uint32_t *out);
/* And byte strings back to back with their lengths (str.c): `lengths` of all n values, then the
 * caller appends the bytes themselves. */
void skep_codec__heap_put(const int64_t *lengths, uint32_t n, struct skep_buf *out);
/* Where value `first` begins and the lengths of n values; the n values lie inside the chunk. */
SKEP_NODISCARD skep_rc skep_codec__heap_get(const struct skep_codec_chunk *c, uint32_t first,
                                            uint32_t n, const uint8_t **ret_p, uint32_t *lengths);
size_t skep_codec__heap_size(const int64_t *lengths, uint32_t n);

/* Classes (classes.c).  Size in bytes, weighted for being slower; SIZE_MAX = not these. */
size_t skep_codec__classes_size(const int64_t *v, uint32_t n);
void skep_codec__classes_put(const int64_t *v, uint32_t n, struct skep_buf *out);
SKEP_NODISCARD skep_rc skep_codec__classes_get(const struct skep_codec_chunk *c, uint32_t first,
                                               uint32_t n, int64_t *out);
/* Would classes be enough smaller than a frame of reference for a sample like this? */
bool skep_codec__classes_promise(const int64_t *v, uint32_t n);
/* Runs of v[n], n > SKEP_CODEC_SAMPLE, or of the differences there; room for SKEP_CODEC_SAMPLE. */
uint32_t skep_codec__sample(const int64_t *v, uint32_t n, bool differences, int64_t *out);
