/* Sums and counts over the steps of a window, by group, and which steps are told. See moorage_flow.columnar.kernels.plain. */
#include <stdint.h>

enum { CURRENT = 0, EXPIRED = 1, RESET = 3 };
enum { COUNT = 0, WHOLE = 1, REAL = 2 };
enum { AHEAD = 16 };
enum { EACH = 0, LAST = 1, LAST_OF_GROUP = 2 };

/* One sum, all fields of 64 bits: its kind, values and nulls by row, sums and counts by group; `empty` is set where a told sum is of nothing. */
struct sum {
    int64_t kind;
    const void *values;
    const uint8_t *nulls;
    void *totals;
    int64_t *held;
    int64_t empty;
};

static inline void take(const struct sum *s, int64_t row, int64_t group, int entering)
{
    if (s->kind == COUNT) {
        s->held[group] += entering ? 1 : -1;
        return;
    }
    if (s->nulls && s->nulls[row]) return;
    if (s->kind == WHOLE) {
        uint64_t *total = (uint64_t *)s->totals + group, value = ((const uint64_t *)s->values)[row];
        *total = entering ? *total + value : *total - value;
    } else {
        double *total = (double *)s->totals + group, value = ((const double *)s->values)[row];
        *total = entering ? *total + value : *total - value;
    }
    s->held[group] += entering ? 1 : -1;
    if (!entering && s->held[group] == 0) ((uint64_t *)s->totals)[group] = 0;
}

static inline void begin(const struct sum *s, int64_t group)
{
    s->held[group] = 0;
    if (s->kind != COUNT) ((uint64_t *)s->totals)[group] = 0;
}

/* What is told: which steps, and of step n the totals and counts, at out[2 * s * room + n] and out[(2 * s + 1) * room + n]. `seen`
   and `slots` are by group; `stamp` is more than any stamp seen. */
struct told {
    int64_t sums;
    struct sum *sum;
    int64_t mode, *seen, *slots, stamp, room, *chosen;
    uint64_t *out;
    int64_t count, last;
};

static inline void tell(struct told *t, int64_t step, int64_t group)
{
    int64_t at;
    if (t->mode == EACH) at = t->count++;
    else if (t->mode == LAST) at = t->last = t->last < 0 ? t->count++ : t->last;
    else {
        if (t->seen[group] != t->stamp) { t->seen[group] = t->stamp; t->slots[group] = t->count++; }
        at = t->slots[group];
    }
    t->chosen[at] = step;
    for (int64_t s = 0; s < t->sums; s++) {
        uint64_t *out = t->out + 2 * s * t->room + at;
        if (t->sum[s].kind != COUNT) out[0] = ((uint64_t *)t->sum[s].totals)[group];
        out[t->room] = (uint64_t)t->sum[s].held[group];
    }
}

static int64_t told(struct told *t)
{
    for (int64_t s = 0; s < t->sums; s++) {
        t->sum[s].empty = 0;
        if (t->sum[s].kind != COUNT)
            for (int64_t i = 0; i < t->count; i++) t->sum[s].empty |= t->out[(2 * s + 1) * t->room + i] == 0;
    }
    return t->count;
}

/* Where `chunks` is NULL all steps are of one, where `parts` is, of one partition. */
int64_t flow_summarise(
    int64_t count, const int64_t *rows, const int8_t *kinds, const int64_t *chunks, const int64_t *groups,
    const int64_t *parts, int64_t *epochs, int64_t *part_epochs, int64_t sums, struct sum *sum, int64_t wanted,
    int64_t mode, int64_t *seen, int64_t *slots, int64_t stamp, int64_t room, int64_t *chosen, uint64_t *out)
{
    struct told t = {sums, sum, mode, seen, slots, stamp, room, chosen, out, 0, -1};
    int64_t chunk = chunks && count ? chunks[0] : 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = rows[i], part = parts ? parts[row] : 0;
        int kind = kinds[i];
        if (chunks && chunks[i] != chunk) { chunk = chunks[i]; t.stamp++; t.last = -1; }
        if (kind == RESET) {
            part_epochs[part]++;
            continue;
        }
        int64_t group = groups[row];
        if (epochs[group] != part_epochs[part]) {
            epochs[group] = part_epochs[part];
            for (int64_t s = 0; s < sums; s++) begin(&sum[s], group);
        }
        for (int64_t s = 0; s < sums; s++) take(&sum[s], row, group, kind == CURRENT);
        if (wanted >> kind & 1) tell(&t, i, group);
    }
    return told(&t);
}

/* The same for rows that come into windows that slide, with what leaves before each; arguments as of flow_slide too. Only what
   comes is told: `chosen` are positions among it, and `chunks` are its. */
int64_t flow_slide_summarise(
    int64_t count, int64_t *following, int64_t *head, int64_t *tail, int64_t *held, const int64_t *time, int64_t aged,
    int64_t limit, const int64_t *limits, int64_t first, int64_t length, const int64_t *chunks, const int64_t *groups,
    const int64_t *parts, int64_t sums, struct sum *sum, int64_t mode, int64_t *seen, int64_t *slots, int64_t stamp,
    int64_t room, int64_t *chosen, uint64_t *out)
{
    struct told t = {sums, sum, mode, seen, slots, stamp, room, chosen, out, 0, -1};
    int64_t chunk = chunks && count ? chunks[0] : 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = first + i, part = parts ? parts[row] : 0, group = groups[row];
        if (parts && i + AHEAD < count) {
            /* With many keys none of it is near: the queue first, and what it holds once it is here. */
            int64_t soon = parts[row + AHEAD], next = parts[row + AHEAD / 2];
            __builtin_prefetch(held + soon);
            __builtin_prefetch(head + soon);
            __builtin_prefetch(tail + soon);
            for (int64_t s = 0; s < sums; s++) __builtin_prefetch(sum[s].held + groups[row + AHEAD]);
            if (held[next] > 0) {
                __builtin_prefetch(following + head[next]);
                __builtin_prefetch(following + tail[next]);
                __builtin_prefetch(groups + head[next]);
                for (int64_t s = 0; s < sums; s++)
                    if (sum[s].kind != COUNT) {
                        __builtin_prefetch((const uint64_t *)sum[s].values + head[next]);
                        __builtin_prefetch((const uint64_t *)sum[s].totals + groups[row + AHEAD / 2]);
                    }
            }
        }
        if (chunks && chunks[i] != chunk) { chunk = chunks[i]; t.stamp++; t.last = -1; }
        if (limits) limit = limits[i];
        for (int64_t by_age = aged; held[part] > 0;) {
            /* What is too old leaves first; behind one that leaves by number, it stays. */
            by_age = by_age && time[head[part]] <= limit;
            if (!by_age && (length < 0 || held[part] < length)) break;
            int64_t gone = head[part];
            for (int64_t s = 0; s < sums; s++) take(&sum[s], gone, groups[gone], 0);
            head[part] = following[gone];
            held[part]--;
        }
        following[row] = -1;
        if (held[part] > 0) following[tail[part]] = row; else head[part] = row;
        tail[part] = row;
        held[part]++;
        for (int64_t s = 0; s < sums; s++) take(&sum[s], row, group, 1);
        tell(&t, i, group);
    }
    return told(&t);
}
