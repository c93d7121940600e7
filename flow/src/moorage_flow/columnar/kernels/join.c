/* Rows of a window chained by key, and the rows each event of the other side meets. See moorage_flow.columnar.kernels.plain. */
#include "columns.h"

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

/* Let rows into windows that slide, out what must leave before each, and chain them by key, as flow_slide and flow_chain do one
   after the other. */
void flow_slide_chain(
    int64_t count, const int64_t *parts, int64_t *after, int64_t *first, int64_t *last, int64_t *length_of, const int64_t *time,
    int64_t aged, int64_t limit, const int64_t *limits, int64_t row, int64_t length, const int64_t *keys, int64_t *head,
    int64_t *tail, int64_t *held, int64_t *following)
{
    for (int64_t i = 0; i < count; i++, row++) {
        int64_t part = parts ? parts[i] : 0, key = keys[row];
        if (limits) limit = limits[i];
        while (length_of[part] > 0 &&
               ((aged && time[first[part]] <= limit) || (length >= 0 && length_of[part] >= length))) {
            int64_t gone = first[part], of = keys[gone];
            first[part] = after[gone];
            length_of[part]--;
            if (of < 0) continue;
            head[of] = following[gone];
            held[of]--;
        }
        after[row] = -1;
        if (length_of[part] > 0) after[last[part]] = row; else first[part] = row;
        last[part] = row;
        length_of[part]++;
        if (key < 0) continue;
        following[row] = -1;
        if (held[key] > 0) following[tail[key]] = row; else head[key] = row;
        tail[key] = row;
        held[key]++;
    }
}

/* Tell how many rows all those meet that ask, and in `most` how many one meets. */
int64_t flow_meeting(int64_t count, const int64_t *asked, const int64_t *held, int64_t *most)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t met = asked[i] < 0 ? 0 : held[asked[i]];
        n += met;
        if (met > *most) *most = met;
    }
    return n;
}

/* Give the columns of the pairs flow_probe finds. `w`: how many ask, what for, the chains; room for the rows of one; how many
   columns of those that ask and of those met; these columns. */
void flow_meet(const int64_t *w)
{
    int64_t count = w[0], mine = w[6], others = w[7], n = 0;
    const int64_t *asked = (const int64_t *)w[1], *head = (const int64_t *)w[2], *held = (const int64_t *)w[3],
                  *following = (const int64_t *)w[4];
    int64_t *rows = (int64_t *)w[5];
    const struct move *of_mine = (const struct move *)(w + 8), *of_others = of_mine + mine;
    for (int64_t i = 0; i < count; i++) {
        int64_t key = asked[i], met = key < 0 ? 0 : held[key];
        if (met == 0) continue;
        for (int64_t k = 0, row = head[key]; k < met; k++, row = following[row]) rows[k] = row;
        for (int64_t j = 0; j < mine; j++) {
            if (of_mine[j].width == 8) {
                any64 value = ((const any64 *)of_mine[j].from)[i], *to = (any64 *)of_mine[j].to + n;
                for (int64_t k = 0; k < met; k++) to[k] = value;
            } else
                memset((uint8_t *)of_mine[j].to + n, ((const uint8_t *)of_mine[j].from)[i], (size_t)met);
        }
        for (int64_t j = 0; j < others; j++) {
            struct move m = of_others[j];
            m.to = (uint8_t *)m.to + n * m.width;
            gather(met, rows, 1, &m);
        }
        n += met;
    }
}
