// SPDX-License-Identifier: BSD-3-Clause
#include "dan/network/weights.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <limits>
#include <string>

#include "../io/changed_byte.hpp"
#include "../support/temporary_folder.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/train/start.hpp"

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
  CHECK_FALSE(again.trained_for.has_value());
}

TEST_CASE("weights: those of a gain of several levels are not those of one level") {
  constexpr auto with_levels = [](std::size_t levels) {
    return NetworkShape{.filters = 4,
                        .blocks = 1,
                        .kernel = 3,
                        .head = Head::gain,
                        .gain_levels = levels,
                        .gain_radius = 1};
  };
  using One = AnalysisNetwork<with_levels(1), Ring<20>>;
  using Three = AnalysisNetwork<with_levels(3), Ring<20>>;
  const test::TemporaryFolder folder;
  const auto three = random_start<float>(Three{}, 5);
  save_weights(folder / "three", three);
  save_weights(folder / "one", Trained<One>());
  CHECK(load_weights<Three>(folder / "three").parameters == three.parameters);
  CHECK(has(message_of([&] { (void)load_weights<Three>(folder / "one"); }),
            "gain_levels = nothing, expected 3"));
  CHECK(has(message_of([&] { (void)load_weights<One>(folder / "three"); }),
            "gain_levels = 3, expected a network without"));
}

TEST_CASE("weights: a last layer of another width is in the file") {
  constexpr auto with_output = [](std::size_t kernel) {
    return NetworkShape{.filters = 4, .blocks = 1, .kernel = 3, .output_kernel = kernel};
  };
  using Same = AnalysisNetwork<with_output(0), Ring<20>>;
  using One = AnalysisNetwork<with_output(1), Ring<20>>;
  static_assert(One::parameters == Same::parameters - 2 * 4);
  const test::TemporaryFolder folder;
  const auto one = random_start<float>(One{}, 5);
  save_weights(folder / "one", one);
  save_weights(folder / "same", Trained<Same>());
  CHECK(load_weights<One>(folder / "one").parameters == one.parameters);
  CHECK_NOTHROW((void)load_weights<AnalysisNetwork<with_output(3), Ring<20>>>(folder / "same"));
  CHECK(has(message_of([&] { (void)load_weights<Same>(folder / "one"); }),
            "output_kernel = 1, expected a network without"));
}

TEST_CASE("weights: what they were trained for goes with them") {
  const test::TemporaryFolder folder;
  const auto path = folder / "net.safetensors";
  auto trained = some_network();
  const TrainedFor record{.problem = "a world; seen",
                          .points = 9,
                          .mean_change = 0.1,
                          .change = 1.0 / 3,
                          .least_variance = 0.5,
                          .most_variance = 2,
                          .deviations = {0.75},
                          .least_observed = 0,
                          .most_observed = 0.75,
                          .between_points = true,
                          .innovation = 1.25};
  trained.trained_for = record;
  save_weights(path, trained);
  const auto again = load_weights<Network>(path).trained_for;
  REQUIRE(again.has_value());
  const auto json = [](const TrainedFor& r) { return nlohmann::ordered_json(r).dump(); };
  CHECK(json(*again) == json(record));
  // Of several problems.
  trained.trained_for->most_mean_change = 0.3, trained.trained_for->most_change = 0.5;
  save_weights(path, trained);
  const auto several = load_weights<Network>(path).trained_for;
  CHECK(several->change == record.change);
  CHECK(several->most_mean_change == 0.3);
  CHECK(several->most_change == 0.5);
  TrainedFor between = record;
  between.mean_change = 0.2, between.change = 0.45;
  CHECK(differences(*several, between).empty());
  CHECK(differences(record, between).size() == 1);
  between.change = 0.6;
  CHECK(differences(*several, between).size() == 1);
  trained.trained_for = record;
  trained.trained_for->change = std::numeric_limits<double>::quiet_NaN();  // a step that blew up
  save_weights(path, trained);
  CHECK(std::isnan(load_weights<Network>(path).trained_for->change));

  const auto refuses = [&](const std::string& text, const std::string& part) {
    auto file = load_safetensors<float>(path);
    file.metadata["trained_for"] = text;
    save_safetensors(path, file);
    const auto message = message_of([&] { (void)load_weights<Network>(path); });
    CHECK_MESSAGE(has(message, part), message);
  };
  refuses("{}", "unreadable record of what it was trained for");
  auto wrong = nlohmann::ordered_json(record);
  wrong["innovation"] = 0;
  refuses(wrong.dump(), "the innovation 0");
}

