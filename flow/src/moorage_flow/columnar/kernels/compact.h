/* Rows that pass a filter, moved together. No branch depends on which they are. */

#ifdef __AVX2__
#include <immintrin.h>

/* Which rows of a block stay: four at a time, how many stay before these, and before the last. */
struct passing {
    int64_t rows, fours, last;
    const uint8_t *held;
    uint8_t which[BLOCK / 4];
    uint16_t before[BLOCK / 4];
};

/* Note which rows stay; give how many. */
static inline int64_t note(struct passing *p, int64_t rows, const uint8_t *held)
{
    int64_t n = 0;
    p->rows = rows;
    p->fours = rows / 4;
    p->held = held;
    for (int64_t j = 0; j < p->fours; j++) {
        uint32_t four;
        memcpy(&four, held + 4 * j, 4);
        p->which[j] = (uint8_t)(four * 0x10204080u >> 28);
        p->before[j] = (uint16_t)n;
        n += __builtin_popcount(p->which[j]);
    }
    p->last = n;
    for (int64_t i = 4 * p->fours; i < rows; i++) n += held[i];
    return n;
}

#define PAIR(AT) 2 * (AT), 2 * (AT) + 1
#define PLACES(A, B, C, D) {PAIR(A), PAIR(B), PAIR(C), PAIR(D)}

/* By which of four values stay, where each comes from, in halves of values. */
static const uint32_t places[16][8] __attribute__((aligned(32))) = {
    PLACES(0, 0, 0, 0), PLACES(0, 0, 0, 0), PLACES(1, 0, 0, 0), PLACES(0, 1, 0, 0), PLACES(2, 0, 0, 0), PLACES(0, 2, 0, 0),
    PLACES(1, 2, 0, 0), PLACES(0, 1, 2, 0), PLACES(3, 0, 0, 0), PLACES(0, 3, 0, 0), PLACES(1, 3, 0, 0), PLACES(0, 1, 3, 0),
    PLACES(2, 3, 0, 0), PLACES(0, 2, 3, 0), PLACES(1, 2, 3, 0), PLACES(0, 1, 2, 3),
};

/* Move the values that stay. Four are written at once, of which those that do not stay are written over by the next; there is room for
   all rows, and what is written never goes beyond as many as were read. */
static inline void compact(const struct passing *p, const any64 *restrict from, any64 *restrict to)
{
    const __m256i *orders = (const __m256i *)places;
    for (int64_t j = 0; j < p->fours; j++) {
        __m256i four = _mm256_loadu_si256((const __m256i *)from + j);
        __m256i order = _mm256_load_si256(orders + p->which[j]);
        _mm256_storeu_si256((__m256i *)(to + p->before[j]), _mm256_permutevar8x32_epi32(four, order));
    }
    for (int64_t i = 4 * p->fours, n = p->last; i < p->rows; i++) { to[n] = from[i]; n += p->held[i]; }
}

static inline void compact_bytes(const struct passing *p, const uint8_t *from, uint8_t *restrict to)
{
    for (int64_t i = 0, n = 0; i < p->rows; i++) { to[n] = from[i]; n += p->held[i]; }
}
#else

/* Which rows of a block stay. */
struct passing {
    int64_t kept;
    uint16_t which[BLOCK];
};

/* Note which rows stay; give how many. */
static inline int64_t note(struct passing *p, int64_t rows, const uint8_t *held)
{
    int64_t n = 0;
    for (int64_t i = 0; i < rows; i++) { p->which[n] = (uint16_t)i; n += held[i]; }
    return p->kept = n;
}

/* Move the values that stay. */
static inline void compact(const struct passing *p, const any64 *from, any64 *restrict to)
{
    for (int64_t i = 0; i < p->kept; i++) to[i] = from[p->which[i]];
}

static inline void compact_bytes(const struct passing *p, const uint8_t *from, uint8_t *restrict to)
{
    for (int64_t i = 0; i < p->kept; i++) to[i] = from[p->which[i]];
}
#endif
