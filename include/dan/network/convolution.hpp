// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <type_traits>

#include "dan/autodiff/dual.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/unrolled.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/network/activation.hpp"
#include "dan/network/minimal_filtering.hpp"

/// \file
/// The convolution layer and its three kernels: forward, backward to the input, backward to the
/// weights. Legend: P points, I input channels, O output channels, K taps, L lanes, R registers
/// of a pack, p point, i and o channels, k tap.
///
/// All kernels are register-blocked products: a tile of a few channels × a few *columns* (a column
/// is one register of lanes at one point) stays in registers while the sum runs over taps and
/// channels. Lanes never mix before the weight gradient's final sum. Minimal filtering is in a
/// header of its own.

namespace dan {

namespace detail {

/// Columns and channels of a register tile, so that accumulators, operands and a weight fit.
template <class Register>
struct TileShape {
  static constexpr std::size_t columns = register_count == 32 ? 4 : 3;
  static constexpr std::size_t channels = register_count == 32 ? 6 : 4;
  static constexpr std::size_t weights_in = 5;                              ///< of the tile of d_w
  static constexpr std::size_t weights_out = register_count == 32 ? 5 : 2;  ///< of the tile of d_w
};

}  // namespace detail

/// A convolution with bias and pointwise nonlinearity on a geometry, with a stencil `Kernel` points
/// wide: K = Geometry::taps(Kernel), on a two-dimensional grid Kernel².
///
/// z[p, o] = b[o] + Σ_k Σ_i w[k, i, o] · x[tap(p, k), i],  out[p, o] = φ(z[p, o]).
/// Input P × I, output P × O elements of T (points × channels, contiguous).
/// Parameters: weights K × I × O (row-major), then O biases.
/// Cache: φ' at every output. Cost: 2·P·K·I·O flops per lane forward, twice that backward; with
/// `Kernels::minimal`, for packs on rings and on grids of them, about half (see
/// detail::MinimalFiltering).
template <class Geometry, std::size_t In, std::size_t Out, std::size_t Kernel,
          class Activation = Identity, Kernels By = Kernels::direct>
struct Convolution {
  static_assert(GeometryLike<Geometry>,
                "Convolution: needs a geometry (geometry/concepts.hpp), such as Ring<40>");
  static_assert(Kernel % 2 == 1, "Convolution: the kernel width must be odd");
  static_assert(Geometry::fits(Kernel),
                "Convolution: the kernel is wider than the domain; use fewer taps or more points");
  static_assert(In > 0 && Out > 0, "Convolution: needs at least one channel in and out");

  static constexpr std::size_t points = Geometry::points;
  static constexpr std::size_t inputs = points * In, outputs = points * Out;
  static constexpr std::size_t taps = Geometry::taps(Kernel);
  static constexpr std::size_t weights = taps * In * Out, parameters = weights + Out;
  static constexpr bool linear = std::is_same_v<Activation, Identity>;
  using Neighbours = detail::Stencil<Geometry, Kernel>;
  using Minimal = detail::MinimalKernels<Geometry, In, Out, Kernel>;
  /// Whether a `T` takes the kernels of minimal filtering.
  template <class T>
  static constexpr bool minimal =
      lanes_of<T> > 1 && !DualNumber<T> && Minimal::faster && By == Kernels::minimal;

  /// φ'(z), kept for the backward pass; nothing for a linear layer.
  template <class T>
  struct Cache {
    std::array<T, linear ? 0 : outputs> derivative;
  };

