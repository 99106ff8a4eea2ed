// SPDX-License-Identifier: BSD-3-Clause
// Tangents by dual numbers and adjoints by the tape beside those by hand: Lorenz 96, 40 variables;
// 16 float lanes, the adjoint of a step also in those of other trainings.
#include "dan/autodiff/derivatives.hpp"

#include <benchmark/benchmark.h>

#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"

namespace {
using namespace dan;
using Narrow = lanes_t<float, 16>;
using Wide = lanes_t<float, 32>;
using Double = lanes_t<double, 16>;

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

template <class T>
struct Data {
  Scratch<T> x{40}, d{40}, out{40};
  Data() {
    for (std::size_t i = 0; i < 40; ++i) {
      x[i] = T(static_cast<real_t<T>>(i % 7) - real_t<T>(2.5));
      d[i] = T(real_t<T>(0.01) * static_cast<real_t<T>>(i % 5) - real_t<T>(0.02));
    }
  }
};

void tendency(benchmark::State& state) {
  Data<Narrow> data;
  for (auto _ : state) {
    Hand{}.tendency(data.x.data(), data.out.data());
    benchmark::ClobberMemory();
  }
}
template <class Ode>
void tangent(benchmark::State& state) {
  Data<Narrow> data;
  const Ode ode;
  for (auto _ : state) {
    tendency_tangent(ode, data.x.data(), data.d.data(), data.out.data());
    benchmark::ClobberMemory();
  }
}
template <class Ode>
void adjoint(benchmark::State& state) {
  Data<Narrow> data;
  const Ode ode;
  TendencyAdjoint<Ode, Narrow> adjoint;
  for (auto _ : state) {
    for (auto& value : data.out) value = Narrow(0.0F);
    adjoint(ode, data.x.data(), data.d.data(), data.out.data());
    benchmark::ClobberMemory();
  }
}
template <class Ode>
void step_tangent(benchmark::State& state) {
  Data<Narrow> data;
  const Rk4<Ode> model;
  for (auto _ : state) {
    model.step_tangent(data.x.data(), data.d.data(), data.out.data());
    benchmark::ClobberMemory();
  }
}
template <class Ode, class T>
void step_adjoint(benchmark::State& state) {
  Data<T> data;
  const Rk4<Ode> model;
  for (auto _ : state) {
    for (T& value : data.out) value = T(real_t<T>(0));
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
BENCHMARK(step_adjoint<Hand, Narrow>);
BENCHMARK(step_adjoint<Machine, Narrow>);
BENCHMARK(step_adjoint<Hand, Wide>);
BENCHMARK(step_adjoint<Machine, Wide>);
BENCHMARK(step_adjoint<Hand, Double>);
BENCHMARK(step_adjoint<Machine, Double>);
}  // namespace
