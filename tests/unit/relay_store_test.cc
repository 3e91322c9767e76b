// What a relay keeps, on a real disk: rows until they were forwarded, and what
// it knows of streams over restarts.
#include "storage/relay/relay_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "storage/format/batch.h"
#include "tests/unit/engine_fixture.h"
#include "tests/unit/faulty_env.h"

namespace waterflow::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kWindowBytes = 4 << 20;
constexpr RelayMessageLimits kLarge = {
    .bytes = 1 << 20, .most_bytes = 16 << 20, .rows = 65536};

class RelayStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<RelayStore>> store =
        RelayStore::Open(options_);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  StreamOptions Opening(uint32_t rank = 0) const {
    StreamOptions options;
    options.run = run_;
    options.worker.rank = rank;
    options.stream.bytes[0] = static_cast<uint8_t>(rank + 1);
    return options;
  }
  absl::StatusOr<TestStream> Open(const StreamOptions& options) {
    TestStream stream;
    if (absl::Status s = OpenAndWait(store_.get(), options, &stream); !s.ok()) {
      return s;
    }
    return stream;
  }
  // A session with schema 0.
  TestStream OpenOne(const StreamOptions& options) {
    absl::StatusOr<TestStream> stream = Open(options);
    EXPECT_TRUE(stream.ok()) << stream.status();
    EXPECT_TRUE(stream->Declare(0, {"loss"}).ok());
    return *std::move(stream);
  }

  static std::string Rows(uint64_t first, uint32_t rows) {
    std::vector<int64_t> steps;
    std::vector<double> values;
    for (uint64_t r = first; r < first + rows; ++r) {
      steps.push_back(static_cast<int64_t>(r));
      values.push_back(static_cast<double>(r) / 3);
    }
    return BatchBuilder(0, first, rows)
        .Steps(steps)
        .Times(steps)
        .Float64(0, values)
        .Build();
  }

  // The steps of all rows of the window, in the order of its messages.
  static std::vector<int64_t> StepsOf(const RelayWindow& window) {
    std::vector<int64_t> steps;
    RelayMessages messages(window);
    while (const auto message = messages.Next(kLarge)) {
      BatchView batch;
      EXPECT_TRUE(ParseBatch(message->batch, &batch).ok());
      for (uint32_t r = 0; r < batch.rows; ++r) steps.push_back(batch.step(r));
    }
    return steps;
  }
  std::unique_ptr<RelayWindow> Read(uint32_t stream = 1,
                                    uint64_t bytes = kWindowBytes) {
    auto window = store_->Read(stream, bytes);
    EXPECT_TRUE(window.ok()) << window.status();
    return *std::move(window);
  }
  // Forwards everything, as an upstream would get it.
  std::vector<int64_t> Drain(uint32_t stream = 1) {
    std::vector<int64_t> all;
    while (true) {
      const auto window = Read(stream, 1);
      if (window->empty()) return all;
      for (const int64_t step : StepsOf(*window)) all.push_back(step);
      store_->Trim(stream, *window);
    }
  }
  static std::vector<int64_t> Numbers(int64_t first, int64_t end) {
    std::vector<int64_t> numbers;
    for (int64_t n = first; n < end; ++n) numbers.push_back(n);
    return numbers;
  }

  TempDir dir_;
  const Uuid run_ = Uuid::Random();
  RelayStoreOptions options_ = {.engine = {.data_dir = dir_.path() + "/data",
                                           .memory_limit_bytes = 32 << 20,
                                           .gather = absl::Milliseconds(1)}};
  std::unique_ptr<RelayStore> store_;
};

TEST_F(RelayStoreTest, RowsWaitInOrderOverARestartUntilTheyAreTrimmed) {
  {
    TestStream stream = OpenOne(Opening());
    for (uint64_t row = 0; row < 100; row += 10) {
      ASSERT_FALSE(stream.Append(Rows(row, 10)).has_value());
    }
    ASSERT_TRUE(stream.observer->WaitFor(0, 100));
  }
  EXPECT_EQ(store_->Stats().waiting_rows, 100u);
  Reopen();
  EXPECT_EQ(store_->Stats().waiting_rows, 100u);
  EXPECT_GT(store_->Stats().oldest_ns, 0);
  EXPECT_THAT(store_->TakeNews(), ElementsAre(1));
  EXPECT_EQ(Drain(), Numbers(0, 100));
  EXPECT_EQ(store_->Stats().waiting_rows, 0u);
  EXPECT_EQ(store_->waiting_bytes(), 0u);
  Reopen();
  EXPECT_TRUE(Read()->empty());
  EXPECT_EQ(store_->waiting_bytes(), 0u);
}

