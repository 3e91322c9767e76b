// What goes and what is kept: runs that are deleted while clients send,
// retention, and copies of the store.
#include <algorithm>
#include <filesystem>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/model/compare.h"
#include "tests/model/player.h"

namespace waterflow::storage::model {
namespace {

bool HasEnded(const NaiveRun& run) {
  return run.status >= RunStatus::kFinished;
}

}  // namespace

// ---- deletes ----

std::string Player::DeleteUnderWay(const Operation& op) {
  NaiveRun* const run = RunIn(op.run);
  if (run == nullptr) return "";
  const Uuid id = run->id;
  std::vector<ClientStream*> streams;
  for (auto& [slot, stream] : streams_) {
    if (stream.options.run != id || stream.session == nullptr) continue;
    streams.push_back(&stream);
    for (auto& [number, lane] : stream.lanes) {
      if (!lane.declared) continue;
      std::string wrong = SendRows(stream, number, lane.next,
                                   lane.next + 1 + op.seed % 50, op.seed);
      if (!wrong.empty()) return wrong;
    }
  }
  // The power goes somewhere on the way, or just behind.
  const uint64_t cut = op.seed % 4;
  std::thread power;
  if (cut == 1) {
    power = std::thread([this, seed = op.seed] {
      absl::SleepFor(absl::Microseconds(seed / 4 % 2000));
      disk_->Freeze();
    });
  }
  const absl::Status deleted = engine_->DeleteRun(id);
  if (power.joinable()) power.join();
  if (cut <= 1) crash_seed_ = op.seed;
  if (cut == 0) disk_->Freeze();
  if (!deleted.ok()) {
    Doubt doubt;
    doubt.op = op;
    doubt.run = id;
    return Failed("DeleteRun", deleted, doubt);
  }
  ++counts_.deletes;
  naive_.DeleteRun(id);
  // Its clients have not heard of it yet.
  for (ClientStream* stream : streams) {
    for (auto& [number, lane] : stream->lanes) {
      if (!lane.declared) continue;
      stream->session->Append(
          BatchBody::Copy(lane.content.Batch(number, lane.next, 1, op.seed)));
    }
    const absl::Status opened = stream->Open(engine_.get(), {});
    if (!absl::IsNotFound(opened)) {
      return absl::StrCat("a stream of a deleted run: ", opened.ToString());
    }
  }
  return "";
}

// ---- retention ----

std::string Player::AwaitRemoval(const std::vector<Uuid>& runs) {
  const absl::Time deadline = absl::Now() + absl::Seconds(120);
  for (const Uuid& run : runs) {
    while (engine_->GetRun(run).ok() && !disk_->frozen()) {
      if (absl::Now() > deadline) {
        return absl::StrCat("retention left run ", run.ToHex());
      }
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
  return "";
}

void Player::NoteRemoved(const std::vector<Uuid>& runs) {
  for (const Uuid& run : runs) {
    if (!absl::IsNotFound(engine_->GetRun(run).status())) continue;
    naive_.DeleteRun(run);
    ++counts_.retained;
  }
}

std::string Player::RetainByAge(const Operation& op) {
  Doubt doubt;
  doubt.op = op;
  doubt.project = absl::StrCat("p", op.x);
  if (!naive_.projects().contains(doubt.project)) return "";
  if (std::string wrong = Quiesce(); !wrong.empty()) return wrong;
  if (disk_->frozen()) return "";
  // Some clients leave; those that stay keep their runs.
  std::set<Uuid> streaming;
  for (auto& [slot, stream] : streams_) {
    if ((op.seed >> slot) % 2 == 0) stream.Drop();
    if (stream.session != nullptr) streaming.insert(stream.options.run);
  }
  std::vector<Uuid> due;
  for (const auto& [id, run] : naive_.runs()) {
    if (run.project != doubt.project || !HasEnded(run)) continue;
    doubt.removable.push_back(id);  // after a crash nobody streams
    if (!streaming.contains(id)) due.push_back(id);
  }
  UpdateProjectOptions change;
  change.retention_age_ns = 1;
  absl::Status s = engine_->UpdateProject(doubt.project, change).status();
  if (!s.ok()) return Failed("UpdateProject", s, doubt);
  if (std::string wrong = AwaitRemoval(due); !wrong.empty()) return wrong;
  // What went before this is durable with it.
  change.retention_age_ns = 0;
  s = engine_->UpdateProject(doubt.project, change).status();
  if (!s.ok()) return Failed("UpdateProject", s, doubt);
  NoteRemoved(due);
  return "";
}

std::string Player::RetainBySize(const Operation& op) {
  if (std::string wrong = Quiesce(); !wrong.empty()) return wrong;
  const absl::Status flushed = engine_->Flush().status();
  if (disk_->frozen()) return "";
  if (!flushed.ok()) return "Flush: " + flushed.ToString();
  Doubt doubt;
  doubt.op = op;
  uint64_t values = 0;
  for (const auto& [id, run] : naive_.runs()) values += run.ValueCount();
  std::vector<Uuid> due;
  for (const auto& [id, run] : naive_.runs()) {
    if (!HasEnded(run)) continue;
    doubt.removable.push_back(id);
    // Of a run that is next to nothing no file may know a size.
    if (run.ValueCount() * 1000 > values) due.push_back(id);
  }
  const uint64_t limit_bytes = std::exchange(options_.retention_bytes, 1);
  std::string wrong = Restart();
  options_.retention_bytes = limit_bytes;
  if (wrong.empty() && !disk_->frozen()) wrong = AwaitRemoval(due);
  if (wrong.empty()) wrong = Restart();
  if (!wrong.empty()) return wrong;
  if (disk_->frozen()) {
    doubt_ = doubt;
    return "";
  }
  NoteRemoved(doubt.removable);
  return "";
}

// ---- copies ----

std::string Player::CompareCopy(const Operation& op) {
  if (std::string wrong = Quiesce(); !wrong.empty()) return wrong;
  if (disk_->frozen()) return "";
  const std::string path = dir_ + "/copy";
  BackupOptions to;
  to.path = dir_ + "/backups";
  to.keep = 2;
  to.verify = op.seed % 2 == 0;
  const bool is_backup = op.kind == Operation::Kind::kBackup;
  // No power cut meanwhile (docs/design.md, "What is not there yet").
  const int freeze_at = freeze_at_.exchange(-1);
  uint32_t id = 0;
  absl::Status made;
  std::thread copier([&] {
    if (is_backup) {
      const auto backup = engine_->Backup(to);
      made = backup.status();
      if (backup.ok()) id = backup->backup.id;
    } else {
      made = engine_->Checkpoint(path).status();
    }
  });
  std::map<LaneKey, uint64_t> acked;
  std::mt19937_64 random(op.seed);
  std::string wrong;
  for (int batch = 0; batch < 30; ++batch) {
    for (auto& [slot, stream] : streams_) {
      const NaiveRun* const run = naive_.Find(stream.options.run);
      if (run == nullptr) continue;
      for (auto& [number, lane] : stream.lanes) {
        const auto in_naive = run->lanes.find(stream.key(number));
        if (in_naive == run->lanes.end()) continue;
        acked.try_emplace(stream.key(number), in_naive->second.next_row);
        // Not those whose next row may say the attempt's first step.
        if (!lane.declared || random() % 8 != 0 || !wrong.empty() ||
            in_naive->second.stepped_attempt != stream.options.attempt) {
          continue;
        }
        wrong = SendRows(stream, number, lane.next,
                         lane.next + 1 + random() % 60, random());
      }
    }
    absl::SleepFor(absl::Microseconds(random() % 500));
  }
  copier.join();
  freeze_at_ = freeze_at;
  if (!wrong.empty()) return wrong;
  NaiveEngine expected = naive_;
  RestoreOptions restore;
  restore.from = to.path;
  restore.data_dir = path;
  if (made.ok() && is_backup) made = RestoreBackup(restore).status();
  wrong = made.ok() ? CompareStore(path, &expected, &acked, op.seed)
                    : made.ToString();
  if (is_backup && wrong.empty()) {
    backups_[id] = std::move(expected);
    while (backups_.size() > to.keep) backups_.erase(backups_.begin());
    // The older of them is what it was.
    restore.id = backups_.begin()->first;
    std::filesystem::remove_all(path);
    made = RestoreBackup(restore).status();
    wrong = made.ok() ? CompareStore(path, &backups_.begin()->second, nullptr,
                                     op.seed)
                      : made.ToString();
  }
  if (!wrong.empty()) {
    wrong = absl::StrCat("the copy, ", is_backup ? "backup " : "checkpoint ",
                         is_backup ? absl::StrCat(restore.id, " of ", id) : "",
                         ": ", wrong);
  }
  std::filesystem::remove_all(path);
  return wrong;
}

std::string Player::CompareStore(const std::string& path, NaiveEngine* expected,
                                 const std::map<LaneKey, uint64_t>* acked,
                                 uint64_t seed) {
  EngineOptions options = options_;
  options.data_dir = path;
  options.at_point = nullptr;
  const auto copy = Engine::Open(options);
  if (!copy.ok()) {
    return absl::StrCat("Open: ", copy.status().ToString());
  }
  ++counts_.copies;
  for (const auto& [slot, stream] : streams_) {
    NaiveRun* const run = expected->Find(stream.options.run);
    if (acked == nullptr || run == nullptr) continue;
    ClientStream asking;
    asking.options = stream.options;
    const absl::Status opened = asking.Open(copy->get(), {});
    if (!opened.ok()) return absl::StrCat("OpenStream: ", opened.ToString());
    for (const auto& [number, lane] : stream.lanes) {
      const auto durable = acked->find(stream.key(number));
      if (durable == acked->end()) continue;
      uint64_t known = 0;
      for (const LanePosition& l : asking.session->known_lanes()) {
        if (l.schema == number) known = l.next_row;
      }
      if (known < durable->second || known > lane.next) {
        return absl::StrCat("lane ", number, " is at row ", known,
                            "; acked were ", durable->second, ", sent were ",
                            lane.next);
      }
      NaiveEngine::Truncate(*run, stream.key(number), known);
    }
  }
  std::string wrong;
  VerifyObserver observer;
  observer.problem = [&wrong](const VerifyProblem& problem) {
    wrong = "Verify: " + problem.ToLine();
  };
  const auto verified = (*copy)->Verify(observer);
  if (!verified.ok()) return "Verify: " + verified.status().ToString();
  if (wrong.empty()) wrong = CompareCatalog(copy->get(), *expected);
  for (const auto& [id, unused] : expected->runs()) {
    if (!wrong.empty()) break;
    wrong = CompareRun(copy->get(), *expected->Find(id), seed);
  }
  return wrong;
}

}  // namespace waterflow::storage::model
