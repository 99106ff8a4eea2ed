// SPDX-License-Identifier: BSD-3-Clause
#include "dan/app/menu.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {
using namespace dan;

app::Menu menu_of_one() {
  app::Menu menu;
  app::ProblemEntry entry{"ring", "a ring", {{"variance", "of errors", 2}}};
  entry.methods.push_back({"filter", "", {{"inflation", "", 1.02}, {"members", "", 20}}});
  entry.methods.push_back({.name = "network", .about = "", .weights = 7});
  menu.add(entry);
  return menu;
}
}  // namespace

TEST_CASE("app::Name: a name, and numbers after a colon") {
  const auto plain = app::Name::parse("etkf");
  CHECK(plain.name == "etkf");
  CHECK(plain.given.empty());
  const auto name = app::Name::parse("small:weights=a:b.safetensors,x=1e-3");
  CHECK(name.name == "small");
  CHECK(name.given.at("weights") == "a:b.safetensors");
  CHECK(name.given.at("x") == "1e-3");
  for (const char* bad : {"", ":", ":x=1", "a:", "a:x", "a:x=", "a:=1", "a:x=1,", "a:x=1,x=2"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS((void)app::Name::parse(bad), ConfigError);
  }
}

TEST_CASE("app::Menu: what is not given keeps its default, what is not there is named") {
  const app::Menu menu = menu_of_one();
  const auto chosen = menu.choose("ring:variance=3", "filter:members=40");
  CHECK(chosen.problem.name == "ring");
  CHECK(chosen.choice.problem == std::vector{3.0});
  CHECK(chosen.choice.method == std::vector{1.02, 40.0});
  CHECK(menu.choose("ring", "network:weights=w").choice.weights == "w");
  const auto refuses = [&](const char* problem, const char* method, const char* words) {
    try {
      (void)menu.choose(problem, method);
      FAIL("accepted ", problem, ' ', method);
    } catch (const ConfigError& error) {
      CHECK_MESSAGE(std::string(error.what()).find(words) != std::string::npos, error.what());
    }
  };
  refuses("torus", "filter", "there is no problem 'torus', expected one of: ring");
  refuses("filter", "ring", "which is a method; a problem stands before it: ring filter");
  refuses("ring", "filer", "expected one of: filter, network");
  refuses("ring", "filter:inflaton=1", "expected one of: inflation, members");
  refuses("ring:variance=1x", "filter", "ring: variance is '1x', expected a finite number");
  refuses("ring:variance=nan", "filter", "expected a finite number");
  refuses("ring", "filter:weights=w", "takes no weights");
  app::Menu twice = menu;
  CHECK_THROWS_AS(twice.add({"ring", "again"}), ConfigError);
}
