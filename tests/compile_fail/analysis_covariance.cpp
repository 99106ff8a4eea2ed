// SPDX-License-Identifier: BSD-3-Clause
// expect: analysis_covariance: the network has no gain head (NetworkShape::head) of one
#include "dan/diagnose/sampled_ensemble.hpp"
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
dan::Matrix ask(const Method& method, const Method::Carried& carried) {
  return dan::analysis_covariance(method, carried, 0);
}
