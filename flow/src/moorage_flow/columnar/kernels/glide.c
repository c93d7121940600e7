/* Windows that slide of which only sums are told, each batch of rows in one call. See moorage_flow.columnar.gliding. */
#include "grouped.h"

/* What a state holds, before totals and counts of each sum and then the values of each: the codes of words' groups and those words;
   of the rows held their times and groups, what follows each, and the first, the last and how many they are; by group the turn it
   was last in and its place among those told in it. A store's rows are those of one queue, in its order. */
enum { TABLE, WORDS, TIMES, GROUPS, FOLLOWING, HEAD, TAIL, HELD, TURNS, PLACES, FIRST };

/* How a plan goes on behind its sums; whether rows leave by age, and how many there may be, -1: any. What is told follows: a column's
   place, or the complement of twice a sum's, one more where it is a mean. */
struct gliding {
    int64_t aged, length, told;
};

/* Rows of a store: the first held, the first that comes and how many do; `until[i]` is the first held when row i has come. */
struct rows {
    int64_t head, first, count;
    const int64_t *groups, *until, *places;
};

/* So many ints have a sum that a real number holds exactly. */
enum { EXACT = 1 << 22 };

/* Take what leaves before each row out of sums and the row into them; what is told of its group goes to the group's place. */
#define PASS(NAME, VALUE)                                                                                                        \
static void NAME(const struct summed *s, const VALUE *values, const struct rows *r, VALUE *restrict out, int64_t *restrict counts) \
{                                                                                                                                \
    VALUE *totals = s->totals;                                                                                                   \
    int64_t *held = s->held, gone = r->head;                                                                                     \
    for (int64_t i = 0; i < r->count; i++) {                                                                                     \
        for (; gone < r->until[i]; gone++) {                                                                                     \
            int64_t group = r->groups[gone];                                                                                     \
            totals[group] -= values[gone];                                                                                       \
            if (--held[group] == 0) totals[group] = 0;                                                                           \
        }                                                                                                                        \
        int64_t group = r->groups[r->first + i], at = r->places[group];                                                          \
        out[at] = totals[group] += values[r->first + i];                                                                         \
        counts[at] = ++held[group];                                                                                              \
    }                                                                                                                            \
}
PASS(pass_wholes, uint64_t)
PASS(pass_reals, double)

static void pass_counts(const struct summed *s, const struct rows *r, int64_t *restrict counts)
{
    int64_t *held = s->held, gone = r->head;
    for (int64_t i = 0; i < r->count; i++) {
        for (; gone < r->until[i]; gone++) held[r->groups[gone]]--;
        int64_t group = r->groups[r->first + i];
        counts[r->places[group]] = ++held[group];
    }
}

/* Write what a sum tells at `n` places. `out` and `counts` have room for as many rows as come. */
static void tell_sum(const struct summed *s, const void *values, const struct rows *r, int mean, int64_t n, void *to, void *out,
                     int64_t *counts)
{
    double *means = to;
    if (s->kind == COUNTED) {
        pass_counts(s, r, to);
    } else if (s->kind == SUM_OF_WHOLES) {
        const int64_t *totals = out;
        pass_wholes(s, values, r, mean ? out : to, counts);
        if (mean) for (int64_t i = 0; i < n; i++) means[i] = (double)totals[i] / (double)counts[i];
    } else {
        const double *totals = out;
        pass_reals(s, values, r, mean ? out : to, counts);
        if (mean) for (int64_t i = 0; i < n; i++) means[i] = totals[i] / (double)counts[i];
    }
}

/* Move the rows held to where the store begins. */
static void shift(int64_t head, int64_t held, void *array) { memmove(array, (any64 *)array + head, (size_t)held * 8); }

/* Take rows into a window whose rows of `limit` or older have left, after `size` rows of the store; `known` groups are known. Write
   the times of the rows that are told and then each column; give how many they are, or why not. `room` has place for all rows six
   times. */