  template <class Real, class T>
  void forward(const Real* params, const T* in, T* out, Cache<T>& cache) const {
    using Register = register_t<T>;
    constexpr std::size_t R = registers_of<T>;
    if constexpr (DualNumber<T>) {
      forward_dual(params, in, out, cache);
    } else if constexpr (std::is_same_v<T, Real> && simd_width<Real> != 1 &&
                         Out >= simd_width<Real>) {
      forward_one_state(params, in, out, cache);
    } else {
      const Real* bias = params + weights;
      auto* to = reinterpret_cast<Register*>(out);
      auto* slope = reinterpret_cast<Register*>(cache.derivative.data());
      const auto finish = [&](std::size_t column, std::size_t o, Register z) {
        const std::size_t at = ((column / R) * Out + o) * R + column % R;
        if constexpr (linear) {
          to[at] = z;
        } else {
          Register derivative;
          const auto value = apply(z, derivative);
          to[at] = value;
          slope[at] = derivative;
        }
      };
      if constexpr (minimal<T>)
        Minimal::forward(params, in, [&](std::size_t column, std::size_t o, Register sum) {
          finish(column, o, Register(bias[o]) + sum);
        });
      else
        gather<In, Out, Out, 1>(
            params, in, Neighbours::tap(),
            [&](std::size_t, std::size_t o)
                __attribute__((always_inline)) { return Register(bias[o]); },
            finish);
    }
  }

  template <class Real, class T>
  void backward(const Real* params, const T* in, const Cache<T>& cache, const T* d_out, T* d_in,
                Real* d_params) const {
    // d_z = φ'(z) d_out and d_b[o] += Σ_p d_z[p, o] in one pass over the memory.
    Scratch<T> product(linear ? 0 : outputs, Unset{});
    const T* d_z = linear ? d_out : product.data();
    std::array<T, Out> d_bias;
    for (std::size_t p = 0; p < points; ++p)
      for (std::size_t o = 0; o < Out; ++o) {
        const std::size_t at = p * Out + o;
        if constexpr (!linear) product[at] = cache.derivative[at] * d_out[at];
        d_bias[o] = p == 0 ? d_z[at] : d_bias[o] + d_z[at];
      }
    for (std::size_t o = 0; o < Out; ++o) d_params[weights + o] += sum_lanes(d_bias[o]);
    if constexpr (minimal<T>) {
      Minimal::backward(params, in, d_z, d_in, d_params);
      add_crossings(params, d_z, d_in);
    } else {
      backward_input(params, d_z, d_in);
      backward_weights(in, d_z, d_params);
    }
  }

  /// d_x[tap(p, k), i] += Σ_o w[k, i, o] d_z[p, o], gathered at q = tap(p, k); taps that go across
  /// a pole or a wall come last, one by one.
  template <class Real, class T>
  static void backward_input(const Real* params, const T* d_z, T* d_in) {
    using Register = register_t<T>;
    constexpr std::size_t R = registers_of<T>;
    auto* to = reinterpret_cast<Register*>(d_in);
    const auto at = [](std::size_t column, std::size_t i) {
      return ((column / R) * In + i) * R + column % R;
    };
    gather<Out, In, 1, Out>(
        params, d_z, Neighbours::source(),
        [&](std::size_t column, std::size_t i) { return to[at(column, i)]; },
        [&](std::size_t column, std::size_t i, Register d) { to[at(column, i)] = d; });
    add_crossings(params, d_z, d_in);
  }

  /// The part of `backward_input` of taps that go across a pole or a wall.
  template <class Real, class T>
  static void add_crossings(const Real* params, const T* d_z, T* d_in) {
    detail::for_each_crossing<Geometry>(Kernel, [&](std::size_t p, std::size_t k) {
      for (std::size_t i = 0; i < In; ++i) {
        const Real* const w = params + (k * In + i) * Out;
        T sum(Real(0));
        for (std::size_t o = 0; o < Out; ++o) sum += T(w[o]) * d_z[p * Out + o];
        d_in[Geometry::tap(p, k, Kernel) * In + i] += sum;
      }
    });
  }

  /// `count` ranges of `length` points, the first one from point `first` on; what is found in a
  /// range is `apart` numbers behind that of the one before.
  struct Ranges {
    std::size_t first = 0, length = points, count = 1, apart = 0;
  };

