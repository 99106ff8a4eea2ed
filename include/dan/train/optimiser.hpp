// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/parallel.hpp"
#include "dan/train/adam.hpp"
#include "dan/train/gradient.hpp"
#include "dan/train/muon.hpp"

namespace dan {

/// Adam, and Muon for those parameters that form matrices.
///
/// Without matrices it is plain Adam; see `adam_step` and `muon_step`.
/// Memory: two numbers per parameter. Matrices, and blocks of the other parameters, are updated in
/// parallel; the size of the team changes no bit.
template <class Real>
class Optimiser {
 public:
  /// `matrices` must be in order of their offsets and must not overlap.
  explicit Optimiser(std::size_t parameters, const AdamConfig& adam = {},
                     std::vector<MatrixPlace> matrices = {}, const MuonConfig& muon = {})
      : adam_(adam),
        muon_(muon),
        matrices_(std::move(matrices)),
        first_(parameters),
        second_(parameters) {
    std::size_t begin = 0;
    const auto add_blocks = [&](std::size_t end) {
      for (; begin < end; begin = blocks_.back().end)
        blocks_.push_back({begin, std::min(end, begin + detail::parameter_block)});
    };
    for (const auto& [offset, rows, columns] : matrices_) {
      add_blocks(offset);
      begin = offset + rows * columns;
    }
    add_blocks(parameters);
  }

  /// One update of `params` in place, with `scale` times the gradient.
  void update(std::span<Real> params, std::span<const Real> gradient, double rate, Team auto& team,
              double scale = 1) {
    require_size("Optimiser::update", "params", params.size(), first_.size(), "parameter");
    require_size("Optimiser::update", "gradient", gradient.size(), first_.size(), "parameter");
    ++updates_;
    const auto factor = static_cast<Real>(scale);
    team.for_each(matrices_.size() + blocks_.size(), [&](std::size_t n) {
      if (n < matrices_.size()) {
        const std::size_t at = matrices_[n].offset;
        muon_step(muon_, rate, factor, matrices_[n], &gradient[at], &first_[at], &second_[at],
                  &params[at]);
      } else {
        const auto [at, end] = blocks_[n - matrices_.size()];
        adam_step(adam_, updates_, rate, factor, end - at, &gradient[at], &first_[at], &second_[at],
                  &params[at]);
      }
    });
  }

  [[nodiscard]] std::size_t updates() const { return updates_; }
  /// What a checkpoint must hold, see io/archive.hpp.
  template <class Archive>
  void transfer(Archive& archive) {
    archive.numbers("first", std::span<Real>(first_), 1);
    archive.numbers("second", std::span<Real>(second_), 1);
    archive.count("updates", updates_);
  }

 private:
  /// Parameters begin … end − 1, which Adam updates.
  struct Block {
    std::size_t begin, end;
  };

  AdamConfig adam_;
  MuonConfig muon_;
  std::vector<MatrixPlace> matrices_;
  std::vector<Block> blocks_;     ///< of what is in no matrix
  Aligned<Real> first_, second_;  ///< Adam's m and v; Muon's M
  std::size_t updates_ = 0;
};

}  // namespace dan
