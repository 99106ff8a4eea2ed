// SPDX-License-Identifier: BSD-3-Clause
#include "dan/io/safetensors.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "changed_byte.hpp"
#include "dan/io/archive.hpp"
#include "support/temporary_folder.hpp"

using namespace dan;
using test::TemporaryFolder;

namespace {
template <class Real>
TensorFile<Real> example() {
  return {.metadata = {{"format", "dan"}, {"shape", "{\"filters\": 40}"}},
          .tensors = {{"weights", {2, 3}, {1, 2, 3, Real(0.1), -5, 6}},
                      {"empty", {0, 4}, {}},
                      {"scalar", {}, {std::numeric_limits<Real>::max()}},
                      {"a bias", {1}, {7}}}};
}

/// Writes bytes the quick way.
void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// The bytes of a file with this header and `data` bytes of zeros.
std::string raw(const std::string& header, std::size_t data) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(data, '\0');
}

/// The header of one array of floats.
std::string one(const std::string& type, const std::string& shape, const std::string& offsets) {
  return R"({"a":{"dtype":)" + type + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}
}  // namespace

TEST_CASE_TEMPLATE("safetensors: arrays and metadata come back", Real, float, double) {
  const TemporaryFolder folder;
  const auto file = example<Real>();
  save_safetensors(folder / "a.safetensors", file);
  const auto again = load_safetensors<Real>(folder / "a.safetensors");
  CHECK(again.metadata == file.metadata);
  REQUIRE(again.tensors.size() == 4);
  for (const auto& tensor : file.tensors) {
    CHECK(again.at(tensor.name).shape == tensor.shape);
    CHECK(again.at(tensor.name).values == tensor.values);
  }
  CHECK(again.tensors[0].name == "weights");
  CHECK_THROWS_WITH_AS(static_cast<void>(again.at("bias")),
                       doctest::Contains("no tensor bias, expected one of: weights"), FileError);
  CHECK(folder.files() == 1);

  save_safetensors(folder / "none.safetensors", TensorFile<Real>{});
  CHECK(load_safetensors<Real>(folder / "none.safetensors").tensors.empty());
}

TEST_CASE("safetensors: the header is JSON, padded to eight bytes, before the data") {
  const TemporaryFolder folder;
  save_safetensors(folder / "a.safetensors", example<float>());
  const std::string bytes = read_file("test", folder / "a.safetensors");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  CHECK(bytes.size() == 8 + length + 8 * sizeof(float));
  const auto header = nlohmann::ordered_json::parse(bytes.substr(8, length));
  CHECK(header["weights"]["dtype"] == "F32");
  CHECK(header["weights"]["shape"] == nlohmann::ordered_json({2, 3}));
  CHECK(header["weights"]["data_offsets"] == nlohmann::ordered_json({0, 24}));
  CHECK(header["a bias"]["data_offsets"] == nlohmann::ordered_json({28, 32}));
  CHECK(header["__metadata__"]["format"] == "dan");
  CHECK(header["__metadata__"]["checksum"].get<std::string>().size() == 16);
}

TEST_CASE("safetensors: a checksum finds every changed byte") {
  CHECK(detail::checksum({}) == "cbf29ce484222325");
  CHECK(detail::checksum({"foo", "bar"}) == "85944171f73967e8");  // the authors' test vectors
  const TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  const auto file = example<float>();
  save_safetensors(path, file);
  const std::string whole = read_file("test", path);
  std::size_t harmless = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    for (const int flip : {0x01, 0x10, 0x29, 0x80}) {  // 0x29: a space becomes a tab
      const test::ChangedByte change(path, i, static_cast<char>(whole[i] ^ flip));
      try {
        const auto again = load_safetensors<float>(path);
        if (!again.checked) continue;  // the word "checksum" was hit: for the caller to refuse
        ++harmless;
        CHECK(again.metadata == file.metadata);
        for (const auto& tensor : file.tensors) {
          CHECK(again.at(tensor.name).shape == tensor.shape);
          CHECK(again.at(tensor.name).values == tensor.values);
        }
      } catch (const FileError&) {
      }
    }
  }
  CHECK(harmless < 8);  // padding of the header
  // Files of other writers have none.
  write(path, raw(one("\"F32\"", "[1]", "[0,4]"), 4));
  CHECK(load_safetensors<float>(path).tensors.size() == 1);
  CHECK_FALSE(load_safetensors<float>(path).checked);
}

TEST_CASE("safetensors: what cannot be saved leaves no file") {
  const TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  const auto save = [&](TensorFile<float> file) { save_safetensors(path, file); };
  CHECK_THROWS_WITH_AS(save({.tensors = {{"a", {2, 2}, {1, 2, 3}}}}),
                       doctest::Contains("3 values, expected the product of its shape [2,2]"),
                       ShapeError);
  CHECK_THROWS_AS(save({.tensors = {{"a", {1UL << 33, 1UL << 31}, {}}}}), ShapeError);
  CHECK_THROWS_AS(save({.tensors = {{"a", {1}, {1}}, {"a", {1}, {1}}}}), ConfigError);
  CHECK_THROWS_AS(save({.tensors = {{"__metadata__", {1}, {1}}}}), ConfigError);
  CHECK_THROWS_AS(save({.tensors = {{"\xff", {1}, {1}}}}), FileError);
  CHECK_THROWS_AS(save_safetensors(folder / "none/a", example<float>()), FileError);
  CHECK(folder.files() == 0);
}

