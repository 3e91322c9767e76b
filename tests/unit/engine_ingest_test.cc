// What the engine promises to streams, on a real store.
#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>

#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

using ::testing::HasSubstr;

class EngineIngest : public EngineTest {};

TEST_F(EngineIngest, RowsComeBackFromHeadsFromBlocksAndAfterARestart) {
  const Uuid run = MakeRun();
  {
    auto stream = OpenStream(Opening(run));
    ASSERT_TRUE(stream.ok()) << stream.status();
    ASSERT_TRUE(stream->Declare(7, {"loss"}).ok());
    ASSERT_FALSE(stream->Append(Rows(7, 0, 100)).has_value());
    ASSERT_TRUE(stream->observer->WaitFor(7, 100));
  }
  const auto check = [&](const char* when) {
    const auto all = ReadRaw(run, "loss");
    ASSERT_EQ(all.size(), 1u) << when;
    const Points& p = all.at(0);
    ASSERT_EQ(p.size(), 100u) << when;
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(p.steps[i], i) << when;
      EXPECT_EQ(p.times_ns[i], i * 1'000'000'000LL) << when;
      EXPECT_EQ(p.values[i], i * 0.5) << when;
    }
  };
  check("in a head");
  Reopen();
  check("replayed from the log");
  ASSERT_EQ(*engine_->Flush(), 100u);
  check("sealed");
  Reopen();
  check("sealed and reopened");
  EXPECT_EQ(*engine_->Flush(), 0u);
}

TEST_F(EngineIngest, EveryBitPatternSurvives) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"wide", "narrow", "whole", "half"}).ok());
  const std::vector<uint64_t> wide = {0x7ff0000000000001,  // signalling NaN
                                      0xfff8000000000123, 0x8000000000000000,
                                      0x7ff0000000000000, 0xfff0000000000000,
                                      0x0000000000000001, 0x3fb999999999999a};
  const std::vector<uint32_t> narrow = {0x7f800001, 0xffc00123, 0x80000000,
                                        0x7f800000, 0xff800000, 0x00000001,
                                        0x3f800000};
  const std::vector<int64_t> whole = {0,
                                      -1,
                                      1LL << 53,
                                      -(1LL << 53),
                                      1LL << 62,
                                      7,
                                      std::numeric_limits<int64_t>::min()};
  const std::vector<uint16_t> half = {0x3c00, 0x8000, 0x7c01, 0x7c00,
                                      0xfc00, 0x0001, 0x3555};
  const std::vector<double> half_values = {
      1, -0.0, NAN, INFINITY, -INFINITY, 0x1p-24, 0x1.554p-2};
  const auto raw = [](const auto& v) {
    return absl::string_view(reinterpret_cast<const char*>(v.data()),
                             v.size() * sizeof(v[0]));
  };
  const std::vector<int64_t> steps = {0, 1, 2, 3, 4, 5, 6};
  const std::string batch = BatchBuilder(0, 0, 7)
                                .Steps(steps)
                                .Times(steps)
                                .Column(0, 1, ValueType::kFloat64, raw(wide))
                                .Column(1, 1, ValueType::kFloat32, raw(narrow))
                                .Column(2, 1, ValueType::kInt64, raw(whole))
                                .Column(3, 1, ValueType::kFloat16, raw(half))
                                .Build();
  ASSERT_FALSE(stream->Append(batch).has_value());
  ASSERT_TRUE(stream->observer->WaitFor(0, 7));
  for (int pass = 0; pass < 2; ++pass) {
    const Points w = ReadRaw(run, "wide").at(0);
    const Points n = ReadRaw(run, "narrow").at(0);
    const Points i = ReadRaw(run, "whole").at(0);
    const Points h = ReadRaw(run, "half").at(0);
    for (int r = 0; r < 7; ++r) {
      EXPECT_EQ(std::bit_cast<uint64_t>(w.values[r]), wide[r]) << r;
      const uint32_t bits = narrow[r];
      const uint64_t expected =
          (bits & 0x7fffffff) > 0x7f800000
              ? (uint64_t{bits & 0x80000000u} << 32) | 0x7ff0000000000000 |
                    (uint64_t{bits & 0x7fffff} << 29)
              : std::bit_cast<uint64_t>(
                    static_cast<double>(std::bit_cast<float>(bits)));
      EXPECT_EQ(std::bit_cast<uint64_t>(n.values[r]), expected) << r;
      EXPECT_EQ(i.values[r], static_cast<double>(whole[r])) << r;
      const uint64_t half_bits =
          r == 2 ? 0x7ff0040000000000  // its payload, still signalling
                 : std::bit_cast<uint64_t>(half_values[r]);
      EXPECT_EQ(std::bit_cast<uint64_t>(h.values[r]), half_bits) << r;
    }
    ASSERT_TRUE(engine_->Flush().ok());
  }
}

