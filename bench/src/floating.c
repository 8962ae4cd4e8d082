// Scalar floating point. Compiled without contraction and without libm beyond sqrt, so that the
// results are the same bits everywhere.
// flags: -ffp-contract=off -fno-tree-vectorize
#include "bench.h"

#include <math.h>

static uint64_t bits(double value) {
    uint64_t raw;
    memcpy(&raw, &value, sizeof raw);
    return raw;
}

// --- n-body: five bodies, a leapfrog step ---

struct body {
    double p[3], v[3], mass;
};

static double energy(const struct body *b, int n) {
    double e = 0;
    for (int i = 0; i < n; i++) {
        e += 0.5 * b[i].mass *
             (b[i].v[0] * b[i].v[0] + b[i].v[1] * b[i].v[1] + b[i].v[2] * b[i].v[2]);
        for (int j = i + 1; j < n; j++) {
            double d2 = 0;
            for (int k = 0; k < 3; k++)
                d2 += (b[i].p[k] - b[j].p[k]) * (b[i].p[k] - b[j].p[k]);
            e -= b[i].mass * b[j].mass / sqrt(d2);
        }
    }
    return e;
}

static KEEP void advance(struct body *b, int n, double dt) {
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++) {
            double dx = b[i].p[0] - b[j].p[0], dy = b[i].p[1] - b[j].p[1];
            double dz = b[i].p[2] - b[j].p[2];
            double d2 = dx * dx + dy * dy + dz * dz, f = dt / (d2 * sqrt(d2));
            double fi = f * b[j].mass, fj = f * b[i].mass;
            b[i].v[0] -= dx * fi, b[i].v[1] -= dy * fi, b[i].v[2] -= dz * fi;
            b[j].v[0] += dx * fj, b[j].v[1] += dy * fj, b[j].v[2] += dz * fj;
        }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < 3; k++) b[i].p[k] += dt * b[i].v[k];
}

static uint64_t run_nbody(unsigned long count) {
    // A heavy body at rest and four on circles around it.
    struct body b[5] = {{.mass = 40}};
    for (int i = 1; i < 5; i++) {
        double r = 5.0 * i, v = sqrt(40 / r);
        b[i] = (struct body){{i & 1 ? r : 0, i & 1 ? 0 : r, 0.1 * i},
                             {i & 1 ? 0 : -v, i & 1 ? v : 0, 0}, 0.01 * i};
    }
    double before = energy(b, 5);
    for (unsigned long i = 0; i < count; i++) advance(b, 5, 0.001);
    double after = energy(b, 5);
    if (!(fabs(after - before) < 1e-3 * fabs(before))) wrong("nbody: energy %g -> %g", before, after);
    return bits(after);
}

// --- FFT: forth and back ---

enum { POINTS = 1024 };

static KEEP void fft(double *re, double *im, const double *c, const double *s, int back) {
    for (int i = 1, j = 0; i < POINTS; i++) {
        int bit = POINTS >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) {
            double t = re[i];
            re[i] = re[j], re[j] = t;
            t = im[i], im[i] = im[j], im[j] = t;
        }
    }
    for (int half = 1; half < POINTS; half *= 2)
        for (int k = 0; k < half; k++) {
            int index = k * (POINTS / 2 / half);
            double wr = c[index], wi = back ? s[index] : -s[index];
            for (int i = k; i < POINTS; i += 2 * half) {
                double xr = wr * re[i + half] - wi * im[i + half];
                double xi = wr * im[i + half] + wi * re[i + half];
                re[i + half] = re[i] - xr, im[i + half] = im[i] - xi;
                re[i] += xr, im[i] += xi;
            }
        }
}

