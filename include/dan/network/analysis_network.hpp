// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/autodiff/map.hpp"
#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/network/activation.hpp"
#include "dan/network/convolution.hpp"
#include "dan/network/product.hpp"

/// \file
/// The learned increment a_θ(x^f, ζ): a residual convolutional network with one of two heads and,
/// if wanted, memory channels.

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
  std::size_t kernel = 5;      ///< taps of a convolution
  std::size_t members = 1;     ///< states analysed together, N_e
  Nonlinearity activation = Nonlinearity::silu;
  Head head = Head::plain;
  std::size_t memory = 0;       ///< channels carried from cycle to cycle
  std::size_t gain_radius = 5;  ///< reach of the gain head in points
  bool sees_forecast = true;    ///< false: the simplified â_θ(ζ)
  std::size_t products = 0;     ///< channels of a block's products; 0: `activation` instead
  bool sees_precision = false;  ///< true: is also shown where how much is observed
};

namespace detail {
template <Nonlinearity>
struct ActivationOf;
template <>
struct ActivationOf<Nonlinearity::silu> {
  using type = Silu;
};
template <>
struct ActivationOf<Nonlinearity::tanh> {
  using type = Tanh;
};
template <>
struct ActivationOf<Nonlinearity::relu> {
  using type = Relu;
};
template <>
struct ActivationOf<Nonlinearity::identity> {
  using type = Identity;
};

/// What a residual block adds.
template <NetworkShape S, class Geometry>
struct BlockOf {
  using Hidden = Convolution<Geometry, S.filters, S.filters, S.kernel,
                             typename ActivationOf<S.activation>::type>;
  using type = Repeat<S.sub_blocks, Hidden>;
};
template <NetworkShape S, class Geometry>
requires(S.products > 0) struct BlockOf<S, Geometry> {
  using type = Chain<Convolution<Geometry, S.filters, 2 * S.products, S.kernel>,
                     Product<Geometry::points, S.products>,
                     Convolution<Geometry, S.products, S.filters, S.kernel>>;
};

/// 1 / (1 + e^{−z})
template <class T>
T sigmoid(const T& z) {
  using std::exp;
  const T one(real_t<T>(1));
  return one / (one + exp(-z));
}
}  // namespace detail

/// One layer's place in the flat parameter array of a network.
struct LayerPlace {
  std::string name;    ///< "input", "blocks.1.0" (block, convolution), "output"
  std::size_t offset;  ///< first weight; the biases follow the weights
  std::size_t kernel, in, out;
  [[nodiscard]] std::size_t weights() const { return kernel * in * out; }
};

/// What the gain U of a gain head should be: P^a, the covariance of the analysis' error, in units
/// of the observation errors' deviations s.
///
/// It adds weight/2 · Σ_ij (u_{i,j} − P^a_{i,i+j}/(s_i s_{i+j}))² to the loss, for every member's
/// gain; i an element, j an offset.
template <class T>
struct GainTarget {
  const T* covariance = nullptr;  ///< points × channels × window × channels, in these units
  T weight{};                     ///< lane by lane
};

/// What a learned analysis of a state of `Channels` channels is kept within, in training and after,
/// so that no lane runs away.
template <std::size_t Channels>
struct AnalysisBounds {
  std::array<double, Channels> low, high;  ///< of every element of the analysis, by channel
  double departure = std::numeric_limits<double>::infinity();  ///< of |y − H(x)|/√R_jj

  AnalysisBounds() {
    low.fill(-std::numeric_limits<double>::infinity());
    high.fill(std::numeric_limits<double>::infinity());
  }
};

