#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "storage/codec/chunk.h"
#include "tests/fuzz/entries.h"

namespace waterflow::fuzz {
namespace {

absl::Status Decode(absl::string_view bytes, absl::Span<double> out) {
  return storage::DecodeChunk(bytes, out);
}
absl::Status Decode(absl::string_view bytes, absl::Span<int64_t> out) {
  return storage::DecodeInt64Column(bytes, out);
}
void Encode(const std::vector<double>& values, std::string* out) {
  storage::EncodeChunk(values, out);
}
void Encode(const std::vector<int64_t>& values, std::string* out) {
  storage::EncodeInt64Column(values, out);
}

template <typename T>
int Run(const uint8_t* input, size_t size) {
  if (size < 2) return 0;
  const size_t count = 1 + input[0] + 256 * static_cast<size_t>(input[1]);
  const absl::string_view bytes(reinterpret_cast<const char*>(input) + 2,
                                size - 2);
  std::vector<T> values(count);
  if (!Decode(bytes, absl::MakeSpan(values)).ok()) return 0;

  std::string again;
  Encode(values, &again);
  std::vector<T> back(count);
  if (again.size() > 8 * count + 1 ||
      !Decode(again, absl::MakeSpan(back)).ok() ||
      std::memcmp(values.data(), back.data(), count * sizeof(T)) != 0) {
    std::abort();
  }
  return 0;
}

}  // namespace

int Chunk(const uint8_t* input, size_t size) {
  return Run<double>(input, size);
}

int Column(const uint8_t* input, size_t size) {
  return Run<int64_t>(input, size);
}

}  // namespace waterflow::fuzz
