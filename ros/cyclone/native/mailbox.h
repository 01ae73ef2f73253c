// Where threads of the library leave what JavaScript is to hear of, and wake it: events, and readers with data.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "event.h"

struct Endpoint;

class Mailbox {
 public:
  // `wake` is called by any thread when there is something in it, once until it is emptied.
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}

  // For any thread.
  void push(Event event);
  void pushReady(Endpoint& endpoint);

  // For the JavaScript thread.
  std::vector<Event> takeEvents();
  // Ids of readers with data, each once.
  std::deque<uint32_t> takeReady();

 private:
  const std::function<void()> wake_;
  std::mutex mutex_;
  bool isAwake_ = false;
  unsigned pendingLogs_ = 0;
  std::vector<Event> events_;
  std::deque<uint32_t> ready_;
};
