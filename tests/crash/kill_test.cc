// SIGKILL at random moments while workers stream: what was acked is there
// exactly once, and a resend in batches cut differently changes nothing.
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/client_programs.h"
#include "tests/e2e/stream_client.h"
#include "tests/from_environment.h"
#include "waterflow/v1/ingest.grpc.pb.h"
#include "waterflow/v1/query.grpc.pb.h"
#include "waterflow/v1/tracking.grpc.pb.h"

namespace waterflow {
namespace {

constexpr int kWorkers = 4;
constexpr int kMetrics = 3;
constexpr int kKills = 12;

double ValueOf(int worker, int metric, uint64_t row) {
  return static_cast<double>(row * 7 + worker) / (metric + 3);
}

template <typename T>
std::string Bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()),
          values.size() * sizeof(T)};
}

// One worker that logs rows in order until it is told that the run is over, on
// as many connections as it takes.
class Worker {
 public:
  Worker(int rank, std::string run_id, uint64_t seed)
      : rank_(rank), run_id_(std::move(run_id)), random_(seed) {}

  // Streams over one connection until it breaks or the run is over.
  void Life(const std::string& address) {
    testing::StreamClient client(
        grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
    v1::Open open;
    open.set_run_id(run_id_);
    open.mutable_worker()->set_rank(rank_);
    open.set_stream_id(std::string(15, 's') + static_cast<char>('0' + rank_));
    if (!client.SendOpen(open)) return;
    const auto opened = client.Receive();
    if (!opened.has_value() || !opened->has_opened()) return;
    uint64_t known = 0;
    for (const v1::Lane& lane : opened->opened().lanes()) {
      known = lane.next_row();
    }
    // The promise: what was acked survived.
    ASSERT_GE(known, acked_) << "worker " << rank_ << " lost acked rows";
    if (!client.SendSchema(0, {"m0", "m1", "m2"})) return;
    // Some of what the server has is sent once more.
    uint64_t next = known - std::min<uint64_t>(known, Draw(0, 200));
    while (true) {
      const bool last = over_;
      const uint64_t rows = Draw(1, 400);
      if (!client.SendBatch(MakeBatch(next, rows))) return;
      next += rows;
      if (!client.ReceiveAck(0, next)) return;
      acked_ = std::max(acked_, client.last_ack().lanes(0).next_row());
      if (last) {
        done_ = true;
        return;
      }
    }
  }

  // From now on, the next ack is the last.
  void Finish() { over_ = true; }
  bool done() const { return done_; }
  // Rows that were acked, and once it is done, all rows.
  uint64_t acked() const { return acked_; }

 private:
  uint64_t Draw(uint64_t low, uint64_t high) {
    return std::uniform_int_distribution<uint64_t>(low, high)(random_);
  }

  v1::Batch MakeBatch(uint64_t first, uint64_t rows) {
    v1::Batch batch;
    batch.set_first_row(first);
    batch.set_rows(static_cast<uint32_t>(rows));
    std::vector<int64_t> steps(rows);
    for (uint64_t r = 0; r < rows; ++r) steps[r] = first + r;
    batch.set_steps(Bytes(steps));
    batch.set_times(Bytes(steps));
    for (int m = 0; m < kMetrics; ++m) {
      std::vector<double> values(rows);
      for (uint64_t r = 0; r < rows; ++r) {
        values[r] = ValueOf(rank_, m, first + r);
      }
      v1::Column* column = batch.add_columns();
      column->set_metric(m);
      column->set_type(v1::VALUE_TYPE_FLOAT64);
      column->set_values(Bytes(values));
    }
    return batch;
  }

  const int rank_;
  const std::string run_id_;
  std::mt19937_64 random_;
  uint64_t acked_ = 0;
  std::atomic<bool> over_{false};
  std::atomic<bool> done_{false};
};

void ExpectAllRowsOnce(const std::string& address, const std::string& run_id,
                       const std::vector<std::unique_ptr<Worker>>& workers) {
  auto stub = v1::Query::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  for (int m = 0; m < kMetrics; ++m) {
    grpc::ClientContext context;
    v1::ReadRequest request;
    request.add_run_ids(run_id);
    request.add_metrics("m" + std::to_string(m));
    auto reader = stub->Read(&context, request);
    std::vector<uint64_t> seen(kWorkers, 0);
    v1::ReadResponse part;
    while (reader->Read(&part)) {
      if (!part.has_part()) continue;
      const uint32_t rank = part.part().worker().rank();
      for (int i = 0; i < part.part().values_size(); ++i) {
        const uint64_t row = seen[rank]++;
        ASSERT_EQ(part.part().steps(i), static_cast<int64_t>(row))
            << "worker " << rank << ": a row is missing or there twice";
        ASSERT_EQ(part.part().values(i), ValueOf(rank, m, row));
      }
    }
    ASSERT_TRUE(reader->Finish().ok());
    for (int w = 0; w < kWorkers; ++w) EXPECT_EQ(seen[w], workers[w]->acked());
  }
}

TEST(Kill9, AckedRowsAreThereExactlyOnce) {
  // Small heads, so that kills hit seals too.
  setenv("WATERFLOW_MEMORY_LIMIT", "8M", 1);
  setenv("WATERFLOW_GATHER", "1ms", 1);
  const uint64_t seed =
      storage::FromEnvironment("WATERFLOW_CRASH_SEED", std::random_device()());
  SCOPED_TRACE(storage::ToRepeat("WATERFLOW_CRASH_SEED", seed));
  std::mt19937_64 random(seed);
  const cli::TemporaryFolder folder;
  cli::ServerProgram server(folder / "server");
  server.Start();
  auto tracking = v1::Tracking::NewStub(grpc::CreateChannel(
      server.address(), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::CreateRunResponse created;
  ASSERT_TRUE(
      tracking->CreateRun(&context, v1::CreateRunRequest(), &created).ok());
  const std::string run_id = created.run().id();

  std::mutex mutex;
  std::string address = server.address();
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<std::thread> threads;
  for (int w = 0; w < kWorkers; ++w) {
    workers.push_back(std::make_unique<Worker>(w, run_id, seed + w));
  }
  for (int w = 0; w < kWorkers; ++w) {
    threads.emplace_back([&, w] {
      while (!workers[w]->done() && !::testing::Test::HasFailure()) {
        std::string now;
        {
          const std::lock_guard<std::mutex> lock(mutex);
          now = address;
        }
        workers[w]->Life(now);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  }
  for (int kills = 0; kills < kKills; ++kills) {
    std::this_thread::sleep_for(std::chrono::milliseconds(
        std::uniform_int_distribution<int>(50, 600)(random)));
    server.Kill();
    server.Start();
    const std::lock_guard<std::mutex> lock(mutex);
    address = server.address();
  }
  for (const auto& worker : workers) worker->Finish();
  for (std::thread& thread : threads) thread.join();
  ExpectAllRowsOnce(server.address(), run_id, workers);
  // And once more from a log that was just replayed.
  server.Kill();
  server.Start();
  ExpectAllRowsOnce(server.address(), run_id, workers);
  EXPECT_EQ(server.Stop(), 0);
}

}  // namespace
}  // namespace waterflow