int64_t flow_glide(object values, object times, object plan, object state, object room, object lanes, int64_t known, int64_t size,
                   int64_t limit, int64_t turn)
{
    struct planned p = planned(plan);
    const struct grouping *of = (const struct grouping *)p.rest;
    const struct gliding *window = (const struct gliding *)((const int64_t *)(of + 1) + 2 * of->sums);
    const int64_t *told = (const int64_t *)(window + 1);
    struct given g;
    struct registers r;
    struct test tests[MOST];
    struct summed sums[MOST_COLUMNS];
    any64 *kept[MOST_COLUMNS];
    int64_t n = begin(&p, values, times, &g, &r, tests), *chosen = NULL;
    if (n < 0) return n;
    for (int j = TIMES; j < FIRST; j++)
        if (!is_array(item(state, j), WHOLES) || length(item(state, j)) < (j >= TURNS ? known : 1)) return NOT_READY;
    if (!read_sums(&p, &g, state, FIRST, known, sums)) return NOT_READY;
    int64_t *ts = data(item(state, TIMES)), *groups = data(item(state, GROUPS)), *following = data(item(state, FOLLOWING));
    int64_t *head = data(item(state, HEAD)), *tail = data(item(state, TAIL)), *held = data(item(state, HELD));
    int64_t *turns = data(item(state, TURNS)), *places = data(item(state, PLACES)), most = length(item(state, TIMES));
    if (length(item(state, GROUPS)) < most) most = length(item(state, GROUPS));
    if (length(item(state, FOLLOWING)) < most) most = length(item(state, FOLLOWING));
    for (int64_t j = 0; j < of->sums; j++) {
        object array = item(state, FIRST + 2 * of->sums + j);
        if (sums[j].kind == COUNTED) continue;
        if (!is_array(array, sums[j].kind == SUM_OF_REALS ? DOUBLES : WHOLES)) return NOT_READY;
        if (length(array) < most) most = length(array);
        kept[j] = data(array);
    }
    int64_t first = size, from = *held ? *head : size, *scratch = data(room);
    int64_t *coming = scratch, *until = scratch + g.count, *last = scratch + 2 * g.count, *out = scratch + 3 * g.count;
    int64_t *counts = scratch + 4 * g.count;
    if (first - from != *held || *held + n > EXACT) return NOT_READY;
    if (p.size.result >= 0) {
        chosen = scratch + 5 * g.count;
        n = sift(&p, &g, &r, tests, chosen);
        if (n == 0) return 0;
        if (n == g.count) chosen = NULL;
    }
    if (!find_groups(&g, of->by, item(state, TABLE), item(state, WORDS), known, n, chosen, coming)) return NOT_READY;
    if (first + n > most) {
        /* What is dropped is as much as what is moved; the way in steps makes arrays larger and smaller. */
        if (2 * *held > most || *held + n > most) return NOT_READY;
        shift(from, *held, ts);
        shift(from, *held, groups);
        for (int64_t j = 0; j < of->sums; j++)
            if (sums[j].kind != COUNTED) shift(from, *held, kept[j]);
        for (int64_t i = 0; i < *held; i++) following[i] = i + 1;
        first = *held;
        from = 0;
    }
    /* Nothing fails from here on. */
    move(n, chosen, (const any64 *)g.times, (any64 *)ts + first);
    memcpy(groups + first, coming, (size_t)n * 8);
    for (int64_t j = 0; j < of->sums; j++)
        if (sums[j].kind != COUNTED) move(n, chosen, sums[j].values, kept[j] + first);
    if (*held) following[first - 1] = first;
    for (int64_t i = 0; i < n; i++) following[first + i] = first + i + 1;
    following[first + n - 1] = -1;
    int64_t gone = from, rows = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = first + i, group = coming[i];
        while (window->aged && gone < row && ts[gone] <= limit) gone++;
        if (window->length >= 0 && row - gone >= window->length) gone++;
        until[i] = gone;
        if (turns[group] != turn) { turns[group] = turn; places[group] = rows++; }
        last[places[group]] = chosen ? chosen[i] : i;
    }
    *head = gone;
    *tail = first + n - 1;
    *held = first + n - gone;
    int64_t *to = data(lanes);
    move(rows, last, (const any64 *)g.times, (any64 *)to);
    for (int64_t j = 0; j < window->told; j++) {
        int64_t at = told[j], sum = ~at / 2;
        to += rows;
        if (at < 0)
            tell_sum(&sums[sum], kept[sum], &(struct rows){from, first, n, groups, until, places}, ~at & 1, rows, to, out, counts);
        else if (p.kinds[at] == OF_BOOL) move_bytes(rows, last, g.columns[at], (uint8_t *)to);
        else move(rows, last, g.columns[at], (any64 *)to);
    }
    return rows;
}
