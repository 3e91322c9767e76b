#include "storage/ingest/generation.h"

#include "storage/format/bytes.h"

namespace waterflow::storage {

std::string Generation::Encode() const {
  std::string out;
  AppendVarint(rows, &out);
  AppendVarint(runs.size(), &out);
  for (const RunId run : runs) AppendVarint(run.value, &out);
  return out;
}

bool Generation::Decode(absl::string_view bytes, Generation* generation) {
  ByteReader in(bytes);
  generation->rows = in.Varint();
  for (uint64_t n = in.Varint(); n > 0 && in.ok(); --n) {
    generation->runs.insert(RunId{in.Varint32()});
  }
  return in.done();
}

}  // namespace waterflow::storage
