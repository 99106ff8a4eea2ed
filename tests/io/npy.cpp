// SPDX-License-Identifier: BSD-3-Clause
#include "dan/io/npy.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <string>

#include "support/reference.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;
using test::TemporaryFolder;

namespace {
Matrix example() {
  auto a = zeros<double>(3, 4);
  for (std::size_t i = 0; i < a.size(); ++i) a.data()[i] = 0.1 * static_cast<double>(i) - 0.5;
  return a;
}
/// Writes bytes the quick way.
void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}
/// Writes an NPY file with this dictionary and `count` bytes of zeros.
void write_raw(const std::filesystem::path& path, std::string header, std::size_t count) {
  header += '\n';
  std::ofstream out(path, std::ios::binary);
  out << "\x93NUMPY" << '\x01' << '\0' << static_cast<char>(header.size()) << '\0' << header
      << std::string(count, '\0');
}
}  // namespace

TEST_CASE("npy: a tensor comes back") {
  const TemporaryFolder folder;
  save_npy(folder / "a.npy", example());
  CHECK(load_npy<2>(folder / "a.npy") == example());
  Vector empty;
  save_npy(folder / "empty.npy", empty);
  CHECK(load_npy<1>(folder / "empty.npy").size() == 0);
  CHECK(folder.files() == 2);
}

TEST_CASE("npy: column-major files are read in the right order") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  write_raw(path, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", 0);
  std::ofstream out(path, std::ios::binary | std::ios::app);
  for (const double x : {0.0, 10.0, 1.0, 11.0, 2.0, 12.0})
    out.write(reinterpret_cast<const char*>(&x), sizeof x);
  out.close();
  const auto a = load_npy<2>(path);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 3; ++j) CHECK(a(i, j) == static_cast<double>(10 * i + j));
}

TEST_CASE("npy: files of another kind and damaged files are errors") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  const auto error = [&](const std::string& part) {
    CHECK_THROWS_WITH_AS(static_cast<void>(load_npy<2>(path)), doctest::Contains(part.c_str()),
                         FileError);
  };
  error("cannot read");
  save_npy(path, zeros<double>(3));
  error("has 1 dimensions, expected 2");

  save_npy(path, example());
  const std::string whole = read_file("test", path);
  for (const std::size_t length : {0U, 5U, 12U, 13U, 40U, 128U, 200U}) {
    write(path, whole.substr(0, length));
    CHECK_THROWS_AS(static_cast<void>(load_npy<2>(path)), FileError);
  }
  write(path, whole + "x");
  error("97 bytes of data, expected 8");

  write_raw(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 16);
  error("16 bytes of data, expected 8");
  write_raw(path, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }", 32);
  error("array of double");
  for (const std::string shape :
       {"4294967296, 4294967296", "99999999999, 1000", "99999999999999999999999, 1", "-1, -4"}) {
    write_raw(path, "{'descr': '<f8', 'fortran_order': False, 'shape': (" + shape + "), }", 32);
    error("a.npy");
  }
  write_raw(path, "{nonsense}", 16);
  error("a.npy");
}

TEST_CASE("npy: reference files") {
  const auto folder = test::reference("dapper_l96_n20");
  if (!folder) return;
  CHECK(load_npy<2>(*folder / "E0.npy").shape()[1] == 20);
  CHECK(load_npy<3>(*folder / "analysis_etkf_infl1.04.npy").shape()[0] == 6);
}
