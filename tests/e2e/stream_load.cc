// Figures about many streams, against a server that runs already:
//
//   stream_load ADDRESS PID idle STREAMS CONNECTIONS SECONDS
//       opens them, then a row of each every 5 s, spread over the 5 s; RSS of
//       the server's process for each stream, and ack latency
//   stream_load ADDRESS PID barrier STREAMS CONNECTIONS SECONDS
//       all send at the same instant, each 5 s
//   stream_load ADDRESS PID flood STREAMS CONNECTIONS SECONDS
//       as idle, beside one stream that sends as fast as it can
//   stream_load ADDRESS PID large STREAMS CONNECTIONS ROUNDS
//       all send 8 MiB at the same instant, one round after the other
//   stream_load ADDRESS PID storm STREAMS CONNECTIONS ROUNDS
//       all connect at once and send a row, then all are gone at once, again
//       and again
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/e2e/many_streams.h"
#include "tests/e2e/stream_client.h"
#include "waterflow/v1/tracking.grpc.pb.h"

namespace waterflow::testing {
namespace {

constexpr absl::Duration kPeriod = absl::Seconds(5);

std::string CreateRun(const std::string& address) {
  const auto channel =
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const auto stub = v1::Tracking::NewStub(channel);
  grpc::ClientContext context;
  v1::CreateRunResponse response;
  const grpc::Status status = stub->CreateRun(&context, {}, &response);
  if (!status.ok()) {
    std::fprintf(stderr, "CreateRun: %s\n", status.error_message().c_str());
    std::exit(1);
  }
  return response.run().id();
}

double RssKiB(int pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string word;
  double kib = 0;
  while (status >> word) {
    if (word == "VmRSS:") status >> kib;
  }
  return kib;
}

void PrintLatency(const char* what, const std::vector<absl::Duration>& all) {
  std::printf("%s: %zu acks, p50 %.1f ms, p99 %.1f ms, max %.1f ms\n", what,
              all.size(), absl::ToDoubleMilliseconds(Quantile(all, 0.5)),
              absl::ToDoubleMilliseconds(Quantile(all, 0.99)),
              absl::ToDoubleMilliseconds(Quantile(all, 1)));
}

// A row of each stream every period, spread over it.
void SendSpread(ManyStreams* streams, size_t count, absl::Duration duration) {
  const absl::Time begin = absl::Now();
  for (size_t sent = 0; absl::Now() - begin < duration; ++sent) {
    const absl::Time due = begin + kPeriod * (static_cast<double>(sent) /
                                              static_cast<double>(count));
    streams->RunFor(due - absl::Now());
    streams->Send(sent % count);
  }
  streams->AwaitAcks(absl::Seconds(30));
}

// Batches of 64 rows of 100 metrics, one after the other, within its credit.
void Flood(const std::string& address, const std::string& run,
           const std::atomic<bool>* stop) {
  StreamClient client(ConnectAlone(address));
  v1::Open open;
  open.set_run_id(run);
  open.mutable_worker()->set_rank(1'000'000);
  open.set_stream_id(std::string(16, 'F'));
  client.SendOpen(open);
  client.Receive();
  std::vector<std::string> names;
  for (int m = 0; m < 100; ++m) names.push_back(absl::StrCat("flood/", m));
  client.SendSchema(0, names);
  constexpr uint64_t kRows = 64;
  constexpr uint64_t kAhead = 200;  // batches of 53 KB: 11 MB
  v1::Batch batch =
      DenseBatch(0, 0, std::vector(100, std::vector<double>(kRows, 1.0 / 3)));
  uint64_t sent = 0;
  const absl::Time begin = absl::Now();
  while (!*stop) {
    batch.set_first_row(sent++ * kRows);
    if (!client.SendBatch(batch)) break;
    const auto acked = [&]() -> uint64_t {
      const v1::Ack& ack = client.last_ack();
      return ack.lanes().empty() ? 0 : ack.lanes(0).next_row();
    };
    while (acked() + kAhead * kRows < sent * kRows) {
      if (!client.Receive().has_value()) return;
    }
  }
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  std::printf("flood: %.0f MB/s\n",
              static_cast<double>(sent * batch.ByteSizeLong()) / 1e6 / seconds);
}

int Main(const std::vector<std::string>& arguments) {
  if (arguments.size() != 6) {
    std::fprintf(
        stderr,
        "stream_load ADDRESS PID idle|barrier|flood|storm|large STREAMS "
        "CONNECTIONS SECONDS|ROUNDS\n");
    return 2;
  }
  const std::string& kind = arguments[2];
  int pid = 0;
  int count = 0;
  ManyStreamsOptions options{.address = arguments[0],
                             .run_id = CreateRun(arguments[0])};
  if (!absl::SimpleAtoi(arguments[1], &pid) ||
      !absl::SimpleAtoi(arguments[3], &options.streams) ||
      !absl::SimpleAtoi(arguments[4], &options.connections) ||
      !absl::SimpleAtoi(arguments[5], &count)) {
    return 2;
  }
  if (kind == "large") options.metrics = options.rows = 1024;
  const double before = RssKiB(pid);
  const auto per_stream = [&](const char* when) {
    std::printf("%s: RSS %.0f MiB, %.1f KiB a stream\n", when,
                RssKiB(pid) / 1024,
                (RssKiB(pid) - before) / static_cast<double>(options.streams));
  };
  if (kind == "storm") {
    for (int round = 0; round < count; ++round) {
      const absl::Time begin = absl::Now();
      ManyStreams streams(options);
      const size_t open = streams.OpenAll();
      const absl::Duration opened = absl::Now() - begin;
      streams.SendAll();
      const bool acked = streams.AwaitAcks(absl::Seconds(60));
      std::printf("round %d: %zu open after %.2f s, %s after %.2f s\n", round,
                  open, absl::ToDoubleSeconds(opened),
                  acked ? "all acked" : "NOT all acked",
                  absl::ToDoubleSeconds(absl::Now() - begin));
      PrintLatency("  first row", streams.TakeLatencies());
      per_stream("  open");
    }
    return 0;
  }
  ManyStreams streams(options);
  std::printf("%zu open\n", streams.OpenAll());
  per_stream("opened");
  const absl::Duration duration = absl::Seconds(count);
  if (kind == "large") {
    for (int round = 0; round < count; ++round) {
      streams.SendAll();
      if (!streams.AwaitAcks(absl::Seconds(60))) std::printf("NOT all acked\n");
    }
  } else if (kind == "barrier") {
    for (absl::Duration done; done < duration; done += kPeriod) {
      streams.SendAll();
      streams.RunFor(kPeriod);
    }
  } else {
    std::atomic<bool> stop{false};
    std::thread flood;
    if (kind == "flood") {
      flood =
          std::thread([&] { Flood(options.address, options.run_id, &stop); });
    }
    SendSpread(&streams, options.streams, duration);
    stop = true;
    if (flood.joinable()) flood.join();
  }
  PrintLatency(kind.c_str(), streams.TakeLatencies());
  per_stream("at the end");
  std::printf("%zu still open\n", streams.open());
  return 0;
}

}  // namespace
}  // namespace waterflow::testing

int main(int argc, char** argv) {
  return waterflow::testing::Main({argv + 1, argv + argc});
}
