// SPDX-License-Identifier: BSD-3-Clause
#include "dan/models/quasi_geostrophic.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include "dan/geometry/lat_lon.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/barotropic_sphere.hpp"
#include "dan/models/marshall_molteni.hpp"
#include "support/battery.hpp"
#include "support/reference.hpp"
#include "support/sphere_reference.hpp"

using namespace dan;
using test::Numbers;

namespace {
using T21 = SphericalHarmonics<21, LatLon<32, 64, Latitudes::gaussian>>;
using T5 = SphericalHarmonics<5, LatLon<8, 16, Latitudes::gaussian>>;

/// A vorticity like that of the atmosphere, without its mean.
template <class Harmonics, std::size_t Levels = 1>
Numbers flow(std::uint64_t run = 0) {
  Numbers q = test::normal_numbers(Harmonics::coefficients * Levels, run);
  Harmonics::for_each([&](std::size_t i, std::size_t l, std::size_t) {
    for (std::size_t k = 0; k < Levels; ++k)
      q[i * Levels + k] *= l == 0 ? 0 : 1e-5 / static_cast<double>(l + 1);
  });
  return q;
}

/// The reference's setting with its own mountains, forcing and friction.
QuasiGeostrophic<T21, 3> reference_setting(const test::SphereReference& from) {
  auto equation = three_levels<T21>();
  Numbers waves(T21::coefficients);
  for (std::size_t k = 0; k < 3; ++k) {
    T21::analyse(from.field<3>("forcing", k).data(), waves.data());
    // The reference writes q − f̃ for our q.
    const Numbers planet = from.spectral<4>("planet_vorticity_spec", 0, k);
    for (std::size_t i = 0; i < waves.size(); ++i) {
      equation.forcing[i * 3 + k] = waves[i];
      equation.planet[i * 3 + k] = -planet[i];
    }
  }
  equation.set_friction(from.field<2>("ekman_friction_mu", 0));
  return equation;
}
/// A state of three levels of the reference.
Numbers state(const test::SphereReference& from, const std::string& name, std::size_t time) {
  Numbers out(T21::coefficients * 3);
  for (std::size_t k = 0; k < 3; ++k) {
    const Numbers level = from.spectral(name, time, k);
    for (std::size_t i = 0; i < level.size(); ++i) out[i * 3 + k] = level[i];
  }
  return out;
}

/// Coefficients × levels of fields of the reference.
Numbers coefficients(const test::SphereReference& from, const std::string& name, std::size_t time) {
  Numbers out(T21::coefficients * 3), waves(T21::coefficients);
  for (std::size_t k = 0; k < 3; ++k) {
    T21::analyse(from.field(name, time * 3 + k).data(), waves.data());
    for (std::size_t i = 0; i < waves.size(); ++i) out[i * 3 + k] = waves[i];
  }
  return out;
}

/// The coefficients of a field turned by `angle` to the east.
template <class Harmonics>
Numbers turned(const Numbers& c, double angle) {
  Numbers out(c.size());
  Harmonics::for_each([&](std::size_t i, std::size_t l, std::size_t m) {
    if (m == 0) {
      out[i] = c[i];
      return;
    }
    const double a = std::cos(static_cast<double>(m) * angle);
    const double b = std::sin(static_cast<double>(m) * angle);
    const std::size_t cosine = Harmonics::index(l, m), sine = Harmonics::index(l, m, true);
    out[cosine] = a * c[cosine] - b * c[sine];
    out[sine] = b * c[cosine] + a * c[sine];
  });
  return out;
}

/// Without drag, forcing and mountains.
template <class Harmonics>
QuasiGeostrophic<Harmonics> free_flow() {
  auto equation = one_level<Harmonics>({.amplitude = 0});
  std::ranges::fill(equation.damping, 0);
  return equation;
}
}  // namespace

