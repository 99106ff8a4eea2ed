// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/parallel.hpp"
#include "dan/core/simd.hpp"
#include "dan/core/tensor.hpp"
#include "dan/network/convolution.hpp"

namespace dan {

namespace detail {
/// Work on a parameter array is cut into blocks of this size, whatever the number of threads.
inline constexpr std::size_t parameter_block = 8192;

template <class T>
[[nodiscard]] T load(const real_t<T>* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
void store(const T& value, real_t<T>* to) {
  std::memcpy(to, &value, sizeof value);
}

/// call(i, T()) for i from `begin` to `end`, T = one SIMD register of Real and, for the rest, Real.
template <class Real, class F>
void for_each_number(std::size_t begin, std::size_t end, const F& call) {
  using T = Pack<Real, simd_width<Real>>;
  for (; begin + simd_width<Real> <= end; begin += simd_width<Real>) call(begin, T());
  for (; begin < end; ++begin) call(begin, Real());
}
}  // namespace detail

/// The norm of the sum of gradients; the sum, in their order, replaces the first one.
///
/// Throws ShapeError unless all have one size. The number of threads changes no bit.
template <class Real>
double sum_gradients(const std::vector<std::span<Real>>& gradients, Workers& workers) {
  const std::size_t size = gradients.front().size();
  for (const auto& other : gradients)
    require_size("sum_gradients", "gradient", other.size(), size, "parameter");
  constexpr std::size_t block = detail::parameter_block;
  std::vector<double> squares((size + block - 1) / block);
  workers.for_each(squares.size(), [&](std::size_t n) {
    Pack<Real, simd_width<Real>> square(Real(0));
    const std::size_t end = std::min(size, (n + 1) * block);
    detail::for_each_number<Real>(n * block, end, [&]<class T>(std::size_t i, T) {
      T sum = detail::load<T>(&gradients.front()[i]);
      for (std::size_t g = 1; g < gradients.size(); ++g) sum += detail::load<T>(&gradients[g][i]);
      detail::store(sum, &gradients.front()[i]);
      if constexpr (std::is_same_v<T, Real>)
        squares[n] += static_cast<double>(sum * sum);
      else
        square += sum * sum;
    });
    squares[n] += static_cast<double>(sum_lanes(square));
  });
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

/// Settings of Adam.
struct AdamConfig {
  double beta1 = 0.9;     ///< decay of the mean gradient
  double beta2 = 0.99;    ///< decay of the mean squared gradient
  double epsilon = 1e-8;  ///< added to the root of the mean squared gradient
};

/// Limits the norm of a gradient to `most` times the running mean of the norms before.
///
/// One run that has lost the truth can have a gradient of any size, which would be all that an
/// optimiser's momentum knows for its memory's length.
struct NormLimit {
  double most;
  double mean = 0;  ///< of limited norms, over about 50; 0: none yet

  /// What to multiply a gradient of this norm with.
  double factor(double norm) {
    if (mean == 0) mean = norm;
    const double limited = std::min(norm, most * mean);
    mean += 0.02 * (limited - mean);
    return norm > 0 ? limited / norm : 1;
  }
};

/// A matrix inside a flat parameter array: rows × columns, row-major.
struct MatrixPlace {
  std::size_t offset, rows, columns;
};

/// Settings of Muon.
struct MuonConfig {
  double momentum = 0.95;  ///< decay of the summed gradients
  double rate = 3;         ///< learning rate of the matrices in units of Adam's
};

namespace detail {
/// The height of a register tile of `product`.
inline constexpr std::size_t product_rows = 8;

/// out[i, j] = Σ_k a[i · StepI + k · StepK] b[k, j] for i < rows, j < columns, k < depth.
///
/// `b`, `out`: row-major and aligned; rows a multiple of `product_rows`, columns of the SIMD width.
/// A tile of rows × one register of columns stays in registers while the sum runs.
template <class Real>
void product(const Real* a, std::size_t step_i, std::size_t step_k, const Real* b, Real* out,
             std::size_t rows, std::size_t columns, std::size_t depth) {
  using Register = register_t<Pack<Real, simd_width<Real>>>;
  for (std::size_t i0 = 0; i0 < rows; i0 += product_rows)
    for (std::size_t j = 0; j < columns; j += simd_width<Real>) {
      Register acc[product_rows];
      unrolled<product_rows>([&](auto i)
                                 __attribute__((always_inline)) { acc[i] = Register(Real(0)); });
      const Real* from = a + i0 * step_i;
      for (std::size_t k = 0; k < depth; ++k, from += step_k) {
        const Register row = load_once(reinterpret_cast<const Register*>(b + k * columns + j));
        unrolled<product_rows>([&](auto i) __attribute__((always_inline)) {
          accumulate(acc[i], Register(from[i * step_i]), row);
        });
      }
      unrolled<product_rows>([&](auto i) __attribute__((always_inline)) {
        *reinterpret_cast<Register*>(out + (i0 + i) * columns + j) = acc[i];
      });
    }
}
}  // namespace detail

/// The nearest matrix with orthonormal columns, roughly: all singular values between 0.7 and 1.2.
///
/// Five Newton–Schulz iterations X ← X (a + b G + c G²), G = XᵀX, from X = `matrix` over its
/// Frobenius norm; a = 3.4445, b = −4.7750, c = 2.0315. `matrix`: rows × columns with
/// columns ≤ rows, row-major, overwritten. A zero matrix stays zero. Cost: 10 · columns² ·
/// (2 · rows + columns) flops, with rows and columns rounded up to whole tiles; memory: two
/// copies. Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
template <class Real>
void orthogonalise(std::span<Real> matrix, std::size_t rows, std::size_t columns) {
  constexpr auto a = static_cast<Real>(3.4445), b = static_cast<Real>(-4.7750),
                 c = static_cast<Real>(2.0315);
  require_size("orthogonalise", "matrix", matrix.size(), rows * columns, "element");
  double square = 0;
  for (const Real x : matrix) square += static_cast<double>(x) * static_cast<double>(x);
  if (square == 0) return;
  const auto scale = static_cast<Real>(1 / std::sqrt(square));
  // Padded with zeros, which stay zeros.
  const auto padded = [](std::size_t n, std::size_t to) { return (n + to - 1) / to * to; };
  const std::size_t m = padded(rows, detail::product_rows),
                    n = padded(columns, std::max(detail::product_rows, simd_width<Real>));
  std::vector<Real, AlignedAllocator<Real>> x(m * n), y(m * n), gram(n * n), poly(n * n);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < columns; ++j) x[r * n + j] = scale * matrix[r * columns + j];
  for (int iteration = 0; iteration < 5; ++iteration) {
    detail::product(x.data(), 1, n, x.data(), gram.data(), n, n, m);
    detail::product(gram.data(), n, 1, gram.data(), poly.data(), n, n, n);
    for (std::size_t i = 0; i < n * n; ++i) poly[i] = c * poly[i] + b * gram[i];
    for (std::size_t i = 0; i < n; ++i) poly[i * n + i] += a;
    detail::product(x.data(), n, 1, poly.data(), y.data(), m, n, n);
    std::swap(x, y);
  }
  for (std::size_t r = 0; r < rows; ++r) std::copy_n(&x[r * n], columns, &matrix[r * columns]);
}

/// Adam, and Muon for those parameters that form matrices.
///
/// Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², with bias correction m̂, v̂;
/// θ ← θ − rate · m̂ / (√v̂ + ε). Muon, for a matrix W with gradient G: M ← μ M + G,
/// W ← W − rate · factor · orthogonalised(G + μ M). Without matrices it is plain Adam.
/// Memory: two numbers per parameter. Matrices, and blocks of the other parameters, are updated in
/// parallel; the number of threads changes no bit. Sources: Kingma and Ba, ICLR 2015, algorithm 1;
/// Jordan et al. (2024), with Nesterov momentum.
template <class Real>
class Optimiser {
 public:
  /// `matrices` must be in order of their offsets and must not overlap.
  explicit Optimiser(std::size_t parameters, const AdamConfig& adam = {},
                     std::vector<MatrixPlace> matrices = {}, const MuonConfig& muon = {})
      : adam_(adam),
        muon_(muon),
        matrices_(std::move(matrices)),
        first_(parameters),
        second_(parameters) {
    std::size_t begin = 0;
    const auto add_blocks = [&](std::size_t end) {
      for (; begin < end; begin = blocks_.back().end)
        blocks_.push_back({begin, std::min(end, begin + detail::parameter_block)});
    };
    for (const auto& [offset, rows, columns] : matrices_) {
      add_blocks(offset);
      begin = offset + rows * columns;
    }
    add_blocks(parameters);
  }

