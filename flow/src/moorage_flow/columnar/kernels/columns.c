/* Rows moved, many columns in one call; codes of words to codes of keys. See moorage_flow.columnar.kernels.packed. */
#include "columns.h"

/* `w`: how many columns, then how many rows, their index, and the column, for each. */
void flow_gather(const int64_t *w)
{
    int64_t moves = *w++;
    for (int64_t j = 0; j < moves; j++, w += 5) gather(w[0], (const int64_t *)w[1], 1, (const struct move *)(w + 2));
}

/* Give the code of each word; 1 in what it gives: one is new, 2: one is missing, which `table` knows at its end. */
int64_t flow_look_up(int64_t count, const int64_t *codes, int64_t size, const int64_t *table, int64_t *found)
{
    int64_t fresh = 0, missing = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t code = codes[i];
        missing |= code;
        fresh |= found[i] = table[code < 0 ? size - 1 : code];
    }
    return (fresh < 0) | (missing < 0) << 1;
}

/* Give the partition of each word, and number the runs of rows of one; the last number, -1 where a word is new or missing. */
int64_t flow_runs(int64_t count, const int64_t *codes, const int64_t *table, const int64_t *before, int64_t *parts, int64_t *runs)
{
    int64_t bad = 0, run = 0;
    for (int64_t i = 0; i < count; i++) bad |= codes[i];
    if (bad < 0) return -1;
    for (int64_t i = 0; i < count; i++) bad |= parts[i] = table[codes[i]];
    if (bad < 0) return -1;
    for (int64_t i = 0; i < count; i++) {
        run += i > 0 && (parts[i] != parts[i - 1] || (before && before[i] != before[i - 1]));
        runs[i] = run;
    }
    return run;
}
