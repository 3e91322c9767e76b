// The engine behind engine.h: one catalog, one log, one live state, and the
// threads that serve them. Split over files by what is asked of it:
// engine_open.cc (life), engine_tracking.cc, engine_search.cc,
// engine_table.cc, engine_bands.cc, engine_values.cc, engine_ingest.cc,
// engine_quota.cc, engine_selection.cc, engine_read.cc, engine_metrics.cc,
// engine_tail.cc, engine_keep.cc.
#ifndef WATERFLOW_STORAGE_ENGINE_CORE_H_
#define WATERFLOW_STORAGE_ENGINE_CORE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "storage/catalog/catalog.h"
#include "storage/database/database.h"
#include "storage/engine.h"
#include "storage/ingest/committer.h"
#include "storage/ingest/database_log.h"
#include "storage/ingest/live_state.h"
#include "storage/ingest/quota.h"
#include "storage/ingest/sealer.h"
#include "storage/ingest/session.h"
#include "storage/keep/disk_reserve.h"
#include "storage/keep/merger.h"
#include "storage/keep/periodic.h"
#include "storage/keep/retention.h"
#include "storage/model/mutex.h"
#include "storage/query/kept_latest.h"
#include "storage/query/lineage.h"
#include "storage/query/metric_matcher.h"
#include "storage/query/query_gate.h"
#include "storage/query/run_statistics.h"
#include "storage/search/run_search.h"

namespace waterflow::storage {

class EngineCore : public Engine, public SessionCatalog {
 public:
  EngineCore(EngineOptions options, std::unique_ptr<Database> database);
  ~EngineCore() override;

  absl::Status Recover();
  absl::Status Close() override;

  // Tracking.
  absl::StatusOr<Project> CreateProject(std::string name, Tags tags) override;
  absl::StatusOr<Project> GetProject(absl::string_view name) override;
  std::vector<Project> ListProjects() override;
  absl::StatusOr<Project> UpdateProject(
      absl::string_view name, const UpdateProjectOptions& change) override;
  absl::StatusOr<uint64_t> DeleteProject(absl::string_view name) override;
  absl::StatusOr<std::pair<Run, bool>> CreateRun(
      CreateRunOptions options) override;
  absl::StatusOr<Run> GetRun(const Uuid& run) override;
  absl::StatusOr<RunPage> ListRuns(absl::string_view project,
                                   uint32_t page_size,
                                   absl::string_view page_token) override;
  absl::StatusOr<SearchPage> SearchRuns(const SearchSpec& spec) override;
  absl::StatusOr<std::string> RunTable(const RunTableSpec& spec,
                                       const TableSink& sink) override;
  absl::StatusOr<Run> UpdateRun(const Uuid& run,
                                const UpdateRunOptions& change) override;
  absl::Status DeleteRun(const Uuid& run) override;

  // Values in.
  void OpenStream(StreamOptions options,
                  std::shared_ptr<StreamObserver> observer,
                  OpenedCallback done) override;
  size_t pending_bytes() const override { return committer_.pending_bytes(); }
  size_t max_pending_bytes() const override;
  absl::StatusOr<WriteResult> Write(WriteOptions options) override;

  // Values out.
  absl::StatusOr<ReadSummary> Read(const ReadSpec& spec,
                                   const PartSink& sink) override;
  absl::StatusOr<std::unique_ptr<Tail>> OpenTail(const TailSpec& spec) override;
  absl::StatusOr<std::vector<Metric>> ListMetrics(const Uuid& run) override;
  absl::StatusOr<MetricPage> FindMetrics(const MetricListSpec& spec) override;
  absl::StatusOr<std::vector<WorkerInfo>> ListWorkers(const Uuid& run) override;
  absl::StatusOr<std::vector<LastValue>> LastValues(
      const LastValuesSpec& spec) override;
  absl::StatusOr<ReadSummary> Bands(const BandsSpec& spec,
                                    const GroupSink& sink) override;
  absl::StatusOr<WorkerRanking> RankWorkers(
      const RankWorkersSpec& spec) override;
  absl::StatusOr<Stragglers> FindStragglers(
      const StragglersSpec& spec) override;
  absl::StatusOr<MissingWorkers> FindMissing(const MissingSpec& spec) override;

