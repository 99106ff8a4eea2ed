// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dan/autodiff/map.hpp"
#include "dan/core/error.hpp"
#include "dan/core/random.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/network/activation.hpp"
#include "dan/network/convolution.hpp"
#include "dan/network/features.hpp"
#include "dan/network/heads/gain.hpp"
#include "dan/network/heads/increment.hpp"
#include "dan/network/heads/wide_gain.hpp"
#include "dan/network/memory.hpp"
#include "dan/network/product.hpp"
#include "dan/network/shape.hpp"

/// \file
/// The learned increment a_θ(x^f, ζ): a residual convolutional network with a head and, if wanted,
/// memory channels.

namespace dan {

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
template <NetworkShape S, class Geometry, Kernels By>
struct BlockOf {
  using Hidden = Convolution<Geometry, S.filters, S.filters, S.kernel,
                             typename ActivationOf<S.activation>::type, By>;
  using type = Repeat<S.sub_blocks, Hidden>;
};
template <NetworkShape S, class Geometry, Kernels By>
requires(S.products > 0) struct BlockOf<S, Geometry, By> {
  using type = Chain<Convolution<Geometry, S.filters, 2 * S.products, S.kernel, Identity, By>,
                     Product<Geometry::points, S.products>,
                     Convolution<Geometry, S.products, S.filters, S.kernel, Identity, By>>;
};

/// How the last layer's output becomes an increment.
template <NetworkShape S, class Geometry, std::size_t Channels>
struct HeadOf {
  using type = IncrementHead<Geometry, Channels>;
};
template <NetworkShape S, class Geometry, std::size_t Channels>
requires(S.head == Head::gain && S.gain_levels == 1) struct HeadOf<S, Geometry, Channels> {
  using type = GainHead<Geometry, Channels, S.gain_radius>;
};
template <NetworkShape S, class Geometry, std::size_t Channels>
requires(S.head == Head::gain && S.gain_levels > 1) struct HeadOf<S, Geometry, Channels> {
  using type = WideGainHead<Geometry, Channels, S.gain_radius, S.gain_levels>;
};
}  // namespace detail

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
/// increments by the deviations σ of `observation_deviations`, so that weights know no R.
///  - Input, one contiguous array: x^f (members × points × channels); z = σ ζ (points × channels);
///    with `sees_precision` σ² p, p = Hᵀ R⁻¹ H 1 (points × channels; 0 where nothing is observed);
///    with `sees_scales` ln(σ/deviation) and ln(change/deviation), `change` that of one cycle
///    (2 × points × channels); memory (points × memory).
///  - Output: increments/σ (members × points × channels), memory as before.
///  - Network, all on the geometry: per point the features (x^f − mean)/deviation of every member,
///    z, σ² p, scales, memory, marks of the place; an input convolution to `filters` channels,
///    `blocks` residual blocks h + f(h) of `sub_blocks` convolutions with nonlinearity, an output
///    convolution. With `products` a block is a convolution to 2 · products channels, their
///    products in pairs (`Product`), and a convolution back.
///  - Plain head: the output is the increment.
///  - Gain head: per point one bias and coefficients u_j,
///      increment_i/σ_i = bias_i + Σ_j u_ij z_{i+j},  |j| ≤ gain_radius,
///    a local, state-dependent gain; with gain_levels above 1 a sum of such gains, each next one of
///    them twice as wide (`WideGainHead`). It is symmetric, the mean of what the layer gives and
///    its transpose, because a perfect one would be: a Kalman filter's increment is
///    P^a Hᵀ R⁻¹ δ = P^a ζ. `backward` takes a gradient with respect to U of one level as well.
///  - Memory: h ← k h + (1 − k) tanh v, k = 1/(1 + e^{−g}), g and v from the output layer
///    (network/memory.hpp).
///
/// Parameters do not depend on the number of points: weights carry over to any domain size, and to
/// other kernels (`with`). Source: Bocquet et al., Chaos 34 (2024) 091104 (plain head); gain head
/// after its equation for a_θ(x, ζ) ≈ P^a(x) ζ.
template <NetworkShape Shape, class Geometry, std::size_t Channels = 1,
          Kernels By = Kernels::direct>
struct AnalysisNetwork {
  static_assert(
      GeometryLike<Geometry>,
      "AnalysisNetwork: the second argument must be the geometry of the state, "
      "typename Problem::Geometry (NetworkFor<Problem, Shape> takes it from there); a model "
      "that names none needs a line like: using Geometry = dan::Ring<points>;");
  static_assert(Shape.filters > 0 && Shape.blocks > 0 && Shape.sub_blocks > 0 && Shape.members > 0,
                "AnalysisNetwork: filters, blocks, sub_blocks and members must be at least 1");
  static_assert(Shape.gain_levels == 1 || (Shape.gain_levels > 1 && Shape.head == dan::Head::gain),
                "AnalysisNetwork: gain_levels must be at least 1, and 1 without a gain head");
  static_assert(Shape.products == 0 || Shape.sub_blocks == 2,
                "AnalysisNetwork: a block with products has two convolutions; set sub_blocks to 2");

