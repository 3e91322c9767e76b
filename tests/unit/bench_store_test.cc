// What the benchmark puts in the engine's place keeps what it acks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "bench/batch_store.h"
#include "bench/group_backend.h"
#include "bench/load.h"
#include "bench/w1.h"
#include "server/ingest_front.h"

namespace waterflow::bench {
namespace {

constexpr W1Options kW1 = {.workers = 3, .metrics = 4, .steps = 5};
constexpr int kSamples = 3 * 4 * 5;

class BatchStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder =
        (std::filesystem::temp_directory_path() / "bench_store_XXXXXX")
            .string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Sends W1 once, a row a batch, and ends the store.
  void Load(const std::string& store) {
    auto made = MakeBatchStore(store, folder_ / "data");
    ASSERT_TRUE(made.ok()) << made.status();
    GroupBackend backend(*std::move(made));
    auto front = server::IngestFront::Start(
        {.listen = "127.0.0.1:0", .threads = 1, .ingest = {}, .services = {}},
        &backend);
    ASSERT_TRUE(front.ok()) << front.status();
    LoadOptions options;
    options.address = "127.0.0.1:" + std::to_string((*front)->port());
    options.shape = LoadShape::kOnce;
    options.window = absl::Seconds(30);
    options.counters = [] { return OsCounters(); };
    const std::vector<WorkerLoad> workers =
        EncodeWorkers(MakeW1(kW1), 1, {{"w1", std::string(32, '0')}});
    for (const WorkerLoad& worker : workers) {
      for (const EncodedBatch& batch : worker.batches) {
        sent_bytes_ += BatchSize(batch, {});
      }
    }
    const absl::StatusOr<LoadResult> result = RunLoad(options, workers);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->total_samples, kSamples);
    EXPECT_EQ(result->open_ns.count(), 3);
    (*front)->Shutdown(absl::Seconds(1));
  }

  std::filesystem::path folder_;
  size_t sent_bytes_ = 0;
};

TEST_F(BatchStoreTest, FileHasEveryBatchOnce) {
  Load("file");
  EXPECT_EQ(std::filesystem::file_size(folder_ / "data" / "log.1"),
            sent_bytes_);
}

TEST_F(BatchStoreTest, NaiveHasAKeyForEachSample) {
  Load("naive");
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::OpenForReadOnly(rocksdb::Options(),
                                           (folder_ / "data").string(), &opened)
                  .ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  const std::unique_ptr<rocksdb::Iterator> it(
      db->NewIterator(rocksdb::ReadOptions()));
  const Dataset dataset = MakeW1(kW1);
  int keys = 0;
  // Ordered by rank, schema, metric and step.
  for (it->SeekToFirst(); it->Valid(); it->Next(), ++keys) {
    const double value =
        dataset[keys / 20].lanes[0].columns[keys / 5 % 4][keys % 5];
    uint64_t bits = 0;
    for (const char c : it->value().ToString().substr(8)) {
      bits = bits << 8 | static_cast<unsigned char>(c);
    }
    double found = 0;
    std::memcpy(&found, &bits, sizeof(found));
    EXPECT_EQ(found, value) << keys;
  }
  EXPECT_EQ(keys, kSamples);
}

TEST_F(BatchStoreTest, AnUnknownNameIsRefused) {
  EXPECT_FALSE(MakeBatchStore("cloud", folder_).ok());
}

}  // namespace
}  // namespace waterflow::bench
