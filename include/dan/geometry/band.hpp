// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <span>
#include <type_traits>

#include "dan/core/error.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/processes.hpp"
#include "dan/core/simd.hpp"
#include "dan/geometry/torus.hpp"

/// \file
/// A state that is cut among processes: every rank has a band of rows of a torus, and a halo.

namespace dan {

/// `Rows` consecutive rows of a torus, its *own* ones, between two halos of `Width` rows, copies of
/// those that the neighbours own; a geometry of all of them.
///
/// It is a torus again: a stencil that leaves it comes in at the other end. So all that works on a
/// torus works on a band as it is, and what is r rows or more from its ends, for a stencil of
/// radius r, is what the whole torus has there, with the same bits; what is nearer is of no use.
/// Every use of a stencil takes r rows of the halo, and the next `Halo::exchange` gives them back.
template <class Whole, std::size_t Rows, std::size_t Width>
struct TorusBand : Torus<Rows + 2 * Width, Whole::columns> {
  static_assert(
      Rows > 0 && Whole::rows % Rows == 0,
      "TorusBand: Rows does not divide the rows of the torus, expected as many for every band");
  static_assert(
      Width <= Rows,
      "TorusBand: Width is more than Rows, expected at most as many rows of halo: it comes from "
      "the next band only; take fewer ranks, or exchange more often");
  static constexpr std::size_t own_rows = Rows, width = Width, bands = Whole::rows / Rows;
  static constexpr std::size_t own = Rows * Whole::columns;     ///< number of own points
  static constexpr std::size_t first = Width * Whole::columns;  ///< the first of them
};

/// Fills the halo of a band from its neighbours: rank n has rows n · Rows … (n + 1) · Rows − 1.
///
/// All ranks make the same calls. States are Band::points × channels elements of any type that
/// is copied as bytes. A call sends 2 · Width · columns · channels elements, to two neighbours.
template <class Band, Processes Ranks = OneProcess>
class Halo {
 public:
  /// Throws ConfigError unless there is a rank for every band.
  explicit Halo(const Ranks& processes = {}) : processes_(processes) {
    if (processes_.size() != Band::bands)
      throw ConfigError(to_text("Halo: processes has ", processes_.size(), " ranks, expected ",
                                Band::bands, ", one for each band of ", Band::own_rows,
                                " of the torus's ", Band::bands * Band::own_rows, " rows"));
  }

  [[nodiscard]] const Ranks& processes() const { return processes_; }
  /// The torus's row that is the first own one.
  [[nodiscard]] std::size_t first_row() const { return processes_.rank() * Band::own_rows; }

  /// x, whose own rows are known, gets its halo. Throws ShapeError unless its size is a multiple of
  /// the points.
  template <class T>
  void exchange(std::span<T> x) const {
    const Parts<T> parts("Halo::exchange", x);
    pass(parts.last, next(), parts.low, previous());
    pass(parts.first, previous(), parts.high, next());
  }

  /// The adjoint: own rows += what is in the neighbours' halos of them; the halo is zero then.
  ///
  /// Sums are in another order than of the whole torus, so that their last bits depend on the cut.
  /// Where they must not, let who owns a row compute all that is added to it: `exchange` the
  /// gradient that comes in, with a halo that reaches twice as far.
  template <class T>
  void exchange_adjoint(std::span<T> d_x) const {
    const Parts<T> parts("Halo::exchange_adjoint", d_x);
    const auto add = [&](std::span<T> halo, std::size_t to, std::span<T> own, std::size_t from) {
      Scratch<T> received(halo.size(), Unset{});
      pass(halo, to, std::span<T>(received), from);
      for (std::size_t i = 0; i < own.size(); ++i) own[i] += received[i];
    };
    add(parts.low, previous(), parts.last, next());
    add(parts.high, next(), parts.first, previous());
    for (const auto halo : {parts.low, parts.high})
      for (T& one : halo) one = T(real_t<T>(0));
  }

 private:
  /// The halo on either side, and the own rows that the neighbours have in theirs.
  template <class T>
  struct Parts {
    static_assert(std::is_trivially_copyable_v<T>, "Halo: elements are copied as bytes");
    std::span<T> low, first, last, high;

    Parts(const char* function, std::span<T> x) {
      if (x.size() % Band::points != 0)
        throw ShapeError(to_text(function, ": x has ", x.size(),
                                 " elements, expected a multiple of ", Band::points,
                                 ", the points of a band with its halo"));
      const std::size_t channels = x.size() / Band::points, n = Band::first * channels;
      low = x.first(n), first = x.subspan(n, n), last = x.subspan(Band::own * channels, n);
      high = x.last(n);
    }
  };

  [[nodiscard]] std::size_t next() const { return (processes_.rank() + 1) % Band::bands; }
  [[nodiscard]] std::size_t previous() const {
    return (processes_.rank() + Band::bands - 1) % Band::bands;
  }
  template <class T>
  void pass(std::span<T> mine, std::size_t to, std::span<T> theirs, std::size_t from) const {
    processes_.exchange(std::as_bytes(mine), to, std::as_writable_bytes(theirs), from);
  }

  Ranks processes_;
};

/// sum += rows[0] + rows[1] + …, of the own rows of all ranks in their order, on all ranks: the
/// bits are those of one rank. `rows` are own_rows × sum.size() numbers.
///
/// One rank after the other adds its rows. Cost: a broadcast of the sum for every rank.
template <class Real>
void sum_rows(Processes auto& processes, std::span<const Real> rows, std::span<Real> sum) {
  if (sum.empty() || rows.size() % sum.size() != 0)
    throw ShapeError(to_text("sum_rows: rows has ", rows.size(),
                             " numbers, expected a multiple of ", sum.size(),
                             ", those of the sum"));
  Scratch<Real> total(sum.size());
  for (std::size_t rank = 0; rank < processes.size(); ++rank) {
    if (rank == processes.rank())
      for (std::size_t row = 0; row < rows.size(); row += total.size())
        for (std::size_t i = 0; i < total.size(); ++i) total[i] += rows[row + i];
    processes.broadcast(std::as_writable_bytes(std::span<Real>(total)), rank);
  }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += total[i];
}

}  // namespace dan
