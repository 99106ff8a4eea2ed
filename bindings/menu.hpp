// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

#include "../apps/dan/menu.hpp"

// A model of the caller's, with so many variables.
inline constexpr std::size_t callers_size = 40;
dan::app::ProblemEntry callers_model();

/// What the bindings can name: the problems of the program `dan`, and one for a model of the
/// caller's.
inline const dan::app::Menu& menu_of_bindings() {
  static const dan::app::Menu menu = [] {
    dan::app::Menu all;
    for (const auto& entry :
         {lorenz96, lorenz96_from_file, lorenz63, kuramoto_sivashinsky, callers_model})
      all.add(entry());
    return all;
  }();
  return menu;
}
