#include "tests/crash/workload.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/format/batch.h"

namespace waterflow::storage {
namespace {

constexpr uint64_t kMaxRows = 3000;  // of a worker; then its run is deleted
constexpr int kMetrics = 3;

Uuid UuidOf(uint32_t run) {
  Uuid uuid;
  uuid.bytes.fill(static_cast<uint8_t>(run + 1));
  return uuid;
}

std::string NameOf(int metric) { return absl::StrCat("m", metric); }

uint64_t BitsOf(uint32_t run, uint32_t worker, int metric, uint64_t row) {
  const uint64_t h =
      (row * 31 + worker * 7 + run * 3 + metric) * uint64_t{0x9e3779b97f4a7c15};
  if (metric == 0) return std::bit_cast<uint64_t>(static_cast<double>(row));
  if (metric == 1) return h;  // any pattern, NaNs too
  return std::bit_cast<uint64_t>(static_cast<double>(h >> 60) * 0.25);
}

std::string BatchOf(uint32_t run, uint32_t worker, uint64_t first,
                    uint32_t rows) {
  std::vector<int64_t> steps(rows);
  for (uint32_t r = 0; r < rows; ++r) {
    steps[r] = static_cast<int64_t>(first + r);
  }
  BatchBuilder batch(0, first, rows);
  batch.Steps(steps).Times(steps);
  for (int m = 0; m < kMetrics; ++m) {
    std::vector<double> values(rows);
    for (uint32_t r = 0; r < rows; ++r) {
      const uint64_t bits = BitsOf(run, worker, m, first + r);
      std::memcpy(&values[r], &bits, sizeof(bits));
    }
    batch.Float64(static_cast<uint32_t>(m), values);
  }
  return batch.Build();
}

StreamOptions Opening(uint32_t run, uint32_t worker) {
  StreamOptions options;
  options.run = UuidOf(run);
  options.worker.rank = worker;
  options.stream.bytes.fill(static_cast<uint8_t>(worker + 1));
  options.client_time_ns = 1;
  return options;
}

// Writes down what is acked where the test keeps it.
class JournalObserver : public RecordingObserver {
 public:
  explicit JournalObserver(std::atomic<uint64_t>* acked) : acked_(acked) {}
  void OnDurable(absl::Span<const LanePosition> lanes, Position position,
                 size_t bytes) override {
    for (const LanePosition& lane : lanes) {
      uint64_t before = acked_->load();
      while (before < lane.next_row &&
             !acked_->compare_exchange_weak(before, lane.next_row)) {
      }
    }
    RecordingObserver::OnDurable(lanes, position, bytes);
  }

 private:
  std::atomic<uint64_t>* const acked_;
};

// The path of a file that is being written; empty when there is none.
std::string UnfinishedFile(const std::string& dir) {
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().extension() == ".tmp") return entry.path().string();
  }
  return "";
}

}  // namespace

std::string Workload::Failed(const char* call,
                             const absl::Status& status) const {
  return options_.strict ? absl::StrCat(call, ": ", status.ToString()) : "";
}

// ---- what must be there ----

std::string Workload::Verify(Engine* engine, const std::string& dir) {
  uint64_t rows = 0;
  for (uint32_t run = 0; run < journal_->next_run; ++run) {
    std::string wrong = VerifyRun(engine, run, &rows);
    if (!wrong.empty()) return absl::StrCat("run ", run, ": ", wrong);
  }
  const EngineStats stats = engine->Stats();
  if (stats.rows != rows) {
    return absl::StrCat("Stats say ", stats.rows, " rows, there are ", rows);
  }
  // The merger may be at work again: its files go, those of the dead stay.
  std::string left = UnfinishedFile(dir);
  for (int i = 0; i < 1000 && !left.empty(); ++i) {
    absl::SleepFor(absl::Milliseconds(10));
    left = UnfinishedFile(dir);
  }
  return left.empty() ? "" : absl::StrCat("left behind: ", left);
}

