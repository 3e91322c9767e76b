// The one door to the store. Start reading here.
//
//   auto engine = Engine::Open({.data_dir = "/var/lib/waterflow"});
//   auto run = (*engine)->CreateRun({.project = "lm"});
//   (*engine)->OpenStream(...)            // values in:
//   storage/ingest_backend.h
//   (*engine)->Read(spec, [](SeriesPart part) { ... });      // and out: read.h
//
// An LSM of rows over one RocksDB: the log is its write-ahead log, heads its
// memtable, a generation its sorted run. docs/design.md tells the whole story,
// docs/format.md the bytes.
//
// Thread-safe. Writes of the catalog return when they are durable. Errors:
// NOT_FOUND, ALREADY_EXISTS, INVALID_ARGUMENT (field, value and limit),
// FAILED_PRECONDITION, RESOURCE_EXHAUSTED (no room on the disk; the write may
// still take effect later), DATA_LOSS (a checksum; the message names the key),
// UNAVAILABLE (closing).
#ifndef WATERFLOW_STORAGE_ENGINE_H_
#define WATERFLOW_STORAGE_ENGINE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "storage/backup.h"
#include "storage/ingest_backend.h"
#include "storage/metric_list.h"
#include "storage/model/ids.h"
#include "storage/model/limits.h"
#include "storage/model/records.h"
#include "storage/read.h"
#include "storage/run_bands.h"
#include "storage/run_table.h"
#include "storage/tail.h"
#include "storage/verify.h"
#include "storage/worker_questions.h"

namespace rocksdb {
class Env;
}

