// Every key and value of a store as they are, for a reader that has no RocksDB.
#ifndef WATERFLOW_STORAGE_DUMP_H_
#define WATERFLOW_STORAGE_DUMP_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/engine.h"

namespace waterflow::storage {

using DumpSink = std::function<absl::Status(
    absl::string_view family, absl::string_view key, absl::string_view value)>;

// Family by family, in order of the keys, of a store that no process has open;
// nothing of it is changed. Errors as of VerifyOffline, and those of `sink`.
absl::Status DumpOffline(const EngineOptions& options, const DumpSink& sink);

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_DUMP_H_
