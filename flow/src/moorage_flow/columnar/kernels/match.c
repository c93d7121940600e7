/* `every A -> B within` over plain columns, from what comes to which pairs are complete, in one call. The same as columns that are
   masked, put and then given to flow_follow. See moorage_flow.columnar.kernels.packed. */
#include "waiting.h"
#include "columns.h"

struct match {
    int64_t count, mode, within;
    const int64_t *ts, *parts, *of_keys; /* `parts` NULL: all are of one; `of_keys` NULL: partitions are keys */
    uint8_t *entering, *asking;                           /* by event */
    int64_t *size, *times, *row_parts, *row_groups, *keys; /* by row; so many are there before, and then */
    uint8_t *able;
    struct queues queues;
    int64_t *out_first, *out_second;
    int64_t enters, ables, asks, kept, tests;
    /* Behind it: the conditions; the columns kept, `to` as of row 0; the comparisons. */
};

/* A comparison of an A with its B: both columns as they come, and what is kept of the A that wait. */
struct between {
    int64_t kind, op;
    const void *first;
    void *held;
    const void *second;
};

#define TEST(OP) (b->kind ? ((const double *)b->held)[row] OP ((const double *)b->second)[i] \
                          : ((const int64_t *)b->held)[row] OP ((const int64_t *)b->second)[i])

static inline int completes(int64_t tests, const struct between *b, int64_t row, int64_t i)
{
    for (int64_t j = 0; j < tests; j++, b++) {
        int held = 0;
        switch (b->op) {
        case EQUAL: held = TEST(==); break;
        case UNEQUAL: held = TEST(!=); break;
        case LESS: held = TEST(<); break;
        case AT_MOST: held = TEST(<=); break;
        case MORE: held = TEST(>); break;
        case AT_LEAST: held = TEST(>=); break;
        }
        if (!held) return 0;
    }
    return 1;
}

/* Gives how many pairs are complete. */
int64_t flow_match(struct match *m)
{
    const struct condition *enter = (const struct condition *)(m + 1), *able = enter + m->enters, *ask = able + m->ables;
    const struct move *kept = (const struct move *)(ask + m->asks);
    const struct between *between = (const struct between *)(kept + m->kept);
    const struct queues queues = m->queues, *q = &queues;
    int64_t n = 0, row = *m->size;
    if (m->mode != SECOND) {
        meet_all(m->count, m->ables, able, m->asking); /* The room of the other mask, which comes later. */
        meet_all(m->count, m->enters, enter, m->entering);
        for (int64_t i = 0; i < m->count; i++) {
            if (!m->entering[i]) continue;
            int64_t part = m->parts ? m->parts[i] : 0;
            m->times[row] = m->ts[i];
            m->row_parts[row] = part;
            m->row_groups[row] = 0;
            m->keys[row] = m->of_keys ? m->of_keys[i] : part;
            m->able[row] = m->asking[i];
            for (int64_t j = 0; j < m->kept; j++) {
                if (kept[j].width == 8) ((any64 *)kept[j].to)[row] = ((const any64 *)kept[j].from)[i];
                else ((uint8_t *)kept[j].to)[row] = ((const uint8_t *)kept[j].from)[i];
            }
            for (int64_t j = 0; j < m->tests; j++)
                ((any64 *)between[j].held)[row] = ((const any64 *)between[j].first)[i];
            row++;
        }
    } else
        memset(m->entering, 0, (size_t)m->count);
    if (m->mode != FIRST) meet_all(m->count, m->asks, ask, m->asking); else memset(m->asking, 0, (size_t)m->count);
    int64_t next_row = *m->size;
    *m->size = row;
    for (int64_t i = 0; i < m->count; i++) {
        int64_t part = m->parts ? m->parts[i] : 0, now = m->ts[i];
        pass_time(q, part, m->times, m->keys, now, m->within);
        if (m->mode != FIRST && q->fresh_head[part] >= 0) update(q, part, m->times, m->keys);
        if (m->asking[i]) {
            int64_t key = m->of_keys ? m->of_keys[i] : part;
            for (int64_t waits = q->key_head[key]; waits >= 0;) {
                int64_t following = q->key_next[waits];
                if (m->able[waits] && completes(m->tests, between, waits, i)) {
                    m->out_first[n] = waits; m->out_second[n++] = i;
                    leave(q, part, key, waits);
                }
                waits = following;
            }
        }
        if (m->entering[i]) let_in(q, part, next_row++);
    }
    return n;
}
