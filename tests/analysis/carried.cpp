// SPDX-License-Identifier: BSD-3-Clause
#include "dan/analysis/carried.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "../support/battery.hpp"
#include "../support/temporary_folder.hpp"
#include "dan/analysis/backward_kalman.hpp"
#include "dan/analysis/climatology.hpp"
#include "dan/analysis/denkf.hpp"
#include "dan/analysis/ekf.hpp"
#include "dan/analysis/enkf.hpp"
#include "dan/analysis/enkf_n.hpp"
#include "dan/analysis/enks.hpp"
#include "dan/analysis/ensrf.hpp"
#include "dan/analysis/etkf.hpp"
#include "dan/analysis/ienks.hpp"
#include "dan/analysis/learned.hpp"
#include "dan/analysis/letkf.hpp"
#include "dan/analysis/oi.hpp"
#include "dan/analysis/var3d.hpp"
#include "dan/analysis/var4d.hpp"
#include "dan/experiment/record.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/interpolate.hpp"
#include "dan/observe/nonlinear.hpp"
#include "dan/observe/random.hpp"

using namespace dan;

namespace {
using Sparse = Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>>;

const Climate& climate() {
  static const Climate made = climatology_of(Sparse{}, {.cycles = 500});
  return made;
}

/// All that a method tells after an analysis.
template <class Method>
std::vector<double> told(const Method& method, const typename Method::Carried& carried) {
  typename Method::Estimate estimate;
  method.estimate(carried, estimate);
  std::vector<double> out(estimate.numbers().begin(), estimate.numbers().end());
  const auto add = [&](const auto& values) { out.insert(out.end(), values.begin(), values.end()); };
  std::array<double, Method::runs> values{};
  if constexpr (HasSpread<Method>) method.spread(carried, values), add(values);
  if constexpr (HasWayBack<Method>) method.went_back(carried, values), add(values);
  if constexpr (Smoother<Method>) {
    out.push_back(static_cast<double>(method.smoothed(carried, estimate)));
    add(estimate.numbers());
  }
  return out;
}

/// Cycle 1 … of the truth: forecast and analysis.
template <class Problem, class Method>
class Run {
 public:
  static constexpr std::size_t runs = Method::runs;
  Run(const Problem& problem, const Method& method) : method_(method), twin_(problem, {}) {}

  typename Method::Carried start() const {
    typename Method::FirstGuessBatch guess;
    std::vector<double> error(Problem::size);
    for (std::size_t l = 0; l < runs; ++l) {
      fill_normal<double>(twin_.key(l).with(Purpose::first_guess), std::span(error));
      for (std::size_t i = 0; i < Problem::size; ++i)
        guess.at(i, l) = twin_.truth().at(i, l) + 0.3 * error[i];
    }
    guess.repeat_last_lane();
    return method_.start(guess, 0.3, twin_.key(0));
  }
  void observe() {
    twin_.next();
    convert_precision(twin_.observed(), observed_);
  }
  void analyse(const Method& method, typename Method::Carried& carried) const {
    method.analyse(carried, observed_, twin_.key(0).with(Purpose::analysis));
  }

 private:
  const Method& method_;
  TwinTruth<Problem, runs> twin_;
  typename Method::Observed observed_;
};

/// make() returns the method. Stopped after some cycles, fewer and more than any lag here, and in
/// the middle of one, it goes on as if nothing had happened.
template <class Problem, class Make>
void check_resumed(const Problem& problem, const Make& make) {
  using Method = decltype(make());
  static_assert(Resumable<Method>);
  CAPTURE(Method::method);
  const test::TemporaryFolder folder;
  const auto file = folder / "carried";
  for (const std::size_t before : {1U, 7U, 12U}) {
    const auto first = std::make_unique<Method>(make());
    Run<Problem, Method> run(problem, *first);
    auto carried = run.start();
    for (std::size_t n = 0; n < before; ++n) {
      run.observe();
      first->forecast(carried);
      run.analyse(*first, carried);
    }
    save_carried(*first, carried, before, file);
    const auto second = std::make_unique<Method>(make());
    auto [resumed, cycle] = load_carried(*second, file);
    CHECK(cycle == before);
    for (std::size_t n = 0; n < 9; ++n) {
      run.observe();
      first->forecast(carried), second->forecast(resumed);
      if (n == 4) {
        save_carried(*second, resumed, before + n, file);
        resumed = load_carried(*second, file).carried;
      }
      run.analyse(*first, carried), run.analyse(*second, resumed);
      CHECK(test::all_same_bits(told(*first, carried), told(*second, resumed)));
    }
  }
}
}  // namespace

