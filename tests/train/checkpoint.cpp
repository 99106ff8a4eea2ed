// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "../support/temporary_folder.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/full.hpp"
#include "dan/observe/random_network.hpp"
#include "dan/train/trainer.hpp"

using namespace dan;

namespace {
using Full = Setting<Rk4<Lorenz96<40>>, FullNetwork<40>>;
}  // namespace

TEST_CASE("stream: a saved truth is a state per run, whatever the SIMD width, and goes on") {
  constexpr std::size_t runs = simd_width<double> + 3;
  using Truth = ObservationStream<Full, runs>;
  Truth stream(Full{}, {.spin_up = 10}), again(Full{}, {.seed = 2, .spin_up = 0});
  stream.next();
  const auto numbers = stream.save();
  REQUIRE(numbers.size() == runs * 40);
  bool right = true;
  for (std::size_t l = 0; l < runs; ++l)
    for (std::size_t i = 0; i < 40; ++i)
      right = right && numbers[l * 40 + i] == stream.truth().at(i, l);
  CHECK(right);
  again.restore(1, numbers);
  for (int n = 0; n < 3; ++n) stream.next(), again.next();
  CHECK(std::ranges::equal(again.truth().numbers(), stream.truth().numbers()));
  CHECK_THROWS_AS(again.restore(1, std::vector<double>(runs * 40 + 1)), ShapeError);
}

TEST_CASE("trainer: a place for checkpoints that cannot be written is told before the work") {
  const test::TemporaryFolder folder;
  const Full setting;
  AnalysisNetwork<NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1}> network;
  scale_inputs(setting, network);
  Trainer<Full, decltype(network), simd_width<float>> trainer(
      setting, network, {.updates = 1000000, .groups = 1, .progress = false});
  CHECK_THROWS_AS(trainer.run(folder / "none/checkpoint"), FileError);
  CHECK(trainer.updates() == 0);
}