  static constexpr NetworkShape shape = Shape;
  using Grid = Geometry;
  static constexpr std::size_t points = Geometry::points, channels = Channels;
  static constexpr std::size_t members = Shape.members, memory = Shape.memory;
  static constexpr std::size_t size = points * channels;

  using Inputs = Features<Shape, Geometry, channels>;
  using Head = typename detail::HeadOf<Shape, Geometry, Channels>::type;
  using Memory = GatedMemory<points, memory>;
  static constexpr std::size_t zeta_at = Inputs::zeta_at, precision_at = Inputs::precision_at;
  static constexpr std::size_t scales_at = Inputs::scales_at, memory_at = Inputs::memory_at;
  static constexpr std::size_t inputs = Inputs::inputs;
  static constexpr std::size_t outputs = members * size + points * memory;
  /// Features per point, and what the last layer gives per point: the heads', then the memory's.
  static constexpr std::size_t features = Inputs::count;
  static constexpr std::size_t heads = members * Head::per_point;
  static constexpr std::size_t raw = heads + Memory::per_point;
  /// Coefficients of one member's gain that can be read as P^a; 0 for a head without any.
  static constexpr std::size_t gains = Head::coefficients;
  static constexpr bool gain = gains > 0;

  using Activation = typename detail::ActivationOf<Shape.activation>::type;
  using InputLayer = Convolution<Geometry, features, Shape.filters, Shape.kernel, Activation, By>;
  static constexpr std::size_t output_kernel =
      Shape.output_kernel > 0 ? Shape.output_kernel : Shape.kernel;
  using OutputLayer = Convolution<Geometry, Shape.filters, raw, output_kernel, Identity, By>;
  using Block = typename detail::BlockOf<Shape, Geometry, By>::type;
  using Layers = Chain<InputLayer, Repeat<Shape.blocks, Residual<Block>>, OutputLayer>;
  static constexpr std::size_t parameters = Layers::parameters;

  /// Scaling of the inputs; part of a trained network, stored with its weights.
  std::array<double, Channels> input_mean{};
  std::array<double, Channels> input_deviation = ones();

  Layers layers{};

  /// The same network, computed by other kernels.
  template <Kernels Other>
  using With = AnalysisNetwork<Shape, Geometry, Channels, Other>;
  template <Kernels Other>
  [[nodiscard]] With<Other> with() const {
    return {.input_mean = input_mean, .input_deviation = input_deviation};
  }

  template <class T>
  struct Cache {
    std::array<T, points * features> features_in;
    std::array<T, points * raw> raw_out;  ///< after `Head::prepare`
    typename Layers::template Cache<T> layers;
  };

  template <class Real, class T>
  void forward(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    scaled().forward(in, cache.features_in.data());
    T* const y = cache.raw_out.data();
    layers.forward(params, cache.features_in.data(), y, cache.layers);
    for_each_member([&](std::size_t m) {
      Head::prepare(y + m * Head::per_point, raw);
      Head::forward(y + m * Head::per_point, raw, in + zeta_at, out + m * size);
    });
    Memory::forward(y + heads, raw, in + memory_at, out + members * size);
  }

