// SPDX-License-Identifier: BSD-3-Clause
#include "dan/io/npy.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>

#include "dan/core/random.hpp"
#include "support/reference.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;
using test::TemporaryFolder;

namespace {
Matrix example() {
  auto a = zero_tensor<double>(3, 4);
  for (std::size_t i = 0; i < a.size(); ++i) a.data()[i] = 0.1 * static_cast<double>(i) - 0.5;
  return a;
}
/// Writes bytes the quick way.
void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}
/// An NPY file with this dictionary, filled up with spaces to `length` bytes, and data.
std::string raw(std::string header, const std::string& data, std::size_t length = 0,
                int version = 1) {
  if (header.size() + 1 < length) header.resize(length - 1, ' ');
  header += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (std::size_t i = 0; i < (version == 1 ? 2U : 4U); ++i)
    bytes += static_cast<char>(header.size() >> (8 * i) & 255);
  return bytes + header + data;
}
/// `count` bytes of numbers 1, 2, 3, …
std::string numbers(std::size_t count) {
  std::string data;
  for (double x = 1; data.size() < count; ++x) data.append(reinterpret_cast<const char*>(&x), 8);
  data.resize(count);
  return data;
}
std::string dictionary(const std::string& shape, const std::string& type = "<f8",
                       const std::string& fortran = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}
}  // namespace

TEST_CASE("npy: a tensor comes back") {
  const TemporaryFolder folder;
  save_npy(folder / "a.npy", example());
  const bool same = load_npy<2>(folder / "a.npy") == example();  // doctest would print tensors
  CHECK(same);
  Vector empty;
  save_npy(folder / "empty.npy", empty);
  CHECK(load_npy<1>(folder / "empty.npy").size() == 0);
  CHECK(folder.files() == 2);
}

TEST_CASE("npy: what is written is what NumPy writes") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  const auto header = [&](const auto& tensor, const std::string& shape) {
    save_npy(path, tensor);
    const std::string bytes = read_file("test", path);
    CHECK((bytes.size() - 8 * tensor.size()) % 64 == 0);
    CHECK(bytes == raw(dictionary(shape), bytes.substr(bytes.size() - 8 * tensor.size()), 118));
  };
  header(example(), "(3, 4)");
  header(zero_tensor<double>(5), "(5,)");
  header(zero_tensor<double>(2, 0, 7), "(2, 0, 7)");
}

TEST_CASE("npy: column-major files are read in the right order") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  write(path, raw(dictionary("(2, 3)", "<f8", "True"), numbers(48)));
  const auto a = load_npy<2>(path);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 3; ++j) CHECK(a(i, j) == static_cast<double>(1 + i + 2 * j));
  write(path, raw(dictionary("(2, 3, 2)", "<f8", "True"), numbers(96)));
  const auto b = load_npy<3>(path);
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      for (std::size_t k = 0; k < 2; ++k)
        CHECK(b(i, j, k) == static_cast<double>(1 + i + 2 * j + 6 * k));
}

TEST_CASE("npy: every spelling of a right header") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  const auto right = [&](const std::string& bytes) {
    CAPTURE(bytes.substr(0, 80));
    write(path, bytes);
    Matrix a;
    CHECK_NOTHROW(a = load_npy<2>(path));
    REQUIRE(a.size() == 6);
    CHECK(a.shape()[0] == 2);
    for (std::size_t i = 0; i < 6; ++i) CHECK(a.data()[i] == static_cast<double>(i + 1));
  };
  const std::string data = numbers(48), usual = dictionary("(2, 3)");
  for (const std::string header :
       {"{'fortran_order': False, 'descr': '<f8', 'shape': (2, 3), }",
        "{'shape': (2, 3), 'fortran_order': False, 'descr': '<f8'}",
        "{\"descr\": '<f8', 'fortran_order': False, 'shape': (2, 3), }",
        "{\"descr\": \"<f8\", \"fortran_order\": False, \"shape\": (2, 3)}",
        " { 'descr' : '<f8' , 'fortran_order' :False,'shape':(2,3,) , } "})
    right(raw(header, data));
  // Long ones are what NumPy writes for long shapes and types.
  for (const std::size_t length : {118U, 127U, 128U, 182U, 246U, 256U, 310U, 384U, 4086U, 65535U})
    right(raw(usual, data, length));
  for (const int version : {2, 3}) right(raw(usual, data, 116, version));
  right(raw(usual, data, 70000, 2));

  write(path, raw(dictionary("(3,)"), numbers(24)));
  CHECK(load_npy<1>(path)(2) == 3);
  write(path, raw(dictionary("()"), numbers(8)));
  CHECK(*load_npy<0>(path).data() == 1);
  write(path, raw(dictionary("(0, 18446744073709551615)"), ""));
  CHECK(load_npy<2>(path).size() == 0);
}

