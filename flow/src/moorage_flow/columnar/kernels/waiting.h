/* Rows that wait in queues by partition and by key, and the comparisons that complete them. */
#include <stdint.h>

enum { BOTH = 0, FIRST = 1, SECOND = 2 };

struct queues {
    int64_t *head, *tail, *fresh_head, *fresh_tail; /* by partition */
    int64_t *key_head, *key_tail;                   /* by key */
    int64_t *next, *previous, *key_next, *key_previous; /* by waiting row */
    uint8_t *waiting;
};

static inline void leave(const struct queues *q, int64_t part, int64_t key, int64_t row)
{
    int64_t before = q->previous[row], after = q->next[row];
    if (before >= 0) q->next[before] = after; else q->head[part] = after;
    if (after >= 0) q->previous[after] = before; else q->tail[part] = before;
    before = q->key_previous[row]; after = q->key_next[row];
    if (before >= 0) q->key_next[before] = after; else q->key_head[key] = after;
    if (after >= 0) q->key_previous[after] = before; else q->key_tail[key] = before;
    q->waiting[row] = 0;
}

static inline void enter(const struct queues *q, int64_t part, int64_t key, int64_t row)
{
    q->previous[row] = q->tail[part]; q->next[row] = -1;
    if (q->tail[part] >= 0) q->next[q->tail[part]] = row; else q->head[part] = row;
    q->tail[part] = row;
    q->key_previous[row] = q->key_tail[key]; q->key_next[row] = -1;
    if (q->key_tail[key] >= 0) q->key_next[q->key_tail[key]] = row; else q->key_head[key] = row;
    q->key_tail[key] = row;
}

static inline int over(int64_t then, int64_t now, int64_t within)
{
    int64_t age = now - then;
    return (within >= 0) & ((age < 0 ? -age : age) > within);
}

/* Put what was let in since into the queue, by time; rows of one time stay in their order. */
static inline void update(const struct queues *q, int64_t part, const int64_t *times, const int64_t *keys)
{
    int64_t row = q->fresh_head[part], sorted = -1;
    while (row >= 0) {
        int64_t following = q->next[row];
        int64_t at = sorted, before = -1;
        if (sorted < 0 || times[row] >= times[q->fresh_tail[part]]) {
            before = sorted < 0 ? -1 : q->fresh_tail[part];
            at = -1;
        } else
            while (at >= 0 && times[at] <= times[row]) { before = at; at = q->next[at]; }
        q->next[row] = at;
        if (before < 0) sorted = row; else q->next[before] = row;
        if (at < 0) q->fresh_tail[part] = row;
        row = following;
    }
    for (row = sorted; row >= 0;) {
        int64_t following = q->next[row];
        enter(q, part, keys[row], row);
        row = following;
    }
    q->fresh_head[part] = q->fresh_tail[part] = -1;
}

/* Let what has waited too long go. */
static inline void pass_time(
    const struct queues *q, int64_t part, const int64_t *times, const int64_t *keys, int64_t now, int64_t within)
{
    while (q->head[part] >= 0 && over(times[q->head[part]], now, within))
        leave(q, part, keys[q->head[part]], q->head[part]);
    int64_t last = -1;
    for (int64_t row = q->fresh_head[part]; row >= 0;) {
        int64_t following = q->next[row];
        if (over(times[row], now, within)) {
            if (last < 0) q->fresh_head[part] = following; else q->next[last] = following;
            if (following < 0) q->fresh_tail[part] = last;
            q->waiting[row] = 0;
        } else
            last = row;
        row = following;
    }
}

/* Let a row in that waits from the next event on. */
static inline void let_in(const struct queues *q, int64_t part, int64_t row)
{
    q->next[row] = -1;
    if (q->fresh_tail[part] >= 0) q->next[q->fresh_tail[part]] = row; else q->fresh_head[part] = row;
    q->fresh_tail[part] = row;
    q->waiting[row] = 1;
}

#define HOLDS(OP) (types[j] ? ((const double *)firsts[j])[row] OP ((const double *)seconds[j])[i] \
                            : ((const int64_t *)firsts[j])[row] OP ((const int64_t *)seconds[j])[i])

static inline int holds(int64_t tests, const int64_t *types, const int64_t *ops, const void *const *firsts,
                 const void *const *seconds, int64_t row, int64_t i)
{
    for (int64_t j = 0; j < tests; j++) {
        int held = 0;
        switch (ops[j]) {
        case 0: held = HOLDS(==); break;
        case 1: held = HOLDS(!=); break;
        case 2: held = HOLDS(<); break;
        case 3: held = HOLDS(<=); break;
        case 4: held = HOLDS(>); break;
        case 5: held = HOLDS(>=); break;
        }
        if (!held) return 0;
    }
    return 1;
}
