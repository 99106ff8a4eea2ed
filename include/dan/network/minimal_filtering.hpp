// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/unrolled.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/network/toom_cook.hpp"

namespace dan {

namespace detail {

/// A geometry that is `in_rings` (geometry/concepts.hpp), for stencils of this width: one ring, or
/// a grid whose rows are rings. Some of its taps are compared with what that means, for geometries
/// that inherit from one and have taps of their own.
template <class Geometry, std::size_t Width>
struct Rings {
  static constexpr bool flat = Geometry::dimensions == 2;
  static constexpr std::size_t half = Width / 2;
  static constexpr std::size_t columns = [] {
    if constexpr (flat)
      return Geometry::columns;
    else
      return Geometry::points;
  }();
  static constexpr std::size_t rows = Geometry::points / columns;
  static constexpr std::size_t across = flat ? Width : 1;  ///< taps in the direction of a column

  /// The point in column `column` of the row that is `tap` of `across` taps from `row`.
  static constexpr std::size_t point(std::size_t row, std::size_t tap, std::size_t column) {
    if constexpr (!flat) return column;
    if (row + tap >= half && row + tap < rows + half) return (row + tap - half) * columns + column;
    return Geometry::tap(row * columns + column, tap * Width + half, Width);
  }

  static constexpr bool as_said = [] {
    for (const std::size_t row : {std::size_t{0}, rows / 2, rows - 1})
      for (const std::size_t column : {std::size_t{0}, columns / 2, columns - 1})
        for (std::size_t k = 0; k < across * Width; ++k)
          if (Geometry::tap(row * columns + column, k, Width) !=
              point(row, k / Width, Ring<columns>::tap(column, k % Width, Width)))
            return false;
    return true;
  }();
  static_assert(Geometry::dimensions <= 2 && as_said,
                "the geometry says in_rings but has other taps: set `in_rings = false` in it");
};

/// The sums of a `Convolution` by minimal filtering along rings of neighbours: with (M + K − 1)/M
/// products per point and pair of channels instead of K, on a grid K times as many, and other
/// round-off.
///
/// Legend: P points, K taps along a ring, tiles t of M = 4 points, A = M + K − 1 products α of a
/// tile, I input and O output channels i and o, R registers of a pack, κ the taps across rings (one
/// on a line, K on a grid), ρ a row of the grid. A, B, G are the matrices of `ToomCook`. What they
/// do is linear, so that channels and taps across are summed between them: a product of matrices
/// for every α. Backward are the transposed maps, with the same numbers:
///   z_ρ = Aᵀ Σ_κ Σ_i (G w_κ) ⊙ (Bᵀ x_{ρ+κ}),  d_x_ρ = B Σ_κ Σ_o (G w_κ) ⊙ (A d_z_{ρ−κ}),
///   d_w_κ = Gᵀ Σ_ρ Σ_t Σ_lanes (Bᵀ x_{ρ+κ}) ⊙ (A d_z_ρ).
/// Where a ring is no multiple of M the last tile goes on around it; what it gives for points that
/// are not there is dropped. A few rows of a grid are worked on together, so that what they become
/// stays in a cache. Cost: 2 · (M + K − 1)/M · P·I·O flops per lane and map, on a grid K times
/// that, and some 10 to 20 per element of input and output, on a grid of rows in groups of n (n + K
/// − 1)/n times that; memory: A/M · (I + O) numbers per lane and point of the ring, or of these
/// rows and the K − 1 beside them.
template <class Geometry, std::size_t In, std::size_t Out, std::size_t Taps>
class MinimalFiltering {
  using Tile = ToomCook<Taps>;
  using Grid = Rings<Geometry, Taps>;
  static constexpr std::size_t M = Tile::outputs, A = Tile::products;
  static constexpr std::size_t ring = (Grid::columns + M - 1) / M;  ///< tiles of a row
  static constexpr std::size_t across = Grid::across, half = across / 2;
  static_assert(Grid::columns >= A, "MinimalFiltering: a ring is shorter than what a tile sees");

