// SPDX-License-Identifier: BSD-3-Clause
// What most unit tests spend their compile time on.
#include "dan/core/linalg.hpp"
#include "dan/core/random.hpp"
#include "dan/core/tensor.hpp"
#include "dan/io/json.hpp"
