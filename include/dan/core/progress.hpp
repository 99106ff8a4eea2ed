// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace dan {

/// Tells how far a long computation is.
///
/// On a terminal: a bar with rate and time left. Elsewhere: a line per tenth of the work, but at
/// most one every ten seconds. Nothing is written in the first two seconds, so that short work
/// stays silent. Never throws; `advance` may be called from several threads. A loop of one's own
/// that shows how far it is and stops at Ctrl-C:
///     const InterruptHandler handler;  // core/interrupt.hpp
///     Progress progress("years", years);
///     for (std::size_t y = 0; y < years && !interrupted(); ++y) {
///       simulate(y);
///       progress.advance(1, to_text("energy ", energy()));
///     }
class Progress {
 public:
  /// `total`: number of steps; `enabled` = false: stays silent; `out`: where to write; `done`:
  /// steps done by an earlier process, which count but tell nothing about the rate.
  explicit Progress(std::string label, std::size_t total, bool enabled = true,
                    std::FILE* out = stderr, std::size_t done = 0)
      : label_(std::move(label)),
        total_(total),
        first_(done),
        done_(done),
        enabled_(enabled),
        out_(out),
        terminal_(::isatty(::fileno(out)) == 1) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { finish(); }

  /// Counts `n` more steps as done; `note` (a loss, a score) is shown until the next one.
  void advance(std::size_t n = 1, std::string_view note = {}) noexcept {
    guarded([&] {
      done_ += n;
      if (!note.empty()) note_ = note;
      const double now = seconds();
      const std::size_t tenth = total_ > 0 ? 10 * done_ / total_ : 0;
      if (now < 2 || now - printed_ < (terminal_ ? 0.1 : 10) || (!terminal_ && tenth <= tenth_))
        return;
      printed_ = now;
      tenth_ = tenth;
      print(now);
    });
  }

  /// Writes the last line; the destructor does the same.
  void finish() noexcept {
    guarded([&] {
      const double now = seconds();
      if (now >= 2)
        std::fprintf(out_, "%s%s: %zu of %zu in %s, %.3g/s%s%.60s\n", terminal_ ? "\r\033[K" : "",
                     label_.c_str(), done_, total_, Time(now).text,
                     static_cast<double>(done_ - first_) / now, note_.empty() ? "" : ", ",
                     note_.c_str());
      enabled_ = false;
    });
  }

 private:
  /// Seconds as m:ss or h:mm:ss.
  struct Time {
    char text[32];
    explicit Time(double seconds) {
      const auto s = static_cast<unsigned long>(std::min(seconds + 0.5, 1e9));
      if (s < 3600)
        std::snprintf(text, sizeof text, "%lu:%02lu", s / 60, s % 60);
      else
        std::snprintf(text, sizeof text, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    }
  };

  /// Runs `body` under the lock; a failure to report must not stop the work that is reported.
  template <class F>
  void guarded(const F& body) noexcept {
    try {
      const std::lock_guard lock(mutex_);
      if (enabled_) body();
    } catch (...) {
    }
  }

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  void print(double now) const {
    const double rate = static_cast<double>(done_ - first_) / now;
    const double share =
        total_ > 0 ? std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_)) : 0;
    const double left = rate > 0 ? static_cast<double>(total_) * (1 - share) / rate : 0;
    char bar[26] = "";
    if (terminal_)
      for (std::size_t i = 0; i < 25; ++i) bar[i] = static_cast<double>(i) < share * 25 ? '#' : '.';
    std::fprintf(out_, "%s%s %s%3.0f %%  %.3g/s  %s left%s%.60s%s", terminal_ ? "\r" : "",
                 label_.c_str(), terminal_ ? bar : "", 100 * share, rate, Time(left).text,
                 note_.empty() ? "" : "  ", note_.c_str(), terminal_ ? "\033[K" : "\n");
    std::fflush(out_);
  }

  std::mutex mutex_;
  std::string label_, note_;
  std::size_t total_, first_, done_, tenth_ = 0;
  bool enabled_;
  std::FILE* out_;
  bool terminal_;
  double printed_ = -10;  ///< time of the last line
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace dan
