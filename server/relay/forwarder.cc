#include "server/relay/forwarder.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"

namespace waterflow::server {

using client::Clock;

Forwarder::Forwarder(storage::RelayStore* store,
                     const std::shared_ptr<grpc::Channel>& upstream,
                     ForwardOptions options)
    : stub_(v1::Ingest::NewStub(upstream)) {
  state_.store = store;
  state_.stub = stub_.get();
  state_.events = &events_;
  state_.options = std::move(options);
  store->SetWake([this] { events_.Notify(); });
  thread_ = std::thread([this] { Run(); });
}

Forwarder::~Forwarder() {
  state_.store->SetWake(nullptr);
  stop_.store(true);
  events_.Notify();
  thread_.join();
}

void Forwarder::AwaitForwarded(absl::Time deadline) const {
  while (state_.store->waiting_bytes() > 0 && state_.connected.load() &&
         absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(10));
  }
}

void Forwarder::Run() {
  while (!stop_.load()) {
    for (const uint32_t number : state_.store->TakeNews()) {
      std::unique_ptr<UpstreamStream>& stream = streams_[number];
      if (stream == nullptr) {
        stream = std::make_unique<UpstreamStream>(&state_, number);
      }
      stream->HearNews();
    }
    const Clock::time_point now = Clock::now();
    Clock::time_point next = now + std::chrono::hours(1);
    for (auto it = streams_.begin(); it != streams_.end();) {
      next = std::min(next, it->second->Step(now));
      it = it->second->over() ? streams_.erase(it) : std::next(it);
    }
    events_.WaitUntil(next);
  }
  EndCalls();
}

void Forwarder::EndCalls() {
  for (auto& [number, stream] : streams_) stream->Cancel();
  const auto busy = [](const auto& entry) { return entry.second->has_call(); };
  while (std::any_of(streams_.begin(), streams_.end(), busy)) {
    events_.WaitUntil(Clock::now() + std::chrono::seconds(1));
  }
  streams_.clear();
}

}  // namespace waterflow::server
