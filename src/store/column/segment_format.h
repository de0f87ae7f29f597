// SPDX-License-Identifier: Apache-2.0
/* Segment files, version 1: numbers shared by writer and reader.  docs/formats/segment.md has every
 * byte; this is its summary.
 *
 *   header 32 bytes | chunks, back to back | footer | trailer 32 bytes
 *
 * Everything is little-endian and unaligned.  Each chunk's CRC-32C stands where its place stands
 * (a struct skep_chunk_ref) and starts from the chunk's offset, so that a chunk read from the wrong
 * place does not pass. */
#pragma once

#include "base/bytes.h"
#include "base/hash.h"

#define SKEP_SEGMENT_MAGIC     "skepseg\n"
#define SKEP_SEGMENT_END_MAGIC "skepend\n"

enum {
    SKEP_SEGMENT_VERSION = 1,
    SKEP_SEGMENT_HEADER_BYTES = 32,
    SKEP_SEGMENT_TRAILER_BYTES = 32,
    SKEP_SEGMENT_REF_BYTES = 16,
    SKEP_SEGMENT_ENTRY_BYTES = 80,
    SKEP_SEGMENT_MAX_DENSE = 1024,       /* dense columns of attributes */
    SKEP_SEGMENT_DENSE_SHARE = 256,      /* dense when present in 1/256 of the rows */
    SKEP_SEGMENT_PAGE_BYTES = 128 << 10, /* of sparse values, before compression */
    SKEP_SEGMENT_PART_BYTES = 2 << 20,   /* of string values in one chunk */
    SKEP_SEGMENT_CHUNK_MAX = 1 << 30,
    SKEP_SEGMENT_FOOTER_MAX = 256 << 20,
    SKEP_SEGMENT_ZONE_BYTES = 16,
    SKEP_SEGMENT_INDEX_PAGE = 1024, /* traces in a page of the trace index */
    SKEP_SEGMENT_INDEX_SHIFT = 24,  /* of a trace's hash, the index keeps the upper 40 bits */
    SKEP_SEGMENT_FIELD_KEY = 64     /* key of field f in directories: 64 + f; below: columns */
};

/* Required features: a reader that lacks one refuses the file.  Optional: it may ignore them. */
#define SKEP_SEGMENT_TAKEN_OVER    1ull        /* row groups may be short, and of other origins */
#define SKEP_SEGMENT_NEEDS_CODECS  (1ull << 1) /* codecs and presences beyond the first set */
#define SKEP_SEGMENT_LOGS          (1ull << 2) /* rows by dataset and time, not by trace */
#define SKEP_SEGMENT_NEEDS_REPEATS (1ull << 3) /* the codec of templates with repeats */
#define SKEP_SEGMENT_REQUIRED_KNOWN                                                                \
    (SKEP_SEGMENT_TAKEN_OVER | SKEP_SEGMENT_NEEDS_CODECS | SKEP_SEGMENT_LOGS |                     \
     SKEP_SEGMENT_NEEDS_REPEATS)
#define SKEP_SEGMENT_FILTERS        1ull /* optional: some string columns have a filter */
#define SKEP_SEGMENT_OPTIONAL_KNOWN SKEP_SEGMENT_FILTERS

/* Where a chunk is.  On disk: u64 offset, u32 length, u32 crc.  length 0 = no chunk. */
struct skep_chunk_ref {
    uint64_t offset;
    uint32_t length, crc;
};

/* Which rows have a value.  On disk; the last two need feature bit 1 (segment_base.c). */
enum skep_presence {
    SKEP_PRESENCE_NONE = 0,
    SKEP_PRESENCE_ALL = 1,
    SKEP_PRESENCE_BITMAP = 2,
    SKEP_PRESENCE_ROWS = 3, /* few have, or few have not: a list */
    SKEP_PRESENCE_CODES = 4 /* follows the codes of another column */
};

/* What entry.flags say.  On disk. */
enum {
    SKEP_ENTRY_DICT_SEGMENT =
        1 << 0,                     /* values are codes into the segment's dictionary of the key */
    SKEP_ENTRY_DICT_LOCAL = 1 << 1, /* ... into the chunk `dict` */
    SKEP_ENTRY_PARTS = 1 << 2,      /* `data` is a list of chunks */
    SKEP_ENTRY_ZONES = 1 << 3,      /* the data chunk ends with min, max of each block */
    SKEP_ENTRY_ZONES_PACKED = 1 << 4, /* the same, each in a frame of reference; feature bit 1 */
    SKEP_ENTRY_FILTER = 1 << 5        /* min, max are the reference of its filter; optional bit 0 */
};

/* One column of one row group.  On disk 80 bytes, in this order. */
struct skep_column_entry {
    uint32_t key;
    uint8_t codec, presence, flags, dict_codec;
    uint32_t n_present, dict_n;
    struct skep_chunk_ref data, bitmap, dict;
    uint64_t min, max; /* bits of int64 or double; of the present values; valid with ZONES */
};

static inline uint32_t skep_chunk_crc(uint64_t offset, skep_bytes b)
{
    return skep_crc32c((uint32_t)(offset ^ (offset >> 32)), b);
}
