// SPDX-License-Identifier: BSD-3-Clause
// A user's program under MPI: a twin experiment whose runs the ranks share.
#include <cstdio>
#include <dan/analysis/etkf.hpp>
#include <dan/experiment/twin.hpp>
#include <dan/integrate/rk4.hpp>
#include <dan/models/lorenz96.hpp>
#include <dan/mpi/ranks.hpp>
#include <dan/observe/all.hpp>

int main(int argc, char** argv) {
  return dan::mpi_main(argc, argv, [](dan::MpiRanks& ranks) {
    using Lorenz = dan::Problem<dan::Rk4<dan::Lorenz96<40>>, dan::ObserveAll<40>>;
    const Lorenz problem;
    const dan::Etkf<Lorenz, 20> etkf(problem, {.inflation = {.factor = 1.02}});
    const auto scores = dan::run_twin(
        problem, etkf, {.runs = 4, .cycles = 300, .burn_in = 100, .progress = false}, ranks);
    if (ranks.rank() == 0) std::printf("%.15g\n", scores.analysis_rmse);
  });
}
