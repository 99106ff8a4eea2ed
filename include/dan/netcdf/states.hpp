// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <memory>
#include <netcdf>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/experiment/record.hpp"
#include "dan/geometry/concepts.hpp"
#include "dan/io/file.hpp"
#include "dan/netcdf/file.hpp"

/// \file
/// States over time in NetCDF's classic format with 64-bit offsets, for xarray, ncview and whoever
/// reads CF conventions.
///
///     StatesFile<Ring<40>> file("run.nc", {.fields = {{"analysis"}, {"ensemble", "", "1", 20}}});
///     file.append(0.05, {analysis, ensemble});
/// Dimensions: time (without end) · member, where a field has members · lat, lon or point ·
/// channel, if there are several.
///
/// NetCDF's library makes the head. A cycle is then appended as the format says: its numbers behind
/// the last one, and only when they are there how many cycles the file has, four bytes of the head.
/// So the file is whole at any moment, whoever is killed and whatever disk is full; in NetCDF-4
/// half of all writes left a file that nobody could read. Source: NetCDF User's Guide, appendix
/// "File Format Specifications".

namespace dan {

/// A field of a file of states.
struct StatesField {
  std::string name, long_name{}, units = "1";
  std::size_t members = 0;  ///< 0: a state; else an ensemble
};

/// What a file of states holds.
struct StatesFileConfig {
  std::vector<StatesField> fields{};
  std::string time_units = "1";   ///< as CF has them: "days since 2026-01-01", or nondimensional
  NetcdfAttributes attributes{};  ///< command, seed, …
};

/// Writes states cycle by cycle; a process that is killed, at whatever moment, leaves all cycles
/// whose `append` came to its end, and other programs may read the file meanwhile. It is not
/// flushed to the disk: a machine that loses power may leave zeros in the last cycles.
///
/// Errors of the file are FileError, and leave the cycles before, after which `append` may be tried
/// again; the constructor replaces a file that is there, all or nothing. At most 4 GiB for a field
/// in a cycle, and 2³² − 2 cycles. Cost: two writes and a copy of the numbers per cycle.
template <GeometryLike Geometry, std::size_t Channels = 1>
class StatesFile {
 public:
  StatesFile(const std::filesystem::path& path, const StatesFileConfig& config) : path_(path) {
    using namespace netCDF;
    const auto fill = [&](NcGroup& file) {
      const NcDim time = file.addDim("time");
      const NcVar times = file.addVar("time", ncDouble, time);
      times.putAtt("units", config.time_units);
      times.putAtt("axis", "T");
      const auto place = dimensions_of_places(file);
      for (const auto& field : config.fields) {  // the order of a record's numbers
        std::vector<NcDim> dimensions{time};
        if (field.members > 0) dimensions.push_back(members(file, field.members));
        dimensions.insert(dimensions.end(), place.begin(), place.end());
        const NcVar variable = file.addVar(field.name, ncDouble, dimensions);
        if (!field.long_name.empty()) variable.putAtt("long_name", field.long_name);
        variable.putAtt("units", field.units);
        fields_.push_back({field.name, std::max<std::size_t>(1, field.members)});
      }
    };
    const std::string head = detail::with_netcdf(
        "StatesFile", path, [&] { return detail::netcdf_bytes(config.attributes, fill); });
    write_file_atomically(path, head);
    head_ = head.size();
    file_ = detail::uninterrupted([&] { return ::open(path.c_str(), O_WRONLY | O_CLOEXEC); });
    if (file_ < 0) fail("StatesFile", errno);
  }
  ~StatesFile() { ::close(file_); }
  StatesFile(const StatesFile&) = delete;
  StatesFile& operator=(const StatesFile&) = delete;