TEST_CASE("safetensors: every truncation and every trailing byte is an error") {
  const TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  CHECK_THROWS_AS(static_cast<void>(load_safetensors<float>(path)), FileError);
  save_safetensors(path, example<float>());
  const std::string whole = read_file("test", path);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write(path, whole.substr(0, length));
    CHECK_THROWS_AS(static_cast<void>(load_safetensors<float>(path)), FileError);
  }
  write(path, whole + '\0');
  CHECK_THROWS_AS(static_cast<void>(load_safetensors<float>(path)), FileError);
}

TEST_CASE("safetensors: each kind of damage has its message") {
  const TemporaryFolder folder;
  const auto path = folder / "a.safetensors";
  const auto error = [&](const std::string& bytes, const std::string& part) {
    write(path, bytes);
    CHECK_THROWS_WITH_AS(static_cast<void>(load_safetensors<float>(path)),
                         doctest::Contains(part.c_str()), FileError);
    CHECK_THROWS_WITH(static_cast<void>(load_safetensors<float>(path)),
                      doctest::Contains("load_safetensors: "));
    CHECK_THROWS_WITH(static_cast<void>(load_safetensors<float>(path)),
                      doctest::Contains("a.safetensors"));
  };
  error("1234", "has 4 bytes, expected at least 8");
  error(std::string(8, '\xff'), "header of 18446744073709551615 bytes, expected at most 0");
  error(std::string("\x09\0\0\0\0\0\0\0{}", 10), "header of 9 bytes, expected at most 2");
  error(raw("", 0), "does not begin with {");
  error(raw(" {}", 0), "does not begin with {");
  error(raw("{}\n", 0), "does not end with } and spaces");
  error(raw("{}  \t ", 0), "does not end with } and spaces");
  error(raw(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
            R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
            4),
        "the key a twice");
  error(raw(R"({"a":{"dtype":"F32","shape":[2],"shape":[1],"data_offsets":[0,4]}})", 4),
        "the key shape twice");
  error(raw("{\"a\":}", 0), "is not valid JSON");
  error(raw("{\"a\":", 0), "does not end with }");
  error(raw("[1]", 0), "not a JSON object");
  const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
  error(raw(deep, 0), "nested more than 64 deep");
  error(raw("{\"a\":{\"dtype\":" + deep + "}}", 0), "nested more than 64 deep");
  error(raw(R"({"__metadata__":3})", 0), "metadata");
  error(raw(R"({"__metadata__":{"a":3}})", 0), "metadata a");
  error(raw(R"({"a":3})", 0), "no array shape for tensor a");
  error(raw(R"({"a":{"dtype":"F32","shape":[1]}})", 4), "no array data_offsets for tensor a");
  error(raw(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4), "type null");
  error(raw(one("\"F64\"", "[1]", "[0,8]"), 8), "type \"F64\" for tensor a, expected F32");
  error(raw(one("\"I32\"", "[1]", "[0,4]"), 4), "type \"I32\" for tensor a, expected F32");
  error(raw(one("7", "[1]", "[0,4]"), 4), "type 7");
  error(raw(one("\"f32\"", "[1]", "[0,4]"), 4), "type \"f32\" for tensor a, expected F32");
  error(raw(one("\"F32\"", "[1.0]", "[0,4]"), 4), "has 1.0 in shape");
  error(raw(one("\"F32\"", "[true]", "[0,4]"), 4), "has true in shape");
  error(raw(one("\"F32\"", "[-1]", "[0,4]"), 4), "has -1 in shape");
  error(raw(one("\"F32\"", "[1.5]", "[0,4]"), 4), "has 1.5 in shape");
  error(raw(one("\"F32\"", "[99999999999999999999]", "[0,4]"), 4), "in shape");
  error(raw(one("\"F32\"", "[1]", "[0,4,4]"), 4), "places tensor a at [0,4,4]");
  error(raw(one("\"F32\"", "[1]", "[4,0]"), 4), "places tensor a at [4,0]");
  error(raw(one("\"F32\"", "[2]", "[0,8]"), 4), "within its 4 bytes");
  error(raw(one("\"F32\"", "[1]", "[0,18446744073709551612]"), 4), "within its 4 bytes");
  error(raw(one("\"F32\"", "[2]", "[0,4]"), 4), "has 4 bytes for tensor a");
  error(raw(one("\"F32\"", "[1]", "[0,5]"), 5), "has 5 bytes for tensor a");
  error(raw(one("\"F32\"", "[4294967296,4294967296]", "[0,0]"), 0), "has 0 bytes for tensor a");
  error(raw(one("\"F32\"", "[1]", "[4,8]"), 8), "from byte 4, expected from 0");
  error(raw(one("\"F32\"", "[1]", "[0,4]"), 8), "has 8 bytes of data, expected 4");
  error(raw(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
            R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
            12),
        "data of tensor b from byte 4, expected from 8");

  save_safetensors(path, example<double>());
  CHECK_THROWS_AS(static_cast<void>(load_safetensors<float>(path)), FileError);
}

TEST_CASE("archive: empty arrays side by side come back, whatever their names") {
  const TemporaryFolder folder;
  std::vector<float> none, three{1, 2, 3};
  ArchiveWriter writer;
  for (const char* name : {"zeta", "middle", "alpha"}) writer.series(name, none);
  writer.series("data", three);
  writer.series("beta", none), writer.series("a", none);
  writer.save(folder / "a.safetensors");
  ArchiveReader reader("load", folder / "a.safetensors");
  std::vector<float> found{7};
  for (const char* name : {"zeta", "middle", "alpha"}) {
    reader.series(name, found);
    CHECK(found.empty());
  }
  reader.series("data", found);
  CHECK(found == three);
  CHECK_THROWS_WITH_AS(reader.series("gamma", found), doctest::Contains("expected gamma"),
                       FileError);
  reader.series("beta", found), reader.series("a", found);
  reader.finish();
}
