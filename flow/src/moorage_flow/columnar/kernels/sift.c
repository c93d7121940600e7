/* Filters over one stream, a whole batch in one call: what is sent is read, sifted and moved on. See
   moorage_flow.columnar.direct.Sifting. */
#include "plan.h"
#include "compact.h"

/* What is given: the columns, their times, the plan, and room for all rows of the times and of each column selected. */
enum { COLUMNS, TIMES, PLAN, ROOM };

/* Write the times of the rows that pass the filter, then each column selected of them, as far apart as there are rows in all; where these
   are few, one right behind the other. Gives how many pass, or why the batch is not taken. */
int64_t flow_sift(object all)
{
    struct planned p = planned(item(all, PLAN));
    struct given g;
    struct registers r;
    struct test tests[MOST];
    struct passing passing = {0};
    any64 *out = data(item(all, ROOM));
    int64_t n = 0, count = begin(&p, item(all, COLUMNS), item(all, TIMES), &g, &r, tests);
    if (count < 0) return count;
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t rows = count - first < BLOCK ? count - first : BLOCK, kept = rows;
        if (p.size.result >= 0) {
            run_steps(&r, p.size.filters, p.filters, tests, &g, first, rows);
            kept = note(&passing, rows, r.bools[p.size.result - BOOLS_AT]);
            if (!kept) continue;
        }
        run_steps(&r, p.size.selects, p.selects, tests, &g, first, rows);
        for (int64_t j = -1; j < p.size.lanes; j++) {
            int64_t at = j < 0 ? 0 : p.lanes[j], bytes = at >= BOOLS_AT || (j >= 0 && at < VALUES && p.kinds[at] == OF_BOOL);
            const char *from = j < 0 ? (const char *)(g.times + first) : place(&r, &g, at, first, bytes ? 1 : 8);
            any64 *to = out + (j + 1) * count;
            if (bytes && kept < rows) compact_bytes(&passing, (const uint8_t *)from, (uint8_t *)to + n);
            else if (bytes) memcpy((uint8_t *)to + n, from, (size_t)rows);
            else if (kept < rows) compact(&passing, (const any64 *)from, to + n);
            else memcpy(to + n, from, (size_t)rows * 8);
        }
        n += kept;
    }
    if (4 * n < count)
        for (int64_t j = 1; j <= p.size.lanes; j++) memmove(out + j * n, out + j * count, (size_t)n * 8);
    return n;
}
