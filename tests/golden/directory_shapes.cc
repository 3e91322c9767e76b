#include "tests/golden/directory_shapes.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/dump.h"
#include "storage/format/axis.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/format/log_record.h"
#include "storage/format/summary.h"

namespace waterflow::storage {
namespace {

using Shapes = std::set<std::string>;
// Rows of each strip, by the key of the axis.
using StripRows = std::map<std::string, std::vector<uint32_t>>;

void AddAxis(absl::string_view key, absl::string_view value, StripRows* rows,
             Shapes* shapes) {
  const auto axis = AxisBlock::Parse(std::string(value));
  ASSERT_TRUE(axis.ok()) << axis.status();
  for (const Strip& strip : axis->strips()) {
    (*rows)[std::string(key)].push_back(strip.rows);
  }
  // The flags lie behind the counts and the strip's worker and attempt.
  if (axis->times_apart()) {
    shapes->insert("axis without times");
    value.remove_prefix(1);
  }
  ByteReader read(value);
  read.Varint(), read.Varint(), read.Varint();
  for (size_t i = 0; i < axis->strips().size(); ++i) {
    read.Varint(), read.Varint();
    const uint8_t flags = read.Fixed<uint8_t>();
    shapes->insert(absl::StrCat("axis with flag 1: ", (flags & 1) != 0));
    for (const int flag : {2, 4, 8, 16}) {
      if ((flags & flag) != 0) shapes->insert(absl::StrCat("axis flag ", flag));
    }
    read.Varint(), read.Varint();
    const int varints = (flags & 1) != 0 ? 6 : 3;
    for (int v = 0; v < varints; ++v) read.Varint();
  }
  // The columns: the first one tells its codec.
  shapes->insert(absl::StrCat("column ", read.Fixed<uint8_t>()));
}

void AddBlock(absl::string_view value, const std::vector<uint32_t>& rows,
              Shapes* shapes) {
  ByteReader read(value);
  const uint64_t metrics = read.Varint();
  const uint64_t strips = read.Varint();
  ASSERT_EQ(strips, rows.size());
  std::vector<uint64_t> lengths;
  for (uint64_t i = 0; i < metrics * strips; ++i) {
    lengths.push_back(read.Varint());
  }
  for (size_t i = 0; i < lengths.size(); ++i) {
    ByteReader chunk(read.Bytes(lengths[i]));
    if (lengths[i] == 0) {
      shapes->insert("block without a chunk");
      continue;
    }
    const uint8_t kind = chunk.Fixed<uint8_t>();
    shapes->insert(absl::StrCat("block chunk ", kind));
    if (kind == 2) continue;
    if (kind == 1) chunk.Bytes((rows[i % strips] + 7) / 8);
    shapes->insert(absl::StrCat("chunk ", chunk.Fixed<uint8_t>()));
  }
}

void AddSummaries(absl::string_view value, Shapes* shapes) {
  const auto block = SummaryBlock::Parse(std::string(value));
  ASSERT_TRUE(block.ok()) << block.status();
  for (uint32_t m = 0; m < block->metric_count(); ++m) {
    const auto strips = block->Read(m);
    ASSERT_TRUE(strips.ok()) << strips.status();
    for (const StripSummary& strip : *strips) {
      shapes->insert(!strip.known              ? "summary not made"
                     : strip.all.values() == 0 ? "summary of no value"
                     : strip.span_count == 0   ? "summary of a strip"
                                               : "summary with spans");
    }
  }
}

void AddGroup(absl::string_view group, Shapes* shapes) {
  while (!group.empty()) {
    const auto record = TakeRecord(&group);
    ASSERT_TRUE(record.ok()) << record.status();
    shapes->insert(absl::StrCat("record ", record->index() + 1));
    const auto* const batch = std::get_if<BatchRecord>(&*record);
    if (batch != nullptr && batch->skip > 0) shapes->insert("record with skip");
  }
}

void AddMeta(absl::string_view key, absl::string_view value, Shapes* shapes) {
  if (!absl::StartsWith(key, kMetaGeneration)) return;
  ByteReader read(value);
  read.Varint();  // first
  shapes->insert(read.Varint() == 0 ? "generation sealed"
                                    : "generation merged");
}

}  // namespace

std::set<std::string> ShapesOf(const EngineOptions& options) {
  Shapes shapes;
  StripRows rows;
  const absl::Status dumped =
      DumpOffline(options, [&](absl::string_view family, absl::string_view key,
                               absl::string_view value) {
        if (family == "meta") AddMeta(key, value, &shapes);
        if (family == "catalog") {
          shapes.insert(absl::StrCat("catalog ", key.substr(0, 1)));
        }
        if (family == "log") AddGroup(value, &shapes);
        if (family == "axis") AddAxis(key, value, &rows, &shapes);
        if (family == "blocks") {
          // All of the key but the tile's first metric is that of the axis.
          constexpr size_t kTileKeyBytes = 20;
          if (key.size() > kTileKeyBytes) {
            shapes.insert("spans");
          } else if (absl::EndsWith(key, "\xff\xff\xff\xff")) {
            shapes.insert("times");
          } else {
            AddBlock(value, rows[std::string(key.substr(0, key.size() - 4))],
                     &shapes);
          }
        }
        if (family == "summaries") AddSummaries(value, &shapes);
        return absl::OkStatus();
      });
  EXPECT_TRUE(dumped.ok()) << dumped;
  return shapes;
}

std::set<std::string> AllShapes() {
  Shapes shapes = {"generation sealed",
                   "generation merged",
                   "axis with flag 1: 0",
                   "axis with flag 1: 1",
                   "block without a chunk",
                   "record with skip",
                   "summary not made",
                   "summary of no value",
                   "summary of a strip",
                   "summary with spans",
                   "axis without times",
                   "times",
                   "spans"};
  const auto add = [&](absl::string_view what, absl::string_view names) {
    for (const char name : names) {
      shapes.insert(absl::StrCat(what, " ", std::string(1, name)));
    }
  };
  add("catalog", "ACDLMPQRSTWX");
  add("record", "12345");
  add("column", "01");
  add("block chunk", "012");
  add("chunk", "01234567");
  for (const int flag : {2, 4, 8, 16}) {
    shapes.insert(absl::StrCat("axis flag ", flag));
  }
  return shapes;
}

}  // namespace waterflow::storage
