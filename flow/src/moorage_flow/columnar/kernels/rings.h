/* Windows of a number of rows, one for each key and each in one piece of memory. See moorage_flow.columnar.rings. */

/* What a key's piece begins with: where its oldest row is and how many it holds; the turn it was last met in, and a number of that turn.
   Its columns follow, as many words each as a window has room for. */
enum { OLDEST, HELD, TURN, PLACE, COLUMNS };
enum { AHEAD = 16, LINE = 8 };

/* Tell how many rows the fullest key has that rows come for, with those. `chosen` are the rows (NULL: all), `keys` of all rows. */
static inline int64_t needed_room(int64_t count, const int64_t *chosen, const int64_t *keys, int64_t *pieces, int64_t width, int64_t turn)
{
    int64_t most = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t *piece = pieces + keys[chosen ? chosen[i] : i] * width;
        if (piece[TURN] != turn) {
            piece[TURN] = turn;
            piece[PLACE] = piece[HELD];
        }
        if (++piece[PLACE] > most) most = piece[PLACE];
    }
    return most;
}
