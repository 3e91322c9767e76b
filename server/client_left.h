// Whether the client of a call has left it.
#ifndef WATERFLOW_SERVER_CLIENT_LEFT_H_
#define WATERFLOW_SERVER_CLIENT_LEFT_H_

#include <grpcpp/server_context.h>

#include <chrono>
#include <functional>

namespace waterflow::server {

// For the engine, which asks as often as it likes. gRPC is asked every few
// milliseconds only: to say so it polls the call's completion queue, at the
// price of a system call. Not thread-safe; `context` must outlive it.
inline std::function<bool()> ClientLeft(grpc::ServerContext* context) {
  using Clock = std::chrono::steady_clock;
  return [context, left = false,
          next = Clock::now() + std::chrono::milliseconds(2)]() mutable {
    if (left) return true;
    const Clock::time_point now = Clock::now();
    if (now < next) return false;
    next = now + std::chrono::milliseconds(2);
    left = context->IsCancelled();
    return left;
  };
}

}  // namespace waterflow::server

#endif  // WATERFLOW_SERVER_CLIENT_LEFT_H_
