#pragma once
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "net/asio/internal/boost.h"
#include "net/asio/internal/poller.h"
#include "net/asio/shard.h"

namespace footlight::net {

struct Shard::Impl {
  explicit Impl(int index);

  void wait_for_sockets();
  void on_sockets();
  void take_inbox();
  void end_turn();
  void see_again();
  // From within end_turn: what a resident just did concerns another, who must be asked once more.
  void ask_turn() { asked = true; }
  void arm(MonoUs due_us);
  void run();

  const int index;
  SystemClock clock;
  boost::asio::io_context io{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
  Poller poller;
  boost::asio::posix::stream_descriptor poller_readable;
  boost::asio::steady_timer timer;
  MonoUs armed_us = kNever;
  std::vector<Resident*> residents;
  bool asked = false;
  bool seeing_again = false;  // see_again() is posted
  // One read buffer for all connections: what is read is used up before the next read.
  std::vector<char> buffer;

  std::mutex mutex;
  std::vector<Job> inbox;  // under mutex, as is stopped
  bool stopped = false;
  std::vector<Job> running;

  std::thread thread;
  std::atomic<std::thread::id> thread_id{};
};

}  // namespace footlight::net