  /// Rows whose sums are found together, so that the products of so many channels of the rows
  /// that they see fit into a near cache; of a ring, one.
  template <class T, std::size_t Channels>
  static constexpr std::size_t lines = [] {
    constexpr std::size_t cache = std::size_t{1} << 20, line = ring * A * Channels * sizeof(T);
    std::size_t most = 1;
    for (std::size_t n = 1; n <= 4; ++n)
      if (Grid::rows % n == 0 && (n + across - 1) * line <= cache) most = n;
    return most;
  }();

 public:
  /// finish(p·R + register, o, Σ_k Σ_i w[k, i, o] x[tap(p, k), i]) for all of them.
  template <class Real, class T, class Finish>
  static void forward(const Real* w, const T* x, const Finish& finish) {
    using Register = register_t<T>;
    const auto u = weights(w);
    constexpr std::size_t R = registers_of<T>, L = lines<T, In>;
    constexpr std::size_t columns = (L + across - 1) * ring, row = row_of(columns);
    Scratch<Register> v(A * In * row, Unset{});
    for (std::size_t first = 0; first < Grid::rows; first += L)
      for (std::size_t r = 0; r < R; ++r) {
        transform_input<columns>(x, first, r, v.data(), row);
        multiply<L * ring, In, Out, Out, 1>(
            u.data(), v.data(), row, [](std::size_t k) { return k; },
            [&](std::size_t t, std::size_t o, auto m) {
              Register z[M];
              Tile::template apply_transposed<typename Tile::A>(m, z);
              for (std::size_t j = 0; j < M; ++j)
                if (is_point(t, j)) finish(output(first, t, j) * R + r, o, z[j]);
            });
      }
  }

