// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/unrolled.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/network/toom_cook.hpp"

namespace dan {

namespace detail {

/// The sums of a `Convolution` on a ring by minimal filtering: with (M + K − 1)/M products per
/// point and pair of channels instead of K, and other round-off.
///
/// Legend: P points, K taps, tiles t of M = 4 points, A = M + K − 1 products α of a tile, I input
/// and O output channels i and o, R registers of a pack. A, B, G are the matrices of `ToomCook`.
/// What they do is linear, so that channels are summed between them: a product of matrices for
/// every α. Backward are the transposed maps, with the same numbers:
///   z = Aᵀ Σ_i (G w) ⊙ (Bᵀ x),  d_x = B Σ_o (G w) ⊙ (A d_z),
///   d_w = Gᵀ Σ_t Σ_lanes (Bᵀ x) ⊙ (A d_z).
/// Where P is no multiple of M the last tile goes on around the ring; what it gives for points that
/// are not there is dropped. Cost: 2 · (M + K − 1)/M · P·I·O flops per lane and map, and some 10 to
/// 20 per element of input and output; memory: P/M · A · (I + O) numbers per lane.
template <std::size_t Points, std::size_t In, std::size_t Out, std::size_t Taps>
class MinimalFiltering {
  using Tile = ToomCook<Taps>;
  static constexpr std::size_t M = Tile::outputs, A = Tile::products;
  static constexpr std::size_t tiles = (Points + M - 1) / M;
  static_assert(Points >= A, "MinimalFiltering: the ring is shorter than what a tile sees");

 public:
  /// finish(p·R + register, o, Σ_k Σ_i w[k, i, o] x[tap(p, k), i]) for all of them.
  template <class Real, class T, class Finish>
  static void forward(const Real* w, const T* x, const Finish& finish) {
    using Register = register_t<T>;
    const auto u = weights(w);
    constexpr std::size_t R = registers_of<T>, row = row_of(tiles);
    Scratch<Register> v(A * In * row, Unset{});
    for (std::size_t r = 0; r < R; ++r) {
      transform_input(x, r, v.data(), row);
      multiply<In, Out, Out, 1>(u.data(), v.data(), row, [&](std::size_t t, std::size_t o, auto m) {
        Register z[M];
        Tile::template apply_transposed<typename Tile::A>(m, z);
        for (std::size_t j = 0; j < M; ++j)
          if (is_point(t, j)) finish((t * M + j) * R + r, o, z[j]);
      });
    }
  }

  /// d_x[tap(p, k), i] += Σ_o w[k, i, o] d_z[p, o],
  /// d_w[k, i, o] += Σ_p Σ_lanes x[tap(p, k), i] d_z[p, o].
  template <class Real, class T>
  static void backward(const Real* w, const T* x, const T* d_z, T* d_x, Real* d_w) {
    using Register = register_t<T>;
    constexpr std::size_t R = registers_of<T>, row = row_of(tiles * R);
    const auto u = weights(w);
    Scratch<Register> v(A * In * row, Unset{}), d(A * Out * row, Unset{});
    auto* const to = reinterpret_cast<Register*>(d_x);
    for (std::size_t r = 0; r < R; ++r) {
      Register* const d_r = d.data() + r * tiles;
      transform_gradient(d_z, r, d_r, row);
      multiply<Out, In, 1, Out>(u.data(), d_r, row, [&](std::size_t t, std::size_t i, auto m) {
        Register seen[A];
        Tile::template apply_transposed<typename Tile::B>(m, seen);
        for (std::size_t j = 0; j < A; ++j) {
          auto& sum = to[(place(t, j) * In + i) * R + r];
          sum = sum + seen[j];
        }
      });
    }
    for (std::size_t r = 0; r < R; ++r) transform_input(x, r, v.data() + r * tiles, row);
    Scratch<Real> d_u(pairs * A, Unset{});
    multiply_weights<tiles * R>(v.data(), d.data(), d_u.data());
    for_each_pair<Real>([&]<class Numbers>(std::size_t n, Numbers) {
      Numbers products[A], taps[Taps];
      for (std::size_t a = 0; a < A; ++a) load(&d_u[a * pairs + n], products[a]);
      Tile::template apply_transposed<typename Tile::G>(products, taps);
      for (std::size_t k = 0; k < Taps; ++k) {
        Numbers before;
        load(&d_w[k * pairs + n], before);
        store(before + taps[k], &d_w[k * pairs + n]);
      }
    });
  }

