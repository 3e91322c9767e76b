#include "tests/crash/stream_worker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <numeric>

#include "waterflow/v1/query.grpc.pb.h"
#include "waterflow/v1/tracking.grpc.pb.h"

namespace waterflow::testing {
namespace {

constexpr uint32_t kMetrics = 3;
constexpr size_t kMaxUnackedBatches = 8;

double ValueOf(uint32_t worker, uint32_t metric, uint64_t row) {
  return static_cast<double>(row * 7 + worker) / (metric + 3);
}

}  // namespace

void StreamWorker::Life(const std::string& address) {
  // A connection on which nothing arrives ends only by this.
  StreamClient client(ConnectAlone(address),
                      std::chrono::milliseconds(Draw(500, 4000)));
  ++lives_;
  v1::Open open;
  open.set_run_id(run_id_);
  open.mutable_worker()->set_rank(rank_);
  open.set_stream_id(std::string(15, 's') + static_cast<char>('0' + rank_));
  if (!client.SendOpen(open)) return;
  const auto opened = client.Receive();
  if (!opened.has_value() || !opened->has_opened()) return;
  uint64_t next = 0;
  for (const v1::Lane& lane : opened->opened().lanes()) next = lane.next_row();
  // The promise: what was acked survived.
  ASSERT_GE(next, acked_) << "worker " << rank_ << " lost acked rows";
  if (!client.SendSchema(0, {"m0", "m1", "m2"})) return;
  // Some of what the server has is sent once more.
  next -= std::min<uint64_t>(next, Draw(0, 200));
  std::deque<uint64_t> unacked;
  while (true) {
    const bool last = over_;
    const uint64_t rows = Draw(1, 400);
    if (!client.SendBatch(MakeBatch(next, rows))) return;
    next += rows;
    unacked.push_back(next);
    while (unacked.size() > (last ? 0 : Draw(0, kMaxUnackedBatches))) {
      if (!client.ReceiveAck(0, unacked.front())) {
        ASSERT_EQ(client.last_rejected().message(), "");
        return;
      }
      acked_ = std::max(acked_, client.last_ack().lanes(0).next_row());
      unacked.pop_front();
    }
    if (last) {
      done_ = true;
      return;
    }
  }
}

v1::Batch StreamWorker::MakeBatch(uint64_t first, uint64_t rows) const {
  std::vector<std::vector<double>> values(kMetrics);
  for (uint32_t m = 0; m < kMetrics; ++m) {
    for (uint64_t r = first; r < first + rows; ++r) {
      values[m].push_back(ValueOf(rank_, m, r));
    }
  }
  return DenseBatch(0, first, values, static_cast<int64_t>(first));
}

Crew::Crew(const std::string& address, uint32_t workers, uint64_t seed) {
  auto tracking = v1::Tracking::NewStub(ConnectAlone(address));
  grpc::ClientContext context;
  v1::CreateRunResponse created;
  EXPECT_TRUE(
      tracking->CreateRun(&context, v1::CreateRunRequest(), &created).ok());
  run_id_ = created.run().id();
  for (uint32_t w = 0; w < workers; ++w) {
    workers_.push_back(std::make_unique<StreamWorker>(w, run_id_, seed + w));
    threads_.emplace_back([worker = workers_.back().get(), address] {
      while (!worker->done() && !::testing::Test::HasFailure()) {
        worker->Life(address);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
  }
}

Crew::~Crew() { Finish(); }

void Crew::Finish() {
  for (const auto& worker : workers_) worker->Finish();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Crew::ExpectAllRowsOnce(const std::string& address) const {
  auto stub = v1::Query::NewStub(ConnectAlone(address));
  for (uint32_t m = 0; m < kMetrics; ++m) {
    grpc::ClientContext context;
    v1::ReadRequest request;
    request.add_run_ids(run_id_);
    request.add_metrics("m" + std::to_string(m));
    auto reader = stub->Read(&context, request);
    std::vector<uint64_t> seen(workers_.size(), 0);
    v1::ReadResponse answer;
    while (reader->Read(&answer)) {
      for (const v1::SeriesPart& part : answer.parts()) {
        const uint32_t rank = part.worker().rank();
        for (int i = 0; i < part.values_size(); ++i) {
          const uint64_t row = seen.at(rank)++;
          ASSERT_EQ(part.steps(i), static_cast<int64_t>(row))
              << "worker " << rank << ": a row is missing or there twice";
          ASSERT_EQ(part.values(i), ValueOf(rank, m, row));
        }
      }
    }
    ASSERT_TRUE(reader->Finish().ok());
    for (size_t w = 0; w < seen.size(); ++w) {
      EXPECT_EQ(seen[w], workers_[w]->acked());
    }
  }
}

uint64_t Crew::rows() const {
  return std::accumulate(
      workers_.begin(), workers_.end(), uint64_t{0},
      [](uint64_t sum, const auto& worker) { return sum + worker->acked(); });
}

int Crew::lives() const {
  return std::accumulate(
      workers_.begin(), workers_.end(), 0,
      [](int sum, const auto& worker) { return sum + worker->lives(); });
}

}  // namespace waterflow::testing
