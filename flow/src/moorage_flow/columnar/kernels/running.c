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
                while (node >= 0 && nodes[node] != value && (nodes[node] == nodes[node] || value == value))         \
                    node = after[node]; /* NaN is NaN here, as Java's equals says. */                               \
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