TEST_CASE(
    "carried: every analysis goes on with the same bits, stopped and loaded in a new object") {
  const Sparse problem{.observe = ObserveRandom<40>(20, 40)};
  check_resumed(problem, [] { return Climatology<Sparse>(climate()); });
  check_resumed(problem, [&] { return Oi<Sparse>(problem, climate()); });
  check_resumed(problem, [&] { return Var3d<Sparse>(problem, climate()); });
  check_resumed(problem, [&] { return Var3d<Sparse, 3>(problem, climate()); });
  for (const std::size_t shift : {1U, 2U})
    check_resumed(problem, [&] {
      return Var4d<Sparse, 3>(problem, climate(),
                              {.lag = 4, .shift = shift, .use = WindowUse::all});
    });
  check_resumed(problem, [&] { return Ekf<Sparse>(problem); });
  check_resumed(problem, [&] { return BackwardKalman<Sparse>(problem, {.cycles = 3}); });
  const Inflation inflation{.factor = 1.05};
  check_resumed(problem, [&] { return Enkf<Sparse, 11>(problem, {.inflation = inflation}); });
  check_resumed(problem, [&] { return Denkf<Sparse, 11>(problem, {.inflation = inflation}); });
  check_resumed(problem, [&] {
    return Etkf<Sparse, 11>(problem, {.inflation = inflation, .rotation = true});
  });
  check_resumed(problem, [&] { return EnkfN<Sparse, 11>(problem); });
  check_resumed(problem, [&] { return Letkf<Sparse, 7>(problem, {.inflation = inflation}); });
  check_resumed(problem, [&] {
    return Ensrf<Sparse, 16, 3, float>(problem, {.inflation = 1.02, .rotation = true});
  });
  check_resumed(problem, [&] { return Enks{EnkfN<Sparse, 11>(problem), 5}; });
}

TEST_CASE("carried: the noise of the members goes on with the same bits") {
  using Noisy =
      Problem<Rk4<Lorenz96<40>>, ObserveRandom<40>, GaussianStart, DiagonalModelNoise<40>>;
  const Noisy problem{.observe = ObserveRandom<40>(20, 40),
                      .model_noise = DiagonalModelNoise<40>(0.1)};
  const ForecastConfig sampled{.noise = NoiseForm::sampled};
  check_resumed(problem, [&] { return Ekf<Noisy>(problem); });
  check_resumed(problem, [&] { return Etkf<Noisy, 11>(problem); });
  check_resumed(problem, [&] { return Letkf<Noisy, 7>(problem, {.forecast = sampled}); });
  check_resumed(problem, [&] { return Enks{EnkfN<Noisy, 11>(problem, {.forecast = sampled}), 3}; });
  check_resumed(problem, [&] { return Ensrf<Noisy, 16, 3, float>(problem); });
}

TEST_CASE("carried: saving changes nothing") {
  const test::TemporaryFolder folder;
  const Etkf<Sparse, 11> method{Sparse{}};
  auto carried = method.start({}, 1, {.seed = 3, .purpose = Purpose::user});
  save_carried(method, carried, 2, folder / "state.safetensors");
  CHECK(carried.key.purpose == Purpose::user);
}

