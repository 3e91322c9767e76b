// A life of a store for tests that end it at the worst moment: runs that are
// made, logged to by several workers, sealed and deleted. What was promised to
// the clients stands in a Journal outside the store; Verify() compares.
#ifndef WATERFLOW_TESTS_CRASH_WORKLOAD_H_
#define WATERFLOW_TESTS_CRASH_WORKLOAD_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "storage/engine.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {

inline constexpr uint32_t kJournalRuns = 48;
inline constexpr uint32_t kWorkersOfRun = 2;

// What clients know. Plain atomics, so that it can lie in memory that a killed
// process shared with the one that killed it.
struct Journal {
  enum State : int { kNone, kCreating, kLive, kDeleting, kDeleted };
  struct RunEntry {
    std::atomic<int> state{kNone};
    std::array<std::atomic<uint64_t>, kWorkersOfRun> acked{};
    std::array<std::atomic<uint64_t>, kWorkersOfRun> sent{};
  };
  std::array<RunEntry, kJournalRuns> runs{};
  std::atomic<uint32_t> next_run{0};

  bool full() const { return next_run >= kJournalRuns; }
};

class Workload {
 public:
  struct Options {
    bool strict = true;  // no call may fail: nothing is wrong with the disk
    bool hasty = false;  // seals and deletes come sooner
  };
  Workload(Journal* journal, uint64_t seed, Options options)
      : journal_(journal), random_(seed), options_(options) {}

  // Each acked row is there once, bit for bit, in order; no row that was never
  // sent; what was deleted is gone. Settles what was in doubt. Empty, or what
  // is wrong.
  std::string Verify(Engine* engine, const std::string& dir);
  // What a reader beside it may ask at any time, on its own thread: whether the
  // rows of a worker are a front part of what was sent that holds what was
  // acked. Runs that are deleted meanwhile are passed over.
  static std::string CheckReads(Engine* engine, const Journal& journal,
                                uint32_t run, uint32_t worker);
  // Does one thing. Empty, or what is wrong.
  std::string Step(Engine* engine);
  // Ends all sessions; to be called before the engine goes.
  void DropSessions() { sessions_.clear(); }

 private:
  using SessionKey = std::pair<uint32_t, uint32_t>;  // run, worker
  struct OpenSession {
    TestStream stream;
    uint64_t next_row = 0;
  };

  uint64_t Below(uint64_t n) { return random_() % n; }
  std::string VerifyRun(Engine* engine, uint32_t run, uint64_t* rows);
  static std::string VerifyWorker(Engine* engine, const Journal& journal,
                                  uint32_t run, uint32_t worker,
                                  uint64_t* rows);
  std::string CreateRun(Engine* engine);
  std::string DeleteRun(Engine* engine, uint32_t run);
  std::string Append(Engine* engine, uint32_t run, uint32_t worker);
  std::string OpenSessionOf(Engine* engine, SessionKey key);
  std::string Failed(const char* call, const absl::Status& status) const;

  Journal* const journal_;
  std::mt19937_64 random_;
  const Options options_;
  std::map<SessionKey, OpenSession> sessions_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_TESTS_CRASH_WORKLOAD_H_
