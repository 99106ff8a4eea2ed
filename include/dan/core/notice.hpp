// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <utility>

/// \file
/// What a user should know though it is no error: said once, on standard error or where the program
/// wants it.

namespace dan {

/// Takes the text of a notice.
using NoticeHandler = std::function<void(const std::string&)>;

namespace detail {
struct Notices {
  std::mutex mutex;
  std::set<std::string> said;
  NoticeHandler handler = [](const std::string& what) {
    std::fprintf(stderr, "dan: %s\n", what.c_str());
  };
  static Notices& of_process() {
    static Notices notices;
    return notices;
  }
};
}  // namespace detail

/// Says `what`, unless this process has said it before; from any thread.
inline void notice(const std::string& what) {
  auto& notices = detail::Notices::of_process();
  const std::lock_guard lock(notices.mutex);
  if (notices.said.insert(what).second && notices.handler) notices.handler(what);
}

/// Sends notices elsewhere; an empty handler is silence. Returns the handler before; what was said
/// may be said again.
inline NoticeHandler set_notice_handler(NoticeHandler handler) {
  auto& notices = detail::Notices::of_process();
  const std::lock_guard lock(notices.mutex);
  notices.said.clear();
  return std::exchange(notices.handler, std::move(handler));
}

}  // namespace dan
