// SPDX-License-Identifier: BSD-3-Clause
// The ensemble filters and smoothers, in a translation unit of their own or after main.cpp's.
#include "numbers.hpp"

void ensemble_filters() {
  using namespace dan;
  constexpr std::size_t members = 20;  // more than the state has elements: no localisation needed
  constexpr double most = 0.45;
  score("Enkf", Enkf<Lorenz, members>(here), most);
  score("Enkf-inflated", Enkf<Lorenz, members>(here, {.inflation = {.factor = 1.02}}), most);
  score("Denkf", Denkf<Lorenz, members>(here), most);
  score("Etkf", Etkf<Lorenz, members>(here), most);
  score("Etkf-inflated", Etkf<Lorenz, members>(here, {.inflation = {.factor = 1.02}}), most);
  score("Etkf-relaxed",
        Etkf<Lorenz, members>(
            here, {.inflation = {.before = 1.01, .relax_perturbations = 0.1, .relax_spread = 0.2},
                   .rotation = true}),
        most);
  score("Ensrf", Ensrf<Lorenz, members>(here), most);
  score("EnkfN", EnkfN<Lorenz, members>(here), most);
  score("EnkfN-primal",
        EnkfN<Lorenz, members>(here, {.prior = HyperPrior::plain, .form = EnkfNForm::primal}),
        most);
  score("Letkf", Letkf<Lorenz, members>(here), most);
  score("Letkf-batch", Letkf<Lorenz, members>(here, {.radius = 2, .batch = 3}), most);
  score("Enks", Enks{Etkf<Lorenz, members>(here), 3}, most);
  score("Ienks", Ienks<Lorenz, members>(here), most);
  score("Ienks-filter", Ienks<Lorenz, members>(here, {.lag = 0}), most);
  score("Ienks-bundle", Ienks<Lorenz, members>(here, {.lag = 2, .form = IenksForm::bundle}), most);
  score("Ienks-N", Ienks<Lorenz, members>(here, {.finite_size = true}), most);
}
