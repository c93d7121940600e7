/* What waits of a pattern: made, freed, and moved to and from the arrays of flow_follow. See moorage_flow.columnar.kernels.matching. */
#include "pending.h"

void flow_match_free(struct match *m)
{
    if (!m) return;
    for (int64_t k = 0; k < m->keys; k++) free(m->slots[k].entries);
    free(m->slots); free(m->hits); free(m->told); free(m->marks); free(m->key_of);
    free(m);
}

/* `w`: within, alone, how many conditions, words kept, comparisons, the word `able`, and how many columns there are; then
   the conditions, the comparisons, and the column of each word kept, ~column where it is one of bools. Gives 0 where there is no memory. */
int64_t flow_match_new(const int64_t *w)
{
    int64_t words = 5 * w[2] + w[3] + 4 * w[4];
    struct match *m = calloc(1, sizeof *m + (size_t)(words + w[6] + TWO * (w[3] + 2)) * 8 + (size_t)w[2] * sizeof *m->condition);
    if (!m) return 0;
    m->within = w[0]; m->alone = w[1]; m->conditions = w[2]; m->kept = w[3]; m->tests = w[4]; m->able = w[5]; m->column_count = w[6];
    m->width = 1 + m->kept + (m->able > 0);
    m->asked = (struct asked *)(m + 1);
    m->between = (struct between *)(m->asked + m->conditions);
    m->column = (int64_t *)(m->between + m->tests);
    m->condition = (struct condition *)(m->column + m->kept);
    m->columns = (const void **)(m->condition + m->conditions);
    m->nowhere = (any64 *)(m->columns + m->column_count);
    memcpy(m->asked, w + 7, (size_t)words * 8);
    for (int64_t j = 0; j < m->conditions; j++) {
        const struct asked *a = m->asked + j;
        m->condition[j] = (struct condition){a->kind, a->op, NULL, a->constant};
    }
    m->latest = INT64_MIN;
    return (int64_t)(intptr_t)m;
}

int64_t flow_match_settle(struct match *m)
{
    int64_t held = 0;
    m->since = 0;
    for (int64_t k = 0; k < m->keys; k++) {
        struct slot *s = m->slots + k;
        if (!m->alone && m->within >= 0) {
            while (s->start < s->end && over((int64_t)*entry(m, s, s->start), m->latest, m->within)) s->start++;
            if (s->fresh < s->start) s->fresh = s->start;
        }
        if (s->start == s->end && s->room > SMALL) { free(s->entries); s->entries = NULL; s->start = s->fresh = s->end = s->room = 0; }
        held += s->end - s->start;
    }
    return held;
}

/* Give the rows that wait in queues by partition, in their order, and which of them are fresh. */
int64_t flow_match_order(
    int64_t parts, const int64_t *head, const int64_t *fresh_head, const int64_t *next, int64_t *rows, uint8_t *fresh)
{
    int64_t n = 0;
    for (int64_t part = 0; part < parts; part++) {
        for (int64_t row = head[part]; row >= 0; row = next[row]) { rows[n] = row; fresh[n++] = 0; }
        for (int64_t row = fresh_head[part]; row >= 0; row = next[row]) { rows[n] = row; fresh[n++] = 1; }
    }
    return n;
}

/* Take over rows in their order. `w`: how many, how many keys, the latest time; where their keys stand, which are fresh, and each word
   of an entry, `columns` telling its width below the address. Gives 0. */
int64_t flow_match_load(struct match *m, const int64_t *w)
{
    int64_t count = w[0];
    const int64_t *keys = (const int64_t *)w[3];
    const uint8_t *fresh = (const uint8_t *)w[4];
    if (keep_keys(m, w[1])) return NO_MEMORY;
    m->latest = w[2];
    m->turn = 1; /* A key that was never met is of turn 0. */
    for (int64_t i = 0; i < count; i++) {
        struct slot *s = m->slots + keys[i];
        if (s->end == s->room && widen(m, s)) return NO_MEMORY;
        any64 *to = entry(m, s, s->end++);
        for (int64_t j = 0; j < m->width; j++) {
            const void *from = (const void *)w[5 + 2 * j];
            to[j] = w[6 + 2 * j] == 8 ? ((const any64 *)from)[i] : ((const uint8_t *)from)[i];
        }
        if (fresh[i]) s->turn = 1; else s->fresh = s->end;
    }
    return 0;
}

/* Give all that waits, key by key; arguments as of flow_match_load. */
int64_t flow_match_save(const struct match *m, const int64_t *w)
{
    int64_t *keys = (int64_t *)w[3], i = 0;
    uint8_t *fresh = (uint8_t *)w[4];
    for (int64_t k = 0; k < m->keys; k++) {
        const struct slot *s = m->slots + k;
        for (uint32_t p = s->start; p < s->end; p++, i++) {
            const any64 *from = entry(m, s, p);
            keys[i] = k;
            fresh[i] = p >= s->fresh && (m->alone || s->turn == m->turn);
            for (int64_t j = 0; j < m->width; j++) {
                void *to = (void *)w[5 + 2 * j];
                if (w[6 + 2 * j] == 8) ((any64 *)to)[i] = from[j]; else ((uint8_t *)to)[i] = (uint8_t)from[j];
            }
        }
    }
    return i;
}
