// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dan/autodiff/functions.hpp"
#include "dan/core/memory.hpp"
#include "dan/core/simd.hpp"

/// \file
/// Reverse mode: a tape writes down what is computed with variables, and is read backwards.
///
///     Tape<double> tape;
///     const auto x = tape.input(2.0), y = tape.input(3.0);
///     const auto f = x * y + sin(x);
///     tape.sweep(f);  // now tape.gradient(x) is y + cos x, and tape.gradient(y) is x
///
/// `ReverseMode<T>` does this for functions of arrays.

namespace dan {

template <class T>
class Tape;

namespace detail {
/// A copy that moves whole registers; compilers copy a pack in smaller parts, and who reads it next
/// waits for all of them.
template <class T>
[[nodiscard, gnu::always_inline]] inline T copied(const T& v) {
  if constexpr (requires { v.part; })
    return T::map([&](std::size_t i) { return v.part[i]; });
  else
    return v;
}
}  // namespace detail

/// A number that remembers how it was computed; without a tape it is a constant.
template <class T>
struct Variable {
  using Inner = T;

  T value;
  Tape<T>* tape;
  std::uint32_t index;  ///< of its gradient on the tape

  Variable() = default;
  Variable(const T& v, Tape<T>* on, std::uint32_t i)
      : value(detail::copied(v)), tape(on), index(i) {}
  Variable(const Variable& v) : value(detail::copied(v.value)), tape(v.tape), index(v.index) {}
  Variable& operator=(const Variable& v) {
    value = detail::copied(v.value);
    tape = v.tape;
    index = v.index;
    return *this;
  }
  /// A constant.
  template <Number N>
  Variable(N v)  // NOLINT(google-explicit-constructor): numbers mix with variables in formulas
      : value(constant<T>(v)), tape(nullptr), index(0) {}
  operator double() const = delete;  // use: using std::sin; sin(x), dan::where_less(a, b, yes, no)

  friend Variable operator+(const Variable& a, const Variable& b) {
    const T sum = a.value + b.value;
    if (!b.tape) return {sum, a.tape, a.index};  // a constant changes no gradient
    if (!a.tape) return {sum, b.tape, b.index};
    return a.tape->add(sum, Tape<T>::Kind::sum, a.index, b.index);
  }
  friend Variable operator-(const Variable& a, const Variable& b) {
    const T difference = a.value - b.value;
    if (!b.tape) return {difference, a.tape, a.index};
    if (!a.tape) return b.tape->add(difference, Tape<T>::Kind::negative, b.index);
    return a.tape->add(difference, Tape<T>::Kind::difference, a.index, b.index);
  }
  friend Variable operator-(const Variable& a) {
    if (!a.tape) return {-a.value, nullptr, 0};
    return a.tape->add(-a.value, Tape<T>::Kind::negative, a.index);
  }

  /// A number that depends on x with the derivative `along`, or on a and b.
  friend Variable chained(const Variable& x, const T& y, const T& along) {
    if (!x.tape) return {y, nullptr, 0};
    return x.tape->add(y, x.index, along);
  }
  friend Variable chained(const Variable& a, const Variable& b, const T& y, const T& along_a,
                          const T& along_b) {
    if (!b.tape) return chained(a, y, along_a);
    if (!a.tape) return chained(b, y, along_b);
    return a.tape->add(y, a.index, along_a, b.index, along_b);
  }
  friend Variable choose_less(const Variable& a, const Variable& b, const Variable& yes,
                              const Variable& no) {
    const T one = constant<T>(1), none = constant<T>(0);
    return chained(yes, no, where_less(a.value, b.value, yes.value, no.value),
                   where_less(a.value, b.value, one, none),
                   where_less(a.value, b.value, none, one));
  }
};

template <class T>
struct ScalarTraits<Variable<T>> {
  using Real = real_t<T>;
  static constexpr std::size_t lanes = lanes_of<T>;
};

/// What was computed with variables, in order: of each result the operands and the partial
/// derivatives by them. `T` is a number, a pack (all lanes on one tape) or a dual number (the
/// gradient then has a derivative: second derivatives).
///
/// Memory per operation: 12 bytes, a T for its gradient, a T per partial derivative that is not ±1;
/// cleared and reused it allocates nothing. At most 2³² results. A tape belongs to one thread.
/// Source: Griewank and Walther, Evaluating Derivatives (2nd ed., SIAM 2008), section 3.2.
template <class T>
class Tape {
 public:
  enum class Kind : std::uint32_t { input, sum, difference, negative, one, two };

