// A network that misbehaves: passes TCP connections on to a port on loopback
// and, when told to, late, not at all for a while, or not any more.
//
// One thread; the calls are thread-safe.
#ifndef WATERFLOW_TESTS_CRASH_TCP_PROXY_H_
#define WATERFLOW_TESTS_CRASH_TCP_PROXY_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <string>
#include <thread>
#include <vector>

namespace waterflow::testing {

class TcpProxy {
 public:
  explicit TcpProxy(int target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  std::string address() const;

  // Bytes arrive so much after they were sent.
  void SetDelay(std::chrono::milliseconds delay) { delay_ms_ = delay.count(); }
  // Nothing arrives and nobody hears that it does not. When it is over, all
  // that was sent meanwhile arrives, also what a sender that has closed left.
  void SetStalled(bool stalled) { stalled_ = stalled; }
  // Ends all connections with a reset; what was on its way is lost.
  void ResetAll() { reset_ = true; }

  uint64_t connections() const { return connections_; }
  uint64_t resets() const { return resets_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Chunk {
    Clock::time_point due;
    std::string bytes;
  };
  // From one socket to the other.
  struct Direction {
    int from = -1;
    int to = -1;
    std::deque<Chunk> chunks;
    size_t held_bytes = 0;
    bool ended = false;   // the sender will send no more
    bool closed = false;  // and the receiver was told so
  };
  struct Connection {
    Direction up;
    Direction down;
    bool broken = false;
  };

  void Run();
  void Accept();
  void Take(Connection* connection, Direction* direction);
  void Pass(Connection* connection, Direction* direction);
  static void Close(const Connection& connection, bool reset);

  const int target_port_;
  int listener_ = -1;
  int port_ = 0;
  std::list<Connection> open_;
  std::atomic<int64_t> delay_ms_{0};
  std::atomic<bool> stalled_{false};
  std::atomic<bool> reset_{false};
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> connections_{0};
  std::atomic<uint64_t> resets_{0};
  std::thread thread_;
};

}  // namespace waterflow::testing

#endif  // WATERFLOW_TESTS_CRASH_TCP_PROXY_H_