TEST_CASE("npy: what a header may not be") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  const auto wrong = [&](const std::string& header, std::size_t size, const std::string& part) {
    CAPTURE(header);
    write(path, raw(header, numbers(size)));
    CHECK_THROWS_WITH_AS(static_cast<void>(load_npy<2>(path)), doctest::Contains(part.c_str()),
                         FileError);
  };
  const std::string rest = "'descr': '<f8', 'fortran_order': False, 'shape': ";
  for (const std::string shape :
       {"(100, 200)", "(400000, 400000)", "(4294967296, 4294967296)", "(4294967297, 4294967295)"}) {
    wrong("{'x': (2, 3), " + rest + shape + ", }", 48, "the key 'x', expected 'descr'");
    wrong("{" + rest + shape + ", }", 48, "48 bytes of data, expected 8");
  }
  wrong("{'descr': '<f8', 'fortran_order': False, 'shape'(2, 3: (50, 60), }", 48,
        "'(' where ':' belongs");
  wrong(dictionary("(1 2, 4)"), 64, "lacks a comma");
  wrong(dictionary("(6. 40, 20)"), 38400, "lacks a comma");
  wrong(dictionary("(2;3)"), 48, "lacks a comma");
  wrong(dictionary("(+2, 3)"), 48, "'+' where a number belongs");
  wrong(dictionary("(-2, -3)"), 48, "'-' where a number belongs");
  wrong(dictionary("(02, 3)"), 48, "where a number belongs");
  wrong(dictionary("(2,, 3)"), 48, "where a number belongs");
  wrong(dictionary("(99999999999999999999999, 1)"), 48, "beyond 2^64");
  wrong(dictionary("(6)"), 48, "the comma of a tuple");
  wrong(dictionary("[2, 3]"), 48, "'[' where '(' belongs");
  wrong(dictionary("(2, 3"), 48, "where a number belongs");
  wrong(dictionary("(6,)"), 48, "has 1 dimensions, expected 2");
  wrong(dictionary("(2, 3)", "<f8", "false"), 48, "neither True nor False");
  wrong(dictionary("(2, 3)", "<f8", "0"), 48, "neither True nor False");
  wrong("{" + rest + "(2, 3), 'shape': (2, 3)}", 48, "'shape' twice");
  wrong("{" + rest + "(2, 3), 'descr': '<f8'}", 48, "'descr' twice");
  wrong("{'descr': '<f8', 'fortran_order': False}", 48, "without 'shape'");
  wrong("{'descr': '<f8', 'shape': (2, 3)}", 48, "without 'fortran_order'");
  wrong("{'fortran_order': False, 'shape': (2, 3)}", 48, "without 'descr'");
  wrong("{" + rest + "(2, 3)} x", 48, "after the dictionary");
  wrong("{" + rest + "(2, 3)", 48, "'' where '}' belongs");
  wrong("{'descr", 48, "a key that does not end");
  wrong("{descr: '<f8'}", 48, "without quotes around a key");
  wrong("{'descr': <f8}", 48, "without quotes around its type");
  wrong("{}", 48, "without 'descr'");
  wrong("[]", 48, "'[' where '{' belongs");
  wrong("", 48, "'' where '{' belongs");

  // The type that was found is named, whatever the size of the data.
  for (const std::size_t size : {16U, 32U, 48U}) {
    wrong(dictionary("(2, 2)", "<f4"), size, "'<f4' (float32), expected '<f8' (float64); convert");
    wrong(dictionary("(2, 2)", ">f8"), size, "'>f8' (float64, big endian), expected '<f8'");
    wrong(dictionary("(2, 2)", "<i8"), size, "'<i8' (int64), expected");
    wrong(dictionary("(2, 3)", "<f2"), size, "'<f2' (float16), expected");
    wrong(dictionary("(2, 2)", "<c16"), size, "'<c16' (complex128), expected");
    wrong(dictionary("(2, 2)", "|b1"), size, "'|b1' (bool), expected");
    wrong(dictionary("(2, 2)", "|O"), size, "'|O', expected");
    wrong(dictionary("(2, 2)", ""), size, "'', expected");
  }
  wrong("{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (6,)}", 48, "holds records");
}

