#include "storage/format/keys.h"

#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"

namespace waterflow::storage {
namespace {

template <typename... T>
std::string BigEndianKey(T... parts) {
  std::string key;
  (AppendBigEndian(parts, &key), ...);
  return key;
}

}  // namespace

std::string LogKey(Position position) { return BigEndianKey(position.value); }

std::string MetaGenerationKey(GenerationId generation) {
  return absl::StrCat(kMetaGeneration, GenerationPrefix(generation));
}

std::string GenerationPrefix(GenerationId generation) {
  return BigEndianKey(generation.value);
}

std::string RunPrefix(GenerationId generation, RunId run) {
  return BigEndianKey(generation.value, run.value);
}

std::string SchemaPrefix(GenerationId generation, RunId run, SchemaId schema) {
  return BigEndianKey(generation.value, run.value, schema.value);
}

std::string AxisKey(GenerationId generation, RunId run, SchemaId schema,
                    uint32_t worker_block) {
  return BigEndianKey(generation.value, run.value, schema.value, worker_block);
}

std::string TileKey(GenerationId generation, RunId run, SchemaId schema,
                    uint32_t worker_block, uint32_t first_metric) {
  return BigEndianKey(generation.value, run.value, schema.value, worker_block,
                      first_metric);
}

std::string SpansKey(GenerationId generation, RunId run, SchemaId schema,
                     uint32_t worker_block, uint32_t first_metric) {
  return absl::StrCat(
      TileKey(generation, run, schema, worker_block, first_metric), "\1");
}

std::string TimesKey(GenerationId generation, RunId run, SchemaId schema,
                     uint32_t worker_block) {
  return TileKey(generation, run, schema, worker_block, UINT32_MAX);
}

std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<uint8_t>(end.back()) == 0xff) {
    end.pop_back();
  }
  if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
  return end;
}

std::string CatalogKey(CatalogKind kind, uint32_t id) {
  return BigEndianKey(static_cast<char>(kind), id);
}

std::string CatalogKey(CatalogKind kind, uint32_t first, uint32_t second) {
  return BigEndianKey(static_cast<char>(kind), first, second);
}

std::string CatalogKey(CatalogKind kind, absl::string_view raw) {
  return absl::StrCat(std::string(1, static_cast<char>(kind)), raw);
}

std::string RowCountKey(RunId run, SchemaId schema, WorkerId worker) {
  return BigEndianKey(static_cast<char>(CatalogKind::kRowCount), run.value,
                      schema.value, worker.value);
}

std::string LanePrefix(RunId run, WorkerId worker, const Uuid& stream) {
  return absl::StrCat(CatalogKey(CatalogKind::kLane, run.value, worker.value),
                      stream.raw());
}

std::string LaneKey(RunId run, WorkerId worker, const Uuid& stream,
                    uint32_t schema_number) {
  return absl::StrCat(LanePrefix(run, worker, stream),
                      BigEndianKey(schema_number));
}

}  // namespace waterflow::storage
