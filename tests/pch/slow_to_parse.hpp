// SPDX-License-Identifier: BSD-3-Clause
// Precompiled for the tests: headers that take seconds to parse. Tests include what they use all
// the same; `check.py alone` compiles without this file.
#pragma once
#include <doctest/doctest.h>

#include "dan/core/linalg.hpp"
#include "dan/core/simd.hpp"
#include "dan/io/json.hpp"
