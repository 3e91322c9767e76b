// Series computed from the parts of an answer, between the engine and whoever
// takes them: what query.proto calls a Derivation. Parts go through one by one;
// only pairs of metrics wait for each other, a run at a time.
#ifndef WATERFLOW_STORAGE_QUERY_DERIVE_H_
#define WATERFLOW_STORAGE_QUERY_DERIVE_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/read.h"

namespace waterflow::storage {

// Takes parts, and gives others to a sink.
class Deriver {
 public:
  virtual ~Deriver() = default;

  // Parts of a series follow each other; so do the series of a run.
  virtual absl::Status Add(SeriesPart part) = 0;
  // All were added.
  virtual absl::Status Finish() = 0;
};

// INVALID_ARGUMENT names the derivation of `spec`, the value and the limit.
// `metrics` are those that will be read.
absl::Status CheckDerivations(const ReadSpec& spec,
                              const std::vector<std::string>& metrics);

// All of spec.derivations, one behind the other, checked before. `sink` must
// outlive it.
std::unique_ptr<Deriver> MakeDeriver(const ReadSpec& spec,
                                     const PartSink& sink);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_QUERY_DERIVE_H_