  /// A record: an array for each field, members × points × channels numbers, in their order. Throws
  /// ShapeError, before anything is written, for another number of arrays or of numbers.
  void append(double time, std::initializer_list<std::span<const double>> arrays) {
    append(time, std::span(arrays.begin(), arrays.size()));
  }
  void append(double time, std::span<const std::span<const double>> arrays) {
    require_size("StatesFile::append", "arrays", arrays.size(), fields_.size(), "field");
    for (std::size_t n = 0; n < arrays.size(); ++n)
      require_size("StatesFile::append", fields_[n].name, arrays[n].size(),
                   fields_[n].members * Geometry::points * Channels, "number");
    if (records_ + 2 > std::numeric_limits<std::uint32_t>::max()) fail("StatesFile::append", EFBIG);
    std::string record;
    add_number(record, std::bit_cast<std::uint64_t>(time));
    for (const auto& array : arrays)
      for (const double number : array) add_number(record, std::bit_cast<std::uint64_t>(number));
    write_at(head_ + records_ * record.size(), record);
    std::string records;
    add_number(records, static_cast<std::uint32_t>(records_ + 1));
    write_at(4, records);
    ++records_;
  }

  [[nodiscard]] std::size_t records() const { return records_; }

 private:
  struct Field {
    std::string name;
    std::size_t members;
  };

  [[noreturn]] void fail(std::string_view function, int error) const {
    throw FileError(to_text(function, ": cannot write ", path_.string(), ": ",
                            std::generic_category().message(error)));
  }
  void write_at(std::size_t place, std::string_view bytes) const {
    int error = ::lseek(file_, static_cast<::off_t>(place), SEEK_SET) < 0 ? errno : 0;
    if (error == 0) error = detail::write_all(file_, std::as_bytes(std::span(bytes)));
    if (error != 0) fail("StatesFile::append", error);
  }
  /// The bytes of a whole number, the highest first.
  template <class Whole>
  static void add_number(std::string& bytes, Whole whole) {
    for (std::size_t shift = 8 * sizeof whole; shift > 0; shift -= 8)
      bytes += static_cast<char>(whole >> (shift - 8) & 255);
  }

  /// lat and lon, or point, with their coordinates; then channel.
  static std::vector<netCDF::NcDim> dimensions_of_places(netCDF::NcGroup& file) {
    using namespace netCDF;
    std::vector<NcDim> dimensions;
    const auto coordinate = [&](const char* name, const char* units, const char* standard,
                                const std::vector<double>& values) {
      dimensions.push_back(file.addDim(name, values.size()));
      const NcVar variable = file.addVar(name, ncDouble, dimensions.back());
      variable.putAtt("units", units);
      if (*standard) variable.putAtt("standard_name", standard);
      variable.putVar(values.data());
    };
    std::vector<double> values;
    if constexpr (requires { Geometry::latitude(0); }) {
      for (std::size_t r = 0; r < Geometry::rows; ++r) values.push_back(Geometry::latitude(r));
      coordinate("lat", "degrees_north", "latitude", values);
      values.clear();
      for (std::size_t c = 0; c < Geometry::columns; ++c)
        values.push_back(Geometry::position(c)[1]);
      coordinate("lon", "degrees_east", "longitude", values);
    } else if constexpr (Geometry::dimensions == 1) {
      for (std::size_t p = 0; p < Geometry::points; ++p) values.push_back(Geometry::position(p)[0]);
      coordinate("point", "1", "", values);
    } else {
      dimensions.push_back(file.addDim("point", Geometry::points));
      for (std::size_t d = 0; d < Geometry::dimensions; ++d) {
        values.clear();
        for (std::size_t p = 0; p < Geometry::points; ++p)
          values.push_back(Geometry::position(p)[d]);
        file.addVar(to_text("position_", d + 1), ncDouble, dimensions.back()).putVar(values.data());
      }
    }
    if constexpr (Channels > 1) dimensions.push_back(file.addDim("channel", Channels));
    return dimensions;
  }
  /// The dimension of an ensemble: `member`, or `member_N` beside one of another size.
  static netCDF::NcDim members(netCDF::NcGroup& file, std::size_t count) {
    for (const std::string& name : {std::string("member"), to_text("member_", count)}) {
      const auto known = file.getDim(name);
      if (known.isNull()) return file.addDim(name, count);
      if (known.getSize() == count) return known;
    }
    return file.getDim(to_text("member_", count));
  }

