// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dan/core/error.hpp"
#include "dan/core/tensor.hpp"
#include "dan/io/safetensors.hpp"
#include "dan/network/analysis_network.hpp"
#include "dan/network/trained_for.hpp"

namespace dan {

/// An analysis network with its parameters, and its file.
///
/// The file is a safetensors file: per layer `NAME.weight` (kernel × in × out) and `NAME.bias`
/// (out), with the architecture, the input scaling and what it was trained for in the metadata.
template <class Network_, class Real_ = float>
struct Trained {
  using Network = Network_;
  using Real = Real_;

  Network network{};  ///< input scaling
  Tensor<Real, 1> parameters =
      zero_tensor<Real>(Network::parameters);  ///< in the order of `places`
  std::optional<TrainedFor> trained_for{};     ///< nothing: not known

  Trained() = default;
  explicit Trained(const Network& scaled) : network(scaled) {}
};

namespace detail {
inline constexpr std::string_view weights_format = "dan analysis network 1";

/// The architecture as the text that stands in a weights file.
template <class Network>
nlohmann::ordered_json architecture() {
  constexpr NetworkShape s = Network::shape;
  constexpr std::array nonlinearities{"silu", "tanh", "relu", "identity"};
  nlohmann::ordered_json shape{
      {"filters", s.filters},
      {"blocks", s.blocks},
      {"sub_blocks", s.sub_blocks},
      {"kernel", s.kernel},
      {"members", s.members},
      {"activation", nonlinearities[static_cast<std::size_t>(s.activation)]},
      {"head", s.head == Head::gain ? "symmetric gain" : "plain"},
      {"memory", s.memory},
      {"gain_radius", s.head == Head::gain ? s.gain_radius : 0},
      {"sees_forecast", s.sees_forecast},
      {"gates", s.products},
      {"channels", Network::channels}};
  // What follows is not known to earlier files.
  if (s.head == Head::gain && s.gain_levels > 1) shape["gain_levels"] = s.gain_levels;
  if (Network::output_kernel != s.kernel) shape["output_kernel"] = Network::output_kernel;
  if (s.retrace > 0) shape["retrace"] = s.retrace;
  if (s.sees_precision) shape["sees_precision"] = true;
  if (s.sees_place) shape["sees_place"] = true;
  if (s.sees_scales) shape["sees_scales"] = true;
  return shape;
}
}  // namespace detail

/// Writes a trained network, all or nothing; `notes` (command, seed, cost, …) join the metadata.
///
/// Throws FileError if the file cannot be written and NumericalError, before anything is written,
/// if a parameter is not finite.
template <class Network, class Real>
void save_weights(const std::filesystem::path& path, const Trained<Network, Real>& trained,
                  const std::map<std::string, std::string>& notes = {}) {
  for (std::size_t i = 0; i < Network::parameters; ++i)
    if (!std::isfinite(trained.parameters[i]))
      throw NumericalError(to_text("save_weights: parameter ", i, " is ", trained.parameters[i],
                                   ", expected finite; the training has diverged"));
  TensorFile<Real> file;
  file.metadata = notes;
  file.metadata["format"] = detail::weights_format;
  file.metadata["architecture"] = detail::architecture<Network>().dump();
  file.metadata["scaling"] =
      nlohmann::ordered_json{{"input_mean", trained.network.input_mean},
                             {"input_deviation", trained.network.input_deviation}}
          .dump();
  if (trained.trained_for)
    file.metadata["trained_for"] = nlohmann::ordered_json(*trained.trained_for).dump();
  const auto from = span_of(trained.parameters);
  const auto copy = [&](std::size_t offset, std::size_t count) {
    const auto part = from.subspan(offset, count);
    return std::vector<Real>(part.begin(), part.end());
  };
  for (const auto& place : Network::places()) {
    file.tensors.push_back({place.name + ".weight",
                            {place.kernel, place.in, place.out},
                            copy(place.offset, place.weights())});
    file.tensors.push_back(
        {place.name + ".bias", {place.out}, copy(place.offset + place.weights(), place.out)});
  }
  save_safetensors(path, file);
}

namespace detail {
/// The parts of a weights file; each throws FileError, naming what was found and expected.
template <class Network, class Real>
class WeightsFile {
 public:
  explicit WeightsFile(const std::filesystem::path& path)
      : path_(path), file_(load_safetensors<Real>(path)) {
    if (metadata("format") != weights_format)
      fail("has format '", metadata("format"), "', expected '", weights_format, "'");
    if (!file_.checked) fail("has no checksum, expected one; write it with save_weights");
  }

