// One session of a stream at a relay: checks each batch as the server would,
// drops rows that are stored already, refuses what can never be accepted, and
// queues the rest for the committer.
#ifndef WATERFLOW_STORAGE_RELAY_RELAY_SESSION_H_
#define WATERFLOW_STORAGE_RELAY_RELAY_SESSION_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/format/batch.h"
#include "storage/ingest_backend.h"
#include "storage/relay/relay_committer.h"
#include "storage/relay/relay_state.h"

namespace waterflow::storage {

class RelaySession final : public StreamSession {
 public:
  // `most_bytes` may wait for the upstream, over all streams.
  RelaySession(RelayState* state, RelayCommitter* committer,
               uint64_t most_bytes, std::shared_ptr<RelayStream> stream,
               std::shared_ptr<SessionState> shared,
               std::vector<LanePosition> held, std::vector<LanePosition> known);
  ~RelaySession() override;

  const std::vector<LanePosition>& known_lanes() const override {
    return known_;
  }
  absl::Status DeclareSchema(uint32_t schema,
                             std::vector<Metric> metrics) override;
  std::optional<Rejection> Append(BatchBody body) override;
  void Heartbeat(int64_t client_time_ns) override;

 private:
  struct OpenLane {
    RelayLane* lane = nullptr;
    std::shared_ptr<const std::vector<std::string>> names;
    // All rows below were queued by this session or were durable before it.
    uint64_t next_row = 0;
  };

  Rejection Refuse(absl::Status status, OpenLane* lane);
  RelayPending MakePending(RelayPending::Kind kind, uint32_t schema,
                           RelayLane* lane) const;

  RelayState* const state_;
  RelayCommitter* const committer_;
  const uint64_t most_bytes_;
  const std::shared_ptr<RelayStream> stream_;
  const std::shared_ptr<SessionState> shared_;
  const std::vector<LanePosition> held_;
  const std::vector<LanePosition> known_;
  absl::flat_hash_map<uint32_t, OpenLane> lanes_;
  BatchView view_;  // of the batch at hand
};

// RESOURCE_EXHAUSTED when as much waits for the upstream as may.
absl::Status CheckRelayRoom(const RelayState& state,
                            const RelayCommitter& committer,
                            uint64_t most_bytes);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_RELAY_RELAY_SESSION_H_
