// SPDX-License-Identifier: BSD-3-Clause
// expect: BeliefRecorder: the method does not say what it believes; take one with an
#include "dan/analysis/learned.hpp"
#include "dan/diagnose/crps.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

#ifdef MISUSE
inline constexpr dan::NetworkShape shape{.head = dan::Head::plain};
#else
inline constexpr dan::NetworkShape shape{.head = dan::Head::gain};
#endif
using Lorenz = dan::Problem<dan::Rk4<dan::Lorenz96<12>>, dan::ObserveAll<12>>;
using Method = dan::Learned<Lorenz, dan::NetworkFor<Lorenz, shape>>;
void score(const Lorenz& problem, const Method& method) {
  dan::BeliefRecorder<dan::MeanCrps> crps;
  dan::run_twin(problem, method, {}, crps);
}
