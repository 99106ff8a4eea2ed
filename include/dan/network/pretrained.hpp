// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/network/retraced.hpp"

/// \file
/// The architectures of the weights in weights/: `load_weights<pretrained::Recurrent>(file)`.
///
/// Weights do not depend on the number of points: `load_weights<AnalysisNetwork<
/// pretrained::Recurrent::shape, Ring<80>>>(file)` puts the same network on 80 points.

namespace dan::pretrained {

/// The talk's reference network: plain head, 25 convolutions of 40 filters.
using Plain = AnalysisNetwork<NetworkShape{.filters = 40, .blocks = 5, .sub_blocks = 5}, Ring<40>>;

/// The most accurate one: products, gain head and 32 memory channels per point.
using Recurrent = AnalysisNetwork<NetworkShape{.filters = 64,
                                               .blocks = 4,
                                               .sub_blocks = 2,
                                               .kernel = 3,
                                               .head = Head::gain,
                                               .memory = 32,
                                               .gain_radius = 9,
                                               .products = 48},
                                  Ring<40>>;

/// The recurrent one without anything to remember: its memory is found anew in every cycle from 20
/// cycles of the way back, so that a state alone is carried.
using Memoryless = Retraced<Recurrent, 20>;

/// Small and fast: products, gain head and 16 memory channels per point.
using Small = AnalysisNetwork<NetworkShape{.filters = 40,
                                           .blocks = 3,
                                           .sub_blocks = 2,
                                           .kernel = 3,
                                           .head = Head::gain,
                                           .memory = 16,
                                           .gain_radius = 9,
                                           .products = 32},
                              Ring<40>>;

/// The small one for observations that change from cycle to cycle: it is also shown where they
/// are.
using Sparse = AnalysisNetwork<[] {
  NetworkShape shape = Small::shape;
  shape.sees_precision = true;
  return shape;
}(),
                               Ring<40>>;

/// The recurrent one for any of several problems: it is also shown where observations are, how
/// large their errors are and what one cycle changes.
using Universal = AnalysisNetwork<[] {
  NetworkShape shape = Recurrent::shape;
  shape.sees_precision = shape.sees_scales = true;
  return shape;
}(),
                                  Ring<40>>;

/// For the Kuramoto–Sivashinsky equation, all observed every 1, 2 or 4 units of time
/// (kuramoto_sivashinsky_memory_1, …): errors are as long as the waves, 11 points, so kernels of 5
/// and gains that reach 16 points.
using KuramotoSivashinsky = AnalysisNetwork<NetworkShape{.filters = 40,
                                                         .blocks = 3,
                                                         .sub_blocks = 2,
                                                         .kernel = 5,
                                                         .head = Head::gain,
                                                         .memory = 16,
                                                         .gain_radius = 16,
                                                         .products = 32},
                                            Ring<128>>;

/// A larger one, whose gains reach 32 points (kuramoto_sivashinsky_large_1).
using KuramotoSivashinskyLarge = AnalysisNetwork<[] {
  NetworkShape shape = KuramotoSivashinsky::shape;
  shape.filters = 64, shape.blocks = 4, shape.products = 48, shape.memory = 32;
  shape.gain_radius = 32;
  return shape;
}(),
                                                 Ring<128>>;

/// The same as the first without memory (kuramoto_sivashinsky_plain_1, …). Products of products
/// would be too large at the start of a training where no memory, empty at first, is among the
/// inputs.
using KuramotoSivashinskyPlain = AnalysisNetwork<NetworkShape{.filters = 40,
                                                              .blocks = 4,
                                                              .sub_blocks = 2,
                                                              .kernel = 5,
                                                              .head = Head::gain,
                                                              .gain_radius = 16},
                                                 Ring<128>>;

/// For barotropic flow on the sphere (sphere_128_regular, …).
using Sphere = AnalysisNetwork<NetworkShape{.filters = 24,
                                            .blocks = 2,
                                            .sub_blocks = 2,
                                            .kernel = 3,
                                            .head = Head::gain,
                                            .memory = 8,
                                            .gain_levels = 3,
                                            .gain_radius = 3,
                                            .products = 16,
                                            .sees_precision = true,
                                            .sees_place = true},
                               LatLon<32, 64, Latitudes::gaussian>>;

/// A larger one, whose last layer, of one point, costs less (sphere_512_regular).
using SphereLarge = AnalysisNetwork<[] {
  NetworkShape shape = Sphere::shape;
  shape.filters = 40, shape.blocks = 3, shape.products = 24, shape.memory = 16;
  shape.output_kernel = 1;
  return shape;
}(),
                                    Sphere::Grid>;

}  // namespace dan::pretrained
