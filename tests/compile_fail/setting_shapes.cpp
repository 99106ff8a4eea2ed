// SPDX-License-Identifier: BSD-3-Clause
// expect: Setting: the observation network must observe states of the model's shape
#include "dan/analysis/setting.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/observe/full.hpp"

using Model = dan::Rk4<dan::Lorenz96<40>>;
#ifdef MISUSE
dan::Setting<Model, dan::FullNetwork<20>> setting;
#else
dan::Setting<Model, dan::FullNetwork<40>> setting;
#endif