TEST_F(EngineIngest, ALoneWorkerDoesNotWaitForOthers) {
  EngineOptions options = Options();
  options.gather = absl::Hours(1);
  engine_.reset();
  auto engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  auto stream = OpenStream(Opening(MakeRun()));
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  for (uint64_t row = 0; row < 20; ++row) {
    stream->Append(Rows(0, row, 1));
    EXPECT_TRUE(stream->observer->WaitFor(0, row + 1));
  }
}

TEST_F(EngineIngest, ManyWorkersShareASync) {
  constexpr uint32_t kWorkers = 64;
  constexpr uint64_t kRows = 10;
  const Uuid run = MakeRun();
  std::vector<TestStream> streams;
  for (uint32_t w = 0; w < kWorkers; ++w) {
    auto stream = OpenStream(Opening(run, w));
    ASSERT_TRUE(stream.ok()) << stream.status();
    ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
    streams.push_back(*std::move(stream));
  }
  const uint64_t groups_before = engine_->Stats().commit_groups;
  for (uint64_t row = 0; row < kRows; ++row) {
    for (TestStream& stream : streams) stream.Append(Rows(0, row, 1));
    for (TestStream& stream : streams) {
      EXPECT_TRUE(stream.observer->WaitFor(0, row + 1));
    }
  }
  EXPECT_LT(engine_->Stats().commit_groups - groups_before,
            kWorkers * kRows / 4);
}

TEST_F(EngineIngest, AResendCutDifferentlyChangesNothing) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  for (uint64_t row = 0; row < 60; row += 20) {
    ASSERT_FALSE(stream->Append(Rows(0, row, 20)).has_value());
  }
  ASSERT_TRUE(stream->observer->WaitFor(0, 60));
  stream->session.reset();
  for (int pass = 0; pass < 3; ++pass) {
    auto again = OpenStream(Opening(run));
    ASSERT_TRUE(again.ok());
    ASSERT_EQ(again->session->known_lanes(),
              (std::vector<LanePosition>{{0, 60u + 10 * pass}}));
    ASSERT_TRUE(again->Declare(0, {"loss"}).ok());
    // From a stale place, over the end: only the new rows count.
    ASSERT_FALSE(again->Append(Rows(0, 33, 37 + 10 * pass)).has_value());
    ASSERT_TRUE(again->observer->WaitFor(0, 70 + 10 * pass));
    const Points p = ReadRaw(run, "loss").at(0);
    ASSERT_EQ(p.size(), 70u + 10 * pass);
    for (size_t i = 0; i < p.size(); ++i) {
      ASSERT_EQ(p.steps[i], static_cast<int64_t>(i));
    }
    if (pass == 0) {
      ASSERT_TRUE(engine_->Flush().ok());
    }
    again->session.reset();
    if (pass == 1) Reopen();
  }
}

