// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/weights.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <limits>
#include <string>

#include "../support/temporary_folder.hpp"

using namespace dan;

namespace {
using Network = AnalysisNetwork<NetworkShape{.filters = 6, .blocks = 1, .memory = 1}, Ring<9>>;

Trained<Network> some_network() {
  Trained<Network> trained;
  trained.network.input_mean = {2.3456789012345678};
  trained.network.input_deviation = {1.0 / 3};
  Network::initialise(5, span_of(trained.parameters));
  return trained;
}

template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const FileError& e) {
    return e.what();
  }
  return "no FileError";
}
bool has(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}
}  // namespace

TEST_CASE("weights: a round trip keeps every bit, on any domain size") {
  const test::TemporaryFolder folder;
  const auto path = folder / "net.safetensors";
  const auto trained = some_network();
  save_weights(path, trained, {{"seed", "5"}});
  const auto again = load_weights<Network>(path);
  CHECK(again.parameters == trained.parameters);
  CHECK(again.network.input_mean == trained.network.input_mean);
  CHECK(again.network.input_deviation == trained.network.input_deviation);
  CHECK(load_safetensors<float>(path).metadata.at("seed") == "5");
  CHECK(load_weights<AnalysisNetwork<Network::shape, Ring<40>>>(path).parameters ==
        trained.parameters);
}

TEST_CASE("weights: another architecture, damage and non-finite numbers are clear errors") {
  const test::TemporaryFolder folder;
  const auto path = folder / "net.safetensors";
  auto trained = some_network();
  save_weights(path, trained);
  using Wider = AnalysisNetwork<NetworkShape{.filters = 8, .blocks = 1, .memory = 1}, Ring<9>>;
  const auto other = message_of([&] { (void)load_weights<Wider>(path); });
  CHECK_MESSAGE(has(other, "filters = 6, expected 8"), other);
  CHECK(has(message_of([&] { (void)load_weights<Network>(folder / "none"); }), "cannot read"));

  auto file = load_safetensors<float>(path);
  file.tensors[0].shape = {5, 6, 3};
  save_safetensors(path, file);
  const auto shape = message_of([&] { (void)load_weights<Network>(path); });
  CHECK_MESSAGE(has(shape, "[5,6,3] for input.weight, expected [5,3,6]"), shape);

  save_weights(path, trained);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 3);
  CHECK(has(message_of([&] { (void)load_weights<Network>(path); }), "damaged"));

  file.metadata["format"] = "something else";
  save_safetensors(path, file);
  CHECK(has(message_of([&] { (void)load_weights<Network>(path); }), "format 'something else'"));

  save_weights(path, trained);
  const auto before = std::filesystem::last_write_time(path);
  trained.parameters[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(save_weights(path, trained), NumericalError);
  CHECK(std::filesystem::last_write_time(path) == before);
}
