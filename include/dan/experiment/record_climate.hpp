// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <cstddef>
#include <vector>

#include "dan/experiment/record.hpp"

namespace dan {

/// The deviation of the truth, √(mean over elements of the variance over all runs and cycles).
///
/// Sums are taken about the truth before the first cycle, so that nothing is lost where the mean
/// is large. Memory: three states per run, and the weights.
class ClimateRecorder : public EmptyRecorder {
 public:
  void begin(const auto& group) {
    weights_.assign(group.weights.begin(), group.weights.end());
    for (std::size_t l = 0; l < group.runs; ++l) {
      Run& run = runs_.emplace_back();
      const auto& truth = group.twin.truth();
      for (std::size_t i = 0; i < truth.size; ++i) run.origin.push_back(truth.at(i, l));
      run.sum.assign(truth.size, 0), run.squares.assign(truth.size, 0);
    }
  }
  void after_analysis(const auto& view) {
    for (std::size_t l = 0; l < view.runs; ++l) {
      if (!view.going(l)) continue;
      Run& run = runs_[l];
      ++run.cycles;
      for (std::size_t i = 0; i < run.sum.size(); ++i) {
        const double x = view.twin.truth().at(i, l) - run.origin[i];
        run.sum[i] += x, run.squares[i] += x * x;
      }
    }
  }
  template <class Archive>
  void transfer(Archive& archive) {
    std::vector<std::vector<double>> rows{weights_};
    for (Run& run : runs_) {
      rows.push_back({static_cast<double>(run.cycles)});
      rows.insert(rows.end(), {run.origin, run.sum, run.squares});
    }
    transfer_rows(rows, archive);
    weights_ = rows[0];
    runs_.resize(rows.size() / 4);
    for (std::size_t r = 0; r < runs_.size(); ++r)
      runs_[r] = {static_cast<std::size_t>(rows[4 * r + 1][0]), rows[4 * r + 2], rows[4 * r + 3],
                  rows[4 * r + 4]};
  }
  void merge(const ClimateRecorder& next) {
    weights_ = next.weights_;
    for (const Run& run : next.runs_) runs_.push_back(run);
  }

  /// Of all runs; not a number without a cycle.
  [[nodiscard]] double deviation() const {
    double variance = 0, cycles = 0;
    for (const Run& run : runs_) cycles += static_cast<double>(run.cycles);
    const std::size_t size = runs_.front().sum.size();
    for (std::size_t i = 0; i < size; ++i) {
      double sum = 0, squares = 0;  // about the first run's origin
      for (const Run& run : runs_) {
        const auto n = static_cast<double>(run.cycles);
        const double shift = run.origin[i] - runs_.front().origin[i];
        sum += run.sum[i] + n * shift;
        squares += run.squares[i] + 2 * shift * run.sum[i] + n * shift * shift;
      }
      variance +=
          weights_[i] * ((squares - sum * sum / cycles) / cycles / static_cast<double>(size));
    }
    return std::sqrt(variance);
  }

 private:
  struct Run {
    std::size_t cycles = 0;
    std::vector<double> origin{}, sum{}, squares{};  ///< of truth − origin
  };
  std::vector<Run> runs_;
  std::vector<double> weights_;  ///< of the norm
};

}  // namespace dan
