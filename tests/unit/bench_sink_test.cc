// The benchmark's sink acks what it is sent, over the real front, and the load
// counts each sample once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bench/group_backend.h"
#include "bench/load.h"
#include "bench/w1.h"
#include "server/ingest_front.h"

namespace waterflow::bench {
namespace {

constexpr W1Options kW1 = {.workers = 6, .metrics = 20, .steps = 50};

std::vector<WorkerLoad> Load(uint32_t batch_rows) {
  std::vector<WorkerLoad> workers;
  for (const WorkerRows& worker : MakeW1(kW1)) {
    WorkerLoad& load = workers.emplace_back();
    load.run_id = std::string(32, '0');
    load.rank = worker.rank;
    load.schemas = {worker.lanes[0].metrics};
    load.batches = EncodeLane(0, worker.lanes[0], batch_rows);
    load.round = {.row = kW1.steps, .step = kW1.steps, .time_ns = 1000};
  }
  return workers;
}

class SinkTest : public testing::Test {
 protected:
  void SetUp() override {
    auto front = server::IngestFront::Start(
        {.listen = "127.0.0.1:0", .threads = 1, .ingest = {}, .services = {}},
        &backend_);
    ASSERT_TRUE(front.ok()) << front.status();
    front_ = *std::move(front);
    options_.address = "127.0.0.1:" + std::to_string(front_->port());
    options_.counters = [] { return OsCounters(); };
    options_.warmup = absl::Milliseconds(20);
    options_.window = absl::Seconds(30);
  }

  GroupBackend backend_;
  std::unique_ptr<server::IngestFront> front_;
  LoadOptions options_;
};

TEST_F(SinkTest, EveryBatchIsAckedOnce) {
  options_.shape = LoadShape::kOnce;
  for (const uint32_t connections : {1, 6}) {
    options_.connections = connections;
    const absl::StatusOr<LoadResult> result = RunLoad(options_, Load(16));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->total_samples, 6 * 20 * 50);
    EXPECT_EQ(result->counts.samples, 6 * 20 * 50);
    EXPECT_EQ(result->counts.batches, 6 * 4);
    EXPECT_EQ(result->counts.ack_ns.count(), 6 * 4);
    EXPECT_EQ(backend_.pending_bytes(), 0);
  }
}

TEST_F(SinkTest, FloodGoesOnPastTheEndOfTheWorkload) {
  options_.threads = 2;
  options_.window = absl::Milliseconds(300);
  const absl::StatusOr<LoadResult> result = RunLoad(options_, Load(1));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->total_samples, 0);
  EXPECT_GE(result->total_samples, result->counts.samples);
}

TEST_F(SinkTest, LiveSendsARowAPeriodAndStream) {
  options_.shape = LoadShape::kLive;
  options_.period = absl::Milliseconds(10);
  options_.window = absl::Milliseconds(300);
  const absl::StatusOr<LoadResult> result = RunLoad(options_, Load(1));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(result->total_samples, 0);
  // Open loop: never more than what was due.
  EXPECT_LE(result->counts.batches, 6 * 40);
}

TEST_F(SinkTest, AServerThatIsNotThereIsAnError) {
  front_->Shutdown(absl::ZeroDuration());
  const absl::StatusOr<LoadResult> result = RunLoad(options_, Load(16));
  EXPECT_FALSE(result.ok());
}

}  // namespace
}  // namespace waterflow::bench