  /// One update of `params` in place, with `scale` times the gradient.
  void update(std::span<Real> params, std::span<const Real> gradient, double rate, Workers& workers,
              double scale = 1) {
    require_size("Optimiser::update", "params", params.size(), first_.size(), "parameter");
    require_size("Optimiser::update", "gradient", gradient.size(), first_.size(), "parameter");
    ++updates_;
    const auto factor = static_cast<Real>(scale);
    workers.for_each(matrices_.size() + blocks_.size(), [&](std::size_t n) {
      if (n < matrices_.size())
        muon(params.data(), gradient.data(), matrices_[n], rate, factor);
      else
        adam(params.data(), gradient.data(), blocks_[n - matrices_.size()], rate, factor);
    });
  }

  /// What a checkpoint must hold: two moments per parameter and the number of updates.
  [[nodiscard]] std::span<Real> first() { return first_; }
  [[nodiscard]] std::span<Real> second() { return second_; }
  [[nodiscard]] std::size_t& updates() { return updates_; }

 private:
  /// Parameters begin … end − 1, which Adam updates.
  struct Block {
    std::size_t begin, end;
  };

  void adam(Real* params, const Real* gradient, const Block& block, double rate, Real factor) {
    const auto n = static_cast<double>(updates_);
    const auto b1 = static_cast<Real>(adam_.beta1), b2 = static_cast<Real>(adam_.beta2);
    const auto step = static_cast<Real>(rate / (1 - std::pow(adam_.beta1, n)));
    const auto scale = static_cast<Real>(1 / std::sqrt(1 - std::pow(adam_.beta2, n)));
    const auto epsilon = static_cast<Real>(adam_.epsilon);
    detail::for_each_number<Real>(block.begin, block.end, [&]<class T>(std::size_t i, T) {
      using std::sqrt;
      const T g = factor * detail::load<T>(gradient + i);
      const T m = b1 * detail::load<T>(&first_[i]) + (Real(1) - b1) * g;
      const T v = b2 * detail::load<T>(&second_[i]) + (Real(1) - b2) * g * g;
      detail::store(m, &first_[i]);
      detail::store(v, &second_[i]);
      detail::store<T>(detail::load<T>(params + i) - step * m / (scale * sqrt(v) + epsilon),
                       params + i);
    });
  }

  void muon(Real* params, const Real* gradient, const MatrixPlace& place, double rate,
            Real factor) {
    const auto mu = static_cast<Real>(muon_.momentum), step = static_cast<Real>(rate * muon_.rate);
    const std::size_t size = place.rows * place.columns;
    Real *sum = &first_[place.offset], *direction = &second_[place.offset];
    for (std::size_t i = 0; i < size; ++i) {
      const Real g = factor * gradient[place.offset + i];
      sum[i] = mu * sum[i] + g;
      direction[i] = g + mu * sum[i];
    }
    orthogonalise(std::span<Real>(direction, size), place.rows, place.columns);
    for (std::size_t i = 0; i < size; ++i) params[place.offset + i] -= step * direction[i];
  }

  AdamConfig adam_;
  MuonConfig muon_;
  std::vector<MatrixPlace> matrices_;
  std::vector<Block> blocks_;                                 ///< of what is in no matrix
  std::vector<Real, AlignedAllocator<Real>> first_, second_;  ///< Adam's m and v; Muon's M
  std::size_t updates_ = 0;
};

}  // namespace dan
