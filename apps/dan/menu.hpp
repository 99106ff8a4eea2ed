// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "dan/app/menu.hpp"

// The problems of the program `dan`, a file each.
dan::app::ProblemEntry lorenz96();
dan::app::ProblemEntry lorenz96_from_file();
dan::app::ProblemEntry lorenz63();
dan::app::ProblemEntry kuramoto_sivashinsky();
