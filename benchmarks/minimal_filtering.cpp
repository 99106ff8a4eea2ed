// SPDX-License-Identifier: BSD-3-Clause
// Direct sums and minimal filtering, in alternation: the ratio of their times (processor time of
// one thread, median of 15), and the relative root mean square error of outputs and gradients
// against direct sums in double, of normal numbers.
#include <cmath>
#include <cstdio>
#include <ctime>
#include <vector>

#include "dan/geometry/lat_lon.hpp"
#include "dan/geometry/ring.hpp"
#include "dan/geometry/torus.hpp"
#include "dan/network/convolution.hpp"
#include "layer.hpp"
#include "peak.hpp"

namespace {
using namespace dan;

/// Relative root mean square difference, all lanes together.
template <class T, class U>
double error(const T& found, const U& right) {
  constexpr std::size_t lanes = lanes_of<typename T::value_type>;
  double squares = 0, whole = 0;
  for (std::size_t i = 0; i < found.size() * lanes; ++i) {
    const double a = lane_of(found[i / lanes], i % lanes), b = lane_of(right[i / lanes], i % lanes);
    squares += (a - b) * (a - b), whole += b * b;
  }
  return std::sqrt(squares / whole);
}

/// Seconds of a call, over some 10 ms.
template <class F>
double time_of(const F& call) {
  const std::clock_t begin = std::clock();
  int calls = 0;
  while (std::clock() - begin < CLOCKS_PER_SEC / 100) call(), ++calls;
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC / calls;
}

template <class Geometry, std::size_t In, std::size_t Out, std::size_t Taps, std::size_t Lanes,
          class Activation>
void compare(const char* geometry, const char* activation) {
  using Direct = Convolution<Geometry, In, Out, Taps, Activation>;
  using Minimal = Convolution<Geometry, In, Out, Taps, Activation, Kernels::minimal>;
  bench::Layer<Direct, float, Lanes> direct;
  bench::Layer<Minimal, float, Lanes> minimal;
  const bench::Layer<Direct, double, Lanes> right;
  const auto errors = [&](const auto& layer, double* to) {
    to[0] = error(layer.out, right.out), to[1] = error(layer.d_in, right.d_in);
    to[2] = error(layer.d_params, right.d_params);
  };
  double e[2][3];
  errors(direct, e[0]), errors(minimal, e[1]);
  std::vector<double> forward, backward, all;
  for (int n = 0; n < 15; ++n) {
    const double f[] = {time_of([&] { direct.forward(); }), time_of([&] { minimal.forward(); })};
    const double b[] = {time_of([&] { direct.backward(); }), time_of([&] { minimal.backward(); })};
    forward.push_back(f[0] / f[1]), backward.push_back(b[0] / b[1]);
    all.push_back((f[0] + b[0]) / (f[1] + b[1]));
  }
  std::printf(
      "%-12s %4zu %4zu %4zu %4zu  %-8s %7.2f %8.2f %5.2f    %.1e %.1e %.1e    %.1e %.1e %.1e\n",
      geometry, In, Out, Taps, Lanes, activation, bench::median(forward), bench::median(backward),
      bench::median(all), e[0][0], e[0][1], e[0][2], e[1][0], e[1][1], e[1][2]);
}
}  // namespace

int main() {
  std::puts(
      "                                            direct/minimal          error of out, d_in, "
      "d_w");
  std::puts(
      "geometry       in  out taps lanes          forward backward both    direct"
      "                     minimal");
  compare<Ring<40>, 40, 40, 5, 32, Silu>("ring 40", "silu");
  compare<Ring<40>, 24, 24, 5, 16, Silu>("ring 40", "silu");
  compare<Ring<40>, 64, 96, 3, 16, Identity>("ring 40", "");
  compare<Ring<40>, 48, 64, 3, 16, Identity>("ring 40", "");
  compare<Ring<40>, 40, 64, 3, 16, Identity>("ring 40", "");
  compare<Ring<40>, 32, 40, 3, 16, Identity>("ring 40", "");
  compare<Ring<40>, 34, 64, 3, 16, Silu>("ring 40", "silu");
  compare<Ring<40>, 64, 84, 3, 16, Identity>("ring 40", "");
  compare<Ring<128>, 40, 64, 5, 16, Identity>("ring 128", "");
  compare<Torus<32, 32>, 24, 24, 3, 16, Silu>("torus 32 32", "silu");
  using Sphere = LatLon<32, 64, Latitudes::gaussian>;
  compare<Sphere, 24, 24, 3, 16, Silu>("sphere 32 64", "silu");
  compare<Sphere, 24, 32, 3, 16, Identity>("sphere 32 64", "");
  compare<Sphere, 16, 24, 3, 16, Identity>("sphere 32 64", "");
  compare<Sphere, 24, 164, 3, 16, Identity>("sphere 32 64", "");
}
