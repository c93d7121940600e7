/* `every A -> B within` over plain columns, from what comes to the columns of the pairs that are complete. What waits is kept here, by
   key, each A as a few words in one piece with the others of its key. The rows are those of flow_follow. See
   moorage_flow.columnar.kernels.matching. */
#include "pending.h"

/* Tell whether of those that wait the first or the last is too old; where none waits, no. */
static inline int any_over(const struct match *m, const struct slot *s, int64_t now, int64_t width)
{
    /* Chosen by arithmetic: a branch would be foretold wrongly whenever a key has come to an end, or begun. */
    uint32_t some = -(uint32_t)(s->end != s->start);
    uintptr_t nowhere = (uintptr_t)m->nowhere;
    const any64 *held = (const any64 *)(nowhere ^ ((nowhere ^ (uintptr_t)s->entries) & (uintptr_t)(intptr_t)(int32_t)some));
    const any64 *first = held + (s->start & some) * (size_t)width, *last = held + ((s->end - 1) & some) * (size_t)width;
    *m->nowhere = (any64)now;
    return over((int64_t)*first, now, m->within) | over((int64_t)*last, now, m->within);
}

/* Let what has waited too long go, where the times of a key's events are in no order: from the front, and of what is fresh each. */
static inline void pass(const struct match *m, struct slot *s, int64_t now)
{
    while (s->start < s->fresh && over((int64_t)*entry(m, s, s->start), now, m->within)) s->start++;
    uint32_t kept = s->fresh;
    for (uint32_t p = s->fresh; p < s->end; p++) {
        if (over((int64_t)*entry(m, s, p), now, m->within)) continue;
        if (kept != p) put(entry(m, s, kept), entry(m, s, p), m->width);
        kept++;
    }
    s->end = kept;
    if (s->start == s->end) emptied(s);
}

/* Put what is fresh in the order of its times. */
static void arrange(const struct match *m, struct slot *s)
{
    for (uint32_t p = s->fresh + 1; p < s->end; p++)
        for (uint32_t at = p; at > s->fresh && (int64_t)*entry(m, s, at - 1) > (int64_t)*entry(m, s, at); at--)
            for (int64_t j = 0; j < m->width; j++) {
                any64 *a = entry(m, s, at) + j, *before = entry(m, s, at - 1) + j, value = *a;
                *a = *before; *before = value;
            }
}

/* --- Which pairs are complete --- */

#define SIFT(TYPE, OP) {                                                                             \
        TYPE right = ((const TYPE *)column)[i];                                                      \
        if (first)                                                                                   \
            for (uint32_t p = s->start; p < s->end; p++, words += width) {                           \
                hits[found] = p; found += *(const TYPE *)words OP right;                             \
            }                                                                                        \
        else                                                                                         \
            for (uint32_t j = 0; j < held; j++) {                                                    \
                hits[found] = hits[j];                                                               \
                found += *(const TYPE *)(words + (size_t)(hits[j] - s->start) * width) OP right;     \
            }                                                                                        \
        break;                                                                                       \
    }
#define SIFT_BY(OP) if (b->real) SIFT(double, OP) else SIFT(whole, OP)

typedef int64_t __attribute__((may_alias)) whole;

/* Give how many of a key's entries event `i` completes, and note which; no branch depends on what they hold. */
static inline uint32_t sift(const struct match *m, const struct slot *s, int64_t i)
{
    uint32_t *restrict hits = m->hits;
    size_t width = (size_t)m->width;
    uint32_t held = 0;
    int first = 1;
    if (m->able) {
        const any64 *words = entry(m, s, s->start) + m->able;
        for (uint32_t p = s->start; p < s->end; p++, words += width) { hits[held] = p; held += *words != 0; }
        first = 0;
    }
    for (int64_t t = 0; t < m->tests; t++) {
        const struct between *b = m->between + t;
        const void *column = m->columns[b->column];
        const any64 *words = entry(m, s, s->start) + b->word;
        uint32_t found = 0;
        switch (b->op) {
        case EQUAL: SIFT_BY(==)
        case UNEQUAL: SIFT_BY(!=)
        case LESS: SIFT_BY(<)
        case AT_MOST: SIFT_BY(<=)
        case MORE: SIFT_BY(>)
        case AT_LEAST: SIFT_BY(>=)
        }
        held = found;
        first = 0;
    }
    return held;
}

