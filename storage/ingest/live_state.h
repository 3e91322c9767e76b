// What the log says beyond the last seal, in memory and ready to be read:
// heads, lanes, counts, and which generations there are. The committer and the
// replay at start put records in, the sealer takes all of it at once, readers
// take a snapshot. One lock guards it; nothing slow happens under it.
#ifndef WATERFLOW_STORAGE_INGEST_LIVE_STATE_H_
#define WATERFLOW_STORAGE_INGEST_LIVE_STATE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/database/database.h"
#include "storage/format/catalog_record.h"
#include "storage/ingest/generation.h"
#include "storage/ingest/lane.h"
#include "storage/ingest/unsealed.h"
#include "storage/model/mutex.h"

namespace waterflow::storage {

// One worker's unsealed batches, in row order.
struct HeadRows {
  WorkerId worker;
  std::vector<HeadBatchView> batches;
};

// Everything a reader of one run needs. Holds what it points to.
struct Snapshot {
  Position position;
  std::vector<std::shared_ptr<const Generation>> generations;  // oldest first
  // Per schema asked for; rows of an older Unsealed come first.
  absl::btree_map<SchemaId, std::vector<HeadRows>> heads;
  std::vector<std::shared_ptr<const HeadTable>> pins;  // of `heads`
};

// Rows of one worker and schema.
struct LaneRows {
  SchemaId schema;
  WorkerId worker;
  uint64_t rows = 0;
};

// Batches of a head that follow each other: rows [first_row, end_row).
struct HeadPart {
  uint64_t first_row = 0;
  uint64_t end_row = 0;
  std::vector<HeadBatchView> batches;
};

// A worker's rows of one schema from some row on: the front of it in
// generations, the rest in heads.
struct UnreadLane {
  SchemaId schema;
  WorkerId worker;
  uint64_t next_row = 0;
  uint64_t end_row = 0;
  std::vector<HeadPart> heads;  // in row order
};

// Holds what it points to.
struct UnreadRows {
  std::vector<std::shared_ptr<const Generation>> generations;  // oldest first
  std::vector<UnreadLane> lanes;
  bool cut = false;  // others have unread rows too
  std::vector<std::shared_ptr<const HeadTable>> pins;
};

class LiveState {
 public:
  explicit LiveState(const Database* database) : database_(database) {}

  // ---- at open ----
  void AddGeneration(Generation generation);
  void SetNextGeneration(GenerationId next);
  void RestoreCount(RunId run, SchemaId schema, WorkerId worker,
                    const RowCountValue& value);
  void SetPosition(Position position);

  // ---- lanes ----
  // Lanes of a stream, from memory and from disk.
  absl::StatusOr<std::vector<LanePosition>> KnownLanes(RunId run,
                                                       WorkerId worker,
                                                       const Uuid& stream);
  // Opens a lane for a session, or makes it. *is_new says that nothing of it
  // was stored yet. FAILED_PRECONDITION when it stands for another schema.
  absl::StatusOr<std::shared_ptr<Lane>> OpenLane(
      const LaneName& name, std::shared_ptr<const SchemaState> schema,
      bool* is_new);
  void CloseLane(const std::shared_ptr<Lane>& lane);
  uint64_t next_row(const Lane& lane);
  // Whether its durable rows say the first step that it logged in `attempt`.
  bool stepped_in(const Lane& lane, uint32_t attempt);
  // Finds or makes a lane without opening it: for replay.
  absl::StatusOr<std::shared_ptr<Lane>> LaneForReplay(
      const LaneName& name, std::shared_ptr<const SchemaState> schema);

  // ---- records, in log order ----
  // While one of these lives, the state is locked: a group is applied whole.
  class Applier {
   public:
    explicit Applier(LiveState* state, Position position);
    ~Applier();
    void Batch(Lane& lane, HeadBatch batch, uint64_t next_row, uint64_t values);
    void Void(Lane& lane, uint64_t next_row);
    void Change(absl::string_view key, std::optional<std::string> value);
    void Delete(RunId run);

   private:
    LiveState* const state_;
  };

  // ---- sealing ----
  size_t unsealed_bytes();
  // Of the heads that are open now, and when the oldest of them came.
  size_t open_bytes();
  absl::Time open_since();
  bool has_deleted();
  // Takes all there is, up to one position. Null when there is nothing. Must
  // be followed by FinishSeal before the next.
  std::shared_ptr<const Unsealed> BeginSeal();
  // From now on readers find these rows in `generation` (null: there were
  // none).
  void FinishSeal(std::shared_ptr<const Generation> generation);

