/* Rows of a window chained by key, and the rows each event of the other side meets. See moorage_flow.columnar.kernels.plain. */
#include <stdint.h>

enum { CURRENT = 0, EXPIRED = 1 };

/* Rows leave a chain in the order they entered it, so that what leaves is always its head. */
void flow_chain(
    int64_t count, const int64_t *rows, const int8_t *kinds, const int64_t *keys, int64_t *head, int64_t *tail,
    int64_t *held, int64_t *following)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t row = rows[i], key = keys[row];
        if (key < 0) continue;
        if (kinds[i] == CURRENT) {
            following[row] = -1;
            if (held[key] > 0) following[tail[key]] = row; else head[key] = row;
            tail[key] = row;
            held[key]++;
        } else if (kinds[i] == EXPIRED) {
            head[key] = following[row];
            held[key]--;
        }
    }
}

void flow_probe(
    int64_t count, const int64_t *asked, const int64_t *head, const int64_t *held, const int64_t *following,
    int64_t *probes, int64_t *rows)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t key = asked[i];
        if (key < 0) continue;
        int64_t row = head[key];
        for (int64_t left = held[key]; left > 0; left--) {
            probes[n] = i; rows[n++] = row;
            row = following[row];
        }
    }
}
