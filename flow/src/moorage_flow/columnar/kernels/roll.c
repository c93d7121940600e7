/* Windows of a number of rows, one for each key, of which only sums are told, each batch of rows in one call. See
   moorage_flow.columnar.rolling. */
#include "grouped.h"
#include "rings.h"

/* What a state holds, before totals and counts of each sum: the keys of words and those words; the pieces of the keys. */
enum { TABLE, WORDS, PIECES, FIRST };
enum { NO_ROOM = -4, NO_KEY = -5 };

/* How a plan goes on behind its sums: how many rows a window holds, how many columns are told. Each follows: a column's place, or the
   complement of twice a sum's, one more where it is a mean. */
struct rolling {
    int64_t most, told;
};

/* Rows on their way: how many, which of the batch (NULL: all), their keys by row of the batch; of each the word of the pieces that its
   first column goes to, whether it takes the place of another there, and whether it is told. */
struct passing {
    int64_t count;
    const int64_t *chosen, *keys, *at;
    const uint8_t *full, *last;
};

/* Take the row whose place each row takes out of a sum, and the row into it; where that is told, write what the sum is then. `out` and
   `counts` have a word more than rows are told. */
#define PASS(NAME, VALUE)                                                                                                          \
static void NAME(const struct summed *s, const struct passing *p, VALUE *cells, VALUE *restrict out, int64_t *restrict counts)     \
{                                                                                                                                  \
    const VALUE *values = s->values;                                                                                               \
    VALUE *totals = s->totals;                                                                                                     \
    int64_t *held = s->held, told = 0;                                                                                             \
    for (int64_t i = 0; i < p->count; i++) {                                                                                       \
        int64_t row = p->chosen ? p->chosen[i] : i, key = p->keys[row];                                                            \
        VALUE *cell = cells + p->at[i], value = values[row], total = totals[key];                                                  \
        int64_t some = held[key];                                                                                                  \
        if (p->full[i]) {                                                                                                          \
            total -= *cell;                                                                                                        \
            if (--some == 0) total = 0;                                                                                            \
        }                                                                                                                          \
        *cell = value;                                                                                                             \
        out[told] = totals[key] = total + value;                                                                                   \
        counts[told] = held[key] = some + 1;                                                                                       \
        told += p->last[i];                                                                                                        \
    }                                                                                                                              \
}
typedef uint64_t __attribute__((may_alias)) whole;
typedef double __attribute__((may_alias)) real;
PASS(pass_wholes, whole)
PASS(pass_reals, real)

static void pass_counts(const struct summed *s, const struct passing *p, int64_t *restrict counts)
{
    int64_t *held = s->held, told = 0;
    for (int64_t i = 0; i < p->count; i++) {
        int64_t key = p->keys[p->chosen ? p->chosen[i] : i];
        counts[told] = held[key] += !p->full[i];
        told += p->last[i];
    }
}

/* Take rows into the windows of their keys, of which `known` are known; the pieces have `width` words each and `room` rows. Write the
   times of the rows that are told and then each column; give how many they are, or why not. `scratch` has place for all rows seven
   times and four words. Where windows have no room, the first lane tells how much they need. */
int64_t flow_roll(object values, object times, object plan, object state, object scratch, object lanes, int64_t known, int64_t width,
                  int64_t room, int64_t turn)
{
    struct planned p = planned(plan);
    const struct grouping *of = (const struct grouping *)p.rest;
    const struct rolling *window = (const struct rolling *)((const int64_t *)(of + 1) + 2 * of->sums);
    const int64_t *told = (const int64_t *)(window + 1);
    struct given g;
    struct registers r;
    struct test tests[MOST];
    struct summed sums[MOST_COLUMNS];
    int64_t column[MOST_COLUMNS] = {0}, columns = 0, n = begin(&p, values, times, &g, &r, tests), rows = 0;
    if (n < 0) return n;
    object array = item(state, PIECES);
    if (!is_array(array, WHOLES) || length(array) < known * width) return NOT_READY;
    if (!read_sums(&p, &g, state, FIRST, known, sums)) return NOT_READY;
    for (int64_t j = 0; j < of->sums; j++) {
        column[j] = columns;
        columns += sums[j].kind != COUNTED;
    }
    if (width < COLUMNS + columns * room) return NOT_READY;
    int64_t *pieces = data(array), *keys = data(scratch), *at = keys + n, *chosen = at + n, *which = chosen + n, *out = which + n;
    int64_t *counts = out + n + 1;
    uint8_t *full = (uint8_t *)(counts + n + 1), *last = full + n;
    if (!find_groups(&g, of->by, item(state, TABLE), item(state, WORDS), known, n, NULL, keys)) return NO_KEY;
    struct passing rest = {n, NULL, keys, at, full, last};
    if (p.size.result >= 0) {
        rest.count = sift(&p, &g, &r, tests, chosen);
        if (rest.count < n) rest.chosen = chosen;
        if (rest.count == 0) return 0;
    }
    if (room < window->most) {
        int64_t needed = needed_room(rest.count, rest.chosen, keys, pieces, width, turn);
        *(int64_t *)data(lanes) = needed;
        if (needed > room) return NO_ROOM;
    }
    /* Nothing fails from here on. Rows belong together as long as those that come are of one key, whether they pass the filter or not. */
    for (int64_t i = 0, row = rest.chosen ? *chosen : 0, next; i < rest.count; i++, row = next) {
        if (i + AHEAD < rest.count) __builtin_prefetch(pieces + keys[rest.chosen ? chosen[i + AHEAD] : i + AHEAD] * width, 1);
        int64_t *piece = pieces + keys[row] * width, place = piece[OLDEST], over = piece[HELD] >= window->most;
        if (over) {
            piece[OLDEST] = place + 1 < room ? place + 1 : 0;
        } else {
            place += piece[HELD]++;
            if (place >= room) place -= room;
        }
        full[i] = (uint8_t)over;
        at[i] = keys[row] * width + COLUMNS + place;
        __builtin_prefetch(pieces + at[i], 1);
        next = i + 1 == rest.count ? n : rest.chosen ? chosen[i + 1] : i + 1;
        int together = next < n;
        for (int64_t k = row + 1; together && k <= next; k++) together = keys[k] == keys[row];
        last[i] = !together;
        which[rows] = row;
        rows += last[i];
    }
    int64_t *to = data(lanes);
    move(rows, which, (const any64 *)g.times, (any64 *)to);
    for (int64_t j = 0; j < window->told; j++) {
        int64_t place = told[j], sum = ~place / 2, mean = ~place & 1;
        to += rows;
        if (place >= 0) {
            if (p.kinds[place] == OF_BOOL) move_bytes(rows, which, g.columns[place], (uint8_t *)to);
            else move(rows, which, g.columns[place], (any64 *)to);
            continue;
        }
        const struct summed *s = sums + sum;
        int64_t *cells = pieces + column[sum] * room;
        if (s->kind == COUNTED) {
            pass_counts(s, &rest, out);
        } else if (s->kind == SUM_OF_WHOLES) {
            pass_wholes(s, &rest, (whole *)cells, (whole *)out, counts);
            if (mean) for (int64_t i = 0; i < rows; i++) ((real *)to)[i] = (double)out[i] / (double)counts[i];
        } else {
            pass_reals(s, &rest, (real *)cells, (real *)out, counts);
            if (mean) for (int64_t i = 0; i < rows; i++) ((real *)to)[i] = ((const real *)out)[i] / (double)counts[i];
        }
        if (!mean) memcpy(to, out, (size_t)rows * 8);
    }
    return rows;
}
