#pragma once

// For kernels' .cpp files only: Eigen's packets behind arithmetic operators. The last elements of a
// row are padded to a vector, so that every element goes through the same instructions. A result
// therefore depends neither on its position nor on alignment. Loops stand in vector_loops.h.

#include <cmath>
#include <cstring>
#include <limits>

#pragma GCC diagnostic push
// g++ 12 warns of its own AVX-512 intrinsics (GCC bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <Eigen/Core>
#pragma GCC diagnostic pop

#include "framework/types.h"

namespace heed::kernels {

namespace packet = Eigen::internal;

// The address sanitizer does not look into masked access.
#if defined(__AVX512F__) && !defined(HEED_DOUBLE) && !defined(__SANITIZE_ADDRESS__)
#define HEED_MASKED_ACCESS
#endif

struct Vec {
  using Packet = packet::packet_traits<Real>::type;
  static constexpr Index width = packet::packet_traits<Real>::size;
  Packet p;

  Vec() = default;
  Vec(Packet value) : p(value) {}
  Vec(Real value) : p(packet::pset1<Packet>(value)) {}
  static Vec load(const Real* from) { return packet::ploadu<Packet>(from); }
  /// `count` numbers; the other lanes are zero.
  static Vec load(const Real* from, Index count) {
#ifdef HEED_MASKED_ACCESS
    return _mm512_maskz_loadu_ps(first(count), from);
#else
    alignas(64) Real buffer[width] = {};
    std::memcpy(buffer, from, static_cast<std::size_t>(count) * sizeof(Real));
    return packet::pload<Packet>(buffer);
#endif
  }
  void store(Real* to) const { packet::pstoreu(to, p); }
  void store(Real* to, Index count) const {
#ifdef HEED_MASKED_ACCESS
    _mm512_mask_storeu_ps(to, first(count), p);
#else
    alignas(64) Real buffer[width];
    packet::pstore(buffer, p);
    std::memcpy(to, buffer, static_cast<std::size_t>(count) * sizeof(Real));
#endif
  }
  void store(Real* to, Mode mode) const {
    (mode == Mode::assign ? *this : Vec(packet::padd(p, load(to).p))).store(to);
  }
  void store(Real* to, Index count, Mode mode) const {
    (mode == Mode::assign ? *this : Vec(packet::padd(p, load(to, count).p))).store(to, count);
  }

