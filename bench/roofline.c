/* SPDX-License-Identifier: MIT */
/* What this core can do at most: prints "fma GIGAFLOPS" (multiply-adds count two) and for each
 * level of memory "NAME BYTES GIGABYTES_A_SECOND", BYTES its size (DRAM: 0), read by one thread. */
#include <stdint.h>
#include <stdio.h>

#include "driver/roofline.h"

int main(void)
{
    struct gruc_roofline roofline;
    if (!gruc_roofline_measure(SIZE_MAX, &roofline)) {
        fprintf(stderr, "roofline: out of memory\n");
        return 1;
    }
    printf("fma %.2f\n", roofline.gigaflops);
    for (int i = 0; i < GRUC_ROOFLINE_LEVELS; i++)
        printf("%s %zu %.2f\n", roofline.levels[i].name, roofline.levels[i].bytes,
               roofline.levels[i].gigabytes);
    return 0;
}
