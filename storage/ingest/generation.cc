#include "storage/ingest/generation.h"

#include "storage/format/bytes.h"

namespace waterflow::storage {

std::string Generation::Encode() const {
  std::string out;
  AppendVarint(first.value, &out);
  AppendVarint(level, &out);
  AppendVarint(rows, &out);
  AppendVarint(strips, &out);
  AppendVarint(bytes, &out);
  AppendVarint(runs.size(), &out);
  for (const auto& [run, rows_of_run] : runs) {
    AppendVarint(run.value, &out);
    AppendVarint(rows_of_run, &out);
  }
  return out;
}

bool Generation::Decode(absl::string_view bytes, Generation* generation) {
  ByteReader in(bytes);
  generation->first.value = in.Varint32();
  generation->level = in.Varint32();
  generation->rows = in.Varint();
  generation->strips = in.Varint();
  generation->bytes = in.Varint();
  for (uint64_t n = in.Varint(); n > 0 && in.ok(); --n) {
    const RunId run{in.Varint32()};
    generation->runs[run] = in.Varint();
  }
  return in.done();
}

}  // namespace waterflow::storage
