// The store as the rules of docs/design.md describe it, without a thought for
// speed: a vector of rows per schema and worker, every question answered by
// looking at all of them. What the real engine says is compared with this.
//
// Batches are not bytes here: the player knows which rows it put into one.
#ifndef WATERFLOW_TESTS_MODEL_NAIVE_ENGINE_H_
#define WATERFLOW_TESTS_MODEL_NAIVE_ENGINE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "storage/engine.h"

namespace waterflow::storage::model {

// A lane by its client's names.
struct LaneKey {
  Worker worker;
  Uuid stream;
  uint32_t number = 0;
  friend auto operator<=>(const LaneKey&, const LaneKey&) = default;
};

// A time that the server gave to the rows of a batch. Until an answer has shown
// it, time_ns is a moment just before it, which is enough to put rows in order.
struct Stamp {
  int64_t time_ns = 0;
  bool known = false;
};

struct NaiveRow {
  uint32_t attempt = 1;
  std::optional<int64_t> step;
  int64_t time_ns = 0;
  bool stamped = false;
  std::shared_ptr<Stamp> stamp;         // if it is stamped
  std::map<uint32_t, uint64_t> values;  // bits of a float64, by column
  // Where it came from.
  LaneKey lane;
  uint64_t lane_row = 0;

  int64_t time() const { return stamped ? stamp->time_ns : time_ns; }
};

struct NaiveLane {
  uint32_t schema = 0;
  uint64_t next_row = 0;
  // The attempt of its last row that had a step; 0: none had.
  uint32_t stepped_attempt = 0;
};

struct NaiveAttempt {
  std::optional<int64_t> resume_step;
  std::optional<int64_t> first_step;
};

struct NaiveLost {
  LaneKey lane;
  uint32_t schema = 0;
  uint64_t first_row = 0;
  uint64_t end_row = 0;
};

// What is said of a metric, and by which lane at which row: once that row is
// acked, it is durable.
struct NaiveMetadata {
  Metric metric;
  LaneKey lane;
  uint64_t row = 0;
  bool durable = false;
};

struct NaiveProject {
  Tags tags;
  int64_t retention_age_ns = 0;
};

struct NaiveRun {
  Uuid id;
  std::string project;
  std::string name;
  std::string key;
  RunStatus status = RunStatus::kRunning;
  Tags params;
  Tags tags;
  std::optional<int64_t> start_ns;
  // Absent: some time that the server gave.
  std::optional<int64_t> end_ns = 0;
  std::set<Worker> workers;
  std::vector<std::vector<std::string>> schemas;  // in the order they came
  std::map<std::pair<uint32_t, Worker>, std::vector<std::shared_ptr<NaiveRow>>>
      rows;
  std::map<LaneKey, NaiveLane> lanes;
  std::map<uint32_t, NaiveAttempt> attempts;
  std::map<std::string, NaiveMetadata> metadata;
  std::vector<NaiveLost> lost;

  // The first of equal schemas; a new one at the end.
  uint32_t Schema(const std::vector<std::string>& names);
  uint64_t RowCount(const std::optional<Worker>& worker = std::nullopt) const;
  uint64_t ValueCount() const;
  std::set<std::string> Metrics() const;
};

// A point of an answer; `row` is where it comes from.
struct NaivePoint {
  NaiveRow* row = nullptr;
  uint64_t bits = 0;
};

class NaiveEngine {
 public:
  // ---- tracking ----
  // False: that name stands for a project already.
  bool CreateProject(const std::string& name, const Tags& tags);
  void UpdateProject(const std::string& name,
                     const UpdateProjectOptions& change);
  bool DeleteProject(const std::string& name);
  // Null: an id that was used before, or a key that names another run.
  NaiveRun* CreateRun(const CreateRunOptions& options);
  bool DeleteRun(const Uuid& run);
  void UpdateRun(NaiveRun& run, const UpdateRunOptions& change);
  NaiveRun* Find(const Uuid& run);
  const std::map<Uuid, NaiveRun>& runs() const { return runs_; }
  const std::map<std::string, NaiveProject>& projects() const {
    return projects_;
  }
  const std::set<Uuid>& deleted() const { return deleted_; }

  // ---- values in ----
  static void OpenStream(NaiveRun& run, const StreamOptions& options);
  // False: the number stands for other names.
  static bool Declare(NaiveRun& run, const LaneKey& lane,
                      const std::vector<Metric>& metrics,
                      std::optional<uint64_t> held);
  // Rows first_row ... of a lane, all good: keeps those that are new.
  static void Append(NaiveRun& run, const LaneKey& lane, uint64_t first_row,
                     const std::vector<NaiveRow>& rows);
  // Rows that were refused for good count as delivered.
  static void Void(NaiveRun& run, const LaneKey& lane, uint64_t end_row);
  static void NoteFirstStep(NaiveRun& run, uint32_t attempt, int64_t step);
  // False: the request was done before.
  bool Write(NaiveRun& run, const WriteOptions& write, int64_t now_ns);
  // What a crash left of a lane: nothing at or beyond `next_row`.
  static void Truncate(NaiveRun& run, const LaneKey& lane, uint64_t next_row);

  // ---- values out ----
  // Points of each worker in axis order: of the metric and those workers, on
  // that axis and in those ranges that `spec` names.
  static std::map<Worker, std::vector<NaivePoint>> Raw(
      const NaiveRun& run, const std::string& metric, const ReadSpec& spec);
  // The rows that Raw() has points of, and those between that lack the metric.
  static std::vector<const NaiveRow*> Rows(const NaiveRun& run,
                                           const std::string& metric,
                                           const ReadSpec& spec);
  static std::vector<LastValue> LastValues(const NaiveRun& run,
                                           const LastValuesSpec& spec);
  // Whether a later attempt hides rows of `attempt` at `step`.
  static bool Hidden(const NaiveRun& run, const NaiveRow& row);

 private:
  std::map<std::string, NaiveProject> projects_;
  std::map<Uuid, NaiveRun> runs_;
  std::set<Uuid> deleted_;
  std::map<std::string, uint64_t> requests_;
};

}  // namespace waterflow::storage::model

#endif  // WATERFLOW_TESTS_MODEL_NAIVE_ENGINE_H_
