/* Batches by time of which only sums are told, each batch of rows in one call. See moorage_flow.columnar.gathering. */
#include "grouped.h"

/* What a state holds, before the columns kept and the sums: the codes of words' groups and those words; by group the batch its sums
   were begun in, and the batch this is; by group the time of its last row and the turn it was last in; the groups of this turn. */
enum { TABLE, WORDS, EPOCHS, EPOCH, TIMES, TURNS, GROUPS, FIRST };

static void add(const struct summed *s, int64_t n, const int64_t *restrict chosen, const int64_t *restrict groups)
{
    if (s->kind == COUNTED) {
        for (int64_t i = 0; i < n; i++) s->held[groups[i]]++;
    } else if (s->kind == SUM_OF_WHOLES) {
        const uint64_t *values = s->values;
        uint64_t *totals = s->totals;
        for (int64_t i = 0; i < n; i++) { totals[groups[i]] += values[chosen ? chosen[i] : i]; s->held[groups[i]]++; }
    } else {
        const double *values = s->values;
        double *totals = s->totals;
        for (int64_t i = 0; i < n; i++) { totals[groups[i]] += values[chosen ? chosen[i] : i]; s->held[groups[i]]++; }
    }
}

/* Of each group the last row stays. */
static void keep(const struct keeping *k, int64_t n, const int64_t *restrict chosen, const int64_t *restrict groups)
{
    if (k->width == 8) {
        const any64 *from = k->from;
        any64 *restrict to = k->to;
        for (int64_t i = 0; i < n; i++) to[groups[i]] = from[chosen ? chosen[i] : i];
    } else {
        const uint8_t *from = k->from;
        uint8_t *restrict to = k->to;
        for (int64_t i = 0; i < n; i++) to[groups[i]] = from[chosen ? chosen[i] : i];
    }
}

/* What is given: the columns, their times, the plan, what is remembered, and room for all rows twice. */
enum { COLUMNS_GIVEN, TIMES_GIVEN, PLAN, STATE, ROOM };

/* Take rows into the sums of turn `turn`, of which `size` groups are known so far, and `known` of all turns; give how many groups
   the turn has then, or why not. */
int64_t flow_collect(object all, int64_t known, int64_t turn, int64_t size)
{
    object values = item(all, COLUMNS_GIVEN), times = item(all, TIMES_GIVEN), state = item(all, STATE), room = item(all, ROOM);
    struct planned p = planned(item(all, PLAN));
    const struct grouping *of = (const struct grouping *)p.rest;
    struct given g;
    struct registers r;
    struct test tests[MOST];
    struct keeping kept[MOST_COLUMNS];
    struct summed sums[MOST_COLUMNS];
    int64_t n = begin(&p, values, times, &g, &r, tests), *groups = data(room), *chosen = NULL;
    if (n < 0) return n;
    for (int j = EPOCHS; j < FIRST; j++)
        if (!is_array(item(state, j), WHOLES) || (j != EPOCH && length(item(state, j)) < known)) return NOT_READY;
    if (!read_keeping(&p, &g, state, FIRST, known, kept)) return NOT_READY;
    if (!read_sums(&p, &g, state, FIRST + 2 * of->kept, known, sums)) return NOT_READY;
    if (p.size.result >= 0) {
        chosen = groups + g.count;
        n = sift(&p, &g, &r, tests, chosen);
    }
    if (!find_groups(&g, of->by, item(state, TABLE), item(state, WORDS), known, n, chosen, groups)) return NOT_READY;
    int64_t *epochs = data(item(state, EPOCHS)), epoch = *(const int64_t *)data(item(state, EPOCH));
    int64_t *turns = data(item(state, TURNS)), *listed = data(item(state, GROUPS));
    for (int64_t i = 0; i < n; i++) {
        int64_t group = groups[i];
        if (turns[group] == turn) continue;
        turns[group] = turn;
        listed[size++] = group;
        if (epochs[group] == epoch) continue;
        epochs[group] = epoch;
        for (int64_t j = 0; j < of->sums; j++) {
            sums[j].held[group] = 0;
            if (sums[j].kind != COUNTED) ((any64 *)sums[j].totals)[group] = 0;
        }
    }
    keep(&(struct keeping){g.times, data(item(state, TIMES)), 8}, n, chosen, groups);
    for (int64_t j = 0; j < of->kept; j++) keep(&kept[j], n, chosen, groups);
    for (int64_t j = 0; j < of->sums; j++) add(&sums[j], n, chosen, groups);
    return size;
}
