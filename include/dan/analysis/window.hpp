// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "dan/core/error.hpp"

namespace dan {

/// The sliding window of a smoother and the observations in it.
///
/// The window reaches from its start to the newest time, at most `lag` cycles. It grows until it
/// is `lag` cycles long; from then on its start moves by `shift` cycles after every analysis. An
/// analysis is due whenever the length is lag, lag − shift, lag − 2 shift, …, so that every
/// analysis but the first ones has a window of full length and `shift` new batches.
/// Batch b holds the observations b + 1 cycles after the start; lag 0 has one batch, at the start.
template <class Observed>
class ObservationWindow {
 public:
  /// Throws ConfigError, in the name of `function`, unless 1 ≤ shift ≤ lag (lag 0: shift = 1).
  static void require_valid(std::string_view function, std::size_t lag, std::size_t shift) {
    if (shift < 1 || shift > std::max<std::size_t>(lag, 1))
      throw ConfigError(to_text(function, ": shift is ", shift, " with lag ", lag,
                                ", expected 1 <= shift <= lag (and shift 1 with lag 0)"));
  }

  /// `start`: the cycle with which it begins.
  ObservationWindow(std::size_t lag, std::size_t shift, std::size_t start = 0)
      : lag_(lag), shift_(shift), start_(start), queue_(std::max<std::size_t>(lag, 1)) {}

  /// One cycle on, with an empty newest batch; returns by how many cycles the start moves.
  std::size_t advance() {
    const std::size_t moved = length_ == lag_ ? shift_ : 0;
    length_ = length_ + 1 - moved;
    start_ += moved;
    std::rotate(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(moved), queue_.end());
    newest() = Observed{};
    return moved;
  }

  /// The time of `cycles` after its start, in cycles.
  [[nodiscard]] double time(std::size_t cycles) const {
    return static_cast<double>(start_ + cycles);
  }
  /// Cycles from the start to the newest time.
  [[nodiscard]] std::size_t length() const { return length_; }
  /// Whether an analysis takes place now.
  [[nodiscard]] bool due() const { return (lag_ - length_) % shift_ == 0; }
  /// Number of batches in the window.
  [[nodiscard]] std::size_t batches() const { return std::max<std::size_t>(length_, 1); }
  [[nodiscard]] const Observed& batch(std::size_t b) const { return queue_[b]; }
  [[nodiscard]] Observed& newest() { return queue_[batches() - 1]; }

  /// How many analyses used batch b before this one; 0 for a new batch.
  [[nodiscard]] std::size_t uses_before(std::size_t b) const {
    return (batches() - 1 - b) / shift_;
  }
  /// How many analyses use batch b from its arrival to its end.
  [[nodiscard]] std::size_t uses(std::size_t b) const {
    return (queue_.size() - 1 - b % shift_) / shift_ + 1;
  }

  /// See save_carried.
  template <class Archive>
  void transfer(Archive& archive) {
    archive.same("lag", lag_);
    archive.same("shift", shift_);
    archive.count("length", length_, lag_);
    archive.count("start_cycle", start_);
    for (std::size_t b = 0; b < batches(); ++b) {
      archive.batch(to_text("window.", b, ".values"), queue_[b].values);
      archive.batch(to_text("window.", b, ".precision"), queue_[b].precision);
      if constexpr (requires { queue_[b].places; })
        queue_[b].places.transfer(to_text("window.", b, ".places"), archive);
    }
  }

 private:
  std::size_t lag_, shift_, start_, length_ = 0;
  std::vector<Observed> queue_;
};

}  // namespace dan