  /// `d_gain`: the gradient with respect to the gain's coefficients, if the loss depends on them:
  /// members × `gains`, else null; with `gains` 0 it must be null.
  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>& cache, const T* d_out, T* d_in,
                Real* d_params, const T* d_gain = nullptr) const {
    Scratch<T> d_raw(points * raw), d_features(points * features);
    const T* const y = cache.raw_out.data();
    for_each_member([&](std::size_t m) {
      T* const d_y = d_raw.data() + m * Head::per_point;
      Head::backward(y + m * Head::per_point, raw, in + zeta_at, d_out + m * size, d_y,
                     d_in + zeta_at);
      if constexpr (gain)
        if (d_gain != nullptr)
          for (std::size_t i = 0; i < size; ++i)
            for (std::size_t n = 0; n < row; ++n)
              d_y[gain_at(i) + n] += d_gain[m * gains + i * row + n];
      Head::prepare(d_y, raw);
    });
    Memory::backward(y + heads, raw, in + memory_at, d_out + members * size, d_raw.data() + heads,
                     d_in + memory_at);
    layers.backward(params, cache.features_in.data(), cache.layers, d_raw.data(), d_features.data(),
                    d_params);
    scaled().backward(d_features.data(), d_in);
  }

  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, const T* in, const T* d_in, T* out,
               T* d_out) const {
    Scratch<T> x(points * features), d_x(points * features), y(points * raw), d_y(points * raw);
    scaled().forward(in, x.data());
    scaled().tangent(d_in, d_x.data());
    layers.tangent(params, d_params, x.data(), d_x.data(), y.data(), d_y.data());
    for_each_member([&](std::size_t m) {
      T *const ym = y.data() + m * Head::per_point, *const dm = d_y.data() + m * Head::per_point;
      Head::prepare(ym, raw);
      Head::prepare(dm, raw);
      Head::forward(ym, raw, in + zeta_at, out + m * size);
      Head::tangent(ym, dm, raw, in + zeta_at, d_in + zeta_at, d_out + m * size);
    });
    Memory::forward(y.data() + heads, raw, in + memory_at, out + members * size);
    Memory::tangent(y.data() + heads, d_y.data() + heads, raw, in + memory_at, d_in + memory_at,
                    d_out + members * size);
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

  /// Row i of member m's gain U in the last `forward`: window × channels numbers, in the order of
  /// the taps of i's point; increments/s = … + U s ζ.
  template <class T>
  static const T* gain_row(const Cache<T>& cache, std::size_t m, std::size_t i) requires gain {
    return cache.raw_out.data() + m * Head::per_point + gain_at(i);
  }

  /// Σ_j u_{i,j} over the taps that are i, mean of the members, in the last `forward`: the
  /// variance, in units of s_i², that a gain head taught by covariances gives the error of its
  /// analysis at element i of the state.
  template <class T>
  static T variance(const Cache<T>& cache, std::size_t i) requires gain {
    T sum(real_t<T>(0));
    Head::Taps::for_each_own(i / channels, [&](std::size_t j) {
      for (std::size_t m = 0; m < members; ++m)
        sum += gain_row(cache, m, i)[j * channels + i % channels];
    });
    return sum * T(static_cast<real_t<T>>(1.0 / static_cast<double>(members)));
  }

  /// The layers in order, with their names and places in the parameter array.
  [[nodiscard]] static std::vector<LayerPlace> places() {
    std::vector<LayerPlace> list{
        {"input", 0, InputLayer::taps, features, Shape.filters, LayerKind::input}};
    const auto add = [&](std::string name, std::size_t in, std::size_t out, LayerKind kind) {
      const auto& last = list.back();
      const std::size_t taps = kind == LayerKind::output ? OutputLayer::taps : InputLayer::taps;
      list.push_back(
          {std::move(name), last.offset + last.weights() + last.out, taps, in, out, kind});
    };
    constexpr std::size_t filters = Shape.filters, products = Shape.products;
    for (std::size_t b = 0; b < Shape.blocks; ++b)
      for (std::size_t s = 0; s < Shape.sub_blocks; ++s)
        add(to_text("blocks.", b, ".", s), products > 0 && s == 1 ? products : filters,
            products > 0 && s == 0 ? 2 * products : filters, LayerKind::hidden);
    add("output", filters, raw, LayerKind::output);
    return list;
  }

  /// Random initial parameters: weights ~ N(0, 2/fan-in), the last convolution of each block
  /// scaled by 0.5 and the output layer by 0.01; biases 0, but 0.2 on the diagonal of the gain and
  /// 1 in the memory's gates. `params`: `parameters` numbers, overwritten.
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
    Real* const bias = params.data() + list.back().offset + list.back().weights();
    for (std::size_t m = 0; m < members; ++m) Head::initialise(bias + m * Head::per_point);
    Memory::initialise(bias + heads);
  }

 private:
  static constexpr std::size_t row = gains / size;  ///< numbers of a row of the gain

  static constexpr std::array<double, Channels> ones() {
    std::array<double, Channels> one{};
    for (auto& value : one) value = 1;
    return one;
  }
  /// Where row i of a member's gain begins in its part of the last layer's output.
  static constexpr std::size_t gain_at(std::size_t i) {
    return i / channels * raw + Head::coefficient(i % channels, 0, 0);
  }
  template <class Use>
  static void for_each_member(const Use& use) {
    for (std::size_t m = 0; m < members; ++m) use(m);
  }
  [[nodiscard]] Inputs scaled() const { return {input_mean, input_deviation}; }
};

/// A problem whose model says where the points of its state are.
template <class Problem>
concept HasGeometry =                                       // the remedy is a line in the model
    !std::same_as<typename Problem::Geometry, NoGeometry>;  // using Geometry = dan::Ring<points>;

/// The analysis network of this shape for a problem's states.
template <class Problem, NetworkShape Shape>
requires HasGeometry<Problem>
using NetworkFor = AnalysisNetwork<Shape, typename Problem::Geometry, Problem::channels>;

}  // namespace dan