  /// d_w[k, i, o] += Σ_p Σ_lanes in[tap(p, k), i] · d_z[p, o], over all points.
  template <class Real, class T>
  static void backward_weights(const T* in, const T* d_z, Real* d_w) {
    backward_weights(in, d_z, d_w, Ranges{});
  }

  /// The same over ranges of points, each for itself.
  ///
  /// Works on copies that hold the channels of a tile together for all points, and on a stretch of
  /// points at a time: the operands then stay in a near cache while the taps go over them.
  template <class Real, class T>
  static void backward_weights(const T* in, const T* d_z, Real* d_w, const Ranges& ranges) {
    using Register = register_t<T>;
    using Tile = detail::TileShape<Register>;
    constexpr std::size_t R = registers_of<T>, stretch = 64;
    const auto tap = Neighbours::tap();
    Scratch<T> x_tiles(inputs, Unset{}), d_tiles(outputs, Unset{});
    gather_tiles<In, Tile::weights_in>(in, x_tiles.data());
    gather_tiles<Out, Tile::weights_out>(d_z, d_tiles.data());
    const auto* x = reinterpret_cast<const Register*>(x_tiles.data());
    const auto* d = reinterpret_cast<const Register*>(d_tiles.data());
    detail::blocked<Out, Tile::weights_out>([&](std::size_t o0, auto tile_out) {
      detail::blocked<In, Tile::weights_in>([&](std::size_t i0, auto tile_in) {
        constexpr std::size_t no = tile_out, ni = tile_in;
        const Register *x_tile = x + i0 * points * R, *d_tile = d + o0 * points * R;
        for_each_stretch(ranges, stretch, d_w, [&](std::size_t first, std::size_t end, Real* to) {
          for (std::size_t k = 0; k < taps; ++k) {
            Register acc[ni * no];
            detail::unrolled<ni * no>([&](auto n) __attribute__((always_inline)) {
              acc[n] = Register(Real(0));
            });
            for (std::size_t p = first; p < end; ++p) {
              const Register* xp = x_tile + tap(p, k) * ni * R;
              const Register* dp = d_tile + p * no * R;
              for (std::size_t r = 0; r < R; ++r) {
                Register row[no];
                detail::unrolled<no>([&](auto o) __attribute__((always_inline)) {
                  row[o] = dp[o * R + r];
                });
                detail::unrolled<ni>([&](auto i) __attribute__((always_inline)) {
                  const Register value = xp[i * R + r];
                  detail::unrolled<no>([&](auto o) __attribute__((always_inline)) {
                    accumulate(acc[i * no + o], value, row[o]);
                  });
                });
              }
            }
            detail::unrolled<ni * no>([&](auto n) __attribute__((always_inline)) {
              to[(k * In + i0 + n / no) * Out + o0 + n % no] += sum_register(acc[n]);
            });
          }
        });
      });
    });
  }

  /// d_out = φ'(z) (w ∗ d_in + d_w ∗ in + d_b).
  template <class Real, class T>
  void tangent(const Real* params, const Real* d_params, const T* in, const T* d_in, T* out,
               T* d_out) const {
    const Convolution<Geometry, In, Out, Kernel, Identity, By> plain;
    typename decltype(plain)::template Cache<T> unused;
    Scratch<T> by_weights(outputs);
    plain.forward(d_params, in, by_weights.data(), unused);
    Scratch<Real> without_bias(parameters);
    std::copy_n(params, weights, without_bias.data());
    plain.forward(without_bias.data(), d_in, d_out, unused);
    const auto cache = std::make_unique<Cache<T>>();
    forward(params, in, out, *cache);
    for (std::size_t i = 0; i < outputs; ++i) d_out[i] += by_weights[i];
    if constexpr (!linear)
      for (std::size_t i = 0; i < outputs; ++i) d_out[i] *= cache->derivative[i];
  }