TEST_CASE("carried: the same of iterated smoothers") {
  const Sparse problem;
  const auto check = [&](const IenksConfig& config) {
    check_resumed(problem, [&] { return Ienks<Sparse, 11>(problem, config); });
  };
  check({.lag = 0, .finite_size = true});
  check({.lag = 5, .finite_size = true, .rotation = true});
  check({.lag = 5, .shift = 2, .form = IenksForm::bundle, .finite_size = true});
  check({.lag = 4, .assimilation = DataAssimilation::multiple, .inflation = {.factor = 1.02}});
}

TEST_CASE("carried: the places of the observations in a window are saved with them") {
  using Operator = ObserveRandomPlaces<Ring<40>, 30>;
  using Moving = Problem<Rk4<Lorenz96<40>>, Operator>;
  const Moving problem{.observe = Operator(10, 30)};
  const IenksConfig config{.lag = 5, .finite_size = true};
  check_resumed(problem, [&] { return Ienks<Moving, 11>(problem, config); });

  const test::TemporaryFolder folder;
  const auto file = folder / "carried";
  const Ienks<Moving, 11> method(problem, config);
  save_carried(method, method.start({}, 1, {}), 3, file);
  auto changed = load_safetensors<double>(file);
  const auto places =
      std::ranges::find(changed.tensors, "window.0.places", &NamedTensor<double>::name);
  REQUIRE(places != changed.tensors.end());
  for (const double channel : {0.5, -1.0, 1.0, 1e300, std::nan("")}) {
    places->values[2] = channel;
    save_safetensors(file, changed);
    CHECK_THROWS_WITH_AS((void)load_carried(method, file),
                         doctest::Contains("expected a whole number from 0 to 0, in window."),
                         FileError);
  }
}

TEST_CASE("carried: the same of learned analyses, with members, memory and the way back") {
  constexpr NetworkShape plain{.filters = 4, .blocks = 1, .sub_blocks = 1};
  constexpr NetworkShape recurrent{
      .filters = 4, .blocks = 1, .sub_blocks = 1, .members = 2, .head = Head::gain, .memory = 3};
  const Sparse problem;
  const auto check = [&]<NetworkShape Shape>() {
    using Network = AnalysisNetwork<Shape, Ring<40>>;
    Trained<Network> trained;
    Network::initialise(3, span_of(trained.parameters));
    trained.network.input_deviation.fill(3.6);
    trained.trained_for = trained_for(problem, trained.network);
    check_resumed(problem, [&] { return Learned<Sparse, Network, 3>(problem, trained); });
  };
  check.operator()<plain>();
  check.operator()<recurrent>();
}

TEST_CASE("carried: another method, size, lag or network is refused, with both named") {
  const Sparse problem;
  const test::TemporaryFolder folder;
  const auto file = folder / "carried";
  const std::string about = to_text("load_carried: ", file.string(), " ");
  const auto save = [&](const auto& method) {
    save_carried(method, method.start({}, 1, {}), 3, file);
  };
  const auto refused = [&](const auto& method, const std::string& why) {
    CHECK_THROWS_WITH_AS((void)load_carried(method, file), (about + why).c_str(), FileError);
  };
  save(Etkf<Sparse, 5>(problem));
  CHECK(load_carried(Etkf<Sparse, 5>(problem, {.rotation = true}), file).cycle == 3);
  refused(EnkfN<Sparse, 5>(problem), "holds method = Etkf, expected EnkfN");
  refused(Etkf<Sparse, 6>(problem),
          "holds sizes = points 40, channels 1, slots 40, runs 1, members 5, 64-bit numbers, "
          "expected points 40, channels 1, slots 40, runs 1, members 6, 64-bit numbers");
  save(Enks{Etkf<Sparse, 5>(problem), 4});
  refused(Enks{Etkf<Sparse, 5>(problem), 3}, "holds lag = 4, expected 3");
  refused(Enks{EnkfN<Sparse, 5>(problem), 4}, "holds filter = Etkf, expected EnkfN");
  save(Ienks<Sparse, 5>(problem, {.lag = 4}));
  refused(Ienks<Sparse, 5>(problem, {.lag = 4, .shift = 2}), "holds shift = 1, expected 2");
  save(Var4d<Sparse, 1>(problem, climate(), {.lag = 2}));
  refused(Var4d<Sparse, 1>(problem, climate(), {.lag = 3}), "holds lag = 2, expected 3");
  refused(Var3d<Sparse, 1>(problem, climate()), "holds method = Var4d, expected Var3d");

  using Network =
      AnalysisNetwork<NetworkShape{.filters = 4, .blocks = 1, .sub_blocks = 1, .memory = 2},
                      Ring<40>>;
  Trained<Network> trained;
  Network::initialise(1, span_of(trained.parameters));
  save(Learned<Sparse, Network, 1>(problem, trained));
  trained.parameters[0] += 1;
  const Learned<Sparse, Network, 1> other(problem, trained);
  CHECK_THROWS_AS((void)load_carried(other, file), FileError);
}

