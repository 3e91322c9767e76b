// VictoriaMetrics and Prometheus, asked in PromQL over HTTP; raw points of
// VictoriaMetrics by its export, which is made for them.
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/substitute.h"
#include "bench/ingest/shape.h"
#include "bench/peers/remote_write_requests.h"
#include "bench/peers/remote_write_server.h"
#include "bench/query/http_client.h"
#include "bench/query/subject.h"

namespace waterflow::bench {
namespace {

using Form = std::vector<std::pair<std::string, std::string>>;

constexpr absl::Duration kLoadTimeout = absl::Minutes(10);
// So that a request has about as many samples, whatever the shape.
constexpr uint32_t kRequestRows = 1000;

struct Request {
  std::string target;
  Form form;
};

// The three of them in one answer, told apart by a label.
std::string MeanMinMax(const std::string& mean, const std::string& min,
                       const std::string& max) {
  const auto labelled = [](const std::string& query, const char* what) {
    return absl::Substitute(R"(label_replace($0, "is", "$1", "", ""))", query,
                            what);
  };
  return absl::StrCat(labelled(mean, "mean"), " or ", labelled(min, "min"),
                      " or ", labelled(max, "max"));
}

class PromqlSubject final : public Subject {
 public:
  PromqlSubject(std::string name, const PeerOptions& options)
      : name_(std::move(name)), options_(options) {}

  absl::Status Installed() const override {
    return FindProgram(options_.peers, name_).empty() ? NotInstalled(name_)
                                                      : absl::OkStatus();
  }
  std::string version() const override {
    return InstalledVersion(options_.peers, name_);
  }
  absl::Status Load(const QuestionSet& set, const Dataset& data) override;
  absl::StatusOr<Measured> Measure(const QuestionSet& set,
                                   const Question& question,
                                   absl::Duration duration) override;

 private:
  Request RequestOf(const QuestionSet& set, const Question& question) const;

  const std::string name_;
  const PeerOptions& options_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
};

absl::Status PromqlSubject::Load(const QuestionSet&, const Dataset& data) {
  client_.reset();
  server_.reset();
  auto server = StartRemoteWriteServer(name_, options_);
  if (!server.ok()) return server.status();
  server_ = *std::move(server);
  HttpLoadOptions options = RemoteWriteLoad();
  options.port = server_->port();
  options.load.shape = LoadShape::kOnce;
  options.load.connections = 1;
  options.load.window = kLoadTimeout;
  options.load.counters = [this] { return server_->Counters(); };
  Shape shape;
  shape.kind = ShapeKind::kOnce;
  shape.rows = kRequestRows;
  shape.by_series = true;
  RemoteWriteRequests requests(shape, data, options.load.connections);
  const absl::StatusOr<LoadResult> loaded = RunHttpLoad(options, &requests);
  if (!loaded.ok()) return loaded.status();
  auto client = HttpClient::Connect(server_->port());
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  if (name_ != kVictoriaMetrics) return absl::OkStatus();
  // What was written is searched for only some seconds later, unless it is
  // told.
  return client_->Post("/internal/force_flush", {}).status();
}

Request PromqlSubject::RequestOf(const QuestionSet& set,
                                 const Question& question) const {
  const std::string metric = W1Names(set.data.metrics)[0];
  const std::string one = absl::StrCat(
      metric, "{rank=\"", set.data.workers == 1 ? 0 : kOneRank, "\"}");
  const bool raw = question.kind == QuestionKind::kOneSeries ||
                   question.kind == QuestionKind::kAllRaw;
  if (raw && name_ == kVictoriaMetrics) {
    return {"/api/v1/export",
            {{"match[]",
              question.kind == QuestionKind::kOneSeries ? one : metric}}};
  }
  // A row lies in the first tenth of its step: the middle sees it.
  const double step_s = static_cast<double>(set.data.step_ns) * 1e-9;
  const double start_s = static_cast<double>(set.data.start_ns) * 1e-9;
  double grid_s = step_s;
  std::string query;
  switch (question.kind) {
    case QuestionKind::kOneSeries:
      query = one;
      break;
    case QuestionKind::kAllRaw:
      query = metric;
      break;
    case QuestionKind::kPerStep:
      query = MeanMinMax(absl::StrCat("avg(", metric, ")"),
                         absl::StrCat("min(", metric, ")"),
                         absl::StrCat("max(", metric, ")"));
      break;
    case QuestionKind::kBuckets:
      grid_s = step_s * set.BucketSteps(question);
      const std::string window =
          absl::StrFormat("_over_time(%s[%ds])", metric, std::lround(grid_s));
      query = MeanMinMax("avg" + window, "min" + window, "max" + window);
  }
  const double first_s = start_s + grid_s - step_s / 2;
  const double last_s = start_s + step_s * set.data.steps - step_s / 2;
  Form form = {{"query", query},
               {"start", absl::StrFormat("%.3f", first_s)},
               {"end", absl::StrFormat("%.3f", last_s)},
               {"step", absl::StrFormat("%.3f", grid_s)}};
  // Its cache would answer what it has answered just now. Nobody asks for the
  // same twice: charts move.
  if (name_ == kVictoriaMetrics) form.emplace_back("nocache", "1");
  return {"/api/v1/query_range", std::move(form)};
}

void AddNumber(double value, Answer* answer) {
  ++answer->numbers;
  answer->max = std::fmax(answer->max, value);
}

// Both kinds of answers: an object for each series in a line of its own, or one
// object of all series.
absl::StatusOr<Answer> Look(const std::string& body) {
  Answer answer = {.bytes = body.size()};
  for (const absl::string_view line :
       absl::StrSplit(body, '\n', absl::SkipEmpty())) {
    const nlohmann::json json =
        nlohmann::json::parse(line.begin(), line.end(), nullptr,
                              /*allow_exceptions=*/false);
    if (!json.is_object()) {
      return absl::InternalError(
          absl::StrCat("not an answer: ", line.substr(0, 200)));
    }
    if (json.contains("values")) {
      for (const nlohmann::json& value : json["values"]) {
        AddNumber(value.get<double>(), &answer);
      }
      continue;
    }
    for (const nlohmann::json& series : json["data"]["result"]) {
      for (const nlohmann::json& point : series["values"]) {
        double value = 0;
        if (!absl::SimpleAtod(point[1].get<std::string>(), &value)) {
          return absl::InternalError("a value is no number");
        }
        AddNumber(value, &answer);
      }
    }
  }
  return answer;
}

absl::StatusOr<Measured> PromqlSubject::Measure(const QuestionSet& set,
                                                const Question& question,
                                                absl::Duration duration) {
  const Request request = RequestOf(set, question);
  return MeasureCalls(
      {.look = [&]() -> absl::StatusOr<Answer> {
         const absl::StatusOr<std::string> body =
             client_->Post(request.target, request.form);
         if (!body.ok()) return body.status();
         return Look(*body);
       },
       .ask =
           [&] { return client_->Post(request.target, request.form).status(); },
       .cpu_seconds = [&]() -> absl::StatusOr<double> {
         const absl::StatusOr<ProcessUsage> usage = server_->Usage();
         if (!usage.ok()) return usage.status();
         return usage->cpu_seconds;
       }},
      duration);
}

}  // namespace

std::unique_ptr<Subject> MakePromqlSubject(const std::string& name,
                                           const PeerOptions& options) {
  return std::make_unique<PromqlSubject>(name, options);
}

}  // namespace waterflow::bench
