// SPDX-License-Identifier: BSD-3-Clause
#include "dan.h"

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>

#include "../menu.hpp"
#include "dan/version.hpp"

struct dan_method {
  std::unique_ptr<dan::app::Cycler> cycler;
};

namespace {
thread_local std::string message;

/// Does what may throw; nothing does beyond this.
template <class Call>
dan_status guarded(const Call& call) noexcept {
  const auto said = [](dan_status status, const char* what) {
    try {
      message = what;
    } catch (...) {
      message.clear();
    }
    return status;
  };
  try {
    call();
    return DAN_OK;
  } catch (const dan::NumericalError& error) {
    return said(DAN_NUMERICAL, error.what());
  } catch (const dan::FileError& error) {
    return said(DAN_FILE, error.what());
  } catch (const dan::ConfigError& error) {
    return said(DAN_ARGUMENT, error.what());
  } catch (const dan::ShapeError& error) {
    return said(DAN_ARGUMENT, error.what());
  } catch (const std::exception& error) {
    return said(DAN_OTHER, error.what());
  } catch (...) {
    return said(DAN_OTHER, "an error that is no std::exception");
  }
}

void require(const void* pointer, const char* name) {
  if (pointer == nullptr)
    throw dan::ConfigError(dan::to_text(name, " is NULL, expected an array, a text or a method"));
}
dan::app::Cycler& of(const dan_method* method) {
  require(method, "method");
  return *method->cycler;
}
std::span<const double> span(const double* array, const char* name, std::size_t size) {
  require(array, name);
  return {array, size};
}
std::span<double> span(double* array, const char* name, std::size_t size) {
  require(array, name);
  return {array, size};
}
}  // namespace

const char* dan_message(void) { return message.c_str(); }
dan_status dan_refuse_size(const char* name, size_t found, size_t expected) {
  return guarded([&] {
    require(name, "name");
    throw dan::ShapeError(dan::to_text(name, " has ", found, " numbers, expected ", expected));
  });
}
const char* dan_version(void) {
  static const std::string version(dan::library_version);
  return version.c_str();
}

dan_status dan_open(const char* problem, const char* method, dan_method** opened) {
  return dan_open_with(problem, method, nullptr, nullptr, opened);
}
dan_status dan_open_with(const char* problem, const char* method, dan_step step, void* user,
                         dan_method** opened) {
  return dan_open_runs(problem, method, 1, step, user, opened);
}
dan_status dan_open_runs(const char* problem, const char* method, size_t runs, dan_step step,
                         void* user, dan_method** opened) {
  return guarded([&] {
    require(opened, "opened");
    *opened = nullptr;
    require(problem, "problem");
    require(method, "method");
    auto chosen = menu_of_bindings().choose(problem, method);
    if (step) chosen.choice.model = [step, user](const double* x, double* y) { step(x, y, user); };
    *opened = new dan_method{chosen.method.cycler(chosen.choice, runs)};
  });
}
void dan_close(dan_method* method) { delete method; }

size_t dan_runs(const dan_method* method) { return method ? method->cycler->runs() : 0; }
size_t dan_size(const dan_method* method) { return method ? method->cycler->size() : 0; }
size_t dan_slots(const dan_method* method) { return method ? method->cycler->slots() : 0; }
size_t dan_coordinates(const dan_method* method) {
  return method ? method->cycler->coordinates() : 0;
}
size_t dan_states(const dan_method* method) { return method ? method->cycler->states() : 0; }
size_t dan_cycle(const dan_method* method) { return method ? method->cycler->cycle() : 0; }

dan_status dan_start(dan_method* method, const double* guess, double deviation, uint64_t seed) {
  return guarded([&] {
    auto& cycler = of(method);
    cycler.start(span(guess, "guess", cycler.runs() * cycler.size()), deviation, seed);
  });
}
dan_status dan_start_from_climate(dan_method* method, uint64_t seed) {
  return guarded([&] { of(method).start_from_climate(seed); });
}
dan_status dan_forecast(dan_method* method) {
  return guarded([&] { of(method).forecast(); });
}
dan_status dan_analyse(dan_method* method, const double* values, const double* variances,
                       const double* places) {
  return guarded([&] {
    auto& cycler = of(method);
    const std::size_t slots = cycler.runs() * cycler.slots();
    const std::size_t numbers = slots * cycler.coordinates();
    if (places && numbers == 0)
      throw dan::ConfigError(
          "dan_analyse: places is given, expected NULL: the problem has its own");
    cycler.analyse(span(values, "values", slots),
                   variances ? std::span(variances, slots) : std::span<const double>(),
                   places ? std::span(places, numbers) : std::span<const double>());
  });
}
dan_status dan_estimate(const dan_method* method, double* x) {
  return guarded([&] {
    const auto& cycler = of(method);
    cycler.estimate(span(x, "x", cycler.runs() * cycler.size()));
  });
}
dan_status dan_spread(const dan_method* method, double* spread) {
  return guarded([&] {
    const auto& cycler = of(method);
    cycler.spread(span(spread, "spread", cycler.runs()));
  });
}
dan_status dan_state(const dan_method* method, size_t n, double* x) {
  return guarded([&] { of(method).state(n, span(x, "x", dan_size(method))); });
}
dan_status dan_set_state(dan_method* method, size_t n, const double* x) {
  return guarded([&] { of(method).set_state(n, span(x, "x", dan_size(method))); });
}
dan_status dan_save(const dan_method* method, const char* file) {
  return guarded([&] {
    require(file, "file");
    of(method).save(file);
  });
}
dan_status dan_load(dan_method* method, const char* file, const uint64_t* seed) {
  return guarded([&] {
    require(file, "file");
    of(method).load(file, seed ? std::optional<std::uint64_t>(*seed) : std::nullopt);
  });
}
