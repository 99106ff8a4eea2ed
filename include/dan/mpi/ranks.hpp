// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The C interface only: that of C++ was removed from MPI.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <limits>
#include <span>

#include "dan/core/error.hpp"
#include "dan/core/interrupt.hpp"

/// \file
/// Processes that talk by MPI; a program that includes this links MPI. It is not in dan.hpp.

namespace dan {

/// The ranks of an MPI communicator, as Processes.
///
/// A call that fails ends the whole job (MPI's own way, MPI_ERRORS_ARE_FATAL), and so does a rank
/// that is lost: what is left is the last checkpoint.
class MpiRanks {
 public:
  /// Of all processes; throws ConfigError before MPI_Init (see `mpi_main`).
  explicit MpiRanks(MPI_Comm among = MPI_COMM_WORLD) : among_(among) {
    int ready = 0;
    MPI_Initialized(&ready);
    if (ready == 0)
      throw ConfigError("MpiRanks: MPI is not initialised; call MPI_Init, or write mpi_main");
    int rank = 0, size = 1;
    MPI_Comm_rank(among_, &rank);
    MPI_Comm_size(among_, &size);
    rank_ = static_cast<std::size_t>(rank);
    size_ = static_cast<std::size_t>(size);
  }

  [[nodiscard]] std::size_t rank() const { return rank_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Cost: the bytes, log₂(size) times.
  void broadcast(std::span<std::byte> bytes, std::size_t from) const {
    for (std::size_t at = 0; at < bytes.size(); at += most)
      MPI_Bcast(bytes.data() + at, static_cast<int>(std::min(most, bytes.size() - at)), MPI_BYTE,
                static_cast<int>(from), among_);
  }
  [[nodiscard]] bool any(bool mine) const {
    int all = mine ? 1 : 0;
    MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_LOR, among_);
    return all != 0;
  }

  void exchange(std::span<const std::byte> mine, std::size_t to, std::span<std::byte> theirs,
                std::size_t from) const {
    for (std::size_t at = 0; at < mine.size(); at += most) {
      const int count = static_cast<int>(std::min(most, mine.size() - at));
      MPI_Sendrecv(mine.data() + at, count, MPI_BYTE, static_cast<int>(to), 0, theirs.data() + at,
                   count, MPI_BYTE, static_cast<int>(from), 0, among_, MPI_STATUS_IGNORE);
    }
  }

 private:
  static constexpr std::size_t most = std::numeric_limits<int>::max();  ///< bytes at a time
  MPI_Comm among_;
  std::size_t rank_ = 0, size_ = 1;
};

/// main of an MPI program: body(ranks), the exit code. An exception of one rank says its message
/// and ends the job with exit code 1, since the others would wait for it for ever; an interrupted
/// one, which all ranks agree on, ends with 130.
template <class Body>
int mpi_main(int argc, char** argv, const Body& body) {
  int threads = 0;  // only this one calls MPI, but each rank has more
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &threads);
  if (threads < MPI_THREAD_FUNNELED)
    std::fprintf(stderr, "mpi_main: this MPI knows no threads; give one for each rank\n");
  int code = 0;
  {
    const InterruptHandler handler;
    MpiRanks ranks;
    try {
      body(ranks);
    } catch (const Interrupted& stop) {
      if (ranks.rank() == 0) std::fprintf(stderr, "%s\n", stop.what());
      code = 130;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "error: rank %zu: %s\n", ranks.rank(), error.what());
      MPI_Abort(MPI_COMM_WORLD, 1);
    }
  }
  MPI_Finalize();
  return code;
}

}  // namespace dan
