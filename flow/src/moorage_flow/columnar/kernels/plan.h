/* Plans of queries over one stream, as Python packs them, and how a batch is read and sifted by one. See
   moorage_flow.columnar.steps.Program. */
#include "steps.h"

/* Move the rows chosen of a column, all where `chosen` is NULL. */
static inline void move(int64_t n, const int64_t *restrict chosen, const any64 *from, any64 *restrict to)
{
    if (!chosen) memcpy(to, from, (size_t)n * 8);
    else for (int64_t i = 0; i < n; i++) to[i] = from[chosen[i]];
}

static inline void move_bytes(int64_t n, const int64_t *restrict chosen, const uint8_t *from, uint8_t *restrict to)
{
    if (!chosen) memcpy(to, from, (size_t)n);
    else for (int64_t i = 0; i < n; i++) to[i] = from[chosen[i]];
}

enum { NOT_PLAIN = -1, OTHER_WORDS = -2, NOT_READY = -3 };

/* What a query does, words of 64 bits one behind the other: the kinds of the stream's attributes; constants; by test of words the
   column, the array of words it is for, the test and its size; the steps of the filter, whose result is in `result`, -1 where there
   is none; those of what is selected, and the place of each column that is; what else a kernel goes by. */
struct plan {
    int64_t columns, constants, tests, filters, result, selects, lanes;
};

struct planned {
    struct plan size;
    const int64_t *kinds, *constants;
    const int64_t (*words)[4];
    const struct step *filters, *selects;
    const int64_t *lanes, *rest;
};

OWN struct planned planned(object array);

/* Read a batch and prepare what steps need of it; give how many rows it has, or why it cannot be taken. */
OWN int64_t begin(const struct planned *p, object values, object times, struct given *g, struct registers *r, struct test *tests);

/* Give the rows that pass the filter; how many they are. */
OWN int64_t sift(const struct planned *p, const struct given *g, struct registers *r, const struct test *tests, int64_t *chosen);