 private:
  /// Of dual numbers: the sum acts alike on values and on slopes, which take the kernels of what is
  /// inside, one after the other; the bias is one of values. Cost: twice that of `T::Inner`.
  template <class Real, class T>
  static void forward_dual(const Real* params, const T* in, T* out, Cache<T>& cache) {
    using Inner = typename T::Inner;
    using Plain = Convolution<Geometry, In, Out, Kernel>;
    typename Plain::template Cache<Inner> unused;
    Scratch<Real> without_bias(parameters);
    std::copy_n(params, weights, without_bias.data());
    Scratch<Inner> from(inputs, Unset{}), value(outputs, Unset{}), slope(outputs, Unset{});
    for (std::size_t i = 0; i < inputs; ++i) from[i] = in[i].value;
    Plain{}.forward(params, from.data(), value.data(), unused);
    for (std::size_t i = 0; i < inputs; ++i) from[i] = in[i].slope;
    Plain{}.forward(without_bias.data(), from.data(), slope.data(), unused);
    for (std::size_t i = 0; i < outputs; ++i) {
      const T z{value[i], slope[i]};
      if constexpr (linear)
        out[i] = z;
      else
        out[i] = Activation::apply(z, cache.derivative[i]);
    }
  }

  /// use(first, end, where its sum goes) for every range of points, in pieces of `stretch`.
  template <class Real, class Use>
  static void for_each_stretch(const Ranges& ranges, std::size_t stretch, Real* d_w,
                               const Use& use) {
    for (std::size_t n = 0; n < ranges.count; ++n) {
      const std::size_t begin = ranges.first + n * ranges.length, end = begin + ranges.length;
      for (std::size_t first = begin; first < end; first += stretch)
        use(first, std::min(end, first + stretch), d_w + n * ranges.apart);
    }
  }

  /// points × channels as tiles × points × channels of a tile; the last tile may be narrower.
  template <std::size_t Channels, std::size_t Width, class T>
  static void gather_tiles(const T* x, T* tiles) {
    for (std::size_t c0 = 0; c0 < Channels; c0 += Width) {
      const std::size_t width = std::min(Width, Channels - c0);
      for (std::size_t p = 0; p < points; ++p, tiles += width)
        std::copy_n(x + p * Channels + c0, width, tiles);
    }
  }

  /// The forward kernel for one state: SIMD over output channels instead of lanes.
  ///
  /// A tile is a few points × all registers of output channels; the last register begins where it
  /// just ends at the last channel, so that a remainder is computed twice instead of apart.
  template <class Real>
  static void forward_one_state(const Real* params, const Real* in, Real* out, Cache<Real>& cache) {
    using Register = register_t<Pack<Real, simd_width<Real>>>;
    constexpr std::size_t width = simd_width<Real>, blocks = (Out + width - 1) / width;
    constexpr std::size_t tile = std::max<std::size_t>(1, register_count * 3 / 4 / blocks);
    const auto tap = Neighbours::tap();
    const auto first = [](std::size_t block) {
      return block + 1 == blocks ? Out - width : block * width;
    };
    detail::blocked<points, tile>([&](std::size_t p0, auto tile_points) {
      constexpr std::size_t np = tile_points;
      Register acc[np][blocks];
      detail::unrolled<np>([&](auto p) __attribute__((always_inline)) {
        detail::unrolled<blocks>([&](auto b) __attribute__((always_inline)) {
          acc[p][b] = Register::load_unaligned(params + weights + first(b));
        });
      });
      for (std::size_t k = 0; k < taps; ++k) {
        const Real* x[np];
        detail::unrolled<np>([&](auto p) __attribute__((always_inline)) {
          x[p] = in + tap(p0 + p, k) * In;
        });
        const Real* w = params + k * In * Out;
        for (std::size_t i = 0; i < In; ++i, w += Out) {
          Register row[blocks];
          detail::unrolled<blocks>([&](auto b) __attribute__((always_inline)) {
            row[b] = Register::load_unaligned(w + first(b));
          });
          detail::unrolled<np>([&](auto p) __attribute__((always_inline)) {
            const Register value(x[p][i]);
            detail::unrolled<blocks>([&](auto b) __attribute__((always_inline)) {
              accumulate(acc[p][b], value, row[b]);
            });
          });
        }
      }
      detail::unrolled<np>([&](auto p) __attribute__((always_inline)) {
        detail::unrolled<blocks>([&](auto b) __attribute__((always_inline)) {
          const Register z = acc[p][b];
          const std::size_t at = (p0 + p) * Out + first(b);
          if constexpr (linear) {
            z.store_unaligned(out + at);
          } else {
            Register derivative;
            apply(z, derivative).store_unaligned(out + at);
            derivative.store_unaligned(cache.derivative.data() + at);
          }
        });
      });
    });
  }

