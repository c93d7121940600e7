/* A batch as a program sends it: a tuple of arrays and dictionaries, and its times. */
#include "objects.h"

/* What a stream's attributes hold. */
enum { OF_WORDS = 0, OF_INT = 1, OF_LONG = 2, OF_FLOAT = 3, OF_DOUBLE = 4, OF_BOOL = 5 };
enum { MOST_COLUMNS = 64 };

struct given {
    int64_t count;
    const int64_t *times;
    const void *columns[MOST_COLUMNS];
    object words[MOST_COLUMNS]; /* the array of a dictionary's words, its last one for what is missing */
};

/* Read a batch; give 0 where a column is not plain: of another type, with nulls, with a value that does not fit, of another length. */
OWN int read_given(object values, object times, int64_t columns, const int64_t *kinds, struct given *g);
