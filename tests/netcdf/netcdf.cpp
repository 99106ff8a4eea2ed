// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "dan/analysis/enkf_n.hpp"
#include "dan/core/notice.hpp"
#include "dan/experiment/twin.hpp"
#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/torus.hpp"
#include "dan/integrate/rk4.hpp"
#include "dan/models/lorenz96.hpp"
#include "dan/netcdf/states.hpp"
#include "dan/netcdf/table.hpp"
#include "dan/observe/all.hpp"
#include "support/temporary_folder.hpp"

namespace {
using namespace dan;
using dan::test::TemporaryFolder;

std::vector<double> numbers(std::size_t count, double first) {
  std::vector<double> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = first + 0.1 * static_cast<double>(i);
  return out;
}

void check_file_error(const auto& call, const char* words) {
  try {
    (void)call();
    FAIL("no error, expected: ", words);
  } catch (const FileError& error) {
    CHECK_MESSAGE(std::string(error.what()).find(words) != std::string::npos, error.what());
  }
}
/// How a process ended that called work(), its exit code.
int status_of_process(const auto& work) {
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}
}  // namespace

TEST_CASE("StatesFile: what is written is read, with members, channels and coordinates") {
  const TemporaryFolder folder;
  const auto path = folder / "states.nc";
  const auto state = numbers(4 * 8 * 2, 1), ensemble = numbers(3 * 4 * 8 * 2, -5);
  {
    StatesFile<LatLon<4, 8>, 2> file(
        path, {.fields = {{"wind", "some wind", "m s-1"}, {"members", "", "m s-1", 3}},
               .time_units = "days since 2026-01-01",
               .attributes = {{"seed", "7"}}});
    file.append(0.5, {state, ensemble});
    file.append(1.5, {state, ensemble});
    CHECK(file.records() == 2);
  }
  const auto wind = load_states(path, "wind"), members = load_states(path, "members");
  CHECK(wind.time == std::vector{0.5, 1.5});
  CHECK(wind.shape == std::vector<std::size_t>{4, 8, 2});
  CHECK(members.shape == std::vector<std::size_t>{3, 4, 8, 2});
  for (std::size_t i = 0; i < state.size(); ++i) CHECK(wind.values(0, i) == state[i]);
  for (std::size_t i = 0; i < ensemble.size(); ++i) CHECK(members.values(1, i) == ensemble[i]);
  netCDF::NcFile file(path.string(), netCDF::NcFile::read);
  std::string text;
  file.getAtt("Conventions").getValues(text);
  CHECK(text == "CF-1.8");
  file.getAtt("seed").getValues(text);
  CHECK(text == "7");
  file.getVar("lat").getAtt("units").getValues(text);
  CHECK(text == "degrees_north");
  double latitude = 0;
  file.getVar("lat").getVar({0}, &latitude);
  CHECK(latitude == LatLon<4, 8>::latitude(0));
  CHECK(file.getVar("lon").getDim(0).getSize() == 8);
}

TEST_CASE("StatesFile: a run that is killed leaves what it had") {
  const TemporaryFolder folder;
  const auto path = folder / "killed.nc";
  const auto state = numbers(40, 0);
  const int status = status_of_process([&] {
    StatesFile<Ring<40>> file(path, {.fields = {{"x"}}});
    for (int k = 0; k < 5; ++k) file.append(k, {state});
    ::kill(::getpid(), SIGKILL);
    return 0;
  });
  CHECK(WIFSIGNALED(status));
  const auto found = load_states(path, "x");
  REQUIRE(found.time.size() == 5);
  for (std::size_t i = 0; i < 40; ++i) CHECK(found.values(4, i) == state[i]);
}

