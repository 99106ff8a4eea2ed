// SPDX-License-Identifier: BSD-3-Clause
// The whole program as one translation unit.
#include "main.cpp"
#include "other.cpp"
