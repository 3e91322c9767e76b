// The design that one writes first: each sample is a message, and a key of its
// own in RocksDB with its default options. The key is (run, rank, schema,
// metric, step), the value (time, value), both as plain as they come.
#include <rocksdb/db.h>

#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/batch_store.h"
#include "waterflow/v1/ingest.pb.h"

namespace waterflow::bench {
namespace {

template <typename Number>
Number NumberAt(const std::string& bytes, size_t index) {
  Number number{};
  if ((index + 1) * sizeof(number) <= bytes.size()) {
    std::memcpy(&number, &bytes[index * sizeof(number)], sizeof(number));
  }
  return number;
}

// Big-endian, so that keys of one series lie in the order of their steps.
void AppendNumber(uint64_t value, int bytes, std::string* out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> shift));
  }
}

absl::Status FromRocksdb(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("RocksDB: ", status.ToString()));
}

class NaiveStore final : public BatchStore {
 public:
  explicit NaiveStore(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  absl::Status Take(const storage::StreamOptions& stream,
                    storage::BatchBody body) override;
  absl::Status Commit() override { return FromRocksdb(db_->SyncWAL()); }

 private:
  absl::Status Put(const storage::StreamOptions& stream, const v1::Batch& batch,
                   uint32_t metric, uint32_t row, double value);

  const std::unique_ptr<rocksdb::DB> db_;
};

absl::Status NaiveStore::Put(const storage::StreamOptions& stream,
                             const v1::Batch& batch, uint32_t metric,
                             uint32_t row, double sample) {
  std::string key(stream.run.raw());
  AppendNumber(stream.worker.rank, 4, &key);
  AppendNumber(batch.schema_id(), 4, &key);
  AppendNumber(metric, 4, &key);
  AppendNumber(NumberAt<uint64_t>(batch.steps(), row), 8, &key);
  std::string value;
  AppendNumber(NumberAt<uint64_t>(batch.times(), row), 8, &value);
  AppendNumber(std::bit_cast<uint64_t>(sample), 8, &value);
  return FromRocksdb(db_->Put(rocksdb::WriteOptions(), key, value));
}

absl::Status NaiveStore::Take(const storage::StreamOptions& stream,
                              storage::BatchBody body) {
  v1::Batch batch;
  if (!batch.ParseFromArray(body.bytes.get(), static_cast<int>(body.size))) {
    return absl::InvalidArgumentError("a batch that cannot be parsed");
  }
  const uint32_t rows = batch.rows();
  for (const v1::Column& column : batch.columns()) {
    const bool narrow = column.type() == v1::VALUE_TYPE_FLOAT32;
    const uint32_t span = column.span() == 0 ? 1 : column.span();
    for (uint32_t i = 0; i < span * rows; ++i) {
      const double value = narrow ? NumberAt<float>(column.values(), i)
                                  : NumberAt<double>(column.values(), i);
      const absl::Status put =
          Put(stream, batch, column.metric() + i / rows, i % rows, value);
      if (!put.ok()) return put;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchStore>> MakeNaiveStore(
    const std::filesystem::path& folder) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  const absl::Status opened =
      FromRocksdb(rocksdb::DB::Open(options, folder.string(), &db));
  if (!opened.ok()) return opened;
  return std::make_unique<NaiveStore>(std::unique_ptr<rocksdb::DB>(db));
}

}  // namespace waterflow::bench