TEST_CASE("carried: damaged and other files are refused") {
  const Sparse problem;
  const Enks method{Etkf<Sparse, 5>(problem), 2};
  const test::TemporaryFolder folder;
  const auto file = folder / "carried";
  const auto load = [&] { (void)load_carried(method, file); };
  CHECK_THROWS_AS(load(), FileError);  // there is none
  save_carried(method, method.start({}, 1, {}), 3, file);
  load();
  const auto whole = load_safetensors<double>(file);
  const auto refused = [&](const auto& change, const std::string& why) {
    auto changed = whole;
    change(changed);
    save_safetensors(file, changed);
    CHECK_THROWS_WITH_AS(load(), to_text("load_carried: ", file.string(), " ", why).c_str(),
                         FileError);
  };
  using File = TensorFile<double>;
  refused([](File& f) { f.metadata.erase("format"); },
          "holds format = nothing, expected dan carried 1");
  for (const std::string bad : {"3", "-1", "x", "", "1.5", "99999999999999999999"})
    refused([&](File& f) { f.metadata["past"] = bad; },
            "holds past = " + bad + ", expected a whole number from 0 to 2");
  refused([](File& f) { f.metadata["past"] = "1"; }, "holds no array, expected past.0");
  refused(
      [](File& f) {
        f.tensors.push_back({"more", {1}, {2}});
      },
      "holds more, expected no more arrays");
  refused([](File& f) { f.tensors[0].name = "other"; }, "holds other, expected ensemble");
  refused(
      [](File& f) {
        f.tensors[0].shape = {5, 40};
      },
      "holds 200 numbers in ensemble, expected 40 x 5");
  for (const double bad : {-1.0, 0.5, 0x1p32, 4.9e180, std::nan("")})
    refused([&](File& f) { f.tensors[1].values[2] = bad; },
            to_text("has ", bad, ", expected whole numbers from 0 to below 2^32, in keys"));
  save_safetensors(file, whole);
  std::string bytes = read_file("test", file);
  bytes[bytes.size() - 3] ^= 1;
  write_file_atomically(file, bytes);
  CHECK_THROWS_AS(load(), FileError);
}

TEST_CASE("carried: what is not finite is neither saved nor loaded") {
  const Sparse problem;
  const Var3d<Sparse, 2> method(problem, climate());
  const test::TemporaryFolder folder;
  const auto file = folder / "carried";
  auto carried = method.start({}, 1, {});
  save_carried(method, carried, 3, file);
  const std::string before = read_file("test", file);
  carried.state.at(7, 1) = std::nan("");
  CHECK_THROWS_WITH_AS(
      save_carried(method, carried, 4, file),
      to_text("save_carried: element 7 of the estimate of run 1 is nan, expected a number: the "
              "analysis has diverged, go on from what was saved before; ",
              file.string(), " is as it was")
          .c_str(),
      NumericalError);
  CHECK(read_file("test", file) == before);
  auto damaged = load_safetensors<double>(file);
  damaged.tensors[0].values[2 * 3] = HUGE_VAL;
  save_safetensors(file, damaged);
  CHECK_THROWS_WITH_AS(
      (void)load_carried(method, file),
      to_text("load_carried: ", file.string(),
              " holds inf in element 3 of the estimate of run 0, expected a number")
          .c_str(),
      FileError);
}