  /// d_x[tap(p, k), i] += Σ_o w[k, i, o] d_z[p, o], but for taps that go across a pole,
  /// d_w[k, i, o] += Σ_p Σ_lanes x[tap(p, k), i] d_z[p, o].
  template <class Real, class T>
  static void backward(const Real* w, const T* x, const T* d_z, T* d_x, Real* d_w) {
    using Register = register_t<T>;
    constexpr std::size_t R = registers_of<T>, L = lines<T, In + Out>;
    constexpr std::size_t columns = (L + across - 1) * ring, row = row_of(columns * R);
    const auto u = weights(w);
    Scratch<Register> v(A * In * row, Unset{}), d(A * Out * row, Unset{});
    Scratch<Real> d_u(across * A * pairs);
    auto* const to = reinterpret_cast<Register*>(d_x);
    for (std::size_t first = 0; first < Grid::rows; first += L) {
      for (std::size_t r = 0; r < R; ++r) {
        Register* const d_r = d.data() + r * columns;
        transform_gradient<columns>(d_z, first, r, d_r, row);
        multiply<L * ring, Out, In, 1, Out>(
            u.data(), d_r, row, [](std::size_t k) { return across - 1 - k; },
            [&](std::size_t t, std::size_t i, auto m) {
              Register sums[A];
              Tile::template apply_transposed<typename Tile::B>(m, sums);
              for (std::size_t j = 0; j < A; ++j) {
                auto& sum = to[(input(first, t + half * ring, j) * In + i) * R + r];
                sum = sum + sums[j];
              }
            });
      }
      for (std::size_t r = 0; r < R; ++r)
        transform_input<columns>(x, first, r, v.data() + r * columns, row);
      multiply_weights<R, L * ring, columns>(v.data(), d.data(), d_u.data());
    }
    for (std::size_t k = 0; k < across; ++k)
      for_each_pair<Real>([&]<class Numbers>(std::size_t n, Numbers) {
        Numbers products[A], taps[Taps];
        for (std::size_t a = 0; a < A; ++a) load(&d_u[(k * A + a) * pairs + n], products[a]);
        Tile::template apply_transposed<typename Tile::G>(products, taps);
        for (std::size_t j = 0; j < Taps; ++j) {
          Real* const sum = &d_w[(k * Taps + j) * pairs + n];
          Numbers before;
          load(sum, before);
          store(before + taps[j], sum);
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

  /// The row of a tile, and its place on that ring, without a division where there is one row.
  static constexpr std::size_t line_of(std::size_t tile) { return across == 1 ? 0 : tile / ring; }
  static constexpr std::size_t on_ring(std::size_t tile) {
    return across == 1 ? tile : tile % ring;
  }
  /// Whether output j of a tile is a point of its ring.
  static constexpr bool is_point(std::size_t tile, std::size_t j) {
    return Grid::columns % M == 0 || on_ring(tile) * M + j < Grid::columns;
  }
  /// The point of output j of a tile; tiles are counted from that of row `first` on,
  static constexpr std::size_t output(std::size_t first, std::size_t tile, std::size_t j) {
    return (first + line_of(tile)) * Grid::columns + on_ring(tile) * M + j;
  }
  /// and of input j; tiles are counted from that of the first row that row `first` sees on.
  static constexpr std::size_t input(std::size_t first, std::size_t tile, std::size_t j) {
    const std::size_t line = line_of(tile);
    const std::size_t row = std::min(first + std::max(line, half) - half, Grid::rows - 1);
    return Grid::point(row, first + line - row,
                       Ring<Grid::columns>::tap(on_ring(tile) * M, j, Taps));
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

  /// u[κ, α, i, o] = G w_κ.
  template <class Real>
  static Scratch<Real> weights(const Real* w) {
    Scratch<Real> u(across * A * pairs, Unset{});
    for (std::size_t k = 0; k < across; ++k)
      for_each_pair<Real>([&]<class Numbers>(std::size_t n, Numbers) {
        Numbers taps[Taps], products[A];
        for (std::size_t j = 0; j < Taps; ++j) load(w + (k * Taps + j) * pairs + n, taps[j]);
        Tile::template apply<typename Tile::G>(taps, products);
        for (std::size_t a = 0; a < A; ++a) store(products[a], &u[(k * A + a) * pairs + n]);
      });
    return u;
  }

  /// v[α, i, t] = Bᵀ x, of register r of the lanes, for the tiles that the rows from `first` on
  /// see; rows of v are `row` registers long.
  template <std::size_t Tiles, class T, class Register>
  static void transform_input(const T* x, std::size_t first, std::size_t r, Register* v,
                              std::size_t row) {
    transform<typename Tile::B, In, Tiles>(
        v, row, [&](std::size_t t, std::size_t j, std::size_t i) {
          return reinterpret_cast<const Register*>(x + input(first, t, j) * In + i)[r];
        });
  }
  /// d[α, o, t] = A d_z, the same; zero beyond the ends of a grid, unless its taps are
  /// permutations.
  template <std::size_t Tiles, class T, class Register>
  static void transform_gradient(const T* d_z, std::size_t first, std::size_t r, Register* d,
                                 std::size_t row) {
    const auto there = [&](std::size_t t) {
      const std::size_t at = first + line_of(t);
      return across == 1 || taps_permute<Geometry> || (at >= half && at < Grid::rows + half);
    };
    transform<typename Tile::A, Out, Tiles>(
        d, row, [&](std::size_t t, std::size_t j, std::size_t o) {
          if (!is_point(t, j) || !there(t)) return Register(0);
          return reinterpret_cast<const Register*>(d_z + input(first, t, j + Taps / 2) * Out +
                                                   o)[r];
        });
  }
  /// to[α, c, t] = Σ_j Matrix[α, j] read(t, j, c).
  template <class Matrix, std::size_t Channels, std::size_t Tiles, class Register, class Read>
  static void transform(Register* to, std::size_t row, const Read& read) {
    blocked<Channels, near>([&](std::size_t c0, std::size_t count) {
      for (std::size_t t = 0; t < Tiles; ++t)
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

  /// finish(t, b, m), m[α] = Σ_κ Σ_s u[κ, α, s·StepS + b·StepB] v[α, s, t + line(κ) · ring], s < S
  /// and b < B: a product of matrices for every α, for a few channels b and all α at a time, which
  /// stay in a near cache.
  template <std::size_t Tiles, std::size_t S, std::size_t B, std::size_t StepS, std::size_t StepB,
            class Real, class Register, class Line, class Finish>
  static void multiply(const Real* u, const Register* v, std::size_t row, const Line& line,
                       const Finish& finish) {
    constexpr std::size_t channels = 4, width = register_count == 32 ? 5 : 2;
    Scratch<Register> m(near * Tiles * A, Unset{});
    blocked<B, near>([&](std::size_t first, auto count) {
      for (std::size_t a = 0; a < A; ++a)
        blocked<Tiles, width>([&](std::size_t t0, auto tile_columns) {
          blocked<count, channels>([&](std::size_t b0, auto tile_channels) {
            constexpr std::size_t nb = tile_channels, nc = tile_columns;
            Register acc[nb * nc];
            unrolled<nb * nc>([&](auto n) __attribute__((always_inline)) { acc[n] = Register(0); });
            for (std::size_t k = 0; k < across; ++k) {
              const Real* weight = u + (k * A + a) * pairs + (first + b0) * StepB;
              const Register* from = v + a * S * row + t0 + line(k) * ring;
              for (std::size_t s = 0; s < S; ++s, weight += StepS, from += row) {
                Register value[nc];
                unrolled<nc>([&](auto c) __attribute__((always_inline)) {
                  value[c] = load_once(from + c);
                });
                unrolled<nb>([&](auto b) __attribute__((always_inline)) {
                  const Register one(weight[b * StepB]);
                  unrolled<nc>([&](auto c) __attribute__((always_inline)) {
                    accumulate(acc[b * nc + c], one, value[c]);
                  });
                });
              }
            }
            unrolled<nb * nc>([&](auto n) __attribute__((always_inline)) {
              m[((b0 + n / nc) * Tiles + t0 + n % nc) * A + a] = acc[n];
            });
          });
        });
      for (std::size_t t = 0; t < Tiles; ++t)
        for (std::size_t b = 0; b < count; ++b)
          finish(t, first + b, static_cast<const Register*>(&m[(b * Tiles + t) * A]));
    });
  }

  /// d_u[κ, α, i, o] += Σ_t Σ_lanes v[α, i, t + κ · ring] d[α, o, t + half · ring], over the tiles
  /// of the rows that are worked on.
  template <std::size_t R, std::size_t Tiles, std::size_t Columns, class Real, class Register>
  static void multiply_weights(const Register* v, const Register* d, Real* d_u) {
    constexpr std::size_t row = row_of(Columns * R);
    constexpr std::size_t rows = 4, width = register_count == 32 ? 4 : 2;
    for (std::size_t k = 0; k < across; ++k)
      for (std::size_t a = 0; a < A; ++a)
        blocked<In, rows>([&](std::size_t i0, auto tile_in) {
          blocked<Out, width>([&](std::size_t o0, auto tile_out) {
            constexpr std::size_t ni = tile_in, no = tile_out;
            Register acc[rows * width];
            unrolled<rows * width>([&](auto n)
                                       __attribute__((always_inline)) { acc[n] = Register(0); });
            for (std::size_t r = 0; r < R; ++r) {
              const Register* x = v + (a * In + i0) * row + r * Columns + k * ring;
              const Register* y = d + (a * Out + o0) * row + r * Columns + half * ring;
              for (std::size_t c = 0; c < Tiles; ++c) {
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
            }
            Real sums[rows * width];
            sum_registers<rows * width>(acc, sums);
            for (std::size_t i = 0; i < ni; ++i)
              for (std::size_t o = 0; o < no; ++o)
                d_u[(k * A + a) * pairs + (i0 + i) * Out + o0 + o] += sums[i * width + o];
          });
        });
  }
};

/// The kernels of minimal filtering where they are faster than direct sums: on rings of neighbours,
/// with 3 or 5 taps and channels enough that their products outweigh the transforms; else nothing.
template <class Geometry, std::size_t In, std::size_t Out, std::size_t Taps>
struct MinimalKernels {
  static constexpr bool faster = false;
};
template <class Geometry, std::size_t In, std::size_t Out, std::size_t Taps>
requires((Taps == 3 || Taps == 5) && In >= 8 && Out >= 8 && in_rings<Geometry> &&
         Rings<Geometry, Taps>::columns >=
             ToomCook<Taps>::products) struct MinimalKernels<Geometry, In, Out, Taps>
    : MinimalFiltering<Geometry, In, Out, Taps> {
  static constexpr bool faster = true;
};
}  // namespace detail

/// How convolutions are computed.
enum class Kernels {
  direct,  ///< sums over taps and channels: the truth, and what trained weights are used with
  minimal  ///< with fewer products where that is faster, for trainings: other round-off
};

}  // namespace dan
