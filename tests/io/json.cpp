// SPDX-License-Identifier: BSD-3-Clause
#include "dan/io/json.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <limits>
#include <string>

#include "dan/io/file.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;
using test::TemporaryFolder;

TEST_CASE("file: bytes come back, and writing again replaces them") {
  const TemporaryFolder folder;
  const auto path = folder / "a.bin";
  for (const std::string& bytes : {std::string("one\0two\n", 8), std::string(), std::string("x")}) {
    write_file_atomically(path, bytes);
    CHECK(read_file("test", path) == bytes);
    CHECK(folder.files() == 1);
  }
}

TEST_CASE("file: of a symbolic link the file that it leads to is written, also a new one") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "disk");
  std::filesystem::create_symlink("disk/a.bin", folder / "a.bin");
  std::filesystem::create_symlink(folder / "a.bin", folder / "b.bin");
  for (const char* bytes : {"new", "changed"}) {
    write_file_atomically(folder / "b.bin", bytes);
    CHECK(std::filesystem::is_symlink(folder / "a.bin"));
    CHECK(std::filesystem::is_symlink(folder / "b.bin"));
    CHECK(read_file("test", folder / "disk/a.bin") == bytes);
  }
}

TEST_CASE("file: what cannot be read or written says so and leaves nothing behind") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(static_cast<void>(read_file("test", folder / "none")), FileError);
  CHECK_THROWS_AS(static_cast<void>(read_file("test", folder / ".")), FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(read_file("load", folder / "none")),
                       doctest::Contains("load: cannot read"), FileError);
  CHECK_THROWS_AS(write_file_atomically(folder / "none/a", "x"), FileError);
  CHECK_THROWS_WITH_AS(write_file_atomically(folder / ".", "x"),
                       doctest::Contains("not a regular file"), FileError);
  CHECK_THROWS_AS(write_file_atomically("/dev/null", "x"), FileError);
  CHECK(folder.files() == 0);
}

TEST_CASE("file: a disk that is full leaves the old file whole") {
  const TemporaryFolder folder;
  const auto path = folder / "a.bin";
  write_file_atomically(path, "old");
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  bool thrown = false;
  try {
    write_file_atomically(path, std::string(5000, 'x'));
  } catch (const FileError&) {
    thrown = true;
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(thrown);
  CHECK(read_file("test", path) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("json: a document comes back; numbers keep all their digits") {
  const TemporaryFolder folder;
  const nlohmann::ordered_json document = {{"example", "x"}, {"results", {1, 0.1, 1.0 / 3}}};
  write_json(folder / "a.json", document);
  CHECK(read_json(folder / "a.json") == document);
  write_json(folder / "a.json", {{"score", std::numeric_limits<double>::quiet_NaN()}});
  CHECK(read_json(folder / "a.json")["score"].is_null());
}

TEST_CASE("json: damage and text that is not UTF-8 are errors") {
  const TemporaryFolder folder;
  std::ofstream(folder / "bad.json") << "{\"a\": ";
  CHECK_THROWS_WITH_AS(static_cast<void>(read_json(folder / "bad.json")),
                       doctest::Contains("is not valid JSON"), FileError);
  CHECK_THROWS_WITH_AS(static_cast<void>(parse_json("test", "a text", "{")),
                       doctest::Contains("a text is not valid JSON: parse error at line 1"),
                       FileError);
  std::ofstream(folder / "bad.json") << std::string(1'000'000, '[');
  CHECK_THROWS_WITH_AS(static_cast<void>(read_json(folder / "bad.json")),
                       doctest::Contains("nested more than 64 deep"), FileError);
  const auto parse = [](const std::string& document) {
    return parse_json("test", "a text", document);
  };
  for (const std::string twice : {R"({"a": 1, "a": 1})", R"({"b": [0, {"c": {}, "c": 2}]})",
                                  R"({"a": {"a": 1}, "b": 2, "a": 3})", R"({"a": 1, "\u0061": 2})"})
    CHECK_THROWS_WITH_AS(static_cast<void>(parse(twice)), doctest::Contains("twice in one object"),
                         FileError);
  CHECK(parse(R"({"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]})")["b"][1]["a"] == 3);
  for (const std::string other :
       {"NaN", "[1, Infinity]", "1e999", "[1,]", "{} {}", "// a\n1", "'a'", "[01]", "[+1]", "[.5]"})
    CHECK_THROWS_WITH_AS(static_cast<void>(parse(other)),
                         doctest::Contains("test: a text is not valid JSON"), FileError);
  CHECK_THROWS_AS(write_json(folder / "new.json", {{"a", "\xff"}}), FileError);
  CHECK(folder.files() == 1);
}

TEST_CASE("json: what differs is named, member by member") {
  using json = nlohmann::ordered_json;
  const json found{{"seed", 1}, {"rate", {{"peak", 0.5}, {"end", 0.1}}}, {"more", true}};
  CHECK(json_differences(found, found).empty());
  const json expected{{"seed", 7}, {"rate", {{"peak", 0.5}, {"end", 0.2}}}, {"less", false}};
  CHECK(json_differences(found, expected) ==
        "seed = 1, expected 7; rate.end = 0.1, expected 0.2; less is missing, expected false; "
        "more = true, expected none");
  const json a{{"b", 1}, {"list", {{{"c", 1}, {"d", 2}}}}},
      b{{"list", {{{"d", 2}, {"c", 1}}}}, {"b", 1}};
  CHECK(a != b);
  CHECK(json_differences(a, b).empty());
  CHECK(with_sorted_keys(b).dump() == a.dump());
  CHECK(json_differences(3, found, "all").find("all = 3, expected {") == 0);
}
