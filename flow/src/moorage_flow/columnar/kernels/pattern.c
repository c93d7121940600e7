/* `every A -> B within`: which waiting A each B completes. See moorage_flow.columnar.kernels.plain_patterns.follow. */
#include "waiting.h"

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
        pass_time(q, part, times, keys, now, within);
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
        if (entering[i] >= 0) let_in(q, part, entering[i]);
    }
    return n;
}