TEST_F(RelayStoreTest, WhatWasTrimmedIsStillKnownAfterARestart) {
  {
    TestStream stream = OpenOne(Opening());
    ASSERT_FALSE(stream.Append(Rows(0, 64)).has_value());
    ASSERT_TRUE(stream.observer->WaitFor(0, 64));
  }
  Drain();
  Reopen();
  const auto view = store_->View(1);
  ASSERT_TRUE(view.has_value());
  EXPECT_THAT(store_->Held(1), ElementsAre(LanePosition{0, 64}));
  EXPECT_TRUE(view->announced);
  TestStream stream = OpenOne(Opening());
  EXPECT_THAT(stream.session->known_lanes(), ElementsAre(LanePosition{0, 64}));
  EXPECT_EQ(stream.Declare(1, {"loss", "loss"}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->Metrics(1, 0)->at(0).name, "loss");
  // Partly known: what is new is kept, and once.
  ASSERT_FALSE(stream.Append(Rows(50, 20)).has_value());
  ASSERT_TRUE(stream.observer->WaitFor(0, 70));
  EXPECT_EQ(Drain(), Numbers(64, 70));
}

TEST_F(RelayStoreTest, AnIdKeepsItsMetricsOverARestart) {
  { TestStream stream = OpenOne(Opening()); }
  Reopen();
  auto stream = Open(Opening());
  ASSERT_TRUE(stream.ok());
  EXPECT_EQ(stream->Declare(0, {"other"}).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(stream->Declare(0, {"loss"}).ok());
}

TEST_F(RelayStoreTest, RowsThatAreSentAgainAreAckedAndDropped) {
  TestStream first = OpenOne(Opening());
  ASSERT_FALSE(first.Append(Rows(0, 30)).has_value());
  ASSERT_TRUE(first.observer->WaitFor(0, 30));
  TestStream second = OpenOne(Opening());
  ASSERT_FALSE(second.Append(Rows(0, 10)).has_value());
  ASSERT_FALSE(second.Append(Rows(5, 35)).has_value());
  ASSERT_TRUE(second.observer->WaitFor(0, 40));
  EXPECT_EQ(Drain(), Numbers(0, 40));
}

TEST_F(RelayStoreTest, TheNewerSessionOfAStreamWins) {
  TestStream first = OpenOne(Opening());
  ASSERT_FALSE(first.Append(Rows(0, 10)).has_value());
  TestStream second = OpenOne(Opening());
  EXPECT_EQ(first.observer->WaitForEnd().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(second.session->known_lanes(), ElementsAre(LanePosition{0, 10}));
  ASSERT_FALSE(first.Append(Rows(10, 10)).has_value());  // goes nowhere
  ASSERT_FALSE(second.Append(Rows(10, 5)).has_value());
  ASSERT_TRUE(second.observer->WaitFor(0, 15));
  EXPECT_EQ(Drain(), Numbers(0, 15));
}

TEST_F(RelayStoreTest, AGapIsRefusedAndABadBatchMovesTheLane) {
  TestStream stream = OpenOne(Opening());
  const auto gap = stream.Append(Rows(5, 1));
  ASSERT_TRUE(gap.has_value());
  EXPECT_EQ(gap->status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(gap->rows, 0u);
  const auto bad = stream.Append(
      BatchBuilder(0, 0, 3).Column(1, 1, ValueType::kFloat64, "").Build());
  ASSERT_TRUE(bad.has_value());
  EXPECT_EQ(bad->rows, 3u);
  ASSERT_FALSE(stream.Append(Rows(3, 2)).has_value());
  ASSERT_TRUE(stream.observer->WaitFor(0, 5));
  const auto window = Read();
  RelayMessages messages(*window);
  const auto refused = messages.Next(kLarge);
  ASSERT_TRUE(refused.has_value());
  EXPECT_TRUE(refused->refused);
  EXPECT_EQ(refused->end_row, 3u);
  BatchView view;
  ASSERT_TRUE(ParseBatch(refused->batch, &view).ok());
  uint64_t values = 0;
  EXPECT_FALSE(CheckBatch(view, {"loss"}, &values).ok());
  EXPECT_EQ(view.rows, 3u);
  const auto good = messages.Next(kLarge);
  ASSERT_TRUE(good.has_value());
  EXPECT_FALSE(good->refused);
  EXPECT_EQ(good->first_row, 3u);
  EXPECT_FALSE(messages.Next(kLarge).has_value());
}

TEST_F(RelayStoreTest, RowsThatTheWorkerLostAreAWindowOfTheirOwn) {
  {
    TestStream stream = OpenOne(Opening());
    ASSERT_FALSE(stream.Append(Rows(0, 10)).has_value());
    ASSERT_TRUE(stream.observer->WaitFor(0, 10));
  }
  StreamOptions options = Opening();
  options.held = {{0, 25}};
  TestStream stream = OpenOne(options);
  ASSERT_FALSE(stream.Append(Rows(25, 5)).has_value());
  ASSERT_TRUE(stream.observer->WaitFor(0, 30));
  auto window = Read();
  EXPECT_EQ(StepsOf(*window), Numbers(0, 10));
  store_->Trim(1, *window);
  window = Read();
  EXPECT_EQ(window->kind(), RelayWindow::Kind::kLost);
  store_->Trim(1, *window);
  EXPECT_THAT(store_->Held(1), ElementsAre(LanePosition{0, 25}));
  EXPECT_EQ(Drain(), Numbers(25, 30));
}

TEST_F(RelayStoreTest, RowsOfAnotherAttemptAreAWindowOfTheirOwn) {
  {
    TestStream stream = OpenOne(Opening());
    ASSERT_FALSE(stream.Append(Rows(0, 10)).has_value());
    ASSERT_TRUE(stream.observer->WaitFor(0, 10));
  }
  StreamOptions options = Opening();
  options.attempt = 2;
  options.resume_step = 5;
  TestStream stream = OpenOne(options);
  ASSERT_FALSE(stream.Append(Rows(10, 5)).has_value());
  ASSERT_TRUE(stream.observer->WaitFor(0, 15));
  auto window = Read();
  EXPECT_EQ(window->rows(), 10u);
  EXPECT_EQ(store_->View(1)->opening.attempt, 1u);
  store_->Trim(1, *window);
  window = Read();
  EXPECT_EQ(window->kind(), RelayWindow::Kind::kOpening);
  store_->Trim(1, *window);
  stream = TestStream();
  Reopen();
  EXPECT_EQ(store_->View(1)->opening.attempt, 2u);
  EXPECT_EQ(store_->View(1)->opening.resume_step, 5);
  EXPECT_EQ(Drain(), Numbers(10, 15));
}

TEST_F(RelayStoreTest, AboveTheBoundSessionsEndAndNothingAckedIsLost) {
  options_.disk_bytes = 100'000;
  Reopen();
  uint64_t row = 0;
  {
    TestStream stream = OpenOne(Opening());
    for (; !stream.observer->ended() && row < 100'000; row += 100) {
      ASSERT_FALSE(stream.Append(Rows(row, 100)).has_value());
    }
    const absl::Status ended = stream.observer->WaitForEnd();
    EXPECT_EQ(ended.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(ended.message()), HasSubstr("--relay-disk"));
  }
  EXPECT_EQ(Open(Opening(7)).status().code(),
            absl::StatusCode::kResourceExhausted);
  Reopen();
  EXPECT_EQ(Open(Opening(7)).status().code(),
            absl::StatusCode::kResourceExhausted);
  const uint64_t kept = store_->Stats().waiting_rows;
  EXPECT_GT(kept, 1000u);
  EXPECT_LT(store_->waiting_bytes(), 110'000u);
  EXPECT_EQ(Drain(), Numbers(0, static_cast<int64_t>(kept)));
  TestStream stream = OpenOne(Opening());
  EXPECT_THAT(stream.session->known_lanes(),
              ElementsAre(LanePosition{0, kept}));
}

TEST_F(RelayStoreTest, ADroppedRunIsForgottenAndItsSessionsEnd) {
  TestStream stream = OpenOne(Opening());
  ASSERT_FALSE(stream.Append(Rows(0, 10)).has_value());
  ASSERT_TRUE(stream.observer->WaitFor(0, 10));
  store_->Drop(run_, absl::NotFoundError("the run was deleted"));
  EXPECT_EQ(stream.observer->WaitForEnd().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(store_->View(1).has_value());
  EXPECT_EQ(store_->waiting_bytes(), 0u);
  stream = TestStream();
  Reopen();
  EXPECT_THAT(store_->TakeNews(), IsEmpty());
  TestStream again = OpenOne(Opening());
  EXPECT_THAT(again.session->known_lanes(), IsEmpty());
}

// Killed while it wrote: what was acked is there, whatever of the last group
// reached the disk is there whole or not at all.
TEST_F(RelayStoreTest, ATornLogEndsAtAGroup) {
  uint64_t acked = 0;
  {
    TestStream stream = OpenOne(Opening());
    for (; acked < 200; acked += 10) {
      ASSERT_FALSE(stream.Append(Rows(acked, 10)).has_value());
      ASSERT_TRUE(stream.observer->WaitFor(0, acked + 10));
    }
    // As it lies there at this moment, with the end of its log cut off.
    std::filesystem::copy(dir_.path() + "/data", dir_.path() + "/torn",
                          std::filesystem::copy_options::recursive);
  }
  std::filesystem::path log;
  for (const auto& file :
       std::filesystem::directory_iterator(dir_.path() + "/torn/relay")) {
    if (file.path().extension() == ".log" && file.file_size() > 0) {
      log = file.path();
    }
  }
  ASSERT_FALSE(log.empty());
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 33);
  options_.engine.data_dir = dir_.path() + "/torn";
  Reopen();
  EXPECT_EQ(Drain(), Numbers(0, 190));
  TestStream stream = OpenOne(Opening());
  EXPECT_THAT(stream.session->known_lanes(), ElementsAre(LanePosition{0, 190}));
}

// What a full disk refuses the worker sends again; what the upstream acked
// meanwhile is trimmed once the disk works again.
TEST_F(RelayStoreTest, AFullDiskLosesAndDoublesNothing) {
  FaultPlan plan;
  const std::unique_ptr<rocksdb::Env> env = NewFaultyEnv(&plan);
  options_.engine.env = env.get();
  Reopen();
  {
    TestStream stream = OpenOne(Opening());
    ASSERT_FALSE(stream.Append(Rows(0, 20)).has_value());
    ASSERT_TRUE(stream.observer->WaitFor(0, 20));
    plan.Set(
        [](const std::string& file) { return !absl::EndsWith(file, "LOG"); });
    ASSERT_FALSE(stream.Append(Rows(20, 20)).has_value());
    EXPECT_EQ(stream.observer->WaitForEnd().code(),
              absl::StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(Drain(), Numbers(0, 20));
  EXPECT_FALSE(Open(Opening(1)).ok());
  plan.Set(nullptr);
  TestStream stream;
  for (int attempt = 0; stream.session == nullptr && attempt < 100; ++attempt) {
    stream = TestStream();
    if (!OpenAndWait(store_.get(), Opening(), &stream).ok()) {
      absl::SleepFor(absl::Milliseconds(50));
    }
  }
  ASSERT_NE(stream.session, nullptr);
  EXPECT_THAT(stream.session->known_lanes(), ElementsAre(LanePosition{0, 20}));
  ASSERT_TRUE(stream.Declare(0, {"loss"}).ok());
  ASSERT_FALSE(stream.Append(Rows(10, 40)).has_value());
  ASSERT_TRUE(stream.observer->WaitFor(0, 50));
  stream = TestStream();
  Reopen();
  EXPECT_EQ(Drain(), Numbers(20, 50));
  store_.reset();
}

TEST_F(RelayStoreTest, ABacklogThatIsGoneGivesItsDiskBack) {
  options_.reclaim_interval = absl::Milliseconds(20);
  Reopen();
  TestStream stream = OpenOne(Opening());
  // More than a memtable holds.
  constexpr uint32_t kRows = 20'000;
  constexpr uint64_t kDeadBytes = uint64_t{16} << 20;
  uint64_t row = 0;
  for (; row < 60 * kRows; row += kRows) {
    ASSERT_FALSE(stream.Append(Rows(row, kRows)).has_value());
    ASSERT_TRUE(stream.observer->WaitFor(0, row + kRows));
  }
  EXPECT_GT(store_->Stats().sst_bytes, 0u);
  while (true) {
    const auto window = Read();
    if (window->empty()) break;
    store_->Trim(1, *window);
  }
  for (int attempt = 0; attempt < 500 && store_->Stats().sst_bytes > kDeadBytes;
       ++attempt) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_LE(store_->Stats().sst_bytes, kDeadBytes);
  ASSERT_FALSE(stream.Append(Rows(row, 1)).has_value());
  ASSERT_TRUE(stream.observer->WaitFor(0, row + 1));
  EXPECT_EQ(Drain(),
            Numbers(static_cast<int64_t>(row), static_cast<int64_t>(row) + 1));
}

TEST_F(RelayStoreTest, StreamsAreReadApartAndInWindowsOfBoundedSize) {
  std::vector<TestStream> streams;
  for (uint32_t rank = 0; rank < 3; ++rank) {
    streams.push_back(OpenOne(Opening(rank)));
  }
  for (uint64_t row = 0; row < 1000; row += 100) {
    for (TestStream& stream : streams) {
      ASSERT_FALSE(stream.Append(Rows(row, 100)).has_value());
      ASSERT_TRUE(stream.observer->WaitFor(0, row + 100));
    }
  }
  const auto window = Read(2, 5000);
  EXPECT_GE(window->rows(), 100u);
  EXPECT_LE(window->bytes(), 8000u);
  for (const uint32_t number : {3u, 1u, 2u}) {
    EXPECT_EQ(Drain(number), Numbers(0, 1000));
  }
}

}  // namespace
}  // namespace waterflow::storage