TEST_F(EngineIngest, AConnectionThatBreaksBeforeTheAckDoublesNothing) {
  const Uuid run = MakeRun();
  uint64_t next = 0;
  for (int life = 0; life < 50; ++life) {
    auto stream = OpenStream(Opening(run));
    // All that was sent is known, though nobody waited for an ack.
    ASSERT_EQ(stream->session->known_lanes(),
              next == 0 ? std::vector<LanePosition>{}
                        : (std::vector<LanePosition>{{0, next}}));
    ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
    ASSERT_FALSE(stream->Append(Rows(0, next, 10)).has_value());
    next += 10;
    if (life % 7 == 0) {
      ASSERT_TRUE(engine_->Flush().ok());
    }
  }
  // A client that does not trust the answer sends all of it again.
  auto again = OpenStream(Opening(run));
  ASSERT_TRUE(again->Declare(0, {"loss"}).ok());
  ASSERT_FALSE(again->Append(Rows(0, 0, 500)).has_value());
  ASSERT_TRUE(again->observer->WaitFor(0, 500));
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 500u);
}

TEST_F(EngineIngest, SparseColumnsAndSpansKeepTheirRows) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"a", "b", "c", "never"}).ok());
  const std::vector<int64_t> steps = {0, 1, 2, 3};
  const std::vector<double> span = {1, 2, 3, 4, 10, 20, 30, 40};
  const std::vector<float> sparse = {100, 300};
  const auto raw = [](const auto& v) {
    return absl::string_view(reinterpret_cast<const char*>(v.data()),
                             v.size() * sizeof(v[0]));
  };
  ASSERT_FALSE(
      stream
          ->Append(BatchBuilder(0, 0, 4)
                       .Steps(steps)
                       .Times(steps)
                       .Column(0, 2, ValueType::kFloat64, raw(span))
                       .Column(2, 1, ValueType::kFloat32, raw(sparse), "\x05")
                       .Build())
          .has_value());
  // The next batch lacks "a" altogether.
  ASSERT_FALSE(stream
                   ->Append(BatchBuilder(0, 4, 2)
                                .Steps(std::vector<int64_t>{4, 5})
                                .Times(std::vector<int64_t>{4, 5})
                                .Float64(1, std::vector<double>{50, 60})
                                .Build())
                   .has_value());
  ASSERT_TRUE(stream->observer->WaitFor(0, 6));
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(ReadRaw(run, "a").at(0).values,
              (std::vector<double>{1, 2, 3, 4}));
    EXPECT_EQ(ReadRaw(run, "b").at(0).values,
              (std::vector<double>{10, 20, 30, 40, 50, 60}));
    EXPECT_EQ(ReadRaw(run, "c").at(0).values, (std::vector<double>{100, 300}));
    EXPECT_EQ(ReadRaw(run, "c").at(0).steps, (std::vector<int64_t>{0, 2}));
    EXPECT_TRUE(ReadRaw(run, "never").empty());
    ASSERT_TRUE(engine_->Flush().ok());
  }
}

TEST_F(EngineIngest, BadBatchesAreRefusedAndTheStreamGoesOn) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  const auto refused = [&](const std::string& batch, absl::StatusCode code,
                           const char* says, uint32_t rows) {
    const std::optional<Rejection> r = stream->Append(batch);
    ASSERT_TRUE(r.has_value()) << says;
    EXPECT_EQ(r->status.code(), code) << r->status;
    EXPECT_THAT(std::string(r->status.message()), HasSubstr(says));
    EXPECT_EQ(r->rows, rows) << says;
  };
  refused(Rows(3, 0, 1), absl::StatusCode::kFailedPrecondition, "schema 3", 0);
  refused(Rows(0, 5, 1), absl::StatusCode::kOutOfRange, "expects row 0", 0);
  refused(BatchBuilder(0, 0, 2).Float64(0, std::vector<double>{1}).Build(),
          absl::StatusCode::kInvalidArgument, "column 0 \"loss\"", 2);
  refused(BatchBuilder(0, 2, 1).Float64(1, std::vector<double>{1}).Build(),
          absl::StatusCode::kInvalidArgument, "the schema has 1", 1);
  refused(BatchBuilder(0, 3, 0).Build(), absl::StatusCode::kInvalidArgument,
          "rows = 0", 0);
  refused("\xff\xff\xff", absl::StatusCode::kInvalidArgument, "protobuf", 0);
  refused(BatchBuilder(0, 3, 3)
              .Column(0, 1, ValueType::kFloat32, std::string(4, 'x'), "\x03")
              .Build(),
          absl::StatusCode::kInvalidArgument, "2 present values", 3);
  const std::vector<int64_t> inexact = {(1LL << 53) + 1};
  refused(BatchBuilder(0, 6, 1)
              .Column(0, 1, ValueType::kInt64,
                      {reinterpret_cast<const char*>(inexact.data()), 8})
              .Build(),
          absl::StatusCode::kInvalidArgument, "no float64 holds exactly", 1);
  // Seven rows count as delivered; what follows is no gap, nor after a restart.
  ASSERT_FALSE(stream->Append(Rows(0, 7, 3)).has_value());
  ASSERT_TRUE(stream->observer->WaitFor(0, 10));
  EXPECT_EQ(ReadRaw(run, "loss").at(0).steps, (std::vector<int64_t>{7, 8, 9}));
  stream->session.reset();
  Reopen();
  auto again = OpenStream(Opening(run));
  EXPECT_EQ(again->session->known_lanes(),
            (std::vector<LanePosition>{{0, 10}}));
}

