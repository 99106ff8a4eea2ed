// SPDX-License-Identifier: BSD-3-Clause
// The only file with doctest's main, which is slow to compile.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <string>

#include "dan/version.hpp"

TEST_CASE("version: the header and the build agree") {
  CHECK(dan::library_version == DAN_PROJECT_VERSION);
  CHECK(dan::library_version == std::to_string(DAN_VERSION_MAJOR) + "." +
                                    std::to_string(DAN_VERSION_MINOR) + "." +
                                    std::to_string(DAN_VERSION_PATCH));
}
