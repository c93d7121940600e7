/* Filters over one stream, a whole batch in one call: what is sent is read, sifted and moved on. See
   moorage_flow.columnar.direct.Sifting. */
#include "plan.h"

/* Work out what is selected, and move the rows chosen of it. */
static void select_rows(const struct planned *p, const struct given *g, struct registers *r, const struct test *tests, int64_t n,
                        const int64_t *chosen, int64_t *out)
{
    for (int64_t first = 0, at = 0; first < g->count && at < n; first += BLOCK) {
        int64_t rows = g->count - first < BLOCK ? g->count - first : BLOCK, end = at;
        int64_t index[BLOCK];
        if (chosen) while (end < n && chosen[end] < first + rows) { index[end - at] = chosen[end] - first; end++; }
        else end = at + rows;
        run_steps(r, p->size.selects, p->selects, tests, g, first, rows);
        for (int64_t j = 0; j < p->size.lanes; j++) {
            int64_t *to = out + (j + 1) * n;
            if (p->lanes[j] >= BOOLS_AT)
                move_bytes(end - at, chosen ? index : NULL, r->bools[p->lanes[j] - BOOLS_AT], (uint8_t *)to + at);
            else if (p->lanes[j] >= VALUES)
                move(end - at, chosen ? index : NULL, (const any64 *)r->values[p->lanes[j] - VALUES], (any64 *)to + at);
        }
        at = end;
    }
}

/* Write the times of the rows that pass the filter, then each column selected of them; give how many they are, or why not. `out` has
   room for all rows of all these and of one more. */
int64_t flow_sift(object values, object times, object plan, object room)
{
    struct planned p = planned(plan);
    struct given g;
    struct registers r;
    struct test tests[MOST];
    int64_t *out = data(room), n = begin(&p, values, times, &g, &r, tests), *chosen = NULL;
    if (n < 0) return n;
    if (p.size.result >= 0) {
        chosen = out + (p.size.lanes + 1) * g.count;
        n = sift(&p, &g, &r, tests, chosen);
        if (n == g.count) chosen = NULL;
    }
    move(n, chosen, (const any64 *)g.times, (any64 *)out);
    for (int64_t j = 0; j < p.size.lanes; j++) {
        int64_t at = p.lanes[j], *to = out + (j + 1) * n;
        if (at >= VALUES) continue;
        if (p.kinds[at] == OF_BOOL) move_bytes(n, chosen, g.columns[at], (uint8_t *)to);
        else move(n, chosen, g.columns[at], (any64 *)to);
    }
    if (p.size.selects) select_rows(&p, &g, &r, tests, n, chosen, out);
    return n;
}
