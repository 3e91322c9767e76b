// Bytes that may be somebody else's, together with what keeps them alive: a
// reader takes a value as it lies in RocksDB's cache, without a copy.
#ifndef WATERFLOW_STORAGE_FORMAT_SHARED_BYTES_H_
#define WATERFLOW_STORAGE_FORMAT_SHARED_BYTES_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace waterflow::storage {

class SharedBytes {
 public:
  SharedBytes() = default;
  // Owns them. (Implicit: a string is as good.)
  SharedBytes(std::string bytes)  // NOLINT(google-explicit-constructor)
      : SharedBytes(std::make_shared<const std::string>(std::move(bytes))) {}
  // `owner` keeps `bytes` alive.
  SharedBytes(absl::string_view bytes, std::shared_ptr<const void> owner)
      : bytes_(bytes), owner_(std::move(owner)) {}

  absl::string_view view() const { return bytes_; }

 private:
  explicit SharedBytes(std::shared_ptr<const std::string> owned)
      : bytes_(*owned), owner_(std::move(owned)) {}

  absl::string_view bytes_;
  std::shared_ptr<const void> owner_;
};

}  // namespace waterflow::storage

#endif  // WATERFLOW_STORAGE_FORMAT_SHARED_BYTES_H_
