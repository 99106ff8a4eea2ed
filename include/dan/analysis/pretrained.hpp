// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "dan/network/analysis_network.hpp"

/// \file
/// The architectures of the weights in weights/: `load_weights<pretrained::Recurrent>(file)`.
///
/// Weights do not depend on the number of points: `load_weights<AnalysisNetwork<
/// pretrained::Recurrent::shape, Ring<80>>>(file)` puts the same network on 80 points.

namespace dan::pretrained {

/// The talk's reference network: plain head, 25 convolutions of 40 filters.
using Plain = AnalysisNetwork<NetworkShape{.filters = 40, .blocks = 5, .sub_blocks = 5}>;

/// The most accurate one: gain head and 24 memory channels per point.
using Recurrent = AnalysisNetwork<NetworkShape{
    .filters = 48, .blocks = 6, .sub_blocks = 2, .head = Head::gain, .memory = 24}>;

/// Small and fast: gain head and 8 memory channels per point.
using Small = AnalysisNetwork<NetworkShape{
    .filters = 24, .blocks = 5, .sub_blocks = 2, .head = Head::gain, .memory = 8}>;

}  // namespace dan::pretrained
