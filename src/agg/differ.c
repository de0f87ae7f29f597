// SPDX-License-Identifier: Apache-2.0
/* Differences of distributions and their tests.
 *
 *   distance    1/2 sum |s/S - r/R|  =  sum |s R - r S| / (2 S R)        total variation
 *   chance      what the distance would be on average if both sides were drawn from one
 *               distribution: a value of share v differs by sqrt(2/pi v (1-v) (1/S + 1/R)), a rare
 *               one by no more than 2 v
 *   effect      (distance - chance) / (1 - chance), at least 0
 *   p, values   the smaller of two, doubled: chi square over values that are expected at least five
 *               times on both sides, the others together; and, for one value that stands out,
 *               Chernoff's bound of the hypergeometric distribution, times the number of values
 *   p, numbers  2 exp(-2 n D^2), n = S R / (S + R)
 *
 * Sums of fractions are kept in fixed point: chance in 2^-60, chi square in 2^-20.
 * Threads: any.  Memory: none. */
#include "agg/differ.h"

#include "base/assert.h"

#include <math.h>
#include <stdlib.h>

static const double chance_unit = 0x1p-60, chi_unit = 0x1p-20;
enum { EXPECTED_MIN = 5 };

static double effective(uint64_t rows, skep_u128 squares)
{
    return rows == 0 || squares == 0 ? 0 : (double)rows * (double)rows / (double)squares;
}

void skep_differ_begin(struct skep_differ *d, uint64_t selected, uint64_t rest,
                       skep_u128 selected_squares, skep_u128 rest_squares)
{
    *d = (struct skep_differ){.selected = selected,
                              .rest = rest,
                              .n_selected = effective(selected, selected_squares),
                              .n_rest = effective(rest, rest_squares)};
}

/* x log(x / y), of rows seen and expected. */
static double term(double x, double y)
{
    return x > 0 && y > 0 ? x * log(x / y) : 0;
}

/* Log of a bound: n rows of which x or an even less likely number are selected, if a share `of` of
 * all is.  Both ways of drawing bound it. */
static double odds(double x, double n, double selected, double all)
{
    double of = selected / all, value = n / all;
    double as_draws = term(x, n * of) + term(n - x, n * (1 - of));
    double as_values = term(x, selected * value) + term(selected - x, selected * (1 - value));
    return -fmax(as_draws, as_values);
}

static double squared(double x, double expected)
{
    return expected > 0 ? (x - expected) * (x - expected) / expected : 0;
}

static void add_chi(struct skep_differ *d, double s, double r)
{
    double all = d->n_selected + d->n_rest, share = (s + r) / all;
    double chi = squared(s, share * d->n_selected) + squared(r, share * d->n_rest);
    d->chi += (skep_i128)(chi / chi_unit);
    d->n_cells++;
}

static skep_u128 apart(const struct skep_differ *d, uint64_t selected, uint64_t rest)
{
    skep_u128 a = (skep_u128)selected * d->rest, b = (skep_u128)rest * d->selected;
    return a > b ? a - b : b - a;
}

void skep_differ_value(struct skep_differ *d, uint64_t selected, uint64_t rest)
{
    skep_assert(selected <= d->selected && rest <= d->rest);
    d->distance += apart(d, selected, rest);
    d->n_values++;
    if (d->n_selected == 0 || d->n_rest == 0)
        return;
    double s = (double)selected * d->n_selected / (double)d->selected;
    double r = (double)rest * d->n_rest / (double)d->rest;
    double all = d->n_selected + d->n_rest, share = (s + r) / all;
    double spread = share * (1 - share) * (1 / d->n_selected + 1 / d->n_rest);
    double chance = fmin(sqrt(0.63661977236758134 * fmax(spread, 0)), 2 * share);
    d->chance += (skep_i128)(chance / 2 / chance_unit);
    d->least_log = fmin(d->least_log, odds(s, s + r, d->n_selected, all));
    if (share * fmin(d->n_selected, d->n_rest) >= EXPECTED_MIN) {
        add_chi(d, s, r);
    } else {
        d->few_selected += selected;
        d->few_rest += rest;
    }
}

/* Q(a, x): the upper incomplete gamma function, of its whole. */
static double upper_gamma(double a, double x)
{
    int sign;
    double log_begin = a * log(x) - x - lgamma_r(a, &sign);
    if (x <= 0)
        return 1;
    if (x < a + 1) { /* by the series of the lower one */
        double sum = 1 / a, part = sum;
        for (double k = a + 1; part > sum * 1e-15; k++) {
            part *= x / k;
            sum += part;
        }
        return fmax(0, 1 - sum * exp(log_begin));
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, h = d; /* Lentz's continued fraction */
    for (double i = 1; i < 100000; i++) {
        double an = -i * (i - a);
        b += 2;
        d = an * d + b;
        d = 1 / (fabs(d) < 1e-300 ? 1e-300 : d);
        c = b + an / c;
        c = fabs(c) < 1e-300 ? 1e-300 : c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15)
            break;
    }
    return h * exp(log_begin);
}

static double beyond(double difference, double chance)
{
    chance = fmin(chance, 0.999999);
    return fmin(1, fmax(0, (difference - chance) / (1 - chance)));
}

struct skep_difference skep_differ_values(const struct skep_differ *d)
{
    struct skep_differ x = *d;
    struct skep_difference r = {.p = 1};
    if (d->selected == 0 || d->rest == 0)
        return r;
    r.difference = (double)d->distance / ((double)d->selected * (double)d->rest * 2);
    r.effect = beyond(r.difference, (double)d->chance * chance_unit);
    if (d->few_selected + d->few_rest > 0)
        add_chi(&x, (double)d->few_selected * d->n_selected / (double)d->selected,
                (double)d->few_rest * d->n_rest / (double)d->rest);
    double together = 1, alone = fmin(1, exp(d->least_log + log((double)d->n_values + 1)));
    if (x.n_cells > 1)
        together = upper_gamma((double)(x.n_cells - 1) / 2, (double)x.chi * chi_unit / 2);
    r.p = fmin(1, 2 * fmin(together, alone));
    return r;
}

void skep_differ_number(struct skep_differ *d, uint64_t selected, uint64_t rest)
{
    d->run += (skep_i128)selected * (skep_i128)d->rest - (skep_i128)rest * (skep_i128)d->selected;
    skep_i128 far = d->run < 0 ? -d->run : d->run;
    d->furthest = far > d->furthest ? far : d->furthest;
}

struct skep_difference skep_differ_numbers(const struct skep_differ *d)
{
    struct skep_difference r = {.p = 1};
    if (d->selected == 0 || d->rest == 0)
        return r;
    r.difference = (double)d->furthest / ((double)d->selected * (double)d->rest);
    double n = d->n_selected * d->n_rest / (d->n_selected + d->n_rest);
    r.effect = beyond(r.difference, 0.8687 / sqrt(n)); /* the mean of Kolmogorov's distribution */
    r.p = fmin(1, 2 * exp(-2 * n * r.difference * r.difference));
    return r;
}

void skep_differ_adjust(const double *p, double *q, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned called = 0;
        for (unsigned k = 0; k < n; k++)
            called += p[k] <= p[i];
        q[i] = fmin(1, p[i] * n / called);
    }
    for (unsigned i = 0; i < n; i++) /* the least, over those that are called with it */
        for (unsigned k = 0; k < n; k++)
            if (p[k] >= p[i])
                q[i] = fmin(q[i], q[k]);
}
