// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/interrupt.hpp"

#include <doctest/doctest.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is POSIX
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <new>

using namespace dan;

namespace {
void other(int) {}

/// Whether the handler of `signal` is that of whoever came before us.
bool is_other(int signal) {
  struct sigaction found {};
  ::sigaction(signal, nullptr, &found);
  return found.sa_handler == other;
}

/// How a child ends that gets these two signals while a handler lives: the signal, or 0.
int end_of_child(int first, int second) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const InterruptHandler handler;
    std::raise(first);
    if (!interrupted()) ::_exit(1);
    std::raise(second);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) CHECK(WEXITSTATUS(status) == 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
}  // namespace

TEST_CASE("interrupt: a signal is noted as long as a handler lives, and given back") {
  const auto before_int = std::signal(SIGINT, other), before_term = std::signal(SIGTERM, other),
             before_hup = std::signal(SIGHUP, other);
  CHECK_FALSE(interrupted());
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const InterruptHandler handler;
    CHECK_FALSE(interrupted());
    CHECK_NOTHROW(throw_if_interrupted("f", "nothing"));
    std::raise(signal);
    CHECK(interrupted());
    {
      const InterruptHandler inner;
      CHECK(interrupted());
    }
    CHECK(interrupted());
    CHECK_FALSE(is_other(SIGINT));
    CHECK_THROWS_WITH_AS(throw_if_interrupted("f", 3, " of ", 7, " steps"),
                         "f: interrupted after 3 of 7 steps", Interrupted);
  }
  CHECK_FALSE(interrupted());
  CHECK(is_other(SIGINT));
  CHECK(is_other(SIGTERM));
  CHECK(is_other(SIGHUP));
  std::signal(SIGHUP, SIG_IGN);  // as nohup does
  {
    const InterruptHandler handler;
    std::raise(SIGHUP);
    CHECK_FALSE(interrupted());
  }
  std::signal(SIGHUP, before_hup);
  std::signal(SIGINT, before_int);
  std::signal(SIGTERM, before_term);
}

TEST_CASE("interrupt: the last of several handlers gives the signals back, in any order") {
  const auto before = std::signal(SIGINT, other);
  auto first = std::make_unique<InterruptHandler>();
  const auto second = std::make_unique<InterruptHandler>();
  first.reset();
  CHECK_FALSE(is_other(SIGINT));
  std::raise(SIGINT);
  CHECK(interrupted());
  first = std::make_unique<InterruptHandler>();
  CHECK(interrupted());
  std::signal(SIGINT, before);
}

TEST_CASE("interrupt: the second signal of a kind ends the process") {
  CHECK(end_of_child(SIGINT, SIGINT) == SIGINT);
  CHECK(end_of_child(SIGTERM, SIGTERM) == SIGTERM);
  CHECK(end_of_child(SIGINT, SIGTERM) == 0);
}

TEST_CASE("interrupt: run_main has a handler, and an exit code for what is thrown") {
  CHECK(run_main([] {}) == 0);
  CHECK(run_main([] { throw ConfigError("expected: this error, of a test"); }) == 1);
  CHECK(run_main([] { throw std::bad_alloc(); }) == 1);
  CHECK(run_main([] {
          std::raise(SIGINT);
          throw_if_interrupted("a test", "3 cycles, as it should be");
        }) == 130);
  CHECK_FALSE(interrupted());
}
