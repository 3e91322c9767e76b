#include "bench/scratch_folder.h"

#include <stdlib.h>

#include <string>
#include <system_error>

namespace waterflow::bench {

ScratchFolder::ScratchFolder(const std::filesystem::path& parent) {
  std::string name = (parent / "waterflow-storage-XXXXXX").string();
  if (mkdtemp(name.data()) != nullptr) path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code error;
  if (!path_.empty()) std::filesystem::remove_all(path_, error);
}

}  // namespace waterflow::bench
