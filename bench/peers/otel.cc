// The OpenTelemetry collector with a file behind it, by OTLP over HTTP: what a
// pipeline of its kind costs before anything could be asked of it. It neither
// indexes nor syncs.
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/peers/http_peer.h"
#include "bench/peers/peer.h"
#include "bench/peers/row_cursor.h"
#include "otlp.pb.h"

namespace waterflow::bench {
namespace {

constexpr char kProgram[] = "otelcol";

// The binary form of its file: JSON, the default, costs more.
constexpr char kConfig[] = R"(
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:{port}"}}}
exporters:
  file: {path: "{data}/metrics", format: proto}
service:
  telemetry: {logs: {level: error}, metrics: {level: none}}
  pipelines: {metrics: {receivers: [otlp], exporters: [file]}}
)";

class OtlpRequests final : public HttpRequests {
 public:
  OtlpRequests(const Shape& shape, const Dataset& dataset, size_t connections)
      : rows_(dataset, connections, shape.rows, /*repeat=*/true) {}

  uint64_t Next(size_t connection, std::string* body) override {
    const RowRange* range = rows_.Next(connection);
    if (range == nullptr) return 0;
    request_.Clear();
    otlp::ResourceMetrics* resource = request_.add_resource_metrics();
    AddAttribute("run", range->worker->run, resource);
    AddAttribute("rank", absl::StrCat(range->worker->rank), resource);
    otlp::ScopeMetrics* scope = resource->add_scope_metrics();
    for (size_t m = 0; m < range->lane->metrics.size(); ++m) {
      otlp::Metric* metric = scope->add_metrics();
      metric->set_name(range->lane->metrics[m]);
      for (size_t row = 0; row < range->rows; ++row) {
        otlp::NumberDataPoint* point =
            metric->mutable_gauge()->add_data_points();
        point->set_time_unix_nano(static_cast<uint64_t>(range->time_ns(row)));
        point->set_as_double(range->value(m, row));
      }
    }
    request_.SerializeToString(body);
    return range->lane->metrics.size() * range->rows;
  }

 private:
  static void AddAttribute(const char* key, std::string value,
                           otlp::ResourceMetrics* resource) {
    otlp::KeyValue* attribute = resource->mutable_resource()->add_attributes();
    attribute->set_key(key);
    attribute->mutable_value()->set_string_value(std::move(value));
  }

  RowCursor rows_;
  otlp::ExportMetricsServiceRequest request_;
};

class OtelPeer final : public Peer {
 public:
  explicit OtelPeer(const PeerOptions& options) : options_(options) {}

  absl::Status Installed() const override {
    return FindProgram(options_.peers, kProgram).empty()
               ? NotInstalled(kProgram)
               : absl::OkStatus();
  }
  std::string version() const override {
    return absl::StrCat(InstalledVersion(options_.peers, kProgram),
                        " with a file exporter");
  }
  absl::StatusOr<Measures> Run(const Shape& shape, const Dataset& workload,
                               absl::Duration window) override;

 private:
  const PeerOptions& options_;
};

absl::StatusOr<Measures> OtelPeer::Run(const Shape& shape,
                                       const Dataset& workload,
                                       absl::Duration window) {
  auto server = HttpServer::Start(
      {.command = {FindProgram(options_.peers, kProgram).string(),
                   "--config=file:{folder}/config.yaml"},
       .files = {{"config.yaml", kConfig}},
       .ready = "/v1/metrics",
       .ready_body = "{}",
       .scratch = options_.scratch});
  if (!server.ok()) return server.status();
  HttpLoadOptions options;
  options.target = "/v1/metrics";
  options.headers = {{"Content-Type", "application/x-protobuf"}};
  options.load.connections =
      shape.connections == 0 ? shape.workers : shape.connections;
  options.load.window = window;
  OtlpRequests requests(shape, workload, options.load.connections);
  return LoadAndWeigh(shape, std::move(options), server->get(), &requests);
}

}  // namespace

std::unique_ptr<Peer> MakeOtel(const PeerOptions& options) {
  return std::make_unique<OtelPeer>(options);
}

}  // namespace waterflow::bench
