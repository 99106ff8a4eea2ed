// SPDX-License-Identifier: BSD-3-Clause
// An older standard, which is the default of g++ 12: one error, not ten thousand.
// flags: -std=c++17
// expect: dan: needs C++20: add -std=c++20
#include "dan/dan.hpp"

int main() { return 0; }
