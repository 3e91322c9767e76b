// What the engine promises when generations are merged: that nobody notices.
#include <gmock/gmock.h>

#include <atomic>
#include <bit>
#include <limits>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "storage/database/database.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "tests/unit/engine_fixture.h"
#include "tests/unit/faulty_env.h"

namespace waterflow::storage {
namespace {

// Stops the thread that reaches a point until the test lets it go.
class Gate {
 public:
  explicit Gate(std::string point) : point_(std::move(point)) {}

  void Reach(absl::string_view point) {
    MutexLock lock(&mutex_);
    if (point != point_ || open_) return;
    reached_ = true;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(&mutex_);
  }
  void WaitUntilReached() {
    MutexLock lock(&mutex_);
    while (!reached_) changed_.Wait(&mutex_);
  }
  void Open() {
    MutexLock lock(&mutex_);
    open_ = true;
    changed_.NotifyAll();
  }

 private:
  const std::string point_;
  Mutex mutex_;
  CondVar changed_;
  bool reached_ = false;
  bool open_ = false;
};

class EngineMerge : public EngineTest {
 protected:
  void SetUp() override {
    options_.merge_fan_in = 0;
    Reopen();
  }
  void TearDown() override { engine_.reset(); }

  // Opens the store anew with merges as they are in production.
  void ReopenMerging() {
    options_.merge_fan_in = 8;
    Reopen();
  }
  // `seals` generations of a few rows each of two runs.
  void SealSome(const Uuid& a, const Uuid& b, int seals, int rows = 5) {
    for (int i = 0; i < seals; ++i) {
      for (const Uuid& run : {a, b}) {
        for (uint32_t rank = 0; rank < 3; ++rank) {
          auto stream = OpenStream(Opening(run, rank));
          ASSERT_TRUE(stream.ok()) << stream.status();
          ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
          const uint64_t first = static_cast<uint64_t>(i) * rows;
          stream->Append(Rows(0, first, rows, rank));
          ASSERT_TRUE(stream->observer->WaitFor(0, first + rows));
        }
      }
      ASSERT_TRUE(engine_->Flush().ok());
    }
  }
  void ExpectRows(const Uuid& run, size_t rows, const char* when) {
    const auto all = ReadRaw(run, "loss");
    ASSERT_EQ(all.size(), 3u) << when;
    for (const auto& [rank, p] : all) {
      ASSERT_EQ(p.size(), rows) << when << ", rank " << rank;
      for (size_t i = 0; i < rows; ++i) {
        ASSERT_EQ(p.steps[i], static_cast<int64_t>(i)) << when;
        ASSERT_EQ(p.values[i], static_cast<double>(i) * 0.5 + rank) << when;
      }
    }
  }
  bool IsGone(const Uuid& run) {
    return absl::IsNotFound(engine_->GetRun(run).status());
  }
  // Generations, and runs in them, of which a key is left in a closed store.
  struct Keys {
    std::set<uint32_t> generations;
    std::set<uint32_t> runs;
    uint64_t count = 0;
  };
  Keys KeysOf(const std::string& path) {
    EngineOptions options = Options();
    options.data_dir = path;
    auto database = Database::Open(options);
    EXPECT_TRUE(database.ok()) << database.status();
    Keys keys;
    for (const Family family : kGenerationFamilies) {
      auto it = (*database)->Iterate(family);
      for (it->SeekToFirst(); it->Valid(); it->Next()) {
        ByteReader key(ToView(it->key()));
        keys.generations.insert(key.BigEndian<uint32_t>());
        keys.runs.insert(key.BigEndian<uint32_t>());
        ++keys.count;
      }
    }
    return keys;
  }
};

// What a store says to everything that can be asked of a run's metrics.
struct Answers {
  std::vector<std::string> series;
  std::vector<std::string> last;
  friend bool operator==(const Answers&, const Answers&) = default;
};

Answers Ask(Engine& engine, const Uuid& run,
            const std::vector<std::string>& metrics) {
  Answers answers;
  for (const Axis axis : {Axis::kStep, Axis::kTime}) {
    for (const std::string& metric : metrics) {
      ReadSpec spec;
      spec.runs = {run};
      spec.metrics = {metric};
      spec.axis = axis;
      const auto read = engine.Read(spec, [&](SeriesPart part) {
        std::string text =
            absl::StrCat(metric, " rank ", part.worker.value_or(Worker{}).rank);
        const Points& p = part.points;
        for (size_t i = 0; i < p.size(); ++i) {
          absl::StrAppend(&text, "; ", p.steps[i], " ", p.times_ns[i], " ",
                          absl::Hex(std::bit_cast<uint64_t>(p.values[i])), " ",
                          p.has_step.empty() || p.has_step[i], " ",
                          !p.time_stamped.empty() && p.time_stamped[i]);
        }
        answers.series.push_back(std::move(text));
        return absl::OkStatus();
      });
      EXPECT_TRUE(read.ok()) << read.status();
    }
  }
  LastValuesSpec last;
  last.run = run;
  const auto values = engine.LastValues(last);
  EXPECT_TRUE(values.ok()) << values.status();
  for (const LastValue& v : *values) {
    answers.last.push_back(absl::StrCat(
        v.metric, " ", v.worker.rank, " ",
        absl::Hex(std::bit_cast<uint64_t>(v.value)), " ", v.step.value_or(-1),
        " ", v.time_ns, " ", v.count, " ", v.nan_count, " ", v.pos_inf_count,
        " ", v.min, " ", v.max));
  }
  return answers;
}

TEST_F(EngineMerge, MergedGenerationsAnswerAsBefore) {
  const Uuid run = MakeRun();
  const std::vector<std::string> metrics = {"dense", "sparse", "late",
                                            "narrow"};
  uint64_t state = 7;
  const auto random = [&state] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<uint32_t>(state >> 33);
  };
  std::vector<uint64_t> next(4);
  for (int seal = 0; seal < 40; ++seal) {
    for (uint32_t rank = 0; rank < 4; ++rank) {
      if (random() % 4 == 0) continue;  // not every worker in every seal
      StreamOptions opening = Opening(run, rank);
      opening.attempt = seal < 25 ? 1 : 2;
      if (seal >= 25) opening.resume_step = 60;
      auto stream = OpenStream(opening);
      ASSERT_TRUE(stream.ok()) << stream.status();
      ASSERT_TRUE(stream->Declare(0, metrics).ok());
      const uint32_t rows = 1 + random() % 9;
      const uint64_t first = next[rank];
      std::vector<int64_t> steps;
      std::vector<int64_t> times;
      std::vector<double> values;
      std::vector<double> some;
      std::string present(2, '\0');
      for (uint32_t r = 0; r < rows; ++r) {
        // Steps go back now and then.
        steps.push_back(static_cast<int64_t>(first + r) - (r == 3 ? 2 : 0));
        times.push_back(static_cast<int64_t>(random()));
        const uint32_t kind = random() % 8;
        values.push_back(kind == 0
                             ? std::bit_cast<double>(0x7ff0000000000001u + r)
                         : kind == 1 ? std::numeric_limits<double>::infinity()
                                     : static_cast<double>(random()) / 3);
        if (random() % 3 == 0) {
          present[r / 8] = static_cast<char>(present[r / 8] | 1 << (r % 8));
          some.push_back(static_cast<double>(r));
        }
      }
      present.resize((rows + 7) / 8);
      BatchBuilder batch(0, first, rows);
      if (random() % 5 != 0) batch.Steps(steps);
      if (random() % 5 != 0) batch.Times(times);
      batch.Float64(0, values);
      if (!some.empty()) {
        batch.Column(1, 1, ValueType::kFloat64,
                     {reinterpret_cast<const char*>(some.data()),
                      some.size() * sizeof(double)},
                     present);
      }
      if (seal > 20) batch.Float64(2, values);
      const std::vector<float> narrow(rows, 0.1f);
      batch.Column(3, 1, ValueType::kFloat32,
                   {reinterpret_cast<const char*>(narrow.data()),
                    narrow.size() * sizeof(float)});
      const auto rejected = stream->Append(batch.Build());
      ASSERT_FALSE(rejected.has_value()) << rejected->status;
      next[rank] += rows;
      ASSERT_TRUE(stream->observer->WaitFor(0, next[rank]));
    }
    ASSERT_TRUE(engine_->Flush().ok());
  }
  const Answers before = Ask(*engine_, run, metrics);
  ASSERT_EQ(engine_->Stats().generations, 40u);
  ReopenMerging();
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_LE(engine_->Stats().generations, 2u);
  EXPECT_GE(engine_->Stats().merges, 1u);
  EXPECT_EQ(Ask(*engine_, run, metrics), before) << "seed 7";
  Reopen();
  EXPECT_EQ(Ask(*engine_, run, metrics), before) << "seed 7, reopened";
  // Nothing of the old ones is left on disk.
  const uint64_t generations = engine_->Stats().generations;
  engine_.reset();
  EXPECT_EQ(KeysOf(Options().data_dir).generations.size(), generations);
}

TEST_F(EngineMerge, SmallGenerationsStayFewHoweverOftenIsSealed) {
  options_.seal_age = absl::ZeroDuration();  // whenever the sealer looks
  options_.seal_bytes = 1;
  ReopenMerging();
  const Uuid run = MakeRun();
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  uint64_t row = 0;
  while (engine_->Stats().seals < 100) {
    stream->Append(Rows(0, row++, 1));
    ASSERT_TRUE(stream->observer->WaitFor(0, row));
  }
  for (int i = 0; i < 100 && engine_->Stats().generations > 14; ++i) {
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_LE(engine_->Stats().generations, 14u);
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), row);
  // The store is at rest: the log was not pinned by any of it.
  EXPECT_EQ(engine_->Stats().compacted_bytes, 0u);
}