static inline int64_t tell(struct match *m, const any64 *words, int64_t i, int64_t n)
{
    any64 *to = m->told + n * (m->width + 1);
    put(to, words, m->width);
    to[m->width] = (any64)i;
    return n + 1;
}

static inline __attribute__((always_inline)) void write_entry(const struct match *m, any64 *to, int64_t i, int64_t width)
{
    to[0] = (any64)m->ts[i];
    int64_t kept = m->able ? width - 2 : width - 1;
    for (int64_t j = 0; j < kept; j++) {
        int64_t column = m->column[j];
        const void *from = m->columns[column < 0 ? ~column : column];
        to[1 + j] = column < 0 ? ((const uint8_t *)from)[i] : ((const any64 *)from)[i];
    }
    if (m->able) to[width - 1] = (m->marks[i] & ABLE) != 0;
}

/* Tell of all that event `i` completes, and keep the others; give how many pairs there are now, `n` being those of before. */
static int64_t complete(struct match *m, struct slot *s, int64_t i, int64_t n)
{
    uint32_t held = s->end - s->start, found = m->tests || m->able ? sift(m, s, i) : held;
    if (found == held) {
        for (uint32_t p = s->start; p < s->end; p++) n = tell(m, entry(m, s, p), i, n);
        emptied(s);
        return n;
    }
    if (!found) return n;
    for (uint32_t j = 0; j < found; j++) n = tell(m, entry(m, s, m->hits[j]), i, n);
    /* Each stretch of those that stay moves down over those that left. */
    uint32_t to = m->hits[0];
    for (uint32_t j = 0; j < found; j++) {
        uint32_t end = j + 1 < found ? m->hits[j + 1] : s->end;
        for (uint32_t p = m->hits[j] + 1; p < end; p++) put(entry(m, s, to++), entry(m, s, p), m->width);
    }
    s->end = s->fresh = to;
    return n;
}

/* Let an event wait. */
static int64_t let_wait(struct match *m, struct slot *s, int64_t i)
{
    if (s->end == s->room && widen(m, s)) return NO_MEMORY;
    write_entry(m, entry(m, s, s->end++), i, m->width);
    return 0;
}

#define TRY_EACH(TYPE, OP) {                                                                      \
        TYPE right = ((const TYPE *)m->columns[b->column])[i];                                    \
        for (; from < end; from += width) {                                                       \
            int64_t hit = -(int64_t)(*(const TYPE *)(from + word) OP right);                      \
            put(out, from, width);                                                                \
            out[width] = (any64)i;                                                                \
            put(to, from, width);                                                                 \
            out += hit & (width + 1);                                                             \
            to += ~hit & width;                                                                   \
            gone -= (uint32_t)hit;                                                                \
        }                                                                                         \
        break;                                                                                    \
    }
#define TRY_EACH_BY(OP) if (b->real) TRY_EACH(double, OP) else TRY_EACH(whole, OP)

/* Do with event `i` all there is to do for its key, of which nothing is too old; give how many pairs there are now. Whether it is an A or a
   B nobody can foresee, nor whether it completes an A: so, of few, each is told and kept, what comes next being written behind it or over
   it, and the event waits or is written to nowhere. Only the number of those that are tried is left to guess. */
static inline __attribute__((always_inline)) int64_t step(
    struct match *m, struct slot *s, int is, int64_t i, int64_t n, int64_t mode, int64_t width)
{
    uint32_t tries = (s->end - s->start) & -(uint32_t)(is / ASKS & 1);
    if ((n + tries + 1) * (width + 1) > m->told_room &&
        grow((void **)&m->told, &m->told_room, (n + tries + 1) * (width + 1), 8)) return NO_MEMORY;
    if (tries > FEW || m->tests > 1 || m->able) {
        if (tries) n = complete(m, s, i, n);
        s->fresh = s->end;
        return is & ENTERS && let_wait(m, s, i) ? NO_MEMORY : n;
    }
    any64 *out = m->told + n * (width + 1), *from = s->entries + s->start * (size_t)width, *to = from, *end = from + tries * (size_t)width;
    uint32_t gone = 0;
    if (m->tests) {
        const struct between *b = m->between;
        int64_t word = b->word;
        switch (b->op) {
        case EQUAL: TRY_EACH_BY(==)
        case UNEQUAL: TRY_EACH_BY(!=)
        case LESS: TRY_EACH_BY(<)
        case AT_MOST: TRY_EACH_BY(<=)
        case MORE: TRY_EACH_BY(>)
        case AT_LEAST: TRY_EACH_BY(>=)
        }
    } else
        for (gone = tries; from < end; from += width, out += width + 1) {
            put(out, from, width);
            out[width] = (any64)i;
        }
    uint32_t left = s->end - gone - s->start;
    s->start &= -(uint32_t)(left > 0);
    s->fresh = s->end = s->start + left;
    if (mode == SECOND) return n + gone; /* There are no columns to keep anything of. */
    if ((is & ENTERS) & (s->end == s->room) && widen(m, s)) return NO_MEMORY;
    write_entry(m, s->end < s->room ? s->entries + s->end * (size_t)width : m->nowhere, i, width);
    s->end += (is & ENTERS) != 0;
    return n + gone;
}

