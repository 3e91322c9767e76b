#include "storage/format/block.h"

#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/codec/chunk.h"
#include "storage/format/axis.h"
#include "storage/format/batch.h"
#include "storage/format/bytes.h"
#include "storage/format/checksum.h"
#include "storage/model/limits.h"

namespace waterflow::storage {
namespace {

enum ChunkKind : char { kDense = 0, kSparse = 1, kRepeat = 2 };

bool SameBits(const ChunkValues& a, const ChunkValues& b) {
  return a.rows == b.rows && a.values.size() == b.values.size() &&
         a.present == b.present &&
         std::memcmp(a.values.data(), b.values.data(),
                     a.values.size() * sizeof(double)) == 0;
}

}  // namespace

void ChunkValues::AppendRows(std::vector<uint32_t>* out) const {
  if (dense()) {
    const size_t before = out->size();
    out->resize(before + rows);
    std::iota(out->begin() + static_cast<ptrdiff_t>(before), out->end(), 0);
    return;
  }
  for (uint32_t row = 0; row < rows && !values.empty(); ++row) {
    if (IsPresent(present, row)) out->push_back(row);
  }
}

bool MetricChunks::Add(ChunkValues* chunk) {
  const size_t before = bytes_.size();
  const bool repeats = !chunk->values.empty() && SameBits(*chunk, last_);
  if (repeats) {
    bytes_.push_back(kRepeat);
  } else if (!chunk->values.empty()) {
    bytes_.push_back(chunk->present.empty() ? kDense : kSparse);
    bytes_.append(chunk->present);
    EncodeChunk(chunk->values, &bytes_);
  }
  lengths_.push_back(static_cast<uint32_t>(bytes_.size() - before));
  std::swap(last_, *chunk);
  return repeats;
}

std::string BuildBlock(absl::Span<const MetricChunks> tile) {
  std::string out;
  AppendVarint(tile.size(), &out);
  AppendVarint(tile.front().lengths_.size(), &out);
  for (const MetricChunks& metric : tile) {
    for (const uint32_t length : metric.lengths_) AppendVarint(length, &out);
  }
  for (const MetricChunks& metric : tile) out.append(metric.bytes_);
  AppendChecksum(&out);
  return out;
}

absl::StatusOr<Block> Block::Parse(SharedBytes bytes) {
  Block block;
  block.bytes_ = std::move(bytes);
  absl::StatusOr<absl::string_view> body = VerifyChecksum(block.bytes_.view());
  if (!body.ok()) return body.status();
  ByteReader in(*body);
  block.metrics_ = in.Varint32();
  block.strips_ = in.Varint32();
  // Each length takes a byte, so their number is bounded before it is stored.
  const uint64_t chunks = uint64_t{block.metrics_} * block.strips_;
  if (!in.ok() || block.metrics_ > kMaxSchemaMetrics ||
      block.strips_ > kMaxBlockStrips || chunks > in.rest().size()) {
    return absl::DataLossError(absl::StrCat("block of ", block.metrics_,
                                            " metrics x ", block.strips_,
                                            " strips is malformed"));
  }
  std::vector<uint32_t> lengths(chunks);
  uint64_t total = 0;
  for (uint32_t& length : lengths) total += length = in.Varint32();
  if (!in.ok() || total != in.rest().size()) {
    return absl::DataLossError("block: lengths disagree with its size");
  }
  block.begins_.reserve(chunks + 1);
  block.begins_.push_back(static_cast<uint32_t>(body->size() - total));
  for (const uint32_t length : lengths) {
    block.begins_.push_back(block.begins_.back() + length);
  }
  return block;
}

absl::string_view Block::Bytes(size_t chunk) const {
  return bytes_.view().substr(begins_[chunk],
                              begins_[chunk + 1] - begins_[chunk]);
}

absl::Status Block::Read(uint32_t metric, uint32_t strip, uint32_t rows,
                         ChunkValues* chunk) const {
  chunk->rows = rows;
  chunk->present.clear();
  chunk->values.clear();
  if (metric >= metrics_ || strip >= strips_) {
    return absl::DataLossError(
        absl::StrCat("block: no chunk of metric ", metric, ", strip ", strip));
  }
  size_t index = size_t{metric} * strips_ + strip;
  absl::string_view bytes = Bytes(index);
  while (!bytes.empty() && bytes.front() == kRepeat) {
    if (strip-- == 0) {
      return absl::DataLossError("block: a repeat of no chunk");
    }
    bytes = Bytes(--index);
  }
  if (bytes.empty()) return absl::OkStatus();
  const char kind = bytes.front();
  bytes.remove_prefix(1);
  size_t count = rows;
  if (kind == kSparse) {
    const size_t bitmap_bytes = (rows + 7) / 8;
    if (bytes.size() < bitmap_bytes) {
      return absl::DataLossError("block: presence bitmap is truncated");
    }
    chunk->present = std::string(bytes.substr(0, bitmap_bytes));
    bytes.remove_prefix(bitmap_bytes);
    count = 0;
    for (uint32_t row = 0; row < rows; ++row) {
      count += IsPresent(chunk->present, row);
    }
  } else if (kind != kDense) {
    return absl::DataLossError(
        absl::StrCat("block: chunk of unknown kind ", static_cast<int>(kind)));
  }
  chunk->values.resize(count);
  return DecodeChunk(bytes, absl::MakeSpan(chunk->values));
}

}  // namespace waterflow::storage
