// A chunk: the values of one series in one block, encoded bit for bit. Also the
// int64 columns (steps, times) of an axis. This is the codecs' one door.
//
//   chunk  := codec id (1 byte), payload
//   column := codec id (1 byte), payload
//
// Each codec is a file of its own, which gives its payload byte by byte:
//   id  chunk                     column
//   0   raw.h                     raw.h
//   1   constant.h                sequence.h
//   2   float32.h
//   3   integers.h
//   4   float64.h
//   5   decimal.h
//   6   decimal.h, clock
//   7   mixed.h
// Golden files in tests/golden pin them. guess.h says which one is taken.
//
// Neither knows its own length or count; who stores a chunk keeps both, and the
// checksum. All functions may be called from any thread at once.
#ifndef WATERFLOW_STORAGE_CODEC_CHUNK_H_
#define WATERFLOW_STORAGE_CODEC_CHUNK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/codec/sequence.h"

namespace waterflow::storage {

// The most values that a chunk or column holds.
inline constexpr size_t kMaxChunkValues = 65536;

// Appends one chunk of 1 to kMaxChunkValues values, at most 8 n + 1 bytes.
// Every bit pattern survives: NaN payloads, the signalling bit, -0.0.
void EncodeChunk(absl::Span<const double> values, std::string* out);

// DATA_LOSS when `bytes` are not a chunk of exactly out.size() values; `out`
// then holds anything. Takes bytes from an enemy: reads nothing beyond them and
// allocates at most 32 out.size() bytes.
absl::Status DecodeChunk(absl::string_view bytes, absl::Span<double> out);

// The same for a column of int64.
void EncodeInt64Column(absl::Span<const int64_t> values, std::string* out);
absl::Status DecodeInt64Column(absl::string_view bytes,
                               absl::Span<int64_t> out);

// What such a column is, where that can be told without decoding it: steps
// mostly count up by one. Nothing: it takes decoding to know.
std::optional<Progression> Int64Progression(absl::string_view bytes);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_CODEC_CHUNK_H_
