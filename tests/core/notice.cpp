// SPDX-License-Identifier: BSD-3-Clause
#include "dan/core/notice.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace dan;

TEST_CASE("notice: each text is said once, to the handler that is there") {
  std::vector<std::string> said;
  const auto before = set_notice_handler([&](const std::string& what) { said.push_back(what); });
  notice("one"), notice("two"), notice("one");
  CHECK(said == std::vector<std::string>{"one", "two"});
  set_notice_handler({});  // silence
  notice("three");
  set_notice_handler([&](const std::string& what) { said.push_back(what); });
  notice("one");  // may be said again after a change
  CHECK(said.size() == 3);
  set_notice_handler(before);
}
