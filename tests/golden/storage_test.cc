// Bytes on disk of keys, log records, axes, blocks, summaries and the catalog
// (storage.txt). What is written must give these bytes, and these bytes must
// read as what was written: stores of this version are out there.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "storage/format/axis.h"
#include "storage/format/batch.h"
#include "storage/format/block.h"
#include "storage/format/bytes.h"
#include "storage/format/catalog_record.h"
#include "storage/format/keys.h"
#include "storage/format/latest.h"
#include "storage/format/log_record.h"
#include "storage/format/summary.h"
#include "tests/golden/golden_file.h"

namespace waterflow::storage {
namespace {

constexpr GenerationId kGeneration{7};
constexpr RunId kRun{300};
constexpr SchemaId kSchema{2};

Uuid ExampleUuid() {
  return *Uuid::FromHex("000102030405060708090a0b0c0d0e0f");
}

LaneName ExampleLane() {
  return {.run = kRun, .worker = {5}, .stream = ExampleUuid(), .number = 9};
}

std::string ExampleBatch() {
  return BatchBuilder(9, 128, 2)
      .Steps(std::vector<int64_t>{10, 11})
      .Times(std::vector<int64_t>{1000, 2000})
      .Float64(0, std::vector<double>{0.5, -0.5})
      .Build();
}

std::string Record(const LogRecord& record) {
  std::string out;
  AppendRecord(record, &out);
  return out;
}

// Noise that takes eight bytes a time, the same on every machine.
std::vector<int64_t> WildTimes(size_t count) {
  std::vector<int64_t> times(count);
  uint64_t x = 1;
  for (int64_t& time : times) {
    x = x * 6364136223846793005 + 1442695040888963407;
    time = static_cast<int64_t>(x);
  }
  return times;
}

// `many`: so many times that they lie apart.
AxisBuilder::Built ExampleAxis(bool many = false) {
  AxisBuilder axis(6, 4);
  Strip strip;
  strip.attempt = 1;
  for (const uint32_t worker : {0u, 1u}) {
    strip.worker.value = worker;
    strip.has_step = true;
    axis.Add(strip, std::vector<int64_t>{10, 11, 12},
             std::vector<int64_t>{1000, 2000, 3000});
  }
  strip.has_step = false;
  strip.time_stamped = true;
  strip.attempt = 2;
  strip.first_row = 3;
  axis.Add(strip, {}, std::vector<int64_t>{-5});
  if (many) axis.Add(strip, {}, WildTimes(kApartBytes / 8));
  return std::move(axis).Build();
}

std::string ExampleBlock() {
  std::vector<MetricChunks> tile(2);
  const ChunkValues dense{.rows = 3, .present = {}, .values = {2.5, 2.5, 2.5}};
  const ChunkValues sparse{.rows = 3, .present = "\x05", .values = {1.5, 1.5}};
  const ChunkValues none{.rows = 3, .present = {}, .values = {}};
  for (ChunkValues chunk : {dense, dense, none}) tile[0].Add(&chunk);
  for (ChunkValues chunk : {sparse, dense, sparse}) tile[1].Add(&chunk);
  return BuildBlock(tile);
}

StripSummary ExampleSummary() {
  return Summarize(
      {.rows = 6,
       .present = "\x3e",
       .values = {1.5, std::numeric_limits<double>::quiet_NaN(), -2.25,
                  std::numeric_limits<double>::infinity(), 4}});
}

// `many`: so many spans that they lie apart.
BuiltSummaries ExampleSummaries(bool many = false) {
  std::vector<SummaryBuilder> tile(2);
  for (SummaryBuilder& metric : tile) {
    metric.Add(ExampleSummary());
    metric.AddRepeat();
    metric.Add({});
    metric.Add(Summarize({.rows = 3, .present = {}, .values = {0.1, 2, 3}}));
    metric.Add(
        Summarize({.rows = 3, .present = {}, .values = {2.5, 2.5, 2.5}}));
  }
  ChunkValues chunk;
  chunk.rows = 2 * kSummarySpanRows + 1;
  chunk.values.assign(chunk.rows, 3);
  for (int i = 0; many && i < 50; ++i) {
    chunk.values[300] = 4 + i;
    for (SummaryBuilder& metric : tile) {
      metric.Add(Summarize(chunk));
      metric.AddRepeat();
    }
  }
  return BuildSummaries(tile);
}

// Of a long value: its beginning, its size and its checksum, which is of all.
std::string Abridged(const std::string& value) {
  std::string out = value.substr(0, 64);
  AppendFixed(static_cast<uint32_t>(value.size()), &out);
  return out + value.substr(value.size() - 8);
}

std::string ExampleRun() {
  return EncodeValue(RunValue{.id = ExampleUuid(),
                              .project = {3},
                              .name = "lm",
                              .key = "job-1",
                              .status = RunStatus::kFinished,
                              .start_given = true,
                              .start_ns = 1000,
                              .end_ns = 2000,
                              .created_ns = 900,
                              .updated_ns = 2001,
                              .params = {{"lr", "0.1"}},
                              .tags = {{"a", "b"}, {"c", ""}}});
}

std::string ExampleFork() {
  RunValue run;
  EXPECT_TRUE(DecodeValue(ExampleRun(), &run));
  run.fork = ForkValue{.parent = {2}, .attempt = 3, .step = -1};
  return EncodeValue(run);
}

// A fork whose parent has two attempts: a metric that no worker has a point of,
// one of one worker, one of several.
std::string ExampleLatestSource() {
  std::string source;
  AppendLatestPart(
      {.run = kRun, .rows = 300, .cut = std::nullopt, .hiding_steps = {}},
      &source);
  AppendLatestPart({.run = {2},
                    .rows = 40,
                    .cut = LatestPart::Cut{.last_attempt = 3, .steps_below = 9},
                    .hiding_steps = {{2, -1}}},
                   &source);
  return source;
}

std::string ExampleLatest() {
  MetricStatistics same;
  for (MetricStatistics::Reduced& reduced : same.values) reduced.fill(2.5);
  MetricStatistics each = same;
  each.values[3] = {1, 2, 0.5, 1.5};
  return EncodeLatest(ExampleLatestSource(),
                      {{.metric = {1}, .statistics = std::nullopt},
                       {.metric = {200}, .statistics = same},
                       {.metric = {201}, .statistics = each}});
}

const std::map<std::string, std::function<std::string()>>& Examples() {
  static const auto* const examples =
      new std::map<std::string, std::function<std::string()>>{
          {"key log", [] { return LogKey({258}); }},
          {"key axis", [] { return AxisKey(kGeneration, kRun, kSchema, 1); }},
          {"key tile",
           [] { return TileKey(kGeneration, kRun, kSchema, 1, 64); }},
          {"key spans",
           [] { return SpansKey(kGeneration, kRun, kSchema, 1, 64); }},
          {"key times", [] { return TimesKey(kGeneration, kRun, kSchema, 1); }},
          {"key generation", [] { return MetaGenerationKey(kGeneration); }},
          {"key lane", [] { return LaneKey(kRun, {5}, ExampleUuid(), 9); }},
          {"key row count", [] { return RowCountKey(kRun, kSchema, {5}); }},
          {"record batch",
           [] {
             return Record(BatchRecord{.lane = ExampleLane(),
                                       .schema = kSchema,
                                       .attempt = 1,
                                       .first_row = 128,
                                       .rows = 2,
                                       .skip = 1,
                                       .received_ns = 1234567890,
                                       .body = ExampleBatch()});
           }},
          {"record void",
           [] {
             return Record(VoidRecord{.lane = ExampleLane(),
                                      .schema = kSchema,
                                      .first_row = 130,
                                      .rows = 1000});
           }},
          {"record catalog",
           [] {
             return Record(CatalogRecord{"key", "value"});
           }},
          {"record erase", [] { return Record(EraseRecord{"key"}); }},
          {"record delete", [] { return Record(DeleteRecord{kRun}); }},
          {"axis", [] { return ExampleAxis().axis; }},
          {"axis without times", [] { return ExampleAxis(true).axis; }},
          {"times, abridged", [] { return Abridged(ExampleAxis(true).times); }},
          {"block", ExampleBlock},
          {"summaries", [] { return ExampleSummaries().strips; }},
          {"summaries without spans, abridged",
           [] { return Abridged(ExampleSummaries(true).strips); }},
          {"spans, abridged",
           [] { return Abridged(ExampleSummaries(true).spans); }},
          {"latest", ExampleLatest},
          {"catalog run", ExampleRun},
          {"catalog fork", ExampleFork},
          {"catalog lane",
           [] {
             return EncodeValue(LaneValue{.schema = kSchema, .next_row = 130});
           }},
          {"catalog attempt",
           [] {
             return EncodeValue(
                 AttemptValue{.resume_step = -1, .first_step = std::nullopt});
           }},
      };
  return *examples;
}

TEST(GoldenStorage, WritesTheSameBytesForEver) {
  std::map<std::string, std::string> golden;
  for (const GoldenRecord& record : ReadGoldenFile("storage.txt")) {
    golden[Field(record, "name")] = FromHex(Field(record, "bytes"));
  }
  for (const auto& [name, make] : Examples()) {
    EXPECT_EQ(make(), golden[name]) << "name: " << name << "\nbytes:\n"
                                    << ToHex(make());
  }
  EXPECT_EQ(golden.size(), Examples().size());
}

TEST(GoldenStorage, ReadsWhatItWrote) {
  const AxisBuilder::Built built = ExampleAxis();
  EXPECT_EQ(built.times, "");
  const auto axis = AxisBlock::Parse(built.axis);
  ASSERT_TRUE(axis.ok()) << axis.status();
  ASSERT_EQ(axis->strips().size(), 3u);
  EXPECT_EQ(axis->metrics_per_tile(), 4u);
  std::vector<int64_t> column;
  ASSERT_TRUE(axis->ReadSteps(1, &column).ok());
  EXPECT_EQ(column, (std::vector<int64_t>{10, 11, 12}));
  ASSERT_FALSE(axis->times_apart());
  ASSERT_TRUE(axis->ReadTimes(2, "", &column).ok());
  EXPECT_EQ(column, (std::vector<int64_t>{-5}));
  EXPECT_TRUE(axis->strips()[2].time_stamped);
  EXPECT_EQ(axis->strips()[2].attempt, 2u);

  const auto block = Block::Parse(ExampleBlock());
  ASSERT_TRUE(block.ok()) << block.status();
  ChunkValues chunk;
  ASSERT_TRUE(block->Read(0, 1, 3, &chunk).ok());
  EXPECT_EQ(chunk.values, (std::vector<double>{2.5, 2.5, 2.5}));
  ASSERT_TRUE(block->Read(0, 2, 3, &chunk).ok());
  EXPECT_TRUE(chunk.values.empty());
  ASSERT_TRUE(block->Read(1, 2, 3, &chunk).ok());
  EXPECT_EQ(chunk.values, (std::vector<double>{1.5, 1.5}));
  EXPECT_EQ(chunk.present, "\x05");

  const auto tile = SummaryBlock::Parse(ExampleSummaries().strips);
  ASSERT_TRUE(tile.ok()) << tile.status();
  EXPECT_EQ(tile->metric_count(), 2u);
  const auto summaries = tile->Read(1);
  ASSERT_TRUE(summaries.ok()) << summaries.status();
  EXPECT_FALSE(tile->spans_apart());
  const Summary& all = summaries->at(0).all;
  EXPECT_EQ(all.count, 3u);
  EXPECT_EQ(all.nan_count, 1u);
  EXPECT_EQ(all.pos_inf_count, 1u);
  EXPECT_EQ(all.min, -2.25);
  EXPECT_EQ(all.min_row, 3u);
  EXPECT_EQ(all.last, 4);
  EXPECT_EQ(all.last_row, 5u);
  EXPECT_EQ(summaries->at(1).all.values(), 5u);
  EXPECT_EQ(summaries->at(2).all.values(), 0u);
  EXPECT_EQ(summaries->at(3).all.last_row, 2u);
  EXPECT_EQ(summaries->at(4).all.mean, 2.5);
  EXPECT_EQ(summaries->at(4).all.max, 2.5);

  const std::string latest = ExampleLatest();
  LatestReader reader;
  ASSERT_TRUE(reader.Open(latest, ExampleLatestSource()));
  LatestEntry entry;
  ASSERT_TRUE(reader.Next(&entry));
  EXPECT_EQ(entry.metric.value, 1u);
  EXPECT_FALSE(entry.statistics.has_value());
  ASSERT_TRUE(reader.Next(&entry));
  EXPECT_EQ(entry.metric.value, 200u);
  EXPECT_EQ(entry.statistics->Get(Statistic::kMax, Reduction::kSum), 2.5);
  ASSERT_TRUE(reader.Next(&entry));
  EXPECT_EQ(entry.statistics->Get(Statistic::kMean, Reduction::kSum), 2);
  EXPECT_EQ(entry.statistics->Get(Statistic::kMean, Reduction::kMax), 1.5);
  EXPECT_FALSE(reader.Next(&entry));
  EXPECT_FALSE(reader.Open(latest, ""));

  RunValue run;
  ASSERT_TRUE(DecodeValue(ExampleRun(), &run));
  EXPECT_EQ(run.tags, (Tags{{"a", "b"}, {"c", ""}}));
  EXPECT_EQ(run.updated_ns, 2001);
  EXPECT_FALSE(run.fork.has_value());
  ASSERT_TRUE(DecodeValue(ExampleFork(), &run));
  EXPECT_EQ(run.fork->parent.value, 2u);
  EXPECT_EQ(run.fork->attempt, 3u);
  EXPECT_EQ(run.fork->step, -1);

  const std::string bytes = Examples().at("record batch")();
  absl::string_view group = bytes;
  const auto record = TakeRecord(&group);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_TRUE(group.empty());
  const auto& batch = std::get<BatchRecord>(*record);
  EXPECT_EQ(batch.body, ExampleBatch());
  EXPECT_EQ(batch.lane, ExampleLane());
  EXPECT_EQ(batch.received_ns, 1234567890);
}

TEST(GoldenStorage, ReadsManyTimesAndSpansFromValuesOfTheirOwn) {
  const AxisBuilder::Built built = ExampleAxis(true);
  const auto axis = AxisBlock::Parse(built.axis);
  ASSERT_TRUE(axis.ok()) << axis.status();
  ASSERT_TRUE(axis->times_apart());
  const auto times = axis->CheckTimes(built.times);
  ASSERT_TRUE(times.ok()) << times.status();
  std::vector<int64_t> column;
  ASSERT_TRUE(axis->ReadSteps(1, &column).ok());
  EXPECT_EQ(column, (std::vector<int64_t>{10, 11, 12}));
  ASSERT_TRUE(axis->ReadTimes(2, *times, &column).ok());
  EXPECT_EQ(column, (std::vector<int64_t>{-5}));
  ASSERT_TRUE(axis->ReadTimes(3, *times, &column).ok());
  EXPECT_EQ(column, WildTimes(kApartBytes / 8));

  const BuiltSummaries written = ExampleSummaries(true);
  const auto tile = SummaryBlock::Parse(written.strips);
  ASSERT_TRUE(tile.ok()) << tile.status();
  ASSERT_TRUE(tile->spans_apart());
  auto summaries = tile->Read(1);
  ASSERT_TRUE(summaries.ok()) << summaries.status();
  const auto spans = tile->CheckSpans(written.spans);
  ASSERT_TRUE(spans.ok()) << spans.status();
  ASSERT_TRUE(tile->ReadSpans(1, *spans, &*summaries).ok());
  ASSERT_EQ(summaries->size(), 105u);
  for (const size_t strip : {103, 104}) {
    ASSERT_EQ(summaries->at(strip).spans.size(), 3u);
    EXPECT_EQ(summaries->at(strip).spans[0].max, 3);
    EXPECT_EQ(summaries->at(strip).spans[1].max, 53);
    EXPECT_EQ(summaries->at(strip).spans[1].max_row, 300u);
    EXPECT_EQ(summaries->at(strip).spans[2].count, 1u);
  }
}

// Every single damaged bit of a checksummed value is found.
TEST(GoldenStorage, ADamagedBitIsAlwaysFound) {
  for (const auto& [name, parses] :
       std::map<std::string, std::function<bool(std::string)>>{
           {"axis", [](std::string b) { return AxisBlock::Parse(b).ok(); }},
           {"axis without times",
            [](std::string b) { return AxisBlock::Parse(b).ok(); }},
           {"block", [](std::string b) { return Block::Parse(b).ok(); }},
           {"summaries",
            [](std::string b) { return SummaryBlock::Parse(b).ok(); }},
           {"latest", [](std::string b) {
              return LatestReader().Open(b, ExampleLatestSource());
            }}}) {
    const std::string bytes = Examples().at(name)();
    ASSERT_TRUE(parses(bytes)) << name;
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << (bit % 8));
      EXPECT_FALSE(parses(damaged)) << name << ", bit " << bit;
    }
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(parses(bytes.substr(0, size)))
          << name << ", cut at " << size;
    }
  }
}

}  // namespace
}  // namespace waterflow::storage
