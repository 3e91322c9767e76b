#include "storage/keep/verify.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/format/bytes.h"
#include "storage/format/keys.h"
#include "storage/ingest/generation.h"
#include "storage/keep/catalog_check.h"
#include "storage/keep/generation_check.h"
#include "storage/keep/log_check.h"
#include "storage/keep/verify_run.h"

namespace waterflow::storage {
namespace {

struct Meta {
  Position sealed;
  std::vector<Generation> generations;
};

Meta ReadMeta(VerifyRun* run) {
  Meta meta;
  auto it = run->Iterate(Family::kMeta);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const absl::string_view key = ToView(it->key());
    const absl::string_view value = ToView(it->value());
    run->Read(key.size() + value.size());
    if (key == kMetaFormatVersion) {
      if (value.size() != sizeof(uint32_t) ||
          !ReadsFormatVersion(LoadFixed<uint32_t>(value.data()))) {
        run->Problem(Family::kMeta, key,
                     absl::StrCat("is not version ", kOldestFormatVersion,
                                  " to ", kFormatVersion));
      }
    } else if (key == kMetaSealedPosition) {
      if (value.size() == sizeof(uint64_t)) {
        meta.sealed.value = LoadFixed<uint64_t>(value.data());
      } else {
        run->Problem(Family::kMeta, key,
                     absl::StrCat(value.size(), " bytes, expected 8"));
      }
    } else if (absl::StartsWith(key, kMetaGeneration)) {
      ByteReader in(key.substr(kMetaGeneration.size()));
      Generation generation;
      generation.id.value = in.BigEndian<uint32_t>();
      if (!in.done() || !Generation::Decode(value, &generation)) {
        run->Problem(Family::kMeta, key, "cannot be decoded");
      }
      meta.generations.push_back(std::move(generation));
    } else {
      run->Problem(Family::kMeta, key, "is of no known kind");
    }
  }
  if (!it->status().ok()) {
    run->Problem(Family::kMeta, "", it->status().ToString());
  }
  return meta;
}

}  // namespace

absl::StatusOr<VerifyReport> Verify(const Database& database,
                                    const VerifyObserver& observer) {
  VerifyRun run(&database, &observer);
  const Meta meta = ReadMeta(&run);
  run.report().generations = meta.generations.size();
  CatalogCheck catalog;
  catalog.Load(&run);
  const absl::btree_set<RunId> deleted = CheckLog(meta.sealed, catalog, &run);
  CheckGenerations(meta.generations, catalog, deleted, &run);
  if (!run.cancelled().ok()) return run.cancelled();
  return run.report();
}

}  // namespace waterflow::storage
