/* Sums and counts over the steps of a window, by group, and which steps are told. See moorage_flow.columnar.kernels.plain. */
#include <stdint.h>

enum { CURRENT = 0, EXPIRED = 1, RESET = 3 };
enum { COUNT = 0, WHOLE = 1, REAL = 2 };
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

/* Totals and counts of step n are written to out[2 * s * room + n] and out[(2 * s + 1) * room + n]. `seen` and `slots` are by
   group; `stamp` is more than any stamp seen. Where `chunks` is NULL all steps are of one, where `parts` is, of one partition. */
int64_t flow_summarise(
    int64_t count, const int64_t *rows, const int8_t *kinds, const int64_t *chunks, const int64_t *groups,
    const int64_t *parts, int64_t *epochs, int64_t *part_epochs, int64_t sums, struct sum *sum, int64_t wanted,
    int64_t mode, int64_t *seen, int64_t *slots, int64_t stamp, int64_t room, int64_t *chosen, uint64_t *out)
{
    int64_t n = 0, chunk = chunks && count ? chunks[0] : 0, last = -1;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = rows[i], part = parts ? parts[row] : 0;
        int kind = kinds[i];
        if (chunks && chunks[i] != chunk) { chunk = chunks[i]; stamp++; last = -1; }
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
        if (!(wanted >> kind & 1)) continue;
        int64_t at;
        if (mode == EACH) at = n++;
        else if (mode == LAST) at = last = last < 0 ? n++ : last;
        else {
            if (seen[group] != stamp) { seen[group] = stamp; slots[group] = n++; }
            at = slots[group];
        }
        chosen[at] = i;
        for (int64_t s = 0; s < sums; s++) {
            uint64_t *told = out + 2 * s * room + at;
            if (sum[s].kind != COUNT) told[0] = ((uint64_t *)sum[s].totals)[group];
            told[room] = (uint64_t)sum[s].held[group];
        }
    }
    for (int64_t s = 0; s < sums; s++) {
        sum[s].empty = 0;
        if (sum[s].kind != COUNT)
            for (int64_t i = 0; i < n; i++) sum[s].empty |= out[(2 * s + 1) * room + i] == 0;
    }
    return n;
}
