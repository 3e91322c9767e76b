// Data directories of all released format versions (directory/vN.tar.gz): this
// build opens each, reads what vN.txt says, bit for bit, and goes on in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/format/keys.h"
#include "tests/golden/directory_rows.h"
#include "tests/golden/directory_shapes.h"
#include "tests/golden/store_text.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAreArray;

const fs::path kDirectories = fs::path(WATERFLOW_GOLDEN_DIR) / "directory";

std::vector<std::string> Versions() {
  std::vector<std::string> names;
  for (const auto& file : fs::directory_iterator(kDirectories)) {
    const std::string name = file.path().filename().string();
    if (name.ends_with(".tar.gz"))
      names.push_back(name.substr(0, name.find('.')));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Works on a copy.
class GoldenDirectory : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string unpack =
        absl::StrCat("tar -xzf '", (kDirectories / GetParam()).string(),
                     ".tar.gz' -C '", dir_.path(), "'");
    ASSERT_EQ(std::system(unpack.c_str()), 0) << unpack;
    options_.data_dir = dir_.path();
    options_.gather = absl::Milliseconds(1);
  }

  void Reopen() {
    engine_.reset();
    absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  std::vector<std::string> Expected() const {
    std::ifstream file(kDirectories / (GetParam() + ".txt"));
    std::stringstream text;
    text << file.rdbuf();
    std::vector<std::string> records = absl::StrSplit(text.str(), "\n\n");
    records.erase(records.begin());  // the comment
    for (std::string& record : records) {
      if (!record.ends_with('\n')) record += '\n';
    }
    return records;
  }

  void ExpectSound(const absl::StatusOr<VerifyReport>& report) {
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(problems_, IsEmpty());
    EXPECT_GT(report->values, 0u);
  }
  VerifyObserver Observer() {
    return {.problem =
                [this](const VerifyProblem& problem) {
                  problems_.push_back(problem.ToLine());
                },
            .progress = nullptr};
  }

  uint64_t RowCount(uint8_t run) {
    auto found = engine_->GetRun(DirectoryRun(run));
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? found->row_count : 0;
  }

  TempDir dir_;
  EngineOptions options_;
  std::vector<std::string> problems_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(GoldenDirectory, IsSoundAsItLies) {
  ExpectSound(VerifyOffline(options_, Observer()));
}

TEST_P(GoldenDirectory, ReadsBitForBitBeforeAndAfterSealMergeAndRestart) {
  const std::vector<std::string> expected = Expected();
  ASSERT_NO_FATAL_FAILURE(Reopen());
  EXPECT_THAT(StoreText(engine_.get()), ElementsAreArray(expected));
  ExpectSound(engine_->Verify(Observer()));

  ASSERT_TRUE(engine_->Seal().ok());
  EXPECT_THAT(StoreText(engine_.get()), ElementsAreArray(expected));
  ASSERT_TRUE(engine_->Flush().ok());
  EXPECT_THAT(StoreText(engine_.get()), ElementsAreArray(expected));
  ExpectSound(engine_->Verify(Observer()));

  ASSERT_NO_FATAL_FAILURE(Reopen());
  EXPECT_THAT(StoreText(engine_.get()), ElementsAreArray(expected));
}

TEST_P(GoldenDirectory, AStreamGoesOnWhereItStood) {
  ASSERT_NO_FATAL_FAILURE(Reopen());
  const auto read = [&] {
    ReadSpec spec;
    spec.runs = {DirectoryRun(kLong)};
    spec.metrics = {"epoch"};
    std::vector<double> values;
    EXPECT_TRUE(
        engine_
            ->Read(spec,
                   [&](const SeriesPart& part) {
                     const std::vector<double>& more = part.points.values;
                     values.insert(values.end(), more.begin(), more.end());
                     return absl::OkStatus();
                   })
            .ok());
    return values;
  };
  std::vector<double> expected = read();
  const uint64_t rows = RowCount(kLong);
  ASSERT_EQ(expected.size(), rows);
  {
    StreamOptions options;
    options.run = DirectoryRun(kLong);
    options.worker.role = "trainer";
    options.stream = DirectoryStream(/*attempt=*/1, /*rank=*/0);
    TestStream stream;
    ASSERT_TRUE(OpenAndWait(engine_.get(), options, &stream).ok());
    EXPECT_EQ(stream.session->known_lanes(),
              (std::vector<LanePosition>{{.schema = 0, .next_row = rows}}));
    ASSERT_TRUE(stream.Declare(0, {"epoch", "narrow", "wide"}).ok());
    // The first ten are there already.
    ASSERT_FALSE(stream.Append(LongRows(rows - 10, 110)).has_value());
    ASSERT_TRUE(stream.observer->WaitFor(0, rows + 100));
  }
  for (uint64_t row = rows; row < rows + 100; ++row) {
    expected.push_back(static_cast<double>(row / 1000));
  }
  EXPECT_EQ(read(), expected);
  ASSERT_TRUE(engine_->Flush().ok());
  ASSERT_NO_FATAL_FAILURE(Reopen());
  EXPECT_EQ(read(), expected);
  ExpectSound(engine_->Verify(Observer()));
}

TEST_P(GoldenDirectory, WhatWasDeletedStaysDeleted) {
  ASSERT_NO_FATAL_FAILURE(Reopen());
  for (const uint8_t number : {kDeletedAndSealed, kDeletedInLog}) {
    CreateRunOptions again;
    again.id = DirectoryRun(number);
    EXPECT_TRUE(absl::IsNotFound(engine_->GetRun(*again.id).status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(engine_->CreateRun(again).status()));
  }
}

TEST_P(GoldenDirectory, AWriteThatWasAnsweredIsNotDoneTwice) {
  ASSERT_NO_FATAL_FAILURE(Reopen());
  const uint64_t rows = RowCount(kDetector);
  WriteOptions write;
  write.run = DirectoryRun(kDetector);
  write.points = {{"mAP", 0.75, 30, {}}};
  write.request_id = "second write";
  ASSERT_TRUE(engine_->Write(write).ok());
  EXPECT_EQ(RowCount(kDetector), rows);
}

TEST_P(GoldenDirectory, HoldsEveryShapeOfTheFormat) {
  if (GetParam() != absl::StrCat("v", kFormatVersion)) {
    GTEST_SKIP() << "its shapes are those of its own version";
  }
  std::set<std::string> shapes = ShapesOf(options_);
  for (const std::string& shape : AllShapes()) {
    EXPECT_EQ(shapes.erase(shape), 1u) << "no " << shape;
  }
  EXPECT_THAT(shapes, IsEmpty()) << "not in AllShapes()";
}

INSTANTIATE_TEST_SUITE_P(Released, GoldenDirectory,
                         ::testing::ValuesIn(Versions()),
                         [](const auto& info) { return info.param; });

TEST(GoldenDirectories, EveryVersionHasOne) {
  std::vector<std::string> expected;
  for (uint32_t v = 1; v <= kFormatVersion; ++v) {
    expected.push_back(absl::StrCat("v", v));
  }
  EXPECT_THAT(Versions(), UnorderedElementsAreArray(expected));
}

}  // namespace
}  // namespace waterflow::storage
