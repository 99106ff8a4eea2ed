// SPDX-License-Identifier: BSD-3-Clause
// expect: Retrace: the model must have `backward()`, a model in reverse time; write it
#include "dan/analysis/cycle.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

struct OneWay {
  static constexpr std::size_t points = 9, channels = 1;
  template <class T>
  void step(const T* x, T* y) const {
    for (std::size_t i = 0; i < points; ++i) y[i] = x[i];
  }
};

#ifdef MISUSE
using Model = OneWay;
#else
using Model = dan::Rk4<dan::Lorenz96<9>>;
#endif
using Case = dan::Problem<Model, dan::ObserveAll<9>>;
using Network = dan::AnalysisNetwork<dan::NetworkShape{.memory = 1, .retrace = 2}, dan::Ring<9>>;
using Cycle = dan::LearnedCycle<Case, Network, dan::Observations<double, 9>>;
void analyse(const Cycle& cycle, const double* params, double* x, Cycle::Cache<double>& cache) {
  cycle.analyse(params, x, x, cache);
}