TEST_F(EngineIngest, BadSchemasAreRefused) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  const auto refused = [&](const std::vector<std::string>& names,
                           const char* says) {
    const absl::Status s = stream->Declare(0, names);
    EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument) << s;
    EXPECT_THAT(std::string(s.message()), HasSubstr(says));
  };
  refused({}, "0 metrics");
  refused({"a", ""}, "metric 1 is empty");
  refused({"a", "b", "a"}, "is metric 0 already");
  refused({std::string(513, 'x')}, "513 bytes, at most 512");
  refused({"a\xff"}, "UTF-8");
  refused({"a\nb"}, "control character");
  refused(std::vector<std::string>(16385, "x"), "16385 metrics");
  ASSERT_TRUE(stream->Declare(0, {"a"}).ok());
  EXPECT_EQ(stream->Declare(0, {"b"}).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(stream->Declare(0, {"a"}).ok());
}

TEST_F(EngineIngest, ANewerSessionTakesOver) {
  const Uuid run = MakeRun();
  auto first = OpenStream(Opening(run));
  ASSERT_TRUE(first->Declare(0, {"loss"}).ok());
  ASSERT_FALSE(first->Append(Rows(0, 0, 10)).has_value());
  auto second = OpenStream(Opening(run));
  EXPECT_EQ(first->observer->WaitForEnd().code(), absl::StatusCode::kAborted);
  // What the first had sent counts; what it still sends does not.
  EXPECT_EQ(second->session->known_lanes(),
            (std::vector<LanePosition>{{0, 10}}));
  first->Append(Rows(0, 10, 10));
  ASSERT_TRUE(second->Declare(0, {"loss"}).ok());
  ASSERT_FALSE(second->Append(Rows(0, 10, 1, 0.25)).has_value());
  ASSERT_TRUE(second->observer->WaitFor(0, 11));
  EXPECT_EQ(ReadRaw(run, "loss").at(0).values.back(), 5.25);
}

TEST_F(EngineIngest, AnAppendThatIsOvertakenByANewerSessionDoublesNothing) {
  const Uuid run = MakeRun();
  uint64_t next = 0;
  std::optional<TestStream> old;
  for (int life = 0; life < 40; ++life) {
    std::thread appends;
    if (old.has_value()) {
      // In the middle of the take-over, from where the old session stands, and
      // so large that checking it takes its time.
      appends = std::thread(
          [&old, batch = Rows(0, next, 20000)] { old->Append(batch); });
    }
    auto stream = OpenStream(Opening(run));
    ASSERT_TRUE(stream.ok()) << stream.status();
    const auto& known = stream->session->known_lanes();
    next = known.empty() ? 0 : known[0].next_row;
    ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
    ASSERT_FALSE(stream->Append(Rows(0, next, 3)).has_value());
    ASSERT_TRUE(stream->observer->WaitFor(0, next + 3));
    if (appends.joinable()) appends.join();
    next += 3;
    old = *std::move(stream);
  }
  ASSERT_TRUE(engine_->Flush().ok());
  const Points p = ReadRaw(run, "loss").at(0);
  ASSERT_EQ(p.size(), next);
  for (uint64_t i = 0; i < next; ++i) {
    ASSERT_EQ(p.steps[i], static_cast<int64_t>(i));
  }
}

