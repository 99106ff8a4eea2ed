// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/simd.hpp"

/// \file
/// Archives in memory (see io/archive.hpp), for a process of the same program: no names, no checks
/// but for the length.

namespace dan {

/// Collects.
class PackedWriter {
 public:
  static constexpr bool reads = false;

  void same(const std::string&, const auto&) {}
  void count(const std::string&, std::size_t n, std::size_t = 0) {
    values_.push_back(std::bit_cast<double>(static_cast<std::uint64_t>(n)));
  }
  void number(const std::string&, double x) { values_.push_back(x); }
  void series(const std::string& name, const std::vector<float>& x) {
    count(name, x.size());
    values_.insert(values_.end(), x.begin(), x.end());
  }
  template <class T>
  void numbers(const std::string&, std::span<T> packs, std::size_t lanes) {
    for (const T& pack : packs)
      for (std::size_t l = 0; l < lanes; ++l)
        values_.push_back(static_cast<double>(lane_of(pack, l)));
  }
  template <class B>
  void batch(const std::string& name, B& batch) {
    numbers(name, std::span(batch.data(), B::size), B::lanes);
  }
  void require(const std::string&, bool, const auto&...) const {}
  template <class Part>
  void part(const std::string&, Part&& part) {
    if constexpr (requires { part(*this); })
      part(*this);
    else
      part.transfer(*this);
  }

  [[nodiscard]] std::vector<double>& values() { return values_; }

 private:
  std::vector<double> values_;
};

/// Gives back. Throws ShapeError if there is less than is asked for.
class PackedReader {
 public:
  static constexpr bool reads = true;

  explicit PackedReader(std::span<const double> values) : values_(values) {}

  void same(const std::string&, const auto&) {}
  void count(const std::string&, std::size_t& n, std::size_t = 0) {
    n = std::bit_cast<std::uint64_t>(next());
  }
  void number(const std::string&, double& x) { x = next(); }
  void series(const std::string& name, std::vector<float>& x) {
    std::size_t size = 0;
    count(name, size);
    x.clear();
    for (std::size_t i = 0; i < size; ++i) x.push_back(static_cast<float>(next()));
  }
  template <class T>
  void numbers(const std::string&, std::span<T> packs, std::size_t lanes) {
    for (T& pack : packs)
      for (std::size_t l = 0; l < lanes; ++l) lane_of(pack, l) = static_cast<real_t<T>>(next());
  }
  template <class B>
  void batch(const std::string& name, B& batch) {
    numbers(name, std::span(batch.data(), B::size), B::lanes);
    batch.repeat_last_lane();
  }
  void require(const std::string&, bool, const auto&...) const {}
  template <class Part>
  void part(const std::string&, Part&& part) {
    if constexpr (requires { part(*this); })
      part(*this);
    else
      part.transfer(*this);
  }

 private:
  double next() {
    if (at_ == values_.size())
      throw ShapeError(to_text("PackedReader: there are ", values_.size(),
                               " numbers, expected more; is it of the same program?"));
    return values_[at_++];
  }

  std::span<const double> values_;
  std::size_t at_ = 0;
};

}  // namespace dan
