/* SPDX-License-Identifier: MIT */
#ifndef PLOT_H
#define PLOT_H

#include <stddef.h>

/* A curve over time, one value a week. */
struct curve {
    const char *name, *colour;
    double width;
    const float *values;
};

/* Draws curves of count weeks, the first at the given time in years, as an SVG file. The first
 * curves lie below. 0: the file could not be written. */
int plot_write(const char *path, const char *title, double first_year, size_t count,
               const struct curve *curves, size_t n_curves);

#endif
