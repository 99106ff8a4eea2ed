// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/tensor.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

using namespace dan;

TEST_CASE("tensor: zeros, shape, order and alignment") {
  auto a = zero_tensor<double>(2, 3);
  CHECK(a.shape()[0] == 2);
  CHECK(a.shape()[1] == 3);
  for (const double x : span_of(a)) CHECK(x == 0);
  a(1, 0) = 7;
  CHECK(span_of(a)[3] == 7);
  const Matrix& view = a;
  CHECK(span_of(view).size() == 6);
  for (const std::size_t n : {1U, 3U, 17U, 1000U})
    CHECK(reinterpret_cast<std::uintptr_t>(zero_tensor<float>(n).data()) % 64 == 0);
}

TEST_CASE_TEMPLATE("tensor: a batch keeps what it was made from", Real, float, double) {
  constexpr std::size_t lanes = simd_width<Real> + 1;
  using States = Batch<Real, 3, 2, lanes>;
  auto array = zero_tensor<Real>(3, 2, lanes);
  for (std::size_t i = 0; i < array.size(); ++i) array.data()[i] = static_cast<Real>(i);
  const auto states = batch_of<States>(array);
  CHECK(array_of(states) == array);
  CHECK(States::padded == 2 * simd_width<Real>);
  CHECK(States::size == 6);
  CHECK(states.at(2 * 1 + 1, 4 % lanes) == array(1, 1, 4 % lanes));
  CHECK(states[3][1] == array(1, 1, 1));
  CHECK(states.numbers().size() == 6 * States::padded);
  bool repeated = true;
  for (std::size_t i = 0; i < States::size; ++i)
    for (std::size_t l = lanes; l < States::padded; ++l)
      repeated = repeated && states.at(i, l) == states.at(i, lanes - 1);
  CHECK(repeated);
}

TEST_CASE("tensor: one lane is plain numbers") {
  Batch<double, 4, 1, 1> state;
  static_assert(std::is_same_v<decltype(state.data()), double*>);
  state.fill(2);
  state.set_lane(0, std::array{1.0F, 2.0F, 3.0F, 4.0F}.data());
  CHECK(state[3] == 4);
  CHECK(state.numbers().size() == 4);
}

TEST_CASE("tensor: a batch of the wrong shape says both shapes") {
  using States = Batch<double, 40, 1, 20>;
  std::string message;
  try {
    static_cast<void>(batch_of<States>(zero_tensor<double>(40, 2, 20)));
  } catch (const ShapeError& e) {
    message = e.what();
  }
  CHECK(message.find("(40, 2, 20)") != std::string::npos);
  CHECK(message.find("(40, 1, 20)") != std::string::npos);
}

TEST_CASE("tensor: convert rounds each lane and fills the padding with a valid one") {
  constexpr std::size_t lanes = simd_width<double> + 1;
  Batch<double, 2, 1, lanes> from;
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t l = 0; l < lanes; ++l) from.at(i, l) = 0.1 * static_cast<double>(10 * i + l);
  from.repeat_last_lane();
  Batch<float, 2, 1, lanes> to;
  convert_precision(from, to);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t l = 0; l < to.padded; ++l)
      CHECK(to.at(i, l) == static_cast<float>(from.at(i, std::min(l, lanes - 1))));
}
