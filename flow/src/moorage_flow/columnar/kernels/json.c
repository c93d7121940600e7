/* JSON lines: lines of one stream into columns, and columns into lines. See moorage_flow.codecs.json_columns.
 *
 * A line is taken only if it is exactly as expected; for any other the reader stops and another decoder has its say.
 * Every buffer ends with a newline, which is part of no value: no loop needs to look for the end.
 * Source: RFC 8259; doubles by W. D. Clinger, How to Read Floating Point Numbers Accurately (PLDI 1990), section 3.
 */
#include <stdint.h>
#include <string.h>

enum { INT, LONG, REAL, BOOL, STRING };
enum { PROBES = 32 };

typedef double (*read_double)(const char *, char **, void *);

typedef struct {
    const char *text;
    int64_t size;
} span;

/* The fields in the order of json_columns._Lines; `capacity` rows are between two columns. */
typedef struct {
    int64_t attributes;     /* columns of a row; the time stands behind them where `width` is greater */
    int64_t width;
    const int64_t *kinds;
    const span *keys;       /* in quotes */
    const int64_t *strings; /* the place of a column among those of words */
    span stream;            /* in quotes; no text where every line is a mapping of attributes */
    read_double slow;       /* CPython's own reader of doubles, for what the fast way does not cover */
    int64_t *order;         /* the column that the key at each place of the last line named */
    int64_t *seen;          /* the last line each column was in */
    span *held;             /* the strings of the line being read */
    int64_t line;
    int64_t capacity;
    int64_t *values;
    uint8_t *flags;
    uint8_t *nulls;
    int32_t *slots;         /* open hash tables of words: 1 + the place of a word, 0 for none */
    int64_t slot_mask;
    int64_t room;           /* words of a column; there is place for one a row to come */
    span *words;
    int64_t *word_counts;
    const char *at;
    const char *end;
    int64_t row;
} lines;

static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const char *past_space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\r')
        p++;
    return p;
}

static int is_digit(char c) { return c >= '0' && c <= '9'; }

static int starts(const lines *s, const char *p, const char *text, int64_t size)
{
    return s->end - p > size && memcmp(p, text, (size_t)size) == 0;
}

/* Give the end of a sequence of bytes beyond ASCII, NULL where it is no UTF-8. Source: RFC 3629, section 4. */
static const char *past_sequence(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char least = 0x80, most = 0xBF;
    int more;
    if (*p >= 0xC2 && *p <= 0xDF)
        more = 1;
    else if (*p >= 0xE0 && *p <= 0xEF) {
        more = 2;
        if (*p == 0xE0) least = 0xA0;
        if (*p == 0xED) most = 0x9F;
    } else if (*p >= 0xF0 && *p <= 0xF4) {
        more = 3;
        if (*p == 0xF0) least = 0x90;
        if (*p == 0xF4) most = 0x8F;
    } else
        return NULL;
    for (p++; more > 0; more--, p++) {
        if (*p < least || *p > most)
            return NULL;
        least = 0x80, most = 0xBF;
    }
    return (const char *)p;
}

static const char *read_string(const char *p, span *into)
{
    if (*p++ != '"')
        return NULL;
    into->text = p;
    while (*p != '"') {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == '\\')
            return NULL;
        if (c < 0x80)
            p++;
        else if ((p = past_sequence(p)) == NULL)
            return NULL;
    }
    into->size = p - into->text;
    return p + 1;
}

static const char *read_whole(const char *p, int64_t kind, int64_t *into)
{
    int minus = *p == '-';
    const char *first = p += minus;
    int64_t value = 0;
    while (is_digit(*p) && p - first < 18) /* So many digits are within a long. */
        value = value * 10 + (*p++ - '0');
    int64_t digits = p - first;
    if (digits == 0 || (digits > 1 && *first == '0') || is_digit(*p) || *p == '.' || *p == 'e' || *p == 'E')
        return NULL;
    *into = minus ? -value : value;
    if (kind == INT && (*into < INT32_MIN || *into > INT32_MAX))
        return NULL;
    return p;
}

