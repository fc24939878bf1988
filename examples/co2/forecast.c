/* SPDX-License-Identifier: MIT */
/* Forecasts CO2 with a model compiled ahead of time: co2.h and co2.a come from
 *     gruc compile model.yaml -o co2.a --emit=header,static
 * and co2.a needs no other library. libgruc_rt is here for the .npy files only.
 *     forecast FOLDER OUTPUT.npy PLOT.svg
 * reads the recorded data of FOLDER, prints the errors of the forecast and draws it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "co2.h"
#include "example.h"
#include "plot.h"

enum { WEEKS = CO2_FORECAST_SIZE };

/* The first forecast week is 18 January 1992. */
static const double first_year = 1992.0 + 17.0 / 366.0;

/* x: (windows, steps, 3), as normalised as the forecast that comes back: (windows, 52). */
static struct gruc_array forecast(const struct gruc_array *x)
{
    int64_t windows = x->dims[0], steps = x->dims[1];
    struct gruc_array y = array_zeros(2, (const int64_t[]){windows, WEEKS});
    co2_state state; /* all that the model keeps; here it begins anew in each window */
    for (int64_t i = 0; i < windows; i++) {
        co2_reset(&state);
        if (co2_run(&state, (const float *)x->data + i * steps * CO2_X_SIZE, (size_t)steps,
                    (float *)y.data + i * WEEKS) != CO2_OK)
            require(GRUC_ERROR_STEPS, "co2_run");
    }
    return y;
}

/* From the model's numbers to ppm: the mean of the last year seen, and mean and scale of training.
 */
static struct gruc_array in_ppm(const char *folder, const struct gruc_array *y)
{
    struct gruc_array base = array_read(folder, "base.npy", GRUC_FLOAT32);
    struct gruc_array scale = array_read(folder, "scale.npy", GRUC_FLOAT32);
    struct gruc_array ppm = array_zeros(2, y->dims);
    const float *mean_and_scale = scale.data;
    for (size_t i = 0; i < y->count; i++)
        ((float *)ppm.data)[i] = ((const float *)base.data)[i / WEEKS] + mean_and_scale[0] +
                                 mean_and_scale[1] * ((const float *)y->data)[i];
    gruc_array_finish(&base);
    gruc_array_finish(&scale);
    return ppm;
}

static void print_errors(const char *name, const struct gruc_array *ppm,
                         const struct gruc_array *truth)
{
    double squares = 0.0, sum = 0.0;
    for (size_t i = 0; i < truth->count; i++) {
        double error = (double)((const float *)ppm->data)[i] - ((const float *)truth->data)[i];
        squares += error * error;
        sum += fabs(error);
    }
    double count = (double)truth->count;
    printf("  %-9s RMSE %.3f ppm, mean absolute error %.3f ppm\n", name, sqrt(squares / count),
           sum / count);
}

int main(int argc, char **argv)
{
    need_arguments(argc, argv, 4, "FOLDER OUTPUT.npy PLOT.svg");
    struct gruc_array x = array_read(argv[1], "x.npy", GRUC_FLOAT32);
    struct gruc_array truth = array_read(argv[1], "truth.npy", GRUC_FLOAT32);
    struct gruc_array naive = array_read(argv[1], "naive.npy", GRUC_FLOAT32);
    struct gruc_array y = forecast(&x);
    struct gruc_array ppm = in_ppm(argv[1], &y);
    array_write(argv[2], &y);

    print_errors("forecast", &ppm, &truth);
    print_errors("baseline", &naive, &truth); /* the same week a year ago plus a year's growth */
    const struct curve curves[] = {
        {"measured", "#f0a030", 4.0, truth.data},
        {"forecast, a year at a time", "#1f4e9c", 1.5, ppm.data},
    };
    if (!plot_write(argv[3], "CO2 at Mauna Loa, ppm", first_year, truth.count, curves, 2))
        require(GRUC_ERROR_IO, argv[3]);
    printf("  plot      %s\n", argv[3]);

    gruc_array_finish(&x);
    gruc_array_finish(&truth);
    gruc_array_finish(&naive);
    gruc_array_finish(&y);
    gruc_array_finish(&ppm);
    return EXIT_SUCCESS;
}
