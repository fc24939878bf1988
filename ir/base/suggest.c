/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "ir/base/diag.h"

enum { LONGEST = 48 };

/* Edit distance where a change of case costs nothing but breaks ties, and a swap of neighbours
 * costs one. Twice the number of edits, plus one when only case differs somewhere. */
static unsigned distance_of(const char *a, size_t n, const char *b, size_t m)
{
    unsigned before[LONGEST + 1], last[LONGEST + 1], row[LONGEST + 1];
    for (size_t j = 0; j <= m; j++)
        last[j] = before[j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            unsigned best = last[j - 1] + (x != y);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        memcpy(before, last, sizeof before);
        memcpy(last, row, sizeof last);
    }
    return 2 * last[m] + (n != m || memcmp(a, b, n) != 0);
}

void gruc_suggest_begin(struct gruc_suggestion *suggestion, const char *word)
{
    *suggestion = (struct gruc_suggestion){word, NULL, UINT_MAX};
}

void gruc_suggest_offer(struct gruc_suggestion *suggestion, const char *candidate)
{
    size_t n = strlen(suggestion->word), m = strlen(candidate);
    if (n > LONGEST || m > LONGEST || n == 0)
        return;
    unsigned distance = distance_of(suggestion->word, n, candidate, m);
    unsigned edits = distance / 2;
    size_t shorter = n < m ? n : m;
    /* One edit in short words, up to a third of longer ones. */
    if (edits > (shorter < 4 ? 1 : shorter / 3) || (edits > 0 && shorter < 2))
        return;
    if (distance < suggestion->distance) {
        suggestion->best = candidate;
        suggestion->distance = distance;
    }
}
