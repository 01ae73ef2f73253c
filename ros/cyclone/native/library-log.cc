#include "library-log.h"

#include <mutex>
#include <set>

#include "dds/dds.h"

namespace {

std::mutex mutex;
std::set<Mailbox*> subscribers;
std::string* capture = nullptr;

void onLog(void*, const dds_log_data_t* data) {
  if ((data->priority & (DDS_LC_FATAL | DDS_LC_ERROR | DDS_LC_WARNING)) == 0) return;
  std::string text(data->message, data->size);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0')) text.pop_back();
  const std::lock_guard lock(mutex);
  if (capture != nullptr) {
    *capture += (capture->empty() ? "" : "; ") + text;
    return;
  }
  for (Mailbox* subscriber : subscribers) {
    Event event{Event::Kind::log};
    event.text = text;
    subscriber->push(std::move(event));
  }
}

}  // namespace

LogSubscription::LogSubscription(Mailbox& mailbox) : mailbox_(mailbox) {
  const std::lock_guard lock(mutex);
  subscribers.insert(&mailbox_);
}

LogSubscription::~LogSubscription() {
  const std::lock_guard lock(mutex);
  subscribers.erase(&mailbox_);
}

LogCapture::LogCapture() {
  {
    const std::lock_guard lock(mutex);
    capture = &text_;
  }
  dds_set_log_sink(onLog, nullptr);
}

LogCapture::~LogCapture() {
  const std::lock_guard lock(mutex);
  capture = nullptr;
}

std::string LogCapture::text() const {
  const std::lock_guard lock(mutex);
  return text_;
}