/* Read a double, rounded as Python's float() does: at most 2^53, times or over a power of ten that is a double itself. */
static const char *read_real(const lines *s, const char *text, double *into)
{
    const char *p = text;
    int minus = *p == '-';
    p += minus;
    const char *first = p;
    uint64_t value = 0;
    int64_t used = 0, scale = 0; /* digits behind leading zeros; the power of ten */
    int real = 0;
    for (; is_digit(*p); p++) {
        if (used < 19)
            value = value * 10 + (uint64_t)(*p - '0');
        used += used > 0 || *p != '0';
    }
    if (p == first || (*first == '0' && p - first > 1))
        return NULL;
    if (*p == '.') {
        const char *point = ++p;
        for (; is_digit(*p); p++) {
            if (used < 19)
                value = value * 10 + (uint64_t)(*p - '0');
            used += used > 0 || *p != '0';
        }
        if (p == point)
            return NULL;
        scale = point - p;
        real = 1;
    }
    if (*p == 'e' || *p == 'E') {
        int down = *++p == '-';
        if (*p == '-' || *p == '+')
            p++;
        const char *exponent = p;
        int64_t power = 0;
        for (; is_digit(*p); p++)
            if (power < 100000)
                power = power * 10 + (*p - '0');
        if (p == exponent)
            return NULL;
        scale += down ? -power : power;
        real = 1;
    }
    if (value == 0 && used == 0) {
        if (minus && !real) /* -0 is an integer, which has no sign. */
            return NULL;
        *into = minus ? -0.0 : 0.0;
        return p;
    }
    if (used <= 19 && value <= (UINT64_C(1) << 53) && scale >= -22 && scale <= 22) {
        double whole = (double)value;
        whole = scale < 0 ? whole / POWERS[-scale] : whole * POWERS[scale];
        *into = minus ? -whole : whole;
        return p;
    }
    char *end = NULL;
    *into = s->slow(text, &end, NULL);
    return end == p && *into - *into == 0 ? p : NULL; /* Not the infinities. */
}

static const char *read_value(lines *s, const char *p, int64_t column)
{
    int64_t kind = s->kinds[column], cell = column * s->capacity + s->row;
    s->seen[column] = s->line;
    s->nulls[cell] = 0;
    if (*p == 'n') {
        if (!starts(s, p, "null", 4))
            return NULL;
        s->nulls[cell] = 1;
        s->values[cell] = kind == STRING ? -1 : 0;
        s->held[column].text = NULL;
        s->flags[cell] = 0;
        return p + 4;
    }
    switch (kind) {
    case INT:
    case LONG:
        return read_whole(p, kind, &s->values[cell]);
    case REAL: {
        double real = 0;
        p = read_real(s, p, &real);
        memcpy(&s->values[cell], &real, sizeof real);
        return p;
    }
    case BOOL:
        s->flags[cell] = *p == 't';
        if (*p == 't')
            return starts(s, p, "true", 4) ? p + 4 : NULL;
        return starts(s, p, "false", 5) ? p + 5 : NULL;
    default:
        return read_string(p, &s->held[column]);
    }
}

/* Tell which column a key names that stands at a place of its line: the same as in the last line, or one looked for. */
static int64_t named(lines *s, const char *p, int64_t place)
{
    if (place < s->width) {
        int64_t column = s->order[place];
        if (starts(s, p, s->keys[column].text, s->keys[column].size))
            return column;
    }
    for (int64_t column = 0; column < s->width; column++)
        if (starts(s, p, s->keys[column].text, s->keys[column].size)) {
            if (place < s->width)
                s->order[place] = column;
            return column;
        }
    return -1;
}

static const char *past_colon(const char *p)
{
    p = past_space(p);
    return *p == ':' ? past_space(p + 1) : NULL;
}

static const char *read_mapping(lines *s, const char *p, int64_t *found)
{
    p = past_space(p + 1);
    if (*p == '}')
        return p + 1;
    for (int64_t place = 0;; place++) {
        int64_t column = named(s, p, place);
        if (column < 0 || s->seen[column] == s->line)
            return NULL;
        if ((p = past_colon(p + s->keys[column].size)) == NULL || (p = read_value(s, p, column)) == NULL)
            return NULL;
        ++*found;
        p = past_space(p);
        if (*p == '}')
            return p + 1;
        if (*p != ',')
            return NULL;
        p = past_space(p + 1);
    }
}

static const char *read_list(lines *s, const char *p, int64_t *found)
{
    for (int64_t column = 0; column < s->attributes; column++) {
        p = past_space(p + 1);
        if ((p = read_value(s, p, column)) == NULL)
            return NULL;
        ++*found;
        p = past_space(p);
        if (*p != (column + 1 < s->attributes ? ',' : ']'))
            return NULL;
    }
    return p + 1;
}