std::string Workload::VerifyRun(Engine* engine, uint32_t run, uint64_t* rows) {
  Journal::RunEntry& entry = journal_->runs[run];
  const absl::StatusOr<Run> got = engine->GetRun(UuidOf(run));
  const bool there = got.ok();
  if (!there && !absl::IsNotFound(got.status())) {
    return got.status().ToString();
  }
  switch (entry.state) {
    case Journal::kNone:
      return there ? "is there and was never made" : "";
    case Journal::kCreating:
      // A name that was never made may be tried again.
      entry.state = there ? Journal::kLive : Journal::kNone;
      break;
    case Journal::kLive:
      if (!there) return "is lost";
      break;
    case Journal::kDeleting:
      entry.state = there ? Journal::kLive : Journal::kDeleted;
      break;
    case Journal::kDeleted:
      if (there) return "was deleted and is back";
      break;
  }
  if (!there) {
    CreateRunOptions again;
    again.id = UuidOf(run);
    if (entry.state == Journal::kDeleted &&
        !absl::IsFailedPrecondition(engine->CreateRun(again).status())) {
      return "was deleted and can be made again";
    }
    return "";
  }
  uint64_t of_run = 0;
  for (uint32_t worker = 0; worker < kWorkersOfRun; ++worker) {
    std::string wrong = VerifyWorker(engine, *journal_, run, worker, &of_run);
    if (!wrong.empty()) return absl::StrCat("worker ", worker, ": ", wrong);
  }
  if (got->row_count != of_run) {
    return absl::StrCat("row_count ", got->row_count, ", there are ", of_run);
  }
  *rows += of_run;
  return "";
}

std::string Workload::CheckReads(Engine* engine, const Journal& journal,
                                 uint32_t run, uint32_t worker) {
  const std::atomic<int>& state = journal.runs[run].state;
  if (state != Journal::kLive) return "";
  uint64_t rows = 0;
  std::string wrong = VerifyWorker(engine, journal, run, worker, &rows);
  return state == Journal::kLive ? wrong : "";
}

std::string Workload::VerifyWorker(Engine* engine, const Journal& journal,
                                   uint32_t run, uint32_t worker,
                                   uint64_t* rows) {
  for (int metric = 0; metric < kMetrics; ++metric) {
    ReadSpec spec;
    spec.runs = {UuidOf(run)};
    spec.metrics = {NameOf(metric)};
    spec.workers = {{Opening(run, worker).worker}};
    const uint64_t acked = journal.runs[run].acked[worker];
    uint64_t row = 0;
    std::string wrong;
    const auto read = engine->Read(spec, [&](SeriesPart part) {
      for (size_t i = 0; i < part.points.size() && wrong.empty(); ++i, ++row) {
        const uint64_t bits = std::bit_cast<uint64_t>(part.points.values[i]);
        if (part.points.steps[i] != static_cast<int64_t>(row)) {
          wrong = absl::StrCat("point ", row, " is step ", part.points.steps[i],
                               ": lost or doubled");
        } else if (bits != BitsOf(run, worker, metric, row)) {
          wrong = absl::StrCat("row ", row, " has other bits");
        }
      }
      return absl::OkStatus();
    });
    if (!wrong.empty()) return wrong;
    // Neither worker nor metric may have got there.
    if (!read.ok() && !absl::IsNotFound(read.status())) {
      return read.status().ToString();
    }
    const uint64_t sent = journal.runs[run].sent[worker];
    if (row < acked || row > sent) {
      return absl::StrCat("has ", row, " rows; acked ", acked, ", sent ", sent);
    }
    if (metric == 0) *rows += row;
  }
  return "";
}

// ---- what is done ----

