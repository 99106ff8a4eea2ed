// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace dan {

/// Large work space that no thread is using at the moment: no more than threads, so that little of
/// it stays in the cache. A `Thing` is made from the argument of the constructor.
template <class Thing>
class Pool {
 public:
  explicit Pool(std::size_t argument) : argument_(argument) {}

  [[nodiscard]] std::unique_ptr<Thing> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<Thing>(argument_);
    auto thing = std::move(free_.back());
    free_.pop_back();
    return thing;
  }
  void give_back(std::unique_ptr<Thing> thing) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(thing));
  }

 private:
  std::size_t argument_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Thing>> free_;
};

}  // namespace dan
