// A server that dies by SIGKILL while a run is logged and followed: whoever
// goes on with the last resume token gets each point once.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "client/cli/api.h"
#include "client/cpp/channel.h"
#include "client/cpp/run_writer.h"
#include "gtest/gtest.h"
#include "tests/e2e/client_programs.h"

namespace waterflow::cli {
namespace {

constexpr int kRows = 3000;
constexpr int kKills = 3;

// Reads until `stop` values are there or the call ends.
void Follow(Api& api, const std::string& run, size_t stop, std::string* token,
            std::vector<double>* values) {
  v1::TailRequest request;
  request.add_run_ids(run);
  request.add_metrics("m");
  request.set_resume_token(*token);
  request.set_last_rows(token->empty() ? kRows : 0);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(60));
  const auto call = api.query->Tail(&context, request);
  v1::TailResponse response;
  while (values->size() < stop && call->Read(&response)) {
    for (const v1::TailPart& part : response.parts()) {
      values->insert(values->end(), part.series().values().begin(),
                     part.series().values().end());
    }
    *token = response.resume_token();
  }
  context.TryCancel();
  call->Finish();
}

TEST(TailKillTest, EachPointComesOnceThoughTheServerIsKilled) {
  TemporaryFolder folder;
  // Sealed all the time, so that rows move while they are followed.
  ServerProgram server(folder / "server", {"--seal-age", "200ms"});
  server.Start();
  const int port = server.port();
  Api api(server.address());
  v1::CreateRunRequest create;
  auto created = Call(*api.tracking, &v1::Tracking::Stub::CreateRun, create);
  ASSERT_TRUE(created.ok()) << created.status();
  const std::string run = created->run().id();

  client::RunWriterOptions options;
  options.backoff_first = absl::Milliseconds(20);
  options.backoff_most = absl::Milliseconds(100);
  auto writer = client::RunWriter::Open(client::MakeChannel(server.address()),
                                        run, {}, options);
  ASSERT_TRUE(writer.ok()) << writer.status();
  const auto schema = (*writer)->DeclareSchema({"m"});
  ASSERT_TRUE(schema.ok()) << schema.status();
  std::string token;
  std::vector<double> values;
  int logged = 0;
  for (int kill = 0; kill <= kKills; ++kill) {
    const int end = kRows * (kill + 1) / (kKills + 1);
    std::thread logger([&] {
      for (; logged < end; ++logged) {
        ASSERT_TRUE((*writer)
                        ->Append(*schema, logged, logged + 1, {logged * 1.0})
                        .ok());
        if (logged % 50 == 0) {
          std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
      }
    });
    // Dies with about half of these rows given out.
    const size_t stop = kill < kKills
                            ? values.size() + (end - values.size()) / 2
                            : static_cast<size_t>(kRows);
    while (values.size() < stop) {
      Follow(api, run, stop, &token, &values);
    }
    logger.join();
    if (kill == kKills) break;
    server.Kill();
    server.Start(port);
  }
  EXPECT_TRUE((*writer)->Close(absl::Seconds(60)).ok());
  ASSERT_EQ(values.size(), kRows);
  for (int row = 0; row < kRows; ++row) ASSERT_EQ(values[row], row);
}

}  // namespace
}  // namespace waterflow::cli
