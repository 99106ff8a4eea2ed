// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

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
template <class T>
struct Variable;

namespace detail {
/// An operand of an operation, and whether nobody will use it again.
template <class T, bool Expires>
struct Operand {
  const Variable<T>& variable;
};

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
/// let its terms be terms of their own result; a copy of a variable therefore tells the tape that
/// there are two of it.
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
      : value(constant<T>(v)), tape(nullptr), index(0) {}
  operator double() const = delete;  // use: using std::sin; sin(x), dan::where_less(a, b, yes, no)

  friend Variable operator+(const Variable& a, const Variable& b) {
    return Tape<T>::sum(detail::Operand<T, false>{a}, detail::Operand<T, false>{b});
  }
  friend Variable operator-(const Variable& a, const Variable& b) {
    return Tape<T>::difference(detail::Operand<T, false>{a}, detail::Operand<T, false>{b});
  }
  friend Variable operator-(const Variable& a) {
    return Tape<T>::difference(detail::Operand<T, false>{Variable(0)},
                               detail::Operand<T, false>{a});
  }
  friend Variable& operator+=(Variable& a, const Variable& b) {
    return a = Tape<T>::sum(detail::Operand<T, true>{a}, detail::Operand<T, false>{b});
  }
  friend Variable& operator-=(Variable& a, const Variable& b) {
    return a = Tape<T>::difference(detail::Operand<T, true>{a}, detail::Operand<T, false>{b});
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

namespace detail {
template <class V>
struct IsVariable : std::false_type {};
template <class T>
struct IsVariable<Variable<T>> : std::true_type {};

/// A and B are the types of operands, as deduced for A&& and B&&: one is a variable that nobody
/// will use again, the other a variable of its type or a number.
template <class A, class B, class PlainA = std::remove_cvref_t<A>,
          class PlainB = std::remove_cvref_t<B>>
concept Expiring = ((IsVariable<A>::value && (std::same_as<A, PlainB> || Number<PlainB>)) ||
                    (IsVariable<B>::value && (std::same_as<B, PlainA> || Number<PlainA>)));

/// `x` as it came to A&& x, a number as a constant.
template <class V, class A>
[[gnu::always_inline]] inline Operand<typename V::Inner, std::same_as<A, V>> operand(const V& x) {
  return {x};
}
}  // namespace detail

template <class A, class B>
requires detail::Expiring<A, B>
[[nodiscard, gnu::always_inline]] inline auto operator+(A&& a, B&& b) {
  using T = typename detail::ClassAmong<std::remove_cvref_t<A>, std::remove_cvref_t<B>>::type;
  return Tape<typename T::Inner>::sum(detail::operand<T, A>(a), detail::operand<T, B>(b));
}
template <class A, class B>
requires detail::Expiring<A, B>
[[nodiscard, gnu::always_inline]] inline auto operator-(A&& a, B&& b) {
  using T = typename detail::ClassAmong<std::remove_cvref_t<A>, std::remove_cvref_t<B>>::type;
  return Tape<typename T::Inner>::difference(detail::operand<T, A>(a), detail::operand<T, B>(b));
}
template <class A, class B>
requires detail::Expiring<A, B>
[[nodiscard, gnu::always_inline]] inline auto operator*(A&& a, B&& b) {
  using T = typename detail::ClassAmong<std::remove_cvref_t<A>, std::remove_cvref_t<B>>::type;
  return Tape<typename T::Inner>::product(detail::operand<T, A>(a), detail::operand<T, B>(b));
}
template <class T>
inline Variable<T>& operator+=(Variable<T>& a, Variable<T>&& b) {
  return a = Tape<T>::sum(detail::Operand<T, true>{a}, detail::Operand<T, true>{b});
}
template <class T>
inline Variable<T>& operator-=(Variable<T>& a, Variable<T>&& b) {
  return a = Tape<T>::difference(detail::Operand<T, true>{a}, detail::Operand<T, true>{b});
}

/// What was computed with variables, in order: of each result its terms, each an operand, a sign
/// and, where it is not one, the partial derivative. `T` is a number, a pack (all lanes on one
/// tape) or a dual number (the gradient then has a derivative: second derivatives).
///
/// A result that is used once, as part of a larger formula, is no result of its own where its terms
/// can be the larger one's: (a − b) · c − d has four terms and two partial derivatives.
/// Memory per result: 8 bytes and a T for its gradient; per term 8 bytes; a T per partial
/// derivative that is not ±1. Cleared and reused it allocates nothing. At most 2³¹ operations. A
/// tape belongs to one thread.
/// Source: Griewank and Walther, Evaluating Derivatives (2nd ed., SIAM 2008), sections 3.2 and 10.2
/// (preaccumulation of statements).
template <class T>
class Tape {
  template <bool Expires>
  using Operand = detail::Operand<T, Expires>;

 public:
  /// Forgets everything, keeps the memory.
  void clear() { used_ = inputs_ = kept_ = terms_ = partials_ = 0; }

  /// An independent variable.
  Variable<T> input(const T& value) {
    reserve();
    if (used_ == inputs_) ++inputs_;
    kept_ = used_ + 1;
    return result(value, used_, terms_, 0);
  }
  /// Clears the tape and makes the variables to[i] of x[i], i < count.
  void inputs(const T* x, std::size_t count, Variable<T>* to) {
    clear();
    while (room_ <= count) grow();
    std::fill_n(nodes_.begin(), count, Node{});
    used_ = inputs_ = kept_ = count;
    for (std::size_t i = 0; i < count; ++i)
      to[i] = Variable<T>(x[i], this, static_cast<std::uint32_t>(i));
  }
  /// A result with the derivative `along` by x.
  Variable<T> add(const T& value, const Variable<T>& x, const T& along) {
    reserve();
    return derived<true>(value, Operand<false>{x}, partial(along));
  }
  /// A result with derivatives by a and b.
  Variable<T> add(const T& value, const Variable<T>& a, const T& along_a, const Variable<T>& b,
                  const T& along_b) {
    reserve();
    const std::uint32_t by_a = partial(along_a, along_b);
    return derived<true>(value, Operand<false>{a}, by_a, Operand<false>{b}, by_a + 2);
  }
  /// a + b
  template <bool A, bool B>
  [[gnu::always_inline]] static Variable<T> sum(Operand<A> a, Operand<B> b) {
    const T value = a.variable.value + b.variable.value;
    Tape* const tape = b.variable.tape;
    if (!tape) return renamed(a, value);  // a constant changes no gradient
    if (!a.variable.tape) return renamed(b, value);
    tape->reserve();
    return tape->template derived<false>(value, a, 0, b, 0);
  }
  /// a − b
  template <bool A, bool B>
  [[gnu::always_inline]] static Variable<T> difference(Operand<A> a, Operand<B> b) {
    const T value = a.variable.value - b.variable.value;
    Tape* const tape = b.variable.tape;
    if (!tape) return renamed(a, value);
    tape->reserve();
    if (!a.variable.tape) return tape->template derived<false>(value, b, minus);
    return tape->template derived<false>(value, a, 0, b, minus);
  }
  /// a b
  template <bool A, bool B>
  [[gnu::always_inline]] static Variable<T> product(Operand<A> a, Operand<B> b) {
    const T &x = a.variable.value, &y = b.variable.value, value = x * y;
    if (Tape* const tape = b.variable.tape) {
      tape->reserve();
      if (!a.variable.tape) return tape->template derived<true>(value, b, tape->partial(x));
      const std::uint32_t by_b = tape->partial(x, y);
      return tape->template derived<true>(value, a, by_b + 2, b, by_b);
    }
    if (Tape* const tape = a.variable.tape) {
      tape->reserve();
      return tape->template derived<true>(value, a, tape->partial(y));
    }
    return {value, nullptr, 0};
  }

  /// The variable of this index has a copy.
  void keep(std::uint32_t index) { kept_ = std::max<std::size_t>(kept_, index + 1U); }

  /// Computes the gradients of Σ_j d_y_j y_j by all that is on the tape; y and d_y are as long.
  /// Gradients of zero add nothing, also where a derivative is not finite. Cost: a multiplication
  /// and an addition per term.
  void sweep(std::span<const Variable<T>> y, const T* d_y) {
    gradients_.assign(used_, constant<T>(0));
    T* const g = gradients_.data();
    for (std::size_t j = 0; j < y.size(); ++j)
      if (y[j].tape) increase(g[y[j].index], d_y[j]);
    const T* const partial = values_.data();
    for (std::size_t k = used_; k-- > inputs_;) {
      const T d = detail::copied(g[k]);
      const Term* const end = terms_of_.data() + nodes_[k].end;
      for (const Term* term = terms_of_.data() + nodes_[k - 1].end; term != end; ++term) {
        T& to = g[term->index];
        const std::uint32_t factor = term->factor;
        if (factor == 0)
          increase(to, d);
        else if (factor == minus)
          decrease(to, d);
        else if (factor % 2 == 0)
          increase(to, times(partial[factor / 2 - 1], d));
        else
          decrease(to, times(partial[factor / 2 - 1], d));
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
  [[nodiscard]] const T* gradients() const { return gradients_.data(); }

 private:
  struct Node {
    std::uint32_t end;     ///< of its terms, which begin where those of the node before end
    std::uint32_t linear;  ///< whether all their factors are ±1
  };
  struct Term {
    std::uint32_t index;   ///< of the operand
    std::uint32_t factor;  ///< 2 · (0: one, n: the partial derivative n − 1) + (1: negative)
  };
  static constexpr std::uint32_t minus = 1;

  /// Makes room for one more operation: a result, two terms.
  [[gnu::always_inline]] void reserve() {
    if (used_ + terms_ >= room_) [[unlikely]]
      grow();
  }
  [[gnu::noinline]] void grow() {
    room_ = std::max<std::size_t>(1024, 2 * room_);
    nodes_.resize(room_ + 2);
    terms_of_.resize(room_ + 2);
    values_.resize(room_ + 2);  // no more than terms
  }
  /// The factor of terms with this partial derivative.
  [[gnu::always_inline]] std::uint32_t partial(const T& along) {
    values_[partials_++] = detail::copied(along);
    return static_cast<std::uint32_t>(2 * partials_);
  }
  /// That of the first of two.
  [[gnu::always_inline]] std::uint32_t partial(const T& first, const T& second) {
    T* const to = values_.data() + partials_;
    to[0] = detail::copied(first);
    to[1] = detail::copied(second);
    partials_ += 2;
    return static_cast<std::uint32_t>(2 * partials_ - 2);
  }
  /// The last result, number `at`, which has the terms up to `end`.
  [[gnu::always_inline]] Variable<T> result(const T& value, std::size_t at, std::size_t end,
                                            std::uint32_t linear) {
    nodes_[at] = {static_cast<std::uint32_t>(end), linear};
    used_ = at + 1;
    terms_ = end;
    return {value, this, static_cast<std::uint32_t>(at)};
  }
  /// x under another value.
  template <bool X>
  [[gnu::always_inline]] static Variable<T> renamed(Operand<X> x, const T& value) {
    if (x.variable.tape && !X) x.variable.tape->keep(x.variable.index);
    return {value, x.variable.tape, x.variable.index};
  }
  /// A result with the terms of operands, `factor` times their gradients. If an operand expires and
  /// is the last result, its terms become those of the new one, in its place; those of a product
  /// only if it is linear itself, so that no partial derivatives are multiplied.
  template <bool Product, bool X>
  [[gnu::always_inline]] Variable<T> derived(const T& value, Operand<X> x, std::uint32_t factor) {
    std::size_t at = used_, end = terms_;
    std::uint32_t linear = Product ? 0 : 1;
    take<Product>(x, factor, at, linear) || append(x, factor, end);
    return result(value, at, end, linear);
  }
  template <bool Product, bool A, bool B>
  [[gnu::always_inline]] Variable<T> derived(const T& value, Operand<A> a, std::uint32_t factor_a,
                                             Operand<B> b, std::uint32_t factor_b) {
    std::size_t at = used_, end = terms_;
    std::uint32_t linear = Product ? 0 : 1;
    const bool taken = take<Product>(b, factor_b, at, linear);
    take<Product>(a, factor_a, at, linear) || append(a, factor_a, end);
    taken || append(b, factor_b, end);
    return result(value, at, end, linear);
  }
  /// Takes over the terms of x if it expires and is the result before `at`.
  template <bool Product, bool X>
  [[gnu::always_inline]] bool take(Operand<X> x, std::uint32_t factor, std::size_t& at,
                                   std::uint32_t& linear) {
    const std::size_t index = x.variable.index;
    if (!X || index + 1 != at || index < kept_ || (Product && nodes_[index].linear == 0))
      return false;
    if (factor != 0)
      for (std::size_t n = nodes_[index - 1].end; n < nodes_[index].end; ++n)
        terms_of_[n].factor ^= factor;
    at = index;
    linear &= nodes_[index].linear;
    return true;
  }
  template <bool X>
  [[gnu::always_inline]] bool append(Operand<X> x, std::uint32_t factor, std::size_t& end) {
    terms_of_[end++] = {x.variable.index, factor};
    return true;
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

  Scratch<Node> nodes_{0, Unset{}};                        ///< and one behind the last
  Scratch<Term> terms_of_{0, Unset{}};                     ///< of all results, in their order
  Scratch<T> values_{0, Unset{}}, gradients_{0, Unset{}};  ///< partial derivatives; gradients
  std::size_t used_ = 0, terms_ = 0, partials_ = 0;        ///< of nodes, terms, values
  std::size_t inputs_ = 0;                                 ///< before the first result
  std::size_t kept_ = 0;  ///< results before this one may be used again
  std::size_t room_ = 0;  ///< for nodes and terms together
};

}  // namespace dan
