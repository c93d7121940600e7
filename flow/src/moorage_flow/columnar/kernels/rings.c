/* Joins of windows that lie in one piece for each key. See moorage_flow.columnar.meeting. */
#include "columns.h"
#include "rings.h"

/* Tell how many pairs rows make with what their keys hold; -1 where a key is not known, and nothing is done. `w`: how many rows come,
   what keys they have, by what table and of how many words (none: these are the keys); how many keys are known; room for the keys;
   the pieces of the other side (none: nothing is met), how many words each has, the turn; room for how many rows each of those that
   come meets, where these stand among the rows of all keys that are met, and how many these are. */
int64_t flow_ring_find(const int64_t *w)
{
    int64_t count = w[0], size = w[3], known = w[4], width = w[7], turn = w[8], pairs = 0, all = 0;
    const int64_t *codes = (const int64_t *)w[1], *table = (const int64_t *)w[2];
    int64_t *keys = (int64_t *)w[5], *pieces = (int64_t *)w[6];
    int64_t *met = (int64_t *)w[9], *places = (int64_t *)w[10], *total = (int64_t *)w[11];
    for (int64_t i = 0; i < count; i++) {
        int64_t key = codes[i];
        if (table) {
            if (key < 0 || key >= size) return -1;
            key = table[key];
        }
        if (key < 0 || key >= known) return -1;
        keys[i] = key;
    }
    if (!pieces) return 0;
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) __builtin_prefetch(pieces + keys[i + AHEAD] * width, 1);
        int64_t *piece = pieces + keys[i] * width;
        if (piece[TURN] != turn) {
            piece[TURN] = turn;
            piece[PLACE] = all;
            all += piece[HELD];
        }
        met[i] = piece[HELD];
        places[i] = piece[PLACE];
        pairs += met[i];
    }
    *total = all;
    return pairs;
}

/* Copy the columns of what is met, each key's rows once, the oldest first. `w`: how many rows come, their keys, how many rows each
   meets and where these stand; the pieces, how many words each has and its columns have; how many columns are copied. Of each its
   place among those of a piece, and where to. */
void flow_ring_copy(const int64_t *w)
{
    int64_t count = w[0], width = w[5], room = w[6], columns = w[7], n = 0;
    const int64_t *keys = (const int64_t *)w[1], *met = (const int64_t *)w[2], *places = (const int64_t *)w[3];
    const int64_t *pieces = (const int64_t *)w[4];
    w += 8;
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count && places[i + AHEAD] >= n) { /* Not copied yet. */
            const int64_t *next = pieces + keys[i + AHEAD] * width;
            int64_t words = width < 8 * LINE ? width : 8 * LINE;
            for (int64_t at = LINE; at < words; at += LINE) __builtin_prefetch(next + at);
        }
        if (met[i] == 0 || places[i] != n) continue; /* Places are given in the order keys are met. */
        const int64_t *piece = pieces + keys[i] * width;
        int64_t oldest = piece[OLDEST], first = room - oldest < met[i] ? room - oldest : met[i], rest = met[i] - first;
        for (int64_t j = 0; j < columns; j++) {
            const any64 *from = (const any64 *)(piece + COLUMNS + w[2 * j] * room);
            any64 *to = (any64 *)w[2 * j + 1] + n;
            for (int64_t k = 0; k < first; k++) to[k] = from[oldest + k];
            for (int64_t k = 0; k < rest; k++) to[first + k] = from[k];
        }
        n += met[i];
    }
}

/* Tell how many rows the fullest key has that rows come for, with those. `w`: how many come, their keys; the pieces, how many words each
   has, the turn. */
int64_t flow_ring_needed(const int64_t *w)
{
    return needed_room(w[0], NULL, (const int64_t *)w[1], (int64_t *)w[2], w[3], w[4]);
}

/* Let rows into the windows of their keys, the oldest out of those that are full. `w`: how many rows come, their keys; the pieces, how
   many words each has and its columns have; how many columns there are. Of each the values and how many bytes one has. */
void flow_ring_put(const int64_t *w)
{
    int64_t count = w[0], width = w[3], room = w[4], columns = w[5];
    const int64_t *keys = (const int64_t *)w[1];
    int64_t *pieces = (int64_t *)w[2];
    w += 6;
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) __builtin_prefetch(pieces + keys[i + AHEAD] * width, 1);
        if (i + AHEAD / 2 < count) {
            const int64_t *next = pieces + keys[i + AHEAD / 2] * width;
            int64_t at = next[OLDEST] + (next[HELD] < room ? next[HELD] : 0);
            if (at >= room) at -= room;
            for (int64_t j = 0; j < columns; j++) __builtin_prefetch(next + COLUMNS + j * room + at, 1);
        }
        int64_t *piece = pieces + keys[i] * width, at = piece[OLDEST];
        if (piece[HELD] < room) {
            at += piece[HELD]++;
            if (at >= room) at -= room;
        } else {
            piece[OLDEST] = at + 1 < room ? at + 1 : 0;
        }
        for (int64_t j = 0; j < columns; j++) {
            any64 value = w[2 * j + 1] == 8 ? ((const any64 *)w[2 * j])[i] : ((const uint8_t *)w[2 * j])[i];
            ((any64 *)(piece + COLUMNS + j * room))[at] = value;
        }
    }
}

/* Write a column of pairs. `w`: how many rows came and how many each meets; where what it meets stands (none: the column is of the
   rows that came), the column and how many bytes a value has, where to. What is met has 8 bytes a value, whatever is written. */
void flow_ring_spread(const int64_t *w)
{
    int64_t count = w[0], width = w[4];
    const int64_t *met = (const int64_t *)w[1], *places = (const int64_t *)w[2];
    const void *column = (const void *)w[3];
    if (width == 8) {
        const any64 *from = column;
        any64 *restrict to = (any64 *)w[5];
        for (int64_t i = 0; i < count; to += met[i++]) {
            if (places) {
                const any64 *rows = from + places[i];
                for (int64_t k = 0; k < met[i]; k++) to[k] = rows[k];
            } else {
                any64 value = from[i];
                for (int64_t k = 0; k < met[i]; k++) to[k] = value;
            }
        }
    } else {
        uint8_t *restrict to = (uint8_t *)w[5];
        for (int64_t i = 0; i < count; to += met[i++]) {
            if (places)
                for (int64_t k = 0; k < met[i]; k++) to[k] = (uint8_t)((const any64 *)column)[places[i] + k];
            else
                memset(to, ((const uint8_t *)column)[i], (size_t)met[i]);
        }
    }
}
