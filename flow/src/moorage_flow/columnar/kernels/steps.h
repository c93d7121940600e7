/* Expressions as steps over blocks of rows: comparisons, what joins them, arithmetic; none gives null. The values are those of
   moorage_flow.columnar.operations, which says what the types are. See moorage_flow.columnar.steps. */
#include "given.h"

enum { BLOCK = 256, MOST = 8 };

/* A value of 8 bytes, whatever it is. */
typedef uint64_t __attribute__((may_alias)) any64;

/* What a step reads or writes: a column below 64, then registers of values, constants, and registers of bools. */
enum { VALUES = 64, CONSTANTS = 128, BOOLS_AT = 192 };

struct step {
    int64_t does, to, left, right;
};

/* Of whole numbers, then of real ones, in the order of `== != < <= > >=`; then what joins bools; then arithmetic. */
enum {
    WHOLE_IS, WHOLE_IS_NOT, WHOLE_LESS, WHOLE_AT_MOST, WHOLE_MORE, WHOLE_AT_LEAST,
    REAL_IS, REAL_IS_NOT, REAL_LESS, REAL_AT_MOST, REAL_MORE, REAL_AT_LEAST,
    AND, OR, NOT, TRUE_OF, WORD_OF,
    WHOLE_ADD, WHOLE_TAKE, WHOLE_TIMES, WHOLE_OVER, WHOLE_REST, AS_INT,
    REAL_ADD, REAL_TAKE, REAL_TIMES, REAL_OVER, AS_REAL, AS_FLOAT
};

/* Each register is of one block; those of constants hold the same value throughout. */
struct registers {
    int64_t values[MOST][BLOCK], constants[MOST][BLOCK];
    uint8_t bools[MOST][BLOCK];
};

/* The tests of words are bytes by code, the last of them for what is missing. */
struct test {
    const uint8_t *of_code;
    int64_t size;
};

/* Give where a column's values are from row `first` on, each of `width` bytes, or a register's. */
static inline void *place(struct registers *r, const struct given *g, int64_t at, int64_t first, int64_t width)
{
    if (at < VALUES) return (char *)g->columns[at] + first * width;
    if (at < CONSTANTS) return r->values[at - VALUES];
    if (at < BOOLS_AT) return r->constants[at - CONSTANTS];
    return r->bools[at - BOOLS_AT];
}

/* Write constants into as much of their registers as a block has rows. */
OWN void set_constants(struct registers *r, int64_t count, const int64_t *constants, int64_t rows);

/* Work steps out for `rows` rows of the columns from row `first` on; `rows` is at most BLOCK. */
OWN void run_steps(struct registers *r, int64_t count, const struct step *steps, const struct test *tests, const struct given *g,
                   int64_t first, int64_t rows);
