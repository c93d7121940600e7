/* Rows in groups. See grouped.h. */
#include "grouped.h"

int find_groups(const struct given *g, int64_t by, object table, object words, int64_t known, int64_t n, const int64_t *chosen,
                int64_t *groups)
{
    if (by < 0) {
        memset(groups, 0, (size_t)n * sizeof *groups);
        return 1;
    }
    if (words != g->words[by] || !is_array(table, WHOLES)) return 0;
    const int64_t *codes = g->columns[by], *of = data(table);
    int64_t last = length(table) - 1, bad = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t code = codes[chosen ? chosen[i] : i], group = of[code < 0 ? last : code];
        bad |= group | (known - 1 - group);
        groups[i] = group;
    }
    return bad >= 0;
}

int read_keeping(const struct planned *p, const struct given *g, object state, int64_t at, int64_t room, struct keeping *kept)
{
    const struct grouping *of = (const struct grouping *)p->rest;
    const int64_t *places = (const int64_t *)(of + 1);
    for (int64_t j = 0; j < of->kept; j++, at += 2) {
        object array = item(state, at);
        int64_t kind = p->kinds[places[j]];
        if (kind == OF_WORDS && item(state, at + 1) != g->words[places[j]]) return 0;
        if (!is_array(array, kind == OF_BOOL ? BYTES : kind >= OF_FLOAT ? DOUBLES : WHOLES) || length(array) < room) return 0;
        kept[j] = (struct keeping){g->columns[places[j]], data(array), kind == OF_BOOL ? 1 : 8};
    }
    return 1;
}

int read_sums(const struct planned *p, const struct given *g, object state, int64_t at, int64_t known, struct summed *sums)
{
    const struct grouping *of = (const struct grouping *)p->rest;
    const int64_t(*listed)[2] = (const int64_t(*)[2])((const int64_t *)(of + 1) + of->kept);
    for (int64_t j = 0; j < of->sums; j++, at += 2) {
        object totals = item(state, at), held = item(state, at + 1);
        int64_t kind = listed[j][0];
        if (!is_array(totals, kind == SUM_OF_REALS ? DOUBLES : WHOLES) || !is_array(held, WHOLES)) return 0;
        if (length(held) < known || (kind != COUNTED && length(totals) < known)) return 0;
        sums[j] = (struct summed){kind, kind == COUNTED ? NULL : g->columns[listed[j][1]], data(totals), data(held)};
    }
    return 1;
}
