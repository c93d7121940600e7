/* Aggregates over the steps of a window, by group. See moorage_flow.columnar.kernels.plain. */
#include <stdint.h>

enum { CURRENT = 0, EXPIRED = 1, RESET = 3 };

/* Give the group of a step, its state fresh where its partition was reset since; -1 for a reset. */
static inline int64_t group_of(
    int64_t row, int8_t kind, const int64_t *groups, const int64_t *parts, int64_t *epochs, int64_t *part_epochs,
    int *fresh)
{
    int64_t part = parts[row];
    if (kind == RESET) {
        part_epochs[part]++;
        return -1;
    }
    int64_t group = groups[row];
    *fresh = epochs[group] != part_epochs[part];
    epochs[group] = part_epochs[part];
    return group;
}

#define SUM(NAME, VALUE, ADD)                                                                                       \
void NAME(int64_t count, const int64_t *rows, const int8_t *kinds, const int64_t *groups, const int64_t *parts,     \
          int64_t *epochs, int64_t *part_epochs, const VALUE *values, const uint8_t *nulls, VALUE *totals,          \
          int64_t *held, VALUE *out, int64_t *out_held)                                                             \
{                                                                                                                   \
    for (int64_t i = 0; i < count; i++) {                                                                           \
        int fresh = 0;                                                                                              \
        int64_t group = group_of(rows[i], kinds[i], groups, parts, epochs, part_epochs, &fresh);                    \
        if (group < 0) { out[i] = 0; out_held[i] = 0; continue; }                                                   \
        if (fresh) { totals[group] = 0; held[group] = 0; }                                                          \
        if (!nulls || !nulls[rows[i]]) {                                                                            \
            VALUE value = values[rows[i]];                                                                          \
            if (kinds[i] == CURRENT) { totals[group] = ADD(totals[group], value, +); held[group]++; }               \
            else {                                                                                                  \
                totals[group] = ADD(totals[group], value, -);                                                       \
                if (--held[group] == 0) totals[group] = 0;                                                          \
            }                                                                                                       \
        }                                                                                                           \
        out[i] = totals[group]; out_held[i] = held[group];                                                          \
    }                                                                                                               \
}
#define WRAPPED(a, b, op) ((int64_t)((uint64_t)(a) op (uint64_t)(b)))
#define PLAIN(a, b, op) ((a) op (b))
SUM(flow_sum_long, int64_t, WRAPPED)
SUM(flow_sum_double, double, PLAIN)

void flow_count(
    int64_t count, const int64_t *rows, const int8_t *kinds, const int64_t *groups, const int64_t *parts,
    int64_t *epochs, int64_t *part_epochs, int64_t *held, int64_t *out)
{
    for (int64_t i = 0; i < count; i++) {
        int fresh = 0;
        int64_t group = group_of(rows[i], kinds[i], groups, parts, epochs, part_epochs, &fresh);
        if (group < 0) { out[i] = 0; continue; }
        if (fresh) held[group] = 0;
        out[i] = held[group] += kinds[i] == CURRENT ? 1 : -1;
    }
}

/* Candidates are nodes of one pool, linked both ways; `pool[0]` is the first free node, `pool[1]` how many were ever used. */
#define EXTREME(NAME, VALUE)                                                                                        \
void NAME(int64_t count, const int64_t *rows, const int8_t *kinds, const int64_t *groups, const int64_t *parts,     \
          int64_t *epochs, int64_t *part_epochs, const VALUE *values, const uint8_t *nulls, int64_t sign,           \
          int64_t tracked, int64_t *heads, int64_t *tails, int64_t *before, int64_t *after, VALUE *nodes,           \
          int64_t *pool, VALUE *out, uint8_t *out_nulls)                                                            \
{                                                                                                                   \
    for (int64_t i = 0; i < count; i++) {                                                                           \
        int fresh = 0;                                                                                              \
        int64_t row = rows[i];                                                                                      \
        int64_t group = group_of(row, kinds[i], groups, parts, epochs, part_epochs, &fresh);                        \
        if (group < 0) { out[i] = 0; out_nulls[i] = 1; continue; }                                                  \
        if (fresh && heads[group] >= 0) {                                                                           \
            after[tails[group]] = pool[0]; pool[0] = heads[group]; heads[group] = tails[group] = -1;                \
        }                                                                                                           \
        if (!nulls || !nulls[row]) {                                                                                \
            VALUE value = values[row];                                                                              \
            if (kinds[i] == CURRENT) {                                                                              \
                while (tails[group] >= 0 &&                                                                         \
                       (sign > 0 ? nodes[tails[group]] < value : nodes[tails[group]] > value)) {                    \
                    int64_t gone = tails[group];                                                                    \
                    tails[group] = before[gone];                                                                    \
                    if (tails[group] >= 0) after[tails[group]] = -1; else heads[group] = -1;                        \
                    after[gone] = pool[0]; pool[0] = gone;                                                          \
                }                                                                                                   \
                if (tracked || heads[group] < 0) {                                                                  \
                    int64_t node = pool[0];                                                                         \
                    if (node >= 0) pool[0] = after[node]; else node = pool[1]++;                                    \
                    nodes[node] = value; before[node] = tails[group]; after[node] = -1;                             \
                    if (tails[group] >= 0) after[tails[group]] = node; else heads[group] = node;                    \
                    tails[group] = node;                                                                            \
                }                                                                                                   \
            } else {                                                                                                \
                int64_t node = heads[group];                                                                        \
                while (node >= 0 && nodes[node] != value) node = after[node];                                       \
                if (node >= 0) {                                                                                    \
                    if (before[node] >= 0) after[before[node]] = after[node]; else heads[group] = after[node];      \
                    if (after[node] >= 0) before[after[node]] = before[node]; else tails[group] = before[node];     \
                    after[node] = pool[0]; pool[0] = node;                                                          \
                }                                                                                                   \
            }                                                                                                       \
        }                                                                                                           \
        out_nulls[i] = heads[group] < 0;                                                                            \
        out[i] = heads[group] < 0 ? 0 : nodes[heads[group]];                                                        \
    }                                                                                                               \
}
EXTREME(flow_extreme_long, int64_t)
EXTREME(flow_extreme_double, double)

/* The last wanted step of each group of each chunk, in the order the groups first came; `seen` and `slots` are per group. */
int64_t flow_last_of_groups(
    int64_t count, const int64_t *rows, const uint8_t *wanted, const int64_t *groups, const int64_t *chunks,
    int64_t *seen, int64_t *slots, int64_t stamp, int64_t *out)
{
    int64_t n = 0, chunk = -1;
    for (int64_t i = 0; i < count; i++) {
        if (chunks[i] != chunk) { chunk = chunks[i]; stamp++; }
        if (!wanted[i]) continue;
        int64_t group = groups[rows[i]];
        if (seen[group] != stamp) { seen[group] = stamp; slots[group] = n++; }
        out[slots[group]] = i;
    }
    return n;
}
