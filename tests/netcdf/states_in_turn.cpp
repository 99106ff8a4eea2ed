// SPDX-License-Identifier: BSD-3-Clause
// Writes states over time, and reads what is there: tests/faults stops it at every write.
//   states_in_turn write FILE CYCLES
//   states_in_turn read FILE            prints how many cycles the file has, if all are right
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/netcdf/states.hpp"

namespace {
std::vector<double> numbers(std::size_t cycle, std::size_t count) {
  std::vector<double> out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<double>(cycle) + static_cast<double>(i) / 8192;
  return out;
}
constexpr std::size_t points = 40, members = 20;
}  // namespace

int main(int argc, char** argv) {
  using namespace dan;
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    if (words.size() == 3 && words[0] == "write") {
      StatesFile<Ring<points>> file(words[1],
                                    {.fields = {{"state"}, {"ensemble", "", "1", members}}});
      const std::size_t cycles = std::stoul(words[2]);
      for (std::size_t k = 0; k < cycles; ++k)
        file.append(static_cast<double>(k), {numbers(k, points), numbers(k, members * points)});
      return 0;
    }
    if (words.size() == 2 && words[0] == "read") {
      const auto state = load_states(words[1], "state"),
                 ensemble = load_states(words[1], "ensemble");
      const std::size_t cycles = state.time.size();
      for (std::size_t k = 0; k < cycles; ++k) {
        bool right = state.time[k] == static_cast<double>(k);
        for (std::size_t i = 0; i < points; ++i)
          right &= state.values(k, i) == numbers(k, points)[i];
        for (std::size_t i = 0; i < members * points; ++i)
          right &= ensemble.values(k, i) == numbers(k, members * points)[i];
        if (!right) throw FileError(to_text(words[1], ": cycle ", k, " is wrong"));
      }
      std::printf("%zu\n", cycles);
      return 0;
    }
    std::fputs("usage: states_in_turn write FILE CYCLES | states_in_turn read FILE\n", stderr);
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
