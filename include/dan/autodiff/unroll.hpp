// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"

namespace dan {

/// What an unrolled window remembers for its backward pass.
enum class Keep {
  everything,  ///< the cache of every cycle: fastest
  inputs       ///< the inputs of every cycle; caches are recomputed: memory of one cycle's cache
};

/// A window of chained cycles as a differentiable map from the first carried state and the
/// parameters to all carried states.
///
///   c_n = cycle_n(θ, c_{n−1}), n = 1…N.
/// `Cycle` is a differentiable map from `carried` to `carried` elements. Both policies give the
/// same gradient bit for bit, because they run the same code on the same inputs.
/// Memory: N + 1 carried states and N caches (`Keep::everything`) or one (`Keep::inputs`).
/// Cost: N forward and N backward passes; `Keep::inputs` adds N forward passes.
template <class Cycle, class T, Keep Policy = Keep::everything>
class Unrolled {
 public:
  static constexpr std::size_t carried = Cycle::inputs;

  /// Room for windows of up to `longest` cycles.
  explicit Unrolled(std::size_t longest) : states_((longest + 1) * carried) {
    const std::size_t kept = Policy == Keep::everything ? longest : 1;
    for (std::size_t n = 0; n < kept; ++n)
      caches_.push_back(std::make_unique_for_overwrite<Cache>());
  }

  /// Carried state after cycle n; n = 0 is the window's input, to be written before `forward`.
  [[nodiscard]] T* state(std::size_t n) { return &states_[n * carried]; }
  [[nodiscard]] const T* state(std::size_t n) const { return &states_[n * carried]; }

  /// Runs cycle(0), …, cycle(cycles − 1), each a map; `cycle` is a callable from the index to it.
  /// Throws ShapeError for more cycles than there is room for.
  template <class Real, class CycleAt>
  void forward(const Real* params, const CycleAt& cycle, std::size_t cycles) {
    const std::size_t longest = states_.size() / carried - 1;
    if (cycles > longest)
      throw ShapeError(to_text("Unrolled::forward: found ", cycles, " cycles, expected at most ",
                               longest, "; make the window longer"));
    cycles_ = cycles;
    for (std::size_t n = 0; n < cycles_; ++n)
      cycle(n).forward(params, state(n), state(n + 1), cache(n));
  }

  /// Accumulates d_params and returns, in `d_first`, the gradient of the window's input.
  ///
  /// `add_loss_gradient(n, d)` must add the loss gradient of the state after cycle n (1…N) to d.
  template <class Real, class CycleAt, class LossGradient>
  void backward(const Real* params, const CycleAt& cycle, const LossGradient& add_loss_gradient,
                T* d_first, Real* d_params) {
    Scratch<T> d_out(carried), d_in(carried);
    for (std::size_t n = cycles_; n-- > 0;) {
      add_loss_gradient(n + 1, d_out.data());
      const auto map = cycle(n);
      if constexpr (Policy == Keep::inputs) {
        Scratch<T> again(carried);
        map.forward(params, state(n), again.data(), cache(n));
      }
      map.backward(params, state(n), cache(n), d_out.data(), d_in.data(), d_params);
      std::swap(d_out, d_in);
      std::fill(d_in.begin(), d_in.end(), T(real_t<T>(0)));
    }
    std::copy(d_out.begin(), d_out.end(), d_first);
  }

 private:
  using Cache = typename Cycle::template Cache<T>;
  Cache& cache(std::size_t n) { return *caches_[Policy == Keep::everything ? n : 0]; }

  Aligned<T> states_;
  std::vector<std::unique_ptr<Cache>> caches_;
  std::size_t cycles_ = 0;  ///< of the last forward pass
};

}  // namespace dan
