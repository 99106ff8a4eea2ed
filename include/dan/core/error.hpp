// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "dan/core/compiler.hpp"

/// \file
/// The five exceptions of the library and the checks that raise them.
///
/// Every message reads `function: argument, what was found, what was expected; what to do`.
/// Checks stand at public boundaries, never in inner loops.

namespace dan {

/// An array has the wrong shape.
struct ShapeError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// A configuration value is out of its range.
struct ConfigError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// A computation produced something unusable: NaN, a failed factorisation, a diverged filter.
struct NumericalError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A file cannot be read, is damaged, does not fit, or cannot be written.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A computation was told to stop and did so between two steps (core/interrupt.hpp); the message
/// says what was kept and how to go on.
struct Interrupted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The text of all arguments, one after the other, numbers with enough digits to be told apart.
template <class... Parts>
[[nodiscard, gnu::cold]] std::string to_text(const Parts&... parts) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(10);
  (out << ... << parts);
  return out.str();
}

/// The texts of text_of(element), one after the other with `between` between them.
template <class Range, class TextOf>
[[nodiscard, gnu::cold]] std::string joined(const Range& range, std::string_view between,
                                            const TextOf& text_of) {
  std::string all;
  bool first = true;
  for (const auto& element : range) {
    if (!std::exchange(first, false)) all += between;
    all += to_text(text_of(element));
  }
  return all;
}
/// The same of the elements themselves: a list.
template <class Range>
[[nodiscard, gnu::cold]] std::string joined(const Range& range, std::string_view between = ", ") {
  return joined(
      range, between, [](const auto& element) -> const auto& { return element; });
}

/// A measured number as people read it.
[[nodiscard, gnu::cold]] inline std::string three_digits(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

/// Throws ConfigError unless `value` is finite.
inline void require_finite(std::string_view function, std::string_view argument, double value) {
  if (!std::isfinite(value))
    throw ConfigError(
        to_text(function, ": ", argument, " is ", value, ", expected a finite number"));
}

/// Throws ConfigError unless `value` is finite and greater than zero.
template <std::floating_point Real>
void require_positive(std::string_view function, std::string_view argument, Real value) {
  if (!(std::isfinite(value) && value > Real(0)))
    throw ConfigError(to_text(function, ": ", argument, " is ", value,
                              ", expected a finite number greater than zero"));
}

/// Throws ConfigError unless `value` is at least `least`.
inline void require_at_least(std::string_view function, std::string_view argument,
                             std::size_t value, std::size_t least) {
  if (value < least)
    throw ConfigError(
        to_text(function, ": ", argument, " is ", value, ", expected at least ", least));
}

/// Throws ShapeError unless `found` equals `expected`; `per` says what is counted.
inline void require_size(std::string_view function, std::string_view argument, std::size_t found,
                         std::size_t expected, std::string_view per) {
  if (found != expected)
    throw ShapeError(to_text(function, ": ", argument, " has shape (", found, "), expected (",
                             expected, "), one per ", per));
}

}  // namespace dan
