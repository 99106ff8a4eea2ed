// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "dan/autodiff/functions.hpp"
#include "dan/core/error.hpp"
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
template <class T>
struct Variable;

namespace detail {
/// An operand of an operation, and whether nobody will use it again.
template <class T, bool Expires>
struct Operand {
  const Variable<T>& variable;
};

/// A and B are the types of operands, as deduced for A&& and B&&: one is a V that nobody will use
/// again, the other a V or a number.
template <class A, class B, class V, class PlainA = std::remove_cvref_t<A>,
          class PlainB = std::remove_cvref_t<B>>
concept Expiring = (std::same_as<A, V> && (std::same_as<PlainB, V> || Number<PlainB>)) ||
                   (std::same_as<B, V> && (std::same_as<PlainA, V> || Number<PlainA>));

/// `x` as it came to A&& x, a number as a constant.
template <class V, class A>
[[gnu::always_inline]] inline Operand<typename V::Inner, std::same_as<A, V>> operand(const V& x) {
  return {x};
}

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
///
/// Operators are told by a reference to an rvalue that nobody will use an operand again, and then
/// put their result in its place on the tape; a copy of a variable therefore tells the tape that
/// there are two of it. A variable that was moved from may be assigned to, and nothing else.
template <class T>
struct Variable {
  using Inner = T;

  T value;
  Tape<T>* tape;
  std::uint32_t index;  ///< of its gradient on the tape

  Variable() = default;
  Variable(const T& v, Tape<T>* on, std::uint32_t i)
      : value(detail::copied(v)), tape(on), index(i) {}
  Variable(const Variable& v) : value(detail::copied(v.value)), tape(v.tape), index(v.index) {
    if (tape) tape->keep(index);
  }
  Variable(Variable&& v) noexcept : value(detail::copied(v.value)), tape(v.tape), index(v.index) {}
  Variable& operator=(const Variable& v) {
    if (v.tape) v.tape->keep(v.index);
    return *this = Variable(v.value, v.tape, v.index);
  }
  Variable& operator=(Variable&& v) noexcept {
    value = detail::copied(v.value);
    tape = v.tape;
    index = v.index;
    return *this;
  }
  /// A constant.
  template <Number N>
  Variable(N v)  // NOLINT(google-explicit-constructor): numbers mix with variables in formulas
      : Variable(constant<T>(v), nullptr, 0) {}
  operator double() const = delete;  // use: using std::sin; sin(x), dan::where_less(a, b, yes, no)

  [[nodiscard]] friend Variable operator+(const Variable& a, const Variable& b) {
    return Tape<T>::sum(detail::Operand<T, false>{a}, detail::Operand<T, false>{b});
  }
  template <class A, class B>
  requires detail::Expiring<A, B, Variable>
  [[nodiscard, gnu::always_inline]] friend Variable operator+(A&& a, B&& b) {
    return Tape<T>::sum(detail::operand<Variable, A>(a), detail::operand<Variable, B>(b));
  }
  [[nodiscard]] friend Variable operator-(const Variable& a, const Variable& b) {
    return Tape<T>::difference(detail::Operand<T, false>{a}, detail::Operand<T, false>{b});
  }
  template <class A, class B>
  requires detail::Expiring<A, B, Variable>
  [[nodiscard, gnu::always_inline]] friend Variable operator-(A&& a, B&& b) {
    return Tape<T>::difference(detail::operand<Variable, A>(a), detail::operand<Variable, B>(b));
  }
  [[nodiscard]] friend Variable operator*(const Variable& a, const Variable& b) {
    return Tape<T>::product(detail::Operand<T, false>{a}, detail::Operand<T, false>{b});
  }
  template <class A, class B>
  requires detail::Expiring<A, B, Variable>
  [[nodiscard, gnu::always_inline]] friend Variable operator*(A&& a, B&& b) {
    return Tape<T>::product(detail::operand<Variable, A>(a), detail::operand<Variable, B>(b));
  }
  friend Variable operator-(const Variable& a) {
    return Tape<T>::difference(detail::Operand<T, false>{Variable(0)},
                               detail::Operand<T, false>{a});
  }
  friend Variable operator-(Variable&& a) {
    return Tape<T>::difference(detail::Operand<T, false>{Variable(0)}, detail::Operand<T, true>{a});
  }
  friend Variable& operator+=(Variable& a, const Variable& b) {
    return a = Tape<T>::sum(detail::Operand<T, true>{a}, detail::Operand<T, false>{b});
  }
  friend Variable& operator-=(Variable& a, const Variable& b) {
    return a = Tape<T>::difference(detail::Operand<T, true>{a}, detail::Operand<T, false>{b});
  }
  friend Variable& operator+=(Variable& a, Variable&& b) {
    return a = Tape<T>::sum(detail::Operand<T, true>{a}, detail::Operand<T, true>{b});
  }
  friend Variable& operator-=(Variable& a, Variable&& b) {
    return a = Tape<T>::difference(detail::Operand<T, true>{a}, detail::Operand<T, true>{b});
  }

