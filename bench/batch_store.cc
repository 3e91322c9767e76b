#include "bench/batch_store.h"

#include "absl/strings/str_cat.h"

namespace waterflow::bench {
namespace {

class SinkStore final : public BatchStore {
 public:
  absl::Status Take(const storage::StreamOptions&,
                    storage::BatchBody) override {
    return absl::OkStatus();
  }
  absl::Status Commit() override { return absl::OkStatus(); }
};

}  // namespace

std::unique_ptr<BatchStore> MakeSinkStore() {
  return std::make_unique<SinkStore>();
}

absl::StatusOr<std::unique_ptr<BatchStore>> MakeBatchStore(
    const std::string& name, const std::filesystem::path& folder) {
  if (name == "sink") return MakeSinkStore();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::InternalError(
        absl::StrCat("cannot make ", folder.string(), ": ", error.message()));
  }
  if (name == "file") return MakeFileStore(folder);
  if (name == "naive") return MakeNaiveStore(folder);
  return absl::InvalidArgumentError(absl::StrCat("no store \"", name, "\""));
}

}  // namespace waterflow::bench
