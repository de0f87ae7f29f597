// SPDX-License-Identifier: Apache-2.0
/* Words and terms of a question about items (items.h).
 *
 *   item_words    an index of the parts of three letters of title, type, culprit and dataset
 *                 together, whatever their case, without the texts (FTS5's trigrams)
 *   words, terms  their parts -> items that could have them -> has_words, item_terms: those that do
 *
 * I1  the index names every item that has a word: what it cannot say (two letters, letters beyond
 *     ASCII, terms of other columns, one of several, negative ones) is not asked of it.
 *
 * Threads: any.  Memory: the caller's buffers. */
#include "base/assert.h"
#include "state/items_priv.h"
#include "state/state_priv.h"

// --- functions of SQL --------------------------------------------------------------------------

static char folded(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool holds(skep_str hay, skep_str part)
{
    char first = part.n ? folded(part.p[0]) : 0;
    for (size_t i = 0; part.n > 0 && i + part.n <= hay.n; i++) {
        if (folded(hay.p[i]) == first && skep_str_ieq((skep_str){hay.p + i, part.n}, part))
            return true;
    }
    return part.n == 0;
}

/* has_words(text, words): each word somewhere in the text, whatever the case. */
static void has_words(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    skep_assert(n == 2);
    const unsigned char *text = sqlite3_value_text(args[0]), *words = sqlite3_value_text(args[1]);
    skep_str hay = {(const char *)text, (size_t)sqlite3_value_bytes(args[0])};
    skep_str rest = {(const char *)words, (size_t)sqlite3_value_bytes(args[1])};
    bool all = text && words;
    while (all && rest.p && rest.n)
        all = holds(hay, skep_str_cut(&rest, ' '));
    sqlite3_result_int(ctx, all);
}

/* item_terms(terms, words, title, type ...): do the columns pass all terms?
 *
 *   a term      "+" or "-", a letter ('A' + enum skep_item_column), values that begin with US; LF
 */
enum { VALUE_MARK = 0x1f };

static bool passes(skep_str term, sqlite3_value **columns)
{
    bool negative = term.p[0] == '-', any = false;
    unsigned column = (unsigned)(term.p[1] - 'A');
    skep_assert(term.n > 2 && column < SKEP_ITEM_COLUMNS);
    bool whole = column >= SKEP_ITEM_OWNER;
    skep_str hay = {(const char *)sqlite3_value_text(columns[column]),
                    (size_t)sqlite3_value_bytes(columns[column])};
    term = skep_str_skip(term, 3);
    while (!any && term.p) {
        skep_str value = skep_str_cut(&term, VALUE_MARK);
        any = whole ? skep_str_ieq(hay, value) : holds(hay, value);
    }
    return any != negative;
}

static void item_terms(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    skep_assert(n == 1 + SKEP_ITEM_COLUMNS);
    skep_str rest = {(const char *)sqlite3_value_text(args[0]),
                     (size_t)sqlite3_value_bytes(args[0])};
    bool all = true;
    while (all && rest.p && rest.n)
        all = passes(skep_str_cut(&rest, '\n'), args + 1);
    sqlite3_result_int(ctx, all);
}

/* Marks in a value are blanks to it. */
skep_str skep_state__items_terms(const struct skep_item_query *q, struct skep_buf *out)
{
    for (unsigned i = 0; i < q->n_terms; i++) {
        const struct skep_item_term *t = &q->terms[i];
        skep_buf_u8(out, t->negative ? '-' : '+');
        skep_buf_u8(out, (uint8_t)('A' + t->column));
        for (unsigned v = 0; v < t->n_values; v++) {
            skep_buf_u8(out, VALUE_MARK);
            for (size_t k = 0; k < t->values[v].n; k++) {
                char c = t->values[v].p[k];
                skep_buf_u8(out, c == VALUE_MARK || c == '\n' || c == '\0' ? ' ' : (uint8_t)c);
            }
        }
        skep_buf_u8(out, '\n');
    }
    return out->n ? skep_buf_text(out) : SKEP_STR("");
}

// --- what the index is asked -------------------------------------------------------------------

enum { PART = 3, PARTS_MAX = 24 /* of a word: more hardly narrow */ };

/* AND "abc" AND "bcd" ... */
static void put_parts(skep_str word, struct skep_buf *out)
{
    unsigned n = 0;
    for (size_t i = 0; i + PART <= word.n && n < PARTS_MAX; i++) {
        bool ascii = true;
        for (size_t k = i; k < i + PART; k++)
            ascii = ascii && word.p[k] > 0;
        if (!ascii)
            continue;
        skep_buf_str(out, out->n ? SKEP_STR(" AND \"") : SKEP_STR("\""));
        for (size_t k = i; k < i + PART; k++) {
            if (word.p[k] == '"')
                skep_buf_u8(out, '"');
            skep_buf_u8(out, (uint8_t)word.p[k]);
        }
        skep_buf_u8(out, '"');
        n++;
    }
}

skep_str skep_state__items_parts(const struct skep_item_query *q, struct skep_buf *out)
{
    skep_str rest = q->words;
    while (rest.p && rest.n)
        put_parts(skep_str_cut(&rest, ' '), out);
    for (unsigned i = 0; i < q->n_terms; i++) {
        const struct skep_item_term *t = &q->terms[i];
        bool indexed = t->column <= SKEP_ITEM_DATASET; /* I1 */
        if (indexed && !t->negative && t->n_values == 1)
            put_parts(t->values[0], out);
    }
    return out->n ? skep_buf_text(out) : SKEP_STR("");
}

bool skep_state__items_open(sqlite3 *db)
{
    return sqlite3_create_function(db, "item_terms", 1 + SKEP_ITEM_COLUMNS,
                                   SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, item_terms, NULL,
                                   NULL) == SQLITE_OK &&
           sqlite3_create_function(db, "has_words", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                   has_words, NULL, NULL) == SQLITE_OK;
}
