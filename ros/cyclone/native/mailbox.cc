#include "mailbox.h"

#include <utility>

#include "endpoint.h"

namespace {

constexpr unsigned kMaxPendingLogs = 100;

}  // namespace

void Mailbox::push(Event event) {
  {
    const std::lock_guard lock(mutex_);
    // What the network makes the library say must not pile up while JavaScript is busy.
    if (event.kind == Event::Kind::log && ++pendingLogs_ > kMaxPendingLogs) return;
    events_.push_back(std::move(event));
    if (std::exchange(isAwake_, true)) return;
  }
  wake_();
}

void Mailbox::pushReady(Endpoint& endpoint) {
  if (endpoint.isQueued.exchange(true)) return;
  {
    const std::lock_guard lock(mutex_);
    ready_.push_back(endpoint.id);
    if (std::exchange(isAwake_, true)) return;
  }
  wake_();
}

std::vector<Event> Mailbox::takeEvents() {
  const std::lock_guard lock(mutex_);
  isAwake_ = false;
  pendingLogs_ = 0;
  return std::exchange(events_, {});
}

std::deque<uint32_t> Mailbox::takeReady() {
  const std::lock_guard lock(mutex_);
  return std::exchange(ready_, {});
}
