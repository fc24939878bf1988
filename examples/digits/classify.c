/* SPDX-License-Identifier: MIT */
/* Reads handwritten digits with a model compiled ahead of time: digits.h and digits.a come from
 *     gruc compile model.yaml -o digits.a --emit=header,static
 *     classify IMAGES.npy LABELS.npy KERAS.npy OUTPUT.npy
 * runs all images in one call and counts how many it reads rightly, and how many Keras did. Exit
 * status 3 when the two counts differ. */
#include <stdio.h>
#include <stdlib.h>

#include "digits.h"
#include "example.h"

enum { DIGITS = DIGITS_DIGIT_SIZE };

/* x: (images, 8, 8); returns probabilities: (images, 10). */
static struct gruc_array classify(const struct gruc_array *x)
{
    uint64_t images = (uint64_t)x->dims[0];
    struct gruc_array y = array_zeros(2, (const int64_t[]){x->dims[0], DIGITS});
    /* The caller brings the workspace; it does not grow beyond a group of rows. */
    uint64_t bytes = (DIGITS_SCRATCH_BYTES(images) + 63) / 64 * 64;
    struct digits_args call = {
        .abi = DIGITS_ABI_VERSION,
        .batch = images,
        .row_count = images, /* threads would take first_row and row_count of their share */
        .workspace = aligned_alloc(64, bytes),
        .workspace_bytes = bytes,
        .x = x->data,
        .digit = y.data,
    };
    if (call.workspace == NULL || digits_run_batch(&call) != DIGITS_OK)
        require(GRUC_ERROR_MEMORY, "digits_run_batch");
    free(call.workspace);
    return y;
}

/* How many images have their largest probability at their label. */
static int count_right(const struct gruc_array *probabilities, const struct gruc_array *labels)
{
    const int32_t *label = labels->data;
    int right = 0;
    for (size_t i = 0; i < labels->count; i++) {
        const float *row = (const float *)probabilities->data + i * DIGITS;
        int best = 0;
        for (int digit = 1; digit < DIGITS; digit++) {
            if (row[digit] > row[best])
                best = digit;
        }
        right += best == label[i];
    }
    return right;
}

int main(int argc, char **argv)
{
    need_arguments(argc, argv, 5, "IMAGES.npy LABELS.npy KERAS.npy OUTPUT.npy");
    struct gruc_array x = array_read(NULL, argv[1], GRUC_FLOAT32);
    struct gruc_array labels = array_read(NULL, argv[2], GRUC_INT32);
    struct gruc_array keras = array_read(NULL, argv[3], GRUC_FLOAT32);
    struct gruc_array y = classify(&x);
    array_write(argv[4], &y);

    int ours = count_right(&y, &labels), theirs = count_right(&keras, &labels);
    double percent = 100.0 / (double)labels.count;
    printf("gruc %d of %zu = %.2f %%, Keras %d = %.2f %%\n", ours, labels.count, ours * percent,
           theirs, theirs * percent);
    gruc_array_finish(&labels);
    gruc_array_finish(&x);
    gruc_array_finish(&keras);
    gruc_array_finish(&y);
    return ours == theirs ? EXIT_SUCCESS : 3;
}