  /// A number that depends on x with the derivative `along`, or on a and b.
  friend Variable chained(const Variable& x, const T& y, const T& along) {
    return x.tape ? x.tape->add(y, x, along) : Variable(y, nullptr, 0);
  }
  friend Variable chained(const Variable& a, const Variable& b, const T& y, const T& along_a,
                          const T& along_b) {
    if (!b.tape) return chained(a, y, along_a);
    if (!a.tape) return chained(b, y, along_b);
    return a.tape->add(y, a, along_a, b, along_b);
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

/// What was computed with variables: a list of operations, of each its operands and, where they are
/// not ±1, the partial derivatives by them. `T` is a number, a pack (all lanes on one tape) or a
/// dual number (the gradient then has a derivative: second derivatives).
///
/// A result that the next operation uses up has no gradient in memory: (a − b) · c − d is three
/// operations, but one gradient is passed on to four. Partial derivatives that are inputs are not
/// stored again: (a − b) · c with inputs stores a − b.
/// Memory: per operation 16 bytes and at most two partial derivatives, a T each; per input two T,
/// per result that is used later one. Cleared and reused it allocates nothing. At most 2²⁸ inputs
/// and as many operations. A tape belongs to one thread, and stays where it is: variables know its
/// address.
///
/// Source: Griewank and Walther, Evaluating Derivatives (2nd ed., SIAM 2008), sections 3.2 and 4.3.
template <class T>
class Tape {
  template <bool Expires>
  using Operand = detail::Operand<T, Expires>;

 public:
  Tape() { clear(); }
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  /// Forgets everything, keeps the memory.
  void clear() {
    used_ = 1;
    inputs_ = operations_ = stored_ = 0;
    last_ = none;
  }

  /// An independent variable.
  Variable<T> input(const T& value) {
    reserve();
    if (operations_ == 0) {
      fit(inputs_ + std::size_t{1}, room_);
      ++inputs_;
      store(value);
    } else {
      record({none, none, 0, 0});
    }
    last_ = none;
    return {value, this, used_++};
  }
  /// Clears the tape and makes the variables to[i] of x[i], i < count. Throws ConfigError for more
  /// than 2²⁸, as operations do that are too many.
  void inputs(const T* x, std::size_t count, Variable<T>* to) {
    clear();
    fit(count, room_);
    inputs_ = stored_ = static_cast<std::uint32_t>(count);
    used_ = inputs_ + 1;
    for (std::uint32_t i = 0; i < inputs_; ++i) {
      values_[i] = detail::copied(x[i]);
      to[i] = Variable<T>(x[i], this, i + 1);
    }
  }
  /// A result with the derivative `along` by x.
  Variable<T> add(const T& value, const Variable<T>& x, const T& along) {
    reserve();
    return derived(value, Operand<false>{x}, store(along));
  }
  /// A result with derivatives by a and b.
  Variable<T> add(const T& value, const Variable<T>& a, const T& along_a, const Variable<T>& b,
                  const T& along_b) {
    reserve();
    const std::uint32_t by_a = store(along_a), by_b = store(along_b);
    return derived(value, Operand<false>{a}, by_a, Operand<false>{b}, by_b);
  }
  /// a + b
  template <bool A, bool B>
  [[gnu::always_inline]] static Variable<T> sum(Operand<A> a, Operand<B> b) {
    const T value = a.variable.value + b.variable.value;
    if (!b.variable.tape) return moved(a, value);  // a constant changes no gradient
    if (!a.variable.tape) return moved(b, value);
    return tape_of(a, b)->derived(value, a, 0, b, 0);
  }
  /// a − b
  template <bool A, bool B>
  [[gnu::always_inline]] static Variable<T> difference(Operand<A> a, Operand<B> b) {
    const T value = a.variable.value - b.variable.value;
    if (!b.variable.tape) return moved(a, value);
    if (!a.variable.tape) return tape_of(b, b)->derived(value, b, minus);
    return tape_of(a, b)->derived(value, a, 0, b, minus);
  }
  /// a b
  template <bool A, bool B>
  [[gnu::always_inline]] static Variable<T> product(Operand<A> a, Operand<B> b) {
    const T value = a.variable.value * b.variable.value;
    if (a.variable.tape && b.variable.tape) {
      Tape* const tape = tape_of(a, b);
      const std::uint32_t by_a = tape->value_of(b.variable), by_b = tape->value_of(a.variable);
      return tape->derived(value, a, by_a, b, by_b);
    }
    if (b.variable.tape) {
      Tape* const tape = tape_of(b, b);
      return tape->derived(value, b, tape->store(a.variable.value));
    }
    if (a.variable.tape) {
      Tape* const tape = tape_of(a, a);
      return tape->derived(value, a, tape->store(b.variable.value));
    }
    return {value, nullptr, none};
  }

  /// The variable of this index has a copy.
  void keep(std::uint32_t index) {
    if (index == last_) last_ = none;
  }

  /// Computes the gradients of Σ_j d_y_j y_j by all that is on the tape; y and d_y are as long.
  /// Gradients of zero add nothing, also where a derivative is not finite. Cost: a multiplication
  /// and an addition per operand.
  void sweep(std::span<const Variable<T>> y, const T* d_y) {
    gradients_.assign(used_, constant<T>(0));
    T* const g = gradients_.data();
    for (std::size_t j = 0; j < y.size(); ++j)
      if (y[j].tape) increase(g[y[j].index], d_y[j]);
    const Operation *const first = list_.data(), *next = first + operations_;
    for (const T* result = g + used_; next != first;) {
      T d = detail::copied(*--result);
      while (true) {
        const Operation& done = *--next;
        if (done.b != none) pass(d, done.factor_b, g[done.b]);
        if (done.a != before) {
          if (done.a != none) pass(d, done.factor_a, g[done.a]);
          break;
        }
        if (done.factor_a == minus)
          d = constant<T>(0) - d;
        else if (done.factor_a != 0)
          d = times(values_[done.factor_a / 2 - 1], d);
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
  /// Those by the independent variables, in their order.
  [[nodiscard]] const T* gradients() const { return gradients_.data() + 1; }

 private:
  struct Operation {
    std::uint32_t a, b;  ///< indices of the operands, `none`, or a the result `before`
    std::uint32_t factor_a, factor_b;  ///< 0: one, `minus`, 2 n: the value n − 1
  };
  static constexpr std::uint32_t none = 0, before = ~0U, minus = 1;
  static constexpr std::size_t most = 1UL << 28;  ///< inputs; operations, with two values each

  /// The tape of a and b, with room for one more operation.
  template <bool A, bool B>
  [[gnu::always_inline]] static Tape* tape_of(Operand<A> a, Operand<B> b) {
    Tape* const tape = A ? a.variable.tape : b.variable.tape;
    tape->reserve();
    return tape;
  }
  [[gnu::always_inline]] void reserve() {
    if (operations_ == room_) [[unlikely]]
      grow();
  }
  [[gnu::noinline]] void grow() {
    const std::size_t more = std::max<std::size_t>(1024, 2 * std::size_t{room_});
    fit(inputs_, more);
    list_.resize(more);
    room_ = static_cast<std::uint32_t>(more);  // last: nothing is claimed that could not be had
  }
  /// Room for the values of the first inputs and of operations.
  void fit(std::size_t inputs, std::size_t operations) {
    if (std::max(inputs, operations) > most)
      throw ConfigError(to_text("Tape: ", inputs, " inputs and room for ", operations,
                                " operations, expected at most ", most,
                                " of each; differentiate fewer steps at once"));
    const std::size_t needed = inputs + 2 * operations;
    if (values_.size() < needed) values_.resize(needed + inputs);
  }
  /// Keeps a value; the factor that it is.
  [[gnu::always_inline]] std::uint32_t store(const T& value) {
    values_[stored_++] = detail::copied(value);
    return 2 * stored_;
  }
  /// The value of x as a factor.
  [[gnu::always_inline]] std::uint32_t value_of(const Variable<T>& x) {
    return x.index <= inputs_ ? 2 * x.index : store(x.value);
  }
  [[gnu::always_inline]] void record(const Operation& operation) {
    list_[operations_++] = operation;
  }
  /// x plus a constant. Inputs have their values on the tape, so that theirs is another number.
  template <bool X>
  [[gnu::always_inline]] static Variable<T> moved(Operand<X> x, const T& value) {
    Tape* const tape = x.variable.tape;
    if (tape && x.variable.index <= tape->inputs_) return tape_of(x, x)->derived(value, x, 0);
    if (tape && !X) tape->keep(x.variable.index);
    return {value, tape, x.variable.index};
  }
  /// A result with derivatives, which are the factors, by its operands. An operand that expires and
  /// is the last result has no gradient of its own: its place is that of the new one, unless it is
  /// both operands (v += v).
  template <bool X>
  [[gnu::always_inline]] Variable<T> derived(const T& value, Operand<X> x, std::uint32_t factor) {
    const bool follows = X && x.variable.index == last_;
    record({follows ? before : x.variable.index, none, factor, 0});
    return result(value, follows);
  }
  template <bool A, bool B>
  [[gnu::always_inline]] Variable<T> derived(const T& value, Operand<A> a, std::uint32_t factor_a,
                                             Operand<B> b, std::uint32_t factor_b) {
    const std::uint32_t i = a.variable.index, j = b.variable.index;
    const bool a_follows = A && i == last_ && i != j, b_follows = B && j == last_ && i != j;
    if (b_follows)
      record({before, i, factor_b, factor_a});
    else
      record({a_follows ? before : i, j, factor_a, factor_b});
    return result(value, a_follows || b_follows);
  }
  /// The last result, in the place of the one before or in the next.
  [[gnu::always_inline]] Variable<T> result(const T& value, bool in_place) {
    last_ = in_place ? last_ : used_++;
    return {value, this, last_};
  }
  /// Adds to a gradient what the operand with this factor has of d.
  [[gnu::always_inline]] void pass(const T& d, std::uint32_t factor, T& gradient) const {
    if (factor == 0)
      increase(gradient, d);
    else if (factor == minus)
      decrease(gradient, d);
    else
      increase(gradient, times(values_[factor / 2 - 1], d));
  }
  [[gnu::always_inline]] static void increase(T& gradient, const T& d) {
    if constexpr (requires { d.part; })
      for (std::size_t i = 0; i < T::registers; ++i)
        gradient.part[i] = gradient.part[i] + d.part[i];
    else
      gradient = gradient + d;
  }
  [[gnu::always_inline]] static void decrease(T& gradient, const T& d) {
    if constexpr (requires { d.part; })
      for (std::size_t i = 0; i < T::registers; ++i)
        gradient.part[i] = gradient.part[i] - d.part[i];
    else
      gradient = gradient - d;
  }
  static T times(const T& partial, const T& d) {
    using std::abs;
    if constexpr (CarriesDerivative<T>)
      return partial * d;
    else
      return where_positive(T(abs(d)), T(partial * d), d);
  }

  Scratch<Operation> list_{0, Unset{}};
  Scratch<T> values_{0, Unset{}};             ///< of the first inputs, then partial derivatives
  Scratch<T> gradients_{0, Unset{}};          ///< the first is none
  std::uint32_t operations_, stored_, used_;  ///< of the list, of values, of gradients
  std::uint32_t inputs_;                      ///< before the first operation
  std::uint32_t last_;                        ///< the last result, unless it is copied or an input
  std::uint32_t room_ = 0;                    ///< for operations
};

}  // namespace dan
