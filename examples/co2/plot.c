/* SPDX-License-Identifier: MIT */
#include "plot.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 1000, HEIGHT = 480, LEFT = 60, RIGHT = 20, TOP = 50, BOTTOM = 40, PPM_A_LINE = 5 };

static const double years_a_week = 7.0 / 365.25;

/* Where values lie on the page: x from years, y from ppm. */
struct scale {
    double first_year, last_year, least, most;
};

static double place_x(const struct scale *scale, double year)
{
    double span = scale->last_year - scale->first_year;
    return LEFT + (year - scale->first_year) / span * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct scale *scale, double ppm)
{
    double share = (ppm - scale->least) / (scale->most - scale->least);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
}

/* Whole grid lines around all values. */
static struct scale choose_scale(double first_year, size_t count, const struct curve *curves,
                                 size_t n_curves)
{
    double least = curves[0].values[0], most = least;
    for (size_t c = 0; c < n_curves; c++) {
        for (size_t i = 0; i < count; i++) {
            least = fmin(least, curves[c].values[i]);
            most = fmax(most, curves[c].values[i]);
        }
    }
    return (struct scale){
        .first_year = first_year,
        .last_year = first_year + (double)(count - 1) * years_a_week,
        .least = floor(least / PPM_A_LINE) * PPM_A_LINE,
        .most = ceil(most / PPM_A_LINE) * PPM_A_LINE,
    };
}

static void draw_grid(FILE *file, const struct scale *scale)
{
    for (double ppm = scale->least; ppm <= scale->most; ppm += PPM_A_LINE) {
        double y = place_y(scale, ppm);
        fprintf(file, "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/>\n", LEFT, y, WIDTH - RIGHT);
        fprintf(file, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.0f</text>\n", LEFT - 8,
                y + 4.0, ppm);
    }
    for (double year = ceil(scale->first_year); year <= scale->last_year; year += 1.0) {
        double x = place_x(scale, year);
        fprintf(file, "<path d=\"M%.1f %dV%d\" stroke=\"#ddd\"/>\n", x, TOP, HEIGHT - BOTTOM);
        fprintf(file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f</text>\n", x,
                HEIGHT - BOTTOM + 20, year);
    }
}

static void draw_curve(FILE *file, const struct scale *scale, const struct curve *curve,
                       size_t count)
{
    fprintf(file,
            "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\" "
            "stroke-linejoin=\"round\" points=\"",
            curve->colour, curve->width);
    for (size_t i = 0; i < count; i++)
        fprintf(file, "%.1f,%.1f ", place_x(scale, scale->first_year + (double)i * years_a_week),
                place_y(scale, curve->values[i]));
    fprintf(file, "\"/>\n");
}

/* The names, one below the other in the upper left corner. */
static void draw_legend(FILE *file, const struct curve *curves, size_t n_curves)
{
    for (size_t c = 0; c < n_curves; c++) {
        int y = TOP + 22 + 20 * (int)c;
        fprintf(file, "<path d=\"M%d %dh28\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", LEFT + 14,
                y - 4, curves[c].colour, curves[c].width);
        fprintf(file, "<text x=\"%d\" y=\"%d\">%s</text>\n", LEFT + 52, y, curves[c].name);
    }
}

int plot_write(const char *path, const char *title, double first_year, size_t count,
               const struct curve *curves, size_t n_curves)
{
    struct scale scale = choose_scale(first_year, count, curves, n_curves);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return 0;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
            "height=\"%d\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#333\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<text x=\"%d\" y=\"30\" font-size=\"17\">%s</text>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, title);
    draw_grid(file, &scale);
    for (size_t c = 0; c < n_curves; c++)
        draw_curve(file, &scale, &curves[c], count);
    draw_legend(file, curves, n_curves);
    fprintf(file, "</svg>\n");
    int good = !ferror(file);
    return fclose(file) == 0 && good;
}