TEST_CASE("quasi-geostrophic flow: three levels of the reference") {
  const auto folder = test::reference("qg_sphere_t21_t31");
  if (!folder) return;
  const test::SphereReference from(*folder);
  const auto equation = reference_setting(from);
  // Arrays of the reference are good to single precision where they passed through it.
  const auto coupling = from.numbers<3>("q_to_psi_coupling");
  for (std::size_t l = 0; l <= 21; ++l)
    for (std::size_t n = 0; n < 9; ++n)
      CHECK(equation.inversion[l * 9 + n] ==
            doctest::Approx(coupling[n * 22 + l]).epsilon(1e-9).scale(1e10));
  for (std::size_t time = 0; time < 2; ++time) {
    const Numbers q = state(from, "spec_total_q", time);
    Numbers dqdt(q.size()), by_level(q.size()), psi(q.size());
    equation.tendency(q.data(), dqdt.data());
    CHECK(from.relative(dqdt, state(from, "spec_tendencies", time)) < 1e-6);
    for (std::size_t k = 0; k < 3; ++k)
      for (std::size_t i = 0; i < T21::coefficients; ++i)
        by_level[k * T21::coefficients + i] = q[i * 3 + k];
    equation.stream_function(by_level.data(), psi.data());
    for (std::size_t k = 0; k < 3; ++k) {
      const auto* at = psi.data() + k * T21::coefficients;
      CHECK(from.relative({at, at + T21::coefficients}, from.spectral("spec_psi", time, k)) <
            1e-12);
    }
    const auto check_step = [&](const auto& model, const std::string& name) {
      Numbers after(q.size());
      model.step(q.data(), after.data());
      for (std::size_t i = 0; i < after.size(); ++i) after[i] += equation.planet[i];
      CHECK(from.relative(after, state(from, name, time)) < 1e-8);
    };
    check_step(RungeKutta<QuasiGeostrophic<T21, 3>, EulerTableau>{equation, 1800}, "spec_ee");
    check_step(RungeKutta<QuasiGeostrophic<T21, 3>, MidpointTableau>{equation, 1800}, "spec_rk2");
    check_step(RungeKutta<QuasiGeostrophic<T21, 3>, ClassicalTableau>{equation, 1800}, "spec_rk4");
  }
}

TEST_CASE("quasi-geostrophic flow: each term of the reference") {
  const auto folder = test::reference("qg_sphere_t21_t31");
  if (!folder) return;
  const test::SphereReference from(*folder);
  const auto whole = reference_setting(from);
  auto bare = whole;
  bare.forcing.assign(bare.forcing.size(), 0);
  bare.damping.assign(bare.damping.size(), 0);
  bare.friction.clear();
  auto rubbed = bare;
  rubbed.friction = whole.friction;
  // Without thermal exchange what is left of Λ is the selective damping.
  auto selective = bare;
  selective.damping = three_levels<T21>({.thermal_time = 1e300}).damping;
  auto damped = bare;
  damped.damping = whole.damping;
  for (std::size_t time = 0; time < 2; ++time) {
    const Numbers q = state(from, "spec_total_q", time);
    const auto tendency_of = [&](const auto& equation) {
      Numbers out(q.size());
      equation.tendency(q.data(), out.data());
      return out;
    };
    const auto difference = [](Numbers a, const Numbers& b) {
      for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
      return a;
    };
    const Numbers none = tendency_of(bare);
    const Numbers least = tendency_of(selective);
    // The reference's Jacobian has the sign of its mirror.
    CHECK(from.relative(none, coefficients(from, "jacobian", time)) < 1e-12);
    CHECK(from.relative(difference(none, tendency_of(rubbed)),
                        coefficients(from, "dissip_ekman", time)) < 1e-10);
    CHECK(from.relative(difference(none, least), state(from, "spec_dissip_sel", time)) < 1e-6);
    CHECK(from.relative(difference(least, tendency_of(damped)),
                        state(from, "spec_dissip_therm", time)) < 1e-6);
    Numbers waves(T21::coefficients), field(T21::points);
    const Numbers psi = from.spectral("spec_psi", time, 2);
    T21::for_each([&](std::size_t i, std::size_t l, std::size_t) {
      waves[i] = -static_cast<double>(l * (l + 1)) / std::pow(whole.radius, 2) * psi[i];
    });
    T21::synthesise(waves.data(), field.data());
    CHECK(from.relative(field, from.field<3>("zeta", time)) < 1e-12);
  }
  CHECK(from.relative(three_levels<T21>().damping, [&] {
    const auto sel = from.numbers<1>("selective_spectrum");
    const auto thermal = from.numbers<2>("thermal_coupling");
    Numbers out(22 * 9);
    for (std::size_t l = 0; l < 22; ++l)
      for (std::size_t k = 0; k < 3; ++k)
        for (std::size_t n = 0; n < 3; ++n) {
          double& sum = out[l * 9 + k * 3 + n];
          sum = k == n ? sel[l] : 0;
          for (std::size_t j = 0; j < 3; ++j)
            sum += thermal[k * 3 + j] * whole.inversion[l * 9 + j * 3 + n];
        }
    return out;
  }()) < 1e-12);
}

