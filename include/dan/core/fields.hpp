// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "dan/core/error.hpp"

/// \file
/// A configuration lists its fields once:
///     struct AdamConfig {
///       double beta1 = 0.9;
///       static constexpr auto fields() {
///         return std::tuple(field("beta1", &AdamConfig::beta1, Range::fraction()));
///       }
///     };
/// and what needs all of them asks the list: the checks of their ranges, a checkpoint's
/// description, the options of a program (`set_field`). A member that has fields itself is listed
/// without a range.

namespace dan {

namespace detail {
template <class T>
constexpr bool is_count = std::unsigned_integral<T> && !std::same_as<T, bool>;
}  // namespace detail

/// Which numbers a field may have, and how a message says so.
struct Range {
  double least, most;  ///< both allowed, unless
  bool below_most;     ///< `most` is not
  std::string_view words;

  [[nodiscard]] constexpr bool contains(double x) const {
    return x >= least && (below_most ? x < most : x <= most);
  }

  static constexpr double largest = std::numeric_limits<double>::max();
  static constexpr Range any() { return {-largest, largest, false, "a finite number"}; }
  static constexpr Range from_zero() { return {0, largest, false, "a finite number from zero"}; }
  static constexpr Range from_one() { return {1, largest, false, "a finite number, at least 1"}; }
  static constexpr Range positive() {
    return {std::numeric_limits<double>::denorm_min(), largest, false,
            "a finite number greater than zero"};
  }
  static constexpr Range at_least_one() { return {1, largest, false, "at least 1"}; }
  static constexpr Range fraction() { return {0, 1, true, "a number from 0 to below 1"}; }
  static constexpr Range share() { return {0, 1, false, "a share from 0 to 1"}; }
};

/// A member of a configuration, see `field`.
template <class Config, class Member>
struct Field {
  std::string_view name;
  Member Config::*member;
  Range range;
};
template <class Config, class Member>
constexpr Field<Config, Member> field(std::string_view name, Member Config::*member,
                                      Range range = Range::any()) {
  return {name, member, range};
}

/// use(name, value, range) for every field, those of a member as "member.name".
template <class Config, class Use>
void for_each_field(Config& config, const Use& use, const std::string& prefix = {}) {
  const auto one = [&](const auto& listed) {
    auto& value = config.*listed.member;
    const std::string name = prefix + std::string(listed.name);
    if constexpr (requires { value.fields(); })
      for_each_field(value, use, name + ".");
    else
      use(name, value, listed.range);
  };
  std::apply([&](const auto&... listed) { (one(listed), ...); },
             std::remove_const_t<Config>::fields());
}

/// Throws ConfigError, in the name of `function`, for the first field that is out of its range.
template <class Config>
void require_fields(std::string_view function, const Config& config) {
  for_each_field(config, [&](const std::string& name, const auto& value, const Range& range) {
    if (!range.contains(static_cast<double>(value)))
      throw ConfigError(to_text(function, ": ", name, " is ", value, ", expected ", range.words));
  });
}

/// Sets the field `name` of `config` to what `value` says: a number, or 0 or 1.
///
/// Throws ConfigError, in the name of `function`, for a name that is not listed, naming those that
/// are, for what is no number of its type, and for one out of its range; nothing is changed then.
template <class Config>
void set_field(std::string_view function, Config& config, std::string_view name,
               const std::string& value) {
  std::vector<std::string> names;
  bool found = false;
  for_each_field(config, [&](const std::string& listed, auto& member, const Range& range) {
    names.push_back(listed);
    if (listed != name) return;
    found = true;
    std::istringstream in(value);
    in.imbue(std::locale::classic());
    auto read = member;
    if (!(in >> std::noskipws >> read) || !in.eof() ||
        value.starts_with('-') != (static_cast<double>(read) < 0) ||
        !range.contains(static_cast<double>(read)))
      throw ConfigError(to_text(function, ": ", name, " is ", value, ", expected ",
                                !detail::is_count<decltype(read)> ? range.words
                                : range.contains(0)               ? "a whole number from zero"
                                                                  : "a whole number, at least 1"));
    member = read;
  });
  if (!found)
    throw ConfigError(
        to_text(function, ": there is no field ", name, ", expected one of: ", joined(names)));
}

}  // namespace dan
