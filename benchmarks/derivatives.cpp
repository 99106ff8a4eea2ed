// SPDX-License-Identifier: BSD-3-Clause
// Tangents by dual numbers and adjoints by the tape beside those by hand: Lorenz 96, 40 variables,
// 16 float lanes.
#include "dan/autodiff/derivatives.hpp"

#include <benchmark/benchmark.h>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"

namespace {
using namespace dan;
using T = lanes_t<float, 16>;

/// Lorenz 96 without its derivatives.
struct Machine {
  static constexpr std::size_t points = 40, channels = 1;
  Lorenz96<40> ode{};
  template <class S>
  void tendency(const S* x, S* dxdt) const {
    ode.tendency(x, dxdt);
  }
};
using Hand = Lorenz96<40>;

struct Data {
  Scratch<T> x{40}, d{40}, out{40};
  Data() {
    for (std::size_t i = 0; i < 40; ++i) {
      x[i] = T(static_cast<float>(i % 7) - 2.5F);
      d[i] = T(0.01F * static_cast<float>(i % 5) - 0.02F);
    }
  }
};

void tendency(benchmark::State& state) {
  Data data;
  for (auto _ : state) {
    Hand{}.tendency(data.x.data(), data.out.data());
    benchmark::ClobberMemory();
  }
}
template <class Ode>
void tangent(benchmark::State& state) {
  Data data;
  const Ode ode;
  for (auto _ : state) {
    tendency_tangent(ode, data.x.data(), data.d.data(), data.out.data());
    benchmark::ClobberMemory();
  }
}
template <class Ode>
void adjoint(benchmark::State& state) {
  Data data;
  const Ode ode;
  TendencyAdjoint<Ode, T> adjoint;
  for (auto _ : state) {
    for (T& value : data.out) value = T(0.0F);
    adjoint(ode, data.x.data(), data.d.data(), data.out.data());
    benchmark::ClobberMemory();
  }
}
template <class Ode>
void step_tangent(benchmark::State& state) {
  Data data;
  const Rk4<Ode> model;
  for (auto _ : state) {
    model.step_tangent(data.x.data(), data.d.data(), data.out.data());
    benchmark::ClobberMemory();
  }
}
template <class Ode>
void step_adjoint(benchmark::State& state) {
  Data data;
  const Rk4<Ode> model;
  for (auto _ : state) {
    for (T& value : data.out) value = T(0.0F);
    model.step_adjoint(data.x.data(), data.d.data(), data.out.data());
    benchmark::ClobberMemory();
  }
}

BENCHMARK(tendency);
BENCHMARK(tangent<Hand>);
BENCHMARK(tangent<Machine>);
BENCHMARK(adjoint<Hand>);
BENCHMARK(adjoint<Machine>);
BENCHMARK(step_tangent<Hand>);
BENCHMARK(step_tangent<Machine>);
BENCHMARK(step_adjoint<Hand>);
BENCHMARK(step_adjoint<Machine>);
}  // namespace
