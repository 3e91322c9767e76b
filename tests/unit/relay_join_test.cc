// Batches joined to one: the same rows with the same bits, and nothing joined
// that differs.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "storage/format/batch.h"
#include "storage/relay/relay_record.h"
#include "storage/relay/relay_window.h"

namespace waterflow::storage {
namespace {

const std::vector<std::string> kNames = {"a", "b", "c", "d"};

// A row as text: step, time and the bytes of each value.
std::vector<std::string> Dump(const std::string& body, uint32_t skip = 0,
                              int64_t stamp = 0) {
  BatchView batch;
  EXPECT_TRUE(ParseBatch(body, &batch).ok());
  uint64_t values = 0;
  const absl::Status checked = CheckBatch(batch, kNames, &values);
  EXPECT_TRUE(checked.ok()) << checked;
  std::vector<std::string> rows;
  for (uint32_t r = skip; r < batch.rows; ++r) {
    std::string row = batch.steps.empty() ? "-" : std::to_string(batch.step(r));
    row += " " + std::to_string(batch.times.empty() ? stamp : batch.time_ns(r));
    for (const ColumnView& column : batch.columns) {
      const size_t width = ValueBytes(column.type);
      for (uint32_t m = 0; m < column.span; ++m) {
        size_t at = size_t{m} * batch.rows + r;
        if (!column.dense()) {
          if (!IsPresent(column.present, r)) continue;
          at = 0;
          for (uint32_t b = 0; b < r; ++b) at += IsPresent(column.present, b);
        }
        row += " " + std::to_string(column.metric + m) + "=";
        row += std::string(column.values.substr(at * width, width));
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string RandomBytes(size_t size, std::mt19937* random) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>((*random)());
  return bytes;
}

// A span of two float32 metrics, and a sparse float64 one.
std::string MakeBatch(uint64_t first, uint32_t rows, bool times,
                      std::mt19937* random) {
  std::vector<int64_t> axis;
  for (uint32_t r = 0; r < rows; ++r) {
    axis.push_back(static_cast<int64_t>(first + r));
  }
  std::string present((rows + 7) / 8, '\0');
  uint32_t count = 0;
  for (uint32_t r = 0; r < rows; ++r) {
    if ((*random)() % 2 == 0) continue;
    present[r / 8] = static_cast<char>(present[r / 8] | (1 << (r % 8)));
    ++count;
  }
  BatchBuilder batch(0, first, rows);
  batch.Steps(axis);
  if (times) batch.Times(axis);
  return batch.Column(0, 2, ValueType::kFloat32, RandomBytes(8 * rows, random))
      .Column(3, 1, ValueType::kFloat64, RandomBytes(8 * count, random),
              present)
      .Build();
}

TEST(RelayJoinTest, AnyCutOfRandomBatchesKeepsEveryRowAndBit) {
  const uint32_t seed = std::random_device()();
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    RelayWindow window;
    std::vector<std::string> expected;
    uint64_t next = 0;
    for (uint64_t position = 1; position <= 20; ++position) {
      const uint32_t rows = 1 + random() % 30;
      const uint32_t skip = next == 0 ? 0 : random() % rows;
      const std::string body = MakeBatch(next - std::min<uint64_t>(next, skip),
                                         rows, random() % 2 == 0, &random);
      const auto known = static_cast<uint32_t>(std::min<uint64_t>(next, skip));
      std::string entry;
      AppendRelayRecord(RelayBatchRecord{.schema = 0,
                                         .first_row = next - known,
                                         .rows = rows,
                                         .skip = known,
                                         .received_ns = 777,
                                         .body = body},
                        &entry);
      ASSERT_TRUE(*window.Add(position, std::move(entry)));
      for (std::string& row : Dump(body, known, 777)) {
        expected.push_back(std::move(row));
      }
      next += rows - known;
    }
    ASSERT_EQ(window.ends().at(0), next);
    const uint64_t upstream_has = random() % 10;
    RelayMessages messages(window);
    messages.SkipBelow(0, upstream_has);
    const RelayMessageLimits limits = {
        .bytes = 1 + random() % 2000,
        .most_bytes = 16 << 20,
        .rows = 1 + static_cast<uint32_t>(random() % 100)};
    std::vector<std::string> found;
    uint64_t row = std::min(upstream_has, next);
    while (const auto message = messages.Next(limits)) {
      ASSERT_EQ(message->first_row, row) << "seed " << seed;
      row = message->end_row;
      for (std::string& text : Dump(message->batch)) {
        found.push_back(std::move(text));
      }
    }
    ASSERT_EQ(row, next);
    expected.erase(expected.begin(),
                   expected.begin() + static_cast<ptrdiff_t>(upstream_has));
    ASSERT_EQ(found, expected) << "seed " << seed;
  }
}

TEST(RelayJoinTest, RowsOfOneShapeBecomeOneBatch) {
  std::mt19937 random(1);
  RelayWindow window;
  for (uint64_t row = 0; row < 1000; ++row) {
    std::string entry;
    AppendRelayRecord(
        RelayBatchRecord{.schema = 0,
                         .first_row = row,
                         .rows = 1,
                         .skip = 0,
                         .received_ns = 5,
                         .body = MakeBatch(row, 1, true, &random)},
        &entry);
    ASSERT_TRUE(*window.Add(row + 1, std::move(entry)));
  }
  RelayMessages messages(window);
  const auto message =
      messages.Next({.bytes = 1 << 20, .most_bytes = 16 << 20, .rows = 65536});
  EXPECT_EQ(message->end_row, 1000u);
  EXPECT_FALSE(messages.NextSchema().has_value());
}

TEST(RelayJoinTest, WhatDiffersIsNotJoined) {
  const auto rows = [](const std::string& body) {
    BatchRows part;
    part.body = body;
    EXPECT_TRUE(ParseBatch(part.body, &part.view).ok());
    part.to = part.view.rows;
    return part;
  };
  const std::vector<int64_t> one = {1};
  const std::string value(8, 'v');
  const std::string base = BatchBuilder(0, 0, 1)
                               .Steps(one)
                               .Column(0, 1, ValueType::kFloat64, value)
                               .Build();
  const std::string alike = BatchBuilder(0, 1, 1)
                                .Steps(one)
                                .Times(one)
                                .Column(0, 1, ValueType::kFloat64, value)
                                .Build();
  EXPECT_TRUE(CanJoin(rows(base), rows(alike)));
  const std::string others[] = {
      BatchBuilder(0, 2, 1)
          .Steps(one)
          .Column(0, 1, ValueType::kFloat64, value)
          .Build(),  // a gap
      BatchBuilder(0, 1, 1)
          .Column(0, 1, ValueType::kFloat64, value)
          .Build(),  // no step
      BatchBuilder(0, 1, 1)
          .Steps(one)
          .Column(0, 1, ValueType::kInt64, value)
          .Build(),
      BatchBuilder(0, 1, 1)
          .Steps(one)
          .Column(1, 1, ValueType::kFloat64, value)
          .Build(),
      BatchBuilder(0, 1, 1)
          .Steps(one)
          .Column(0, 1, ValueType::kFloat64, value, std::string(1, '\1'))
          .Build(),  // sparse
      BatchBuilder(0, 1, 1).Steps(one).Build(),
  };
  for (const std::string& other : others) {
    EXPECT_FALSE(CanJoin(rows(base), rows(other)));
  }
}

TEST(RelayRecordTest, DamagedBytesAreErrors) {
  std::string entry;
  AppendRelayRecord(RelayBatchRecord{.schema = 1,
                                     .first_row = 2,
                                     .rows = 3,
                                     .skip = 1,
                                     .received_ns = 4,
                                     .body = "body"},
                    &entry);
  AppendRelayRecord(RelayOpening{.attempt = 3,
                                 .resume_step = -5,
                                 .world_size = 8,
                                 .client_time_ns = -1,
                                 .received_ns = 9},
                    &entry);
  for (size_t size = 0; size <= entry.size(); ++size) {
    absl::string_view rest = absl::string_view(entry).substr(0, size);
    while (!rest.empty() && TakeRelayRecord(&rest).ok()) {
    }
  }
  absl::string_view rest = entry;
  ASSERT_TRUE(TakeRelayRecord(&rest).ok());
  const auto opening = TakeRelayRecord(&rest);
  ASSERT_TRUE(opening.ok());
  EXPECT_EQ(std::get<RelayOpening>(*opening).resume_step, -5);
  EXPECT_TRUE(rest.empty());
  EXPECT_FALSE(RelayWindow().Add(1, "\x63junk").ok());
  EXPECT_FALSE(DecodeRelayMark("\x01").ok());
  EXPECT_FALSE(DecodeRelayIdentity("short").ok());
  EXPECT_FALSE(DecodeRelayMetrics("\xff\xff\xff\xff\x7f").ok());
}

}  // namespace
}  // namespace waterflow::storage
