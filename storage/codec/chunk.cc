#include "storage/codec/chunk.h"

#include <cassert>

#include "absl/strings/str_cat.h"
#include "storage/codec/constant.h"
#include "storage/codec/float32.h"
#include "storage/codec/float64.h"
#include "storage/codec/integers.h"
#include "storage/codec/raw.h"

namespace waterflow::storage {
namespace {

// On disk: numbers are never used again.
enum ChunkCodec : uint8_t {
  kRaw = 0,
  kConstant = 1,
  kFloat32 = 2,
  kIntegers = 3,
  kFloat64 = 4,
};
enum ColumnCodec : uint8_t { kRawColumn = 0, kIntegerColumn = 1 };

// Integers this wide cost no more than the float forms would, whatever zstd
// makes of them: a float32 has four bytes, and a float64 that is an integer at
// most seven that matter.
constexpr int kFloat32IntegerBytes = 3;
constexpr int kFloat64IntegerBytes = 6;

// Tries the codecs from the cheapest to the most general. Most chunks are
// known from their first few values not to be constant or integers.
void AppendEncoded(absl::Span<const double> values, std::string* out) {
  if (IsConstant(values)) {
    out->push_back(kConstant);
    AppendConstant(values, out);
    return;
  }
  const Integers integers = Integers::FromDoubles(values);
  if (integers.found() && integers.width() <= kFloat32IntegerBytes) {
    out->push_back(kIntegers);
    integers.AppendTo(out);
    return;
  }
  if (const Float32s narrow = Float32s::FromDoubles(values); narrow.found()) {
    out->push_back(kFloat32);
    narrow.AppendTo(out);
    return;
  }
  if (integers.found() && integers.width() <= kFloat64IntegerBytes) {
    out->push_back(kIntegers);
    integers.AppendTo(out);
    return;
  }
  out->push_back(kFloat64);
  AppendFloat64(values, out);
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
  const auto decode = [&]() -> absl::Status {
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
      default:
        return UnknownCodec();
    }
  };
  return Located("chunk", codec, out.size(), decode());
}

void EncodeInt64Column(absl::Span<const int64_t> values, std::string* out) {
  assert(!values.empty() && values.size() <= kMaxChunkValues);
  const size_t begin = out->size();
  out->push_back(kIntegerColumn);
  Integers::FromInt64s(values).AppendTo(out);
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
      case kIntegerColumn:
        return DecodeIntegers(payload, out);
      default:
        return UnknownCodec();
    }
  };
  return Located("int64 column", codec, out.size(), decode());
}

}  // namespace waterflow::storage
