// Files that a MANIFEST may name outlast the errors of writing it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "storage/database/manifest_guard.h"
#include "tests/unit/engine_fixture.h"
#include "tests/unit/faulty_env.h"

namespace waterflow::storage {
namespace {

class ManifestGuardTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(
        guard_
            ->NewWritableFile(Path("MANIFEST-000001"), {}, &manifest_, nullptr)
            .ok());
    ASSERT_TRUE(guard_->NewDirectory(dir_.path(), {}, &folder_, nullptr).ok());
    for (const char* name : {"000012.sst", "000013.sst", "seal-1.sst",
                             "MANIFEST-000000", "000014.log", "1.dbtmp"}) {
      std::ofstream(Path(name)) << "x";
    }
  }

  std::string Path(const std::string& name) { return dir_.path() + "/" + name; }
  bool Exists(const std::string& name) {
    return std::filesystem::exists(Path(name));
  }
  void Delete(const std::string& name) {
    EXPECT_TRUE(guard_->DeleteFile(Path(name), {}, nullptr).ok());
  }
  void FailASync() {
    plan_.Set([](const std::string& file) {
      return absl::StrContains(file, "MANIFEST");
    });
    EXPECT_FALSE(manifest_->Sync({}, nullptr).ok());
    plan_.Set(nullptr);
  }
  void MakeAnotherCurrent() {
    std::ofstream(Path("1.dbtmp")) << "MANIFEST-000002";
    ASSERT_TRUE(
        guard_->RenameFile(Path("1.dbtmp"), Path("CURRENT"), {}, nullptr).ok());
  }

  TempDir dir_;
  FaultPlan plan_;
  const std::shared_ptr<ManifestGuard> guard_ = std::make_shared<ManifestGuard>(
      std::make_shared<FaultyFileSystem>(&plan_));
  std::unique_ptr<rocksdb::FSWritableFile> manifest_;
  std::unique_ptr<rocksdb::FSDirectory> folder_;
};

TEST_F(ManifestGuardTest, WithoutAnErrorDeletionsAreDone) {
  ASSERT_TRUE(manifest_->Append("edit", {}, nullptr).ok());
  ASSERT_TRUE(manifest_->Sync({}, nullptr).ok());
  Delete("000012.sst");
  Delete("MANIFEST-000000");
  EXPECT_FALSE(Exists("000012.sst"));
  EXPECT_FALSE(Exists("MANIFEST-000000"));
}

TEST_F(ManifestGuardTest, AfterAFailedSyncTablesStayUntilANewOneIsCurrent) {
  FailASync();
  Delete("000012.sst");
  Delete("MANIFEST-000000");
  EXPECT_TRUE(Exists("000012.sst"));
  EXPECT_TRUE(Exists("MANIFEST-000000"));
  // No MANIFEST names these.
  Delete("seal-1.sst");
  Delete("000014.log");
  EXPECT_FALSE(Exists("seal-1.sst"));
  EXPECT_FALSE(Exists("000014.log"));

  // A sync of the folder alone says nothing of the MANIFEST.
  ASSERT_TRUE(folder_->Fsync({}, nullptr).ok());
  EXPECT_TRUE(Exists("000012.sst"));
  MakeAnotherCurrent();
  EXPECT_TRUE(Exists("000012.sst"));
  ASSERT_TRUE(folder_->FsyncWithDirOptions({}, nullptr, {}).ok());
  EXPECT_FALSE(Exists("000012.sst"));
  EXPECT_FALSE(Exists("MANIFEST-000000"));
  EXPECT_TRUE(Exists("000013.sst"));
  Delete("000013.sst");
  EXPECT_FALSE(Exists("000013.sst"));
}

TEST_F(ManifestGuardTest, AnErrorOfTheNewOneMakesItWaitForAnother) {
  FailASync();
  Delete("000012.sst");
  MakeAnotherCurrent();
  FailASync();
  ASSERT_TRUE(folder_->Fsync({}, nullptr).ok());
  EXPECT_TRUE(Exists("000012.sst"));
  MakeAnotherCurrent();
  ASSERT_TRUE(folder_->Fsync({}, nullptr).ok());
  EXPECT_FALSE(Exists("000012.sst"));
}

TEST_F(ManifestGuardTest, ACurrentThatCannotBeRenamedIsAnErrorToo) {
  EXPECT_FALSE(
      guard_->RenameFile(Path("gone"), Path("CURRENT"), {}, nullptr).ok());
  Delete("000012.sst");
  EXPECT_TRUE(Exists("000012.sst"));
}

}  // namespace
}  // namespace waterflow::storage