namespace waterflow::storage {

// When an ack may be sent.
enum class SyncPolicy : uint8_t {
  kAlways,    // after the group's fdatasync
  kInterval,  // after the fdatasync that runs each sync_interval
  kOff,       // after the write; a power cut may lose it, a dead process not
};

// A quarter of the machine's memory, or of the control group's limit.
uint64_t DefaultMemoryLimitBytes();

// A run that retention took.
struct RemovedRun {
  Uuid id;
  std::string project;
  std::string name;
  int64_t last_write_ns = 0;
  uint64_t bytes = 0;    // in files, about
  bool for_age = false;  // else for the total size
};

struct EngineOptions {
  std::string data_dir;
  SyncPolicy sync = SyncPolicy::kAlways;
  absl::Duration sync_interval = absl::Milliseconds(10);
  // Heads, memtables and caches together; storage/model/memory_plan.h says who
  // gets how much.
  uint64_t memory_limit_bytes = DefaultMemoryLimitBytes();
  // What a query may hold at a time; one that takes more is refused.
  uint64_t query_memory_bytes = uint64_t{256} << 20;
  // So many metrics are read for queries at a time, of them so many that have
  // more than 4 Mi rows; the others wait. 0: four for each core, and one for
  // each two.
  uint32_t light_queries = 0;
  uint32_t heavy_queries = 0;
  // A group commits when this old or this large; at once while groups are
  // small, because then nobody else is about to come.
  absl::Duration gather = absl::Milliseconds(5);
  uint64_t group_bytes = uint64_t{4} << 20;
  // Rows are sealed at this age at the latest.
  absl::Duration seal_age = absl::Minutes(5);
  // So many generations of small chunks are merged into one, and so many of
  // those again; 0: none ever.
  uint32_t merge_fan_in = 8;
  // Rows in memory at which heads are sealed, instead of that share of the
  // memory; 0: that share. Tests seal all the time.
  uint64_t seal_bytes = 0;
  // Rows are refused while less than this is free on the disk. Absent: 1 GiB,
  // or a twentieth of the disk if that is less.
  std::optional<uint64_t> disk_reserve_bytes = std::nullopt;
  // Retention: runs are deleted this long after their last write (0: never;
  // a project may say otherwise), and the oldest ones while all runs together
  // take more than so many bytes of files (0: no limit).
  absl::Duration retention_age = absl::ZeroDuration();
  uint64_t retention_bytes = 0;
  absl::Duration retention_interval = absl::Minutes(1);
  // Rows that all streams together may log in a second; 0: no limit. Projects
  // may have a limit of their own.
  uint64_t max_rows_per_second = 0;
  uint32_t max_workers_per_run = kDefaultMaxWorkersPerRun;
  // How often is looked what projects with a max_disk_bytes take.
  absl::Duration quota_interval = absl::Seconds(10);
  // Called for each run that retention removed.
  std::function<void(const RemovedRun&)> on_run_removed = nullptr;
  // For tests of faults; null: the machine's own. Not owned.
  rocksdb::Env* env = nullptr;
  // For tests that die at a given moment; null in production. Called on the
  // thread that gets there, with its locks held: no call of the engine is
  // allowed in it. The points, in the order of a row's way:
  //   commit:before_log    a group is encoded, nothing of it is written
  //   commit:after_log     it is durable, and not yet applied
  //   commit:before_ack    it is applied, and nobody was told
  //   seal:before_files    heads were taken
  //   seal:after_files     files are written, and not yet ingested
  //   seal:after_ingest    they are in, and no commit names them
  //   seal:after_commit    the generation exists; readers still look into heads
  //   seal:before_reclaim  readers look into the generation; the log is not yet
  //                        trimmed
  //   seal:after_reclaim
  //   merge:after_files    a merged generation's files are written
  //   merge:before_ingest
  //   merge:after_ingest   they are in, and no commit names them
  //   merge:after_commit   it has taken the place of its parts
  //   merge:after_drop     files of parts that nobody reads are gone
  //   delete:after_record  a delete is durable, and its seal not yet asked for
  //   recover:before_drop  before uncommitted generations are dropped
  //   recover:in_replay    before each group of the log that is replayed
  //   recover:after_replay
  std::function<void(absl::string_view point)> at_point = nullptr;
};

struct CreateRunOptions {
  std::string project = "default";
  std::string name;
  std::optional<Uuid> id;
  std::string key;
  Tags params;
  Tags tags;
  std::optional<int64_t> start_ns;
  std::optional<Fork> fork_from;
};

struct UpdateRunOptions {
  std::optional<RunStatus> status;
  std::optional<int64_t> end_ns;
  std::optional<std::string> name;
  Tags set_params;
  Tags set_tags;
  std::vector<std::string> remove_tags;
};

struct UpdateProjectOptions {
  std::optional<std::string> new_name;
  Tags set_tags;
  std::vector<std::string> remove_tags;
  std::optional<int64_t> retention_age_ns = std::nullopt;
  std::optional<uint64_t> max_rows_per_second = std::nullopt;
  std::optional<uint64_t> max_disk_bytes = std::nullopt;
};

struct RunPage {
  std::vector<Run> runs;
  std::string next_page_token;
};

// A question to all runs. The meaning of every field is that of
// SearchRunsRequest.
struct SearchSpec {
  std::vector<std::string> projects;  // empty: all
  std::string filter;
  std::vector<std::string> order_by;
  uint32_t page_size = 0;
  std::string page_token;
  // Asked now and then; the search ends with CANCELLED when it says so.
  std::function<bool()> cancelled = nullptr;
};

struct FoundRun {
  Run run;
  // Of the metrics that the search names, those that the run has.
  std::vector<std::pair<std::string, double>> metrics;
};

struct SearchPage {
  std::vector<FoundRun> runs;
  std::string next_page_token;
};

// One point of the unary door.
struct PointToWrite {
  std::string metric;
  double value = 0;
  std::optional<int64_t> step;
  std::optional<int64_t> time_ns;
};

struct WriteOptions {
  Uuid run;
  Worker worker;
  std::vector<PointToWrite> points;
  std::string request_id;
  uint32_t attempt = 1;
};

struct WriteResult {
  uint64_t points = 0;
  Position position;
};

struct EngineStats {
  uint32_t format_version = 0;
  std::string storage_version;
  uint64_t projects = 0;
  uint64_t runs = 0;
  uint64_t rows = 0;
  uint64_t values = 0;
  uint64_t open_streams = 0;
  uint64_t unsealed_bytes = 0;
  uint64_t unsealed_limit_bytes = 0;
  uint64_t generations = 0;
  uint64_t sst_bytes = 0;
  uint64_t wal_bytes = 0;
  uint64_t manifest_bytes = 0;
  uint64_t disk_free_bytes = 0;
  uint64_t disk_reserve_bytes = 0;
  uint64_t memory_limit_bytes = 0;
  uint64_t memtable_bytes = 0;
  uint64_t cache_bytes = 0;
  uint64_t search_bytes = 0;
  uint64_t commit_groups = 0;
  uint64_t commit_bytes = 0;
  uint64_t batches = 0;
  uint64_t duplicate_rows = 0;
  uint64_t rejected_batches = 0;
  uint64_t seals = 0;
  uint64_t seal_cpu_ns = 0;
  // Rows that the log held when the store was opened.
  uint64_t replayed_rows = 0;
  uint64_t seal_bytes = 0;  // of the files that seals wrote
  uint64_t merges = 0;
  uint64_t merge_cpu_ns = 0;
  uint64_t merge_bytes = 0;  // of the files that merges wrote
  // Of generations, rewritten by RocksDB's own compaction: 0.
  uint64_t compacted_bytes = 0;
};

// The library below the store and how it was built, for example "RocksDB 7.8.3
// (Debian's, assertions on, hardware crc32c)".
std::string StorageVersion();

class Engine : public IngestBackend {
 public:
  // Creates the store when the folder is empty or missing, else recovers it:
  // drops generations that never committed and replays the log.
  // FAILED_PRECONDITION when another process holds the folder, or when its
  // format has a version that this build does not read (both versions are
  // named).
  static absl::StatusOr<std::unique_ptr<Engine>> Open(EngineOptions options);

