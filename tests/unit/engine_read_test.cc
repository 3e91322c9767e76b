// Buckets and reductions of long series, whose chunks have summaries: they are
// what the raw points say, however the rows lie.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/unit/engine_fixture.h"
#include "tests/unit/query_math_model.h"

namespace waterflow::storage {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

// How the rows of a worker lie and what is in them.
struct Shape {
  const char* name;
  int64_t (*step)(int64_t row, std::mt19937_64& random);
  int64_t (*time)(int64_t row, std::mt19937_64& random);
  double (*value)(int64_t row, std::mt19937_64& random);
  bool sparse = false;
};

int64_t EachStep(int64_t row, std::mt19937_64&) { return row; }
int64_t EachSecond(int64_t row, std::mt19937_64&) {
  return row * 1'000'000'000;
}
double Noise(int64_t, std::mt19937_64& random) {
  return std::normal_distribution<double>(5, 1)(random);
}

const Shape kShapes[] = {
    {"Plain", EachStep, EachSecond, Noise},
    {"EachTenthStep",
     [](int64_t row, std::mt19937_64&) { return row * 10 - 7; }, EachSecond,
     Noise},
    {"StepsWithGapsAndRepeats",
     [](int64_t row, std::mt19937_64& random) {
       return row / 2 * 3 + static_cast<int64_t>(random() % 2);
     },
     [](int64_t row, std::mt19937_64& random) {
       return row * 1'000'000 + static_cast<int64_t>(random() % 1'000'000);
     },
     Noise},
    {"SparseWithSpikes", EachStep, EachSecond,
     [](int64_t row, std::mt19937_64& random) {
       return row % 1777 == 5 ? 1e9 : Noise(row, random);
     },
     true},
    {"NotFinite", EachStep, EachSecond,
     [](int64_t row, std::mt19937_64& random) {
       return row / 300 % 3 == 0   ? Noise(row, random)
              : row / 300 % 3 == 1 ? kNan
                                   : (random() % 2 == 0 ? kInf : -kInf);
     }},
    {"Huge", EachStep, EachSecond,
     [](int64_t row, std::mt19937_64& random) {
       return (row % 2 == 0 ? 1e308 : -1e308) * (0.5 + Noise(row, random) / 20);
     }},
    {"Constant", EachStep, EachSecond,
     [](int64_t row, std::mt19937_64&) { return row < 2000 ? -0.0 : 0.1; }},
    {"TheClockGoesBack", EachStep,
     [](int64_t row, std::mt19937_64&) {
       return (row < 3000 ? row : row - 1500) * 1'000'000'000;
     },
     Noise},
    {"StepsGoBack",
     [](int64_t row, std::mt19937_64&) { return row < 3000 ? row : row - 900; },
     EachSecond, Noise},
};

class EngineReadTest : public EngineTest,
                       public ::testing::WithParamInterface<Shape> {
 protected:
  static constexpr uint32_t kWorkers = 3;
  static constexpr uint32_t kRows = 6000;

  void TearDown() override { engine_.reset(); }

  // Rows [begin, end) of each worker.
  void Log(const Uuid& run, uint32_t begin, uint32_t end) {
    for (uint32_t rank = 0; rank < kWorkers; ++rank) {
      auto stream = OpenStream(Opening(run, rank));
      ASSERT_TRUE(stream.ok()) << stream.status();
      ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
      std::mt19937_64 random(1000 * rank + begin);
      for (uint32_t row = begin; row < end;) {
        const uint32_t rows = std::min(end - row, 500u);
        stream->Append(Batch(row, rows, random));
        row += rows;
      }
      ASSERT_TRUE(stream->observer->WaitFor(0, end));
    }
  }

  std::string Batch(uint32_t first, uint32_t rows, std::mt19937_64& random) {
    const Shape& shape = GetParam();
    std::vector<int64_t> steps;
    std::vector<int64_t> times;
    std::vector<double> values;
    std::string present((rows + 7) / 8, '\0');
    for (uint32_t i = 0; i < rows; ++i) {
      const int64_t row = first + i;
      steps.push_back(shape.step(row, random));
      times.push_back(shape.time(row, random));
      const double value = shape.value(row, random);
      // None at all in some thousand rows.
      if (shape.sparse && (random() % 3 != 0 || row / 1000 == 2)) continue;
      values.push_back(value);
      present[i / 8] = static_cast<char>(present[i / 8] | 1 << i % 8);
    }
    BatchBuilder batch(0, first, rows);
    batch.Steps(steps).Times(times);
    if (!shape.sparse) return batch.Float64(0, values).Build();
    return batch
        .Column(0, 1, ValueType::kFloat64,
                {reinterpret_cast<const char*>(values.data()),
                 values.size() * sizeof(double)},
                present)
        .Build();
  }

  static ReadSpec Asking(const Uuid& run, Axis axis) {
    ReadSpec spec;
    spec.runs = {run};
    spec.metrics = {"loss"};
    spec.axis = axis;
    return spec;
  }

  // The raw points, as the model of buckets wants them.
  std::vector<ModelSeries> Raw(const ReadSpec& asked) {
    ReadSpec spec = asked;
    spec.max_points = 0;
    spec.reduction = Reduction::kNone;
    std::map<uint32_t, ModelSeries> by_rank;
    const auto read = engine_->Read(spec, [&](SeriesPart part) {
      ModelSeries& s = by_rank[part.worker->rank];
      const auto& positions =
          spec.axis == Axis::kStep ? part.points.steps : part.points.times_ns;
      s.positions.insert(s.positions.end(), positions.begin(), positions.end());
      s.values.insert(s.values.end(), part.points.values.begin(),
                      part.points.values.end());
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read.status();
    std::vector<ModelSeries> all;
    for (auto& [rank, series] : by_rank) {
      series.worker = static_cast<uint32_t>(all.size());
      all.push_back(std::move(series));
    }
    return all;
  }

  static void ExpectEqual(const std::vector<Bucket>& got,
                          const std::vector<Bucket>& expected) {
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      SCOPED_TRACE(absl::StrCat("bucket ", i));
      const Bucket& g = got[i];
      const Bucket& e = expected[i];
      const auto same = [](double a, double b) {
        return a == b || (std::isnan(a) && std::isnan(b));
      };
      ASSERT_EQ(g.first_position, e.first_position);
      ASSERT_EQ(g.last_position, e.last_position);
      ASSERT_EQ(g.count, e.count);
      ASSERT_EQ(g.nan_count, e.nan_count);
      ASSERT_EQ(g.pos_inf_count, e.pos_inf_count);
      ASSERT_EQ(g.neg_inf_count, e.neg_inf_count);
      ASSERT_EQ(g.min_position, e.min_position);
      ASSERT_EQ(g.max_position, e.max_position);
      ASSERT_TRUE(same(g.min, e.min) && same(g.max, e.max));
      ASSERT_TRUE(same(g.first, e.first) && same(g.last, e.last));
      if (e.count == 0) continue;
      ASSERT_EQ(g.min_worker, e.min_worker);
      ASSERT_EQ(g.max_worker, e.max_worker);
      const double size = std::max(std::fabs(e.min), std::fabs(e.max));
      const double close = 1e-13 * size;
      ASSERT_NEAR(g.mean, e.mean, close);
      ASSERT_NEAR(g.stddev, e.stddev, close);
      if (std::isfinite(e.value)) {
        ASSERT_NEAR(g.value, e.value, close * static_cast<double>(e.count));
      } else {
        ASSERT_EQ(g.value, e.value);
      }
    }
  }

  // Compares buckets of all kinds with those of the raw points.
  void ExpectBucketsOfRaw(const Uuid& run, const char* when) {
    SCOPED_TRACE(when);
    for (const Axis axis : {Axis::kStep, Axis::kTime}) {
      ReadSpec spec = Asking(run, axis);
      for (const bool cut : {false, true}) {
        if (cut) spec.step_range = Interval{1234, 4321};
        const std::vector<ModelSeries> raw = Raw(spec);
        // All rows' positions, not only those of points: none is sparse at its
        // ends in a way that would widen the buckets.
        Interval span = RowSpan(spec);
        for (const uint32_t max_points : {1u, 3u, 8u, 100u, 1000u, 100000u}) {
          SCOPED_TRACE(absl::StrCat("axis ", static_cast<int>(axis), cut,
                                    ", max_points ", max_points));
          spec.max_points = max_points;
          spec.reduction = Reduction::kNone;
          std::vector<std::vector<Bucket>> parts;
          const auto collect = [&](SeriesPart part) {
            parts.push_back(std::move(part.buckets));
            return absl::OkStatus();
          };
          ASSERT_TRUE(engine_->Read(spec, collect).ok());
          ASSERT_EQ(parts.size(), raw.size());
          for (size_t i = 0; i < parts.size(); ++i) {
            ModelSeries alone = raw[i];
            alone.worker = 0;
            ExpectEqual(parts[i], ModelBuckets({alone}, span, max_points,
                                               Reduction::kMean));
            if (HasFatalFailure()) return;
          }
          parts.clear();
          spec.reduction = Reduction::kSum;
          ASSERT_TRUE(engine_->Read(spec, collect).ok());
          ASSERT_EQ(parts.size(), 1u);
          ExpectEqual(parts[0],
                      ModelBuckets(raw, span, max_points, Reduction::kSum));
          if (HasFatalFailure()) return;
        }
      }
    }
  }

  // Of the rows that were logged, with a value or without.
  Interval RowSpan(const ReadSpec& spec) {
    Interval span{INT64_MAX, INT64_MIN};
    for (uint32_t rank = 0; rank < kWorkers; ++rank) {
      for (const auto& [begin, end] : logged_) {
        std::mt19937_64 random(1000 * rank + begin);
        for (uint32_t row = begin; row < end; ++row) {
          const int64_t step = GetParam().step(row, random);
          const int64_t time = GetParam().time(row, random);
          GetParam().value(row, random);
          if (GetParam().sparse) random();
          if (spec.step_range.has_value() && !spec.step_range->Contains(step)) {
            continue;
          }
          const int64_t position = spec.axis == Axis::kStep ? step : time;
          span.first = std::min(span.first, position);
          span.last = std::max(span.last, position);
        }
      }
    }
    return span;
  }

  void LogAndNote(const Uuid& run, uint32_t begin, uint32_t end) {
    Log(run, begin, end);
    logged_.emplace_back(begin, end);
  }

  std::vector<std::pair<uint32_t, uint32_t>> logged_;
};

TEST_P(EngineReadTest, BucketsAreWhatTheRawPointsSay) {
  const Uuid run = MakeRun();
  LogAndNote(run, 0, 2500);
  ExpectBucketsOfRaw(run, "in heads");
  ASSERT_TRUE(engine_->Flush().ok());
  ExpectBucketsOfRaw(run, "sealed");
  LogAndNote(run, 2500, 2600);
  ASSERT_TRUE(engine_->Flush().ok());
  LogAndNote(run, 2600, kRows);
  ExpectBucketsOfRaw(run, "two generations and heads");
  ASSERT_TRUE(engine_->Flush().ok());
  ExpectBucketsOfRaw(run, "sealed and merged");
}

INSTANTIATE_TEST_SUITE_P(Shapes, EngineReadTest, ::testing::ValuesIn(kShapes),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

class EngineReadCostTest : public EngineTest {
 protected:
  void TearDown() override { engine_.reset(); }

  ReadSpec LongSeries(uint32_t rows) {
    ReadSpec spec;
    spec.runs = {MakeRun()};
    spec.metrics = {"loss"};
    auto stream = OpenStream(Opening(spec.runs[0]));
    EXPECT_TRUE(stream.ok()) << stream.status();
    EXPECT_TRUE(stream->Declare(0, {"loss"}).ok());
    stream->Append(Rows(0, 0, rows));
    EXPECT_TRUE(stream->observer->WaitFor(0, rows));
    EXPECT_TRUE(engine_->Flush().ok());
    return spec;
  }
  static absl::Status Ignore(const SeriesPart&) { return absl::OkStatus(); }
};

TEST_F(EngineReadCostTest, WholeChunksAreAnsweredFromSummaries) {
  ReadSpec spec = LongSeries(40'000);
  spec.max_points = 100;  // of 512 steps each
  auto read = engine_->Read(spec, Ignore);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->points_summarised, 40'000u);
  EXPECT_EQ(read->points_read, 0u);
  EXPECT_EQ(read->chunks_decoded, 0u);
  EXPECT_EQ(read->chunks_summarised, 10u);
  EXPECT_FALSE(read->exact);
  // Buckets of 8 steps take the points.
  spec.max_points = 5000;
  read = engine_->Read(spec, Ignore);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->points_read, 40'000u);
  EXPECT_EQ(read->chunks_decoded, 10u);
}

TEST_F(EngineReadCostTest, AQueryThatTakesTooMuchMemoryIsRefused) {
  options_.query_memory_bytes = 256 << 10;
  Reopen();
  ReadSpec spec = LongSeries(20'000);
  const auto refused = engine_->Read(spec, Ignore);
  ASSERT_TRUE(absl::IsResourceExhausted(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("\"loss\" take 680000 bytes at a time, and the server "
                        "gives a query 262144 (--query-memory)"));
  spec.max_points = 100;
  EXPECT_TRUE(engine_->Read(spec, Ignore).ok());
  spec.max_points = 0;
  spec.step_range = Interval{100, 200};
  EXPECT_TRUE(engine_->Read(spec, Ignore).ok());
}

TEST_F(EngineReadCostTest, WhoLeavesEndsTheRead) {
  ReadSpec spec = LongSeries(100);
  spec.cancelled = [] { return true; };
  EXPECT_TRUE(absl::IsCancelled(engine_->Read(spec, Ignore).status()));
}

}  // namespace
}  // namespace waterflow::storage
