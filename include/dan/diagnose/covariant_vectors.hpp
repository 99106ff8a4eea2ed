// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tuple>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/fields.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/core/progress.hpp"
#include "dan/core/random.hpp"
#include "dan/core/tensor.hpp"
#include "dan/diagnose/lyapunov.hpp"
#include "dan/diagnose/trajectory.hpp"

namespace dan {

/// How many vectors, when, and how long they may take to turn into place.
struct CovariantConfig {
  std::size_t vectors = 0;     ///< how many, from the fastest growing; 0: all
  std::size_t spin_up = 1000;  ///< cycles before the first ones, forward
  std::size_t cycles = 200;    ///< in which they are kept
  std::size_t after = 1000;    ///< cycles after the last ones, from which they come back
  std::size_t every = 1;       ///< cycles between two orthonormalisations, and two that are kept
  std::uint64_t seed = 1;      ///< of the first vectors
  bool progress = true;        ///< show a progress bar if it takes long

  static constexpr auto fields() {
    using C = CovariantConfig;
    return std::tuple(field("vectors", &C::vectors, Range::from_zero()),
                      field("spin_up", &C::spin_up, Range::from_zero()),
                      field("cycles", &C::cycles, Range::at_least_one()),
                      field("after", &C::after, Range::from_zero()),
                      field("every", &C::every, Range::at_least_one()));
  }
};

/// Vectors at times 0, 1, … of a trajectory, `every` cycles apart.
struct CovariantVectors {
  std::vector<std::vector<double>> states{};  ///< x
  std::vector<Matrix> backward{};   ///< Q, size × n: orthonormal, what has grown most first
  std::vector<Matrix> covariant{};  ///< Φ, size × n: unit columns with M' φ_k(t) ∥ φ_k(t + 1)
  std::vector<double> exponents{};  ///< mean growth of the covariant ones, per unit of time
};

/// Backward and covariant Lyapunov vectors along a trajectory.
///
/// Forward, Q(t + 1) R(t + 1) = M' Q(t) as for the exponents. Covariant vectors are Φ = Q C with an
/// upper triangular C, and backwards in time
///   C(t) ∝ R(t + 1)⁻¹ C(t + 1)  (columns of length one)
/// converges to the C for which M' Φ(t) = Φ(t + 1) D, D diagonal and positive: vector k grows with
/// exponent k, forward and backward. Where λ_k and λ_{k+1} are close the convergence,
/// exp(−(λ_k − λ_{k+1}) t), is slow; the pair's span converges all the same.
/// Each of `spin_up`, `cycles` and `after` is rounded up to whole orthonormalisations; there are
/// cycles / every + 1 times.
/// Throws ConfigError for a field out of its range, NumericalError if the trajectory becomes
/// unusable or the tangent has no inverse on the vectors (then ask for fewer); Interrupted after
/// Ctrl-C.
/// Cost: spin_up + cycles + after times that of the trajectory, and (4 size + n) n² flops per
/// orthonormalisation. Memory: (2 size n + n²) cycles / every + n² after / every numbers.
/// Source: Ginelli et al., Phys. Rev. Lett. 99 (2007) 130601; Wolfe and Samelson, Tellus A 59
/// (2007) 355–366; Kuptsov and Parlitz, J. Nonlinear Sci. 22 (2012) 727–762.
template <TangentTrajectory Trajectory>
[[nodiscard]] CovariantVectors covariant_vectors(Trajectory& trajectory,
                                                 const CovariantConfig& config = {}) {
  constexpr std::string_view name = "covariant_vectors";
  constexpr std::size_t size = Trajectory::size;
  require_fields(name, config);
  const std::size_t count = detail::number_of_vectors(name, "vectors", config.vectors, size);
  const auto rounds = [&](std::size_t cycles) {
    return (cycles + config.every - 1) / config.every;
  };
  const std::size_t before = rounds(config.spin_up), kept = rounds(config.cycles);
  const std::size_t all = before + kept + rounds(config.after);
  Progress progress("Lyapunov vectors", all, config.progress);

  CovariantVectors out;
  std::vector<Matrix> r;  // r[t] leads from t to t + 1
  Matrix q = random_vectors(size, count, config.seed);
  const auto keep = [&] {
    const auto x = trajectory.state();
    out.states.emplace_back(x.begin(), x.end());
    out.backward.push_back(q);
  };
  if (before == 0) keep();
  for (std::size_t n = 1; n <= all; ++n, progress.advance()) {
    throw_if_interrupted(name, (n - 1) * config.every, " cycles; start it again, for fewer cycles");
    try {
      const Matrix step = advance_vectors(trajectory, q, config.every);
      if (n > before) r.push_back(step);
    } catch (const NumericalError& e) {
      throw NumericalError(
          to_text(name, ": ended in cycle ", (n - 1) * config.every + 1, ": ", e.what()));
    }
    if (n >= before && n <= before + kept) keep();
  }

  auto c = zero_tensor<double>(count, count);
  fill_normal<double>({config.seed, Purpose::analysis}, span_of(c));
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < i; ++j) c(i, j) = 0;
  for (std::size_t i = 0; i < count; ++i) c(i, i) = 1;
  out.exponents.assign(count, 0.0);
  out.covariant.resize(kept + 1);
  const double time = trajectory.cycle_length() * static_cast<double>(kept * config.every);
  for (std::size_t t = r.size() + 1; t-- > 0;) {
    if (t < r.size()) {  // C ← R⁻¹ C, row by row from below
      for (std::size_t i = count; i-- > 0;) {
        for (std::size_t k = i + 1; k < count; ++k)
          for (std::size_t j = k; j < count; ++j) c(i, j) -= r[t](i, k) * c(k, j);
        for (std::size_t j = i; j < count; ++j) c(i, j) /= r[t](i, i);
      }
    }
    for (std::size_t j = 0; j < count; ++j) {
      double squares = 0;
      for (std::size_t i = 0; i <= j; ++i) squares += c(i, j) * c(i, j);
      const double length = std::sqrt(squares);
      if (!(length > 0 && std::isfinite(length)))
        throw NumericalError(to_text(name, ": vector ", j,
                                     " does not grow by a number above zero; the tangent has no "
                                     "inverse there, ask for at most ",
                                     j, " vectors"));
      for (std::size_t i = 0; i <= j; ++i) c(i, j) /= length;
      if (t < kept) out.exponents[j] -= std::log(length) / time;
    }
    if (t <= kept) {
      Matrix& phi = out.covariant[t] = zero_tensor<double>(size, count);
      for (std::size_t i = 0; i < size; ++i)
        for (std::size_t k = 0; k < count; ++k)
          for (std::size_t j = k; j < count; ++j) phi(i, j) += out.backward[t](i, k) * c(k, j);
    }
  }
  return out;
}

}  // namespace dan
