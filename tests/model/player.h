// Plays a list of operations on the engine and on the naive one side by side.
#ifndef WATERFLOW_TESTS_MODEL_PLAYER_H_
#define WATERFLOW_TESTS_MODEL_PLAYER_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/engine.h"
#include "tests/model/client_stream.h"
#include "tests/model/naive_engine.h"
#include "tests/model/operations.h"
#include "tests/power_loss_fs.h"

namespace waterflow::storage::model {

class Player {
 public:
  // `dir` must be empty; the seed chooses the engine's options.
  Player(std::string dir, uint64_t seed);
  ~Player();

  // Empty, or the first thing that was wrong and in which operation.
  std::string Play(const std::vector<Operation>& operations);

  struct Counts {
    uint64_t operations = 0;
    uint64_t rows = 0;
    uint64_t compares = 0;
    uint64_t restarts = 0;
    uint64_t crashes = 0;
    uint64_t seals = 0;
    uint64_t merges = 0;
    uint64_t deletes = 0;
    uint64_t retained = 0;  // runs that retention took
    uint64_t copies = 0;    // checkpoints and backups that were compared
  };
  const Counts& counts() const { return counts_; }

 private:
  // A call that ended with an error because the power was gone: done or not?
  struct Doubt {
    Operation op;
    CreateRunOptions create = {};
    std::string project = {};
    UpdateRunOptions update = {};
    UpdateProjectOptions update_project = {};
    WriteOptions write = {};
    int64_t now_ns = 0;
    Uuid run = {};
    std::vector<Uuid> removable = {};  // by retention
  };

  // All return what was wrong, or nothing.
  std::string Do(const Operation& op);
  std::string Track(const Operation& op);
  std::string TrackProject(const Operation& op);
  std::string DeleteUnderWay(const Operation& op);
  std::string RetainByAge(const Operation& op);
  std::string RetainBySize(const Operation& op);
  // Until the engine has removed these runs.
  std::string AwaitRemoval(const std::vector<Uuid>& runs);
  // What of it retention has taken.
  void NoteRemoved(const std::vector<Uuid>& runs);
  std::string Append(const Operation& op);
  std::string BadBatch(const Operation& op);
  std::string Gap(const Operation& op);
  std::string Lose(const Operation& op);
  std::string Write(const Operation& op, bool repeat);
  std::string OpenStream(const Operation& op);
  std::string Reconnect(ClientStream& stream);
  // Until all that was sent is acked.
  std::string Wait(ClientStream& stream);
  std::string Quiesce();
  std::string Compare(const std::optional<Uuid>& run, uint64_t seed);
  std::string CompareCopy(const Operation& op);
  // Opens a copy and compares it with `expected`. If `acked` is given, it was
  // made while streams appended: it may lack rows that were not acked before,
  // and `expected` forgets those.
  std::string CompareStore(const std::string& path, NaiveEngine* expected,
                           const std::map<LaneKey, uint64_t>* acked,
                           uint64_t seed);
  std::string Flush();
  std::string Restart();
  // Cuts the power until a start is not met by it.
  std::string Crash(uint64_t seed);
  // After a crash: asks what is left of what was never acked, and does the
  // rest again, as clients do.
  std::string Settle();
  std::string SettleDoubt();
  std::string SettleMetadata();

  // Sends rows [first, end); the naive engine gets them too.
  std::string SendRows(ClientStream& stream, uint32_t number, uint64_t first,
                       uint64_t end, uint64_t cut);
  std::string SendBad(ClientStream& stream, uint32_t number, uint64_t first,
                      uint64_t end, uint64_t how);
  // Declares a lane in the session, making it if need be. When the power is
  // gone the lane may not be ready, and nothing is wrong.
  std::string MakeReady(ClientStream& stream, uint32_t number);
  // The power may go meanwhile: then nothing is wrong, and no engine there.
  std::string Start();
  void Stop();
  // Null when the slot has no run that lives.
  NaiveRun* RunIn(uint32_t slot);
  ClientStream* StreamIn(uint32_t slot);
  Uuid MakeUuid();
  // What it means that a call failed: a doubt when the power is gone, else it
  // is wrong.
  std::string Failed(const char* call, const absl::Status& status, Doubt doubt);

  const std::string dir_;
  const uint64_t seed_;
  std::shared_ptr<PowerLossFileSystem> disk_;
  std::unique_ptr<rocksdb::Env> env_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
  NaiveEngine naive_;

  std::map<uint32_t, Uuid> runs_;
  std::map<uint32_t, ClientStream> streams_;
  // Replaced in their slots, and maybe not all of what they sent is acked.
  std::vector<ClientStream> retired_;
  std::map<uint32_t, WriteOptions> last_write_;  // by run slot
  uint64_t next_uuid_ = 0;
  uint64_t next_tag_ = 0;

  std::optional<Doubt> doubt_;
  // What each backup that is kept must hold.
  std::map<uint32_t, NaiveEngine> backups_;

  std::atomic<int> freeze_at_{-1};    // index into kPoints, or none
  std::atomic<int> freeze_after_{0};  // how often it is still passed
  uint64_t crash_seed_ = 0;
  Counts counts_;
};

}  // namespace waterflow::storage::model

#endif  // WATERFLOW_TESTS_MODEL_PLAYER_H_
