#include "watch.h"

#include <algorithm>
#include <utility>

namespace {

// What those that receive get to catch up when they were kept from running.
constexpr int64_t kCatchUpNs = 50'000'000;
// A sample that is counted after its writer was unmatched leaves an entry that nobody takes away.
constexpr int64_t kStaleNs = 10'000'000'000;

}  // namespace

Watch::Watch(uint32_t id, WatchOptions watchOptions, Mailbox& mailbox)
    : options(std::move(watchOptions)),
      id_(id),
      mailbox_(mailbox),
      rate_(options.windowNs),
      sinceNs_(monotonicNs()) {}

void Watch::tell(Event::Kind kind, const Guid& writer, int64_t atNs, int64_t lastNs) {
  Event event{kind};
  event.id = id_;
  event.guid = writer;
  event.atNs = atNs;
  event.lastNs = lastNs;
  mailbox_.push(std::move(event));
}

void Watch::onSample(const WatchedSample& sample) {
  const int64_t atNs = sample.atNs;
  const std::lock_guard lock(mutex_);
  if (isClosed_) return;
  WatchedWriter& writer = writers_[sample.writer];
  if (writer.samples++ == 0 && !writer.isMatched) {
    static_cast<WriterKey&>(writer) = {sample.writer, sample.handle, sample.type};
  }
  writer.lastNs = std::max(writer.lastNs, atNs);
  if (!isAccepted(sample.writer)) return;
  stats_.samples++;
  if (stats_.lastNs != 0) stats_.gaps.add(std::max<int64_t>(atNs - stats_.lastNs, 0));
  if (atNs >= stats_.lastNs) {
    stats_.lastNs = atNs;
    stats_.lastSourceNs = sample.sourceNs;
  }
  rate_.add(atNs);
  if (wasHeard_ && !isSilent_) return;
  wasHeard_ = true;
  isSilent_ = false;
  tell(Event::Kind::watchHeard, sample.writer, atNs);
}

WatchStats Watch::stats() {
  const std::lock_guard lock(mutex_);
  WatchStats stats = stats_;
  stats.problem = problem_;
  stats.rateHz = rate_.hz(monotonicNs(), sinceNs_);
  return stats;
}

std::vector<WatchedWriter> Watch::writers() {
  const std::lock_guard lock(mutex_);
  std::vector<WatchedWriter> result;
  for (const auto& entry : writers_) {
    if (!entry.second.isMatched) continue;
    result.push_back(entry.second);
    result.back().isAccepted = isAccepted(entry.first);
  }
  return result;
}

WatchedWriter* Watch::byHandle(dds_instance_handle_t handle) {
  for (auto& entry : writers_) {
    if (entry.second.handle == handle) return &entry.second;
  }
  return nullptr;
}

void Watch::onMatched(const WriterKey& key, const Qos& qos, int64_t atNs) {
  const std::lock_guard lock(mutex_);
  if (isClosed_) return;
  forgetStale(atNs);
  WatchedWriter& writer = writers_[key.guid];
  static_cast<WriterKey&>(writer) = key;
  writer.qos = qos;
  if (std::exchange(writer.isMatched, true)) return;
  tell(Event::Kind::watchMatched, key.guid, atNs);
}

void Watch::onUnmatched(dds_instance_handle_t handle, int64_t atNs) {
  const std::lock_guard lock(mutex_);
  const WatchedWriter* writer = byHandle(handle);
  if (isClosed_ || writer == nullptr) return;
  remove(Guid(writer->guid), atNs);
  forgetStale(atNs);
}

void Watch::remove(const Guid& guid, int64_t atNs) {
  const auto found = writers_.find(guid);
  const bool wasMatched = found->second.isMatched;
  if (isAccepted(guid)) goneNs_ = std::max(goneNs_, found->second.lastNs);
  writers_.erase(found);
  if (wasMatched) tell(Event::Kind::watchUnmatched, guid, atNs);
}

void Watch::forgetStale(int64_t nowNs) {
  std::vector<Guid> stale;
  for (const auto& [guid, writer] : writers_) {
    if (!writer.isMatched && writer.lastNs < nowNs - kStaleNs) stale.push_back(guid);
  }
  for (const Guid& guid : stale) remove(guid, nowNs);
}

void Watch::forget(const std::string& type, bool isKeyed) {
  const std::lock_guard lock(mutex_);
  std::vector<Guid> gone;
  for (const auto& [guid, writer] : writers_) {
    if (writer.type == type && isKeyedWriter(guid) == isKeyed) gone.push_back(guid);
  }
  for (const Guid& guid : gone) remove(guid, monotonicNs());
}

void Watch::setProblem(std::string problem) {
  const std::lock_guard lock(mutex_);
  problem_ = std::move(problem);
}

bool Watch::hasProblem() {
  const std::lock_guard lock(mutex_);
  return !problem_.empty();
}

void Watch::onLiveliness(dds_instance_handle_t handle, bool isAlive, int64_t atNs) {
  const std::lock_guard lock(mutex_);
  WatchedWriter* writer = byHandle(handle);
  // A writer that is not known yet is alive.
  if (isClosed_ || writer == nullptr || writer->isAlive == isAlive) return;
  writer->isAlive = isAlive;
  tell(isAlive ? Event::Kind::watchAlive : Event::Kind::watchNotAlive, writer->guid, atNs);
}

void Watch::accept(std::optional<GuidSet> writers) {
  const std::lock_guard lock(mutex_);
  if (accepted_ == writers) return;
  const bool hadOthers = std::any_of(writers_.begin(), writers_.end(), [&](const auto& entry) {
    return entry.second.samples > 0 && isAccepted(entry.first) && writers && writers->count(entry.first) == 0;
  });
  accepted_ = std::move(writers);
  if (hadOthers) {
    // What they sent cannot be told apart any more.
    stats_ = {};
    rate_.clear();
  }
  Guid newest{};
  int64_t lastNs = goneNs_;
  for (const auto& [guid, writer] : writers_) {
    if (!isAccepted(guid) || writer.lastNs <= lastNs) continue;
    lastNs = writer.lastNs;
    newest = guid;
  }
  const bool isNewer = lastNs > stats_.lastNs;
  stats_.lastNs = lastNs;
  if (lastNs == 0) {
    sinceNs_ = monotonicNs();
    wasHeard_ = false;
    isSilent_ = false;
  } else if (isNewer && (!wasHeard_ || isSilent_)) {
    wasHeard_ = true;
    isSilent_ = false;
    tell(Event::Kind::watchHeard, newest, lastNs);
  }
}

void Watch::close() {
  const std::lock_guard lock(mutex_);
  isClosed_ = true;
}

bool Watch::isClosed() {
  const std::lock_guard lock(mutex_);
  return isClosed_;
}

int64_t Watch::checkSilence(int64_t nowNs, bool wasLate) {
  const std::lock_guard lock(mutex_);
  if (isClosed_ || options.maxSilenceNs == 0) return 0;
  const int64_t due = std::max(stats_.lastNs, sinceNs_) + options.maxSilenceNs;
  if (isSilent_) return nowNs + options.maxSilenceNs;
  if (nowNs < due) return due;
  if (wasLate) return nowNs + kCatchUpNs;
  isSilent_ = true;
  tell(Event::Kind::watchSilent, Guid{}, due, stats_.lastNs);
  return nowNs + options.maxSilenceNs;
}