  /// φ on one register.
  template <class Register>
  static Register apply(const Register& z, Register& derivative) {
    if constexpr (std::is_floating_point_v<Register>) {
      return Activation::apply(z, derivative);
    } else {
      using Single = Pack<typename Register::value_type, Register::size>;
      Single in, slope;
      in.part[0] = z;
      const Single value = Activation::apply(in, slope);
      derivative = slope.part[0];
      return value.part[0];
    }
  }

  /// finish(column, b, start(column, b) + Σ_k Σ_a w[k·In·Out + a·StepA + b·StepB] ·
  /// x[neighbour(p, k), a]) for every column (p, register) and b < B; a runs to A, and the
  /// neighbour `points` is zero.
  template <std::size_t A, std::size_t B, std::size_t StepA, std::size_t StepB, class Real, class T,
            class Neighbour, class Start, class Finish>
  static void gather(const Real* w, const T* x, const Neighbour& neighbour, const Start& start,
                     const Finish& finish) {
    using Register = register_t<T>;
    using Tile = detail::TileShape<Register>;
    constexpr std::size_t R = registers_of<T>;
    constexpr std::size_t width = B < 3 ? 2 * Tile::columns : Tile::columns;
    const auto* from = reinterpret_cast<const Register*>(x);
    [[maybe_unused]] Scratch<T> zero(detail::taps_permute<Geometry> ? 0 : A);
    [[maybe_unused]] const auto* nothing = reinterpret_cast<const Register*>(zero.data());
    detail::blocked<B, Tile::channels>([&](std::size_t b0, auto tile_channels) {
      detail::blocked<points * R, width>([&](std::size_t c0, auto tile_columns) {
        constexpr std::size_t nb = tile_channels, nc = tile_columns;
        Register acc[nb][nc];
        detail::unrolled<nb>([&](auto b) __attribute__((always_inline)) {
          detail::unrolled<nc>([&](auto c) __attribute__((always_inline)) {
            acc[b][c] = start(c0 + c, b0 + b);
          });
        });
        for (std::size_t k = 0; k < taps; ++k) {
          const Register* column[nc];
          detail::unrolled<nc>([&](auto c) __attribute__((always_inline)) {
            const std::size_t p = (c0 + c) / R, r = (c0 + c) % R, there = neighbour(p, k);
            column[c] = from + there * A * R + r;
            if constexpr (!detail::taps_permute<Geometry>)
              if (there == points) column[c] = nothing + r;
          });
          const Real* weight = w + k * In * Out + b0 * StepB;
          for (std::size_t a = 0; a < A; ++a) {
            Register value[nc];
            detail::unrolled<nc>([&](auto c) __attribute__((always_inline)) {
              value[c] = load_once(column[c] + a * R);
            });
            detail::unrolled<nb>([&](auto b) __attribute__((always_inline)) {
              const Register one(weight[a * StepA + b * StepB]);
              detail::unrolled<nc>([&](auto c) __attribute__((always_inline)) {
                accumulate(acc[b][c], one, value[c]);
              });
            });
          }
        }
        detail::unrolled<nb>([&](auto b) __attribute__((always_inline)) {
          detail::unrolled<nc>([&](auto c) __attribute__((always_inline)) {
            finish(c0 + c, b0 + b, acc[b][c]);
          });
        });
      });
    });
  }
};

}  // namespace dan