std::string Workload::Step(Engine* engine) {
  std::vector<uint32_t> live;
  for (uint32_t run = 0; run < journal_->next_run; ++run) {
    if (journal_->runs[run].state == Journal::kLive) live.push_back(run);
  }
  if (live.empty() || (live.size() < 3 && Below(30) == 0)) {
    return CreateRun(engine);
  }
  const uint32_t run = live[Below(live.size())];
  const uint32_t worker = static_cast<uint32_t>(Below(kWorkersOfRun));
  const auto session = sessions_.find({run, worker});
  const bool full = journal_->runs[run].sent[worker] >= kMaxRows;
  if (full || Below(options_.hasty ? 15 : 60) == 0) {
    return DeleteRun(engine, run);
  }
  switch (Below(options_.hasty ? 8 : 24)) {
    case 0: {
      const absl::Status s = engine->Flush().status();
      return s.ok() ? "" : Failed("Flush", s);
    }
    case 1:  // the connection breaks
      if (session != sessions_.end()) sessions_.erase(session);
      return "";
    case 2:
    case 3:
    case 4: {  // the client waits
      if (session == sessions_.end()) return "";
      OpenSession& open = session->second;
      if (open.stream.observer->WaitFor(0, open.next_row)) return "";
      sessions_.erase(session);
      return options_.strict ? "an ack never came" : "";
    }
    default:
      return Append(engine, run, worker);
  }
}

std::string Workload::CreateRun(Engine* engine) {
  if (journal_->full()) return "";
  const uint32_t run = journal_->next_run;
  CreateRunOptions options;
  options.id = UuidOf(run);
  journal_->runs[run].state = Journal::kCreating;
  ++journal_->next_run;
  const absl::Status s = engine->CreateRun(options).status();
  if (!s.ok()) return Failed("CreateRun", s);
  journal_->runs[run].state = Journal::kLive;
  return "";
}

std::string Workload::DeleteRun(Engine* engine, uint32_t run) {
  journal_->runs[run].state = Journal::kDeleting;
  const absl::Status s = engine->DeleteRun(UuidOf(run));
  if (!s.ok()) return Failed("DeleteRun", s);
  journal_->runs[run].state = Journal::kDeleted;
  for (uint32_t worker = 0; worker < kWorkersOfRun; ++worker) {
    // What its clients still send brings nothing back.
    const auto session = sessions_.find({run, worker});
    if (session == sessions_.end()) continue;
    session->second.stream.Append(
        BatchOf(run, worker, session->second.next_row, 5));
    sessions_.erase(session);
  }
  return "";
}

std::string Workload::OpenSessionOf(Engine* engine, SessionKey key) {
  const auto [run, worker] = key;
  const Journal::RunEntry& entry = journal_->runs[run];
  TestStream stream;
  stream.observer =
      std::make_shared<JournalObserver>(&journal_->runs[run].acked[worker]);
  absl::Status s = OpenAndWait(engine, Opening(run, worker), &stream);
  if (!s.ok()) return Failed("OpenStream", s);
  uint64_t next = 0;
  if (!stream.session->known_lanes().empty()) {
    next = stream.session->known_lanes()[0].next_row;
  }
  if (next < entry.acked[worker] || next > entry.sent[worker]) {
    return absl::StrCat("run ", run, " worker ", worker, ": Opened says row ",
                        next, "; acked ", entry.acked[worker].load(), ", sent ",
                        entry.sent[worker].load());
  }
  std::vector<std::string> names;
  for (int m = 0; m < kMetrics; ++m) names.push_back(NameOf(m));
  if (s = stream.Declare(0, names); !s.ok()) return Failed("Declare", s);
  sessions_[key] = {std::move(stream), next};
  return "";
}

std::string Workload::Append(Engine* engine, uint32_t run, uint32_t worker) {
  const SessionKey key{run, worker};
  if (!sessions_.contains(key) || Below(20) == 0) {
    std::string wrong = OpenSessionOf(engine, key);
    if (!wrong.empty() || !sessions_.contains(key)) return wrong;
  }
  OpenSession& open = sessions_.at(key);
  // Some of it once more, cut anew.
  const uint64_t first =
      open.next_row - std::min<uint64_t>(open.next_row, Below(3) * Below(30));
  const auto rows =
      static_cast<uint32_t>(open.next_row - first + 1 + Below(100));
  std::atomic<uint64_t>& sent = journal_->runs[run].sent[worker];
  sent = std::max<uint64_t>(sent, first + rows);
  const auto rejected = open.stream.Append(BatchOf(run, worker, first, rows));
  if (rejected.has_value()) return "Append: " + rejected->status.ToString();
  open.next_row = first + rows;
  if (!options_.strict && open.stream.observer->ended()) sessions_.erase(key);
  return "";
}

}  // namespace waterflow::storage
