/* `every A -> not B for t`: which waiting A no B stops, and when that is known. See moorage_flow.columnar.kernels.plain_patterns. */
#include "waiting.h"

/* Timers in queues by partition, served in the order they were asked for; `pool` holds the first free node, how many were ever
   used, and the next turn. `turn` is -1 where nothing is asked. A time is asked for once or, which may differ from once, twice. */
struct timers {
    int64_t *head, *tail, *turn, *scheduled;
    uint8_t *ordered;
    int64_t *time, *next, *asked, *pool;
};

static void ask(const struct timers *t, int64_t part, int64_t time, int64_t asked)
{
    int64_t tail = t->tail[part], *pool = t->pool;
    t->scheduled[part] = time;
    if (t->turn[part] < 0) t->turn[part] = pool[2]++;
    if (t->head[part] >= 0 && t->time[tail] == time) {
        t->asked[tail] = 2;
        return;
    }
    int64_t node = pool[0];
    if (node >= 0) pool[0] = t->next[node]; else node = pool[1]++;
    t->time[node] = time; t->asked[node] = asked; t->next[node] = -1;
    if (t->head[part] >= 0) t->next[tail] = node; else t->head[part] = node;
    t->tail[part] = node;
}

/* Put what was let in into the queue, and note whether the queue still goes by time. */
static void join(const struct queues *q, const struct timers *t, int64_t part, const int64_t *times, const int64_t *keys)
{
    int64_t last = q->tail[part];
    if (q->fresh_head[part] < 0) return;
    update(q, part, times, keys);
    if (last < 0) t->ordered[part] = 1;
    else if (times[q->next[last]] < times[last]) t->ordered[part] = 0;
}

int64_t flow_absent_take(
    int64_t count, int64_t mode, int64_t wait, const int64_t *ts, const int64_t *parts, const int64_t *entering,
    const int64_t *asking, const int64_t *times, const int64_t *keys, const uint8_t *able, int64_t *head, int64_t *tail,
    int64_t *fresh_head, int64_t *fresh_tail, int64_t *key_head, int64_t *key_tail, int64_t *next, int64_t *previous,
    int64_t *key_next, int64_t *key_previous, uint8_t *waiting, int64_t tests, const int64_t *types, const int64_t *ops,
    const void *const *firsts, const void *const *seconds, int64_t *timer_head, int64_t *timer_tail, int64_t *turn,
    int64_t *scheduled, uint8_t *ordered, int64_t *timer_time, int64_t *timer_next, int64_t *asked, int64_t *pool)
{
    const struct queues queues = {head, tail, fresh_head, fresh_tail, key_head, key_tail,
                                  next, previous, key_next, key_previous, waiting};
    const struct timers timers = {timer_head, timer_tail, turn, scheduled, ordered, timer_time, timer_next, asked, pool};
    for (int64_t i = 0; i < count; i++) {
        int64_t part = parts[i], stopped = 0;
        if (mode != FIRST) join(&queues, &timers, part, times, keys);
        if (asking[i] >= 0)
            for (int64_t row = key_head[asking[i]]; row >= 0;) {
                int64_t following = key_next[row];
                if (able[row] && holds(tests, types, ops, firsts, seconds, row, i)) {
                    leave(&queues, part, asking[i], row);
                    stopped++;
                }
                row = following;
            }
        if (stopped) ask(&timers, part, ts[i] + wait, stopped > 1 ? 2 : 1);
        if (entering[i] >= 0) {
            int64_t row = entering[i];
            next[row] = -1;
            if (fresh_tail[part] >= 0) next[fresh_tail[part]] = row; else fresh_head[part] = row;
            fresh_tail[part] = row;
            waiting[row] = 1;
            ask(&timers, part, ts[i] + wait, 1);
        }
    }
    return 0;
}

int64_t flow_absent_fire(
    int64_t count, const int64_t *due, int64_t now, int64_t wait, const int64_t *times, const int64_t *keys, int64_t *head,
    int64_t *tail, int64_t *fresh_head, int64_t *fresh_tail, int64_t *key_head, int64_t *key_tail, int64_t *next,
    int64_t *previous, int64_t *key_next, int64_t *key_previous, uint8_t *waiting, int64_t *timer_head, int64_t *timer_tail,
    int64_t *turn, int64_t *scheduled, uint8_t *ordered, int64_t *timer_time, int64_t *timer_next, int64_t *asked,
    int64_t *pool, int64_t *out_rows, int64_t *out_times, int64_t *out_parts)
{
    const struct queues queues = {head, tail, fresh_head, fresh_tail, key_head, key_tail,
                                  next, previous, key_next, key_previous, waiting};
    const struct timers timers = {timer_head, timer_tail, turn, scheduled, ordered, timer_time, timer_next, asked, pool};
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t part = due[i], node;
        while ((node = timer_head[part]) >= 0 && timer_time[node] <= now) {
            int64_t time = timer_time[node], left = asked[node];
            timer_head[part] = timer_next[node];
            timer_next[node] = pool[0]; pool[0] = node;
            for (; left > 0; left--) {
                int64_t before = n;
                join(&queues, &timers, part, times, keys);
                for (int64_t row = head[part]; row >= 0;) {
                    int64_t following = next[row];
                    if (time >= times[row] + wait) {
                        out_rows[n] = row; out_times[n] = time; out_parts[n++] = part;
                        leave(&queues, part, keys[row], row);
                    } else if (ordered[part])
                        break;
                    row = following;
                }
                if (now > wait + time) scheduled[part] = now + wait;
                if (n == before && scheduled[part] < time) ask(&timers, part, time + wait, 1);
            }
        }
        if (timer_head[part] < 0) turn[part] = -1;
    }
    return n;
}
