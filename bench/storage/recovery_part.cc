// How soon a killed store answers again: a child process is killed with as much
// unsealed as heads may hold, and the store is opened here, to the first
// correct read. Once with the files in the page cache and once without.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "bench/storage/parts.h"
#include "bench/storage/store.h"
#include "bench/w1.h"

namespace waterflow::bench {
namespace {

storage::EngineOptions StoreOptions(const ScratchFolder& folder) {
  return {.data_dir = folder.path(), .seal_age = absl::Hours(1)};
}

// Fills the store in a process that then kills itself. W1's rounds are as many
// as it takes to come near `unsealed_bytes`, with what was sealed before it.
absl::Status FillAndDie(const ScratchFolder& folder, const Dataset& dataset,
                        uint32_t rounds) {
  const pid_t child = fork();
  if (child < 0) return absl::InternalError("no child process");
  if (child == 0) {
    auto store = Store::Open(StoreOptions(folder));
    if (!store.ok() || !(*store)->Feed(dataset, 64, rounds).ok()) _exit(1);
    kill(getpid(), SIGKILL);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFSIGNALED(status)) return absl::InternalError("filling failed");
  return absl::OkStatus();
}

void DropFromPageCache(const std::filesystem::path& folder) {
  sync();
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const int fd = open(file.path().c_str(), O_RDONLY);
    if (fd < 0) continue;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

struct Opened {
  double seconds = 0;
  uint64_t values = 0;  // of the store
  uint64_t replayed_values = 0;
};

// Opens the store and counts one metric's points.
absl::StatusOr<Opened> OpenAndRead(const ScratchFolder& folder,
                                   const Dataset& dataset, uint32_t rounds) {
  const absl::Time begin = absl::Now();
  auto engine = storage::Engine::Open(StoreOptions(folder));
  if (!engine.ok()) return engine.status();
  absl::StatusOr<storage::RunPage> runs = (*engine)->ListRuns("", 1, "");
  if (!runs.ok()) return runs.status();
  storage::ReadSpec spec;
  spec.runs = {runs->runs.at(0).id};
  spec.metrics = {"loss_00"};
  spec.reduction = storage::Reduction::kMean;
  spec.max_points = 100;
  uint64_t found = 0;
  absl::StatusOr<storage::ReadSummary> read =
      (*engine)->Read(spec, [&](const storage::SeriesPart& part) {
        for (const storage::Bucket& bucket : part.buckets) {
          found += bucket.count;
        }
        return absl::OkStatus();
      });
  if (!read.ok()) return read.status();
  Opened opened{.seconds = absl::ToDoubleSeconds(absl::Now() - begin)};
  const uint64_t expected =
      dataset.size() * dataset[0].lanes[0].rows() * rounds;
  if (found != expected) {
    return absl::InternalError(
        absl::StrCat("found ", found, " points, expected ", expected));
  }
  const storage::EngineStats stats = (*engine)->Stats();
  opened.values = stats.values;
  opened.replayed_values =
      stats.replayed_rows * dataset[0].lanes[0].metrics.size();
  return opened;
}

// One fill, kill and start.
Figures MeasureOnce(const Dataset& w1, uint32_t rounds, bool warm,
                    const StorageOptions& options) {
  const ScratchFolder folder(options.scratch);
  if (absl::Status s = FillAndDie(folder, w1, rounds); !s.ok()) return s;
  if (!warm) DropFromPageCache(folder.path());
  absl::StatusOr<Opened> opened = OpenAndRead(folder, w1, rounds);
  if (!opened.ok()) return opened.status();
  const std::string state = warm ? "page cache warm" : "page cache dropped";
  if (rounds == 1) {
    return std::vector<Figure>{
        {.what = absl::StrCat("recovery of heads, to the first read, ", state),
         .value = static_cast<double>(opened->replayed_values) * 1e-6 /
                  opened->seconds,
         .unit = "M samples/s",
         .at_least = warm ? 60.0 : 30.0}};
  }
  return std::vector<Figure>{
      {.what = absl::StrCat("restart after SIGKILL, ",
                            opened->values / 1'000'000, " M samples, ", state),
       .value = opened->seconds,
       .unit = "s",
       .at_most = 5}};
}

}  // namespace

Figures MeasureRecovery(const StorageOptions& options) {
  const Dataset w1 = MakeW1(W1Options());
  // W1 is 58 MB as batches: once lies in heads whole, and the log of many
  // rounds is what a server under full load has behind it.
  std::vector<Figure> figures;
  for (const uint32_t rounds : {1u, options.quick ? 4u : 24u}) {
    for (const bool warm : {true, false}) {
      // Each in a process of its own: RocksDB's threads, once started, are not
      // there in the process that is forked off to be killed.
      // The best of three: a tenth of a second is easily disturbed.
      std::optional<Figure> best;
      for (int i = 0; i < (rounds == 1 ? 3 : 1); ++i) {
        Figures one =
            InChild([&] { return MeasureOnce(w1, rounds, warm, options); });
        if (!one.ok()) return one.status();
        if (!best.has_value() || one->at(0).value > best->value) {
          best = one->at(0);
        }
      }
      figures.push_back(*best);
    }
  }
  return figures;
}

}  // namespace waterflow::bench
