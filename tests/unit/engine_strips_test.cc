// Where strips end: on lines that wide buckets share, whatever was sealed when.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "storage/ingest/strip_grid.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

TEST(StripGrid, HasLinesWhereStepsAreMultiplesIfEachIsThereOnce) {
  // Rows 1000 to 2999 have the steps 5001 to 7000.
  const StripGrid grid(4096, 1000, 2000, 5001, 7000);
  EXPECT_EQ(grid.RowsToLine(1000), 8192u - 5001);
  EXPECT_FALSE(grid.IsLine(1000));
  EXPECT_TRUE(grid.IsLine(1000 + 8192 - 5001));
  // Also where steps are negative.
  EXPECT_TRUE(StripGrid(4096, 7, 10, -4096, -4087).IsLine(7));
}

TEST(StripGrid, HasLinesByRowOtherwise) {
  for (const StripGrid& grid :
       {StripGrid(4096), StripGrid(4096, 1000, 2000, 0, 19'990)}) {
    EXPECT_EQ(grid.RowsToLine(0), 4096u);
    EXPECT_EQ(grid.RowsToLine(4095), 1u);
    EXPECT_TRUE(grid.IsLine(8192));
  }
}

TEST(StripRows, IsAPowerOfTwoThatFits) {
  EXPECT_EQ(StripRows(0), 4096u);
  EXPECT_EQ(StripRows(100), 4096u);
  EXPECT_EQ(StripRows(513), 2048u);
  EXPECT_EQ(StripRows(10'000), 128u);
}

class EngineStrips : public EngineTest {
 protected:
  // Logs rows [begin, end) of one metric, of steps step + row * stride.
  void Log(const Uuid& run, uint64_t begin, uint64_t end, int64_t step,
           int64_t stride) {
    auto stream = OpenStream(Opening(run));
    ASSERT_TRUE(stream.ok()) << stream.status();
    ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
    for (uint64_t row = begin; row < end;) {
      const auto rows =
          static_cast<uint32_t>(std::min<uint64_t>(100, end - row));
      std::vector<int64_t> steps;
      std::vector<double> values;
      for (uint64_t r = row; r < row + rows; ++r) {
        steps.push_back(step + static_cast<int64_t>(r) * stride);
        values.push_back(1.0 / static_cast<double>(r + 1));
      }
      stream->Append(BatchBuilder(0, row, rows)
                         .Steps(steps)
                         .Times(steps)
                         .Float64(0, values)
                         .Build());
      row += rows;
    }
    ASSERT_TRUE(stream->observer->WaitFor(0, end));
  }

  // How many chunks a chart of the run has to decode.
  ReadSummary Draw(const Uuid& run, uint32_t max_points) {
    ReadSpec spec;
    spec.runs = {run};
    spec.metrics = {"loss"};
    spec.max_points = max_points;
    const auto read =
        engine_->Read(spec, [](const SeriesPart&) { return absl::OkStatus(); });
    EXPECT_TRUE(read.ok()) << read.status();
    return read.ok() ? *read : ReadSummary();
  }
};

TEST_F(EngineStrips, WideBucketsTakeWholeStripsWhereverItWasSealed) {
  const Uuid run = MakeRun();
  constexpr uint64_t kSeals[] = {0, 1700, 6100, 15'000, 30'000, 40'100};
  for (size_t i = 1; i < std::size(kSeals); ++i) {
    // From step 1 on, as many loops count.
    Log(run, kSeals[i - 1], kSeals[i], 1, 1);
    ASSERT_TRUE(engine_->Seal().ok());
  }
  // 40,100 steps in ten buckets of 4,096.
  ReadSummary drawn = Draw(run, 10);
  EXPECT_EQ(drawn.chunks_decoded, 0u);
  EXPECT_EQ(drawn.points_summarised, 40'100u);
  // In buckets of 512: by whole spans, where the strips are long enough.
  drawn = Draw(run, 80);
  EXPECT_LE(drawn.chunks_decoded, 10u);
}

TEST_F(EngineStrips, AMergeJoinsThemUpToTheNextLine) {
  constexpr uint64_t kSeals = 45;
  constexpr uint64_t kSealRows = 200;
  // Each step once, from 1 on; and each tenth step, whose lines are row
  // indices.
  const Uuid each = MakeRun("each");
  const Uuid tenth = MakeRun("tenth");
  for (uint64_t i = 0; i < kSeals; ++i) {
    Log(each, i * kSealRows, (i + 1) * kSealRows, 1, 1);
    Log(tenth, i * kSealRows, (i + 1) * kSealRows, 7, 10);
    ASSERT_TRUE(engine_->Seal().ok());
  }
  options_.merge_fan_in = 8;
  Reopen();
  ASSERT_TRUE(engine_->Flush().ok());
  const uint64_t generations = engine_->Stats().generations;
  EXPECT_LT(generations, kSeals / 3);
  // 9,000 steps in three buckets of 4,096.
  const ReadSummary drawn = Draw(each, 3);
  EXPECT_EQ(drawn.chunks_decoded, 0u);
  EXPECT_EQ(drawn.points_summarised, kSeals * kSealRows);
  // A strip for each generation, and one more for each of the two lines.
  EXPECT_LE(Draw(each, 1).chunks_summarised, generations + 2);
  EXPECT_LE(Draw(tenth, 1).chunks_summarised, generations + 2);
}

}  // namespace
}  // namespace waterflow::storage