 private:
  static constexpr std::size_t pairs = In * Out;  ///< of channels
  /// Channels that are transformed together, so that memory is read and written in longer runs:
  /// strides of whole pages evict each other from the L1.
  static constexpr std::size_t near = 8;

  /// Rows of products have an odd length for the same reason.
  static constexpr std::size_t row_of(std::size_t columns) { return columns | 1; }

  /// Whether output j of a tile is a point of the ring.
  static constexpr bool is_point(std::size_t tile, std::size_t j) {
    return Points % M == 0 || tile * M + j < Points;
  }
  /// The point of a tile's input j.
  static constexpr std::size_t place(std::size_t tile, std::size_t j) {
    return Ring<Points>::tap(tile * M, j, Taps);
  }

  /// call(n, Numbers()) for the pairs of channels n, …: registers of them, then one by one.
  template <class Real, class Call>
  static void for_each_pair(const Call& call) {
    std::size_t n = 0;
    for (; n + simd_width<Real> <= pairs; n += simd_width<Real>) call(n, Widest<Real>(Real(0)));
    if constexpr (pairs % simd_width<Real> != 0)
      for (; n < pairs; ++n) call(n, Real(0));
  }
  template <class Real, class Numbers>
  static void load(const Real* from, Numbers& to) {
    std::memcpy(&to, from, sizeof to);
  }
  template <class Real, class Numbers>
  static void store(const Numbers& from, Real* to) {
    std::memcpy(to, &from, sizeof from);
  }

  /// u[α, i, o] = G w.
  template <class Real>
  static Scratch<Real> weights(const Real* w) {
    Scratch<Real> u(A * pairs, Unset{});
    for_each_pair<Real>([&]<class Numbers>(std::size_t n, Numbers) {
      Numbers taps[Taps], products[A];
      for (std::size_t k = 0; k < Taps; ++k) load(w + k * pairs + n, taps[k]);
      Tile::template apply<typename Tile::G>(taps, products);
      for (std::size_t a = 0; a < A; ++a) store(products[a], &u[a * pairs + n]);
    });
    return u;
  }

  /// v[α, i, t] = Bᵀ x, of register r of the lanes; rows of v are `row` registers long.
  template <class T, class Register>
  static void transform_input(const T* x, std::size_t r, Register* v, std::size_t row) {
    transform<typename Tile::B, In>(v, row, [&](std::size_t t, std::size_t j, std::size_t i) {
      return reinterpret_cast<const Register*>(x + place(t, j) * In + i)[r];
    });
  }
  /// d[α, o, t] = A d_z, the same.
  template <class T, class Register>
  static void transform_gradient(const T* d_z, std::size_t r, Register* d, std::size_t row) {
    transform<typename Tile::A, Out>(d, row, [&](std::size_t t, std::size_t j, std::size_t o) {
      return is_point(t, j) ? reinterpret_cast<const Register*>(d_z + (t * M + j) * Out + o)[r]
                            : Register(0);
    });
  }
  /// to[α, c, t] = Σ_j Matrix[α, j] read(t, j, c).
  template <class Matrix, std::size_t Channels, class Register, class Read>
  static void transform(Register* to, std::size_t row, const Read& read) {
    blocked<Channels, near>([&](std::size_t c0, std::size_t count) {
      for (std::size_t t = 0; t < tiles; ++t)
        for (std::size_t c = c0; c < c0 + count; ++c) {
          Register in[Matrix::columns], out[A];
          unrolled<Matrix::columns>([&](auto j)
                                        __attribute__((always_inline)) { in[j] = read(t, j, c); });
          Tile::template apply<Matrix>(in, out);
          unrolled<A>([&](auto a) __attribute__((always_inline)) {
            to[(a * Channels + c) * row + t] = out[a];
          });
        }
    });
  }

