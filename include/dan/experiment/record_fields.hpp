// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <vector>

#include "dan/experiment/record.hpp"

namespace dan {

/// Truth and analysis of run 0 in the first `keep` scored cycles: cycle × state element.
struct FieldRecorder : EmptyRecorder {
  std::size_t keep = 0;
  std::vector<std::vector<double>> truth{}, analysis{};

  FieldRecorder() = default;
  explicit FieldRecorder(std::size_t cycles) : keep(cycles) {}

  void after_analysis(const auto& view) {
    if (view.first > 0 || !view.going(0) || !view.scored() || truth.size() == keep) return;
    const auto lane = [](const auto& batch) {
      std::vector<double> out;
      for (std::size_t i = 0; i < batch.size; ++i) out.push_back(batch.at(i, 0));
      return out;
    };
    truth.push_back(lane(view.twin.truth()));
    analysis.push_back(lane(view.estimate));
  }
  template <class Archive>
  void transfer(Archive& archive) {
    transfer_rows(truth, archive), transfer_rows(analysis, archive);
  }
  void merge(const FieldRecorder& next) {
    if (!next.truth.empty()) truth = next.truth, analysis = next.analysis;  // that of run 0
  }
};

}  // namespace dan
