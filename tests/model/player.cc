#include "tests/model/player.h"

#include <algorithm>
#include <filesystem>
#include <tuple>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/model/compare.h"
#include "tests/points.h"

namespace waterflow::storage::model {
namespace {

// Its creation is a barrier: it answers when all before it is durable.
CreateRunOptions BarrierRun() {
  CreateRunOptions options;
  options.project = "barrier";
  options.name = "barrier";
  options.key = "barrier";
  options.id.emplace().bytes[0] = 0xff;
  return options;
}

}  // namespace

Player::Player(std::string dir, uint64_t seed)
    : dir_(std::move(dir)),
      seed_(seed),
      disk_(std::make_shared<PowerLossFileSystem>(dir_ + "/data")),
      env_(rocksdb::NewCompositeEnv(disk_)) {
  options_.data_dir = dir_ + "/data";
  options_.env = env_.get();
  options_.memory_limit_bytes = 8 << 20;
  options_.gather = absl::Microseconds(seed % 2 == 0 ? 0 : 300);
  options_.group_bytes = seed % 3 == 0 ? 2 << 10 : 64 << 10;
  options_.seal_bytes = seed % 5 == 0   ? 4 << 10
                        : seed % 5 == 1 ? 1 << 20
                                        : 40 << 10;
  // Looks at all runs all the time, and takes none unless an operation says so.
  options_.retention_interval = absl::Milliseconds(3);
  options_.retention_bytes = seed % 4 == 0 ? uint64_t{1} << 60 : 0;
  options_.at_point = [this](absl::string_view point) {
    const int at = freeze_at_.load();
    if (at < 0 || point != kPoints[at]) return;
    if (freeze_after_.fetch_sub(1) == 1) disk_->Freeze();
  };
}

Player::~Player() { Stop(); }

std::string Player::Play(const std::vector<Operation>& operations) {
  std::string wrong = Start();
  if (wrong.empty() && !engine_->CreateRun(BarrierRun()).ok()) {
    wrong = "the barrier's run cannot be made";
  }
  naive_.CreateRun(BarrierRun());
  for (size_t i = 0; wrong.empty() && i < operations.size(); ++i) {
    ++counts_.operations;
    if (disk_->frozen()) wrong = Crash(crash_seed_);
    if (wrong.empty()) wrong = Do(operations[i]);
    if (!wrong.empty()) {
      return absl::StrCat("operation ", i, " ", operations[i].ToString(), ": ",
                          wrong);
    }
  }
  return wrong;
}

std::string Player::Start() {
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Open(options_);
  if (engine.ok()) {
    engine_ = *std::move(engine);
  } else if (!disk_->frozen()) {
    return absl::StrCat("Open: ", engine.status().ToString());
  }
  return "";
}

void Player::Stop() {
  for (auto& [slot, stream] : streams_) stream.Drop();
  for (ClientStream& stream : retired_) stream.Drop();
  if (engine_ != nullptr) {
    const EngineStats stats = engine_->Stats();
    counts_.seals += stats.seals;
    counts_.merges += stats.merges;
  }
  engine_.reset();
}

std::string Player::Restart() {
  ++counts_.restarts;
  Stop();
  if (disk_->frozen()) return "";
  return Start();
}

std::string Player::Crash(uint64_t seed) {
  do {
    ++counts_.crashes;
    disk_->Freeze();
    Stop();
    // A point of recovery waits for one; if it is behind us, it has had its
    // day.
    const int at = freeze_at_;
    if (at >= 0 &&
        (!absl::StartsWith(kPoints[at], "recover:") || freeze_after_ <= 0)) {
      freeze_at_ = -1;
    }
    disk_->Crash(static_cast<Torn>(seed % 3), seed);
    if (std::string wrong = Start(); !wrong.empty()) return wrong;
    ++seed;
  } while (disk_->frozen());
  return Settle();
}

std::string Player::Settle() {
  if (doubt_.has_value() && doubt_->op.kind == Operation::Kind::kRetainByAge) {
    // Before clients come back to runs that are still being taken.
    if (std::string wrong = SettleDoubt(); !wrong.empty()) return wrong;
  }
  struct LaneLeft {
    uint32_t schema;
    ClientStream* stream;
    uint32_t number;
    uint64_t known;
  };
  std::vector<LaneLeft> lanes;
  std::vector<ClientStream*> streams;
  for (auto& [slot, stream] : streams_) streams.push_back(&stream);
  for (ClientStream& stream : retired_) streams.push_back(&stream);
  for (ClientStream* stream : streams) {
    NaiveRun* const run = naive_.Find(stream->options.run);
    if (run == nullptr) continue;
    const absl::Status opened = stream->Open(engine_.get(), {});
    if (absl::IsNotFound(opened) && doubt_.has_value()) continue;
    if (!opened.ok()) return absl::StrCat("reopen: ", opened.ToString());
    std::vector<LanePosition> held;
    for (auto& [number, lane] : stream->lanes) {
      const auto in_naive = run->lanes.find(stream->key(number));
      if (in_naive == run->lanes.end()) continue;
      uint64_t known = 0;
      for (const LanePosition& l : stream->session->known_lanes()) {
        if (l.schema == number) known = l.next_row;
      }
      for (auto& [name, said] : run->metadata) {
        if (said.lane == stream->key(number) &&
            said.row < stream->book->acked(number)) {
          said.durable = true;
        }
      }
      if (known < stream->book->acked(number) || known > lane.next) {
        return absl::StrCat("after a crash, lane ", number, " is at row ",
                            known, "; acked were ", stream->book->acked(number),
                            ", sent were ", lane.next);
      }
      NaiveEngine::Truncate(*run, stream->key(number), known);
      lanes.push_back({in_naive->second.schema, stream, number, known});
      if (known < lane.base) held.push_back({number, lane.base});
    }
    if (held.empty()) continue;
    if (absl::Status s = stream->Open(engine_.get(), held); !s.ok()) {
      return absl::StrCat("reopen with held rows: ", s.ToString());
    }
  }
  if (std::string wrong = SettleMetadata(); !wrong.empty()) return wrong;
  // Schemas that are gone are made again in the order they had.
  std::sort(
      lanes.begin(), lanes.end(), [](const LaneLeft& a, const LaneLeft& b) {
        return std::tie(a.schema, a.number) < std::tie(b.schema, b.number);
      });
  for (const LaneLeft& left : lanes) {
    ClientStream& stream = *left.stream;
    ClientLane& lane = stream.lanes.at(left.number);
    if (absl::Status s = stream.Declare(left.number); !s.ok()) {
      return absl::StrCat("declare again: ", s.ToString());
    }
    NaiveEngine::Declare(*naive_.Find(stream.options.run),
                         stream.key(left.number), lane.content.Metrics(),
                         lane.base);
    for (uint64_t row = std::max(left.known, lane.base); row < lane.next;) {
      // The next rows that were refused, and the good ones before them.
      auto bad = lane.voids.lower_bound(row);
      if (bad != lane.voids.begin() && std::prev(bad)->second > row) --bad;
      const bool in_bad = bad != lane.voids.end() && bad->first <= row;
      const uint64_t end = in_bad                    ? bad->second
                           : bad != lane.voids.end() ? bad->first
                                                     : lane.next;
      std::string wrong = in_bad ? SendBad(stream, left.number, row, end, row)
                                 : SendRows(stream, left.number, row, end, row);
      if (!wrong.empty()) return wrong;
      row = end;
    }
  }
  for (ClientStream* stream : streams) {
    if (std::string wrong = Wait(*stream); !wrong.empty()) return wrong;
  }
  std::string wrong = SettleDoubt();
  return wrong.empty() ? Compare(std::nullopt, seed_) : wrong;
}

// What was said of metrics and never promised may be gone: the first to say it
// again is believed.
std::string Player::SettleMetadata() {
  for (const auto& [id, unused] : naive_.runs()) {
    NaiveRun& run = *naive_.Find(id);
    const auto listed = engine_->ListMetrics(id);
    if (!listed.ok()) continue;  // in doubt
    std::map<std::string, Metric> kept;
    for (const Metric& metric : *listed) kept[metric.name] = metric;
    for (auto it = run.metadata.begin(); it != run.metadata.end();) {
      const auto found = kept.find(it->first);
      if (found != kept.end() && found->second == it->second.metric) {
        ++it;
        continue;
      }
      if (it->second.durable) {
        return absl::StrCat("metadata of ", it->first, " is lost");
      }
      run.metadata.erase(it++);
    }
  }
  return "";
}

std::string Player::SettleDoubt() {
  if (!doubt_.has_value()) return "";
  const Doubt doubt = *std::exchange(doubt_, std::nullopt);
  NaiveRun* const run = naive_.Find(doubt.run);
  const absl::StatusOr<Run> got = engine_->GetRun(doubt.run);
  switch (doubt.op.kind) {
    case Operation::Kind::kCreateRun:
      if (got.ok()) naive_.CreateRun(doubt.create);
      break;
    case Operation::Kind::kDeleteRun:
    case Operation::Kind::kDeleteUnderWay:
      if (absl::IsNotFound(got.status())) naive_.DeleteRun(doubt.run);
      break;
    case Operation::Kind::kUpdateRun:
      if (got.ok() && got->tags.at("v") == doubt.update.set_tags.at("v")) {
        naive_.UpdateRun(*run, doubt.update);
      }
      break;
    case Operation::Kind::kCreateProject:
      if (engine_->GetProject(doubt.project).ok()) {
        naive_.CreateProject(doubt.project, {});
      }
      break;
    case Operation::Kind::kUpdateProject:
      if (const auto now = engine_->GetProject(doubt.project); now.ok()) {
        const auto tag = now->tags.find("v");
        if (tag != now->tags.end() &&
            tag->second == doubt.update_project.set_tags.at("v")) {
          naive_.UpdateProject(doubt.project, doubt.update_project);
        }
      }
      break;
    case Operation::Kind::kRetainByAge: {
      UpdateProjectOptions keep;
      keep.retention_age_ns = 0;
      const auto kept = engine_->UpdateProject(doubt.project, keep);
      if (!kept.ok()) return "UpdateProject: " + kept.status().ToString();
      naive_.UpdateProject(doubt.project, keep);
      NoteRemoved(doubt.removable);
      break;
    }
    case Operation::Kind::kRetainBySize:
      NoteRemoved(doubt.removable);
      break;
    case Operation::Kind::kDeleteProject: {
      // Run by run: it is not one change.
      std::vector<Uuid> gone;
      for (const auto& [id, r] : naive_.runs()) {
        if (r.project == doubt.project && !engine_->GetRun(id).ok()) {
          gone.push_back(id);
        }
      }
      for (const Uuid& id : gone) naive_.DeleteRun(id);
      if (!engine_->GetProject(doubt.project).ok()) {
        naive_.DeleteProject(doubt.project);
      }
      break;
    }
    case Operation::Kind::kWrite:
    case Operation::Kind::kRepeatWrite:
      if (got.ok() && got->row_count != run->RowCount()) {
        naive_.Write(*run, doubt.write, doubt.now_ns);
      }
      break;
    default:
      break;
  }
  return "";
}

std::string Player::Wait(ClientStream& stream) {
  if (naive_.Find(stream.options.run) == nullptr) return "";
  for (const auto& [number, lane] : stream.lanes) {
    const bool acked = stream.book->WaitFor(number, lane.sent,
                                            [this] { return disk_->frozen(); });
    if (acked || disk_->frozen()) continue;
    const auto ended = stream.observer->ended();
    return absl::StrCat("lane ", number, ": ", stream.book->acked(number),
                        " rows were acked of ", lane.sent, " that were sent; ",
                        ended.has_value() ? ended->ToString() : "not ended");
  }
  return "";
}

std::string Player::Quiesce() {
  for (auto& [slot, stream] : streams_) {
    if (std::string wrong = Wait(stream); !wrong.empty()) return wrong;
  }
  for (ClientStream& stream : retired_) {
    if (std::string wrong = Wait(stream); !wrong.empty()) return wrong;
  }
  const absl::Status barrier = engine_->CreateRun(BarrierRun()).status();
  if (disk_->frozen()) return "";
  if (!barrier.ok()) return absl::StrCat("barrier: ", barrier.ToString());
  retired_.clear();
  for (const auto& [id, unused] : naive_.runs()) {
    for (auto& [name, said] : naive_.Find(id)->metadata) said.durable = true;
  }
  return "";
}

std::string Player::Compare(const std::optional<Uuid>& only, uint64_t seed) {
  if (std::string wrong = Quiesce(); !wrong.empty()) return wrong;
  if (disk_->frozen()) return "";
  ++counts_.compares;
  if (std::string d = CompareCatalog(engine_.get(), naive_); !d.empty()) {
    return d;
  }
  for (const auto& [id, unused] : naive_.runs()) {
    if (only.has_value() && id != *only) continue;
    std::string d = CompareRun(engine_.get(), *naive_.Find(id), seed);
    if (!d.empty()) return d;
  }
  if (only.has_value() || seed % 4 != 0) return "";
  std::string wrong;
  VerifyObserver observer;
  observer.problem = [&wrong](const VerifyProblem& problem) {
    wrong = "Verify: " + problem.ToLine();
  };
  const absl::Status s = engine_->Verify(observer).status();
  return s.ok() ? wrong : "Verify: " + s.ToString();
}

}  // namespace waterflow::storage::model