  friend Vec operator+(Vec a, Vec b) { return packet::padd(a.p, b.p); }
  friend Vec operator-(Vec a, Vec b) { return packet::psub(a.p, b.p); }
  friend Vec operator*(Vec a, Vec b) { return packet::pmul(a.p, b.p); }
  friend Vec operator/(Vec a, Vec b) { return packet::pdiv(a.p, b.p); }
  friend Vec operator-(Vec a) { return packet::pnegate(a.p); }

#ifdef HEED_MASKED_ACCESS
 private:
  static __mmask16 first(Index count) { return static_cast<__mmask16>((1u << count) - 1); }
#endif
};

/// Keeps the compiler from reading `a` from memory again at each use, which makes a loop of
/// products wait for its loads.
inline void keep_in_register([[maybe_unused]] Vec& a) {
#ifdef __x86_64__
  asm("" : "+v"(a.p));
#endif
}

inline Vec multiply_add(Vec a, Vec b, Vec c) { return packet::pmadd(a.p, b.p, c.p); }
inline Vec max(Vec a, Vec b) { return packet::pmax(a.p, b.p); }
inline Vec min(Vec a, Vec b) { return packet::pmin(a.p, b.p); }
// first, first + 1, ...
inline Vec count_from(Real first) { return packet::plset<Vec::Packet>(first); }
inline Vec abs(Vec a) { return packet::pabs(a.p); }
inline Vec less(Vec a, Vec b) { return packet::pcmp_lt(a.p, b.p); }  // a mask, for select
inline Vec equal(Vec a, Vec b) { return packet::pcmp_eq(a.p, b.p); }
inline Vec select(Vec mask, Vec a, Vec b) { return packet::pselect(mask.p, a.p, b.p); }
/// Whether a < b in any lane. A NaN is not less.
inline bool any_less(Vec a, Vec b) { return packet::predux_any(packet::pcmp_lt(a.p, b.p)); }
inline Real sum(Vec a) { return packet::predux(a.p); }
inline Real max(Vec a) { return packet::predux_max(a.p); }
/// Whether a running maximum takes `value`: a larger number, or the first NaN.
inline bool replaces(Real value, Real largest) { return !(value <= largest) && largest == largest; }

/// Of a denormal number: the logarithm of the smallest normal one.
inline Vec log_of_normal(Vec a) { return packet::plog(a.p); }
inline Vec log(Vec a) {
  // Multiply denormal numbers by 2^64 first.
  constexpr Real two_to_64 = Real(18446744073709551616.0);
  constexpr Real log_of_it = Real(44.3614195558364998);
  const Vec tiny = less(a, Vec(std::numeric_limits<Real>::min()));
  const Vec y = log_of_normal(select(tiny, a * Vec(two_to_64), a));
  return y - select(tiny, Vec(log_of_it), Vec(0));
}

inline Vec exp(Vec a) {
  const Real low = std::log(std::numeric_limits<Real>::min());  // below it 0: no denormal numbers
#if defined(__AVX512F__) && !defined(HEED_DOUBLE)
  // 2^m e^r with m = round(a / log 2). VSCALEF overflows to infinity by itself. The order of min's
  // operands keeps a NaN.
  const __m512 x = _mm512_min_ps(_mm512_set1_ps(89), a.p);
  const Vec m = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504F)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const Vec r = multiply_add(m, Vec(-1.42860682e-06F), multiply_add(m, Vec(-0.693145752F), Vec(x)));
  const Vec r2 = r * r;
  // (e^r - 1 - r) / r^2 through its values at five Chebyshev nodes. The error is at most 1e-8 e^r.
  const Vec even =
      multiply_add(multiply_add(Vec(1.3926184e-03F), r2, Vec(4.16665546e-02F)), r2, Vec(0.5F));
  const Vec odd = multiply_add(Vec(8.3631791e-03F), r2, Vec(0.16666577F));
  const Vec y = multiply_add(multiply_add(odd, r, even), r2, r + Vec(1.0F));
  return _mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(a.p, _mm512_set1_ps(low), _CMP_NLT_UQ), y.p,
                                m.p);
#else
  // Eigen's exp clamps its argument: at the ends it gives a large and a tiny number in place of
  // infinity and 0.
  const Vec high(std::log(std::numeric_limits<Real>::max()));
  const Vec y = packet::pexp(a.p);
  return select(less(high, a), Vec(std::numeric_limits<Real>::infinity()),
                select(less(a, Vec(low)), Vec(Real(0)), y));
#endif
}
/// Not Eigen's, whose Newton steps on AVX-512 give NaN for infinity and 0 for the smallest numbers.
inline Vec sqrt(Vec a) {
  alignas(64) Real buffer[Vec::width];
  packet::pstore(buffer, a.p);
  for (Real& x : buffer)
    x = std::sqrt(x);
  return packet::pload<Vec::Packet>(buffer);
}
inline Vec tanh(Vec a) {
  if constexpr (std::is_same_v<Real, float>) {
    return packet::ptanh(a.p);
  } else {
    alignas(64) Real buffer[Vec::width];
    packet::pstore(buffer, a.p);
    for (Real& x : buffer)
      x = std::tanh(x);
    return packet::pload<Vec::Packet>(buffer);
  }
}
inline Vec sigmoid(Vec a) { return Vec(1) / (Vec(1) + exp(-a)); }

}  // namespace heed::kernels
