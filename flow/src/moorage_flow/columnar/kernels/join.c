/* Rows of a window chained by key, and the rows each event of the other side meets. See moorage_flow.columnar.kernels.plain. */
#include "columns.h"

enum { CURRENT = 0, EXPIRED = 1 };
enum { TOGETHER = 8, AHEAD = 16, NEAR = 1 << 15 }; /* NEAR: fewer rows lie in the caches. */

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
        if (parts && i + AHEAD < count) {
            int64_t soon = parts[i + AHEAD], next = parts[i + AHEAD / 2];
            __builtin_prefetch(length_of + soon);
            __builtin_prefetch(first + soon);
            __builtin_prefetch(last + soon);
            __builtin_prefetch(held + (keys[row + AHEAD] < 0 ? 0 : keys[row + AHEAD]));
            __builtin_prefetch(tail + (keys[row + AHEAD] < 0 ? 0 : keys[row + AHEAD]));
            if (length_of[next] > 0) {
                __builtin_prefetch(after + first[next]);
                __builtin_prefetch(after + last[next]);
                __builtin_prefetch(keys + first[next]);
                __builtin_prefetch(following + first[next]);
                __builtin_prefetch(following + last[next]);
            }
        }
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

/* Put the rows each of a few that ask meets into `rows`, one chain behind the other. A row's place is only known from the one before,
   and with many keys none of it is near: so the chains are walked side by side, and what will be read of each row is fetched ahead. */
static void walk(
    int64_t few, const int64_t *key_of, const int64_t *met, const int64_t *head, const int64_t *following, int64_t moves,
    const struct move *m, int64_t *rows)
{
    int64_t at[TOGETHER], to[TOGETHER], left[TOGETHER], going = 0, end = 0;
    for (int64_t g = 0; g < few; g++) {
        if (met[g] == 0) continue;
        at[going] = head[key_of[g]]; to[going] = end; left[going++] = met[g];
        end += met[g];
    }
    while (going > 0)
        for (int64_t g = 0; g < going; g++) {
            int64_t row = at[g];
            rows[to[g]++] = row;
            for (int64_t j = 0; j < moves; j++) __builtin_prefetch((const uint8_t *)m[j].from + row * m[j].width);
            if (--left[g] > 0) {
                at[g] = following[row];
                __builtin_prefetch(following + at[g]);
            } else { /* The last takes its place, and its turn. */
                going--;
                at[g] = at[going]; to[g] = to[going]; left[g] = left[going];
                g--;
            }
        }
}

/* Give the columns of the pairs flow_probe finds. `w`: how many ask, what for, the chains; room for the rows TOGETHER of them meet; how
   many columns of those that ask and of those met, and how many rows there are; these columns. */
void flow_meet(const int64_t *w)
{
    int64_t count = w[0], mine = w[6], others = w[7], n = 0;
    const int64_t *asked = (const int64_t *)w[1], *head = (const int64_t *)w[2], *held = (const int64_t *)w[3],
                  *following = (const int64_t *)w[4];
    int64_t *rows = (int64_t *)w[5];
    int64_t together = w[8] > NEAR ? TOGETHER : 1;
    const struct move *of_mine = (const struct move *)(w + 9), *of_others = of_mine + mine;
    for (int64_t i = 0; i < count; i += together) {
        int64_t few = count - i < together ? count - i : together, met[TOGETHER], all = 0;
        for (int64_t g = 0; g < few; g++) all += met[g] = asked[i + g] < 0 ? 0 : held[asked[i + g]];
        if (all == 0) continue;
        if (together == 1) for (int64_t k = 0, row = head[asked[i]]; k < all; k++, row = following[row]) rows[k] = row;
        else {
            for (int64_t g = i + few; g < count && g < i + few + TOGETHER; g++)
                if (asked[g] >= 0) __builtin_prefetch(following + head[asked[g]]);
            walk(few, asked + i, met, head, following, others, of_others, rows);
        }
        for (int64_t j = 0; j < mine; j++) {
            if (of_mine[j].width == 8) {
                any64 *to = (any64 *)of_mine[j].to + n;
                for (int64_t g = 0; g < few; g++) {
                    any64 value = ((const any64 *)of_mine[j].from)[i + g];
                    int64_t many = met[g];
                    for (int64_t k = 0; k < many; k++) to[k] = value;
                    to += many;
                }
            } else {
                uint8_t *to = (uint8_t *)of_mine[j].to + n;
                for (int64_t g = 0; g < few; to += met[g++]) memset(to, ((const uint8_t *)of_mine[j].from)[i + g], (size_t)met[g]);
            }
        }
        for (int64_t j = 0; j < others; j++) {
            struct move m = of_others[j];
            m.to = (uint8_t *)m.to + n * m.width;
            gather(all, rows, 1, &m);
        }
        n += all;
    }
}