TEST_CASE("quasi-geostrophic flow: derivatives, one level and three with friction") {
  // In units in which the numbers are near one: the battery's differences are not for 1e-5.
  auto one = one_level<T5>({.radius = 1,
                            .rotation = 1,
                            .drag_time = 10,
                            .selective_time = 1,
                            .amplitude = 1,
                            .degree = 3,
                            .order = 1,
                            .height = 10,
                            .mountains = test::normal_numbers(T5::points, 5)});
  test::check_equation(one, test::normal_numbers(T5::coefficients));
  auto three = three_levels<T5>({.radius = 1,
                                 .rotation = 1,
                                 .rossby_radii = {0.7, 0.4},
                                 .selective_time = 1,
                                 .thermal_time = 3,
                                 .height = 10,
                                 .mountains = test::normal_numbers(T5::points, 6)});
  Numbers friction = test::normal_numbers(T5::points, 7);
  for (double& r : friction) r = 0.3 + 0.1 * r;
  three.set_friction(friction);
  test::check_equation(three, test::normal_numbers(3 * T5::coefficients));
}

TEST_CASE("quasi-geostrophic flow: adjoint of 50 steps") {
  const Rk4<QuasiGeostrophic<T21>> model{one_level<T21>(), 1800, 50};
  const Numbers q = flow<T21>(), dq = flow<T21>(1), d_y = flow<T21>(2);
  Numbers dy(q.size()), d_q(q.size());
  model.step_tangent(q.data(), dq.data(), dy.data());
  model.step_adjoint(q.data(), d_y.data(), d_q.data());
  double a = 0, b = 0;
  for (std::size_t i = 0; i < q.size(); ++i) a += dy[i] * d_y[i], b += dq[i] * d_q[i];
  CHECK(a == doctest::Approx(b).epsilon(1e-10).scale(0));  // numbers of 1e-11
}

