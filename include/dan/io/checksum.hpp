// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "dan/io/json.hpp"

namespace dan::detail {

/// 64-bit FNV-1a of the parts, one after the other, as 16 hexadecimal digits.
/// Source: Fowler, Noll and Vo, draft-eastlake-fnv.
[[gnu::cold]] inline std::string checksum(std::initializer_list<std::string_view> parts) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const auto bytes : parts)
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  std::string digits(16, '0');
  for (std::size_t i = 16; i-- > 0; hash >>= 4) digits[i] = "0123456789abcdef"[hash & 15];
  return digits;
}

/// Of all members of an object but `checksum`, as JSON with sorted keys and no spaces.
[[gnu::cold]] inline std::string checksum_of(nlohmann::ordered_json json) {
  json.erase("checksum");
  return checksum({with_sorted_keys(json).dump()});
}

}  // namespace dan::detail
