// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <dan/dan.hpp>

// Every analysis of the library on a small Lorenz 96, short enough that the last bits, which differ
// between compilers and flags, do not grow into the scores: chaos multiplies them by about e^1.5
// per time unit, and a run has 400 · 0.02 (before the first cycle) + 60 · 0.02 of these.
using Model = dan::Rk4<dan::Lorenz96<12>>;
using Lorenz = dan::Problem<Model, dan::ObserveAll<12>>;
inline const Lorenz here{.model = {.time_step = 0.02}};

inline int wrong = 0;  // scores outside of what they must be

/// Scores an analysis, prints one line and holds it against what it must be: an analysis RMSE
/// below `most`, and if it tells of its spread, one that fits.
template <class Analysis>
void score(const char* name, const Analysis& analysis, double most) {
  const auto scores = dan::run_twin(
      here, analysis,
      {.runs = 4, .cycles = 60, .burn_in = 20, .seed = 1, .threads = 1, .progress = false});
  const double ratio = scores.spread / scores.analysis_rmse;
  const bool right = scores.failures.empty() && scores.analysis_rmse > 0.05 &&
                     scores.analysis_rmse < most && !(ratio < 0.3) && !(ratio > 2);
  std::printf("%s %.9g %.9g %.9g %.9g%s\n", name, scores.analysis_rmse, scores.forecast_rmse,
              scores.spread, scores.smoothing_rmse, right ? "" : " WRONG");
  wrong += !right;
}

void ensemble_filters();  // other.cpp