TEST_CASE("quasi-geostrophic flow: free, it conserves energy and enstrophy") {
  const auto equation = free_flow<T21>();
  const auto invariants = [&](const Numbers& q) {
    Numbers psi(q.size()), sums(2);
    equation.stream_function(q.data(), psi.data());
    for (std::size_t i = 0; i < q.size(); ++i) sums[0] -= psi[i] * q[i], sums[1] += q[i] * q[i];
    return sums;
  };
  // Instantly to round-off, ...
  const Numbers q = flow<T21>();
  Numbers dqdt(q.size()), psi(q.size());
  equation.tendency(q.data(), dqdt.data());
  equation.stream_function(q.data(), psi.data());
  double energy = 0, enstrophy = 0, size = 0, heights = 0;
  for (std::size_t i = 0; i < q.size(); ++i) {
    energy += psi[i] * dqdt[i], enstrophy += q[i] * dqdt[i];
    size += std::abs(q[i] * dqdt[i]), heights += std::abs(psi[i] * dqdt[i]);
  }
  CHECK(std::abs(energy) < 1e-13 * heights);
  CHECK(std::abs(enstrophy) < 1e-13 * size);
  // ... over a day to the order of the scheme: Runge–Kutta loses of them in h⁵ or better.
  const Numbers before = invariants(q);
  Numbers lost;
  for (const std::size_t steps : {24U, 48U}) {
    Numbers after(q.size());
    const Rk4<QuasiGeostrophic<T21>> model{equation, 86400.0 / static_cast<double>(steps), steps};
    model.step(q.data(), after.data());
    const Numbers sums = invariants(after);
    for (std::size_t n = 0; n < 2; ++n) lost.push_back(std::abs(sums[n] / before[n] - 1));
  }
  CHECK(lost[0] < 1e-3);
  CHECK(lost[2] < lost[0] / 12);
  CHECK(lost[3] < lost[1] / 12);
}

TEST_CASE("quasi-geostrophic flow: turning the sphere commutes with a step") {
  const Rk4<QuasiGeostrophic<T21>> model{one_level<T21>(), 1800, 10};
  const Numbers q = flow<T21>();
  Numbers after(q.size()), after_turned(q.size());
  model.step(q.data(), after.data());
  model.step(turned<T21>(q, 0.7).data(), after_turned.data());
  CHECK(test::SphereReference::relative(after_turned, turned<T21>(after, 0.7)) < 1e-13);
  // Not so with a mountain.
  Numbers h(T21::points);
  h[10 * 64 + 5] = 3000;
  const Rk4<QuasiGeostrophic<T21>> rough{one_level<T21>({.mountains = h}), 1800, 10};
  rough.step(q.data(), after.data());
  rough.step(turned<T21>(q, 0.7).data(), after_turned.data());
  CHECK(test::SphereReference::relative(after_turned, turned<T21>(after, 0.7)) > 1e-4);
}

TEST_CASE("quasi-geostrophic flow: a Rossby–Haurwitz wave keeps its shape, at T42 too") {
  // A rotation α and harmonics of one degree l turn with α − 2 (Ω + α)/(l(l + 1)): Haurwitz (1940).
  using T42 = SphericalHarmonics<42, LatLon<64, 128, Latitudes::gaussian>>;
  const auto equation = free_flow<T42>();
  const double alpha = 3e-6, rotation = 7.292e-5, day = 86400;
  const std::size_t degree = 5;
  Numbers q(T42::coefficients), after(q.size());
  q[T42::index(1, 0)] = 2 * alpha / std::sqrt(3);  // ζ = 2 α μ
  const Numbers noise = test::normal_numbers(q.size());
  for (std::size_t m = 0; m <= degree; ++m)
    for (const bool sine : {false, true})
      if (m > 0 || !sine)
        q[T42::index(degree, m, sine)] = 1e-5 * noise[T42::index(degree, m, sine)];
  const Rk4<QuasiGeostrophic<T42>> model{equation, 900, 96};
  model.step(q.data(), after.data());
  const double speed = alpha - 2 * (rotation + alpha) / (degree * (degree + 1));
  CHECK(test::SphereReference::relative(after, turned<T42>(q, speed * day)) < 1e-8);
  CHECK(test::SphereReference::relative(after, turned<T42>(q, alpha * day)) > 0.1);
}

