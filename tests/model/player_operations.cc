// What each operation does.
#include <algorithm>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/format/batch.h"
#include "tests/model/player.h"

namespace waterflow::storage::model {
namespace {

using Kind = Operation::Kind;

std::string ProjectName(uint32_t number) { return absl::StrCat("p", number); }

}  // namespace

std::string Player::Do(const Operation& op) {
  ClientStream* const stream = StreamIn(op.stream);
  switch (op.kind) {
    case Kind::kCreateRun:
    case Kind::kDeleteRun:
    case Kind::kUpdateRun:
      return Track(op);
    case Kind::kCreateProject:
    case Kind::kUpdateProject:
    case Kind::kDeleteProject:
      return TrackProject(op);
    case Kind::kDeleteUnderWay:
      return DeleteUnderWay(op);
    case Kind::kRetainByAge:
      return RetainByAge(op);
    case Kind::kRetainBySize:
      return RetainBySize(op);
    case Kind::kOpen:
      return OpenStream(op);
    case Kind::kReconnect:
      return stream == nullptr ? "" : Reconnect(*stream);
    case Kind::kDrop:
      if (stream != nullptr) stream->Drop();
      return "";
    case Kind::kDeclare:
      return stream == nullptr ? "" : MakeReady(*stream, op.lane);
    case Kind::kAppend:
      return stream == nullptr ? "" : Append(op);
    case Kind::kBadBatch:
      return stream == nullptr ? "" : BadBatch(op);
    case Kind::kGap:
      return stream == nullptr ? "" : Gap(op);
    case Kind::kLose:
      return stream == nullptr ? "" : Lose(op);
    case Kind::kWait:
      return stream == nullptr ? "" : Wait(*stream);
    case Kind::kWrite:
      return Write(op, false);
    case Kind::kRepeatWrite:
      return Write(op, true);
    case Kind::kFlush: {
      const absl::Status s = engine_->Flush().status();
      return s.ok() || disk_->frozen() ? "" : "Flush: " + s.ToString();
    }
    case Kind::kCompare:
      return RunIn(op.run) == nullptr ? "" : Compare(runs_.at(op.run), op.seed);
    case Kind::kCompareAll:
      return Compare(std::nullopt, op.seed);
    case Kind::kRestart:
      return Restart();
    case Kind::kCrash:
      return Crash(op.seed);
    case Kind::kCrashAt:
      crash_seed_ = op.seed;
      freeze_after_ = static_cast<int>(op.y);
      freeze_at_ = static_cast<int>(op.x);
      return "";
    case Kind::kCheckpoint:
    case Kind::kBackup:
      return CompareCopy(op);
  }
  return "";
}

NaiveRun* Player::RunIn(uint32_t slot) {
  const auto it = runs_.find(slot);
  return it == runs_.end() ? nullptr : naive_.Find(it->second);
}

ClientStream* Player::StreamIn(uint32_t slot) {
  const auto it = streams_.find(slot);
  if (it == streams_.end()) return nullptr;
  return naive_.Find(it->second.options.run) == nullptr ? nullptr : &it->second;
}

Uuid Player::MakeUuid() {
  std::mt19937_64 random(seed_ * 1'000'003 + next_uuid_++);
  Uuid uuid;
  for (uint8_t& byte : uuid.bytes) byte = static_cast<uint8_t>(random());
  uuid.bytes[0] &= 0x7f;  // the barrier's begins with 0xff
  return uuid;
}

std::string Player::Failed(const char* call, const absl::Status& status,
                           Doubt doubt) {
  if (!disk_->frozen()) return absl::StrCat(call, ": ", status.ToString());
  doubt_ = std::move(doubt);
  return "";
}

std::string Player::Track(const Operation& op) {
  NaiveRun* const run = RunIn(op.run);
  Doubt doubt{.op = op,
              .project = ProjectName(op.x),
              .run = run == nullptr ? Uuid{} : run->id};
  switch (op.kind) {
    case Kind::kCreateRun: {
      if (run != nullptr) return "";
      CreateRunOptions& options = doubt.create;
      options.id = doubt.run = MakeUuid();
      options.project = doubt.project;
      options.name = absl::StrCat("run of ", op.seed);
      if (op.seed % 4 == 0) options.key = absl::StrCat("key ", op.seed % 3);
      options.params = {{"seed", absl::StrCat(op.seed)}};
      options.tags = {{"v", absl::StrCat(++next_tag_)}};
      if (op.seed % 5 == 0) {
        options.start_ns = static_cast<int64_t>(op.seed) * 1'000'000;
      }
      const auto created = engine_->CreateRun(options);
      if (!created.ok()) {
        return Failed("CreateRun", created.status(), doubt);
      }
      const bool is_new = naive_.CreateRun(options) != nullptr;
      if (created->second != is_new) return "CreateRun: new and known differ";
      runs_[op.run] = created->first.id;
      return "";
    }
    case Kind::kDeleteRun: {
      if (run == nullptr) return "";
      const absl::Status s = engine_->DeleteRun(run->id);
      if (!s.ok()) return Failed("DeleteRun", s, doubt);
      naive_.DeleteRun(doubt.run);
      ++counts_.deletes;
      return "";
    }
    default: {
      if (run == nullptr) return "";
      UpdateRunOptions& change = doubt.update;
      if (op.seed % 7 == 0) {
        // A param keeps its first value, and what came with it falls too.
        change.set_params["seed"] = "another";
        change.set_tags["v"] = "another";
        const absl::Status s = engine_->UpdateRun(run->id, change).status();
        return absl::IsFailedPrecondition(s) ? ""
                                             : "UpdateRun: set a param anew";
      }
      change.set_tags["v"] = absl::StrCat(++next_tag_);
      change.set_tags[absl::StrCat("t", op.seed % 5)] = absl::StrCat(op.seed);
      change.remove_tags = {absl::StrCat("t", op.seed / 5 % 5)};
      change.set_params[absl::StrCat("p", next_tag_)] = "x";
      if (op.seed % 2 == 0) {
        change.status = static_cast<RunStatus>(1 + op.seed / 2 % 5);
      }
      if (op.seed % 5 == 0) {
        change.end_ns = static_cast<int64_t>(op.seed) * 1'000'000'000;
      }
      if (op.seed % 3 == 0) change.name = absl::StrCat("name ", op.seed);
      const absl::Status s = engine_->UpdateRun(run->id, change).status();
      if (!s.ok()) return Failed("UpdateRun", s, doubt);
      naive_.UpdateRun(*run, change);
      return "";
    }
  }
}

std::string Player::TrackProject(const Operation& op) {
  Doubt doubt{.op = op, .project = ProjectName(op.x)};
  const bool known = naive_.projects().contains(doubt.project);
  switch (op.kind) {
    case Kind::kCreateProject: {
      const absl::Status s = engine_->CreateProject(doubt.project, {}).status();
      if (known) {
        return absl::IsAlreadyExists(s) ? "" : "CreateProject: made twice";
      }
      if (!s.ok()) return Failed("CreateProject", s, doubt);
      naive_.CreateProject(doubt.project, {});
      return "";
    }
    case Kind::kUpdateProject: {
      UpdateProjectOptions& change = doubt.update_project;
      change.set_tags["v"] = absl::StrCat(++next_tag_);
      change.set_tags[absl::StrCat("t", op.seed % 5)] = absl::StrCat(op.seed);
      change.remove_tags = {absl::StrCat("t", op.seed / 5 % 5)};
      const std::string new_name = ProjectName((op.x + op.seed) % 3);
      const bool taken =
          new_name != doubt.project && naive_.projects().contains(new_name);
      // No doubts of two names.
      if (op.seed % 4 == 0 && (taken || freeze_at_ < 0)) {
        change.new_name = new_name;
      }
      const absl::Status s =
          engine_->UpdateProject(doubt.project, change).status();
      if (!known) {
        return absl::IsNotFound(s) ? "" : "UpdateProject: there was none";
      }
      if (change.new_name.has_value() && taken) {
        return absl::IsAlreadyExists(s) ? "" : "UpdateProject: a name taken";
      }
      if (!s.ok()) return Failed("UpdateProject", s, doubt);
      naive_.UpdateProject(doubt.project, change);
      return "";
    }
    default: {
      const absl::Status s = engine_->DeleteProject(doubt.project).status();
      if (!known) {
        return absl::IsNotFound(s) ? "" : "DeleteProject: there was none";
      }
      if (!s.ok()) return Failed("DeleteProject", s, doubt);
      naive_.DeleteProject(doubt.project);
      return "";
    }
  }
}

std::string Player::OpenStream(const Operation& op) {
  NaiveRun* const run = RunIn(op.run);
  if (run == nullptr) return "";
  if (const auto it = streams_.find(op.stream); it != streams_.end()) {
    it->second.Drop();
    retired_.push_back(std::move(it->second));
    streams_.erase(it);
  }
  ClientStream& stream = streams_[op.stream];
  stream.seed = op.seed;
  stream.options.run = run->id;
  stream.options.worker.rank = op.x;
  stream.options.worker.role = op.x == 2 ? "eval" : "";
  stream.options.stream = MakeUuid();
  stream.options.attempt = op.y;
  if (op.y > 1 && op.seed % 2 == 0) {
    stream.options.resume_step = static_cast<int64_t>(op.seed / 2 % 300);
  }
  return Reconnect(stream);
}

std::string Player::Reconnect(ClientStream& stream) {
  // Also when the power goes in the middle of it: the client will try again.
  NaiveEngine::OpenStream(*naive_.Find(stream.options.run), stream.options);
  const absl::Status s = stream.Open(engine_.get(), {});
  if (!s.ok()) {
    return disk_->frozen() ? "" : absl::StrCat("OpenStream: ", s.ToString());
  }
  for (const LanePosition& known : stream.session->known_lanes()) {
    const auto lane = stream.lanes.find(known.schema);
    if (lane == stream.lanes.end()) return "OpenStream: knows a strange lane";
    if (known.next_row != lane->second.next && !disk_->frozen()) {
      return absl::StrCat("OpenStream: lane ", known.schema, " is at ",
                          known.next_row, ", the client at ",
                          lane->second.next);
    }
  }
  return "";
}

std::string Player::MakeReady(ClientStream& stream, uint32_t number) {
  if (stream.session == nullptr) {
    std::string wrong = Reconnect(stream);
    if (!wrong.empty() || stream.session == nullptr) return wrong;
  }
  const auto [it, is_new] =
      stream.lanes.try_emplace(number, stream.seed * 10 + number);
  if (it->second.declared) return "";
  const absl::Status s = stream.Declare(number);
  if (!s.ok()) {
    if (is_new) stream.lanes.erase(it);
    return disk_->frozen() ? "" : absl::StrCat("Declare: ", s.ToString());
  }
  const bool known =
      NaiveEngine::Declare(*naive_.Find(stream.options.run), stream.key(number),
                           it->second.content.Metrics(), std::nullopt);
  return known ? "" : "Declare: a lane's number stands for other names";
}

std::string Player::SendRows(ClientStream& stream, uint32_t number,
                             uint64_t first, uint64_t end, uint64_t cut) {
  NaiveRun& run = *naive_.Find(stream.options.run);
  ClientLane& lane = stream.lanes.at(number);
  std::mt19937_64 random(cut);
  while (first < end) {
    const uint32_t limit = static_cast<uint32_t>(
        std::min<uint64_t>(end - first, 1 + random() % 200));
    const uint32_t count = lane.content.RowsOfOneShape(first, limit);
    const auto stamp =
        std::make_shared<Stamp>(Stamp{.time_ns = absl::GetCurrentTimeNanos()});
    const auto rejected = stream.session->Append(
        BatchBody::Copy(lane.content.Batch(number, first, count, random())));
    if (rejected.has_value()) {
      return absl::StrCat("Append: ", rejected->status.ToString());
    }
    std::vector<NaiveRow> rows;
    for (uint32_t r = 0; r < count; ++r) {
      NaiveRow& row = rows.emplace_back(lane.content.Row(first + r));
      row.attempt = stream.options.attempt;
      row.stamp = stamp;
    }
    NaiveEngine::Append(run, stream.key(number), first, rows);
    counts_.rows += count;
    first += count;
    lane.next = std::max(lane.next, first);
    lane.sent = std::max(lane.sent, first);
  }
  return "";
}

std::string Player::Append(const Operation& op) {
  ClientStream& stream = *StreamIn(op.stream);
  std::string wrong = MakeReady(stream, op.lane);
  if (!wrong.empty() || disk_->frozen()) return wrong;
  ClientLane& lane = stream.lanes.at(op.lane);
  const uint64_t again = std::min<uint64_t>(op.y, lane.next - lane.base);
  return SendRows(stream, op.lane, lane.next - again, lane.next + op.x,
                  op.seed);
}

std::string Player::SendBad(ClientStream& stream, uint32_t number,
                            uint64_t first, uint64_t end, uint64_t how) {
  NaiveRun& run = *naive_.Find(stream.options.run);
  ClientLane& lane = stream.lanes.at(number);
  const auto rows = static_cast<uint32_t>(end - first);
  BatchBuilder batch(number, first, rows);
  switch (how % 3) {
    case 0:  // one value too many
      batch.Float64(0, std::vector<double>(rows + 1));
      break;
    case 1:  // no such metric
      batch.Float64(static_cast<uint32_t>(lane.content.names().size()),
                    std::vector<double>(rows));
      break;
    case 2: {  // no float64 holds it
      const std::vector<int64_t> values(rows, (int64_t{1} << 53) + 1);
      batch.Column(0, 1, ValueType::kInt64,
                   {reinterpret_cast<const char*>(values.data()), 8ull * rows});
      break;
    }
  }
  const auto rejected = stream.session->Append(BatchBody::Copy(batch.Build()));
  // Of a session that has ended.
  if (!rejected.has_value() && disk_->frozen()) return "";
  if (!rejected.has_value()) return "a bad batch was taken";
  if (rejected->status.code() != absl::StatusCode::kInvalidArgument ||
      rejected->rows != rows) {
    return absl::StrCat("a bad batch: ", rejected->status.ToString(), ", ",
                        rejected->rows, " rows of ", rows);
  }
  // Also when the power has gone since: it may be durable.
  NaiveEngine::Void(run, stream.key(number), end);
  lane.voids[first] = end;
  lane.next = std::max(lane.next, end);
  lane.sent = std::max(lane.sent, end);
  return "";
}

std::string Player::BadBatch(const Operation& op) {
  ClientStream& stream = *StreamIn(op.stream);
  std::string wrong = MakeReady(stream, op.lane);
  if (!wrong.empty() || disk_->frozen()) return wrong;
  ClientLane& lane = stream.lanes.at(op.lane);
  return SendBad(stream, op.lane, lane.next, lane.next + op.x, op.seed);
}

std::string Player::Gap(const Operation& op) {
  ClientStream& stream = *StreamIn(op.stream);
  std::string wrong = MakeReady(stream, op.lane);
  if (!wrong.empty() || disk_->frozen()) return wrong;
  ClientLane& lane = stream.lanes.at(op.lane);
  const auto rejected = stream.session->Append(
      BatchBody::Copy(lane.content.Batch(op.lane, lane.next + op.x, 1, 0)));
  if (disk_->frozen()) return "";
  if (!rejected.has_value() || rejected->rows != 0 ||
      rejected->status.code() != absl::StatusCode::kOutOfRange) {
    return "a gap was taken";
  }
  return "";
}

std::string Player::Lose(const Operation& op) {
  ClientStream& stream = *StreamIn(op.stream);
  std::string wrong = MakeReady(stream, op.lane);
  if (!wrong.empty() || disk_->frozen()) return wrong;
  ClientLane& lane = stream.lanes.at(op.lane);
  const uint64_t base = lane.next + op.x;
  if (!stream.Open(engine_.get(), {{op.lane, base}}).ok() ||
      !stream.Declare(op.lane).ok()) {
    return disk_->frozen() ? "" : "a client that lost rows cannot reopen";
  }
  NaiveEngine::Declare(*naive_.Find(stream.options.run), stream.key(op.lane),
                       lane.content.Metrics(), base);
  lane.base = lane.next = base;
  return "";
}

std::string Player::Write(const Operation& op, bool repeat) {
  NaiveRun* const run = RunIn(op.run);
  if (run == nullptr) return "";
  WriteOptions write;
  if (repeat) {
    const auto last = last_write_.find(op.run);
    if (last == last_write_.end() || last->second.run != run->id) return "";
    write = last->second;
  } else {
    std::mt19937_64 random(op.seed);
    write.run = run->id;
    write.worker.rank = op.x;
    write.attempt = op.y;
    if (op.seed % 2 == 0) {
      write.request_id = absl::StrCat("request ", ++next_tag_);
    }
    const size_t count = 1 + random() % 8;
    while (write.points.size() < count) {
      PointToWrite& p = write.points.emplace_back();
      p.metric = absl::StrCat("m", random() % 4);
      p.value = static_cast<double>(random() % 1000);
      if (random() % 4 != 0) p.step = static_cast<int64_t>(random() % 3);
      if (random() % 4 != 0) p.time_ns = static_cast<int64_t>(random() % 3);
    }
    last_write_[op.run] = write;
  }
  const int64_t now_ns = absl::GetCurrentTimeNanos();
  const auto written = engine_->Write(write);
  if (!written.ok()) {
    return Failed(
        "Write", written.status(),
        Doubt{.op = op, .write = write, .now_ns = now_ns, .run = run->id});
  }
  naive_.Write(*run, write, now_ns);
  return written->points == write.points.size() ? "" : "Write: points differ";
}

}  // namespace waterflow::storage::model