  /// finish(t, b, m), m[α] = Σ_s u[α·I·O + s·StepS + b·StepB] v[α, s, t], s < S and b < B: a
  /// product of matrices for every α, for a few channels b and all α at a time, which stay in a
  /// near cache.
  template <std::size_t S, std::size_t B, std::size_t StepS, std::size_t StepB, class Real,
            class Register, class Finish>
  static void multiply(const Real* u, const Register* v, std::size_t row, const Finish& finish) {
    constexpr std::size_t channels = 4, width = register_count == 32 ? 5 : 2;
    Scratch<Register> m(near * tiles * A, Unset{});
    blocked<B, near>([&](std::size_t first, auto count) {
      for (std::size_t a = 0; a < A; ++a)
        blocked<tiles, width>([&](std::size_t t0, auto tile_columns) {
          blocked<count, channels>([&](std::size_t b0, auto tile_channels) {
            constexpr std::size_t nb = tile_channels, nc = tile_columns;
            Register acc[nb * nc];
            unrolled<nb * nc>([&](auto n) __attribute__((always_inline)) { acc[n] = Register(0); });
            const Real* weight = u + a * pairs + (first + b0) * StepB;
            const Register* from = v + a * S * row + t0;
            for (std::size_t s = 0; s < S; ++s, weight += StepS, from += row) {
              Register value[nc];
              unrolled<nc>([&](auto c)
                               __attribute__((always_inline)) { value[c] = load_once(from + c); });
              unrolled<nb>([&](auto b) __attribute__((always_inline)) {
                const Register one(weight[b * StepB]);
                unrolled<nc>([&](auto c) __attribute__((always_inline)) {
                  accumulate(acc[b * nc + c], one, value[c]);
                });
              });
            }
            unrolled<nb * nc>([&](auto n) __attribute__((always_inline)) {
              m[((b0 + n / nc) * tiles + t0 + n % nc) * A + a] = acc[n];
            });
          });
        });
      for (std::size_t t = 0; t < tiles; ++t)
        for (std::size_t b = 0; b < count; ++b)
          finish(t, first + b, static_cast<const Register*>(&m[(b * tiles + t) * A]));
    });
  }

  /// d_u[α, i, o] = Σ_columns Σ_lanes v[α, i, column] d[α, o, column].
  template <std::size_t Columns, class Real, class Register>
  static void multiply_weights(const Register* v, const Register* d, Real* d_u) {
    constexpr std::size_t row = row_of(Columns), rows = 4, width = register_count == 32 ? 4 : 2;
    for (std::size_t a = 0; a < A; ++a)
      blocked<In, rows>([&](std::size_t i0, auto tile_in) {
        blocked<Out, width>([&](std::size_t o0, auto tile_out) {
          constexpr std::size_t ni = tile_in, no = tile_out;
          const Register* x = v + (a * In + i0) * row;
          const Register* y = d + (a * Out + o0) * row;
          Register acc[rows * width];
          unrolled<rows * width>([&](auto n)
                                     __attribute__((always_inline)) { acc[n] = Register(0); });
          for (std::size_t c = 0; c < Columns; ++c) {
            Register right[no];
            unrolled<no>([&](auto o) __attribute__((always_inline)) {
              right[o] = load_once(y + o * row + c);
            });
            unrolled<ni>([&](auto i) __attribute__((always_inline)) {
              const Register left = load_once(x + i * row + c);
              unrolled<no>([&](auto o) __attribute__((always_inline)) {
                accumulate(acc[i * width + o], left, right[o]);
              });
            });
          }
          Real sums[rows * width];
          sum_registers<rows * width>(acc, sums);
          for (std::size_t i = 0; i < ni; ++i)
            std::copy_n(sums + i * width, no, d_u + a * pairs + (i0 + i) * Out + o0);
        });
      });
  }
};

/// The kernels of minimal filtering where they are faster than direct sums: on rings, with 3 or 5
/// taps and channels enough that their products outweigh the transforms; else nothing.
template <class Geometry, std::size_t In, std::size_t Out, std::size_t Taps>
struct MinimalKernels {
  static constexpr bool faster = false;
};
template <std::size_t Points, std::size_t In, std::size_t Out, std::size_t Taps>
requires((Taps == 3 || Taps == 5) && Points >= ToomCook<Taps>::products && In >= 8 &&
         Out >= 8) struct MinimalKernels<Ring<Points>, In, Out, Taps>
    : MinimalFiltering<Points, In, Out, Taps> {
  static constexpr bool faster = true;
};
}  // namespace detail

/// How convolutions are computed.
enum class Kernels {
  direct,  ///< sums over taps and channels: the truth, and what trained weights are used with
  minimal  ///< with fewer products where that is faster, for trainings: other round-off
};

}  // namespace dan
