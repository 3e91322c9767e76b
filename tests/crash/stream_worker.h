// Workers that log rows over whatever happens to server and network, and the
// comparison of what they were promised with what is there.
#ifndef WATERFLOW_TESTS_CRASH_STREAM_WORKER_H_
#define WATERFLOW_TESTS_CRASH_STREAM_WORKER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/stream_client.h"

namespace waterflow::testing {

// One worker that logs rows in order, in batches that are cut differently each
// time, several of them unacked, and after each reconnect some once more.
class StreamWorker {
 public:
  StreamWorker(uint32_t rank, std::string run_id, uint64_t seed)
      : rank_(rank), run_id_(std::move(run_id)), random_(seed) {}

  // Streams over one connection until that breaks or the run is over.
  void Life(const std::string& address);
  // From now on, what is on its way is the last.
  void Finish() { over_ = true; }

  bool done() const { return done_; }
  // Rows that were acked, and once it is done, all rows.
  uint64_t acked() const { return acked_; }
  int lives() const { return lives_; }

 private:
  uint64_t Draw(uint64_t low, uint64_t high) {
    return std::uniform_int_distribution<uint64_t>(low, high)(random_);
  }
  v1::Batch MakeBatch(uint64_t first, uint64_t rows) const;

  const uint32_t rank_;
  const std::string run_id_;
  std::mt19937_64 random_;
  uint64_t acked_ = 0;
  int lives_ = 0;
  std::atomic<bool> over_{false};
  std::atomic<bool> done_{false};
};

// Workers of a run of their own, each on a thread.
class Crew {
 public:
  // Makes the run and sets them to work.
  Crew(const std::string& address, uint32_t workers, uint64_t seed);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // Lets them come to an end; the network and the server must work by now.
  void Finish();
  // Each acked row is there once, bit for bit and in order, and no other is.
  void ExpectAllRowsOnce(const std::string& address) const;

  uint64_t rows() const;
  int lives() const;

 private:
  std::string run_id_;
  std::vector<std::unique_ptr<StreamWorker>> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace waterflow::testing

#endif  // WATERFLOW_TESTS_CRASH_STREAM_WORKER_H_
