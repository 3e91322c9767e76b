#include "bench/query/suite.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "bench/ingest/shape.h"
#include "bench/report.h"

namespace waterflow::bench {
namespace {

bool Wanted(const std::vector<std::string>& only, const std::string& key) {
  return only.empty() || std::find(only.begin(), only.end(), key) != only.end();
}

Dataset DataOf(const QuestionSet& set) {
  Dataset data = MakeW1(set.data);
  if (set.spike) data[0].lanes[0].columns[0][set.data.steps / 3] = kSpike;
  return data;
}

// An answer that is not one measures nothing.
absl::Status Check(const QuestionSet& set, const Question& question,
                   const Answer& answer) {
  if (answer.numbers < LeastPoints(set, question)) {
    return absl::InternalError(absl::StrCat("an answer of ", answer.numbers,
                                            " numbers, not ",
                                            LeastPoints(set, question)));
  }
  if (set.spike && answer.max != kSpike) {
    return absl::InternalError(
        absl::StrCat("the spike is gone; the greatest value is ", answer.max));
  }
  return absl::OkStatus();
}

class Run {
 public:
  Run(const QueryOptions& options, QueryResults* results)
      : options_(options), results_(*results) {}

  absl::Status Questions();

 private:
  absl::Status Set(const QuestionSet& set);
  // Of one subject; what it could not do is noted and passed over, unless the
  // user wants to stop.
  absl::Status Ask(const QuestionSet& set, const Dataset& data,
                   const std::string& name);

  const QueryOptions& options_;
  QueryResults& results_;
  std::map<std::string, std::string> versions_;
};

absl::Status Run::Ask(const QuestionSet& set, const Dataset& data,
                      const std::string& name) {
  const auto skip = [&](const absl::Status& status, const std::string& what) {
    if (absl::IsCancelled(status) || name == kWaterflow) return status;
    const std::string line = absl::StrCat(name, what.empty() ? "" : ", ", what,
                                          ": ", status.message());
    std::vector<std::string>& skipped = results_.skipped;
    if (std::find(skipped.begin(), skipped.end(), line) == skipped.end()) {
      skipped.push_back(line);
    }
    return absl::OkStatus();
  };
  const std::unique_ptr<Subject> subject = MakeSubject(name, options_.peer);
  const absl::Status installed = subject->Installed();
  if (!installed.ok()) return skip(installed, "");
  std::cerr << set.name << ": " << name << " takes it ..." << std::endl;
  const absl::Status loaded = subject->Load(set, data);
  if (!loaded.ok()) return skip(loaded, set.name);
  versions_[name] = subject->version();
  for (const Question& question : set.questions) {
    if (!Wanted(options_.questions, question.key)) continue;
    std::cerr << "  " << question.name << " ..." << std::endl;
    absl::StatusOr<Measured> measured =
        subject->Measure(set, question, options_.duration);
    absl::Status status = measured.status();
    if (status.ok()) status = Check(set, question, measured->answer);
    if (status.ok()) {
      results_.cells.push_back({question, name, *std::move(measured)});
      continue;
    }
    status = skip(status, question.name);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Run::Set(const QuestionSet& set) {
  const bool any = std::any_of(
      set.questions.begin(), set.questions.end(),
      [this](const Question& q) { return Wanted(options_.questions, q.key); });
  if (!any) return absl::OkStatus();
  const Dataset data = DataOf(set);
  for (const std::string& name : set.subjects) {
    if (!Wanted(options_.subjects, name)) continue;
    const absl::Status asked = Ask(set, data, name);
    if (!asked.ok()) return asked;
  }
  return absl::OkStatus();
}

absl::Status Run::Questions() {
  for (const QuestionSet& set : QuestionSets()) {
    const absl::Status status = Set(set);
    if (!status.ok()) return status;
  }
  for (const auto& [name, version] : versions_) {
    results_.versions.push_back(absl::StrCat(name, ": ", version));
  }
  return absl::OkStatus();
}

}  // namespace

const Measured* QueryResults::Find(const std::string& question,
                                   const std::string& subject) const {
  for (const QueryCell& cell : cells) {
    if (cell.question.key == question && cell.subject == subject) {
      return &cell.measured;
    }
  }
  return nullptr;
}

std::vector<Goal> QueryResults::Goals() const {
  // At a client on the same machine an answer may take that much longer than
  // the server works for it, and it must come so much sooner than from others.
  constexpr double kClientFactor = 1.5;
  constexpr double kServers = 5;
  constexpr double kEmbedded = 3;
  std::vector<Goal> goals;
  for (const QueryCell& cell : cells) {
    if (cell.subject != kWaterflow) continue;
    const auto& [question, subject, ours] = cell;
    goals.push_back({.what = question.name + ": server CPU",
                     .value = ours.cpu_ms,
                     .limit = question.cpu_ms,
                     .unit = "ms"});
    goals.push_back({.what = question.name + ": p50 at a client",
                     .value = ours.p50_ms,
                     .limit = kClientFactor * question.cpu_ms,
                     .unit = "ms"});
    const Measured* best = nullptr;
    for (const char* server : {kVictoriaMetrics, kPrometheus}) {
      const Measured* m = Find(question.key, server);
      if (m != nullptr && (best == nullptr || m->p50_ms < best->p50_ms)) {
        best = m;
      }
    }
    if (best != nullptr) {
      goals.push_back({.what = question.name + ": the best server takes",
                       .value = best->p50_ms / ours.p50_ms,
                       .limit = kServers,
                       .unit = "times",
                       .at_least = true});
    }
    if (const Measured* duck = Find(question.key, kDuckDb); duck != nullptr) {
      goals.push_back({.what = question.name + ": DuckDB takes",
                       .value = duck->p50_ms / ours.p50_ms,
                       .limit = kEmbedded,
                       .unit = "times",
                       .at_least = true});
    }
  }
  if (beside.has_value()) {
    goals.push_back({.what = "ingest beside 8 dashboards, of ingest alone",
                     .value = 100 * beside->with_dashboards_samples_per_s /
                              beside->alone_samples_per_s,
                     .limit = 85,
                     .unit = "%",
                     .at_least = true});
    goals.push_back({.what = "ack to a subscriber beside full ingest: p99",
                     .value = beside->tail_p99_ms,
                     .limit = 1000,
                     .unit = "ms"});
  }
  return goals;
}

absl::Status RunQuestions(const QueryOptions& options, QueryResults* results) {
  const Setting here = Here();
  results->date = here.date;
  results->machine = absl::StrCat(here.cores, " x ", here.cpu_model);
  absl::Status status = Run(options, results).Questions();
  if (!status.ok() || options.beside == absl::ZeroDuration()) return status;
  absl::StatusOr<BesideResult> beside = RunBeside(options.peer, options.beside);
  if (!beside.ok()) return beside.status();
  results->beside = *beside;
  return absl::OkStatus();
}

}  // namespace waterflow::bench
