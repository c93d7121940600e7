/* Columns as the kernels are given them: words of 64 bits, one behind the other, as Python packs them. */
#include <stdint.h>
#include <string.h>

enum { INTEGERS = 0, REALS = 1, BOOLS = 2, AS_REALS = 3 };
enum { EQUAL = 0, UNEQUAL = 1, LESS = 2, AT_MOST = 3, MORE = 4, AT_LEAST = 5 };

/* A value of 8 bytes, whatever it is. */
typedef uint64_t __attribute__((may_alias)) any64;

/* A column's values beside a constant, whose bits `constant` holds; AS_REALS are whole numbers beside a real one. */
struct condition {
    int64_t kind, op;
    const void *values;
    int64_t constant;
};

/* Values of `width` bytes on their way from one column to another. */
struct move {
    const void *from;
    void *to;
    int64_t width;
};

#define EACH_ROW(TYPE, OP, CONSTANT) \
    for (int64_t i = 0; i < count; i++) held[i] &= ((const TYPE *)c->values)[i] OP (CONSTANT)
#define BY_OP(TYPE, CONSTANT)                               \
    switch (c->op) {                                        \
    case EQUAL: EACH_ROW(TYPE, ==, CONSTANT); break;        \
    case UNEQUAL: EACH_ROW(TYPE, !=, CONSTANT); break;      \
    case LESS: EACH_ROW(TYPE, <, CONSTANT); break;          \
    case AT_MOST: EACH_ROW(TYPE, <=, CONSTANT); break;      \
    case MORE: EACH_ROW(TYPE, >, CONSTANT); break;          \
    case AT_LEAST: EACH_ROW(TYPE, >=, CONSTANT); break;     \
    }

/* Tell in `held` which rows meet all conditions. */
static inline void meet_all(int64_t count, int64_t conditions, const struct condition *c, uint8_t *restrict held)
{
    memset(held, 1, (size_t)count);
    for (int64_t j = 0; j < conditions; j++, c++) {
        double real;
        memcpy(&real, &c->constant, sizeof real);
        switch (c->kind) {
        case INTEGERS: BY_OP(int64_t, c->constant); break;
        case REALS: BY_OP(double, real); break;
        case BOOLS: BY_OP(uint8_t, c->constant); break;
        case AS_REALS:
            switch (c->op) {
            case EQUAL: for (int64_t i = 0; i < count; i++) held[i] &= (double)((const int64_t *)c->values)[i] == real; break;
            case UNEQUAL: for (int64_t i = 0; i < count; i++) held[i] &= (double)((const int64_t *)c->values)[i] != real; break;
            case LESS: for (int64_t i = 0; i < count; i++) held[i] &= (double)((const int64_t *)c->values)[i] < real; break;
            case AT_MOST: for (int64_t i = 0; i < count; i++) held[i] &= (double)((const int64_t *)c->values)[i] <= real; break;
            case MORE: for (int64_t i = 0; i < count; i++) held[i] &= (double)((const int64_t *)c->values)[i] > real; break;
            case AT_LEAST: for (int64_t i = 0; i < count; i++) held[i] &= (double)((const int64_t *)c->values)[i] >= real; break;
            }
            break;
        }
    }
}

/* Move the rows of an index, of every column. */
static inline void gather(int64_t count, const int64_t *restrict rows, int64_t moves, const struct move *m)
{
    for (int64_t j = 0; j < moves; j++, m++) {
        if (m->width == 8) {
            const any64 *from = m->from;
            any64 *restrict to = m->to;
            for (int64_t i = 0; i < count; i++) to[i] = from[rows[i]];
        } else {
            const uint8_t *from = m->from;
            uint8_t *restrict to = m->to;
            for (int64_t i = 0; i < count; i++) to[i] = from[rows[i]];
        }
    }
}