TEST_CASE("npy: damaged files are errors") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  const auto error = [&](const std::string& part) {
    CHECK_THROWS_WITH_AS(static_cast<void>(load_npy<2>(path)), doctest::Contains(part.c_str()),
                         FileError);
  };
  error("cannot read");
  save_npy(path, zero_tensor<double>(3));
  error("has 1 dimensions, expected 2");
  save_npy(path, example());
  const std::string whole = read_file("test", path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write(path, whole.substr(0, length));
    CHECK_THROWS_AS(static_cast<void>(load_npy<2>(path)), FileError);
  }
  write(path, whole + "x");
  error("97 bytes of data, expected 8");
  write(path, raw(dictionary("(2, 3)"), numbers(48), 0, 4));
  error("version 4.0, expected 1.0, 2.0 or 3.0");
  write(path, std::string("\x93NUMPY\2\0\1\0", 10));
  error("no whole header");
  write(path, std::string("\x93NUMPY\2\0\xff\xff\xff\xff{", 13));
  error("no whole header");
}

TEST_CASE("npy: random damage is an error or leaves numbers of the file") {
  const TemporaryFolder folder;
  const auto path = folder / "a.npy";
  const std::string data = numbers(48);
  const std::array<std::string, 4> headers{
      dictionary("(2, 3)") + std::string(20, ' '), dictionary("(3, 2)", "<f8", "True"),
      "{\"shape\": (1, 6,), 'descr':'<f8','fortran_order':False}", dictionary("(6, 1)")};
  constexpr std::string_view alphabet = "'\"{}(), :0123456789<f8TrueFalse\n-+.";
  std::size_t accepted = 0;
  for (std::size_t n = 0; n < 6000; ++n) {
    std::array<double, 16> random;
    fill_uniform<double>({.seed = 7, .purpose = Purpose::user, .run = n}, random);
    const auto below = [&](std::size_t i, std::size_t limit) {
      return static_cast<std::size_t>(random[i] * static_cast<double>(limit));
    };
    // Half of the damage hits the header and leaves its length right.
    const bool whole = n % 2 == 0;
    const int version = n % 5 == 0 ? 2 : 1;
    std::string bytes = headers[n / 2 % headers.size()];
    if (whole) bytes = raw(bytes, data, 0, version);
    for (std::size_t k = 0; k <= below(0, 3); ++k) {
      const std::size_t i = 1 + 5 * k, at = below(i, bytes.size());
      const char byte = random[i + 1] < 0.8 ? alphabet[below(i + 2, alphabet.size())]
                                            : static_cast<char>(below(i + 2, 256));
      switch (below(i + 3, 5)) {
        case 0:
          bytes.insert(at, 1, byte);
          break;
        case 1:
          bytes.erase(at, 1);
          break;
        case 2:
          bytes.insert(at, bytes.substr(below(i + 4, bytes.size()), 5));
          break;
        default:
          bytes[at] = byte;
      }
    }
    if (!whole) bytes = raw(bytes, data, 0, version);
    write(path, bytes);
    try {
      const auto a = load_npy<2>(path);
      ++accepted;
      // The data are the end of the file: those, in one of the two orders.
      REQUIRE(a.size() == a.shape()[0] * a.shape()[1]);
      REQUIRE(8 * a.size() <= bytes.size());
      const std::string_view end = std::string_view(bytes).substr(bytes.size() - 8 * a.size());
      const bool columns = bytes.find("True") != std::string::npos;
      for (std::size_t i = 0; i < a.shape()[0]; ++i)
        for (std::size_t j = 0; j < a.shape()[1]; ++j) {
          const std::size_t at = columns ? i + j * a.shape()[0] : i * a.shape()[1] + j;
          REQUIRE(std::memcmp(end.data() + 8 * at, &a(i, j), 8) == 0);
        }
    } catch (const FileError& e) {
      CHECK(std::string_view(e.what()).starts_with("load_npy: "));
    }
  }
  CHECK(accepted > 100);
  CHECK(accepted < 3000);
}

TEST_CASE("npy: reference files") {
  const auto folder = test::reference("dapper_l96_n20");
  if (!folder) return;
  CHECK(load_npy<2>(*folder / "E0.npy").shape()[1] == 20);
  CHECK(load_npy<3>(*folder / "analysis_etkf_infl1.04.npy").shape()[0] == 6);
}