/// The learned increment of the analysis as a differentiable map.
///
/// Everything about observations is in units of their errors: `LearnedCycle` multiplies ζ and the
/// increments by the deviations s of `observation_deviations`, so that weights know no R.
/// Input, one contiguous array: x^f (members × points × channels), z = s ζ (points × channels),
/// with `sees_precision` s² p, p = Hᵀ R⁻¹ H 1 (points × channels; 0 where nothing is observed),
/// memory (points × memory). Output: increments/s (members × points × channels), memory as before.
/// Network: per point the features (x^f − mean)/deviation of every member, z, s² p, memory; an
/// input convolution to `filters` channels, `blocks` residual blocks h + f(h) of `sub_blocks`
/// convolutions with nonlinearity, an output convolution. All periodic on the geometry. With
/// `products` a block is a convolution to 2 · products channels, their products in pairs
/// (`Product`), and a convolution back. Plain head: the output is the increment. Gain head: per
/// point one bias and coefficients u_j, increment_i/s_i = bias_i + Σ_j u_ij z_{i+j}, |j| ≤
/// gain_radius: a local, state-dependent gain. It is symmetric, the mean of what the layer gives
/// and its transpose, because a perfect one would be: a Kalman filter's increment is P^a Hᵀ R⁻¹ δ =
/// P^a ζ. `backward` can be given P^a as its target. Memory: m ← g m + (1 − g) tanh c with gate g =
/// 1/(1 + e^{−s}), s and c from the output layer. Parameters do not depend on the number of points:
/// weights carry over to any domain size. Source: Bocquet et al., Chaos 34 (2024) 091104 (plain
/// head); gain head after its equation for a_θ(x, ζ) ≈ P^a(x) ζ.
template <NetworkShape Shape, class Geometry = Ring<40>, std::size_t Channels = 1>
struct AnalysisNetwork {
  static_assert(Shape.filters > 0 && Shape.blocks > 0 && Shape.sub_blocks > 0 && Shape.members > 0,
                "AnalysisNetwork: filters, blocks, sub_blocks and members must be at least 1");
  static_assert(Shape.head == Head::plain || 2 * Shape.gain_radius + 1 <= Geometry::points,
                "AnalysisNetwork: the gain head reaches around the domain; lower gain_radius");
  static_assert(Shape.products == 0 || Shape.sub_blocks == 2,
                "AnalysisNetwork: a block with products has two convolutions; set sub_blocks to 2");

  static constexpr NetworkShape shape = Shape;
  using Grid = Geometry;
  static constexpr std::size_t points = Geometry::points, channels = Channels;
  static constexpr std::size_t members = Shape.members, memory = Shape.memory;
  static constexpr std::size_t size = points * channels;
  /// Where ζ, the precision and the memory begin in the input.
  static constexpr std::size_t zeta_at = members * size, precision_at = zeta_at + size;
  static constexpr std::size_t memory_at = precision_at + (Shape.sees_precision ? size : 0);
  static constexpr std::size_t inputs = memory_at + points * memory;
  static constexpr std::size_t outputs = members * size + points * memory;
  static constexpr bool gain = Shape.head == Head::gain;
  static constexpr std::size_t window = gain ? 2 * Shape.gain_radius + 1 : 0;
  /// Features per point, and what the last layer gives per point.
  static constexpr std::size_t features =
      ((Shape.sees_forecast ? members : 0) + (Shape.sees_precision ? 2 : 1)) * channels + memory;
  static constexpr std::size_t per_increment = 1 + window * channels;
  static constexpr std::size_t raw = members * channels * per_increment + 2 * memory;
  /// Coefficients of one member's gain: points × channels × window × channels.
  static constexpr std::size_t gains = size * window * channels;

  using Activation = typename detail::ActivationOf<Shape.activation>::type;
  using InputLayer = Convolution<Geometry, features, Shape.filters, Shape.kernel, Activation>;
  using OutputLayer = Convolution<Geometry, Shape.filters, raw, Shape.kernel, Identity>;
  using Block = typename detail::BlockOf<Shape, Geometry>::type;
  using Layers = Chain<InputLayer, Repeat<Shape.blocks, Residual<Block>>, OutputLayer>;
  static constexpr std::size_t parameters = Layers::parameters;

  /// Scaling of the inputs; part of a trained network, stored with its weights.
  std::array<double, Channels> input_mean{};
  std::array<double, Channels> input_deviation = ones();

  Layers layers{};

  template <class T>
  struct Cache {
    std::array<T, points * features> features_in;
    std::array<T, points * raw> raw_out;
    typename Layers::template Cache<T> layers;
  };