static uint64_t run_fft(unsigned long count) {
    static double re[POINTS], im[POINTS], first[POINTS], c[POINTS / 2], s[POINTS / 2];
    uint64_t random = 6;
    // Half-angle steps from a quarter turn to 2 pi / POINTS, then the angle sums.
    double cs = 0, sn = 1;
    for (int n = 4; n < POINTS; n *= 2) {
        double h = sqrt((1 + cs) / 2);
        sn = sn / (2 * h), cs = h;
    }
    c[0] = 1, s[0] = 0;
    for (int i = 1; i < POINTS / 2; i++)
        c[i] = c[i - 1] * cs - s[i - 1] * sn, s[i] = s[i - 1] * cs + c[i - 1] * sn;
    for (int i = 0; i < POINTS; i++)
        re[i] = first[i] = (double)(next_random(&random) >> 40) / (1 << 24) - 0.5;
    for (unsigned long round = 0; round < count; round++) {
        fft(re, im, c, s, 0);
        fft(re, im, c, s, 1);
        for (int i = 0; i < POINTS; i++) re[i] /= POINTS, im[i] /= POINTS;
    }
    for (int i = 0; i < POINTS; i++)
        if (!(fabs(re[i] - first[i]) < 1e-6) || !(fabs(im[i]) < 1e-6))
            wrong("fft: point %d is %g, was %g", i, re[i], first[i]);
    return bits(re[7]) ^ bits(im[9]);
}

// --- matrix multiplication ---

enum { N = 96 };

static KEEP void multiply(double (*a)[N], double (*b)[N], double (*out)[N]) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            double sum = 0;
            for (int k = 0; k < N; k++) sum += a[i][k] * b[k][j];
            out[i][j] = sum;
        }
}

static uint64_t run_matmul(unsigned long count) {
    static double a[N][N], turn[N][N], out[N][N];
    uint64_t random = 7, sum = 0;
    // A permutation: what is multiplied by it as often as it has rows is itself again.
    for (int i = 0; i < N; i++) {
        turn[i][(i + 1) % N] = 1;
        for (int j = 0; j < N; j++) a[i][j] = (double)(next_random(&random) >> 40);
    }
    for (unsigned long round = 0; round < count; round++) {
        multiply(a, turn, out);
        for (int i = 0; i < N; i++)
            if (out[i][(i + 1) % N] != a[i][i]) wrong("matmul: row %d is wrong", i);
        memcpy(a, out, sizeof a);
        sum = mix(sum, bits(a[round % N][3]));
    }
    return sum;
}

// --- spectral norm of the matrix 1/((i+j)(i+j+1)/2+i+1) ---

enum { ORDER = 100 };

static double element(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static KEEP void times(const double *v, double *out, int transposed) {
    for (int i = 0; i < ORDER; i++) {
        out[i] = 0;
        for (int j = 0; j < ORDER; j++)
            out[i] += (transposed ? element(j, i) : element(i, j)) * v[j];
    }
}

static uint64_t run_spectral(unsigned long count) {
    double u[ORDER], v[ORDER], t[ORDER], norm = 0;
    for (unsigned long round = 0; round < count; round++) {
        for (int i = 0; i < ORDER; i++) u[i] = 1;
        for (int i = 0; i < 10; i++) {
            times(u, t, 0), times(t, v, 1);
            times(v, t, 0), times(t, u, 1);
        }
        double uv = 0, vv = 0;
        for (int i = 0; i < ORDER; i++) uv += u[i] * v[i], vv += v[i] * v[i];
        norm = sqrt(uv / vv);
        // The published value for this order.
        if (!(fabs(norm - 1.274219991) < 1e-9)) wrong("spectral: %.12f", norm);
    }
    return bits(norm);
}

static uint64_t run_mandelbrot(unsigned long count) {
    enum { WIDTH = 96, LIMIT = 50 };
    uint64_t sum = 0;
    for (unsigned long round = 0; round < count; round++)
        for (int row = 0; row < WIDTH; row++) {
            int inside = 0, mirrored = 0;
            for (int column = 0; column < WIDTH; column++)
                for (int side = 0; side < 2; side++) {
                    double cr = 3.0 * column / WIDTH - 2, ci = 2.0 * row / WIDTH - 1;
                    if (side) ci = -ci;
                    double zr = 0, zi = 0;
                    int i = 0;
                    for (; i < LIMIT && zr * zr + zi * zi <= 4; i++) {
                        double t = zr * zr - zi * zi + cr;
                        zi = 2 * zr * zi + ci;
                        zr = t;
                    }
                    *(side ? &mirrored : &inside) += i;
                }
            if (inside != mirrored) wrong("mandelbrot: row %d is not symmetric", row);
            sum = mix(sum, inside);
        }
    return sum;
}

int main(int argc, char **argv) {
    static const struct workload table[] = {
        {"nbody", run_nbody},       {"fft", run_fft},
        {"matmul", run_matmul},     {"spectral", run_spectral},
        {"mandelbrot", run_mandelbrot}, {0},
    };
    return bench_main(argc, argv, table);
}
