/* SPDX-License-Identifier: MIT */
#include "frontend/random.h"

#include <math.h>
#include <string.h>

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF /* gcc's -std=c11 implies it */
#endif

/* P(X < -2) of a normal X. */
#define TAIL_BELOW_TWO 0.022750131948179209

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t gruc_random_bits(struct gruc_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

struct gruc_random gruc_random_stream(uint64_t seed, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    struct gruc_random random = {seed};
    random.state = gruc_random_bits(&random) ^ hash;
    return random;
}

double gruc_random_unit(struct gruc_random *random)
{
    return ((double)(gruc_random_bits(random) >> 12) + 0.5) * 0x1p-52;
}

/* ln x of a normal positive number, by the series of artanh; a few units in the last place. */
static double logarithm(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52) - 1022;
    bits = (bits & 0x000fffffffffffffu) | 0x3fe0000000000000u; /* into [0.5, 1) */
    double m;
    memcpy(&m, &bits, sizeof m);
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    double s = (m - 1) / (m + 1), square = s * s, sum = 0;
    for (int k = 25; k >= 1; k -= 2)
        sum = sum * square + 1.0 / k;
    return 2 * s * sum + exponent * 0.69314718055994531;
}

static double ratio(const double *numerator, const double *denominator, double x)
{
    double above = numerator[7], below = denominator[7];
    for (int i = 7; i-- > 0;) {
        above = above * x + numerator[i];
        below = below * x + denominator[i];
    }
    return above / below;
}

/* The inverse of the normal distribution function, algorithm AS 241 (Wichura 1988), PPND16. */
static double normal_quantile(double p)
{
    static const double a[] = {3.3871328727963666080e0,  1.3314166789178437745e+2,
                               1.9715909503065514427e+3, 1.3731693765509461125e+4,
                               4.5921953931549871457e+4, 6.7265770927008700853e+4,
                               3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[] = {1.0,                      4.2313330701600911252e+1,
                               6.8718700749205790830e+2, 5.3941960214247511077e+3,
                               2.1213794301586595867e+4, 3.9307895800092710610e+4,
                               2.8729085735721942674e+4, 5.2264952788528545610e+3};
    static const double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                               5.76949722146069140550e0,  3.64784832476320460504e0,
                               1.27045825245236838258e0,  2.41780725177450611770e-1,
                               2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[] = {1.0,                       2.05319162663775882187e0,
                               1.67638483018380384940e0,  6.89767334985100004550e-1,
                               1.48103976427480074590e-1, 1.51986665636164571966e-2,
                               5.47593808499534494600e-4, 1.05075007164441684324e-9};
    static const double e[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                               1.78482653991729133580e0,  2.96560571828504891230e-1,
                               2.65321895265761230930e-2, 1.24266094738807843860e-3,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[] = {1.0,                       5.99832206555887937690e-1,
                               1.36929880922735805310e-1, 1.48753612908506148525e-2,
                               7.86869131145613259100e-4, 1.84631831751005468180e-5,
                               1.42151175831644588870e-7, 2.04426310338993978564e-15};
    double q = p - 0.5;
    if (q >= -0.425 && q <= 0.425)
        return q * ratio(a, b, 0.180625 - q * q);
    double r = sqrt(-logarithm(q < 0 ? p : 1 - p));
    double x = r <= 5 ? ratio(c, d, r - 1.6) : ratio(e, f, r - 5);
    return q < 0 ? -x : x;
}

double gruc_random_normal(struct gruc_random *random)
{
    return normal_quantile(gruc_random_unit(random));
}

double gruc_random_truncated(struct gruc_random *random)
{
    double unit = gruc_random_unit(random);
    return normal_quantile(TAIL_BELOW_TWO + unit * (1 - 2 * TAIL_BELOW_TWO));
}
