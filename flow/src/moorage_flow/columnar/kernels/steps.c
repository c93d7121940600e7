/* Expressions worked out over blocks of rows. See steps.h. */
#include "steps.h"

#define EACH(TO, VALUE) for (int64_t i = 0; i < rows; i++) ((TO *)to)[i] = (VALUE); break
#define WHOLE(OP) EACH(uint8_t, ((const int64_t *)left)[i] OP ((const int64_t *)right)[i])
#define REAL(OP) EACH(uint8_t, ((const double *)left)[i] OP ((const double *)right)[i])
#define BOOL(OP) EACH(uint8_t, ((const uint8_t *)left)[i] OP ((const uint8_t *)right)[i])
#define WRAPPED(OP) EACH(uint64_t, ((const uint64_t *)left)[i] OP ((const uint64_t *)right)[i])
#define SIGNED(OP) EACH(int64_t, ((const int64_t *)left)[i] OP ((const int64_t *)right)[i])
#define REALS(OP) EACH(double, ((const double *)left)[i] OP ((const double *)right)[i])

void set_constants(struct registers *r, int64_t count, const int64_t *constants, int64_t rows)
{
    if (rows > BLOCK) rows = BLOCK;
    for (int64_t j = 0; j < count; j++)
        for (int64_t i = 0; i < rows; i++) r->constants[j][i] = constants[j];
}

static void of_words(const struct test *test, int64_t rows, const int64_t *codes, uint8_t *restrict to)
{
    for (int64_t i = 0; i < rows; i++) to[i] = test->of_code[codes[i] < 0 ? test->size - 1 : codes[i]];
}

void run_steps(struct registers *r, int64_t count, const struct step *steps, const struct test *tests, const struct given *g,
               int64_t first, int64_t rows)
{
    for (const struct step *s = steps; s < steps + count; s++) {
        int64_t width = s->does == TRUE_OF ? 1 : 8;
        const void *left = place(r, g, s->left, first, width);
        const void *right = s->does == WORD_OF ? NULL : place(r, g, s->right, first, width);
        void *restrict to = place(r, g, s->to, 0, 0); /* Never one of what is read: registers are written once. */
        switch (s->does) {
        case WHOLE_IS: WHOLE(==);
        case WHOLE_IS_NOT: WHOLE(!=);
        case WHOLE_LESS: WHOLE(<);
        case WHOLE_AT_MOST: WHOLE(<=);
        case WHOLE_MORE: WHOLE(>);
        case WHOLE_AT_LEAST: WHOLE(>=);
        case REAL_IS: REAL(==);
        case REAL_IS_NOT: REAL(!=);
        case REAL_LESS: REAL(<);
        case REAL_AT_MOST: REAL(<=);
        case REAL_MORE: REAL(>);
        case REAL_AT_LEAST: REAL(>=);
        case AND: BOOL(&);
        case OR: BOOL(|);
        case NOT: EACH(uint8_t, !((const uint8_t *)left)[i]);
        case TRUE_OF: EACH(uint8_t, ((const uint8_t *)left)[i] != 0);
        case WORD_OF: of_words(tests + s->right, rows, left, to); break;
        case WHOLE_ADD: WRAPPED(+);
        case WHOLE_TAKE: WRAPPED(-);
        case WHOLE_TIMES: WRAPPED(*);
        case WHOLE_OVER: SIGNED(/);
        case WHOLE_REST: SIGNED(%);
        case AS_INT: EACH(int64_t, (int32_t)((const int64_t *)left)[i]);
        case REAL_ADD: REALS(+);
        case REAL_TAKE: REALS(-);
        case REAL_TIMES: REALS(*);
        case REAL_OVER: REALS(/);
        case AS_REAL: EACH(double, (double)((const int64_t *)left)[i]);
        case AS_FLOAT: EACH(double, (double)(float)((const double *)left)[i]);
        }
    }
}
