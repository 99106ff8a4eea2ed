// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <string>

namespace dan {

enum class Nonlinearity { silu, tanh, relu, identity };
enum class Head {
  plain,  ///< the last layer gives the increment itself
  gain    ///< it gives a local symmetric gain, which is applied to the uplifted innovation
};

/// The architecture of an analysis network: everything that fixes its number of parameters.
struct NetworkShape {
  std::size_t filters = 24;    ///< channels of the hidden layers, N_f
  std::size_t blocks = 3;      ///< residual blocks, N_b
  std::size_t sub_blocks = 3;  ///< convolutions in a block, N_sb
  std::size_t kernel = 5;      ///< width of a convolution in points, in every direction
  /// Width of the last convolution, which with a gain head on a grid has most of the flops; 0:
  /// `kernel`.
  std::size_t output_kernel = 0;
  std::size_t members = 1;  ///< states analysed together, N_e
  Nonlinearity activation = Nonlinearity::silu;
  Head head = Head::plain;
  std::size_t memory = 0;  ///< channels carried from cycle to cycle, or found anew in each
  /// Cycles of the way back from the forecast along which the memory is found anew in every
  /// analysis, see Retrace; 0: it is carried.
  std::size_t retrace = 0;
  /// More than one: gains that reach twice as far each, see WideGainHead; then the network has no
  /// variances to tell (spread, P^a) or to be taught.
  std::size_t gain_levels = 1;
  std::size_t gain_radius = 5;  ///< reach of the gain head in points, in every direction
  bool sees_forecast = true;    ///< false: the simplified â_θ(ζ)
  std::size_t products = 0;     ///< channels of a block's products; 0: `activation` instead
  bool sees_precision = false;  ///< true: is also shown where how much is observed
  bool sees_place = false;      ///< true: also the marks of a point, the sine of its latitude
  /// true: also how large, in deviations of the climate, the errors of observations are and what
  /// one cycle changes: for a network that serves several problems.
  bool sees_scales = false;
};

enum class LayerKind { input, hidden, output };

/// One layer's place in the flat parameter array of a network.
struct LayerPlace {
  std::string name;    ///< "input", "blocks.1.0" (block, convolution), "output"
  std::size_t offset;  ///< first weight; the biases follow the weights
  std::size_t kernel;  ///< taps
  std::size_t in, out;
  LayerKind kind;
  [[nodiscard]] std::size_t weights() const { return kernel * in * out; }
};

}  // namespace dan