TEST_F(EngineIngest, RowsThatTheClientLostAreSaidToBeLost) {
  const Uuid run = MakeRun();
  StreamOptions options = Opening(run);
  options.held = {{0, 25}};
  {
    auto stream = OpenStream(options);
    ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
    ASSERT_FALSE(stream->Append(Rows(0, 25, 5)).has_value());
    ASSERT_TRUE(stream->observer->WaitFor(0, 30));
  }
  for (int pass = 0; pass < 2; ++pass) {
    ReadSpec spec;
    spec.runs = {run};
    spec.metrics = {"loss"};
    auto summary =
        engine_->Read(spec, [](SeriesPart) { return absl::OkStatus(); });
    ASSERT_EQ(summary->lost.size(), 1u);
    EXPECT_EQ(summary->lost[0].first_row, 0u);
    EXPECT_EQ(summary->lost[0].end_row, 25u);
    Reopen();
  }
}

TEST_F(EngineIngest, ALaterAttemptHidesWhatItLogsAgain) {
  const Uuid run = MakeRun();
  auto first = OpenStream(Opening(run));
  ASSERT_TRUE(first->Declare(0, {"loss"}).ok());
  ASSERT_FALSE(first->Append(Rows(0, 0, 10)).has_value());
  ASSERT_TRUE(first->observer->WaitFor(0, 10));
  StreamOptions resumed = Opening(run);
  resumed.stream.bytes[15] = 9;
  resumed.attempt = 2;
  resumed.resume_step = 6;
  auto second = OpenStream(resumed);
  ASSERT_TRUE(second->Declare(0, {"loss"}).ok());
  ASSERT_FALSE(second
                   ->Append(BatchBuilder(0, 0, 2)
                                .Steps(std::vector<int64_t>{6, 7})
                                .Times(std::vector<int64_t>{100, 101})
                                .Float64(0, std::vector<double>{-6, -7})
                                .Build())
                   .has_value());
  ASSERT_TRUE(second->observer->WaitFor(0, 2));
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(ReadRaw(run, "loss").at(0).values,
              (std::vector<double>{0, .5, 1, 1.5, 2, 2.5, -6, -7}));
    LastValuesSpec last;
    last.run = run;
    const auto values = engine_->LastValues(last);
    ASSERT_EQ(values->size(), 1u);
    EXPECT_EQ(values->at(0).value, -7);
    EXPECT_EQ(values->at(0).count, 8u);
    EXPECT_EQ(values->at(0).max, 2.5);
    ASSERT_TRUE(engine_->Flush().ok());
  }
}

TEST_F(EngineIngest, TheMeanOfExtremeValuesIsANumber) {
  constexpr double kMax = std::numeric_limits<double>::max();
  const Uuid run = MakeRun();
  for (int64_t i = 0; i < 4; ++i) {
    WriteOptions write;
    write.run = run;
    write.points = {{"x", i % 2 == 0 ? kMax : -kMax, i, i}};
    ASSERT_TRUE(engine_->Write(write).ok());
  }
  LastValuesSpec last;
  last.run = run;
  for (int pass = 0; pass < 2; ++pass) {
    const auto values = engine_->LastValues(last);
    ASSERT_EQ(values->size(), 1u);
    EXPECT_EQ(values->at(0).mean, 0);
    ASSERT_TRUE(engine_->Flush().ok());
  }
}

