// Handlers of instructions that compute d = f(a, b, ...) in each lane.
#pragma once
#include "handlers.h"

namespace ptx {

// D is what the destination gets, S, ... what the operands are read as; F has a static function of().
template <class F, class D, class A>
Outcome unary(Warp& w, const Instruction& i) {
  auto* d = slots<D>(w, i[0]);
  const auto* a = slots<A>(w, i[1]);
  for_lanes(w, [&](uint32_t l) { d[l] = put<D>(F::of(get<A>(a[l]))); });
  return Outcome::done;
}
template <class F, class D, class A, class B = A>
Outcome binary(Warp& w, const Instruction& i) {
  auto* d = slots<D>(w, i[0]);
  const auto* a = slots<A>(w, i[1]);
  const auto* b = slots<B>(w, i[2]);
  for_lanes(w, [&](uint32_t l) { d[l] = put<D>(F::of(get<A>(a[l]), get<B>(b[l]))); });
  return Outcome::done;
}
template <class F, class D, class A, class C = A>
Outcome ternary(Warp& w, const Instruction& i) {
  auto* d = slots<D>(w, i[0]);
  const auto* a = slots<A>(w, i[1]);
  const auto* b = slots<A>(w, i[2]);
  const auto* c = slots<C>(w, i[3]);
  for_lanes(w, [&](uint32_t l) { d[l] = put<D>(F::of(get<A>(a[l]), get<A>(b[l]), get<C>(c[l]))); });
  return Outcome::done;
}

// The handler if the operands have these widths, so that a table can be written as conditions.
template <class F, class D, class A = D>
Handler unary_if(const Instruction& i) {
  constexpr int d = 8 * sizeof(D), a = 8 * sizeof(A);
  return widths(i, d, a) ? unary<F, D, A> : nullptr;
}
template <class F, class D, class A = D, class B = A>
Handler binary_if(const Instruction& i) {
  constexpr int d = 8 * sizeof(D), a = 8 * sizeof(A), b = 8 * sizeof(B);
  return widths(i, d, a, b) ? binary<F, D, A, B> : nullptr;
}
template <class F, class D, class A = D, class C = A>
Handler ternary_if(const Instruction& i) {
  constexpr int d = 8 * sizeof(D), a = 8 * sizeof(A), c = 8 * sizeof(C);
  return widths(i, d, a, a, c) ? ternary<F, D, A, C> : nullptr;
}

}  // namespace ptx
