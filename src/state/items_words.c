// SPDX-License-Identifier: Apache-2.0
/* Functions of SQL about items: the words and terms of a question (items.h), which a search asks of
 * each item (items_list.c), and the key of one.
 *
 *   words   "card refused"                        each of them somewhere in the item's text
 *   terms   "+" or "-", a letter ('A' + enum skep_item_column), values that begin with US; LF
 *
 * An item's text is its title, type, culprit and dataset, a blank between.  Case does not matter:
 * what is sought is folded once, an item's texts when they are looked at.  Letters beyond ASCII are
 * what they are.
 *
 * Threads: under the state's lock.  Memory: the text of an item a function. */
#include "base/assert.h"
#include "base/mem.h"
#include "state/items_priv.h"
#include "state/state_priv.h"

enum { VALUE_MARK = 0x1f, ITEM_TEXT_MAX = 1 << 20 /* of an item; what it keeps is far below */ };

static void fold(struct skep_buf *b, skep_str s)
{
    if (!skep_buf_reserve(b, s.n))
        return;
    uint8_t *to = b->p + b->n;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        to[i] = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    }
    b->n += s.n;
}

skep_str skep_state__items_folded(skep_str s, struct skep_buf *out)
{
    fold(out, s);
    return out->n ? skep_buf_text(out) : SKEP_STR("");
}

/* Marks in a value are blanks to it. */
static void put_value(struct skep_buf *out, skep_str value)
{
    size_t from = out->n;
    skep_buf_u8(out, VALUE_MARK);
    fold(out, value);
    for (size_t k = from + 1; k < out->n; k++) {
        uint8_t c = out->p[k];
        out->p[k] = c == VALUE_MARK || c == '\n' || c == '\0' ? ' ' : c;
    }
}

skep_str skep_state__items_terms(const struct skep_item_query *q, struct skep_buf *out)
{
    for (unsigned i = 0; i < q->n_terms; i++) {
        const struct skep_item_term *t = &q->terms[i];
        skep_buf_u8(out, t->negative ? '-' : '+');
        skep_buf_u8(out, (uint8_t)('A' + t->column));
        for (unsigned v = 0; v < t->n_values; v++)
            put_value(out, t->values[v]);
        skep_buf_u8(out, '\n');
    }
    return out->n ? skep_buf_text(out) : SKEP_STR("");
}

// --- functions of SQL --------------------------------------------------------------------------

static skep_str value_of(sqlite3_value *v)
{
    const unsigned char *text = sqlite3_value_text(v);
    return (skep_str){(const char *)text, text ? (size_t)sqlite3_value_bytes(v) : 0};
}

/* n columns, a blank between. */
static skep_str text_of(struct skep_buf *b, sqlite3_value **columns, unsigned n)
{
    skep_buf_reset(b);
    for (unsigned i = 0; i < n; i++) {
        if (i > 0)
            skep_buf_u8(b, ' ');
        fold(b, value_of(columns[i]));
    }
    return skep_buf_text(b);
}

static bool holds(skep_str text, skep_str part)
{
    return skep_str_find(text, part) != SIZE_MAX;
}

/* has_words(words, title, type, culprit, dataset) */
static void has_words(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    skep_assert(n == 5);
    skep_str text = text_of(sqlite3_user_data(ctx), args + 1, 4), rest = value_of(args[0]);
    bool all = true;
    while (all && rest.p && rest.n)
        all = holds(text, skep_str_cut(&rest, ' '));
    sqlite3_result_int(ctx, all);
}

static bool passes(struct skep_buf *b, skep_str term, sqlite3_value **columns)
{
    bool negative = term.p[0] == '-', any = false;
    unsigned column = (unsigned)(term.p[1] - 'A');
    skep_assert(term.n > 2 && column < SKEP_ITEM_COLUMNS);
    bool whole = column >= SKEP_ITEM_OWNER;
    skep_str text = column == SKEP_ITEM_WORDS ? text_of(b, columns, 4)
                                              : text_of(b, columns + column - SKEP_ITEM_TITLE, 1);
    term = skep_str_skip(term, 3);
    while (!any && term.p) {
        skep_str value = skep_str_cut(&term, VALUE_MARK);
        any = whole ? skep_str_eq(text, value) : holds(text, value);
    }
    return any != negative;
}

/* item_terms(terms, title, type ...): the columns of enum skep_item_column. */
static void item_terms(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    skep_assert(n == SKEP_ITEM_COLUMNS);
    skep_str rest = value_of(args[0]);
    bool all = true;
    while (all && rest.p && rest.n)
        all = passes(sqlite3_user_data(ctx), skep_str_cut(&rest, '\n'), args + 1);
    sqlite3_result_int(ctx, all);
}

/* item_key(environment, stage, fingerprint): skep_state__item_key, for migrations. */
static void item_key(sqlite3_context *ctx, int n, sqlite3_value **args)
{
    skep_assert(n == 3);
    sqlite3_result_int64(
        ctx, skep_state__item_key(value_of(args[0]), value_of(args[1]), value_of(args[2])));
}

static void free_text(void *p)
{
    skep_buf_done(p);
    skep_free(p);
}

static bool define(sqlite3 *db, const char *name, int n_args,
                   void (*f)(sqlite3_context *, int, sqlite3_value **))
{
    struct skep_buf *text = skep_alloc(struct skep_buf);
    skep_buf_init(text, ITEM_TEXT_MAX);
    return sqlite3_create_function_v2(db, name, n_args, SQLITE_UTF8 | SQLITE_DETERMINISTIC, text, f,
                                      NULL, NULL, free_text) == SQLITE_OK;
}

bool skep_state__items_open(sqlite3 *db)
{
    return define(db, "item_terms", SKEP_ITEM_COLUMNS, item_terms) &&
           define(db, "has_words", 5, has_words) && define(db, "item_key", 3, item_key);
}