  template <class Real, class T>
  void forward(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    assemble(in, cache.features_in.data());
    layers.forward(params, cache.features_in.data(), cache.raw_out.data(), cache.layers);
    symmetrise(cache.raw_out.data());
    apply_head(cache.raw_out.data(), in, out);
  }

  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>& cache, const T* d_out, T* d_in,
                Real* d_params, const GainTarget<T>* target = nullptr) const {
    Scratch<T> d_raw(points * raw), d_features(points * features);
    backward_head(cache.raw_out.data(), in, d_out, d_raw.data(), d_in);
    if (target != nullptr) add_gain_loss(cache.raw_out.data(), *target, d_raw.data());
    symmetrise(d_raw.data());
    layers.backward(params, cache.features_in.data(), cache.layers, d_raw.data(), d_features.data(),
                    d_params);
    for_each_feature<T>([&](std::size_t feature, std::size_t input, const T& scale) {
      d_in[input] += scale * d_features[feature];
    });
  }

  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, const T* in, const T* d_in, T* out,
               T* d_out) const {
    Scratch<T> x(points * features), d_x(points * features), y(points * raw), d_y(points * raw);
    assemble(in, x.data());
    for_each_feature<T>([&](std::size_t feature, std::size_t input, const T& scale) {
      d_x[feature] = scale * d_in[input];
    });
    layers.tangent(params, d_params, x.data(), d_x.data(), y.data(), d_y.data());
    symmetrise(y.data());
    symmetrise(d_y.data());
    apply_head(y.data(), in, out);
    tangent_head(y.data(), d_y.data(), in, d_in, d_out);
  }

  /// 5 climatological deviations around each channel's mean, and departures of 8 standard
  /// deviations of their observation's error: no state of the model is beyond, and a model's step
  /// from the bounds is still stable.
  [[nodiscard]] AnalysisBounds<channels> bounds() const {
    constexpr double reach = 5;
    AnalysisBounds<channels> bounds;
    bounds.departure = 8;
    for (std::size_t c = 0; c < channels; ++c) {
      bounds.low[c] = input_mean[c] - reach * input_deviation[c];
      bounds.high[c] = input_mean[c] + reach * input_deviation[c];
    }
    return bounds;
  }

  /// u_{i,0}, mean of the members, in the last `forward`: the variance, in units of s_i², that a
  /// gain head taught by covariances gives the error of its analysis at element i of the state.
  template <class T>
  static T variance(const Cache<T>& cache, std::size_t i) requires gain {
    const std::size_t c = i % channels;
    T sum(real_t<T>(0));
    for (std::size_t m = 0; m < members; ++m)
      sum += cache.raw_out[i / channels * raw + coefficient(m, c, Shape.gain_radius, c)];
    return sum * T(static_cast<real_t<T>>(1.0 / static_cast<double>(members)));
  }

  /// The layers in order, with their names and places in the parameter array.
  [[nodiscard]] static std::vector<LayerPlace> places() {
    std::vector<LayerPlace> list{{"input", 0, Shape.kernel, features, Shape.filters}};
    const auto add = [&](std::string name, std::size_t in, std::size_t out) {
      const auto& last = list.back();
      list.push_back(
          {std::move(name), last.offset + last.weights() + last.out, Shape.kernel, in, out});
    };
    constexpr std::size_t filters = Shape.filters, products = Shape.products;
    for (std::size_t b = 0; b < Shape.blocks; ++b)
      for (std::size_t s = 0; s < Shape.sub_blocks; ++s)
        add(text("blocks.", b, ".", s), products > 0 && s == 1 ? products : filters,
            products > 0 && s == 0 ? 2 * products : filters);
    add("output", filters, raw);
    return list;
  }

  /// Random initial parameters: weights ~ N(0, 2/fan-in), the last convolution of each block
  /// scaled by 0.5 and the output layer by 0.01; biases 0, but 0.2 on the diagonal of the gain and
  /// 1 in the memory's products. `params`: `parameters` numbers, overwritten.
  template <class Real>
  static void initialise(std::uint64_t seed, std::span<Real> params) {
    require_size("AnalysisNetwork::initialise", "params", params.size(), parameters, "parameter");
    const auto list = places();
    for (std::size_t n = 0; n < list.size(); ++n) {
      const auto& place = list[n];
      const bool last_of_block = n > 0 && n + 1 < list.size() && n % Shape.sub_blocks == 0;
      const double scale = n + 1 == list.size() ? 0.01 : (last_of_block ? 0.5 : 1);
      const double deviation = scale * std::sqrt(2 / static_cast<double>(place.kernel * place.in));
      const auto weights = params.subspan(place.offset, place.weights());
      fill_normal<Real>({seed, Purpose::weights, 0, n}, weights);
      for (auto& w : weights) w *= static_cast<Real>(deviation);
      std::ranges::fill(params.subspan(place.offset + place.weights(), place.out), Real(0));
    }
    const auto bias = params.subspan(list.back().offset + list.back().weights(), raw);
    if constexpr (gain)
      for (std::size_t m = 0; m < members; ++m)
        for (std::size_t c = 0; c < channels; ++c)
          bias[coefficient(m, c, Shape.gain_radius, c)] = Real(0.2);
    for (std::size_t j = 0; j < memory; ++j) bias[gate(j)] = Real(1);
  }

 private:
  static constexpr std::array<double, Channels> ones() {
    std::array<double, Channels> one{};
    for (auto& value : one) value = 1;
    return one;
  }

  /// Where things stand in one point's slice of the last layer's output.
  static constexpr std::size_t increment(std::size_t m, std::size_t c) {
    return (m * channels + c) * per_increment;
  }
  static constexpr std::size_t coefficient(std::size_t m, std::size_t c, std::size_t j,
                                           std::size_t of) {
    return increment(m, c) + 1 + j * channels + of;
  }
  static constexpr std::size_t gate(std::size_t j) {
    return members * channels * per_increment + j;
  }
  static constexpr std::size_t candidate(std::size_t j) { return gate(j) + memory; }
  static constexpr std::size_t memory_out = members * size;

  /// use(feature index, input index, scale) for every feature.
  template <class T, class Use>
  void for_each_feature(const Use& use) const {
    using Real = real_t<T>;
    for (std::size_t p = 0; p < points; ++p) {
      std::size_t f = p * features;
      if constexpr (Shape.sees_forecast)
        for (std::size_t m = 0; m < members; ++m)
          for (std::size_t c = 0; c < channels; ++c)
            use(f++, m * size + p * channels + c, T(static_cast<Real>(1 / input_deviation[c])));
      for (std::size_t c = 0; c < channels; ++c) use(f++, zeta_at + p * channels + c, T(Real(1)));
      for (std::size_t c = 0; c < channels && Shape.sees_precision; ++c)
        use(f++, precision_at + p * channels + c, T(Real(1)));
      for (std::size_t j = 0; j < memory; ++j) use(f++, memory_at + p * memory + j, T(Real(1)));
    }
  }

  template <class T>
  void assemble(const T* in, T* x) const {
    for_each_feature<T>([&](std::size_t feature, std::size_t input, const T& scale) {
      const bool state = input < zeta_at;
      const double mean = state ? input_mean[input % channels] : 0;
      x[feature] = scale * (in[input] - T(static_cast<real_t<T>>(mean)));
    });
  }

  /// u_{i,j} ← (u_{i,j} + u_{i+j,−j})/2 for every member's gain: a projection, its own adjoint.
  template <class T>
  static void symmetrise(T* y) {
    const T half(real_t<T>(0.5));
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t j = window / 2; j < window; ++j) {
        T *here = y + p * raw, *there = y + Geometry::tap(p, j, window) * raw;
        for (std::size_t m = 0; m < members; ++m)
          for (std::size_t c = 0; c < channels; ++c)
            for (std::size_t of = 0; of < channels; ++of) {
              T& one = here[coefficient(m, c, j, of)];
              T& other = there[coefficient(m, of, window - 1 - j, c)];
              one = other = half * (one + other);
            }
      }
  }

  template <class T>
  void apply_head(const T* y, const T* in, T* out) const {
    using std::tanh;
    const T one(real_t<T>(1));
    for (std::size_t p = 0; p < points; ++p) {
      const T* yp = y + p * raw;
      for (std::size_t m = 0; m < members; ++m)
        for (std::size_t c = 0; c < channels; ++c) {
          T sum = yp[increment(m, c)];
          for (std::size_t j = 0; j < window; ++j)
            for (std::size_t of = 0; of < channels; ++of)
              sum += yp[coefficient(m, c, j, of)] *
                     in[zeta_at + Geometry::tap(p, j, window) * channels + of];
          out[m * size + p * channels + c] = sum;
        }
      for (std::size_t j = 0; j < memory; ++j) {
        const T keep = detail::sigmoid(yp[gate(j)]);
        out[memory_out + p * memory + j] =
            keep * in[memory_at + p * memory + j] + (one - keep) * tanh(yp[candidate(j)]);
      }
    }
  }

  template <class T>
  void backward_head(const T* y, const T* in, const T* d_out, T* d_y, T* d_in) const {
    using std::tanh;
    const T one(real_t<T>(1));
    for (std::size_t p = 0; p < points; ++p) {
      const T* yp = y + p * raw;
      T* dp = d_y + p * raw;
      for (std::size_t m = 0; m < members; ++m)
        for (std::size_t c = 0; c < channels; ++c) {
          const T d = d_out[m * size + p * channels + c];
          dp[increment(m, c)] = d;
          for (std::size_t j = 0; j < window; ++j)
            for (std::size_t of = 0; of < channels; ++of) {
              const std::size_t at = zeta_at + Geometry::tap(p, j, window) * channels + of;
              dp[coefficient(m, c, j, of)] = d * in[at];
              d_in[at] += d * yp[coefficient(m, c, j, of)];
            }
        }
      for (std::size_t j = 0; j < memory; ++j) {
        const std::size_t at = memory_at + p * memory + j;
        const T d = d_out[memory_out + p * memory + j];
        const T keep = detail::sigmoid(yp[gate(j)]), fresh = tanh(yp[candidate(j)]);
        dp[gate(j)] = d * (in[at] - fresh) * keep * (one - keep);
        dp[candidate(j)] = d * (one - keep) * (one - fresh * fresh);
        d_in[at] += d * keep;
      }
    }
  }

  /// d_y += the gradient of the target's part of the loss.
  template <class T>
  static void add_gain_loss(const T* y, const GainTarget<T>& target, T* d_y) {
    constexpr std::size_t row = window * channels;
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t m = 0; m < members; ++m) {
        const std::size_t at = i / channels * raw + increment(m, i % channels) + 1;
        for (std::size_t j = 0; j < row; ++j)
          d_y[at + j] += target.weight * (y[at + j] - target.covariance[i * row + j]);
      }
  }

  template <class T>
  void tangent_head(const T* y, const T* d_y, const T* in, const T* d_in, T* d_out) const {
    using std::tanh;
    const T one(real_t<T>(1));
    for (std::size_t p = 0; p < points; ++p) {
      const T *yp = y + p * raw, *dp = d_y + p * raw;
      for (std::size_t m = 0; m < members; ++m)
        for (std::size_t c = 0; c < channels; ++c) {
          T sum = dp[increment(m, c)];
          for (std::size_t j = 0; j < window; ++j)
            for (std::size_t of = 0; of < channels; ++of) {
              const std::size_t at = zeta_at + Geometry::tap(p, j, window) * channels + of;
              sum +=
                  dp[coefficient(m, c, j, of)] * in[at] + yp[coefficient(m, c, j, of)] * d_in[at];
            }
          d_out[m * size + p * channels + c] = sum;
        }
      for (std::size_t j = 0; j < memory; ++j) {
        const std::size_t at = memory_at + p * memory + j;
        const T keep = detail::sigmoid(yp[gate(j)]), fresh = tanh(yp[candidate(j)]);
        d_out[memory_out + p * memory + j] =
            dp[gate(j)] * keep * (one - keep) * (in[at] - fresh) + keep * d_in[at] +
            (one - keep) * (one - fresh * fresh) * dp[candidate(j)];
      }
    }
  }
};

}  // namespace dan
