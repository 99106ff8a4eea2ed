// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string_view>

/// \file
/// The version of the library; the build checks that it equals the project's.

#define DAN_VERSION_MAJOR 0
#define DAN_VERSION_MINOR 1
#define DAN_VERSION_PATCH 0

namespace dan {

/// "major.minor.patch".
inline constexpr std::string_view library_version = "0.1.0";

}  // namespace dan
