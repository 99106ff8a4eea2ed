// SPDX-License-Identifier: BSD-3-Clause
// expect: derive it from EmptyRecorder and write what it needs, merge at least
// expect: merge(other)
#include <cstddef>

#include "dan/analysis/etkf.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using Lorenz = dan::Problem<dan::Rk4<dan::Lorenz96<12>>, dan::ObserveAll<12>>;
struct Counter : dan::EmptyRecorder {
  std::size_t cycles = 0;
  void after_analysis(const auto&) { ++cycles; }
#ifndef MISUSE
  void merge(const Counter& next) { cycles += next.cycles; }
#endif
};
void score(const Lorenz& problem, const dan::Etkf<Lorenz, 5>& method) {
  Counter counter;
  dan::run_twin(problem, method, {}, counter);
}