  // ---- generations ----
  // A number that no generation had.
  GenerationId NewGenerationId();
  // Oldest first.
  std::vector<std::shared_ptr<const Generation>> generations();
  // Runs whose delete is durable. Their rows may stand in generations: nobody
  // asks for them, and merges leave them out.
  absl::flat_hash_set<RunId> deleted_runs();
  void NoteDeleted(RunId run);
  // `merged` (null: nothing was left) takes the place of `parts`.
  void ReplaceGenerations(
      absl::Span<const std::shared_ptr<const Generation>> parts,
      std::shared_ptr<const Generation> merged);

  // ---- reading ----
  Snapshot TakeSnapshot(RunId run, absl::Span<const SchemaId> schemas,
                        const absl::flat_hash_set<WorkerId>* workers);
  // By schema, then worker.
  std::vector<LaneRows> RowsOf(RunId run);
  // What each worker (null: of all) has of these schemas from `next_row_of` on:
  // lane by lane from `first_lane` on and then those before it, until these
  // have `max_rows`. What was read before costs nothing.
  UnreadRows TakeUnread(
      RunId run, absl::Span<const SchemaId> schemas,
      const absl::flat_hash_set<WorkerId>* workers,
      absl::FunctionRef<uint64_t(SchemaId, WorkerId)> next_row_of,
      std::pair<SchemaId, WorkerId> first_lane, uint64_t max_rows);
  // Zeros for a run that nothing is known of.
  RunActivity activity(RunId run);
  // Rows of each worker of a run.
  absl::flat_hash_map<WorkerId, uint64_t> worker_rows(RunId run);
  void Seen(RunId run, WorkerId worker, int64_t now_ns);
  // How many rows a run has, and whether some of them are in no generation yet.
  struct RunRows {
    uint64_t rows = 0;
    bool unsealed = false;
  };
  RunRows CountRows(RunId run);
  // When each was last heard of; 0: nothing is known.
  std::vector<int64_t> LastSeen(absl::Span<const RunId> runs);
  // Runs of which rows became visible since they were last named here.
  std::vector<RunId> TakeRunsWithNewRows();
  Position position();
  uint64_t total_rows();
  uint64_t total_values();

 private:
  struct CountKey {
    RunId run;
    SchemaId schema;
    WorkerId worker;
    friend auto operator<=>(const CountKey&, const CountKey&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const CountKey& k) {
      return H::combine(std::move(h), k.run, k.schema, k.worker);
    }
  };

  absl::StatusOr<std::shared_ptr<Lane>> FindLane(
      const LaneName& name, const std::shared_ptr<const SchemaState>& schema,
      bool* is_new) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Touch(const std::shared_ptr<Lane>& lane)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Head& HeadOf(Lane& lane) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void AddUnread(const Head& head, uint64_t max_rows, UnreadLane* lane);
  void NoteRecord() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lanes that no session holds and no seal must write are forgotten.
  void ForgetIdleLanes() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void InsertGeneration(std::shared_ptr<const Generation> generation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Database* const database_;

  Mutex mutex_;
  Position position_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Unsealed> open_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<Unsealed>();
  std::shared_ptr<const Unsealed> sealing_ ABSL_GUARDED_BY(mutex_);
  uint64_t epoch_ ABSL_GUARDED_BY(mutex_) = 1;
  // By Generation::first.
  std::vector<std::shared_ptr<const Generation>> generations_
      ABSL_GUARDED_BY(mutex_);
  GenerationId next_generation_ ABSL_GUARDED_BY(mutex_){1};
  absl::flat_hash_set<RunId> deleted_runs_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<LaneName, std::shared_ptr<Lane>> lanes_
      ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Lane>> touched_lanes_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<CountKey, std::unique_ptr<RowCount>> counts_
      ABSL_GUARDED_BY(mutex_);
  std::vector<CountKey> touched_counts_ ABSL_GUARDED_BY(mutex_);
  absl::node_hash_map<RunId, RunActivity> activity_ ABSL_GUARDED_BY(mutex_);
  std::vector<RunId> runs_with_new_rows_ ABSL_GUARDED_BY(mutex_);
  uint64_t total_rows_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t total_values_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_INGEST_LIVE_STATE_H_
