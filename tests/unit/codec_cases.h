// Inputs that the codec tests share: the patterns that real telemetry has, and
// those that break encoders.
#ifndef WATERFLOW_TESTS_UNIT_CODEC_CASES_H_
#define WATERFLOW_TESTS_UNIT_CODEC_CASES_H_

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace waterflow::storage {

inline double FromBits(uint64_t bits) { return std::bit_cast<double>(bits); }

struct ChunkCase {
  std::string name;
  std::vector<double> values;
};

// Every kind of value that a double can be, float32 or not.
inline std::vector<double> OddValues() {
  using D = std::numeric_limits<double>;
  using F = std::numeric_limits<float>;
  return {0.0,
          -0.0,
          1.0,
          -1.0,
          0.1,
          D::infinity(),
          -D::infinity(),
          D::max(),
          D::lowest(),
          D::min(),
          D::denorm_min(),
          -D::denorm_min(),
          F::max(),
          F::min(),
          F::denorm_min(),
          -F::denorm_min(),
          2.0 * F::max(),
          F::denorm_min() / 2.0,
          9007199254740992.0,
          -9007199254740992.0,
          9007199254740994.0,
          9223372036854775808.0,
          -9223372036854775808.0,
          FromBits(0x7ff8000000000000),   // quiet NaN
          FromBits(0xfff8000000000000),   // the other one of the trace
          FromBits(0x7ff0000000000001),   // signalling, payload 1
          FromBits(0x7ff0000020000000),   // signalling, fits a float32
          FromBits(0xfff4000000000000),   // signalling, negative
          FromBits(0x7fffffffffffffff),   // all ones
          FromBits(0xffffffffffffffff),   // all ones, negative
          FromBits(0x7ff80000e0000000)};  // quiet with a float32's payload
}

// A float32 of any bit pattern, widened bit for bit.
inline double WidenedFloat32(uint32_t bits) {
  const uint32_t exponent = (bits >> 23) & 0xff;
  if (exponent == 0xff) {
    return FromBits((uint64_t{bits >> 31} << 63) | (0x7ffull << 52) |
                    (uint64_t{bits & 0x7fffff} << 29));
  }
  return static_cast<double>(std::bit_cast<float>(bits));
}

inline std::vector<ChunkCase> ChunkCases(size_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<ChunkCase> cases;
  const auto add = [&](std::string name, auto value) {
    ChunkCase& one = cases.emplace_back();
    one.name = std::move(name);
    for (size_t i = 0; i < n; ++i) one.values.push_back(value(i));
  };
  add("constant", [](size_t) { return 0.001; });
  add("constant_nan", [](size_t) { return FromBits(0x7ff0000000000001); });
  add("constant_minus_zero", [](size_t) { return -0.0; });
  add("zeros_of_both_signs", [](size_t i) { return i % 3 == 0 ? -0.0 : 0.0; });
  add("counter", [](size_t i) { return static_cast<double>(i); });
  add("counter_by_1000", [](size_t i) { return 1000.0 * i - 5e6; });
  add("small_integers",
      [&](size_t) { return static_cast<double>(random() % 100); });
  add("integers_of_two_signs",
      [&](size_t) { return static_cast<double>(random() % 2001) - 1000; });
  add("integers_to_2_pow_53", [&](size_t) {
    return static_cast<double>(static_cast<int64_t>(random()) >> 10);
  });
  add("extreme_integers", [](size_t i) {
    return i % 2 ? 9007199254740992.0 : -9007199254740992.0;
  });
  add("integers_too_large",
      [](size_t i) { return 9007199254740992.0 + 2.0 * i; });
  add("integers_and_one_minus_zero",
      [n](size_t i) { return i == n / 2 ? -0.0 : static_cast<double>(i); });
  add("loss_float32", [&](size_t i) {
    return static_cast<double>(
        static_cast<float>(4.0 / (1 + 0.01 * i) + 0.01 * normal(random)));
  });
  add("loss_float64",
      [&](size_t i) { return 4.0 / (1 + 0.01 * i) + 0.01 * normal(random); });
  add("decimals", [&](size_t) { return (random() % 1000) / 10.0; });
  add("decimals_and_one_nan", [&, n](size_t i) {
    return i == n / 2 ? FromBits(0x7ff8000000000000) : (random() % 1000) / 10.0;
  });
  add("diverged", [&, n](size_t i) {
    const double loss = static_cast<float>(2 + normal(random));
    return i < n / 2 ? loss : FromBits(0x7ff8000000000000 | random() << 63);
  });
  add("infinities_among_integers", [&](size_t i) {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    return i % 7 == 0 ? kInf : static_cast<double>(random() % 100);
  });
  add("many_nan_payloads", [&](size_t i) {
    return i % 2 ? 1.5 : FromBits(0x7ff8000000000000 + random() % 1000);
  });
  add("seconds_of_a_clock",
      [&](size_t) { return (200'000'000 + random() % 50'000'000) / 1e9; });
  double clock = 16000.5;
  add("differences_of_a_clock", [&](size_t) {
    const double before = clock;
    clock = std::rint(clock * 1e9 + random() % 50'000'000) / 1e9;
    return clock - before;
  });
  add("shares", [&](size_t) { return (random() % 129) / 128.0; });
  add("bfloat16", [&](size_t) {
    return WidenedFloat32(0x2f000000u + (random() % 8192 << 16));
  });
  add("pages", [&](size_t) { return 4096.0 * (random() % 100000); });
  add("noise_with_spikes", [&](size_t i) {
    return static_cast<double>(
        static_cast<float>(i % 50 == 49 ? 1e6 : normal(random)));
  });
  add("long_repeats", [](size_t i) { return 0.1 * (i / 40) + 1e-12; });
  add("noise_float64", [&](size_t) { return normal(random); });
  add("smooth_float64", [](size_t i) { return std::sin(0.001 * i); });
  add("any_float32_bits",
      [&](size_t) { return WidenedFloat32(static_cast<uint32_t>(random())); });
  add("float32_signalling_nans", [&](size_t) {
    return WidenedFloat32(0x7f800001u + random() % 0x3fffff);
  });
  add("float32_with_one_lost_bit", [&, n](size_t i) {
    return i + 1 == n ? FromBits(0x3ff0000000000001) : 0.5 * (random() % 99);
  });
  add("float32_then_nan_payload", [&, n](size_t i) {
    return i + 1 == n ? FromBits(0x7ff8000000000001) : 0.5 * (random() % 99);
  });
  add("any_float64_bits", [&](size_t) { return FromBits(random()); });
  const std::vector<double> odd = OddValues();
  add("odd_values", [&](size_t) { return odd[random() % odd.size()]; });
  add("odd_values_in_turn", [&](size_t i) { return odd[i % odd.size()]; });
  return cases;
}

struct ColumnCase {
  std::string name;
  std::vector<int64_t> values;
};

inline std::vector<ColumnCase> ColumnCases(size_t n, uint64_t seed) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  std::mt19937_64 random(seed);
  std::vector<ColumnCase> cases;
  const auto add = [&](std::string name, auto value) {
    ColumnCase& one = cases.emplace_back();
    one.name = std::move(name);
    for (size_t i = 0; i < n; ++i) one.values.push_back(value(i));
  };
  int64_t clock = 1'795'000'000'000'000'000;
  add("steps", [](size_t i) { return 100 + static_cast<int64_t>(i); });
  add("steps_back", [](size_t i) { return -7 * static_cast<int64_t>(i); });
  add("steps_repeat",
      [](size_t i) { return static_cast<int64_t>(i / 4 % 50); });
  add("constant", [](size_t) { return int64_t{-42}; });
  add("times", [&](size_t) {
    return clock += 220'000'000 + static_cast<int64_t>(random() % 9'000'000);
  });
  add("quadratic", [](size_t i) { return static_cast<int64_t>(i * i * 977); });
  add("any", [&](size_t) { return static_cast<int64_t>(random()); });
  add("extremes", [](size_t i) { return i % 2 ? kMin : kMax; });
  add("all_min", [](size_t) { return kMin; });
  add("all_max", [](size_t) { return kMax; });
  add("up_to_the_edge",
      [n](size_t i) { return kMax - static_cast<int64_t>(n - 1 - i); });
  add("one_jump", [n](size_t i) { return i == n / 2 ? kMin : int64_t{5}; });
  return cases;
}

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_UNIT_CODEC_CASES_H_
