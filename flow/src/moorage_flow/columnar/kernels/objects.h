/* What kernels read of Python's and NumPy's objects themselves, with no call back: where it stands, `single.py` has found out and
   checked once. Whoever calls holds the interpreter's lock, so that nothing changes meanwhile. */
#include <stdint.h>
#include <string.h>

typedef const char *object;

/* Of the library alone: no name of it stands for another's, or another's for it. */
#define OWN __attribute__((visibility("hidden")))

/* Offsets, types and element types as the process has them; `kinds` are those of int64, float64 and bool. */
struct layout {
    int64_t head, items, array, dictionary, words, of_codes, of_words, of_array;
    int64_t kinds[3];
};
enum { WHOLES = 0, DOUBLES = 1, BYTES = 2 };

extern OWN struct layout layout;

static inline int64_t word(object o, int64_t place)
{
    int64_t found;
    memcpy(&found, o + place, sizeof found);
    return found;
}

static inline int is_a(object o, int64_t type) { return word(o, layout.head - 8) == type; }

static inline object item(object tuple, int64_t at) { return (object)word(tuple, layout.items + 8 * at); }

static inline void *data(object array) { return (void *)word(array, layout.head); }

static inline int64_t length(object array)
{
    int64_t found;
    memcpy(&found, (const void *)word(array, layout.head + 16), sizeof found);
    return found;
}

/* Tell whether an object is an array of one dimension, in one piece, of elements of a kind. Source: NumPy C-API, PyArrayObject. */
static inline int is_array(object o, int kind)
{
    enum { IN_ONE_PIECE = 0x0001, ALIGNED = 0x0100 };
    int32_t dimensions, flags;
    if (!is_a(o, layout.array)) return 0;
    memcpy(&dimensions, o + layout.head + 8, sizeof dimensions);
    memcpy(&flags, o + layout.head + 48, sizeof flags);
    return dimensions == 1 && (flags & IN_ONE_PIECE) && (flags & ALIGNED) && word(o, layout.head + 40) == layout.kinds[kind];
}
