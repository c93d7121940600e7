/* What waits of a pattern, by key, in the memory of its kernel. See match.c, and pending.c for how it is made and moved. */
#include "waiting.h"
#include "columns.h"
#include <stdlib.h>

enum { ENTERS = 1, ASKS = 2, ABLE = 4 };       /* What an event is. */
enum { UNKNOWN = -1, UNORDERED = -2, NO_MEMORY = -3 }; /* What flow_match gives besides a number of pairs. */
enum { AHEAD = 16, FEW = 16, SMALL = 4, SOME = 1 << 16 };

/* What an event must meet to be something, in the order of `is`; the values are column `column` of a batch. */
struct asked { int64_t is, kind, op, column, constant; };

/* A comparison of an A with its B: word `word` of what waits with the column. */
struct between { int64_t real, op, word, column; };

/* The A of one key: entries `start` to `end`, in the order in which they are asked; those from `fresh` on came since a B could. In
   `turn` since which event that is so, where all keys share one queue. */
struct slot {
    uint32_t start, fresh, end, room;
    int64_t turn;
    any64 *entries;
};

struct match {
    int64_t within, alone;           /* `alone`: each key is a partition, with a time of its own. */
    int64_t conditions, kept, tests, able; /* `able` is the word that tells whether a B may complete it; 0: each may. */
    int64_t width;                   /* words an entry: its time, those kept, whether it is able */
    struct asked *asked;
    struct condition *condition;     /* the same as meet_all takes them */
    int64_t *column;                 /* the column of each word kept, ~column where it is one of bools */
    struct between *between;
    struct slot *slots;
    int64_t keys, latest, turn, since; /* `since`: events since the last flow_match_settle */
    uint32_t *hits;
    int64_t hit_room;
    any64 *told;                     /* by pair: the words of its A, and the position of its B */
    int64_t told_room, pairs;
    uint8_t *marks;                  /* by event, then room for as many */
    int64_t *key_of;
    int64_t event_room;
    const int64_t *of;               /* the key of each event of the batch; NULL: all are of the first */
    const void **columns;            /* of the batch, so many */
    int64_t column_count;
    any64 *nowhere;                  /* room for an entry that does not wait */
    const int64_t *ts;
};

static int64_t grow(void **array, int64_t *room, int64_t wanted, size_t each)
{
    if (wanted <= *room) return 0;
    int64_t more = *room ? *room : 64;
    while (more < wanted) more *= 2;
    void *moved = realloc(*array, (size_t)more * each);
    if (!moved) return NO_MEMORY;
    *array = moved;
    *room = more;
    return 0;
}

static inline any64 *entry(const struct match *m, const struct slot *s, uint32_t at) { return s->entries + (size_t)at * (size_t)m->width; }

static inline void put(any64 *to, const any64 *from, int64_t width)
{
    for (int64_t j = 0; j < width; j++) to[j] = from[j];
}

/* Make room for one more behind those of a key. */
static int64_t widen(struct match *m, struct slot *s)
{
    uint32_t held = s->end - s->start;
    if (s->start > 0 && s->start >= held) {
        memmove(s->entries, entry(m, s, s->start), (size_t)held * (size_t)m->width * 8);
        s->fresh -= s->start; s->end = held; s->start = 0;
        return 0;
    }
    int64_t room = s->room ? 2 * (int64_t)s->room : SMALL;
    if (room > UINT32_MAX || grow((void **)&m->hits, &m->hit_room, room, sizeof *m->hits)) return NO_MEMORY;
    void *moved = realloc(s->entries, (size_t)(room * m->width) * 8);
    if (!moved) return NO_MEMORY;
    s->entries = moved; s->room = (uint32_t)room;
    return 0;
}

static inline void emptied(struct slot *s)
{
    s->start = s->fresh = s->end = 0;
    if (s->room > 64) { free(s->entries); s->entries = NULL; s->room = 0; }
}

static int64_t keep_keys(struct match *m, int64_t keys)
{
    if (keys <= m->keys) return 0;
    int64_t room = m->keys;
    if (grow((void **)&m->slots, &room, keys, sizeof *m->slots)) return NO_MEMORY;
    memset(m->slots + m->keys, 0, (size_t)(room - m->keys) * sizeof *m->slots);
    m->keys = room;
    return 0;
}

/* Let go what is too old of keys that are not met any more, and the room of those without any; give how many wait. */
int64_t flow_match_settle(struct match *m);

/* Take a batch: see flow_match. */
__attribute__((visibility("hidden"))) int64_t flow_match_batch(
    struct match *m, int64_t count, int64_t mode, int64_t keys, const int64_t *ts, const int64_t *codes, const int64_t *table,
    const void *const *columns);

/* How columns of pairs are found besides those of their events. */
enum { OF_TIME = 1 << 20, OF_POSITION, OF_KEY };
int64_t flow_match_told(struct match *m, const int64_t *w, int64_t columns);
