#include "tests/model/operations.h"

#include <array>
#include <iterator>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/points.h"

namespace waterflow::storage::model {
namespace {

using Kind = Operation::Kind;

struct KindInfo {
  Kind kind;
  const char* name;
  uint32_t weight;  // how often it comes, relative to the others
};

constexpr std::array kKinds = {
    KindInfo{Kind::kCreateRun, "CreateRun", 40},
    KindInfo{Kind::kDeleteRun, "DeleteRun", 8},
    KindInfo{Kind::kUpdateRun, "UpdateRun", 30},
    KindInfo{Kind::kCreateProject, "CreateProject", 4},
    KindInfo{Kind::kUpdateProject, "UpdateProject", 5},
    KindInfo{Kind::kDeleteProject, "DeleteProject", 2},
    KindInfo{Kind::kDeleteUnderWay, "DeleteUnderWay", 6},
    KindInfo{Kind::kRetainByAge, "RetainByAge", 10},
    KindInfo{Kind::kRetainBySize, "RetainBySize", 4},
    KindInfo{Kind::kOpen, "Open", 80},
    KindInfo{Kind::kReconnect, "Reconnect", 30},
    KindInfo{Kind::kDrop, "Drop", 20},
    KindInfo{Kind::kDeclare, "Declare", 80},
    KindInfo{Kind::kAppend, "Append", 500},
    KindInfo{Kind::kBadBatch, "BadBatch", 15},
    KindInfo{Kind::kGap, "Gap", 5},
    KindInfo{Kind::kLose, "Lose", 5},
    KindInfo{Kind::kWait, "Wait", 30},
    KindInfo{Kind::kWrite, "Write", 30},
    KindInfo{Kind::kRepeatWrite, "RepeatWrite", 8},
    KindInfo{Kind::kFlush, "Flush", 8},
    KindInfo{Kind::kCompare, "Compare", 25},
    KindInfo{Kind::kCompareAll, "CompareAll", 3},
    KindInfo{Kind::kRestart, "Restart", 8},
    KindInfo{Kind::kCrash, "Crash", 6},
    KindInfo{Kind::kCrashAt, "CrashAt", 10},
    KindInfo{Kind::kCheckpoint, "Checkpoint", 2},
    KindInfo{Kind::kBackup, "Backup", 3},
};

}  // namespace

std::string Operation::ToString() const {
  const char* name = "?";
  for (const KindInfo& info : kKinds) {
    if (info.kind == kind) name = info.name;
  }
  return absl::StrCat(name, "{run ", run, ", stream ", stream, ", lane ", lane,
                      ", x ", x, ", y ", y, ", seed ", seed, "}");
}

std::vector<Operation> RandomOperations(uint64_t seed, size_t count) {
  std::mt19937_64 random(seed);
  const auto below = [&random](uint32_t n) {
    return static_cast<uint32_t>(random() % n);
  };
  uint32_t total = 0;
  for (const KindInfo& info : kKinds) total += info.weight;
  std::vector<Operation> operations;
  while (operations.size() < count) {
    uint32_t draw = below(total);
    const KindInfo* info = kKinds.data();
    while (draw >= info->weight) draw -= (info++)->weight;
    Operation op{.kind = info->kind,
                 .run = below(kRunSlots),
                 .stream = below(kStreamSlots),
                 .lane = below(kLanesOfStream),
                 .x = 0,
                 .y = 0,
                 .seed = random() % 1'000'000};
    switch (op.kind) {
      case Kind::kCreateRun:
      case Kind::kCreateProject:
      case Kind::kUpdateProject:
      case Kind::kDeleteProject:
      case Kind::kRetainByAge:
        op.x = below(3);
        break;
      case Kind::kOpen:
      case Kind::kWrite:
        op.x = below(3);
        op.y = below(3) == 0 ? 1 + below(3) : 1;
        break;
      case Kind::kAppend:
        // Mostly a few rows, sometimes many: chunks and groups of both sizes.
        op.x = below(20) == 0 ? 1 + below(3000) : 1 + below(30);
        op.y = below(3) == 0 ? below(40) : 0;
        break;
      case Kind::kBadBatch:
      case Kind::kGap:
      case Kind::kLose:
        op.x = 1 + below(10);
        break;
      case Kind::kCrashAt:
        op.x = below(static_cast<uint32_t>(std::size(kPoints)));
        op.y = 1 + below(5);
        break;
      default:
        break;
    }
    operations.push_back(op);
  }
  operations.push_back({.kind = Kind::kCompareAll});
  operations.push_back({.kind = Kind::kRestart});
  operations.push_back({.kind = Kind::kCompareAll});
  return operations;
}

std::string ToString(const std::vector<Operation>& operations) {
  std::string text;
  for (size_t i = 0; i < operations.size(); ++i) {
    absl::StrAppend(&text, "  ", i, ": ", operations[i].ToString(), "\n");
  }
  return text;
}

}  // namespace waterflow::storage::model
