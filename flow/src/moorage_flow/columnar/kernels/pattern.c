/* `every A -> B within`: which waiting A each B completes. See moorage_flow.columnar.kernels.plain.follow. */
#include <stdint.h>

enum { BOTH = 0, FIRST = 1, SECOND = 2 };

struct queues {
    int64_t *head, *tail, *fresh_head, *fresh_tail; /* by partition */
    int64_t *key_head, *key_tail;                   /* by key */
    int64_t *next, *previous, *key_next, *key_previous; /* by waiting row */
    uint8_t *waiting;
};

static void leave(const struct queues *q, int64_t part, int64_t key, int64_t row)
{
    int64_t before = q->previous[row], after = q->next[row];
    if (before >= 0) q->next[before] = after; else q->head[part] = after;
    if (after >= 0) q->previous[after] = before; else q->tail[part] = before;
    before = q->key_previous[row]; after = q->key_next[row];
    if (before >= 0) q->key_next[before] = after; else q->key_head[key] = after;
    if (after >= 0) q->key_previous[after] = before; else q->key_tail[key] = before;
    q->waiting[row] = 0;
}

static void enter(const struct queues *q, int64_t part, int64_t key, int64_t row)
{
    q->previous[row] = q->tail[part]; q->next[row] = -1;
    if (q->tail[part] >= 0) q->next[q->tail[part]] = row; else q->head[part] = row;
    q->tail[part] = row;
    q->key_previous[row] = q->key_tail[key]; q->key_next[row] = -1;
    if (q->key_tail[key] >= 0) q->key_next[q->key_tail[key]] = row; else q->key_head[key] = row;
    q->key_tail[key] = row;
}

static int over(int64_t then, int64_t now, int64_t within)
{
    int64_t age = now - then;
    return within >= 0 && (age < 0 ? -age : age) > within;
}

/* Put what was let in since into the queue, by time; rows of one time stay in their order. */
static void update(const struct queues *q, int64_t part, const int64_t *times, const int64_t *keys)
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

#define HOLDS(OP) (types[j] ? ((const double *)firsts[j])[row] OP ((const double *)seconds[j])[i] \
                            : ((const int64_t *)firsts[j])[row] OP ((const int64_t *)seconds[j])[i])

static int holds(int64_t tests, const int64_t *types, const int64_t *ops, const void *const *firsts,
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

int64_t flow_follow(
    int64_t count, int64_t mode, int64_t within, const int64_t *ts, const int64_t *parts,
    const int64_t *entering, const int64_t *asking, const int64_t *times, const int64_t *keys,
    const uint8_t *able, int64_t *head, int64_t *tail, int64_t *fresh_head, int64_t *fresh_tail,
    int64_t *key_head, int64_t *key_tail, int64_t *next, int64_t *previous, int64_t *key_next,
    int64_t *key_previous, uint8_t *waiting, int64_t tests, const int64_t *types, const int64_t *ops,
    const void *const *firsts, const void *const *seconds, int64_t *out_first, int64_t *out_second)
{
    const struct queues queues = {head, tail, fresh_head, fresh_tail, key_head, key_tail,
                                  next, previous, key_next, key_previous, waiting};
    const struct queues *q = &queues;
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t part = parts[i], now = ts[i];
        while (head[part] >= 0 && over(times[head[part]], now, within))
            leave(q, part, keys[head[part]], head[part]);
        int64_t last = -1;
        for (int64_t row = fresh_head[part]; row >= 0;) {
            int64_t following = next[row];
            if (over(times[row], now, within)) {
                if (last < 0) fresh_head[part] = following; else next[last] = following;
                if (following < 0) fresh_tail[part] = last;
                waiting[row] = 0;
            } else
                last = row;
            row = following;
        }
        if (mode != FIRST && fresh_head[part] >= 0)
            update(q, part, times, keys);
        if (asking[i] >= 0)
            for (int64_t row = key_head[asking[i]]; row >= 0;) {
                int64_t following = key_next[row];
                if (able[row] && holds(tests, types, ops, firsts, seconds, row, i)) {
                    out_first[n] = row; out_second[n++] = i;
                    leave(q, part, asking[i], row);
                }
                row = following;
            }
        if (entering[i] >= 0) {
            int64_t row = entering[i];
            next[row] = -1;
            if (fresh_tail[part] >= 0) next[fresh_tail[part]] = row; else fresh_head[part] = row;
            fresh_tail[part] = row;
            waiting[row] = 1;
        }
    }
    return n;
}