TEST_F(EngineMerge, FullChunksAreNeverRewritten) {
  const Uuid a = MakeRun("a");
  const Uuid b = MakeRun("b");
  SealSome(a, b, 9, 300);
  ReopenMerging();
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(engine_->Stats().generations, 9u);
  EXPECT_EQ(engine_->Stats().merges, 0u);
}

TEST_F(EngineMerge, StripsOfOneWorkerBecomeOne) {
  const Uuid a = MakeRun("a");
  const Uuid b = MakeRun("b");
  SealSome(a, b, 8);
  ReopenMerging();
  ASSERT_TRUE(engine_->Flush().ok());
  ExpectRows(a, 40, "merged");
  engine_.reset();
  // An axis and a block for each run, three workers in each; strips of 40 rows
  // need no summaries.
  EXPECT_EQ(KeysOf(Options().data_dir).count, 4u);
}

TEST_F(EngineMerge, DeletedRunsFallOut) {
  const Uuid a = MakeRun("a");
  const Uuid b = MakeRun("b");
  SealSome(a, b, 8);
  ASSERT_TRUE(engine_->DeleteRun(a).ok());
  ReopenMerging();
  ASSERT_TRUE(engine_->Flush().ok());
  ExpectRows(b, 40, "merged");
  EXPECT_TRUE(IsGone(a));
  engine_.reset();
  EXPECT_EQ(KeysOf(Options().data_dir).runs.size(), 1u);
}

