// Room on the disk: ingest stops before it is gone, and a delete gives it back.
#include <gmock/gmock.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/unit/engine_fixture.h"
#include "tests/unit/faulty_env.h"

namespace waterflow::storage {
namespace {

using ::testing::HasSubstr;

class KeepDisk : public EngineTest {
 protected:
  void SetUp() override {
    env_ = NewFaultyEnv(&plan_);
    options_.env = env_.get();
    options_.disk_reserve_bytes = kReserve;
    Reopen();
  }
  void TearDown() override { engine_.reset(); }

  absl::Status WritePoint(const Uuid& run, int64_t step,
                          const std::string& request_id = "") {
    WriteOptions write;
    write.request_id = request_id;
    write.run = run;
    write.points = {{"x", 1.0, step, step}};
    return engine_->Write(write).status();
  }

  static constexpr uint64_t kReserve = 100 << 20;
  FaultPlan plan_;
  std::unique_ptr<rocksdb::Env> env_;
};

TEST_F(KeepDisk, IngestStopsAtTheReserveWhileReadsAndDeletesGoOn) {
  const Uuid run = MakeRun("kept");
  const Uuid other = MakeRun("deleted");
  auto stream = OpenStream(Opening(run));
  ASSERT_TRUE(stream.ok());
  ASSERT_TRUE(stream->Declare(0, {"loss"}).ok());
  stream->Append(Rows(0, 0, 100));
  ASSERT_TRUE(stream->observer->WaitFor(0, 100));
  ASSERT_TRUE(WritePoint(other, 1).ok());

  plan_.SetFreeBytes(kReserve - 1);
  absl::SleepFor(absl::Milliseconds(1100));
  stream->Append(Rows(0, 100, 100));
  const absl::Status ended = stream->observer->WaitForEnd();
  EXPECT_TRUE(absl::IsResourceExhausted(ended)) << ended;
  EXPECT_THAT(std::string(ended.message()),
              HasSubstr(absl::StrCat(kReserve - 1, " bytes are free")));
  EXPECT_THAT(std::string(ended.message()),
              HasSubstr(absl::StrCat("reserve of ", kReserve, " bytes")));
  EXPECT_TRUE(absl::IsResourceExhausted(WritePoint(run, 1, "request")));
  stream->session.reset();

  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 100u);
  EXPECT_TRUE(engine_->DeleteRun(other).ok());
  EXPECT_TRUE(engine_->Flush().ok());
  UpdateRunOptions update;
  update.status = RunStatus::kFinished;
  EXPECT_TRUE(engine_->UpdateRun(run, update).ok());

  // Room again: ingest goes on by itself, from where it was.
  plan_.SetFreeBytes(kReserve);
  absl::SleepFor(absl::Milliseconds(1100));
  auto again = OpenStream(Opening(run));
  ASSERT_TRUE(again.ok());
  ASSERT_TRUE(again->Declare(0, {"loss"}).ok());
  again->Append(Rows(0, 100, 100));
  ASSERT_TRUE(again->observer->WaitFor(0, 200));
  EXPECT_EQ(ReadRaw(run, "loss").at(0).size(), 200u);
  again->session.reset();
  // A write that was refused is not remembered as done.
  EXPECT_TRUE(WritePoint(run, 1, "request").ok());
  EXPECT_TRUE(WritePoint(run, 1, "request").ok());
  for (int pass = 0; pass < 2; ++pass) {
    EXPECT_EQ(ReadRaw(run, "x").at(0).size(), 1u);
    Reopen();
  }
}

TEST_F(KeepDisk, TheDefaultReserveIsAGibibyteOrATwentieth) {
  options_.disk_reserve_bytes.reset();
  Reopen();
  const uint64_t reserve = engine_->Stats().disk_reserve_bytes;
  const auto disk = std::filesystem::space(dir_.path());
  EXPECT_EQ(reserve, std::min<uint64_t>(uint64_t{1} << 30, disk.capacity / 20));
}

class KeepSpace : public EngineTest {
 protected:
  // What du counts.
  uint64_t DiskBytes() const {
    uint64_t bytes = 0;
    std::error_code error;  // files come and go
    for (const auto& f :
         std::filesystem::directory_iterator(dir_.path() + "/data")) {
      const uintmax_t size = f.file_size(error);
      if (!error) bytes += size;
    }
    return bytes;
  }
  Uuid BigRun(const std::string& name) {
    const Uuid run = MakeRun(name);
    auto stream = OpenStream(Opening(run));
    EXPECT_TRUE(stream->Declare(0, {"loss"}).ok());
    constexpr uint32_t kRows = 65536;
    std::vector<double> values(kRows);
    std::vector<int64_t> steps(kRows);
    for (uint32_t batch = 0; batch < 40; ++batch) {
      for (uint32_t r = 0; r < kRows; ++r) {
        state_ = state_ * 6364136223846793005u + 1442695040888963407u;
        values[r] = static_cast<double>(state_ >> 11);
        steps[r] = batch * kRows + r;
      }
      stream->Append(BatchBuilder(0, batch * kRows, kRows)
                         .Steps(steps)
                         .Times(steps)
                         .Float64(0, values)
                         .Build());
      EXPECT_TRUE(stream->observer->WaitFor(0, (batch + 1) * kRows));
    }
    stream->session.reset();
    return run;
  }

  uint64_t state_ = 1;
};

TEST_F(KeepSpace, ADeletedRunGivesItsBytesBackWithinAMinute) {
  const Uuid kept = BigRun("kept");
  ASSERT_TRUE(engine_->Flush().ok());
  const uint64_t before = DiskBytes();
  // Half of it sealed, all of it in the log.
  const Uuid run = BigRun("deleted");
  const uint64_t with_it = DiskBytes();
  ASSERT_GT(with_it, before + (40 << 20));
  ASSERT_TRUE(engine_->DeleteRun(run).ok());
  uint64_t after = with_it;
  for (int tenth = 0; tenth < 600; ++tenth) {
    after = DiskBytes();
    if (with_it - after >= (with_it - before) / 100 * 95) break;
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_GE(with_it - after, (with_it - before) / 100 * 95)
      << before << " bytes before, " << with_it << " with it, " << after
      << " after";
  EXPECT_EQ(ReadRaw(kept, "loss").at(0).size(), 40u * 65536);
}

// Both lie in the same generations.
TEST_F(KeepSpace, SoDoesARunThatSharesItsGenerationsWithAnother) {
  const Uuid kept = BigRun("kept");
  const Uuid run = BigRun("deleted");
  ASSERT_TRUE(engine_->Flush().ok());
  const uint64_t with_both = DiskBytes();
  ASSERT_TRUE(engine_->DeleteRun(run).ok());
  const uint64_t freed = with_both / 2 / 100 * 95;
  uint64_t after = with_both;
  for (int tenth = 0; tenth < 600 && after > with_both - freed; ++tenth) {
    absl::SleepFor(absl::Milliseconds(100));
    after = DiskBytes();
  }
  EXPECT_LE(after, with_both - freed) << with_both << " bytes with both";
  EXPECT_EQ(ReadRaw(kept, "loss").at(0).size(), 40u * 65536);
}

}  // namespace
}  // namespace waterflow::storage