/* Tell what each event is. */
static void mark(struct match *m, int64_t count, int64_t mode)
{
    uint8_t *marks = m->marks, *one = marks + count;
    for (int64_t j = 0; j < m->conditions; j++) m->condition[j].values = m->columns[m->asked[j].column];
    memset(marks, 0, (size_t)count);
    int64_t at = 0;
    for (int64_t is = ENTERS; is <= ABLE; is *= 2) {
        int64_t from = at;
        while (at < m->conditions && m->asked[at].is == is) at++;
        if (is == ASKS ? mode == FIRST : mode == SECOND || (is == ABLE && !m->able)) continue;
        meet_all(count, at - from, m->condition + from, one);
        for (int64_t i = 0; i < count; i++) marks[i] |= (uint8_t)(one[i] * is);
    }
}

/* Find the key of each event; UNKNOWN where there is none yet, and nothing is done. */
static int64_t find_keys(struct match *m, int64_t count, const int64_t *codes, const int64_t *table)
{
    m->of = codes;
    if (!table) return 0;
    int64_t bad = 0;
    for (int64_t i = 0; i < count; i++) bad |= codes[i];
    if (bad < 0) return UNKNOWN;
    for (int64_t i = 0; i < count; i++) bad |= m->key_of[i] = table[codes[i]];
    m->of = m->key_of;
    return bad < 0 ? UNKNOWN : 0;
}

/* Keys that are partitions, each with its own time: every event lets go what is too old. */
static inline __attribute__((always_inline)) int64_t match_alone(struct match *m, int64_t count, int64_t mode, int64_t width)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count && m->of) {
            __builtin_prefetch(m->slots + m->of[i + AHEAD]);
            __builtin_prefetch(m->slots[m->of[i + AHEAD / 2]].entries);
        }
        struct slot *s = m->slots + (m->of ? m->of[i] : 0);
        int is = m->marks[i];
        /* Only the last may be fresh, unless A and B are of two streams. */
        if (m->within >= 0 && (any_over(m, s, m->ts[i], width) | (s->end - s->fresh > 1))) pass(m, s, m->ts[i]);
        if (mode == FIRST) {
            if (is & ENTERS && let_wait(m, s, i)) return NO_MEMORY;
            continue;
        }
        if (s->end - s->fresh > 1) arrange(m, s);
        if ((n = step(m, s, is, i, n, mode, width)) < 0) return n;
    }
    return n;
}

/* Keys that share one time, which never goes back: what is too old is let go where its key is met. */
static inline __attribute__((always_inline)) int64_t match_together(struct match *m, int64_t count, int64_t mode, int64_t width)
{
    int64_t n = 0, turn = m->turn;
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            __builtin_prefetch(m->slots + m->of[i + AHEAD]);
            __builtin_prefetch(m->slots[m->of[i + AHEAD / 2]].entries);
        }
        int is = m->marks[i];
        turn += mode != FIRST;
        if (!(is & (ASKS | ENTERS))) continue;
        struct slot *s = m->slots + m->of[i];
        if (m->within >= 0 && any_over(m, s, m->ts[i], width)) {
            while (s->start < s->end && over((int64_t)*entry(m, s, s->start), m->ts[i], m->within)) s->start++;
            if (s->fresh < s->start) s->fresh = s->start;
            if (s->start == s->end) emptied(s);
        }
        if (mode != FIRST) {
            s->turn = turn;
            if ((n = step(m, s, is, i, n, mode, width)) < 0) return n;
        } else {
            if (s->turn != turn) { s->turn = turn; s->fresh = s->end; }
            if (let_wait(m, s, i)) return NO_MEMORY;
        }
    }
    m->turn = turn;
    m->latest = m->ts[count - 1];
    return n;
}

