/* Sliding windows by key: which rows leave before each row that comes. See moorage_flow.columnar.kernels.plain.slide. */
#include <stdint.h>

enum { CURRENT = 0, EXPIRED = 1, RESET = 3 };

/* `aged`: rows leave by age, at `limits[i]` or, where there are none, at `limit`. `parts` NULL: all are of one. */
int64_t flow_slide(
    int64_t count, const int64_t *parts, int64_t *following, int64_t *head, int64_t *tail, int64_t *held,
    const int64_t *time, int64_t aged, int64_t limit, const int64_t *limits, int64_t first, int64_t length,
    int64_t resets, int64_t *rows, int8_t *kinds, int64_t *at)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t part = parts ? parts[i] : 0, row = first + i;
        if (limits) limit = limits[i];
        if (aged)
            while (held[part] > 0 && time[head[part]] <= limit) {
                rows[n] = head[part]; kinds[n] = EXPIRED; at[n++] = i;
                head[part] = following[head[part]];
                held[part]--;
            }
        int keeps = 1;
        if (length >= 0 && held[part] >= length) {
            if (held[part] > 0) {
                rows[n] = head[part]; kinds[n] = EXPIRED; at[n++] = i;
                head[part] = following[head[part]];
                held[part]--;
            } else
                keeps = 0;
        }
        rows[n] = row; kinds[n] = CURRENT; at[n++] = i;
        if (keeps) {
            following[row] = -1;
            if (held[part] > 0)
                following[tail[part]] = row;
            else
                head[part] = row;
            tail[part] = row;
            held[part]++;
        } else if (resets) {
            rows[n] = row; kinds[n] = EXPIRED; at[n++] = i;
            rows[n] = row; kinds[n] = RESET; at[n++] = i;
        }
    }
    return n;
}

/* Let the rows of one queue leave that are of `limit` or older. */
int64_t flow_expire(
    const int64_t *following, int64_t *head, int64_t *held, const int64_t *time, int64_t part, int64_t limit, int64_t *rows)
{
    int64_t n = 0;
    while (held[part] > 0 && time[head[part]] <= limit) {
        rows[n++] = head[part];
        head[part] = following[head[part]];
        held[part]--;
    }
    return n;
}