TEST_CASE("quasi-geostrophic flow: a step beyond the stability limit is refused") {
  // Λ of the shortest waves is 1/8640 s + 1/864 000 s, the scheme decays up to 2.785.
  const double limit = 2.785 / (1.0 / 8640 + 1.0 / 864'000);
  Numbers q = flow<T21>();
  for (double& value : q) value *= 1e-3;  // winds have limits of their own
  Numbers y(q.size());
  const Rk4<QuasiGeostrophic<T21>> stable{one_level<T21>({.amplitude = 0}), 0.999 * limit, 200};
  stable.step(q.data(), y.data());
  CHECK(std::sqrt(std::inner_product(y.begin(), y.end(), y.begin(), 0.0)) < 1e-8);
  const Rk4<QuasiGeostrophic<T21>> unstable{one_level<T21>(), 24'000, 200};
  const char* const message =
      "Runge–Kutta: time_step is 24000, expected at most 23825.49505, its stability limit for the "
      "fastest decay of the equation, 0.0001168981481 per unit of time; take more and shorter "
      "steps a cycle";
  CHECK_THROWS_WITH_AS(unstable.step(q.data(), y.data()), message, ConfigError);
  CHECK_THROWS_WITH_AS(unstable.step_tangent(q.data(), q.data(), y.data()), message, ConfigError);
  CHECK_THROWS_WITH_AS(unstable.step_adjoint(q.data(), q.data(), y.data()), message, ConfigError);
  const Rk4<QuasiGeostrophic<T21>> back{one_level<T21>(), -3600, 2};
  CHECK_THROWS_WITH_AS(
      back.step(q.data(), y.data()),
      "Runge–Kutta: time_step is -3600, expected a finite number greater than zero", ConfigError);
  // Friction at the ground decays as well: beside a damping of 1/855 days, to 2.785 · 500 s.
  auto rubbed = one_level<T21>({.drag_time = 1e9, .selective_time = 1e9, .amplitude = 0});
  rubbed.set_friction(Numbers(T21::points, 1.0 / 500));
  CHECK(rubbed.fastest_decay() == doctest::Approx(0.002).epsilon(1e-5));
  const Rk4<QuasiGeostrophic<T21>> short_enough{rubbed, 1390, 400}, too_long{rubbed, 1400, 400};
  short_enough.step(q.data(), y.data());
  CHECK(std::sqrt(std::inner_product(y.begin(), y.end(), y.begin(), 0.0)) < 1e-8);
  CHECK_THROWS_AS(too_long.step(q.data(), y.data()), ConfigError);
}

TEST_CASE("quasi-geostrophic flow: bad numbers are refused") {
  CHECK_THROWS_WITH_AS(std::ignore = one_level<T21>({.drag_time = 0}),
                       "BarotropicSphere: drag_time is 0, expected a finite number greater than "
                       "zero",
                       ConfigError);
  CHECK_THROWS_WITH_AS(std::ignore = one_level<T21>({.degree = 3, .order = 4}),
                       "BarotropicSphere: degree and order are 3 and 4, expected order ≤ degree ≤ "
                       "21, the truncation",
                       ConfigError);
  CHECK_THROWS_AS(std::ignore = one_level<T21>({.mountains = Numbers(7)}), ShapeError);
  CHECK_THROWS_AS(std::ignore = three_levels<T21>({.thermal_time = -1}), ConfigError);
  auto equation = three_levels<T21>();
  CHECK_THROWS_AS(equation.set_friction(Numbers(5)), ShapeError);
  Numbers friction(T21::points);
  friction[3] = -1e-6;
  CHECK_THROWS_WITH_AS(equation.set_friction(friction),
                       doctest::Contains("set_friction: r[3] is -1e-06, expected a finite number"),
                       ConfigError);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(std::ignore = one_level<T21>({.amplitude = nan}),
                       "BarotropicSphere: amplitude is nan, expected a finite number", ConfigError);
  CHECK_THROWS_AS(std::ignore = one_level<T21>({.rotation = nan}), ConfigError);
  CHECK_THROWS_AS(std::ignore = three_levels<T21>({.mountains = Numbers(T21::points, nan)}),
                  ConfigError);
}
