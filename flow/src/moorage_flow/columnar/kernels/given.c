/* Batches as a program sends them, read and checked. See moorage_flow.columnar.kernels.single. */
#include "given.h"

struct layout layout;

/* Learn where things stand in objects. */
void flow_layout(const struct layout *found) { layout = *found; }

/* Each test is of the sign alone, so that compilers take several values at once. */
static int all_codes(int64_t count, const uint64_t *codes, uint64_t most)
{
    uint64_t bad = 0;
    for (int64_t i = 0; i < count; i++) bad |= (codes[i] + 1) | (most - codes[i]);
    return (int64_t)bad >= 0;
}

static int all_ints(int64_t count, const uint64_t *values)
{
    uint64_t bad = 0;
    for (int64_t i = 0; i < count; i++) bad |= (values[i] + 0x80000000u) >> 32;
    return bad == 0;
}

static int all_floats(int64_t count, const double *values)
{
    int bad = 0;
    for (int64_t i = 0; i < count; i++) bad |= (double)(float)values[i] != values[i];
    return !bad;
}

int read_given(object values, object times, int64_t columns, const int64_t *kinds, struct given *g)
{
    if (!is_array(times, WHOLES)) return 0;
    int64_t count = g->count = length(times);
    if (count == 0) return 0;
    g->times = data(times);
    for (int64_t j = 0; j < columns; j++) {
        object o = item(values, j);
        if (kinds[j] == OF_WORDS) {
            if (!is_a(o, layout.dictionary)) return 0;
            object codes = (object)word(o, layout.of_codes), words = (object)word(o, layout.of_words);
            if (!is_a(words, layout.words) || !is_array(codes, WHOLES) || length(codes) != count) return 0;
            g->words[j] = (object)word(words, layout.of_array);
            g->columns[j] = data(codes);
            if (!all_codes(count, data(codes), (uint64_t)length(g->words[j]) - 2)) return 0;
            continue;
        }
        int kind = kinds[j] == OF_BOOL ? BYTES : kinds[j] >= OF_FLOAT ? DOUBLES : WHOLES;
        if (!is_array(o, kind) || length(o) != count) return 0;
        g->columns[j] = data(o);
        if (kinds[j] == OF_INT && !all_ints(count, data(o))) return 0;
        if (kinds[j] == OF_FLOAT && !all_floats(count, data(o))) return 0;
    }
    return 1;
}
