/* SPDX-License-Identifier: MIT */
/* The largest difference between two .npy files of float32:
 *     compare OURS.npy KERAS.npy
 * Exit status 3 when it exceeds 2e-6 of the largest number (of 1 where all are smaller), which is
 * what float32 leaves to the order of the sums. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "example.h"

int main(int argc, char **argv)
{
    need_arguments(argc, argv, 3, "OURS.npy KERAS.npy");
    struct gruc_array ours = array_read(NULL, argv[1], GRUC_FLOAT32);
    struct gruc_array theirs = array_read(NULL, argv[2], GRUC_FLOAT32);
    const float *a = ours.data, *b = theirs.data;
    double worst = 0.0, largest = 1.0;
    if (ours.count != theirs.count)
        require(GRUC_ERROR_SHAPE, argv[1]);
    for (size_t i = 0; i < ours.count; i++) {
        double difference = fabs((double)a[i] - b[i]);
        if (difference > worst || isnan(difference))
            worst = difference;
        largest = fmax(largest, fabs((double)b[i]));
    }
    printf("at most %.1e away, where numbers reach %.1f", worst, largest);
    gruc_array_finish(&ours);
    gruc_array_finish(&theirs);
    return worst <= 2e-6 * largest ? EXIT_SUCCESS : 3;
}
