/* Whether whole numbers lie in a range. */
#include <stdint.h>

int64_t flow_within(int64_t count, const int64_t *values, int64_t least, int64_t most)
{
    int64_t outside = 0;
    for (int64_t i = 0; i < count; i++) outside |= (values[i] < least) | (values[i] > most);
    return !outside;
}
