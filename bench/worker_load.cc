#include "bench/worker_load.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace waterflow::bench {
namespace {

// Coprime to any sensible number of workers.
constexpr uint64_t kRoundStride = 97;

}  // namespace

const EncodedBatch* BatchCursor::Peek() const {
  if (round_ > 0 && !repeat_) return nullptr;
  const size_t from = (worker_ + round_ * kRoundStride) % workers_.size();
  const std::vector<EncodedBatch>& batches = workers_[from].batches;
  return batches.empty() ? nullptr : &batches[batch_];
}

Shift BatchCursor::shift() const {
  const Shift& round = workers_[worker_].round;
  const auto n = static_cast<int64_t>(round_);
  return {round.row * round_, round.step * n, round.time_ns * n};
}

void BatchCursor::Advance() {
  if (++batch_ < workers_[worker_].batches.size()) return;
  batch_ = 0;
  ++round_;
}

std::vector<WorkerLoad> EncodeWorkers(
    const Dataset& dataset, uint32_t batch_rows,
    const std::map<std::string, std::string>& run_ids) {
  std::map<std::string, uint32_t> world_size;
  for (const WorkerRows& worker : dataset) ++world_size[worker.run];
  std::vector<WorkerLoad> loads;
  for (const WorkerRows& worker : dataset) {
    WorkerLoad& load = loads.emplace_back();
    load.run_id = run_ids.at(worker.run);
    load.rank = worker.rank;
    load.world_size = world_size[worker.run];
    for (const LaneRows& lane : worker.lanes) {
      auto batches = EncodeLane(static_cast<uint32_t>(load.schemas.size()),
                                lane, batch_rows);
      load.schemas.push_back(lane.metrics);
      std::move(batches.begin(), batches.end(),
                std::back_inserter(load.batches));
    }
    if (!load.batches.empty()) {
      const LaneRows& lane = worker.lanes[0];
      // A round goes on where the one before ended.
      load.round = {.row = lane.rows(),
                    .step = static_cast<int64_t>(lane.rows()),
                    .time_ns = lane.round_ns()};
    }
    std::stable_sort(load.batches.begin(), load.batches.end(),
                     [](const EncodedBatch& a, const EncodedBatch& b) {
                       return a.times_ns.front() < b.times_ns.front();
                     });
  }
  return loads;
}

}  // namespace waterflow::bench
