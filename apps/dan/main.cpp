// SPDX-License-Identifier: BSD-3-Clause
// The command line of the library: `dan --help`.
#include "dan/app/main.hpp"

#include "menu.hpp"

int main(int argc, char** argv) {
  dan::app::Menu menu;
  for (const auto& entry : {lorenz96, lorenz96_from_file, lorenz63, kuramoto_sivashinsky})
    menu.add(entry());
  return dan::app::main(argc, argv, menu);
}
