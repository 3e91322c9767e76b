// Who answers the questions of scripts/bench query: each a small file that
// knows how to start its process, store the data and ask.
#ifndef WATERFLOW_BENCH_QUERY_SUBJECT_H_
#define WATERFLOW_BENCH_QUERY_SUBJECT_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "bench/dataset.h"
#include "bench/peers/peer.h"
#include "bench/query/question.h"

namespace waterflow::bench {

// What one answer says, as far as it is checked.
struct Answer {
  uint64_t numbers = 0;  // values; of a bucket or step its mean, min and max
  double max = -std::numeric_limits<double>::infinity();
  uint64_t bytes = 0;  // as it came; 0: it did not come over a wire
};

struct Measured {
  Answer answer;
  uint64_t calls = 0;
  double p50_ms = 0;  // at the client, until the whole answer is there
  double p99_ms = 0;
  double cpu_ms = 0;  // of the server's process, a call
};

class Subject {
 public:
  virtual ~Subject() = default;

  // NOT_FOUND says in one line how to install it.
  virtual absl::Status Installed() const { return absl::OkStatus(); }
  // What runs; known once it did.
  virtual std::string version() const = 0;
  // Starts it anew and stores `data`.
  virtual absl::Status Load(const QuestionSet& set, const Dataset& data) = 0;
  // Asks over and over for `duration`, warm.
  virtual absl::StatusOr<Measured> Measure(const QuestionSet& set,
                                           const Question& question,
                                           absl::Duration duration) = 0;
};

// How the subjects that are servers measure: some calls to warm up, of which
// the first answer is looked at, then calls one by one for `duration`, at least
// 5. `look` asks and reads what came; `ask` only waits for it. `cpu_seconds` is
// what the server spent so far.
struct Calls {
  std::function<absl::StatusOr<Answer>()> look;
  std::function<absl::Status()> ask;
  std::function<absl::StatusOr<double>()> cpu_seconds;
};
absl::StatusOr<Measured> MeasureCalls(const Calls& calls,
                                      absl::Duration duration);

// `options` must outlive it.
std::unique_ptr<Subject> MakeSubject(const std::string& name,
                                     const PeerOptions& options);

// ---- one for each kind, in files of these names ----
std::unique_ptr<Subject> MakeWaterflowSubject(const PeerOptions& options);
std::unique_ptr<Subject> MakePromqlSubject(const std::string& name,
                                           const PeerOptions& options);
std::unique_ptr<Subject> MakeDuckDbSubject(const PeerOptions& options);

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_QUERY_SUBJECT_H_