  // Keeping.
  EngineStats Stats() override;
  absl::StatusOr<uint64_t> Seal() override;
  absl::StatusOr<uint64_t> Flush() override;
  absl::StatusOr<uint64_t> Checkpoint(const std::string& path) override;
  absl::StatusOr<MadeBackup> Backup(const BackupOptions& options) override;
  absl::StatusOr<VerifyReport> Verify(const VerifyObserver& observer) override;

 private:
  friend class EngineTail;  // engine_tail.cc

  struct StreamName {
    RunId run;
    Uuid stream;
    friend bool operator==(const StreamName&, const StreamName&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const StreamName& s) {
      return H::combine(std::move(h), s.run, s.stream);
    }
  };

  // SessionCatalog.
  absl::StatusOr<std::shared_ptr<Lane>> DeclareLane(
      const LaneName& name, const std::vector<Metric>& metrics,
      std::optional<uint64_t> held_row) override;
  void NoteFirstStep(RunId run, uint32_t attempt, int64_t step) override;
  absl::Status CheckRunDisk(RunId run) override;
  void SessionClosed(const LaneName& stream,
                     const std::shared_ptr<SessionState>& state) override;

  absl::Status RecoverLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Registers the worker and the session, and has `done` called once that is
  // durable; or fails and leaves `done` alone.
  absl::Status OpenLogged(StreamOptions options,
                          std::shared_ptr<SessionState> shared,
                          const OpenedCallback& done);
  // Puts changes into the log, in the order in which the catalog made them.
  void Log(Changes changes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Answers a Write that was done before, or is about to be.
  absl::StatusOr<WriteResult> RepeatedWrite(const std::string& request_id);
  // Records that a run is gone and closes its streams.
  void DeleteLocked(RunId run, int64_t now_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // One look at what retention should remove.
  void Retain();
  std::vector<RetentionCandidate> RetentionCandidates()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Quotas. Each RESOURCE_EXHAUSTED names the limit and both numbers.
  std::shared_ptr<ProjectQuota> QuotaOf(ProjectId project)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  SessionQuota SessionQuotaOf(ProjectId project)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Project ToProject(ProjectId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckWorkerRoom(const RunState& run, const Worker& worker) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckProjectDisk(ProjectId id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRate(ProjectId id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Looks what projects with a limit take in files.
  void MeasureProjects();
  // Of a run in the files of a generation, about.
  uint64_t BytesIn(const Generation& generation, RunId run) const;
  // Before a group that holds rows: room on the disk, then in memory.
  absl::Status WaitForRoom();
  // Waits until everything logged so far is durable.
  absl::Status Barrier() { return committer_.CommitAndWait({}); }
  Run ToRun(const RunState& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // As it reads: LOST when it is silent.
  RunStatus StatusOf(const RunState& run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // OK; or UNAVAILABLE once closing has begun.
  absl::Status CheckOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Read() with runs and metrics by their names, and nothing derived.
  absl::StatusOr<ReadSummary> ReadSelected(const ReadSpec& spec,
                                           const PartSink& sink);
  // The ids of the runs that the filter finds, in its order.
  absl::StatusOr<std::vector<Uuid>> FindRunIds(
      const RunFilter& filter, const std::function<bool()>& cancelled);
  // Names of metrics of these runs that match.
  absl::StatusOr<std::vector<std::string>> MatchMetrics(
      const std::vector<Uuid>& runs, const MetricMatcher& matcher);
  // Calls `take` with the metrics of a run and of what it was forked from, some
  // at a time so that no lock is held for long; some may come twice.
  absl::Status ForEachMetric(
      const Uuid& run,
      const std::function<void(MetricId, const std::string& name)>& take);

  // As the nearest of these runs, of one lineage, says it.
  static Metric MetadataOf(absl::Span<const RunState* const> states,
                           MetricId id, const std::string& name);

  // What a read of these metrics (empty: all) and workers needs of a run and of
  // what it was forked from. Metrics that none of them has are left out.
  absl::StatusOr<Lineage> LineageOf(
      const Uuid& run, const std::vector<std::string>& metrics,
      const std::optional<std::vector<Worker>>& workers);
  // The run, what it was forked from, and so on.
  std::vector<const RunState*> LineageStates(const RunState& run) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of those named (none: of all) what any of these runs has, by name.
  std::vector<std::pair<std::string, MetricId>> MetricsOf(
      absl::Span<const RunState* const> states,
      const std::vector<std::string>& names) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Search. Brings the index up to what is durable now.
  void FollowCatalog() ABSL_EXCLUSIVE_LOCKS_REQUIRED(index_mutex_);
  // The columns of the query's fields, with every text in them.
  std::vector<RunIndex::Column> TextColumns(const SearchQuery& query)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(index_mutex_);
  // The same with the values of metrics that runs of these projects (null: all)
  // have.
  absl::StatusOr<std::vector<RunIndex::Column>> ReadColumns(
      const SearchQuery& query, const absl::flat_hash_set<ProjectId>* projects,
      const std::function<bool()>& cancelled);
  // Calls `take` with the runs of a page of a search, while the index stands
  // still, and returns the token of the next page.
  using PageTaker = std::function<void(
      const std::vector<uint32_t>& rows, const SearchQuery& query,
      const std::vector<RunIndex::Column>& columns)>;
  absl::StatusOr<std::string> FindPage(const SearchSpec& spec,
                                       const PageTaker& take);

  // Metrics of runs as single numbers (engine_values.cc).
  struct WantedValues {
    RunId run;
    Uuid id;
    std::vector<uint32_t> fields;  // of metrics
  };
  using Values = std::vector<std::optional<double>>;
  // For each run its fields' values; absent: it has none. No lock is held while
  // they are read.
  absl::StatusOr<std::vector<Values>> ReadValues(
      const std::vector<Field>& fields, absl::Span<const WantedValues> wanted,
      const std::function<bool()>& cancelled);
  // How a field is read of one run.
  struct FieldReading {
    bool exists = false;  // else the run has no value of it
    uint32_t metric = 0;  // in Readings::metrics
    Statistic statistic = Statistic::kLast;
    Reduction reduction = Reduction::kMean;
    Goal goal = Goal::kUnspecified;  // of best_of
  };
  struct RunReading {
    std::vector<FieldReading> fields;  // WantedValues::fields
    bool any = false;                  // has one of them
    // What it is made of: storage/format/latest.h. Empty: not all is sealed.
    std::string source;
  };
  struct Readings {
    std::vector<MetricId> metrics;  // of all fields, ascending
    std::vector<RunReading> runs;
  };
  Readings ReadingsOf(const std::vector<Field>& fields,
                      absl::Span<const WantedValues> wanted);
  // `states` is the run and what it was forked from.
  static FieldReading ReadingOf(const Field& field,
                                absl::Span<const RunState* const> states,
                                MetricId metric,
                                std::optional<MetricId> best_of);
  std::string SourceOf(absl::Span<const RunState* const> states)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // From what is kept of the run, or from its rows: then it is added to
  // `derived`.
  absl::Status ReadStatistics(const Readings& readings,
                              const WantedValues& wanted,
                              const RunReading& reading, KeptLatest* kept,
                              std::vector<DerivedRun>* derived, Values* values);
  using RunStatistics = std::vector<std::optional<MetricStatistics>>;
  absl::StatusOr<RunStatistics> DeriveStatistics(
      const Uuid& run, const std::vector<MetricId>& metrics);
  // Keeps what was derived, as far as it is still right.
  void Keep(std::vector<DerivedRun> derived);
  absl::Status ReadAllAtBest(const std::vector<Field>& fields,
                             const WantedValues& wanted,
                             const RunReading& reading,
                             const std::function<bool()>& cancelled,
                             Values* values);
  absl::StatusOr<std::optional<double>> ReadAtBest(
      const Uuid& run, const Field& field, Goal goal,
      const std::function<bool()>& cancelled);

  // Tables (engine_table.cc).
  struct TableRow {
    RunId run;
    Uuid id;
    Values known;  // of metrics, by column: first what the search read
  };
  absl::Status SendTable(const RunTableSpec& spec,
                         const std::vector<Field>& columns,
                         std::vector<TableRow> rows, const TableSink& sink);
  // Adds a row to the part, unless the run is gone, and its texts to
  // *text_bytes.
  void FillRow(const TableRow& row, const std::vector<Field>& columns,
               RunTablePart* part, size_t* text_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddAttribute(const RunState& state, Attribute attribute,
                    TableColumn* column, size_t* text_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<FoundRun> ToFoundRuns(
      const std::vector<uint32_t>& rows, const SearchQuery& query,
      const std::vector<RunIndex::Column>& columns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(index_mutex_);
  // Rows of the index that read as LOST.
  absl::flat_hash_set<uint32_t> LostRows()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(index_mutex_);
  // Whether a RUNNING run reads as LOST at that time.
  bool IsSilent(int64_t last_seen_ns, int64_t updated_ns, int64_t now_ns) const;

  // Bands (engine_bands.cc). The runs that have what is asked for, in groups.
  absl::StatusOr<std::vector<RunGroup>> GroupRuns(
      const BandsSpec& spec, const std::vector<Field>& fields,
      const std::vector<Uuid>& runs);
  // Of a metric of one run, reduced; adds to *total. False: it has no point.
  absl::StatusOr<bool> ReadOneRun(
      const ReadSpec& read, const std::function<void(const Bucket&)>& take,
      ReadSummary* total);
  // Positions of all rows of these runs; absent: there are none.
  absl::StatusOr<std::optional<Interval>> SpanOf(
      const BandsSpec& spec, const std::vector<RunGroup>& groups);
  absl::Status BandsAlongAxis(const BandsSpec& spec,
                              std::vector<RunGroup>& groups,
                              const GroupSink& sink, ReadSummary* summary);
  absl::Status BandsAlongMetric(const BandsSpec& spec,
                                std::vector<RunGroup>& groups,
                                const GroupSink& sink, ReadSummary* summary);

  const EngineOptions options_;
  const std::unique_ptr<Database> database_;
  LiveState state_;
  DatabaseLog log_;
  Merger merger_;
  Sealer sealer_;
  DiskReserve disk_reserve_;
  Committer committer_;
  IngestCounters counters_;

  RowRate server_rows_;
  QueryGate query_gate_;

  // Lock order: fill_mutex_, index_mutex_, measure_mutex_, mutex_, then the
  // locks of committer_ and state_.
  Mutex fill_mutex_;  // who reads values for the index: each is read once
  Mutex index_mutex_;
  RunIndex index_ ABSL_GUARDED_BY(index_mutex_);
  Mutex measure_mutex_;
  using RunBytes = absl::flat_hash_map<RunId, uint64_t>;
  absl::flat_hash_map<GenerationId, RunBytes> measured_
      ABSL_GUARDED_BY(measure_mutex_);
  Mutex mutex_;
  Catalog catalog_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<StreamName, std::shared_ptr<SessionState>> streams_
      ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<ProjectId, std::shared_ptr<ProjectQuota>> quotas_
      ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ = false;
  int64_t opened_ns_ = 0;
  uint64_t replayed_rows_ = 0;
  Periodic retention_;
  Periodic quota_look_;
  std::atomic<bool> backing_up_{false};
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_ENGINE_CORE_H_