TEST_F(EngineMerge, ADeletedRunsIdIsNotGivenOutAgain) {
  const Uuid a = MakeRun("a");
  const Uuid b = MakeRun("b");
  SealSome(a, b, 2);
  ASSERT_TRUE(engine_->DeleteRun(b).ok());  // the highest id
  ASSERT_TRUE(engine_->Seal().ok());
  ReopenMerging();
  const Uuid c = MakeRun("c");
  auto stream = OpenStream(Opening(c));
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  stream->Append(Rows(0, 0, 3));
  ASSERT_TRUE(stream->observer->WaitFor(0, 3));
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(ReadRaw(c, "loss").at(0).size(), 3u);
}

TEST_F(EngineMerge, WhenAllRunsAreDeletedNothingIsLeft) {
  const Uuid a = MakeRun("a");
  const Uuid b = MakeRun("b");
  SealSome(a, b, 8);
  ASSERT_TRUE(engine_->DeleteRun(a).ok());
  ASSERT_TRUE(engine_->DeleteRun(b).ok());
  ReopenMerging();
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(engine_->Stats().generations, 0u);
  engine_.reset();
  EXPECT_EQ(KeysOf(Options().data_dir).count, 0u);
  Reopen();
}

class DeleteDuringMerge : public EngineMerge,
                          public ::testing::WithParamInterface<const char*> {};