static inline __attribute__((always_inline)) int64_t match_all(struct match *m, int64_t count, int64_t mode, int64_t width)
{
    return m->alone ? match_alone(m, count, mode, width) : match_together(m, count, mode, width);
}

int64_t flow_match_batch(struct match *m, int64_t count, int64_t mode, int64_t keys, const int64_t *ts, const int64_t *codes,
                         const int64_t *table, const void *const *columns)
{
    m->pairs = 0;
    if (!count) return 0;
    m->ts = ts;
    memcpy(m->columns, columns, (size_t)m->column_count * sizeof *m->columns);
    if (count > m->event_room) {
        int64_t room = m->event_room;
        if (grow((void **)&m->marks, &room, count, 2)) return NO_MEMORY;
        if (grow((void **)&m->key_of, &m->event_room, count, 8)) return NO_MEMORY;
    }
    int64_t found = find_keys(m, count, codes, table);
    if (found) return found;
    if (!m->alone) {
        int64_t back = m->ts[0] < m->latest;
        for (int64_t i = 1; i < count; i++) back |= m->ts[i] < m->ts[i - 1];
        if (back) return UNORDERED;
    }
    if (keep_keys(m, keys)) return NO_MEMORY;
    if ((m->since += count) > 4 * m->keys + SOME) flow_match_settle(m);
    mark(m, count, mode);
    switch (m->width) { /* Known to the compiler, it is no loop. */
    case 2: found = match_all(m, count, mode, 2); break;
    case 3: found = match_all(m, count, mode, 3); break;
    case 4: found = match_all(m, count, mode, 4); break;
    default: found = match_all(m, count, mode, m->width); break;
    }
    return m->pairs = found;
}

/* Take a batch. `w`: how many events, whether they are an A, a B or both, how many keys there are; where the times stand, the keys, a
   table from these to their numbers or NULL, and each column. Gives how many pairs are complete. */
int64_t flow_match(struct match *m, const int64_t *w)
{
    const void *const *columns = (const void *const *)(w + 6);
    return flow_match_batch(m, w[0], w[1], w[2], (const int64_t *)w[3], (const int64_t *)w[4], (const int64_t *)w[5], columns);
}

/* Write columns of the pairs just told of. `w`: for each how it is found, its width, where it goes; found: word 0 and up of the A, ~column
   of the B, or one of those in pending.h. The batch's columns still stand. */
int64_t flow_match_told(struct match *m, const int64_t *w, int64_t columns)
{
    int64_t n = m->pairs, each = m->width + 1;
    const any64 *told = m->told, *of = told + m->width;
    for (int64_t j = 0; j < columns; j++, w += 3) {
        any64 *to = (any64 *)w[2];
        uint8_t *narrow = (uint8_t *)w[2];
        if (w[0] < 0) {
            const void *from = m->columns[~w[0]];
            if (w[1] == 8) for (int64_t k = 0; k < n; k++) to[k] = ((const any64 *)from)[of[k * each]];
            else for (int64_t k = 0; k < n; k++) narrow[k] = ((const uint8_t *)from)[of[k * each]];
        } else if (w[0] == OF_TIME) for (int64_t k = 0; k < n; k++) to[k] = (any64)m->ts[of[k * each]];
        else if (w[0] == OF_POSITION) for (int64_t k = 0; k < n; k++) to[k] = of[k * each];
        else if (w[0] == OF_KEY) for (int64_t k = 0; k < n; k++) to[k] = m->of ? (any64)m->of[of[k * each]] : 0;
        else if (w[1] == 8) for (int64_t k = 0; k < n; k++) to[k] = told[k * each + w[0]];
        else for (int64_t k = 0; k < n; k++) narrow[k] = (uint8_t)told[k * each + w[0]];
    }
    if (m->told_room > 1 << 20) { free(m->told); m->told = NULL; m->told_room = 0; }
    return 0;
}

