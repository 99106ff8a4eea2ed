// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>

#include "dan/core/simd.hpp"

namespace dan::test {

/// use(name, f, x) for every function that generic scalars have, at a few points each.
template <class Use>
void for_each_function(const Use& use) {
  using std::atan2, std::pow, std::min, std::max, std::fabs, std::abs, std::sqrt, std::log;
  using std::exp, std::tanh, std::sin, std::cos, std::tan, std::asin, std::acos, std::atan;
  using std::log2, std::log10, std::log1p, std::expm1;
  using std::sinh, std::cosh, std::erf, std::hypot, std::cbrt;
  for (const double x : {-0.7, 0.3, 0.6}) {
    use(
        "+ - *", [](const auto& v) { return 2 - v * v + (v - 1) * (1 + v) - v; }, x);
    use(
        "/", [](const auto& v) { return v / (2 + v) + 1 / (3 - v) + v / 7; }, x);
    use(
        "+= -= *= /=",
        [](const auto& v) {
          auto out = v * 3;
          out += v, out *= v, out -= 2, out += 1.5, out /= v + 4, out -= v;
          return out;
        },
        x);
    use(
        "exp", [](const auto& v) { return exp(v); }, x);
    use(
        "tanh", [](const auto& v) { return tanh(v); }, x);
    use(
        "sin", [](const auto& v) { return sin(v); }, x);
    use(
        "cos", [](const auto& v) { return cos(v); }, x);
    use(
        "tan", [](const auto& v) { return tan(v); }, x);
    use(
        "asin", [](const auto& v) { return asin(v); }, x);
    use(
        "acos", [](const auto& v) { return acos(v); }, x);
    use(
        "atan", [](const auto& v) { return atan(v); }, x);
    use(
        "sinh", [](const auto& v) { return sinh(v); }, x);
    use(
        "cosh", [](const auto& v) { return cosh(v); }, x);
    use(
        "erf", [](const auto& v) { return erf(v); }, x);
    use(
        "abs", [](const auto& v) { return abs(v) + v * fabs(v); }, x);
    use(
        "sqrt, log", [](const auto& v) { return sqrt(1 + v) * log(v + 2); }, x);
    use(
        "log2, log10", [](const auto& v) { return log2(v + 2) - log10(v + 1); }, x);
    use(
        "log1p, expm1", [](const auto& v) { return log1p(v) * expm1(v); }, x);
    use(
        "cbrt", [](const auto& v) { return cbrt(v); }, x);
    use(
        "hypot", [](const auto& v) { return hypot(v, v + 2) + hypot(v, 0.5) + hypot(2, v); }, x);
    use(
        "atan2", [](const auto& v) { return atan2(v, v - 2) + atan2(v, -0.5) + atan2(0.5, v); }, x);
    use(
        "pow", [](const auto& v) { return pow(v + 1, 1.5) + pow(v + 1, v) + pow(1.5, v); }, x);
    use(
        "pow, whole exponents", [](const auto& v) { return pow(v, 3) + pow(v, -2) + pow(v, 0); },
        x);
    use(
        "min, max", [](const auto& v) { return v * min(v, 0.1) + sin(max(v, 0.5) + min(v, v)); },
        x);
    use(
        "minimum, maximum", [](const auto& v) { return minimum(v, v * v) - maximum(v, v * v); }, x);
    use(
        "where_less",
        [](const auto& v) {
          using T = std::decay_t<decltype(v)>;
          return where_less(v, T(0.4), T(v * v), T(-v)) + where_positive(v, T(sin(v)), T(v));
        },
        x);
  }
}

}  // namespace dan::test