  // Commits what was appended, then closes. Ends open sessions with
  // UNAVAILABLE. Also done by the destructor.
  virtual absl::Status Close() = 0;

  // ---- tracking ----
  virtual absl::StatusOr<Project> CreateProject(std::string name,
                                                Tags tags) = 0;
  virtual absl::StatusOr<Project> GetProject(absl::string_view name) = 0;
  virtual std::vector<Project> ListProjects() = 0;  // by name
  virtual absl::StatusOr<Project> UpdateProject(
      absl::string_view name, const UpdateProjectOptions& change) = 0;
  // Returns how many runs went with it.
  virtual absl::StatusOr<uint64_t> DeleteProject(absl::string_view name) = 0;

  // The bool: whether it is new (false: the key named an existing run).
  virtual absl::StatusOr<std::pair<Run, bool>> CreateRun(
      CreateRunOptions options) = 0;
  virtual absl::StatusOr<Run> GetRun(const Uuid& run) = 0;
  // Newest first; an empty project lists all.
  virtual absl::StatusOr<RunPage> ListRuns(absl::string_view project,
                                           uint32_t page_size,
                                           absl::string_view page_token) = 0;
  virtual absl::StatusOr<SearchPage> SearchRuns(const SearchSpec& spec) = 0;
  // Returns the token of the next page; empty: there are no more rows.
  virtual absl::StatusOr<std::string> RunTable(const RunTableSpec& spec,
                                               const TableSink& sink) = 0;
  virtual absl::StatusOr<Run> UpdateRun(const Uuid& run,
                                        const UpdateRunOptions& change) = 0;
  virtual absl::Status DeleteRun(const Uuid& run) = 0;

  // ---- values ----
  virtual absl::StatusOr<WriteResult> Write(WriteOptions options) = 0;
  virtual absl::StatusOr<ReadSummary> Read(const ReadSpec& spec,
                                           const PartSink& sink) = 0;
  // The subscription begins at this moment.
  virtual absl::StatusOr<std::unique_ptr<Tail>> OpenTail(
      const TailSpec& spec) = 0;
  // All of a run, by name.
  virtual absl::StatusOr<std::vector<Metric>> ListMetrics(const Uuid& run) = 0;
  virtual absl::StatusOr<MetricPage> FindMetrics(
      const MetricListSpec& spec) = 0;
  virtual absl::StatusOr<std::vector<WorkerInfo>> ListWorkers(
      const Uuid& run) = 0;
  virtual absl::StatusOr<std::vector<LastValue>> LastValues(
      const LastValuesSpec& spec) = 0;
  // One metric of many runs along one axis.
  virtual absl::StatusOr<ReadSummary> Bands(const BandsSpec& spec,
                                            const GroupSink& sink) = 0;
  virtual absl::StatusOr<WorkerRanking> RankWorkers(
      const RankWorkersSpec& spec) = 0;
  virtual absl::StatusOr<Stragglers> FindStragglers(
      const StragglersSpec& spec) = 0;
  virtual absl::StatusOr<MissingWorkers> FindMissing(
      const MissingSpec& spec) = 0;

  // ---- keeping ----
  virtual EngineStats Stats() = 0;
  // Seals all that was appended before; returns the rows sealed.
  virtual absl::StatusOr<uint64_t> Seal() = 0;
  // Seals all that is durable, merges what is worth it and compacts; returns
  // the rows sealed.
  virtual absl::StatusOr<uint64_t> Flush() = 0;
  // Returns the bytes of the copy.
  virtual absl::StatusOr<uint64_t> Checkpoint(const std::string& path) = 0;
  // Copies all that is durable into a folder of backups, while ingest goes on;
  // files that are there from an earlier one are not copied again. ABORTED
  // while another backup is made.
  virtual absl::StatusOr<MadeBackup> Backup(const BackupOptions& options) = 0;
  // Reads all that is stored at this moment, while ingest goes on.
  virtual absl::StatusOr<VerifyReport> Verify(
      const VerifyObserver& observer) = 0;
};

// The same for a store that no process has open; nothing of it is changed.
// NOT_FOUND when the folder holds none, FAILED_PRECONDITION when it is in use.
absl::StatusOr<VerifyReport> VerifyOffline(const EngineOptions& options,
                                           const VerifyObserver& observer);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_ENGINE_H_