  /// Forgets everything, keeps the memory.
  void clear() { used_ = inputs_ = weights_ = 0; }

  /// An independent variable.
  Variable<T> input(const T& value) {
    if (used_ == inputs_) ++inputs_;
    return add(value, Kind::input, 0);
  }

  /// A result that is a, a sum, a difference or a negative.
  Variable<T> add(const T& value, Kind kind, std::uint32_t a, std::uint32_t b = 0) {
    if (used_ == room_) [[unlikely]]
      grow();
    nodes_[used_] = {a, b, kind};
    return {value, this, static_cast<std::uint32_t>(used_++)};
  }
  /// A result with the derivative `along` by the variable x.
  Variable<T> add(const T& value, std::uint32_t x, const T& along) {
    const Variable<T> result = add(value, Kind::one, x);
    partials_[weights_++] = detail::copied(along);
    return result;
  }
  /// A result with derivatives by the variables a and b.
  Variable<T> add(const T& value, std::uint32_t a, const T& along_a, std::uint32_t b,
                  const T& along_b) {
    const Variable<T> result = add(value, Kind::two, a, b);
    partials_[weights_] = detail::copied(along_a);
    partials_[weights_ + 1] = detail::copied(along_b);
    weights_ += 2;
    return result;
  }

  /// Computes the gradients of Σ_j d_y_j y_j by all that is on the tape; y and d_y are as long.
  /// Gradients of zero add nothing, also where a derivative is not finite. Cost: one to two
  /// multiplications and additions per result.
  void sweep(std::span<const Variable<T>> y, const T* d_y) {
    gradients_.assign(used_, constant<T>(0));
    for (std::size_t j = 0; j < y.size(); ++j)
      if (y[j].tape) gradients_[y[j].index] = detail::copied(T(gradients_[y[j].index] + d_y[j]));
    T* const g = gradients_.data();
    const Node* const node = nodes_.data();
    const T* partial = partials_.data() + weights_;
    for (std::size_t k = used_; k-- > inputs_;) {
      const std::uint32_t a = node[k].a, b = node[k].b;
      const T d = detail::copied(g[k]);
      switch (node[k].kind) {
        case Kind::input:
          break;
        case Kind::sum:
          add_to(g[a], d);
          add_to(g[b], d);
          break;
        case Kind::difference:
          add_to(g[a], d);
          add_to(g[b], -d);
          break;
        case Kind::negative:
          add_to(g[a], -d);
          break;
        case Kind::one:
          partial -= 1;
          add_to(g[a], times(partial[0], d));
          break;
        case Kind::two:
          partial -= 2;
          add_to(g[a], times(partial[0], d));
          add_to(g[b], times(partial[1], d));
          break;
      }
    }
  }
  /// The same of one y.
  void sweep(const Variable<T>& y, const T& d_y = constant<T>(1)) {
    sweep(std::span<const Variable<T>>(&y, 1), &d_y);
  }
  /// The gradient by x that the last sweep found; zero of a constant.
  [[nodiscard]] T gradient(const Variable<T>& x) const {
    return x.tape ? gradients_[x.index] : constant<T>(0);
  }

 private:
  struct Node {
    std::uint32_t a, b;
    Kind kind;
  };
  /// Room for twice as many results.
  [[gnu::noinline]] void grow() {
    room_ = std::max<std::size_t>(1024, 2 * room_);
    nodes_.resize(room_);
    partials_.resize(2 * room_);
  }
  [[gnu::always_inline]] static void add_to(T& gradient, const T& d) {
    if constexpr (requires { d.part; })
      for (std::size_t i = 0; i < T::registers; ++i)
        gradient.part[i] = gradient.part[i] + d.part[i];
    else
      gradient = gradient + d;
  }
  static T times(const T& partial, const T& d) {
    using std::abs;
    if constexpr (CarriesDerivative<T>)
      return partial * d;
    else
      return where_positive(T(abs(d)), T(partial * d), d);
  }

  Scratch<Node> nodes_{0, Unset{}};
  Scratch<T> partials_{0, Unset{}}, gradients_{0, Unset{}};
  std::size_t used_ = 0, weights_ = 0;  ///< of nodes and partials
  std::size_t inputs_ = 0;              ///< before the first result
  std::size_t room_ = 0;                ///< for nodes
};

}  // namespace dan
