/* Buckets by beginning and group, found through a table of hashes. See moorage_flow.columnar.kernels.plain. */
#include <stdint.h>

enum { AHEAD = 16 };

static inline uint64_t hash(int64_t start, int64_t group)
{
    uint64_t mixed = (uint64_t)start * 0x9E3779B97F4A7C15u + (uint64_t)group * 0xC2B2AE3D27D4EB4Fu;
    return mixed ^ mixed >> 29;
}

/* Enter buckets from `from` on; `table` is a power of two long, more than all buckets, -1 where it is free. */
int64_t flow_bucket_index(
    int64_t from, int64_t size, const int64_t *starts, const int64_t *groups, int64_t mask, int64_t *table)
{
    for (int64_t bucket = from; bucket < size; bucket++) {
        uint64_t at = hash(starts[bucket], groups[bucket]) & (uint64_t)mask;
        while (table[at] >= 0) at = (at + 1) & (uint64_t)mask;
        table[at] = bucket;
    }
    return size;
}

int64_t flow_find_buckets(
    int64_t count, const int64_t *starts, const int64_t *groups, const int64_t *times, int64_t mask, int64_t *table,
    int64_t *of_starts, int64_t *of_groups, int64_t *of_latest, int64_t size, int64_t *found, uint8_t *latest)
{
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            /* With many keys none of it is near: the table first, and what it holds once it is here. */
            int64_t soon = i + AHEAD, next = i + AHEAD / 2;
            __builtin_prefetch(table + (hash(starts[soon], groups[soon]) & (uint64_t)mask));
            int64_t held = table[hash(starts[next], groups[next]) & (uint64_t)mask];
            if (held >= 0) {
                __builtin_prefetch(of_starts + held);
                __builtin_prefetch(of_groups + held);
                __builtin_prefetch(of_latest + held);
            }
        }
        uint64_t at = hash(starts[i], groups[i]) & (uint64_t)mask;
        int64_t bucket;
        while ((bucket = table[at]) >= 0 && (of_starts[bucket] != starts[i] || of_groups[bucket] != groups[i]))
            at = (at + 1) & (uint64_t)mask;
        int fresh = bucket < 0;
        if (fresh) {
            bucket = table[at] = size++;
            of_starts[bucket] = starts[i];
            of_groups[bucket] = groups[i];
        }
        found[i] = bucket;
        latest[i] = fresh || times[i] >= of_latest[bucket];
        if (latest[i]) of_latest[bucket] = times[i];
    }
    return size;
}