TEST_CASE("StatesFile: a disk that is full in the middle of a cycle leaves the cycles before") {
  const TemporaryFolder folder;
  const auto path = folder / "full.nc";
  const auto state = numbers(4000, 0);
  const int status = status_of_process([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    int code = 0;
    StatesFile<Ring<4000>> file(path, {.fields = {{"x"}}});
    const rlimit small{200'000, 200'000};
    ::setrlimit(RLIMIT_FSIZE, &small);
    for (int k = 0; k < 10; ++k) {
      try {
        file.append(k, {state});
      } catch (const FileError& error) {
        code += std::string(error.what()).find("full.nc: File too large") != std::string::npos;
      }
    }
    return file.records() == 5 ? code : 0;
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 5);  // each of the others says it
  CHECK(std::filesystem::file_size(path) == 200'000);
  const auto found = load_states(path, "x");
  REQUIRE(found.time.size() == 5);
  for (std::size_t k = 0; k < 5; ++k)
    for (std::size_t i = 0; i < 4000; ++i) CHECK(found.values(k, i) == state[i]);
}

TEST_CASE("load_states: a file of a classic format that is cut short, by a byte or more") {
  const TemporaryFolder folder;
  const auto path = folder / "cut.nc";
  StatesFile<LatLon<4, 8>, 2>(
      path, {.fields = {{"wind", "some wind", "m s-1"}}, .attributes = {{"seed", "7"}}})
      .append(0, {numbers(64, 0)});
  CHECK(load_states(path, "wind").time.size() == 1);
  for (auto bytes = std::filesystem::file_size(path); bytes-- > 0;) {
    std::filesystem::resize_file(path, bytes);
    check_file_error([&] { return load_states(path, "wind"); }, "cut.nc");
  }
}

TEST_CASE("StatesFile and load_states: bad input") {
  const TemporaryFolder folder;
  const auto state = numbers(40, 0);
  StatesFile<Ring<40>> file(folder / "x.nc", {.fields = {{"x"}, {"e", "", "1", 2}}});
  CHECK_THROWS_AS(file.append(0, {state}), ShapeError);
  CHECK_THROWS_AS(file.append(0, {state, state}), ShapeError);
  CHECK(file.records() == 0);
  check_file_error([&] { return StatesFile<Ring<40>>(folder / "no" / "x.nc", {}).records(); },
                   "x.nc: cannot create ");
  check_file_error([&] { return load_states(folder / "none.nc", "x"); }, "there is no such file");
  std::ofstream(folder / "text.nc") << "no NetCDF";
  check_file_error([&] { return load_states(folder / "text.nc", "x"); }, "load_states: ");
  check_file_error([&] { return load_states(folder / "x.nc", "y"); },
                   "has no variable 'y', expected one of: e, point, time, x");
  check_file_error([&] { return load_states(folder / "x.nc", "point"); }, "is not time");
}

TEST_CASE("load_states and load_netcdf_table: a file that says that it has more than it can hold") {
  const TemporaryFolder folder;
  const auto path = folder / "damaged.nc";
  {
    netCDF::NcFile file(path.string(), netCDF::NcFile::replace, netCDF::NcFile::nc4);
    const auto variable =
        file.addVar("time", netCDF::ncDouble, file.addDim("time", 1'000'000'000'000));
    std::vector<std::size_t> chunk{1024};
    variable.setChunking(netCDF::NcVar::nc_CHUNKED, chunk);
  }
  check_file_error([&] { return load_states(path, "time"); }, "'time' has more numbers than ");
  check_file_error([&] { return load_netcdf_table(path); }, "the table has more numbers than ");
}

TEST_CASE("load_states and load_netcdf_table: text and types that a file defines itself") {
  const TemporaryFolder folder;
  const auto path = folder / "types.nc";
  const auto check = [&](const auto& type_in) {
    {
      netCDF::NcFile file(path.string(), netCDF::NcFile::replace, netCDF::NcFile::nc4);
      const auto time = file.addDim("time", 3);
      file.addVar("time", netCDF::ncDouble, time);
      file.addVar("x", type_in(file), time);
    }
    check_file_error([&] { return load_states(path, "x"); }, "'x' holds text or a type of its own");
    check_file_error([&] { return load_netcdf_table(path); }, "'x' holds text or a type of its");
  };
  using netCDF::NcFile, netCDF::NcType;
  check([](const NcFile&) -> NcType { return netCDF::ncChar; });
  check([](const NcFile&) -> NcType { return netCDF::ncString; });
  check([](const NcFile& file) -> NcType {
    auto type = file.addCompoundType("pair", 16);
    type.addMember("first", netCDF::ncDouble, 0);
    type.addMember("second", netCDF::ncDouble, 8);
    return type;
  });
  check([](const NcFile& file) -> NcType { return file.addVlenType("list", netCDF::ncDouble); });
  check([](const NcFile& file) -> NcType { return file.addOpaqueType("bytes", 64); });
  check([](const NcFile& file) -> NcType {
    auto type = file.addEnumType("kind", netCDF::NcEnumType::nc_INT);
    type.addMember("one", 1);
    return type;
  });
}

TEST_CASE("load_states: a time for every record") {
  const TemporaryFolder folder;
  const auto path = folder / "times.nc";
  {
    netCDF::NcFile file(path.string(), netCDF::NcFile::replace, netCDF::NcFile::classic);
    file.addVar("time", netCDF::ncDouble, file.addDim("other", 2));
    file.addVar("x", netCDF::ncDouble, file.addDim("time", 3));
  }
  check_file_error([&] { return load_states(path, "x"); },
                   "'time' has 2 numbers, expected one for each of the 3 records");
}

TEST_CASE("load_netcdf_table: packed numbers are unpacked, filled and missing ones are none") {
  const TemporaryFolder folder;
  const auto path = folder / "packed.nc";
  {
    netCDF::NcFile file(path.string(), netCDF::NcFile::replace, netCDF::NcFile::classic);
    const auto row = file.addDim("row", 3);
    const auto packed = file.addVar("value", netCDF::ncShort, row);
    packed.putAtt("scale_factor", netCDF::ncDouble, 0.5);
    packed.putAtt("add_offset", netCDF::ncDouble, 10.0);
    packed.putAtt("_FillValue", netCDF::ncShort, short{-999});
    packed.putAtt("missing_value", netCDF::ncShort, short{7});
    const std::array<short, 3> numbers{4, -999, 7};
    packed.putVar(numbers.data());
    const std::array<double, 3> written{1, NC_FILL_DOUBLE, 3};
    file.addVar("place", netCDF::ncDouble, row).putVar(written.data());
  }
  const CsvTable table = load_netcdf_table(path);
  CHECK(table.numbers(0, 0) == 12);
  CHECK(std::isnan(table.numbers(1, 0)));
  CHECK(std::isnan(table.numbers(2, 0)));
  CHECK(std::isnan(table.numbers(1, 1)));
  CHECK(table.numbers(2, 1) == 3);
  {
    netCDF::NcFile file(path.string(), netCDF::NcFile::write);
    file.getVar("value").putAtt("_Unsigned", "true");
  }
  check_file_error([&] { return load_netcdf_table(path); }, "has the attribute _Unsigned");
}

TEST_CASE("load_netcdf_table: variables that are no columns are left out, and named") {
  const TemporaryFolder folder;
  const auto path = folder / "fields.nc";
  {
    netCDF::NcFile file(path.string(), netCDF::NcFile::replace, netCDF::NcFile::classic);
    const auto row = file.addDim("row", 2), level = file.addDim("level", 3);
    (void)file.addVar("crs", netCDF::ncInt);  // a number without dimension says nothing of rows
    file.addVar("profile", netCDF::ncDouble, std::vector<netCDF::NcDim>{row, level})
        .putVar(numbers(6, 1).data());
    file.addVar("value", netCDF::ncDouble, row).putVar(numbers(2, 5).data());
  }
  std::vector<std::string> said;
  const auto before = set_notice_handler([&](const std::string& what) { said.push_back(what); });
  const CsvTable table = load_netcdf_table(path);
  set_notice_handler(before);
  CHECK(table.columns == std::vector<std::string>{"value"});
  REQUIRE(said.size() == 1);
  CHECK(said[0].ends_with("left out, since a column has one dimension: profile"));
}

TEST_CASE("StatesFile: a grid in two dimensions has its positions") {
  const TemporaryFolder folder;
  const auto path = folder / "torus.nc";
  StatesFile<Torus<3, 4>>(path, {.fields = {{"x"}}}).append(0, {numbers(12, 0)});
  netCDF::NcFile file(path.string(), netCDF::NcFile::read);
  const auto [shape, second] = detail::netcdf_numbers("test", path, file.getVar("position_2"));
  REQUIRE(shape == std::vector<std::size_t>{12});
  for (std::size_t p = 0; p < 12; ++p) CHECK(second[p] == Torus<3, 4>::position(p)[1]);
}

TEST_CASE("StatesRecorder: truth, analysis and members of run 0") {
  const TemporaryFolder folder;
  const auto path = folder / "twin.nc";
  using Lorenz = Problem<Rk4<Lorenz96<40>>, ObserveAll<40>>;
  const Lorenz problem;
  const TwinConfig config{
      .runs = 3, .cycles = 12, .burn_in = 2, .progress = false, .keep_fields = 10};
  StatesRecorder<Lorenz, 10> recorder(path, 0.05, {{"seed", "1"}});
  const auto scores = run_twin(problem, EnkfN<Lorenz, 10>(problem), config, recorder);
  const auto truth = load_states(path, "truth"), analysis = load_states(path, "analysis"),
             ensemble = load_states(path, "ensemble");
  REQUIRE(truth.time.size() == 12);
  CHECK(truth.time[11] == doctest::Approx(0.6).epsilon(1e-12));
  CHECK(ensemble.shape == std::vector<std::size_t>{10, 40});
  for (std::size_t k = 2; k < 12; ++k)
    for (std::size_t i = 0; i < 40; ++i) {
      CHECK(truth.values(k, i) == scores.truth[k - 2][i]);
      CHECK(analysis.values(k, i) == scores.analysis[k - 2][i]);
      double mean = 0;
      for (std::size_t m = 0; m < 10; ++m) mean += ensemble.values(k, m * 40 + i) / 10;
      CHECK(mean == doctest::Approx(analysis.values(k, i)).epsilon(1e-12));
    }
}

TEST_CASE("save_netcdf_table and load_netcdf_table: there and back") {
  const TemporaryFolder folder;
  const auto path = folder / "table.nc";
  CsvTable table;
  table.columns = {"time", "place", "value"};
  table.numbers = zero_tensor<double>(2, 3);
  for (std::size_t n = 0; n < 6; ++n) table.numbers(n / 3, n % 3) = 0.1 * static_cast<double>(n);
  save_netcdf_table(path, table, {{"command", "test"}}, {{"time", "s"}});
  const CsvTable back = load_netcdf_table(path);
  CHECK(back.columns == table.columns);
  CHECK(back.numbers == table.numbers);
  table.numbers = zero_tensor<double>(0, 3);
  save_netcdf_table(path, table);
  CHECK(load_netcdf_table(path).columns == table.columns);
  CHECK(load_netcdf_table(path).numbers.shape()[0] == 0);
  StatesFile<Ring<4>>(folder / "states.nc", {.fields = {{"x"}}});
  check_file_error([&] { return load_netcdf_table(folder / "states.nc"); },
                   "expected one dimension");
  check_file_error([&] { return save_netcdf_table(folder / "no" / "x.nc", table), 0; },
                   "x.nc: cannot create ");
}

TEST_CASE("load_netcdf_table: a damaged table is refused, before NetCDF sees it") {
  const TemporaryFolder folder;
  const auto path = folder / "table.nc", damaged = folder / "damaged.nc";
  CsvTable table{{"time", "value"}, zero_tensor<double>(30, 2)};
  for (std::size_t n = 0; n < 60; ++n) table.numbers(n / 2, n % 2) = 0.1 * static_cast<double>(n);
  save_netcdf_table(path, table);
  const std::string bytes = read_file("test", path);
  for (std::size_t at = 0; at + 31 < bytes.size(); ++at) {
    std::string other = bytes;
    other[at] = static_cast<char>(other[at] ^ 1 << at % 8);
    std::ofstream(damaged) << other;
    check_file_error([&] { return load_netcdf_table(damaged); }, "damaged.nc has another checksum");
  }
  // Without the line, as other programs write them, or a part of it.
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::ofstream(damaged) << bytes.substr(0, at);
    try {
      const bool same = load_netcdf_table(damaged).numbers == table.numbers;
      CHECK(same);
    } catch (const FileError& error) {
      CHECK(std::string(error.what()).find("damaged.nc") != std::string::npos);
    }
  }
}
