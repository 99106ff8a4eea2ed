// SPDX-License-Identifier: BSD-3-Clause
// expect: Ienks: takes the model for perfect within its window, and the problem has model noise
#include <vector>

#include "dan/analysis/ienks.hpp"
#include "dan/app/entry.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using Noisy = dan::Problem<dan::Rk4<dan::Lorenz96<4>>, dan::ObserveAll<4>, dan::GaussianStart,
                           dan::DiagonalModelNoise<4>>;
const Noisy noisy{.model_noise = dan::DiagonalModelNoise<4>(0.1)};
#ifdef MISUSE
dan::Ienks<Noisy, 3> smoother(noisy);
#else
/// A menu has the methods that know the noise.
dan::app::ProblemEntry entry() {
  const auto make = [](dan::app::Values) { return noisy; };
  dan::app::Entry<decltype(make)> all("noisy", "", {}, make);
  return all.filters().entry();
}
dan::Ienks<decltype(without_model_noise(noisy)), 3> smoother(without_model_noise(noisy));
#endif