  void require_network() const {
    const nlohmann::ordered_json found = parsed("architecture"), expected = architecture<Network>();
    for (const auto& [key, value] : expected.items())
      if (!found.is_object() || !found.contains(key) || found[key] != value)
        fail("holds a network with ", key, " = ",
             found.is_object() && found.contains(key) ? found[key].dump() : "nothing",
             ", expected ", value.dump(), "; it was saved as ", metadata("architecture"));
    for (const auto& [key, value] : found.items())
      if (!expected.contains(key))
        fail("holds a network with ", key, " = ", value.dump(), ", expected a network without");
  }

  void read_scaling(Network& network) const {
    try {
      const auto scaling = parsed("scaling");
      for (const char* key : {"input_mean", "input_deviation"})
        if (scaling.at(key).size() != Network::channels)
          fail("has ", scaling.at(key).size(), " numbers for ", key, ", expected ",
               Network::channels, ", one per channel");
      scaling.at("input_mean").get_to(network.input_mean);
      scaling.at("input_deviation").get_to(network.input_deviation);
      if (scaling.value("uplift_scale", 1.0) != 1)
        fail("is of a version whose weights knew the size of R, with uplift_scale ",
             scaling["uplift_scale"].dump(), ", expected 1; train it again");
    } catch (const nlohmann::json::exception& e) {
      fail("has an unreadable input scaling: ", e.what());
    }
    for (const double x : network.input_deviation)  // JSON knows no infinity and no NaN
      if (!(x > 0)) fail("has ", x, " among its input scales, expected numbers greater than zero");
  }

  [[nodiscard]] std::optional<TrainedFor> trained_for() const {
    if (!file_.metadata.contains("trained_for")) return {};
    const auto record = parsed("trained_for");
    TrainedFor trained;
    try {
      trained = record.template get<TrainedFor>();
    } catch (const nlohmann::json::exception& e) {
      fail("has an unreadable record of what it was trained for: ", e.what());
    }
    for (const auto& problem : trained.problems)
      if (!(problem.innovation >= 1))
        fail("has the innovation ", problem.innovation,
             " for one of the problems that it was trained for, expected at least 1");
    if (!(trained.innovation >= 1))
      fail("has the innovation ", trained.innovation,
           " in the record of what it was trained for, expected at least 1");
    return trained;
  }

  void read_parameters(std::span<Real> parameters) const {
    const auto list = Network::places();
    if (file_.tensors.size() != 2 * list.size())
      fail("has ", file_.tensors.size(), " tensors, expected ", 2 * list.size(),
           ", weight and bias of each layer");
    for (const auto& place : list) {
      copy(place.name + ".weight", {place.kernel, place.in, place.out},
           parameters.subspan(place.offset));
      copy(place.name + ".bias", {place.out}, parameters.subspan(place.offset + place.weights()));
    }
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... what) const {
    throw FileError(to_text("load_weights: ", path_.string(), " ", what...));
  }
  [[nodiscard]] std::string metadata(const std::string& key) const {
    const auto at = file_.metadata.find(key);
    return at == file_.metadata.end() ? std::string() : at->second;
  }
  [[nodiscard]] nlohmann::ordered_json parsed(const char* key) const {
    return parse_json("load_weights", to_text(key, " of ", path_.string()), metadata(key));
  }
  void copy(const std::string& name, const std::vector<std::size_t>& shape,
            std::span<Real> to) const {
    const auto& tensor = file_.at(name);
    if (tensor.shape != shape)
      fail("has shape ", nlohmann::ordered_json(tensor.shape).dump(), " for ", name, ", expected ",
           nlohmann::ordered_json(shape).dump());
    for (const Real value : tensor.values)
      if (!std::isfinite(value)) fail("has a number in ", name, " that is not finite");
    std::ranges::copy(tensor.values, to.begin());
  }

  const std::filesystem::path& path_;
  TensorFile<Real> file_;
};
}  // namespace detail

/// Reads a trained network; `load_weights<AnalysisNetwork<…>>(path)`.
///
/// Throws FileError, naming what was found and what was expected, if the file is missing, damaged,
/// without a checksum, of another format, or holds another architecture.
template <class Network, class Real = float>
[[nodiscard]] Trained<Network, Real> load_weights(const std::filesystem::path& path) {
  const detail::WeightsFile<Network, Real> file(path);
  file.require_network();
  Trained<Network, Real> trained;
  file.read_scaling(trained.network);
  trained.trained_for = file.trained_for();
  file.read_parameters(span_of(trained.parameters));
  return trained;
}

}  // namespace dan
