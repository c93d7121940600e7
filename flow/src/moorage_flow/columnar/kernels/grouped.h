/* Rows in groups by one column of words, and what is summed of them. */
#include "plan.h"

enum { COUNTED = 0, SUM_OF_WHOLES = 1, SUM_OF_REALS = 2 };

/* How a plan goes on behind its lanes: the column rows are grouped by, -1 where all are one group; the columns kept and the sums,
   whose kinds and columns follow. */
struct grouping {
    int64_t by, kept, sums;
};

/* A sum and its state by group. */
struct summed {
    int64_t kind;
    const void *values;
    void *totals;
    int64_t *held;
};

/* A column and where it is kept. */
struct keeping {
    const void *from;
    void *to;
    int64_t width;
};

/* Give the group of each row chosen (`chosen` NULL: of all) by the code `table` has for its word; 0 where one has none, or one that
   is not known. `words` are those of the table. */
OWN int find_groups(const struct given *g, int64_t by, object table, object words, int64_t known, int64_t n, const int64_t *chosen,
                int64_t *groups);

/* Read where columns are kept, two objects of a state each: the array, and the words its codes are of. 0: not as they come. */
OWN int read_keeping(const struct planned *p, const struct given *g, object state, int64_t at, int64_t room, struct keeping *kept);

/* Read sums, two objects of a state each: totals and counts. 0: there is no room for the groups known. */
OWN int read_sums(const struct planned *p, const struct given *g, object state, int64_t at, int64_t known, struct summed *sums);
