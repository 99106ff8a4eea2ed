/* SPDX-License-Identifier: BSD-3-Clause */
/* A truth of Lorenz 96 that this program makes, its observations, and two methods of the library on
 * them: an EnKF-N whose model is a function in C, and a network whose forecast this program makes
 * itself; then the network on eight truths side by side. Prints the time-mean errors; with a file as second argument it writes them cycle by cycle
 * (cycle,enkf_n,network).
 *
 *   example WEIGHTS [ERRORS.csv] */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dan.h"

enum { size = 40, cycles = 600, burn_in = 100, runs = 8 };

static void tendency(const double* x, double* dxdt) {
  for (int i = 0; i < size; ++i)
    dxdt[i] = (x[(i + 1) % size] - x[(i + size - 2) % size]) * x[(i + size - 1) % size] - x[i] + 8;
}

/* One step of 0.05 by Runge–Kutta 4. */
static void lorenz96(const double* x, double* y, void* user) {
  const double h = 0.05, part[4] = {0, 0.5, 0.5, 1}, weight[4] = {1, 2, 2, 1};
  double k[size] = {0}, point[size], sum[size] = {0};
  (void)user;
  for (int s = 0; s < 4; ++s) {
    for (int i = 0; i < size; ++i) point[i] = x[i] + h * part[s] * k[i];
    tendency(point, k);
    for (int i = 0; i < size; ++i) sum[i] += weight[s] * k[i];
  }
  for (int i = 0; i < size; ++i) y[i] = x[i] + h / 6 * sum[i];
}

/* Uniform in (0, 1), then normal: enough for an example, and the same everywhere. */
static double uniform(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return ((double)(*state >> 11) + 0.5) / 9007199254740992.0;
}
static double normal(uint64_t* state) {
  const double r = sqrt(-2 * log(uniform(state)));
  return r * cos(6.283185307179586 * uniform(state));
}

static void require(dan_status status) {
  if (status == DAN_OK) return;
  fprintf(stderr, "error: %s\n", dan_message());
  exit(1);
}

static double error_of(const dan_method* method, const double* truth) {
  double x[size], sum = 0;
  require(dan_estimate(method, x));
  for (int i = 0; i < size; ++i) sum += (x[i] - truth[i]) * (x[i] - truth[i]);
  return sqrt(sum / size);
}

/* Truths of their own, each with its observations, and one method on all of them together. */
static double side_by_side(const char* name) {
  dan_method* method;
  require(dan_open_runs("lorenz96", name, runs, NULL, NULL, &method));
  uint64_t state = 11;
  double truth[runs][size], values[runs][size], x[runs][size], y[size], mean = 0;
  for (int r = 0; r < runs; ++r) {
    for (int i = 0; i < size; ++i) truth[r][i] = 8 + normal(&state);
    for (int k = 0; k < 400; ++k) lorenz96(truth[r], y, NULL), memcpy(truth[r], y, sizeof y);
    for (int i = 0; i < size; ++i) x[r][i] = truth[r][i] + normal(&state);
  }
  require(dan_start(method, x[0], 1, 1));
  for (int k = 1; k <= cycles; ++k) {
    for (int r = 0; r < runs; ++r) {
      lorenz96(truth[r], y, NULL), memcpy(truth[r], y, sizeof y);
      for (int i = 0; i < size; ++i) values[r][i] = truth[r][i] + normal(&state);
    }
    require(dan_forecast(method));
    require(dan_analyse(method, values[0], NULL, NULL));
    require(dan_estimate(method, x[0]));
    for (int r = 0; r < runs && k > burn_in; ++r) {
      double sum = 0;
      for (int i = 0; i < size; ++i) sum += (x[r][i] - truth[r][i]) * (x[r][i] - truth[r][i]);
      mean += sqrt(sum / size) / (runs * (cycles - burn_in));
    }
  }
  dan_close(method);
  return mean;
}

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) return fprintf(stderr, "usage: example WEIGHTS [ERRORS.csv]\n"), 2;
  char name[4096];
  snprintf(name, sizeof name, "small:weights=%s", argv[1]);
  dan_method *filter, *network;
  require(dan_open_with("callers_model", "enkf-n:members=20", lorenz96, NULL, &filter));
  require(dan_open("lorenz96", name, &network));

  uint64_t state = 7;
  double truth[size], guess[size], values[size], x[size], y[size];
  for (int i = 0; i < size; ++i) truth[i] = 8 + normal(&state);
  for (int k = 0; k < 400; ++k) lorenz96(truth, y, NULL), memcpy(truth, y, sizeof y);
  for (int i = 0; i < size; ++i) guess[i] = truth[i] + normal(&state);
  require(dan_start(filter, guess, 1, 1));
  require(dan_start(network, guess, 1, 1));

  FILE* file = argc == 3 ? fopen(argv[2], "w") : NULL;
  if (argc == 3 && !file) return fprintf(stderr, "error: cannot write %s\n", argv[2]), 1;
  if (file) fprintf(file, "cycle,enkf_n,network\n");
  double sum[2] = {0, 0};
  for (int k = 1; k <= cycles; ++k) {
    lorenz96(truth, y, NULL), memcpy(truth, y, sizeof y);
    for (int i = 0; i < size; ++i) values[i] = truth[i] + normal(&state);
    require(dan_forecast(filter));
    require(dan_state(network, 0, x));  /* the forecast made here, by the model of this program */
    lorenz96(x, y, NULL);
    require(dan_set_state(network, 0, y));
    require(dan_analyse(filter, values, NULL, NULL));
    require(dan_analyse(network, values, NULL, NULL));
    const double error[2] = {error_of(filter, truth), error_of(network, truth)};
    if (file) fprintf(file, "%d,%.17g,%.17g\n", k, error[0], error[1]);
    if (k > burn_in)
      for (int m = 0; m < 2; ++m) sum[m] += error[m] / (cycles - burn_in);
  }
  printf("EnKF-N, 20 members: %.17g\nnetwork, one state: %.17g\n", sum[0], sum[1]);
  printf("network, 8 runs: %.17g\n", side_by_side(name));
  if (file && fclose(file) != 0) return fprintf(stderr, "error: cannot write %s\n", argv[2]), 1;
  dan_close(filter);
  dan_close(network);
  return 0;
}
