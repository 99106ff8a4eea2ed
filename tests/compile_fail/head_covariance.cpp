// SPDX-License-Identifier: BSD-3-Clause
// expect: head_covariance: the network has no gain head (NetworkShape::head) of one level
#include "dan/diagnose/gain.hpp"
#include "dan/geometry/ring.hpp"

#ifdef MISUSE
inline constexpr dan::NetworkShape shape{.head = dan::Head::plain};
#else
inline constexpr dan::NetworkShape shape{.head = dan::Head::gain};
#endif
using Increment = dan::LearnedIncrement<dan::AnalysisNetwork<shape, dan::Ring<12>>, float>;
dan::Matrix ask(const Increment& increment, std::span<const float> in) {
  return dan::head_covariance(increment, in);
}