TEST_F(EngineIngest, AttemptsWithoutAResumeStepHideFromTheirFirstStepOn) {
  const Uuid run = MakeRun();
  auto first = OpenStream(Opening(run));
  ASSERT_TRUE(first->Declare(0, {"loss"}).ok());
  ASSERT_FALSE(first->Append(Rows(0, 0, 10)).has_value());
  StreamOptions resumed = Opening(run);
  resumed.stream.bytes[15] = 9;
  resumed.attempt = 2;
  auto second = OpenStream(resumed);
  ASSERT_TRUE(second->Declare(0, {"loss"}).ok());
  ASSERT_FALSE(second
                   ->Append(BatchBuilder(0, 0, 1)
                                .Steps(std::vector<int64_t>{4})
                                .Times(std::vector<int64_t>{100})
                                .Float64(0, std::vector<double>{-4})
                                .Build())
                   .has_value());
  ASSERT_TRUE(second->observer->WaitFor(0, 1));
  EXPECT_EQ(ReadRaw(run, "loss").at(0).values,
            (std::vector<double>{0, .5, 1, 1.5, -4}));
}

TEST_F(EngineIngest, AReconnectAfterStepsWentBackHidesNoMore) {
  const Uuid run = MakeRun();
  auto first = OpenStream(Opening(run));
  ASSERT_TRUE(first->Declare(0, {"loss"}).ok());
  ASSERT_FALSE(first->Append(Rows(0, 0, 10)).has_value());
  ASSERT_TRUE(first->observer->WaitFor(0, 10));
  StreamOptions resumed = Opening(run);
  resumed.stream.bytes[15] = 9;
  resumed.attempt = 2;
  const auto append = [&](uint64_t row, std::optional<int64_t> step) {
    auto second = OpenStream(resumed);
    ASSERT_TRUE(second->Declare(0, {"loss"}).ok());
    BatchBuilder batch(0, row, 1);
    batch.Times(std::vector<int64_t>{100}).Float64(0, std::vector<double>{-1});
    if (step.has_value()) batch.Steps(std::vector<int64_t>{*step});
    ASSERT_FALSE(second->Append(batch.Build()).has_value());
    ASSERT_TRUE(second->observer->WaitFor(0, row + 1));
  };
  // A row without a step says nothing; the first that has one does.
  append(0, std::nullopt);
  append(1, 8);
  append(2, 5);  // from the log's lanes
  EXPECT_EQ(ReadRaw(run, "loss").at(0).steps,
            (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 5, 6, 7, 8}));
  ASSERT_TRUE(engine_->Flush().ok());
  append(3, 4);  // from the disk's
  first = absl::CancelledError();
  Reopen();
  append(4, 3);
  Reopen();  // and from a replay
  append(5, 2);
  EXPECT_EQ(ReadRaw(run, "loss").at(0).steps,
            (std::vector<int64_t>{0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8}));
}

TEST_F(EngineIngest, AWorkersWritesSayTheirFirstStepOnce) {
  const Uuid run = MakeRun();
  const auto write = [&](uint32_t attempt, std::vector<int64_t> steps) {
    WriteOptions options;
    options.run = run;
    options.attempt = attempt;
    for (const int64_t step : steps) {
      options.points.push_back(
          {.metric = "loss", .value = 1, .step = step, .time_ns = 1});
    }
    ASSERT_TRUE(engine_->Write(options).ok());
  };
  write(1, {0, 1, 2, 3, 4, 5});
  write(2, {5, 4});  // of one request the smallest
  write(2, {1});
  EXPECT_EQ(ReadRaw(run, "loss").at(0).steps,
            (std::vector<int64_t>{0, 1, 1, 2, 3, 4, 5}));
}

TEST_F(EngineIngest, TheGreatestStepIsNotHiddenWhenNothingHides) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  const std::vector<int64_t> steps = {std::numeric_limits<int64_t>::min(), 0,
                                      std::numeric_limits<int64_t>::max()};
  ASSERT_FALSE(stream
                   ->Append(BatchBuilder(0, 0, 3)
                                .Steps(steps)
                                .Times(std::vector<int64_t>{1, 2, 3})
                                .Float64(0, std::vector<double>{1, 2, 3})
                                .Build())
                   .has_value());
  ASSERT_TRUE(stream->observer->WaitFor(0, 3));
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(ReadRaw(run, "loss").at(0).steps, steps);
    LastValuesSpec last;
    last.run = run;
    EXPECT_EQ(engine_->LastValues(last)->at(0).value, 3);
    ASSERT_TRUE(engine_->Flush().ok());
  }
}

