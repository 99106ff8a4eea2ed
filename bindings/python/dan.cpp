// SPDX-License-Identifier: BSD-3-Clause
// The library from Python: `import dan`.
#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "../menu.hpp"
#include "dan/app/tables.hpp"
#include "dan/core/interrupt.hpp"
#include "dan/experiment/sweep.hpp"
#include "dan/version.hpp"

namespace py = pybind11;

namespace {
using namespace dan;
using Array = py::array_t<double, py::array::c_style | py::array::forcecast>;

/// Up to three dimensions, without a word of memory.
struct Shape {
  std::array<std::size_t, 3> sizes{};
  std::size_t dimensions = 0;

  Shape(std::initializer_list<std::size_t> list) {
    for (const std::size_t n : list) sizes[dimensions++] = n;
  }
  [[nodiscard]] bool of(const py::array& array) const {
    return static_cast<std::size_t>(array.ndim()) == dimensions &&
           std::equal(
               array.shape(), array.shape() + dimensions, sizes.begin(),
               [](py::ssize_t a, std::size_t b) { return static_cast<std::size_t>(a) == b; });
  }
  [[nodiscard]] static std::string text(const auto* numbers, std::size_t count) {
    return "(" + joined(std::span(numbers, count)) + ")";
  }
};

/// Whether what `Array::check_` found is aligned as well, as all that NumPy makes is.
bool aligned(const py::array& array) {
  return (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
}

/// Throws ShapeError where an array of xarray names its dimensions as `to_xarray` does, in another
/// order: a square array would pass.
void require_order(std::string_view function, std::string_view name, const py::object& given) {
  static constexpr std::array<std::string_view, 5> order{"run", "member", "slot", "point",
                                                         "channel"};
  const py::object dims = py::getattr(given, "dims", py::none());
  if (!py::isinstance<py::tuple>(dims)) return;
  std::vector<std::ptrdiff_t> known;
  std::vector<std::string> names;
  for (const py::handle dim : dims) {
    names.push_back(py::str(dim));
    const auto& text = names.back();
    if (const auto at = std::ranges::find(order, text); at != order.end())
      known.push_back(at - order.begin());
  }
  if (!std::ranges::is_sorted(known))
    throw ShapeError(to_text(function, ": ", name, " has dimensions (", joined(names),
                             "), expected the order run, member, slot, point, channel; "
                             "transpose it"));
}

/// A masked array of NumPy with NaN where it is masked, anything else as it is.
py::object unmasked(const py::object& given) {
  if (Py_TYPE(given.ptr()) == py::detail::npy_api::get().PyArray_Type_ ||
      !py::hasattr(given, "mask") || !py::hasattr(given, "filled"))
    return given;
  return given.attr("astype")("float64").attr("filled")(std::numeric_limits<double>::quiet_NaN());
}

/// An argument as an array of doubles of this shape, NaN where one of NumPy is masked; throws
/// ShapeError for another one, ConfigError for what is no real number. Contiguous doubles are taken
/// as they are, within a tenth of a microsecond.
Array array_of(std::string_view function, std::string_view name, const py::object& argument,
               const Shape& shape) {
  const py::object given = unmasked(argument);
  if (Array::check_(given) && aligned(py::reinterpret_borrow<py::array>(given)) &&
      shape.of(py::reinterpret_borrow<py::array>(given)))
    return py::reinterpret_borrow<Array>(given);
  require_order(function, name, given);
  const py::array plain = py::array::ensure(given);
  if (!plain || std::string_view("fiub").find(plain.dtype().kind()) == std::string_view::npos)
    throw ConfigError(to_text(function, ": ", name, " is no array of real numbers"));
  if (!shape.of(plain))
    throw ShapeError(to_text(function, ": ", name, " has shape ",
                             Shape::text(plain.shape(), static_cast<std::size_t>(plain.ndim())),
                             ", expected ", Shape::text(shape.sizes.data(), shape.dimensions)));
  return Array::ensure(plain);
}
std::span<const double> read(const Array& array) {
  return {array.data(), static_cast<std::size_t>(array.size())};
}

/// JSON as what Python has for it.
py::object python(const nlohmann::ordered_json& json) {
  if (json.is_boolean()) return py::bool_(json.get<bool>());
  if (json.is_number_unsigned()) return py::int_(json.get<std::uint64_t>());
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

/// A Python function that many share as one reference; the last one may go where the lock of the
/// interpreter is not held.
using SharedFunction = std::shared_ptr<py::function>;
SharedFunction shared(const std::optional<py::function>& function) {
  if (!function) return {};
  return {new py::function(*function), [](py::function* f) {
            const py::gil_scoped_acquire lock;
            delete f;
          }};
}

/// A Python function of a state as a model; takes the lock for itself.
app::CallersModel model_of(const SharedFunction& call, std::size_t size) {
  if (!call) return {};
  return [call, size](const double* x, double* y) {
    const py::gil_scoped_acquire lock;
    const Array found =
        array_of("model", "the result",
                 (*call)(py::array_t<double>(static_cast<py::ssize_t>(size), x)), {size});
    std::copy_n(found.data(), size, y);
  };
}

app::Chosen choose(const std::string& problem, const std::string& method,
                   const SharedFunction& model = {}) {
  auto chosen = menu_of_bindings().choose(problem, method);
  chosen.choice.model = model_of(model, callers_size);
  return chosen;
}

/// From analysis to analysis, in units of the problem, where it says.
std::optional<double> cycle_interval(const app::Chosen& chosen) {
  return chosen.problem.interval ? std::optional(chosen.problem.interval(chosen.choice.problem))
                                 : std::nullopt;
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
         const std::optional<py::function>& model, const std::optional<std::size_t>& runs)
      : problem_(problem), method_(method), several_(runs.has_value()), model_(shared(model)) {
    const auto chosen = choose(problem, method, model_);
    interval_ = cycle_interval(chosen);
    const py::gil_scoped_release unlocked;  // a model in Python takes it for itself
    cycler_ = chosen.method.cycler(chosen.choice, runs.value_or(1));
  }

  /// For the garbage collector, which finds cycles through the model: an object that has a method
  /// whose model is one of its own.
  static int traverse(PyObject* self, visitproc visit, void* arg) {
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(self));
#endif
    if (const Method* method = made_of(self); method != nullptr && method->model_)
      Py_VISIT(method->model_->ptr());
    return 0;
  }
  static int clear(PyObject* self) {
    if (Method* method = made_of(self); method != nullptr && method->model_) {
      method->cycler_.reset();
      method->model_.reset();
    }
    return 0;
  }

  /// What takes long, without the lock of the interpreter; use(cycler).
  template <class Use>
  void alone(const Use& use) {
    const Busy busy(busy_);
    const py::gil_scoped_release unlocked;
    use(here());
  }
  /// What takes less than giving the lock away and waiting for it; use(cycler).
  template <class Use>
  void briefly(const Use& use) {
    const Busy busy(busy_);
    use(here());
  }
  [[nodiscard]] const app::Cycler& sizes() const { return here(); }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const std::string& method() const { return method_; }
  [[nodiscard]] std::optional<double> interval() const { return interval_; }
  [[nodiscard]] std::optional<std::size_t> runs() const {
    return several_ ? std::optional(here().runs()) : std::nullopt;
  }

  void start(const py::object& guess, double deviation, std::uint64_t seed) {
    const Array x = array_of("start", "guess", guess, of_runs(here().size()));
    const auto numbers = read(x);
    alone([&](app::Cycler& cycler) { cycler.start(numbers, deviation, seed); });
  }
  [[nodiscard]] Array estimate(const std::optional<py::object>& out) {
    Array x = out ? writable(*out, of_runs(here().size())) : made(of_runs(here().size()));
    const std::span<double> numbers(x.mutable_data(), static_cast<std::size_t>(x.size()));
    briefly([&](app::Cycler& cycler) { cycler.estimate(numbers); });
    return x;
  }
  void analyse(const py::object& values, const std::optional<py::object>& variances,
               const std::optional<py::object>& places) {
    const std::size_t slots = here().slots(), coordinates = here().coordinates();
    const auto given = [&](const char* name, const std::optional<py::object>& what,
                           const Shape& shape) {
      return what ? std::optional(array_of("analyse", name, *what, shape)) : std::nullopt;
    };
    const auto numbers = [](const std::optional<Array>& array) {
      return array ? read(*array) : std::span<const double>();
    };
    const Array y = array_of("analyse", "values", values, of_runs(slots));
    const auto errors = given("variances", variances, of_runs(slots));
    if (places && coordinates == 0)
      throw ConfigError("analyse: places is given, expected None: the problem has its own");
    const auto at = given("places", places, of_runs(slots, coordinates));
    const auto a = read(y), b = numbers(errors), c = numbers(at);
    alone([&](app::Cycler& cycler) { cycler.analyse(a, b, c); });
  }
  [[nodiscard]] py::object spread() {
    if (several_) {
      Array all(static_cast<py::ssize_t>(here().runs()));
      const std::span<double> numbers(all.mutable_data(), here().runs());
      briefly([&](app::Cycler& cycler) { cycler.spread(numbers); });
      return all;
    }
    double one = 0;
    briefly([&](app::Cycler& cycler) { cycler.spread({&one, 1}); });
    return py::float_(one);
  }
  [[nodiscard]] Array states() {
    const std::size_t size = here().size(), count = here().runs() * here().states();
    Array all = made(of_runs(here().states(), size));
    double* const to = all.mutable_data();
    briefly([&](app::Cycler& cycler) {
      for (std::size_t n = 0; n < count; ++n) cycler.state(n, {to + n * size, size});
    });
    // A copy: what is written there would be lost.
    py::detail::array_proxy(all.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
    return all;
  }
  void set_states(const py::object& given) {
    const std::size_t size = here().size(), count = here().runs() * here().states();
    const Array all = array_of("states", "the array", given, of_runs(here().states(), size));
    const double* const from = all.data();
    if (const auto* bad = std::find_if_not(from, from + all.size(),
                                           [](double number) { return std::isfinite(number); });
        bad != from + all.size())  // before the first is replaced
      throw ConfigError(to_text("states: number ", bad - from, " of the array is ", *bad,
                                ", expected a finite number"));
    briefly([&](app::Cycler& cycler) {
      for (std::size_t n = 0; n < count; ++n) cycler.set_state(n, {from + n * size, size});
    });
  }

 private:
  /// What Python holds, once its constructor is done.
  static Method* made_of(PyObject* self) {
    auto value = reinterpret_cast<py::detail::instance*>(self)->get_value_and_holder();
    return value.holder_constructed() ? value.value_ptr<Method>() : nullptr;
  }
  [[nodiscard]] app::Cycler& here() const {
    if (!cycler_) throw ConfigError("dan.Method: it is no more: its model was collected");
    return *cycler_;
  }

  /// Marks a method as in use.
  class Busy {
   public:
    explicit Busy(std::atomic<bool>& busy) : busy_(busy) {
      if (busy_.exchange(true))
        throw ConfigError(
            "dan.Method: another call is not done yet; a method is for one thread, and "
            "not for its own model");
    }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;
    ~Busy() { busy_ = false; }

   private:
    std::atomic<bool>& busy_;
  };

  /// Where runs are counted they come first.
  [[nodiscard]] Shape of_runs(std::size_t n) const {
    return several_ ? Shape{here().runs(), n} : Shape{n};
  }
  [[nodiscard]] Shape of_runs(std::size_t n, std::size_t each) const {
    return several_ ? Shape{here().runs(), n, each} : Shape{n, each};
  }
  static Array made(const Shape& shape) {
    return Array(std::vector<py::ssize_t>(
        shape.sizes.begin(), shape.sizes.begin() + static_cast<std::ptrdiff_t>(shape.dimensions)));
  }
  /// An array that is written as it is.
  static Array writable(const py::object& given, const Shape& shape) {
    if (!Array::check_(given) || !aligned(py::reinterpret_borrow<py::array>(given)) ||
        !py::reinterpret_borrow<py::array>(given).writeable())
      throw ConfigError("estimate: out is no contiguous array of doubles that can be written");
    return array_of("estimate", "out", given, shape);
  }

  std::string problem_, method_;  // as they were named
  std::optional<double> interval_;
  std::unique_ptr<app::Cycler> cycler_;
  bool several_;
  SharedFunction model_;  ///< that of the cycler, or none
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
        py::dict(py::arg("about") = problem.about, py::arg("points") = problem.points,
                 py::arg("channels") = problem.channels, py::arg("methods") = methods,
                 py::arg("parameters") = parameters(problem.parameters));
  }
  return all;
}

/// States as cycles × size.
Array array_of_rows(const std::vector<std::vector<double>>& rows, std::size_t size) {
  Array all({static_cast<py::ssize_t>(rows.size()), static_cast<py::ssize_t>(size)});
  double* to = all.mutable_data();
  for (const auto& row : rows) to = std::ranges::copy(row, to).out;
  return all;
}

/// One twin experiment, with what the method believes if `diagnose`, and the first `keep_fields`
/// scored cycles of run 0.
py::object run(const std::string& problem, const std::string& method, std::size_t runs,
               std::size_t cycles, std::size_t burn_in, std::uint64_t seed, std::size_t threads,
               double first_guess, bool progress, bool diagnose, std::size_t keep_fields,
               const std::optional<py::function>& model) {
  const auto chosen = choose(problem, method, shared(model));
  auto twin = twin_of(runs, cycles, burn_in, seed, threads, first_guess, progress);
  twin.keep_fields = keep_fields;
  nlohmann::ordered_json row{{"problem", problem}, {"method", method}, {"seed", seed}};
  TwinScores scores;
  {
    const py::gil_scoped_release unlocked;
    const InterruptHandler handler;
    auto beliefs = nlohmann::ordered_json::object();
    if (diagnose)
      std::tie(scores, beliefs) = chosen.method.diagnose(chosen.choice, twin);
    else
      scores = chosen.method.score(chosen.choice, twin);
    row.update(json_of_scores(scores));
    row.update(beliefs);
  }
  py::object found = python(row);
  if (keep_fields > 0) {
    const std::size_t size = chosen.problem.points * chosen.problem.channels;
    Array time(static_cast<py::ssize_t>(scores.truth.size()));
    for (std::size_t k = 0; k < scores.truth.size(); ++k)
      time.mutable_data()[k] =
          cycle_interval(chosen).value_or(1) * static_cast<double>(burn_in + 1 + k);
    found["time"] = time;
    found["truth"] = array_of_rows(scores.truth, size);
    found["analysis"] = array_of_rows(scores.analysis, size);
  }
  return found;
}

py::object train(const std::string& problem, const std::string& network,
                 const std::filesystem::path& out, std::size_t updates, std::uint64_t seed,
                 std::size_t threads, bool finish,
                 const std::map<std::string, std::string>& fields) {
  const auto chosen = choose(problem, network);
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
                      std::optional<double> interval, double start, std::size_t cycles,
                      std::uint64_t seed) {
  const auto chosen = choose(problem, method);
  if (!chosen.method.assimilate)
    throw ConfigError(to_text("assimilate: ", chosen.problem.name,
                              " has places of its own, expected a problem that takes them from a "
                              "file, see problems()"));
  nlohmann::ordered_json found;
  {
    const py::gil_scoped_release unlocked;
    const InterruptHandler handler;
    found = chosen.method.assimilate(
        chosen.choice, {.observations = observations,
                        .table = app::load_table("assimilate", observations),
                        .out = out,
                        .problem = problem,
                        .method = method,
                        .times = cycle_times(chosen.problem, chosen.choice, start, interval),
                        .cycles = cycles,
                        .seed = seed});
  }
  return python(found);
}

/// Raises it; bytes that are not UTF-8, of a file's text or name, are shown as \\xff.
void raise(PyObject* kind, const std::exception& error) {
  const std::string_view what = error.what();
  PyObject* const text =
      PyUnicode_DecodeUTF8(what.data(), static_cast<Py_ssize_t>(what.size()), "backslashreplace");
  if (text == nullptr) return;  // there is an error already
  PyErr_SetObject(kind, text);
  Py_DECREF(text);
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
      raise(PyExc_KeyboardInterrupt, stop);
    } catch (const ConfigError& wrong) {
      raise(PyExc_ValueError, wrong);
    } catch (const ShapeError& wrong) {
      raise(PyExc_ValueError, wrong);
    } catch (const FileError& wrong) {
      raise(PyExc_OSError, wrong);
    } catch (const NumericalError& wrong) {
      raise(PyExc_ArithmeticError, wrong);
    }
  });

  module.def("problems", &problems,
             "What is compiled in: {problem: {about, points, channels, parameters, methods: "
             "{method: {about, parameters, weights}}}}.");
  module.def(
      "run", &run,
      "A twin experiment: {analysis_rmse, interval, forecast_rmse, spread, cycles, seconds, "
      "...}.\n\nThe same truths and observations for every method of a problem and seed. "
      "diagnose: also crps, rank_histogram, reduced_centred and spread_skill. keep_fields: also "
      "time, truth and analysis (cycles x size) of the first so many scored cycles of run 0; time "
      "in units of the problem, of 'callers_model' in cycles. model: for "
      "'callers_model', a function of a state (an array of 40) that returns the state a cycle "
      "later; it runs on one thread at a time.",
      "problem"_a, "method"_a, py::kw_only(), "runs"_a = 16, "cycles"_a = 1450, "burn_in"_a = 200,
      "seed"_a = 1, "threads"_a = 0, "first_guess"_a = 0.3, "progress"_a = false,
      "diagnose"_a = false, "keep_fields"_a = 0, "model"_a = py::none());
  module.def("train", &train,
             "Trains a network by its recipe and writes the weights to `out`; checkpoints stand "
             "beside it, and the same call goes on from them.\n\nfields: changes of the recipe, "
             "{'unroll': '8'}. Returns {rmse: per update, restarts, seconds}.",
             "problem"_a, "network"_a, "out"_a, py::kw_only(), "updates"_a = 0, "seed"_a = 1,
             "threads"_a = 0, "finish"_a = true, "fields"_a = std::map<std::string, std::string>());
  module.def(
      "assimilate", &assimilate,
      "Assimilates the observations of a table (time,place,value,deviation) and writes "
      "out/analyses.csv; goes on where an earlier call stopped.\n\ninterval: from analysis "
      "to analysis, by default as long as a forecast; start: one interval before the first. "
      "Returns {cycles, last_cycle, observations, innovation_rms, error_rms}, the last two of "
      "the last three quarters of the observations.",
      "problem"_a, "method"_a, "observations"_a, "out"_a, py::kw_only(), "interval"_a = py::none(),
      "start"_a = 0.0, "cycles"_a = 0, "seed"_a = 1);

  py::class_<Method>(
      module, "Method",
      "A method, cycle by cycle: start, then forecast (or new `states`) and analyse.\n\nWith "
      "`runs` as many side by side, which share nothing but the method: all arrays then begin with "
      "them, runs x size.",
      py::custom_type_setup([](PyHeapTypeObject* type) {
        type->ht_type.tp_flags |= Py_TPFLAGS_HAVE_GC;
        type->ht_type.tp_traverse = Method::traverse;
        type->ht_type.tp_clear = Method::clear;
      }))
      .def(py::init<const std::string&, const std::string&, const std::optional<py::function>&,
                    const std::optional<std::size_t>&>(),
           "problem"_a, "method"_a, "model"_a = py::none(), "runs"_a = py::none())
      .def_property_readonly("problem", &Method::problem, "As it was named.")
      .def_property_readonly("method", &Method::method, "As it was named.")
      .def_property_readonly("interval", &Method::interval,
                             "From analysis to analysis, in units of the problem, or None where "
                             "it does not say.")
      .def_property_readonly("runs", &Method::runs,
                             "How many were asked for side by side, or None.")
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
      .def_property_readonly(
          "seed", [](const Method& m) { return m.sizes().seed(); }, "That of the start.")
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
          "Advances by one cycle. Where a model raises all is as before; a network, and a method "
          "of "
          "several runs of which one was done, have no state then.")
      .def(
          "analyse", &Method::analyse,
          "values: one for each slot, NaN where nothing was observed; variances: of their errors, "
          "else the problem's; places: slots x coordinates, where they come with the observations.",
          "values"_a, "variances"_a = py::none(), "places"_a = py::none())
      .def("estimate", &Method::estimate,
           "The state, as an array: a new one, or `out` (contiguous doubles).",
           "out"_a = py::none())
      .def_property_readonly("spread", &Method::spread,
                             "The method's own estimate of its error, NaN if it has none.")
      .def_property(
          "states", &Method::states, &Method::set_states,
          "What a forecast is made of (members x size, or 1 x size, of each run): a copy to be "
          "read, and "
          "to be replaced as a whole by forecasts of another model instead of forecast().")
      .def(
          "save",
          [](Method& m, const std::filesystem::path& file) {
            m.alone([&](app::Cycler& cycler) { cycler.save(file); });
          },
          "Writes what is carried from cycle to cycle, and the seed of the start.", "file"_a)
      .def(
          "load",
          [](Method& m, const std::filesystem::path& file,
             const std::optional<std::uint64_t>& seed) {
            m.alone([&](app::Cycler& cycler) { cycler.load(file, seed); });
          },
          "Goes on from there with the same bits; seed: for a file of an earlier version, which "
          "does not know that of its start.",
          "file"_a, "seed"_a = py::none());
}
