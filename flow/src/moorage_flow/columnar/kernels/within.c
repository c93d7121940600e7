/* Whether whole numbers lie in a range. */
#include <stdint.h>

int64_t flow_within(int64_t count, const int64_t *values, int64_t least, int64_t most)
{
    /* A difference that is negative sets the sign, one that overflows sets that of the other; every vector unit can do that. */
    uint64_t outside = 0;
    for (int64_t i = 0; i < count; i++)
        outside |= ((uint64_t)values[i] - (uint64_t)least) | ((uint64_t)most - (uint64_t)values[i]);
    return !(outside >> 63);
}
