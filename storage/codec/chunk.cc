#include "storage/codec/chunk.h"

#include <cassert>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/codec/constant.h"
#include "storage/codec/decimal.h"
#include "storage/codec/float32.h"
#include "storage/codec/float64.h"
#include "storage/codec/guess.h"
#include "storage/codec/integers.h"
#include "storage/codec/mixed.h"
#include "storage/codec/raw.h"
#include "storage/codec/sequence.h"

namespace waterflow::storage {
namespace {

// On disk.
enum ChunkCodec : uint8_t {
  kRaw = 0,
  kConstant = 1,
  kFloat32 = 2,
  kIntegers = 3,
  kFloat64 = 4,
  kDecimal = 5,
  kClock = 6,
  kMixed = 7,
};
enum ColumnCodec : uint8_t { kRawColumn = 0, kSequenceColumn = 1 };

// Encodes as guessed; else the index of a value that does not fit.
size_t TryEncode(absl::Span<const double> values, const Guess& guess,
                 std::string* out) {
  const size_t n = values.size();
  if (guess.kind == Kind::kFloat64) {
    out->push_back(kFloat64);
    AppendFloat64(values, out);
    return n;
  }
  if (guess.kind == Kind::kFloat32) {
    Float32s narrow = Float32s::FromDoubles(values);
    if (narrow.fitting() < n) return narrow.fitting();
    out->push_back(kFloat32);
    std::move(narrow).AppendTo(out);
    return n;
  }
  const auto integers = Scratch<uint64_t>(n);
  size_t fitting = 0;
  switch (guess.kind) {
    case Kind::kIntegers:
      fitting = ToIntegers(values, guess.scale, integers.get());
      if (fitting < n) return fitting;
      out->push_back(kIntegers);
      AppendIntegers(integers.get(), n, guess.scale, out);
      break;
    case Kind::kDecimal:
      fitting = ToDecimals(values, guess.exponent, integers.get());
      if (fitting < n) return fitting;
      out->push_back(kDecimal);
      AppendDecimal(integers.get(), n, guess.exponent, out);
      break;
    default: {
      const auto steps = Scratch<uint32_t>(n);
      fitting = ToClock(values, guess.exponent, guess.scale, integers.get(),
                        steps.get());
      if (fitting < n) return fitting;
      out->push_back(kClock);
      AppendClock(integers.get(), steps.get(), n, guess.exponent, guess.scale,
                  out);
    }
  }
  return n;
}

void AppendPlain(absl::Span<const double> values, std::string* out) {
  if (IsConstant(values)) {
    out->push_back(kConstant);
    AppendConstant(values, out);
    return;
  }
  Sample sample(values);
  while (true) {
    const size_t fitting = TryEncode(values, sample.Look(), out);
    if (fitting == values.size()) return;
    if (!sample.Add(values[fitting])) break;
  }
  // Values of too many kinds.
  if (TryEncode(values, {.kind = Kind::kFloat32}, out) < values.size()) {
    TryEncode(values, {.kind = Kind::kFloat64}, out);
  }
}

void AppendEncoded(absl::Span<const double> values, std::string* out) {
  if (!AllFinite(values) && !IsConstant(values)) {
    if (const auto mixed = Mixed::FromDoubles(values); mixed != nullptr) {
      out->push_back(kMixed);
      mixed->AppendTo(out);
      if (!mixed->finite().empty()) AppendPlain(mixed->finite(), out);
      return;
    }
  }
  AppendPlain(values, out);
}

absl::Status CheckCount(absl::string_view what, absl::string_view bytes,
                        size_t count) {
  if (count < 1 || count > kMaxChunkValues) {
    return absl::DataLossError(absl::StrCat(
        what, ": ", count, " values, expected 1 to ", kMaxChunkValues));
  }
  if (bytes.empty()) {
    return absl::DataLossError(
        absl::StrCat(what, ": no bytes, expected ", count, " values"));
  }
  return absl::OkStatus();
}

// Says which codec of what failed, and over how many values.
absl::Status Located(absl::string_view what, uint8_t codec, size_t count,
                     const absl::Status& status) {
  if (status.ok()) return status;
  return absl::DataLossError(absl::StrCat(
      what, " of ", count, " values, codec ", codec, ": ", status.message()));
}

absl::Status UnknownCodec() {
  return absl::DataLossError("this version does not know the codec");
}

// Any codec but kMixed: what a mixed chunk may hold.
absl::Status DecodePlain(uint8_t codec, absl::string_view payload,
                         absl::Span<double> out) {
  switch (codec) {
    case kRaw:
      return DecodeRaw(payload, out);
    case kConstant:
      return DecodeConstant(payload, out);
    case kFloat32:
      return DecodeFloat32(payload, out);
    case kIntegers:
      return DecodeIntegers(payload, out);
    case kFloat64:
      return DecodeFloat64(payload, out);
    case kDecimal:
      return DecodeDecimal(payload, out);
    case kClock:
      return DecodeClock(payload, out);
    default:
      return UnknownCodec();
  }
}

absl::Status DecodeMixed(absl::string_view payload, absl::Span<double> out) {
  MixedReader mixed;
  if (absl::Status s = mixed.Take(&payload, out.size()); !s.ok()) return s;
  if (mixed.finite_count() == 0) {
    if (absl::Status s = CheckNothingLeft(payload); !s.ok()) return s;
  } else if (payload.empty()) {
    return absl::DataLossError("the finite values are missing");
  } else {
    absl::Status s =
        DecodePlain(static_cast<uint8_t>(payload.front()), payload.substr(1),
                    out.first(mixed.finite_count()));
    if (!s.ok()) return s;
  }
  mixed.Merge(out);
  return absl::OkStatus();
}

absl::Status DecodeSequence(absl::string_view payload,
                            absl::Span<int64_t> out) {
  // An int64 and its unsigned twin may share memory.
  auto* const values = reinterpret_cast<uint64_t*>(out.data());
  absl::Status s = TakeSequence(&payload, values, out.size());
  return s.ok() ? CheckNothingLeft(payload) : s;
}

}  // namespace

void EncodeChunk(absl::Span<const double> values, std::string* out) {
  assert(!values.empty() && values.size() <= kMaxChunkValues);
  const size_t begin = out->size();
  AppendEncoded(values, out);
  if (out->size() - begin > 1 + 8 * values.size()) {
    out->resize(begin);
    out->push_back(kRaw);
    AppendRaw(values, out);
  }
}

absl::Status DecodeChunk(absl::string_view bytes, absl::Span<double> out) {
  if (absl::Status s = CheckCount("chunk", bytes, out.size()); !s.ok()) {
    return s;
  }
  const uint8_t codec = static_cast<uint8_t>(bytes.front());
  const absl::string_view payload = bytes.substr(1);
  return Located("chunk", codec, out.size(),
                 codec == kMixed ? DecodeMixed(payload, out)
                                 : DecodePlain(codec, payload, out));
}

void EncodeInt64Column(absl::Span<const int64_t> values, std::string* out) {
  assert(!values.empty() && values.size() <= kMaxChunkValues);
  const size_t begin = out->size();
  out->push_back(kSequenceColumn);
  const auto work = Scratch<uint64_t>(values.size());
  std::memcpy(work.get(), values.data(), 8 * values.size());
  AppendSequence(work.get(), values.size(), out);
  if (out->size() - begin > 1 + 8 * values.size()) {
    out->resize(begin);
    out->push_back(kRawColumn);
    AppendRaw(values, out);
  }
}

absl::Status DecodeInt64Column(absl::string_view bytes,
                               absl::Span<int64_t> out) {
  if (absl::Status s = CheckCount("int64 column", bytes, out.size()); !s.ok()) {
    return s;
  }
  const uint8_t codec = static_cast<uint8_t>(bytes.front());
  const absl::string_view payload = bytes.substr(1);
  const auto decode = [&]() -> absl::Status {
    switch (codec) {
      case kRawColumn:
        return DecodeRaw(payload, out);
      case kSequenceColumn:
        return DecodeSequence(payload, out);
      default:
        return UnknownCodec();
    }
  };
  return Located("int64 column", codec, out.size(), decode());
}

std::optional<Progression> Int64Progression(absl::string_view bytes) {
  if (bytes.empty() || static_cast<uint8_t>(bytes.front()) != kSequenceColumn) {
    return std::nullopt;
  }
  return ProgressionOf(bytes.substr(1));
}

}  // namespace waterflow::storage
