// SPDX-License-Identifier: BSD-3-Clause
// The library from Python: `import dan`.
#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../menu.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/experiment/sweep.hpp"
#include "dan/version.hpp"

namespace py = pybind11;

namespace {
using namespace dan;
using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;

/// An argument as an array of doubles of this shape; throws ShapeError for another one, ConfigError
/// for what is no real number. No copy of contiguous doubles.
Array array_of(std::string_view function, std::string_view name, const py::object& given,
               const std::vector<std::size_t>& shape) {
  const py::array plain = py::array::ensure(given);
  if (!plain || std::string_view("fiub").find(plain.dtype().kind()) == std::string_view::npos)
    throw ConfigError(to_text(function, ": ", name, " is no array of real numbers"));
  const auto text = [](const auto& numbers) {
    std::string all;
    for (const auto n : numbers) all += (all.empty() ? "" : ", ") + std::to_string(n);
    return "(" + all + ")";
  };
  const std::vector<std::size_t> found(plain.shape(), plain.shape() + plain.ndim());
  if (found != shape)
    throw ShapeError(
        to_text(function, ": ", name, " has shape ", text(found), ", expected ", text(shape)));
  return Array::ensure(plain);
}
std::span<const double> read(const Array& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

/// JSON as what Python has for it.
py::object python(const nlohmann::ordered_json& json) {
  if (json.is_boolean()) return py::bool_(json.get<bool>());
  if (json.is_number_integer()) return py::int_(json.get<std::int64_t>());
  if (json.is_number()) return py::float_(json.get<double>());
  if (json.is_string()) return py::str(json.get<std::string>());
  if (json.is_array()) {
    py::list list;
    for (const auto& one : json) list.append(python(one));
    return list;
  }
  if (json.is_object()) {
    py::dict dict;
    for (const auto& [key, value] : json.items()) dict[py::str(key)] = python(value);
    return dict;
  }
  return py::none();
}

/// A Python function of a state as a model; takes the lock for itself.
app::CallersModel model_of(const std::optional<py::function>& model, std::size_t size) {
  if (!model) return {};
  // The last reference may go where the lock is not held.
  const std::shared_ptr<py::function> call(new py::function(*model), [](py::function* f) {
    const py::gil_scoped_acquire lock;
    delete f;
  });
  return [call, size](const double* x, double* y) {
    const py::gil_scoped_acquire lock;
    const Array found =
        array_of("model", "the result",
                 (*call)(py::array_t<double>(static_cast<py::ssize_t>(size), x)), {size});
    std::copy_n(found.data(), size, y);
  };
}

app::Chosen choose(const std::string& problem, const std::string& method,
                   const std::optional<py::function>& model) {
  auto chosen = menu_of_bindings().choose(problem, method);
  chosen.choice.model = model_of(model, callers_size);
  return chosen;
}

TwinConfig twin_of(std::size_t runs, std::size_t cycles, std::size_t burn_in, std::uint64_t seed,
                   std::size_t threads, double first_guess, bool progress) {
  return {.runs = runs,
          .cycles = cycles,
          .burn_in = burn_in,
          .seed = seed,
          .threads = threads,
          .first_guess_deviation = first_guess,
          .progress = progress};
}

/// `dan.Method`. One call at a time: another thread, or a model that calls back, is refused.
class Method {
 public:
  Method(const std::string& problem, const std::string& method,
         const std::optional<py::function>& model) {
    const auto chosen = choose(problem, method, model);
    const py::gil_scoped_release unlocked;  // a model in Python takes it for itself
    cycler_ = chosen.method.cycler(chosen.choice);
  }

  /// What does not need the lock of the interpreter; use(cycler).
  template <class Use>
  decltype(auto) alone(const Use& use) {
    if (busy_.exchange(true))
      throw ConfigError(
          "dan.Method: another call is not done yet; a method is for one thread, and "
          "not for its own model");
    struct Done {
      std::atomic<bool>& busy;
      ~Done() { busy = false; }
    } const done{busy_};
    const py::gil_scoped_release unlocked;
    return use(*cycler_);
  }
  [[nodiscard]] const app::Cycler& sizes() const { return *cycler_; }

  void start(const py::object& guess, double deviation, std::uint64_t seed) {
    const Array x = array_of("start", "guess", guess, {cycler_->size()});
    const auto numbers = read(x);
    alone([&](app::Cycler& cycler) { cycler.start(numbers, deviation, seed); });
  }
  [[nodiscard]] Array estimate() {
    Array x(static_cast<py::ssize_t>(cycler_->size()));
    const std::span<double> numbers(x.mutable_data(), cycler_->size());
    alone([&](app::Cycler& cycler) { cycler.estimate(numbers); });
    return x;
  }
  void analyse(const py::object& values, const std::optional<py::object>& variances,
               const std::optional<py::object>& places) {
    const std::size_t slots = cycler_->slots(), coordinates = cycler_->coordinates();
    const Array y = array_of("analyse", "values", values, {slots});
    const Array errors =
        variances ? array_of("analyse", "variances", *variances, {slots}) : Array(0);
    if (places && coordinates == 0)
      throw ConfigError("analyse: places is given, expected None: the problem has its own");
    const Array at =
        places ? array_of("analyse", "places", *places, {slots, coordinates}) : Array(0);
    const auto a = read(y), b = read(errors), c = read(at);
    alone([&](app::Cycler& cycler) { cycler.analyse(a, b, c); });
  }
  [[nodiscard]] Array states() {
    const std::size_t size = cycler_->size(), count = cycler_->states();
    Array all({static_cast<py::ssize_t>(count), static_cast<py::ssize_t>(size)});
    double* const to = all.mutable_data();
    alone([&](app::Cycler& cycler) {
      for (std::size_t n = 0; n < count; ++n) cycler.state(n, {to + n * size, size});
    });
    all.attr("flags").attr("writeable") = false;  // a copy: what is written there would be lost
    return all;
  }
  void set_states(const py::object& given) {
    const std::size_t size = cycler_->size(), count = cycler_->states();
    const Array all = array_of("states", "the array", given, {count, size});
    const double* const from = all.data();
    alone([&](app::Cycler& cycler) {
      for (std::size_t n = 0; n < count; ++n) cycler.set_state(n, {from + n * size, size});
    });
  }

 private:
  std::unique_ptr<app::Cycler> cycler_;
  std::atomic<bool> busy_ = false;
};

py::dict problems() {
  py::dict all;
  for (const auto& problem : menu_of_bindings().problems()) {
    const auto parameters = [](const std::vector<app::Parameter>& list) {
      py::dict dict;
      for (const auto& p : list) dict[py::str(p.name)] = p.value;
      return dict;
    };
    py::dict methods;
    for (const auto& method : problem.methods)
      methods[py::str(method.name)] =
          py::dict(py::arg("about") = method.about, py::arg("weights") = method.weights,
                   py::arg("parameters") = parameters(method.parameters));
    all[py::str(problem.name)] =
        py::dict(py::arg("about") = problem.about, py::arg("methods") = methods,
                 py::arg("parameters") = parameters(problem.parameters));
  }
  return all;
}

/// One twin experiment, with what the method believes if `diagnose`.
py::object run(const std::string& problem, const std::string& method, std::size_t runs,
               std::size_t cycles, std::size_t burn_in, std::uint64_t seed, std::size_t threads,
               double first_guess, bool progress, bool diagnose,
               const std::optional<py::function>& model) {
  const auto chosen = choose(problem, method, model);
  const auto twin = twin_of(runs, cycles, burn_in, seed, threads, first_guess, progress);
  nlohmann::ordered_json row{{"problem", problem}, {"method", method}};
  {
    const py::gil_scoped_release unlocked;
    const InterruptHandler handler;
    row.update(diagnose ? chosen.method.diagnose(chosen.choice, twin)
                        : json_of_scores(chosen.method.score(chosen.choice, twin)));
  }
  return python(row);
}

py::object train(const std::string& problem, const std::string& network,
                 const std::filesystem::path& out, std::size_t updates, std::uint64_t seed,
                 std::size_t threads, bool finish,
                 const std::map<std::string, std::string>& fields) {
  const auto chosen = choose(problem, network, std::nullopt);
  if (!chosen.method.train)
    throw ConfigError(
        to_text("train: ", chosen.method.name, " has nothing to learn, expected a network"));
  const app::Training training{.updates = updates,
                               .seed = seed,
                               .threads = threads,
                               .finish = finish,
                               .fields = fields,
                               .out = out,
                               .command = to_text("dan.train('", problem, "', '", network,
                                                  "', updates=", updates, ", seed=", seed, ")")};
  TrainReport report;
  {
    const py::gil_scoped_release unlocked;
    const InterruptHandler handler;
    report = chosen.method.train(chosen.choice, training);
  }
  py::dict found;
  found["rmse"] = report.rmse;
  found["restarts"] = report.restarts;
  found["seconds"] = report.seconds;
  return found;
}

py::object assimilate(const std::string& problem, const std::string& method,
                      const std::filesystem::path& observations, const std::filesystem::path& out,
                      double interval, double start, std::size_t cycles, std::uint64_t seed) {
  const auto chosen = choose(problem, method, std::nullopt);
  if (!chosen.method.assimilate)
    throw ConfigError(to_text("assimilate: ", chosen.problem.name,
                              " has places of its own, expected a problem that takes them from a "
                              "file, see problems()"));
  nlohmann::ordered_json found;
  {
    const py::gil_scoped_release unlocked;
    const InterruptHandler handler;
    found =
        chosen.method.assimilate(chosen.choice, {.observations = observations,
                                                 .out = out,
                                                 .problem = problem,
                                                 .method = method,
                                                 .times = {.start = start, .interval = interval},
                                                 .cycles = cycles,
                                                 .seed = seed});
  }
  return python(found);
}
}  // namespace

PYBIND11_MODULE(_dan, module) {
  using namespace py::literals;
  module.attr("__name__") = "dan";  // the package, for help and messages
  module.doc() =
      "Data assimilation, learned and classical.\n\nProblems and methods are named as on the "
      "command "
      "line of the program dan: 'lorenz96:variance=2', 'etkf:members=20,inflation=1.02', "
      "'small:weights=small.safetensors'; problems() says which there are.";
  module.attr("__version__") = std::string(library_version);

  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Interrupted& stop) {
      PyErr_SetString(PyExc_KeyboardInterrupt, stop.what());
    } catch (const ConfigError& wrong) {
      PyErr_SetString(PyExc_ValueError, wrong.what());
    } catch (const ShapeError& wrong) {
      PyErr_SetString(PyExc_ValueError, wrong.what());
    } catch (const FileError& wrong) {
      PyErr_SetString(PyExc_OSError, wrong.what());
    } catch (const NumericalError& wrong) {
      PyErr_SetString(PyExc_ArithmeticError, wrong.what());
    }
  });

  module.def("problems", &problems,
             "What is compiled in: {problem: {about, parameters, methods: {method: {about, "
             "parameters, weights}}}}.");
  module.def(
      "run", &run,
      "A twin experiment: {analysis_rmse, interval, forecast_rmse, spread, cycles, seconds, "
      "...}.\n\nThe same truths and observations for every method of a problem and seed. "
      "diagnose: also crps, rank_histogram, reduced_centred and spread_skill. model: for "
      "'callers_model', a function of a state (an array of 40) that returns the state a cycle "
      "later; it runs on one thread at a time.",
      "problem"_a, "method"_a, py::kw_only(), "runs"_a = 16, "cycles"_a = 1450, "burn_in"_a = 200,
      "seed"_a = 1, "threads"_a = 0, "first_guess"_a = 0.3, "progress"_a = false,
      "diagnose"_a = false, "model"_a = py::none());
  module.def("train", &train,
             "Trains a network by its recipe and writes the weights to `out`; checkpoints stand "
             "beside it, and the same call goes on from them.\n\nfields: changes of the recipe, "
             "{'unroll': '8'}. Returns {rmse: per update, restarts, seconds}.",
             "problem"_a, "network"_a, "out"_a, py::kw_only(), "updates"_a = 0, "seed"_a = 1,
             "threads"_a = 0, "finish"_a = true, "fields"_a = std::map<std::string, std::string>());
  module.def("assimilate", &assimilate,
             "Assimilates the observations of a table (time,place,value,deviation) and writes "
             "out/analyses.csv; goes on where an earlier call stopped.",
             "problem"_a, "method"_a, "observations"_a, "out"_a, py::kw_only(), "interval"_a = 1.0,
             "start"_a = 0.0, "cycles"_a = 0, "seed"_a = 1);

  py::class_<Method>(
      module, "Method",
      "A method, cycle by cycle: start, then forecast (or new `states`) and analyse.")
      .def(py::init<const std::string&, const std::string&, const std::optional<py::function>&>(),
           "problem"_a, "method"_a, "model"_a = py::none())
      .def_property_readonly(
          "size", [](const Method& m) { return m.sizes().size(); }, "Elements of a state.")
      .def_property_readonly(
          "slots", [](const Method& m) { return m.sizes().slots(); },
          "Observations in a cycle, at most.")
      .def_property_readonly(
          "coordinates", [](const Method& m) { return m.sizes().coordinates(); },
          "Numbers of a place that comes with an observation (of several channels the last one "
          "says "
          "which), or 0.")
      .def_property_readonly(
          "cycle", [](const Method& m) { return m.sizes().cycle(); }, "Analyses since the start.")
      .def("start", &Method::start, "A first guess with an error of this deviation.", "guess"_a,
           "deviation"_a = 1.0, "seed"_a = 1)
      .def(
          "start_from_climate",
          [](Method& m, std::uint64_t seed) {
            m.alone([&](app::Cycler& cycler) { cycler.start_from_climate(seed); });
          },
          "A first guess that knows the climate of the model only.", "seed"_a = 1)
      .def(
          "forecast", [](Method& m) { m.alone([](app::Cycler& cycler) { cycler.forecast(); }); },
          "Advances by one cycle. Where a model raises, the method has no state any more.")
      .def(
          "analyse", &Method::analyse,
          "values: one for each slot, NaN where nothing was observed; variances: of their errors, "
          "else the problem's; places: slots x coordinates, where they come with the observations.",
          "values"_a, "variances"_a = py::none(), "places"_a = py::none())
      .def("estimate", &Method::estimate, "The state, as an array.")
      .def_property_readonly(
          "spread",
          [](Method& m) { return m.alone([](app::Cycler& cycler) { return cycler.spread(); }); },
          "The method's own estimate of its error, NaN if it has none.")
      .def_property(
          "states", &Method::states, &Method::set_states,
          "What a forecast is made of (members x size, or 1 x size): a copy to be read, and "
          "to be replaced as a whole by forecasts of another model instead of forecast().")
      .def(
          "save",
          [](Method& m, const std::filesystem::path& file) {
            m.alone([&](app::Cycler& cycler) { cycler.save(file); });
          },
          "Writes what is carried from cycle to cycle.", "file"_a)
      .def(
          "load",
          [](Method& m, const std::filesystem::path& file, std::uint64_t seed) {
            m.alone([&](app::Cycler& cycler) { cycler.load(file, seed); });
          },
          "Goes on from there with the same bits; seed: that of the start.", "file"_a, "seed"_a);
}