TEST_F(EngineIngest, ADeletedRunStaysDeleted) {
  const Uuid run = MakeRun("doomed");
  const Uuid other = MakeRun("other");
  auto stream = OpenStream(Opening(run));
  auto kept = OpenStream(Opening(other));
  for (TestStream* s : {&*stream, &*kept}) {
    ASSERT_TRUE(s->Declare(0, {"loss"}).ok());
    ASSERT_FALSE(s->Append(Rows(0, 0, 10)).has_value());
    ASSERT_TRUE(s->observer->WaitFor(0, 10));
  }
  ASSERT_TRUE(engine_->Flush().ok());  // some of it is sealed
  ASSERT_FALSE(stream->Append(Rows(0, 10, 10)).has_value());
  ASSERT_TRUE(stream->observer->WaitFor(0, 20));
  ASSERT_TRUE(engine_->DeleteRun(run).ok());
  EXPECT_EQ(stream->observer->WaitForEnd().code(), absl::StatusCode::kNotFound);
  stream->Append(Rows(0, 20, 10));
  stream->session.reset();
  for (int pass = 0; pass < 3; ++pass) {
    EXPECT_TRUE(absl::IsNotFound(engine_->GetRun(run).status()));
    EXPECT_TRUE(absl::IsNotFound(OpenStream(Opening(run)).status()));
    EXPECT_EQ(ReadRaw(other, "loss").at(0).size(), 10u);
    EXPECT_EQ(engine_->Stats().rows, 10u);
    CreateRunOptions again;
    again.id = run;
    EXPECT_TRUE(absl::IsFailedPrecondition(engine_->CreateRun(again).status()));
    kept->session.reset();
    if (pass == 0) Reopen();
    if (pass == 1) {
      ASSERT_TRUE(engine_->Flush().ok());
    }
  }
}

TEST_F(EngineIngest, AReadThatADeleteOvertakesReadsToItsEnd) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_TRUE(stream->Declare(0, {"a", "b"}).ok());
  const std::vector<double> a(5000, 1.0);
  const std::vector<double> b(5000, 2.0);
  std::vector<int64_t> steps(5000);
  std::iota(steps.begin(), steps.end(), 0);
  stream->Append(BatchBuilder(0, 0, 5000)
                     .Steps(steps)
                     .Float64(0, a)
                     .Float64(1, b)
                     .Build());
  ASSERT_TRUE(stream->observer->WaitFor(0, 5000));
  ReadSpec spec;
  spec.runs = {run};
  spec.metrics = {"a", "b"};
  std::map<std::string, std::vector<double>> read;
  const auto summary = engine_->Read(spec, [&](SeriesPart part) {
    if (read.empty()) {
      EXPECT_TRUE(engine_->DeleteRun(run).ok());
    }
    std::vector<double>& values = read[part.metric];
    values.insert(values.end(), part.points.values.begin(),
                  part.points.values.end());
    return absl::OkStatus();
  });
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(read["a"], a);
  EXPECT_EQ(read["b"], b);
}

TEST_F(EngineIngest, StampsRowsThatHaveNoTime) {
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  const int64_t before = absl::GetCurrentTimeNanos();
  ASSERT_FALSE(stream
                   ->Append(BatchBuilder(0, 0, 2)
                                .Float64(0, std::vector<double>{1, 2})
                                .Build())
                   .has_value());
  ASSERT_FALSE(stream->Append(Rows(0, 2, 1)).has_value());
  ASSERT_TRUE(stream->observer->WaitFor(0, 3));
  for (int pass = 0; pass < 2; ++pass) {
    const Points p = ReadRaw(run, "loss", Axis::kTime).at(0);
    ASSERT_EQ(p.size(), 3u);
    EXPECT_EQ(p.values, (std::vector<double>{1, 1, 2}));
    EXPECT_GE(p.times_ns[1], before);
    EXPECT_EQ(p.time_stamped, (std::vector<bool>{false, true, true}));
    EXPECT_EQ(p.has_step, (std::vector<bool>{true, false, false}));
    // By step, rows without one are left out.
    EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 1u);
    ASSERT_TRUE(engine_->Flush().ok());
  }
}