TEST_CASE("weights: another architecture, damage and non-finite numbers are clear errors") {
  const test::TemporaryFolder folder;
  const auto path = folder / "net.safetensors";
  auto trained = some_network();
  save_weights(path, trained);
  using Wider = AnalysisNetwork<NetworkShape{.filters = 8, .blocks = 1, .memory = 1}, Ring<9>>;
  const auto other = message_of([&] { (void)load_weights<Wider>(path); });
  CHECK_MESSAGE(has(other, "filters = 6, expected 8"), other);

  using Shown =
      AnalysisNetwork<NetworkShape{.filters = 6, .blocks = 1, .memory = 1, .sees_precision = true},
                      Ring<9>>;
  Trained<Shown> shown;
  save_weights(folder / "shown", shown);
  CHECK_NOTHROW((void)load_weights<Shown>(folder / "shown"));
  const auto without = message_of([&] { (void)load_weights<Network>(folder / "shown"); });
  CHECK_MESSAGE(has(without, "sees_precision = true, expected a network without"), without);
  CHECK(has(message_of([&] { (void)load_weights<Network>(folder / "none"); }), "cannot read"));

  auto file = load_safetensors<float>(path);
  file.tensors[0].shape = {5, 6, 3};
  save_safetensors(path, file);
  const auto shape = message_of([&] { (void)load_weights<Network>(path); });
  CHECK_MESSAGE(has(shape, "[5,6,3] for input.weight, expected [5,3,6]"), shape);

  save_weights(path, trained);
  auto more = load_safetensors<float>(path);
  more.tensors.push_back({"blocks.1.0.weight", {1}, {0}});
  save_safetensors(path, more);
  CHECK(has(message_of([&] { (void)load_weights<Network>(path); }), "has 11 tensors, expected 10"));
  save_weights(path, trained);
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 3);
  CHECK(has(message_of([&] { (void)load_weights<Network>(path); }), "damaged"));

  file.metadata["format"] = "something else";
  save_safetensors(path, file);
  CHECK(has(message_of([&] { (void)load_weights<Network>(path); }), "format 'something else'"));

  const auto refuses = [&](const std::string& scaling, const std::string& part) {
    save_weights(path, trained);
    auto changed = load_safetensors<float>(path);
    changed.metadata["scaling"] = scaling;
    save_safetensors(path, changed);
    const auto message = message_of([&] { (void)load_weights<Network>(path); });
    CHECK_MESSAGE(has(message, part), message);
  };
  refuses(R"({"input_mean":[0],"input_deviation":[-1]})", "has -1 among");
  refuses(R"({"input_mean":[0],"input_deviation":[0]})", "has 0 among");
  refuses(R"({"input_mean":[0],"input_deviation":[1],"uplift_scale":0.5})", "uplift_scale 0.5");
  refuses(R"({"input_mean":[0],"input_deviation":[1],"uplift_scale":"x"})", "unreadable");
  refuses(R"({"input_mean":[1e999],"input_deviation":[1]})", "not valid JSON");
  refuses(R"({"input_mean":[null],"input_deviation":[1]})", "unreadable");
  refuses(R"({"input_mean":[0,1],"input_deviation":[1]})", "has 2 numbers for input_mean");
  refuses(std::string(100000, '['), "nested more than 64 deep");

  save_weights(path, trained);
  const auto before = std::filesystem::last_write_time(path);
  trained.parameters[3] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(save_weights(path, trained), NumericalError);
  CHECK(std::filesystem::last_write_time(path) == before);
}

TEST_CASE("weights: a file with any byte changed is refused, or gives the same numbers") {
  using Tiny = AnalysisNetwork<
      NetworkShape{.filters = 1, .blocks = 1, .sub_blocks = 1, .kernel = 1, .gain_radius = 0},
      Ring<4>>;
  const test::TemporaryFolder folder;
  const auto path = folder / "net.safetensors";
  Trained<Tiny> trained;
  Tiny::initialise(5, span_of(trained.parameters));
  trained.network.input_mean = {2.5};
  save_weights(path, trained, {{"seed", "5"}});
  const std::string whole = read_file("test", path);
  bool same = true;
  std::size_t loaded = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x29, 0x80}) {
      const test::ChangedByte change(path, i, static_cast<char>(whole[i] ^ flip));
      try {
        const auto again = load_weights<Tiny>(path);
        ++loaded;
        same = same && again.parameters == trained.parameters &&
               again.network.input_mean == trained.network.input_mean &&
               again.network.input_deviation == trained.network.input_deviation;
      } catch (const FileError&) {
      }
    }
  }
  CHECK(same);
  CHECK(loaded < 8);  // padding of the header: a space that became a tab
}
