// SPDX-License-Identifier: BSD-3-Clause
// The ensemble filters and smoothers, in a translation unit of their own or after main.cpp's.
#include "numbers.hpp"

void ensemble_filters() {
  using namespace dan;
  constexpr std::size_t members = 20;  // more than the state has elements: no localisation needed
  constexpr double most = 0.45;
  score("Enkf", Enkf<Problem, members>(problem), most);
  score("Enkf-inflated", Enkf<Problem, members>(problem, {.inflation = {.factor = 1.02}}), most);
  score("Denkf", Denkf<Problem, members>(problem), most);
  score("Etkf", Etkf<Problem, members>(problem), most);
  score("Etkf-inflated", Etkf<Problem, members>(problem, {.inflation = {.factor = 1.02}}), most);
  score(
      "Etkf-relaxed",
      Etkf<Problem, members>(
          problem, {.inflation = {.before = 1.01, .relax_perturbations = 0.1, .relax_spread = 0.2},
                    .rotation = true}),
      most);
  score("Ensrf", Ensrf<Problem, members>(problem), most);
  score("EnkfN", EnkfN<Problem, members>(problem), most);
  score("EnkfN-primal",
        EnkfN<Problem, members>(problem, {.prior = HyperPrior::plain, .form = EnkfNForm::primal}),
        most);
  score("Letkf", Letkf<Problem, members>(problem), most);
  score("Letkf-batch", Letkf<Problem, members>(problem, {.radius = 2, .batch = 3}), most);
  score("Enks", Enks{Etkf<Problem, members>(problem), 3}, most);
  score("Ienks", Ienks<Problem, members>(problem), most);
  score("Ienks-filter", Ienks<Problem, members>(problem, {.lag = 0}), most);
  score("Ienks-bundle", Ienks<Problem, members>(problem, {.lag = 2, .form = IenksForm::bundle}),
        most);
  score("Ienks-N", Ienks<Problem, members>(problem, {.finite_size = true}), most);
}
