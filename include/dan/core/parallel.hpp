// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "dan/core/error.hpp"

namespace dan {

/// Works off numbered tasks: `team.for_each(count, task)` has task(0) … task(count − 1) called, in
/// any order and perhaps at once, and returns when all are done. A task writes only to what its
/// index owns, so that results do not depend on who does what.
template <class T>
concept Team = requires(T& team, std::size_t count, void (*task)(std::size_t)) {
  team.for_each(count, task);
};

/// A team of threads.
///
/// The caller is one of the team; the others sleep between calls of `for_each` (cost of a call:
/// some tens of microseconds). Which thread runs a task is left open, so a task must write only
/// to what its index owns; results then do not depend on the number of threads.
class Threads {
 public:
  /// A team of `threads`, the caller included; 0 means one per hardware thread. Throws ConfigError
  /// for more than 1024.
  explicit Threads(std::size_t threads = 0) {
    if (threads > 1024)
      throw ConfigError(to_text("Threads: threads is ", threads, ", expected 0 to 1024"));
    if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
    others_.reserve(threads - 1);
    for (std::size_t i = 1; i < threads; ++i)
      others_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
  }

  /// Number of threads, the caller included.
  [[nodiscard]] std::size_t threads() const { return others_.size() + 1; }

  /// Calls task(0) … task(count − 1) and returns when all are done.
  ///
  /// If tasks throw, the others still run and the exception of the lowest index is rethrown.
  /// Not to be called from a task of the same team, nor from two threads at once.
  template <class F>
  void for_each(std::size_t count, const F& task) {
    Job job(count, std::cref(task));
    const bool alone = others_.empty() || count < 2;
    if (!alone) {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      busy_ = others_.size();
      ++round_;
    }
    if (!alone) wake_.notify_all();
    job.work();
    if (!alone) {
      std::unique_lock lock(mutex_);
      done_.wait(lock, [this] { return busy_ == 0; });
    }
    if (job.error) std::rethrow_exception(job.error);
  }

 private:
  /// The tasks of one `for_each`.
  struct Job {
    std::size_t count;
    std::function<void(std::size_t)> task;
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::size_t failed = 0;
    std::exception_ptr error;

    Job(std::size_t number, std::function<void(std::size_t)> call)
        : count(number), task(std::move(call)) {}

    void work() {
      for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
        try {
          task(i);
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!error || i < failed) {
            failed = i;
            error = std::current_exception();
          }
        }
      }
    }
  };

  /// The life of a thread: wait for a round, help, report.
  void serve(const std::stop_token& stop) {
    std::size_t seen = 0;
    std::unique_lock lock(mutex_);
    while (wake_.wait(lock, stop, [&] { return round_ != seen; })) {
      seen = round_;
      Job& job = *job_;
      lock.unlock();
      job.work();
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::condition_variable done_;
  Job* job_ = nullptr;
  std::size_t round_ = 0;             ///< number of calls so far
  std::size_t busy_ = 0;              ///< threads that have not reported for this round
  std::vector<std::jthread> others_;  ///< last, so that it is stopped and joined first
};

}  // namespace dan
