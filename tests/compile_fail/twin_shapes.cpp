// SPDX-License-Identifier: BSD-3-Clause
// expect: run_twin: the analysis must be made for states and slots like the problem's
#include "dan/analysis/etkf.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/all.hpp"

using Truth = dan::Problem<dan::Rk4<dan::Lorenz96<8>>, dan::ObserveAll<8>>;
#ifdef MISUSE
using Believed = dan::Problem<dan::Rk4<dan::Lorenz96<4>>, dan::ObserveAll<4>>;
#else
using Believed =
    dan::Problem<dan::RungeKutta<dan::Lorenz96<8>, dan::HeunTableau>, dan::ObserveAll<8>>;
#endif
const auto scores = dan::run_twin(Truth{}, dan::Etkf<Believed, 3>(Believed{}));
