// Makes the golden data directory of the format version that this build writes,
// and the text that it must read as:
//
//   ninja -C build/release golden_directory
//
// writes tests/golden/directory/vN.tar.gz and vN.txt. Those of a version that
// was released are never made again (docs/format.md, History).
//
// The directory is a picture of a store at work, taken as a seal begins: some
// generations are merged and some are not, and the log beyond them holds every
// kind of record. directory_test.cc says what must be in it.
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/format/keys.h"
#include "tests/golden/directory_rows.h"
#include "tests/golden/store_text.h"
#include "tests/unit/engine_fixture.h"

namespace waterflow::storage {
namespace {

namespace fs = std::filesystem;

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "make_golden_directory: " << status << "\n";
  std::exit(1);
}

template <typename T>
T Must(absl::StatusOr<T> result) {
  Must(result.status());
  return *std::move(result);
}

class Maker {
 public:
  explicit Maker(const fs::path& work)
      : data_(work / "data"), picture_(work / "picture") {}

  void MergedPart();
  void UnmergedPart();
  void LogPart();
  // Of the store as it stands in the picture.
  std::vector<std::string> Text() { return StoreText(engine_.get()); }
  void TakePicture();
  void Close() { engine_.reset(); }

 private:
  // fan_in 0: what is sealed stays as it is.
  void Reopen(uint32_t fan_in);
  void CreateRun(const std::string& project, const std::string& name,
                 uint8_t number);
  TestStream Open(uint8_t run, uint32_t rank, uint32_t attempt,
                  std::optional<int64_t> resume_step = std::nullopt,
                  std::vector<LanePosition> held = {});
  TestStream OpenTrainer(uint8_t run, uint32_t rank, uint32_t attempt = 1,
                         std::optional<int64_t> resume_step = std::nullopt,
                         std::vector<LanePosition> held = {});
  void Train(uint8_t run, uint32_t rank, uint64_t first, uint32_t rows);

