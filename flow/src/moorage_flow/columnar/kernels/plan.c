/* Batches read and sifted by plans. See plan.h. */
#include "plan.h"

struct planned planned(object array)
{
    const struct plan *plan = data(array);
    struct planned p = {.size = *plan};
    p.kinds = (const int64_t *)(plan + 1);
    p.constants = p.kinds + plan->columns;
    p.words = (const int64_t(*)[4])(p.constants + plan->constants);
    p.filters = (const struct step *)(p.words + plan->tests);
    p.selects = p.filters + plan->filters;
    p.lanes = (const int64_t *)(p.selects + plan->selects);
    p.rest = p.lanes + plan->lanes;
    return p;
}

int64_t begin(const struct planned *p, object values, object times, struct given *g, struct registers *r, struct test *tests)
{
    if (!read_given(values, times, p->size.columns, p->kinds, g)) return NOT_PLAIN;
    for (int64_t j = 0; j < p->size.tests; j++) {
        if ((int64_t)g->words[p->words[j][0]] != p->words[j][1]) return OTHER_WORDS;
        tests[j].of_code = (const uint8_t *)p->words[j][2];
        tests[j].size = p->words[j][3];
    }
    set_constants(r, p->size.constants, p->constants, g->count);
    return g->count;
}

int64_t sift(const struct planned *p, const struct given *g, struct registers *r, const struct test *tests, int64_t *chosen)
{
    int64_t n = 0;
    const uint8_t *held = r->bools[p->size.result - BOOLS_AT];
    for (int64_t first = 0; first < g->count; first += BLOCK) {
        int64_t rows = g->count - first < BLOCK ? g->count - first : BLOCK;
        run_steps(r, p->size.filters, p->filters, tests, g, first, rows);
        for (int64_t i = 0; i < rows; i++) {
            chosen[n] = first + i;
            n += held[i];
        }
    }
    return n;
}
