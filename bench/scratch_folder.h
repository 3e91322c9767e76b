// A folder for as long as it is measured.
#ifndef WATERFLOW_BENCH_SCRATCH_FOLDER_H_
#define WATERFLOW_BENCH_SCRATCH_FOLDER_H_

#include <filesystem>

namespace waterflow::bench {

// A folder that is removed with what it holds.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::filesystem::path& parent);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace waterflow::bench

#endif  // WATERFLOW_BENCH_SCRATCH_FOLDER_H_
