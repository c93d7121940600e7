/* `every A -> B within` over one stream, a whole batch in one call: what is sent is read, matched by match.c, and the pairs it completes
   are told. See moorage_flow.columnar.completing. */
#include "given.h"
#include "pending.h"

enum { NOT_PLAIN = -1, NOT_READY = -2, NO_ROOM = -3 };

/* What a query does, words of 64 bits one behind the other: how many attributes the stream has; the one that holds the keys, -1 where
   there are none; how many of words are kept; how many columns match.c reads, and how many are told. Then the kind of each attribute,
   the place of each that is kept of words, the place of each column, and how each one told is found, with its width. */
struct completing {
    int64_t columns, by, words, read, told;
};

/* Write the times of the pairs just told of, then each column of them, and the position of the event that completed each. */
static void write_told(struct match *m, const int64_t (*told)[2], int64_t columns, int64_t n, any64 *to)
{
    int64_t w[MOST_COLUMNS + 2][3];
    for (int64_t j = 0; j < columns + 2; j++, to += n) {
        w[j][0] = j == 0 ? OF_TIME : j > columns ? OF_POSITION : told[j - 1][0];
        w[j][1] = j == 0 || j > columns ? 8 : told[j - 1][1];
        w[j][2] = (int64_t)to;
    }
    flow_match_told(m, w[0], columns + 2);
}

/* Take a batch; give how many pairs it completes, or why it is not taken. `state`: a table from the codes of words to the numbers of
   keys, those words, and the words of each column kept of words; `block` is what flow_match_new gave, `keys` how many numbers there are.
   What is told is written into `lanes` where there is room for it. */
int64_t flow_complete(object values, object times, object plan, object state, object lanes, int64_t block, int64_t keys)
{
    const struct completing *p = data(plan);
    const int64_t *kinds = (const int64_t *)(p + 1), *words = kinds + p->columns, *places = words + p->words;
    const int64_t *codes = NULL, *table = NULL;
    struct match *m = (struct match *)block;
    struct given g;
    if (!read_given(values, times, p->columns, kinds, &g)) return NOT_PLAIN;
    if (p->by >= 0) {
        if (item(state, 1) != g.words[p->by] || !is_array(item(state, 0), WHOLES)) return NOT_READY;
        if (length(item(state, 0)) < length(g.words[p->by])) return NOT_READY;
        codes = g.columns[p->by];
        table = data(item(state, 0));
    }
    for (int64_t j = 0; j < p->words; j++)
        if (item(state, 2 + j) != g.words[words[j]]) return NOT_READY;
    const void *columns[2 * MOST_COLUMNS];
    for (int64_t j = 0; j < p->read; j++) columns[j] = g.columns[places[j]];
    int64_t n = flow_match_batch(m, g.count, BOTH, keys, g.times, codes, table, columns);
    if (n < 0) return n == NO_MEMORY ? NO_ROOM : NOT_READY;
    if (n * (p->told + 2) <= length(lanes)) write_told(m, (const int64_t(*)[2])(places + p->read), p->told, n, data(lanes));
    return n;
}

/* Write what is told, where there was no room for it; the columns of its batch still stand. */
int64_t flow_completed(object plan, object lanes, int64_t block, int64_t n)
{
    const struct completing *p = data(plan);
    const int64_t *places = (const int64_t *)(p + 1) + p->columns + p->words;
    write_told((struct match *)block, (const int64_t(*)[2])(places + p->read), p->told, n, data(lanes));
    return n;
}