/* {"stream": …, "data": …, "ts": …}, the stream first. */
static const char *read_envelope(lines *s, const char *p, int64_t *found)
{
    int64_t time = s->width - 1, width = s->width;
    int data = 0;
    p = past_space(p + 1);
    if (!starts(s, p, "\"stream\"", 8) || (p = past_colon(p + 8)) == NULL)
        return NULL;
    if (!starts(s, p, s->stream.text, s->stream.size))
        return NULL;
    p = past_space(p + s->stream.size);
    while (*p == ',') {
        p = past_space(p + 1);
        if (!data && starts(s, p, "\"data\"", 6)) {
            if ((p = past_colon(p + 6)) == NULL)
                return NULL;
            data = 1;
            s->width = s->attributes; /* A key `ts` in the data is none of this stream. */
            p = *p == '{' ? read_mapping(s, p, found) : *p == '[' ? read_list(s, p, found) : NULL;
            s->width = width;
        } else if (s->seen[time] != s->line && starts(s, p, "\"ts\"", 4)) {
            if ((p = past_colon(p + 4)) == NULL)
                return NULL;
            p = read_value(s, p, time);
            ++*found;
        } else
            return NULL;
        if (p == NULL)
            return NULL;
        p = past_space(p);
    }
    return data && *p == '}' ? p + 1 : NULL;
}

static uint64_t mixed(const char *text, int64_t size)
{
    uint64_t hash = (uint64_t)size, block = 0;
    for (; size >= 8; text += 8, size -= 8) {
        memcpy(&block, text, 8);
        hash = (hash ^ block) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    block = 0;
    for (int64_t at = 0; at < size; at++)
        block = block << 8 | (unsigned char)text[at];
    hash = (hash ^ block) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

/* Give the code of a string among the words of its column; one that collides too often is a word again. */
static int64_t code_of(lines *s, int64_t words_of, span text)
{
    int32_t *slots = s->slots + words_of * (s->slot_mask + 1);
    span *words = s->words + words_of * s->room;
    int64_t slot = (int64_t)(mixed(text.text, text.size) & (uint64_t)s->slot_mask);
    for (int probes = 0; probes < PROBES; probes++, slot = (slot + 1) & s->slot_mask) {
        int32_t known = slots[slot];
        if (known == 0) {
            slots[slot] = (int32_t)++s->word_counts[words_of];
            words[slots[slot] - 1] = text;
            return slots[slot] - 1;
        }
        const span *word = &words[known - 1];
        if (word->size == text.size && memcmp(word->text, text.text, (size_t)text.size) == 0)
            return known - 1;
    }
    words[s->word_counts[words_of]] = text;
    return s->word_counts[words_of]++;
}

static void keep(lines *s, int64_t found)
{
    for (int64_t column = 0; column < s->width; column++) {
        int64_t cell = column * s->capacity + s->row;
        if (found < s->width && s->seen[column] != s->line) {
            s->nulls[cell] = 1;
            s->values[cell] = s->kinds[column] == STRING ? -1 : 0;
            s->flags[cell] = 0;
        } else if (s->kinds[column] == STRING && s->held[column].text != NULL)
            s->values[cell] = code_of(s, s->strings[column], s->held[column]);
    }
    s->row++;
}

/* Read lines until `end` or until the columns are full, and give 0; give 1 at a line that is not as expected. */
int64_t flow_json_read(lines *s)
{
    while (s->at < s->end && s->row < s->capacity) {
        int64_t found = 0;
        const char *p = past_space(s->at);
        s->line++;
        if (*p != '{')
            return 1;
        p = s->stream.text ? read_envelope(s, p, &found) : read_mapping(s, p, &found);
        if (p == NULL)
            return 1;
        p = past_space(p);
        if (*p != '\n')
            return 1;
        s->at = p + 1;
        keep(s, found);
    }
    return 0;
}

static const char *past_token(const char *p)
{
    if (*p != '"') {
        while (*p != ',' && *p != ']')
            p++;
        return p;
    }
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

/* Write rows from JSON lists of scalars, one a column: between[0], a value of texts[0], between[1], … Give the bytes. */
int64_t flow_json_write(int64_t rows, int64_t columns, const char **texts, const span *between, char *out)
{
    char *to = out;
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t column = 0; column < columns; column++) {
            memcpy(to, between[column].text, (size_t)between[column].size);
            to += between[column].size;
            const char *first = texts[column] + 1; /* Behind a bracket or comma. */
            const char *last = past_token(first);
            memcpy(to, first, (size_t)(last - first));
            to += last - first;
            texts[column] = last;
        }
        memcpy(to, between[columns].text, (size_t)between[columns].size);
        to += between[columns].size;
    }
    return to - out;
}
