# SPDX-License-Identifier: BSD-3-Clause
# The target dan::dan and what it needs; the headers are in ${dan_include}.
find_package(Threads REQUIRED)
find_package(xtensor REQUIRED)
find_package(xsimd REQUIRED)
find_package(nlohmann_json REQUIRED)
find_library(OpenBLAS_LIBRARY openblas REQUIRED)  # Debian 13's own package names a file that is not there

if(NOT TARGET dan::dan)
  add_library(dan::dan INTERFACE IMPORTED GLOBAL)
  target_compile_features(dan::dan INTERFACE cxx_std_20)
  target_include_directories(dan::dan INTERFACE "${dan_include}")
  # GCC bug 108599, see dan/core/compiler.hpp.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64|i[3-6]86)$")
    set(dan_needs "$<AND:$<COMPILE_LANG_AND_ID:CXX,GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,12>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,12.4>>")
    target_compile_options(dan::dan INTERFACE "$<${dan_needs}:-fno-tree-slp-vectorize>")
    target_compile_definitions(dan::dan INTERFACE "$<${dan_needs}:DAN_NO_TREE_SLP_VECTORIZE>")
    unset(dan_needs)
  endif()
  target_link_libraries(dan::dan INTERFACE
    xtensor xsimd nlohmann_json::nlohmann_json ${OpenBLAS_LIBRARY} Threads::Threads)
endif()
