// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is POSIX
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <mutex>
#include <new>
#include <string_view>

#include "dan/core/error.hpp"

/// \file
/// Ctrl-C stops a long computation between two steps, not within one.
///
/// The library installs no handler by itself: without an `InterruptHandler` a signal ends the
/// process at once, as ever.

namespace dan {

namespace detail {
inline std::atomic<int> interrupt_signal{0};  ///< the signal that came, or 0
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may write to it");

extern "C" inline void dan_note_interrupt(int signal) {
  const int error = errno;
  interrupt_signal = signal;
  constexpr std::string_view note = "\nstopping after this step; once more: at once\n";
  (void)!::write(STDERR_FILENO, note.data(), note.size());
  errno = error;
}
}  // namespace detail

/// Whether SIGINT, SIGTERM or SIGHUP has come since the first of the present `InterruptHandler`s
/// was made.
[[nodiscard]] inline bool interrupted() noexcept { return detail::interrupt_signal != 0; }

/// Throws Interrupted, as `function: interrupted after <what>`, if `interrupted()`; the parts of
/// `what` say what was done and how to go on.
template <class... Parts>
void throw_if_interrupted(std::string_view function, const Parts&... what) {
  if (interrupted()) throw Interrupted(to_text(function, ": interrupted after ", what...));
}

/// As long as it lives, the first SIGINT, SIGTERM or SIGHUP (a terminal that is closed; not under
/// nohup, which ignores it) makes `interrupted()` true and the second of its kind ends the process.
///
/// What runs long (`Trainer::run`, `run_twin`, `run_shock`, `tune_on_grid`, `Sweep::run`,
/// `lyapunov_spectrum`, `covariant_vectors`, spin-ups) then finishes its step, writes its
/// checkpoint if it has one, and throws `Interrupted`. For the main program, which owns the
/// signals; `run_main` is one with such a handler.
/// Several of them, inside one another or in several threads, are as one that lives as long as any
/// of them: the last one gives the signals back to those who had them and forgets what came.
class InterruptHandler {
 public:
  InterruptHandler() {
    Shared& shared = all();
    const std::lock_guard lock(shared.mutex);
    if (shared.alive++ > 0) return;
    detail::interrupt_signal = 0;
    struct sigaction action {};
    action.sa_handler = detail::dan_note_interrupt;
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;  // the second one ends us
    ::sigemptyset(&action.sa_mask);
    for (std::size_t n = 0; n < signals.size(); ++n) {
      ::sigaction(signals[n], &action, &shared.before[n]);
      if (signals[n] == SIGHUP && shared.before[n].sa_handler == SIG_IGN)
        ::sigaction(SIGHUP, &shared.before[n], nullptr);
    }
  }
  InterruptHandler(const InterruptHandler&) = delete;
  InterruptHandler& operator=(const InterruptHandler&) = delete;
  ~InterruptHandler() {
    Shared& shared = all();
    const std::lock_guard lock(shared.mutex);
    if (--shared.alive > 0) return;
    for (std::size_t n = 0; n < signals.size(); ++n)
      ::sigaction(signals[n], &shared.before[n], nullptr);
    detail::interrupt_signal = 0;
  }

 private:
  static constexpr std::array<int, 3> signals{SIGINT, SIGTERM, SIGHUP};
  struct Shared {
    std::mutex mutex;
    std::size_t alive = 0;
    std::array<struct sigaction, signals.size()> before{};
  };
  static Shared& all() {
    static Shared shared;
    return shared;
  }
};

/// main of a program: body() under an `InterruptHandler`, and the exit code.
///
///     int main() {
///       return dan::run_main([] { … });
///     }
/// What it throws is told on standard error: the code is 130 where it was `Interrupted`, else 1.
template <class Body>
[[nodiscard]] int run_main(const Body& body) {
  const InterruptHandler handler;
  try {
    body();
    return 0;
  } catch (const Interrupted& stop) {
    std::fprintf(stderr, "%s\n", stop.what());
    return 130;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "error: there is not enough memory for what was asked for\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
  }
  return 1;
}

}  // namespace dan
