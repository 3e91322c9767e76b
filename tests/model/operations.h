// A random life of a store as a list of values: what is done to it, in order.
// An operation names slots (run 2, stream 5) rather than things, and does
// nothing when its slot is empty, so that any part of a list is a list that can
// be played: that is what makes shrinking simple.
#ifndef WATERFLOW_TESTS_MODEL_OPERATIONS_H_
#define WATERFLOW_TESTS_MODEL_OPERATIONS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace waterflow::storage::model {

inline constexpr uint32_t kRunSlots = 4;
inline constexpr uint32_t kStreamSlots = 8;
inline constexpr uint32_t kLanesOfStream = 3;

struct Operation {
  enum class Kind : uint8_t {
    kCreateRun,      // run; x: project
    kDeleteRun,      // run
    kUpdateRun,      // run; seed: what
    kCreateProject,  // x: project
    kUpdateProject,  // x: project; seed: what
    kDeleteProject,  // x: project
    // run: deleted while its streams send, which then go on; seed: the power
    // may go too
    kDeleteUnderWay,
    kRetainByAge,   // x: project, whose ended runs all go
    kRetainBySize,  // a restart, with room for none
    kOpen,          // stream, run; x: rank, y: attempt; seed: resume step
    kReconnect,     // stream; the old session is still there
    kDrop,          // stream: the connection breaks, nothing is waited for
    kDeclare,       // stream, lane; seed: which names
    kAppend,        // stream, lane; x: new rows, y: rows sent again; seed: cut
    kBadBatch,      // stream, lane; x: rows; seed: what is wrong with it
    kGap,           // stream, lane; x: rows that are missing
    kLose,          // stream, lane; x: rows that the client lost
    kWait,          // stream: until all it sent is acked
    kWrite,         // run; x: rank, y: attempt; seed: points
    kRepeatWrite,   // the last kWrite of the run once more
    kFlush,
    kCompare,  // run; seed: questions
    kCompareAll,
    kRestart,
    kCrash,    // now; seed: what is left of unsynced bytes
    kCrashAt,  // x: point (tests/points.h), y: how many times it is passed;
               // seed: as above
    // A copy while streams append, which is compared; seed: what they append.
    kCheckpoint,
    kBackup,  // into a folder of several; one of them is restored
  };

  Kind kind = Kind::kCompareAll;
  uint32_t run = 0;
  uint32_t stream = 0;
  uint32_t lane = 0;
  uint32_t x = 0;
  uint32_t y = 0;
  uint64_t seed = 0;

  std::string ToString() const;
};

// `count` operations, the same for the same seed.
std::vector<Operation> RandomOperations(uint64_t seed, size_t count);

std::string ToString(const std::vector<Operation>& operations);

}  // namespace waterflow::storage::model

#endif  // WATERFLOW_TESTS_MODEL_OPERATIONS_H_
