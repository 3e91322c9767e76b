#include "server/ingest_loop.h"

#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/admission.h"
#include "server/ingest_session.h"

namespace waterflow::server {

IngestLoop::IngestLoop(std::unique_ptr<grpc::ServerCompletionQueue> queue,
                       StreamService* service, storage::IngestBackend* backend,
                       Admission* admission)
    : service_(service),
      backend_(backend),
      admission_(admission),
      queue_(std::move(queue)),
      mail_tag_{
          [](void* loop, bool) { static_cast<IngestLoop*>(loop)->OnMail(); },
          this},
      recheck_tag_{
          [](void* loop, bool) { static_cast<IngestLoop*>(loop)->OnRecheck(); },
          this},
      look_tag_{
          [](void* loop, bool) { static_cast<IngestLoop*>(loop)->OnLook(); },
          this},
      mailbox_(std::make_shared<Mailbox>(queue_.get(), &mail_tag_)) {}

IngestLoop::~IngestLoop() { Stop(); }

void IngestLoop::Start() {
  thread_ = std::thread([this] { Run(); });
}

void IngestLoop::Drain() {
  drain_asked_ = true;
  mailbox_->Nudge();
}

void IngestLoop::AwaitDrained(absl::Time deadline) {
  storage::MutexLock lock(&mutex_);
  while (!drained_) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return;
    drained_changed_.WaitFor(&mutex_, left);
  }
}

void IngestLoop::NoteIfDrained() {
  if (!draining_ || sessions_.size() > 1) return;
  storage::MutexLock lock(&mutex_);
  drained_ = true;
  drained_changed_.NotifyAll();
}

void IngestLoop::Stop() {
  if (!thread_.joinable()) return;
  stop_asked_ = true;
  mailbox_->Nudge();
  thread_.join();
}

void IngestLoop::Run() {
  AcceptNext();
  SetLook();
  void* tag;
  bool ok;
  while (queue_->Next(&tag, &ok)) {
    const auto* to = static_cast<CqTag*>(tag);
    to->run(to->owner, ok);
  }
}

void IngestLoop::AcceptNext() {
  if (stopping_) return;
  auto session = std::make_unique<IngestSession>(this);
  IngestSession* const raw = session.get();
  sessions_.emplace(raw, std::move(session));
  raw->Accept();
}

void IngestLoop::Retire(IngestSession* session) {
  waiting_.erase(session);
  sessions_.erase(session);
  NoteIfDrained();
}

void IngestLoop::OnMail() {
  mailbox_->Collect(&letters_);
  for (Letter& letter : letters_) {
    // Null when the session went before its letter was read.
    if (IngestSession* session = letter.to->session()) {
      session->Hear(std::move(letter.news));
    }
  }
  letters_.clear();
  ResumeWaiting();
  if (drain_asked_ && !draining_) DrainSessions();
  if (stop_asked_ && !stopping_) {
    stopping_ = true;
    mailbox_->Close();
    if (rechecking_) recheck_.Cancel();
    look_.Cancel();
    queue_->Shutdown();
  }
}

void IngestLoop::DrainSessions() {
  draining_ = true;
  for (IngestSession* session : AllSessions()) {
    session->Drain(absl::UnavailableError("server is stopping"));
  }
  NoteIfDrained();
}

std::vector<IngestSession*> IngestLoop::AllSessions() const {
  std::vector<IngestSession*> all;
  for (const auto& [session, owned] : sessions_) all.push_back(session);
  return all;
}

void IngestLoop::SetLook() {
  if (stopping_) return;
  look_.Set(queue_.get(),
            std::chrono::system_clock::now() +
                absl::ToChronoMicroseconds(admission_->patience() /
                                           kLooksPerPatience),
            &look_tag_);
}

void IngestLoop::OnLook() {
  ++looks_;
  if (!stopping_) {
    for (IngestSession* session : AllSessions()) session->Look();
  }
  SetLook();
}

void IngestLoop::ResumeAfter(IngestSession* session, absl::Duration wait) {
  waiting_[session] = absl::Now() + wait;
  SetRecheck();
}

void IngestLoop::SetRecheck() {
  if (rechecking_ || stopping_ || waiting_.empty()) return;
  rechecking_ = true;
  recheck_.Set(
      queue_.get(),
      std::chrono::system_clock::now() + absl::ToChronoMicroseconds(kRecheck),
      &recheck_tag_);
}

void IngestLoop::OnRecheck() {
  rechecking_ = false;
  ResumeWaiting();
  SetRecheck();
}

void IngestLoop::ResumeWaiting() {
  if (waiting_.empty() || stopping_) return;
  const absl::Time now = absl::Now();
  std::vector<IngestSession*> due;
  for (const auto& [session, from] : waiting_) {
    if (from <= now) due.push_back(session);
  }
  for (IngestSession* session : due) waiting_.erase(session);
  // Those that must wait still put themselves back.
  for (IngestSession* session : due) session->ResumeReading();
}

}  // namespace waterflow::server
