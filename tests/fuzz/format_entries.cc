#include <cstdlib>
#include <string>
#include <variant>
#include <vector>

#include "storage/format/axis.h"
#include "storage/format/block.h"
#include "storage/format/bytes.h"
#include "storage/format/catalog_record.h"
#include "storage/format/checksum.h"
#include "storage/format/latest.h"
#include "storage/format/log_record.h"
#include "storage/format/summary.h"
#include "tests/fuzz/entries.h"

namespace waterflow::fuzz {
namespace {

absl::string_view Bytes(const uint8_t* input, size_t size) {
  return {reinterpret_cast<const char*>(input), size};
}

// With the checksum that it ought to have: what lies behind it is of interest.
std::string Checksummed(const uint8_t* input, size_t size) {
  std::string value(Bytes(input, size));
  storage::AppendChecksum(&value);
  return value;
}

}  // namespace

int Axis(const uint8_t* input, size_t size) {
  const auto axis = storage::AxisBlock::Parse(Checksummed(input, size));
  if (!axis.ok()) return 0;
  // The same bytes once more, where their size allows.
  const std::string value = Checksummed(input, size);
  const auto times = axis->CheckTimes(value);
  const bool with_times = !axis->times_apart() || times.ok();
  std::vector<int64_t> column;
  for (size_t i = 0; i < axis->strips().size(); ++i) {
    const storage::Strip& strip = axis->strips()[i];
    if (strip.rows > storage::kMaxStripRows) std::abort();
    if (strip.has_step && axis->ReadSteps(i, &column).ok() &&
        column.size() != strip.rows) {
      std::abort();
    }
    if (with_times &&
        axis->ReadTimes(i, times.ok() ? *times : "", &column).ok() &&
        column.size() != strip.rows) {
      std::abort();
    }
  }
  return 0;
}

int Block(const uint8_t* input, size_t size) {
  const auto block = storage::Block::Parse(Checksummed(input, size));
  if (!block.ok()) return 0;
  storage::ChunkValues chunk;
  for (uint32_t m = 0; m < block->metric_count(); ++m) {
    for (uint32_t s = 0; s < block->strip_count(); ++s) {
      // The rows are the axis's to say; what fits a strip of them must hold.
      for (const uint32_t rows : {1u, 4u, 100u}) {
        if (!block->Read(m, s, rows, &chunk).ok()) continue;
        std::vector<uint32_t> with_value;
        chunk.AppendRows(&with_value);
        if (with_value.size() != chunk.values.size()) std::abort();
        storage::Summarize(chunk);
      }
    }
  }
  return 0;
}

int Summaries(const uint8_t* input, size_t size) {
  const auto block = storage::SummaryBlock::Parse(Checksummed(input, size));
  if (!block.ok()) return 0;
  for (uint32_t m = 0; m < block->metric_count(); ++m) {
    auto strips = block->Read(m);
    if (!strips.ok()) continue;
    const std::string value = Checksummed(input, size);
    if (block->spans_apart() && block->CheckSpans(value).ok()) {
      block->ReadSpans(m, *block->CheckSpans(value), &*strips).IgnoreError();
    }
    storage::Summary all;
    for (const storage::StripSummary& strip : *strips) {
      if (strip.known) all.Merge(strip.all);
      for (const storage::Summary& span : strip.spans) all.Merge(span);
    }
  }
  return 0;
}

int Latest(const uint8_t* input, size_t size) {
  const std::string value = Checksummed(input, size);
  storage::ByteReader in(value);
  const std::string source(in.String());
  storage::LatestReader reader;
  if (!in.ok() || !reader.Open(value, source)) return 0;
  storage::LatestEntry entry;
  // An entry takes bytes, or a reader would never end.
  for (size_t entries = 0; reader.Next(&entry); ++entries) {
    if (entries > size) std::abort();
  }
  return 0;
}

int LogGroup(const uint8_t* input, size_t size) {
  absl::string_view group = Bytes(input, size);
  while (!group.empty()) {
    const size_t before = group.size();
    const auto record = storage::TakeRecord(&group);
    if (!record.ok()) return 0;
    // A record takes bytes, or a reader would never end.
    if (group.size() >= before) std::abort();
    if (const auto* batch = std::get_if<storage::BatchRecord>(&*record)) {
      if (batch->body.size() > size) std::abort();
    }
  }
  return 0;
}

int CatalogValue(const uint8_t* input, size_t size) {
  const absl::string_view bytes = Bytes(input, size);
  // Whatever reads as a value must read the same when it is written again.
  const auto check = [bytes](auto value) {
    if (!storage::DecodeValue(bytes, &value)) return;
    const std::string once = storage::EncodeValue(value);
    decltype(value) again;
    if (!storage::DecodeValue(once, &again) ||
        storage::EncodeValue(again) != once) {
      std::abort();
    }
  };
  check(storage::ProjectValue());
  check(storage::RunValue());
  check(storage::WorkerValue());
  check(storage::SchemaValue());
  check(storage::MetadataValue());
  check(storage::AttemptValue());
  check(storage::LaneValue());
  check(storage::RowCountValue());
  check(storage::LostValue());
  check(storage::RequestValue());
  check(storage::TombstoneValue());
  return 0;
}

}  // namespace waterflow::fuzz
