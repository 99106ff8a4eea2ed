// SPDX-License-Identifier: BSD-3-Clause
// The Kuramoto–Sivashinsky equation (128 points on a length of 32π, all observed with error
// variance 1 every 1, 2 or 4 units of time): 3D-Var, ensemble filters and networks without and with
// memory on the same truths, and a stretch of truth, analysis and error.
// After DAPPER's experiment bocquet2019, whose settings and scores some rows have; drawn by
// scripts/plot.py kuramoto_sivashinsky FOLDER.
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "flows.hpp"
#include "sweep.hpp"

namespace {

using namespace dan;
using nlohmann::ordered_json;

using example::Waves;
constexpr NetworkShape without_memory = pretrained::KuramotoSivashinskyPlain::shape;
constexpr NetworkShape with_memory = pretrained::KuramotoSivashinsky::shape;
constexpr NetworkShape large = pretrained::KuramotoSivashinskyLarge::shape;
const auto usual = pretrained::kuramoto_sivashinsky_recipe();
const auto longer = pretrained::kuramoto_sivashinsky_large_recipe();

/// A field with four digits.
ordered_json rounded(std::vector<std::vector<double>> field) {
  for (auto& row : field)
    for (double& value : row) value = std::round(value * 1e4) / 1e4;
  return field;
}

/// Rows for observations every `dt`.
class Rows {
 public:
  Rows(example::SweepFigure& figure, std::size_t dt)
      : figure_(figure), dt_(dt), problem_(example::waves_observed_every(dt)) {}

  /// The first guess is as good as bocquet2019's: truths have mean zero, so that no error of a
  /// state's mean is in the climate's covariance, and 3D-Var would keep that of a worse one for
  /// ever.
  [[nodiscard]] TwinConfig unseen() const { return with_guess(figure_.unseen()); }
  [[nodiscard]] TwinConfig tuning(std::size_t factor = 1) const {
    return with_guess(figure_.tuning(factor));
  }

  template <class Make>
  void add(const std::string& method, const Make& make) const {
    figure_.add(method, {{"dt", dt_}}, [=, problem = problem_, twin = unseen()] {
      return run_twin(problem, make(problem), twin);
    });
  }
  /// `make` as of `SweepFigure::add_tuned`, `factor` as of `SweepFigure::tuning`.
  template <class Make>
  void tuned(const std::string& method, const std::vector<TunedParameter>& grid, const Make& make,
             std::size_t factor = 1) const {
    figure_.add_tuned(method, {{"dt", dt_}}, problem_, grid, tuning(factor), make,
                      [twin = unseen()](const Waves& problem, const auto& at, const TwinConfig&) {
                        return json_of_scores(run_twin(problem, at, twin));
                      });
  }

  void static_methods() const {
    tuned("3D-Var, tuned", {{"x_B", {0.04, 0.06, 0.08, 0.1, 0.12, 0.16, 0.2, 0.3, 0.5}}},
          example::var3d_of_climate());
  }

  template <std::size_t Members>
  void tuned_ensembles() const {
    const std::string members = to_text(Members, " members");
    add("EnKF-N, " + members,
        [](const Waves& problem) { return EnkfN<Waves, Members>(problem, {.rotation = true}); });
    add("IEnKF-N, " + members, [](const Waves& problem) {
      return Ienks<Waves, Members>(problem, {.finite_size = true, .rotation = true});
    });
    tuned(
        "ETKF, " + members + ", tuned",
        {{"inflation", {1.005, 1.01, 1.02, 1.03, 1.05, 1.08, 1.12}}},
        [](const Waves& problem, std::span<const double> v) {
          return Etkf<Waves, Members>(problem, {.inflation = {.factor = v[0]}, .rotation = true});
        },
        4);  // short trials miss the runs that are lost where inflation is too small
    tuned("LETKF, " + members + ", tuned",
          {{"radius", {14, 28, 42}}, {"inflation", {1.005, 1.01, 1.02, 1.04, 1.07}}},
          [](const Waves& problem, std::span<const double> v) {
            return Letkf<Waves, Members>(
                problem,
                {.radius = v[0], .batch = 4, .inflation = {.factor = v[1]}, .rotation = true});
          });
  }

  /// Settings of bocquet2019.
  void published() const {
    add("ETKF, 20 members, 1.03 (0.115)", [](const Waves& problem) {
      return Etkf<Waves, 20>(problem, {.inflation = {.factor = 1.03}, .rotation = true});
    });
    letkf<4>("LETKF, 4 members, 1.11, 15 (0.18)", 15, 1.11);
    letkf<6>("LETKF, 6 members, 1.06, 25 (0.14)", 25, 1.06);
    letkf<16>("LETKF, 16 members, 1.02, 51 (0.11)", 51, 1.02);
  }

  /// A stretch of the analyses is kept.
  template <NetworkShape Shape>
  void learned(const std::string& method, const std::string& name,
               Recipe<EnsrfTeacher<64>> recipe = usual) const {
    if (Shape.memory == 0) recipe.finish.unroll = 32;
    if (figure_.quick())
      recipe.training.learning_rate /= 10;  // a warm-up of 4 updates is too short
    TwinConfig twin = unseen();
    twin.keep_fields = 200;
    figure_.add_shipped<NetworkFor<Waves, Shape>, 16>(
        method, {{"dt", dt_}}, problem_, recipe, to_text("kuramoto_sivashinsky_", name, "_", dt_),
        [=](const Waves& problem, const auto& method_here, const TwinConfig&) {
          const auto scores = run_twin(problem, method_here, twin);
          auto row = json_of_scores(scores);
          row["truth"] = rounded(scores.truth);
          row["analysis"] = rounded(scores.analysis);
          return row;
        });
  }

 private:
  static TwinConfig with_guess(TwinConfig twin) {
    twin.first_guess_deviation = std::sqrt(0.001);
    return twin;
  }
  /// `reach`: where the Gaspari–Cohn taper is zero is 2 · reach away.
  template <std::size_t Members>
  void letkf(const std::string& method, double reach, double inflation) const {
    add(method, [=](const Waves& problem) {
      return Letkf<Waves, Members>(problem, {.radius = reach / 1.82,
                                             .batch = 2,
                                             .inflation = {.factor = inflation},
                                             .rotation = true});
    });
  }

  example::SweepFigure& figure_;
  std::size_t dt_;
  Waves problem_;
};

void kuramoto_sivashinsky(example::SweepFigure& figure) {
  for (const std::size_t dt : figure.values<std::size_t>({1, 2, 4})) {
    const Rows rows(figure, dt);
    rows.static_methods();
    rows.tuned_ensembles<20>();
    rows.tuned_ensembles<40>();
    if (dt == 1) rows.published();
    rows.learned<without_memory>("DAN, one state", "plain");
    rows.learned<with_memory>("DAN, one state and memory", "memory");
    if (dt == 1) rows.learned<large>("DAN, one state and memory, large", "large", longer);
  }
  (void)figure.run("dt");
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_sweep(argc, argv, "kuramoto_sivashinsky",
                            "Kuramoto–Sivashinsky: classical methods and networks.", true,
                            kuramoto_sivashinsky);
}