TEST_F(EngineIngest, AWriteHidesFromItsSmallestStepOnInWhateverOrder) {
  const Uuid run = MakeRun();
  WriteOptions write;
  write.run = run;
  write.points = {{"a", 10, 1, 10}, {"a", 20, 2, 20}, {"a", 30, 3, 30}};
  ASSERT_TRUE(engine_->Write(write).ok());
  write.attempt = 2;
  write.points = {{"a", -3, 3, 40}, {"a", -2, 2, 50}};
  ASSERT_TRUE(engine_->Write(write).ok());
  EXPECT_EQ(ReadRaw(run, "a").at(0).values, (std::vector<double>{10, -2, -3}));
}

TEST_F(EngineIngest, WritesAreAtomicAndRepeatable) {
  const Uuid run = MakeRun();
  WriteOptions write;
  write.run = run;
  write.request_id = "once";
  write.points = {{"a", 1, 1, 10},
                  {"b", 2, 1, 10},
                  {"a", 3, 2, 20},
                  {"a", 4, 2, 20},
                  {"c", 5, std::nullopt, std::nullopt}};
  for (int i = 0; i < 3; ++i) {
    const auto written = engine_->Write(write);
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_EQ(written->points, 5u);
    if (i == 1) Reopen();
  }
  EXPECT_EQ(ReadRaw(run, "a").at(0).values, (std::vector<double>{1, 3, 4}));
  EXPECT_EQ(ReadRaw(run, "b").at(0).values, (std::vector<double>{2}));
  EXPECT_EQ(ReadRaw(run, "c", Axis::kTime).at(0).values,
            (std::vector<double>{5}));
  write.request_id.clear();
  write.points.push_back({"", 0, 1, 1});
  EXPECT_TRUE(absl::IsInvalidArgument(engine_->Write(write).status()));
  EXPECT_EQ(ReadRaw(run, "a").at(0).size(), 3u);
}

TEST_F(EngineIngest, ManyWorkersAndSealsReadAsOne) {
  options_.memory_limit_bytes = 8 << 20;  // seals at 1 MiB
  options_.group_bytes = 256 << 10;       // and looks at it often
  Reopen();
  const Uuid run = MakeRun();
  std::vector<TestStream> streams;
  for (uint32_t rank = 0; rank < 8; ++rank) {
    streams.push_back(*OpenStream(Opening(run, rank)));
    ASSERT_TRUE(streams.back().Declare(0, {"loss"}).ok());
  }
  constexpr uint32_t kRows = 60000;
  for (uint32_t row = 0; row < kRows; row += 500) {
    for (uint32_t rank = 0; rank < 8; ++rank) {
      ASSERT_FALSE(
          streams[rank].Append(Rows(0, row, 500, rank * 1000)).has_value());
    }
  }
  for (auto& s : streams) ASSERT_TRUE(s.observer->WaitFor(0, kRows));
  EXPECT_GT(engine_->Stats().seals, 2u);
  streams.clear();
  for (int pass = 0; pass < 2; ++pass) {
    const auto all = ReadRaw(run, "loss");
    ASSERT_EQ(all.size(), 8u);
    for (const auto& [rank, p] : all) {
      ASSERT_EQ(p.size(), kRows);
      for (uint32_t i = 0; i < kRows; ++i) {
        ASSERT_EQ(p.steps[i], i);
        ASSERT_EQ(p.values[i], i * 0.5 + rank * 1000);
      }
    }
    Reopen();
  }
  EXPECT_EQ(engine_->GetRun(run)->row_count, 8u * kRows);
}

}  // namespace
}  // namespace waterflow::storage