  const fs::path data_;
  const fs::path picture_;
  std::unique_ptr<Engine> engine_;
  std::atomic<bool> picture_wanted_{false};
  std::promise<void> picture_taken_;
};

void Append(TestStream* stream, const std::string& batch, uint32_t schema,
            uint64_t next_row) {
  if (const auto refused = stream->Append(batch)) Must(refused->status);
  if (!stream->observer->WaitFor(schema, next_row)) {
    Must(absl::InternalError("rows did not become durable"));
  }
}

void Maker::Reopen(uint32_t fan_in) {
  engine_.reset();
  EngineOptions options;
  options.data_dir = data_.string();
  options.merge_fan_in = fan_in;
  options.at_point = [this](absl::string_view point) {
    // The sealer stands still here, and nobody else writes.
    if (point != "seal:before_files" || !picture_wanted_.exchange(false))
      return;
    fs::create_directories(picture_);
    for (const auto& file : fs::directory_iterator(data_)) {
      const std::string name = file.path().filename().string();
      if (name.starts_with("LOG") || name.starts_with("OPTIONS") ||
          name == "LOCK") {
        continue;
      }
      fs::copy(file.path(), picture_ / name);
    }
    picture_taken_.set_value();
  };
  engine_ = Must(Engine::Open(std::move(options)));
}

void Maker::CreateRun(const std::string& project, const std::string& name,
                      uint8_t number) {
  CreateRunOptions options;
  options.project = project;
  options.name = name;
  options.id = DirectoryRun(number);
  options.key = absl::StrCat("key-", name);
  options.params = {{"lr", "3e-4"}, {"model", "{\"layers\": 2}"}};
  options.tags = {{"owner", "\xc3\xa9milie"}, {"old", "tag"}};
  Must(engine_->CreateRun(options).status());
}

TestStream Maker::Open(uint8_t run, uint32_t rank, uint32_t attempt,
                       std::optional<int64_t> resume_step,
                       std::vector<LanePosition> held) {
  StreamOptions options;
  options.run = DirectoryRun(run);
  options.worker = {.role = "trainer", .rank = rank};
  options.stream = DirectoryStream(attempt, rank);
  options.attempt = attempt;
  options.resume_step = resume_step;
  options.world_size = 3;
  options.client_time_ns = kStart - kSecond;
  options.held = std::move(held);
  TestStream stream;
  Must(OpenAndWait(engine_.get(), std::move(options), &stream));
  return stream;
}

TestStream Maker::OpenTrainer(uint8_t run, uint32_t rank, uint32_t attempt,
                              std::optional<int64_t> resume_step,
                              std::vector<LanePosition> held) {
  TestStream stream = Open(run, rank, attempt, resume_step, std::move(held));
  Must(stream.session->DeclareSchema(0, TrainSchema()));
  return stream;
}

void Maker::Train(uint8_t run, uint32_t rank, uint64_t first, uint32_t rows) {
  TestStream stream = OpenTrainer(run, rank);
  Append(&stream, TrainRows(rank, first, rows), 0, first + rows);
}

// Three generations that are joined into one.
void Maker::MergedPart() {
  Reopen(/*fan_in=*/3);
  Must(engine_->CreateProject("lm", {{"team", "language"}}).status());
  CreateRun("lm", "pretrain", kPretrain);
  CreateRun("lm", "long", kLong);
  CreateRun("lm", "steady", kSteady);
  CreateRun("vision", "detector", kDetector);
  CreateRun("lm", "deleted", kDeletedAndSealed);
  CreateRun("gone", "gone", kDeletedInLog);
  for (const uint64_t first : {0, 10, 20}) {
    for (uint32_t rank = 0; rank < 3; ++rank) {
      Train(kPretrain, rank, first, 10);
    }
    Train(kDeletedAndSealed, 0, first, 10);
    Must(engine_->Seal().status());
  }
  Must(engine_->Flush().status());
}

// Generations of a seal each.
void Maker::UnmergedPart() {
  Reopen(/*fan_in=*/0);
  // More than 64 rows of one worker, so that its tile has summaries.
  Train(kPretrain, 0, 30, 70);
  Train(kPretrain, 1, 30, 10);
  {
    TestStream stream = Open(kLong, 0, 1);
    Must(stream.Declare(0, {"epoch", "narrow", "wide"}));
    Append(&stream, LongRows(0, 4200), 0, 4200);
  }
  {
    TestStream stream = Open(kSteady, 0, 1);
    Must(stream.Declare(0, {"progress"}));
    Append(&stream, SteadyRows(0, 20'000), 0, 20'000);
  }
  {
    TestStream stream = Open(kPretrain, 2, 1);
    Must(stream.Declare(1, {"cpu", "memory"}));
    Append(&stream, HostRows(0, 6, /*stamped=*/false), 1, 6);
    Append(&stream, HostRows(6, 4, /*stamped=*/true), 1, 10);
  }
  Must(engine_->Seal().status());
  {
    // Hides rows of attempt 1 from step 25 on.
    TestStream stream = OpenTrainer(kPretrain, 0, 2, 25);
    Append(&stream, TrainRows(0, 0, 12, 25), 0, 12);
  }
  {
    TestStream stream = OpenTrainer(kDetector, 0);
    Append(&stream, TrainRows(0, 0, 8), 0, 8);
  }
  {
    // Rows 8 to 12 are lost.
    TestStream stream = OpenTrainer(kDetector, 0, 1, std::nullopt, {{0, 12}});
    Append(&stream, TrainRows(0, 12, 4), 0, 16);
  }
  {
    // Reads what two attempts of the other logged below step 28.
    CreateRunOptions options;
    options.project = "lm";
    options.name = "fork";
    options.id = DirectoryRun(kFork);
    options.fork_from = Fork{DirectoryRun(kPretrain), 28};
    Must(engine_->CreateRun(options).status());
    TestStream stream = OpenTrainer(kFork, 0);
    Append(&stream, TrainRows(0, 0, 5, 28), 0, 5);
  }
  WriteOptions write;
  write.run = DirectoryRun(kDetector);
  write.points = {
      {"mAP", 0.25, 10, kStart}, {"mAP", 0.5, 20, {}}, {"note", -0.0, {}, {}}};
  write.request_id = "first write";
  Must(engine_->Write(write).status());
  UpdateRunOptions update;
  update.status = RunStatus::kFailed;
  update.set_tags = {{"reason", "out of memory"}};
  update.remove_tags = {"old"};
  Must(engine_->UpdateRun(DirectoryRun(kDetector), update).status());
  UpdateProjectOptions keep;
  keep.retention_age_ns = kKeepForever;
  keep.max_rows_per_second = 1'000'000;
  keep.max_disk_bytes = uint64_t{1} << 40;
  Must(engine_->UpdateProject("lm", keep).status());
  Must(engine_->Seal().status());
  // Its rows stay in the merged generation, and its id in a tombstone.
  Must(engine_->DeleteRun(DirectoryRun(kDeletedAndSealed)));
  Must(engine_->Seal().status());
}

// What no seal has taken: every kind of log record.
void Maker::LogPart() {
  Train(kPretrain, 0, 100, 5);
  // The log so far goes into a file of its family.
  Reopen(/*fan_in=*/0);
  CreateRun("vision", "scheduled", kScheduled);
  UpdateRunOptions update;
  update.status = RunStatus::kScheduled;
  Must(engine_->UpdateRun(DirectoryRun(kScheduled), update).status());
  update.status = RunStatus::kFinished;
  update.end_ns = kStart + 5000 * kSecond;
  Must(engine_->UpdateRun(DirectoryRun(kLong), update).status());
  // Rows 100 to 104 were stored before: the batch has a skip.
  Train(kPretrain, 0, 100, 9);
  {
    // An attempt without a resume step: the first that it logs counts.
    TestStream stream = OpenTrainer(kPretrain, 1, 3);
    Append(&stream, TrainRows(1, 0, 3, 36), 0, 3);
    // A batch that is refused leaves a void record.
    BatchBuilder bad(0, 3, 2);
    bad.Column(0, 1, ValueType::kFloat64, "short");
    if (!stream.Append(bad.Build()).has_value()) {
      Must(absl::InternalError("a bad batch was taken"));
    }
    Append(&stream, TrainRows(1, 5, 2, 36), 0, 7);
    Must(stream.Declare(1, {"cpu", "memory"}));
    Append(&stream, HostRows(0, 3, /*stamped=*/true), 1, 3);
  }
  {
    TestStream stream = OpenTrainer(kDetector, 0, 1, std::nullopt, {{0, 20}});
    Append(&stream, TrainRows(0, 20, 2), 0, 22);
  }
  WriteOptions write;
  write.run = DirectoryRun(kDetector);
  write.points = {{"mAP", 0.75, 30, {}}};
  write.request_id = "second write";
  Must(engine_->Write(write).status());
  Train(kDeletedInLog, 0, 0, 4);
}

void Maker::TakePicture() {
  picture_wanted_.store(true);
  // The last records: a delete, and the erased key of the project. A seal
  // follows by itself.
  Must(engine_->DeleteProject("gone").status());
  picture_taken_.get_future().wait();
}

void Make(const fs::path& to) {
  const TempDir work;
  Maker maker(work.path());
  maker.MergedPart();
  maker.UnmergedPart();
  maker.LogPart();
  maker.TakePicture();
  const std::vector<std::string> text = maker.Text();
  maker.Close();

  const std::string name = absl::StrCat("v", kFormatVersion);
  fs::create_directories(to);
  std::ofstream(to / (name + ".txt"))
      << "# What " << name
      << ".tar.gz holds (tests/golden/store_text.h says how to read it).\n\n"
      << absl::StrJoin(text, "\n");
  const std::string pack =
      absl::StrCat("tar -C '", work.path(),
                   "/picture' --sort=name --mtime=@0 --owner=0 "
                   "--group=0 --numeric-owner -c . | gzip -9n > '",
                   (to / name).string(), ".tar.gz'");
  if (std::system(pack.c_str()) != 0) {
    Must(absl::InternalError("tar failed"));
  }
}

}  // namespace
}  // namespace waterflow::storage

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_golden_directory FOLDER\n";
    return 2;
  }
  waterflow::storage::Make(argv[1]);
}