  std::filesystem::path path_;
  int file_ = -1;
  std::size_t head_ = 0;  ///< bytes before the first record
  std::vector<Field> fields_;
  std::size_t records_ = 0;
};

/// A field of a file of states.
struct ReadStates {
  std::vector<double> time;
  std::vector<std::size_t> shape;  ///< of a record: members · lat, lon or point · channel
  Matrix values;                   ///< records × numbers of a record
};

/// Reads a field over time, of any file with a coordinate `time` that is the field's first
/// dimension. Throws FileError, naming what there is, if it is missing or has another shape.
[[nodiscard]] inline ReadStates load_states(const std::filesystem::path& path,
                                            const std::string& field) {
  return detail::with_netcdf("load_states", path, [&] {
    netCDF::NcFile file;
    detail::open_netcdf("load_states", file, path);
    ReadStates states;
    const auto read = [&](const netCDF::NcVar& of) {
      return detail::netcdf_numbers("load_states", path, of);
    };
    states.time = read(detail::netcdf_variable("load_states", path, file, "time")).second;
    const auto variable = detail::netcdf_variable("load_states", path, file, field);
    auto [shape, numbers] = read(variable);
    if (shape.empty() || variable.getDim(0).getName() != "time")
      throw FileError(to_text("load_states: ", path.string(), ": the first dimension of '", field,
                              "' is not time"));
    const std::size_t records = shape[0];
    if (states.time.size() != records)
      throw FileError(to_text("load_states: ", path.string(), ": 'time' has ", states.time.size(),
                              " numbers, expected one for each of the ", records, " records"));
    states.shape.assign(shape.begin() + 1, shape.end());
    states.values = zero_tensor<double>(records, records > 0 ? numbers.size() / records : 0);
    std::ranges::copy(numbers, states.values.begin());
    return states;
  });
}

/// Writes truth, analysis and, where a method has members, its ensemble of run 0, cycle by cycle:
/// a recorder for `run_twin`. The file is shared by copies, of which one has run 0.
template <class Problem, std::size_t Members = 0>
class StatesRecorder : public EmptyRecorder {
 public:
  using Geometry = typename Problem::Geometry;
  using File = StatesFile<Geometry, Problem::channels>;

  StatesRecorder(const std::filesystem::path& path, double interval,
                 const NetcdfAttributes& attributes = {}, const std::string& units = "1")
      : interval_(interval) {
    StatesFileConfig config{.fields = {{"truth", "state of the truth run", units},
                                       {"analysis", "estimate after the analysis", units}},
                            .attributes = attributes};
    if (Members > 0)
      config.fields.push_back({"ensemble", "members after the analysis", units, Members});
    file_ = std::make_shared<File>(path, config);
  }

  void after_analysis(const auto& view) {
    using Method = std::decay_t<decltype(view.method)>;
    static_assert(Members == 0 || has_members<Method>,
                  "StatesRecorder: the method has no members, or not as many; take its `members`, "
                  "or 0 for truth and estimate alone");
    if (view.first > 0 || !view.going(0)) return;
    std::vector<double> truth(Problem::size), analysis(Problem::size), members;
    for (std::size_t i = 0; i < Problem::size; ++i) {
      truth[i] = view.twin.truth().at(i, 0);
      analysis[i] = view.estimate.at(i, 0);
    }
    std::vector<std::span<const double>> arrays{truth, analysis};
    if constexpr (Members > 0) {
      members.resize(Members * Problem::size);
      for (std::size_t m = 0; m < Members; ++m)
        view.method.member(view.carried, 0, m,
                           std::span(members).subspan(m * Problem::size, Problem::size));
      arrays.emplace_back(members);
    }
    file_->append(interval_ * static_cast<double>(view.twin.cycle()),
                  std::span<const std::span<const double>>(arrays));
  }
  void merge(const StatesRecorder&) {}

 private:
  template <class Method>
  static constexpr bool has_members = [] {
    if constexpr (HasMembers<Method>)
      return Method::members == Members;
    else
      return false;
  }();

  double interval_;
  std::shared_ptr<File> file_;
};

}  // namespace dan