TEST_P(DeleteDuringMerge, StaysDeleted) {
  const Uuid a = MakeRun("a");
  const Uuid b = MakeRun("b");
  SealSome(a, b, 8);
  Gate gate(GetParam());
  options_.at_point = [&gate](absl::string_view p) { gate.Reach(p); };
  ReopenMerging();
  gate.WaitUntilReached();
  ASSERT_TRUE(engine_->DeleteRun(a).ok());
  // The delete's seal erases the run from the generations it knows of.
  for (int i = 0; i < 1000 && engine_->Stats().seals == 0; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(engine_->Stats().seals, 1u);
  EXPECT_TRUE(IsGone(a));
  gate.Open();
  ASSERT_TRUE(engine_->Flush().ok());
  ExpectRows(b, 40, "after the merge");
  EXPECT_TRUE(IsGone(a));
  Reopen();
  ExpectRows(b, 40, "reopened");
  EXPECT_TRUE(IsGone(a));
  engine_.reset();
  const Keys keys = KeysOf(Options().data_dir);
  EXPECT_EQ(keys.runs.size(), 1u) << "rows of the deleted run came back";
  EXPECT_EQ(keys.generations.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(EngineMerge, DeleteDuringMerge,
                         ::testing::Values("merge:before_ingest",
                                           "merge:after_ingest",
                                           "merge:after_commit"));

// The data directory as a process leaves it that dies at a point of the merge.
class CrashDuringMerge : public EngineMerge,
                         public ::testing::WithParamInterface<const char*> {};

TEST_P(CrashDuringMerge, LosesNothingAndLeavesNothingBehind) {
  const Uuid a = MakeRun("a");
  const Uuid b = MakeRun("b");
  SealSome(a, b, 8);
  Gate gate(GetParam());
  std::atomic<bool> sealed = false;
  options_.at_point = [&](absl::string_view p) {
    if (p == "seal:after_reclaim") sealed = true;
    gate.Reach(p);
  };
  ReopenMerging();
  gate.WaitUntilReached();
  // A delete whose seal falls into the merge. No file changes while they are
  // copied.
  ASSERT_TRUE(engine_->DeleteRun(a).ok());
  for (int i = 0; i < 1000 && !sealed; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  const std::string image = dir_.path() + "/image";
  std::filesystem::copy(Options().data_dir, image,
                        std::filesystem::copy_options::recursive);
  gate.Open();
  engine_.reset();

  options_.at_point = nullptr;
  EngineOptions options = Options();
  options.data_dir = image;
  auto engine = Engine::Open(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  ExpectRows(b, 40, "after the crash");
  EXPECT_TRUE(IsGone(a));
  ASSERT_TRUE(engine_->Flush().ok());
  ExpectRows(b, 40, "flushed");
  EXPECT_EQ(engine_->Stats().generations, 1u);
  engine_.reset();
  const Keys keys = KeysOf(image);
  EXPECT_EQ(keys.runs.size(), 1u);
  EXPECT_EQ(keys.generations.size(), 1u);
  for (const auto& f : std::filesystem::directory_iterator(image)) {
    EXPECT_NE(f.path().extension(), ".tmp") << f.path();
  }
}

INSTANTIATE_TEST_SUITE_P(EngineMerge, CrashDuringMerge,
                         ::testing::Values("merge:before_ingest",
                                           "merge:after_ingest",
                                           "merge:after_commit",
                                           "merge:after_drop"));

TEST_F(EngineMerge, ReaderKeepsItsGenerationWhileItIsMerged) {
  const Uuid run = MakeRun();
  std::vector<std::string> metrics;
  for (int m = 0; m < 4; ++m) metrics.push_back(absl::StrCat("m", m));
  for (int i = 0; i < 8; ++i) {
    auto stream = OpenStream(Opening(run));
    ASSERT_TRUE(stream->Declare(0, metrics).ok());
    const std::vector<int64_t> steps = {i};
    BatchBuilder batch(0, i, 1);
    batch.Steps(steps).Times(steps);
    for (uint32_t m = 0; m < metrics.size(); ++m) {
      batch.Float64(m, std::vector<double>{static_cast<double>(i)});
    }
    stream->Append(batch.Build());
    ASSERT_TRUE(stream->observer->WaitFor(0, i + 1));
    ASSERT_TRUE(engine_->Flush().ok());
  }
  Gate gate("merge:before_ingest");
  options_.at_point = [&gate](absl::string_view p) { gate.Reach(p); };
  ReopenMerging();
  gate.WaitUntilReached();
  ReadSpec spec;
  spec.runs = {run};
  spec.metrics = metrics;
  size_t points = 0;
  const auto read = engine_->Read(spec, [&](SeriesPart part) {
    points += part.points.size();
    gate.Open();
    // The merge is through, and has tried to drop what it replaced.
    EXPECT_TRUE(engine_->Flush().ok());
    EXPECT_EQ(engine_->Stats().generations, 1u);
    return absl::OkStatus();
  });
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(points, 8 * metrics.size());
  ASSERT_TRUE(engine_->Flush().ok());
  engine_.reset();
  EXPECT_EQ(KeysOf(Options().data_dir).generations.size(), 1u);
}

TEST_F(EngineMerge, TenThousandKeySetsLoseNothing) {
  const Uuid run = MakeRun();
  constexpr uint32_t kSets = 10000;
  const auto metric = [](uint32_t s) { return absl::StrCat("m", s); };
  for (int seal = 0; seal < 3; ++seal) {
    auto stream = OpenStream(Opening(run));
    ASSERT_TRUE(stream.ok()) << stream.status();
    for (uint32_t s = 0; s < kSets; ++s) {
      ASSERT_TRUE(stream->Declare(s, {metric(s)}).ok());
      stream->Append(Rows(s, seal, 1, s));
    }
    for (uint32_t s = 0; s < kSets; ++s) {
      ASSERT_TRUE(stream->observer->WaitFor(s, seal + 1));
    }
    ASSERT_TRUE(engine_->Flush().ok());
  }
  ReopenMerging();
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(engine_->Stats().generations, 1u);
  for (uint32_t s = 0; s < kSets; s += 97) {
    const Points p = ReadRaw(run, metric(s)).at(0);
    EXPECT_THAT(p.values, ::testing::ElementsAre(s, s + 0.5, s + 1.0));
  }
  LastValuesSpec last;
  last.run = run;
  const auto values = engine_->LastValues(last);
  ASSERT_TRUE(values.ok()) << values.status();
  EXPECT_EQ(values->size(), kSets);
}

TEST_F(EngineMerge, ASlowWorkerDoesNotPinTheLog) {
  options_.seal_bytes = 1 << 16;
  ReopenMerging();
  const Uuid run = MakeRun();
  auto slow = OpenStream(Opening(run, 1));
  ASSERT_TRUE(slow->Declare(0, {"loss"}).ok());
  slow->Append(Rows(0, 0, 1));
  ASSERT_TRUE(slow->observer->WaitFor(0, 1));
  const Position logged = slow->observer->position();
  auto fast = OpenStream(Opening(run, 0));
  ASSERT_TRUE(fast->Declare(0, {"loss"}).ok());
  for (uint64_t row = 0; engine_->Stats().seals < 3; row += 100) {
    fast->Append(Rows(0, row, 100));
    ASSERT_TRUE(fast->observer->WaitFor(0, row + 100));
  }
  fast->session.reset();
  slow->session.reset();
  engine_.reset();
  {
    auto database = Database::Open(Options());
    ASSERT_TRUE(database.ok());
    auto it = (*database)->Iterate(Family::kLog);
    it->SeekToFirst();
    if (it->Valid()) {
      ByteReader key(ToView(it->key()));
      EXPECT_GT(key.BigEndian<uint64_t>(), logged.value);
    }
  }
  Reopen();
  EXPECT_EQ(ReadRaw(run, "loss").at(1).size(), 1u);
}

TEST_F(EngineMerge, AFullDiskDuringAMergeCostsNothing) {
  const Uuid a = MakeRun("a");
  const Uuid b = MakeRun("b");
  SealSome(a, b, 8);
  engine_.reset();
  FaultPlan plan;
  const auto env = NewFaultyEnv(&plan);
  options_.env = env.get();
  plan.Set([](const std::string& file) {
    return absl::StrContains(file, "merge-");
  });
  ReopenMerging();
  EXPECT_TRUE(absl::IsResourceExhausted(engine_->Flush().status()));
  ExpectRows(a, 40, "on a full disk");
  plan.Set(nullptr);
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_EQ(engine_->Stats().generations, 1u);
  ExpectRows(a, 40, "with room again");
  engine_.reset();
}

}  // namespace
}  // namespace waterflow::storage
