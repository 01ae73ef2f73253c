#include "watch.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace {

constexpr int64_t kMs = 1'000'000;
// Silence is decided at multiples of it, so that a thousand watches share their wake-ups.
constexpr int64_t kGrainNs = 2 * kMs;
// When this thread was kept from running for longer, those that receive were too: they get as long to catch up.
constexpr int64_t kLateNs = 20 * kMs;
constexpr int64_t kCatchUpNs = 50 * kMs;
// A sample that is counted after its writer was unmatched leaves an entry that nobody takes away.
constexpr int64_t kStaleNs = 10'000 * kMs;
// Writers of one topic have one type; a reader for each name that anybody claims would be theirs to multiply.
constexpr size_t kMaxReadersPerWatch = 8;
constexpr uint32_t kBatch = 32;
constexpr size_t kPrefixSize = 12;

int64_t roundUp(int64_t value, int64_t grain) { return (value + grain - 1) / grain * grain; }

std::string userDataOf(const dds_qos_t* qos) {
  void* bytes = nullptr;
  size_t size = 0;
  if (!dds_qget_userdata(qos, &bytes, &size)) return {};
  std::string userData(static_cast<const char*>(bytes), size);
  dds_free(bytes);
  return userData;
}

// RTPS: the kind of an entity is the last byte of its id.
bool isKeyedWriter(const Guid& writer) { return (writer[15] & 0x0f) == 0x02; }

void onWatchedData(dds_entity_t entity, void* argument) {
  const WatchReader& reader = *static_cast<WatchReader*>(argument);
  for (;;) {
    ddsi_serdata* data[kBatch];
    dds_sample_info_t infos[kBatch];
    const dds_return_t count = dds_takecdr(entity, data, kBatch, infos, DDS_ANY_STATE);
    for (dds_return_t i = 0; i < count; i++) {
      const auto& sample = *reinterpret_cast<const Sample*>(data[i]);
      if (infos[i].valid_data) {
        reader.watch->onSample(sample.writer, infos[i].publication_handle, reader.type, sample.receivedNs,
                               infos[i].source_timestamp);
      }
      ddsi_serdata_unref(data[i]);
    }
    if (count < static_cast<dds_return_t>(kBatch)) return;
  }
}

void onWatchedMatch(dds_entity_t, dds_subscription_matched_status_t status, void* argument) {
  auto& reader = *static_cast<WatchReader*>(argument);
  if (status.current_count_change == 0) return;
  reader.watcher->onMatchChange(reader, status.last_publication_handle, status.current_count_change > 0);
}

void onWatchedLiveliness(dds_entity_t, dds_liveliness_changed_status_t status, void* argument) {
  const auto& reader = *static_cast<WatchReader*>(argument);
  if (status.not_alive_count_change > 0) {
    reader.watch->onLiveliness(status.last_publication_handle, false, monotonicNs());
  } else if (status.alive_count_change > 0) {
    reader.watch->onLiveliness(status.last_publication_handle, true, monotonicNs());
  }
}

}  // namespace

// --- Watch

Watch::Watch(uint32_t id, WatchOptions options, Participant& owner)
    : id(id), options(std::move(options)), owner_(owner), sinceNs_(monotonicNs()) {}

void Watch::tell(Event::Kind kind, const Guid& writer, int64_t atNs, int64_t lastNs) {
  Event event{kind};
  event.id = id;
  event.guid = writer;
  event.atNs = atNs;
  event.lastNs = lastNs;
  owner_.push(std::move(event));
}

void Watch::onSample(const Guid& guid, dds_instance_handle_t handle, const std::string& type, int64_t atNs,
                     int64_t sourceNs) {
  const std::lock_guard lock(mutex_);
  if (isClosed_) return;
  WatchedWriter& writer = writers_[guid];
  if (writer.samples++ == 0 && !writer.isMatched) {
    writer.guid = guid;
    writer.handle = handle;
    writer.type = type;
  }
  writer.lastNs = std::max(writer.lastNs, atNs);
  if (!isAccepted(guid)) return;
  stats_.samples++;
  if (stats_.lastNs != 0) stats_.gaps.add(std::max<int64_t>(atNs - stats_.lastNs, 0));
  if (atNs >= stats_.lastNs) {
    stats_.lastNs = atNs;
    stats_.lastSourceNs = sourceNs;
  }
  count(atNs);
  if (wasHeard_ && !isSilent_) return;
  wasHeard_ = true;
  isSilent_ = false;
  tell(Event::Kind::watchHeard, guid, atNs);
}

void Watch::count(int64_t atNs) {
  const int64_t bucket = atNs / (options.windowNs / static_cast<int64_t>(kBuckets));
  for (int64_t stale = std::max(bucket_ + 1, bucket - static_cast<int64_t>(kBuckets) + 1); stale <= bucket; stale++) {
    buckets_[stale % static_cast<int64_t>(kBuckets)] = 0;
  }
  bucket_ = std::max(bucket_, bucket);
  if (bucket > bucket_ - static_cast<int64_t>(kBuckets)) buckets_[bucket % static_cast<int64_t>(kBuckets)]++;
}

WatchStats Watch::stats() {
  const std::lock_guard lock(mutex_);
  const int64_t part = options.windowNs / static_cast<int64_t>(kBuckets);
  const int64_t now = monotonicNs();
  const int64_t bucket = now / part;
  uint64_t samples = 0;
  const int64_t oldest = bucket - static_cast<int64_t>(kBuckets) + 1;
  for (int64_t i = std::max(oldest, bucket_ - static_cast<int64_t>(kBuckets) + 1); i <= bucket_; i++) {
    samples += buckets_[i % static_cast<int64_t>(kBuckets)];
  }
  // The newest part is not over yet; nothing was counted before the watch began.
  const int64_t spanned = std::min(now - oldest * part, std::max(now - sinceNs_, part));
  WatchStats stats = stats_;
  stats.problem = problem_;
  stats.rateHz = static_cast<double>(samples) * 1e9 / static_cast<double>(spanned);
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

void Watch::onMatched(const Guid& guid, dds_instance_handle_t handle, const std::string& type, const Qos& qos,
                      int64_t atNs) {
  const std::lock_guard lock(mutex_);
  if (isClosed_) return;
  forgetStale(atNs);
  WatchedWriter& writer = writers_[guid];
  writer.guid = guid;
  writer.handle = handle;
  writer.type = type;
  writer.qos = qos;
  if (std::exchange(writer.isMatched, true)) return;
  tell(Event::Kind::watchMatched, guid, atNs);
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
    bucket_ = 0;
    std::fill(std::begin(buckets_), std::end(buckets_), 0);
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

// --- Watcher

Watcher::Watcher(Participant& owner) : owner_(owner) {
  openPublications();
  thread_ = std::thread(&Watcher::run, this);
}

Watcher::~Watcher() { stop(); }

void Watcher::openPublications() {
  dds_listener_t* listener = dds_create_listener(this);
  dds_lset_data_available(
      listener, [](dds_entity_t, void* argument) { static_cast<Watcher*>(argument)->onPublications(); });
  publications_ = dds_create_reader(owner_.entity(), DDS_BUILTIN_TOPIC_DCPSPUBLICATION, nullptr, listener);
  dds_delete_listener(listener);
  if (publications_ < 0) throw std::runtime_error(failure("dds_create_reader", publications_));
  hasPublications_ = true;
}

std::shared_ptr<Watch> Watcher::add(uint32_t id, WatchOptions options) {
  auto watch = std::make_shared<Watch>(id, std::move(options), owner_);
  poke(watch);
  return watch;
}

void Watcher::poke(const std::shared_ptr<Watch>& watch) {
  const std::lock_guard lock(mutex_);
  poked_.push_back(watch);
  changed_.notify_one();
}

void Watcher::stop() {
  {
    const std::lock_guard lock(mutex_);
    isStopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Watcher::onMatchChange(WatchReader& reader, dds_instance_handle_t writer, bool isMatched) {
  const std::lock_guard lock(mutex_);
  changes_.push_back({&reader, writer, isMatched, monotonicNs()});
  changed_.notify_one();
}

void Watcher::onPublications() {
  const std::lock_guard lock(mutex_);
  hasPublications_ = true;
  changed_.notify_one();
}

void Watcher::run() {
  std::unique_lock lock(mutex_);
  while (!isStopping_) {
    const int64_t dueNs = timers_.empty() ? 0 : roundUp(timers_.top().dueNs, kGrainNs);
    const auto hasWork = [this] {
      return isStopping_ || hasPublications_ || !poked_.empty() || !changes_.empty();
    };
    if (dueNs == 0) {
      changed_.wait(lock, hasWork);
    } else {
      using Clock = std::chrono::steady_clock;
      changed_.wait_until(lock, Clock::time_point(std::chrono::nanoseconds(dueNs)), hasWork);
    }
    const bool hasPublications = std::exchange(hasPublications_, false);
    const auto poked = std::exchange(poked_, {});
    const auto changes = std::exchange(changes_, {});
    lock.unlock();

    // Before readers go that they speak of.
    for (const auto& change : changes) resolve(change);
    if (hasPublications) takePublications();
    for (const auto& watch : poked) {
      if (watch->isClosed()) {
        removeClosed(watch);
        continue;
      }
      const auto [begin, end] = watches_.equal_range(watch->options.topic);
      const bool isNew = std::none_of(begin, end, [&](const auto& entry) { return entry.second == watch; });
      if (!isNew) continue;
      watches_.emplace(watch->options.topic, watch);
      addReaders(*watch);
      if (const int64_t next = watch->checkSilence(monotonicNs(), false); next != 0) timers_.push({next, watch});
    }
    const int64_t now = monotonicNs();
    while (!timers_.empty() && timers_.top().dueNs <= now) {
      const Timer timer = timers_.top();
      timers_.pop();
      const auto watch = timer.watch.lock();
      if (watch == nullptr) continue;
      const bool wasLate = now - roundUp(timer.dueNs, kGrainNs) > kLateNs;
      if (const int64_t next = watch->checkSilence(now, wasLate); next != 0) timers_.push({next, watch});
    }
    lock.lock();
  }
}

void Watcher::takePublications() {
  for (;;) {
    void* samples[kBatch] = {};
    dds_sample_info_t infos[kBatch];
    const dds_return_t count = dds_take(publications_, samples, infos, kBatch, kBatch);
    for (dds_return_t i = 0; i < count; i++) {
      const auto& endpoint = *static_cast<const dds_builtintopic_endpoint_t*>(samples[i]);
      Guid guid;
      memcpy(guid.data(), endpoint.key.v, guid.size());
      // What this process publishes itself is not watched.
      if (memcmp(guid.data(), owner_.guid().data(), kPrefixSize) == 0) continue;
      if (!infos[i].valid_data || infos[i].instance_state != DDS_IST_ALIVE) {
        forgetPublication(guid);
        continue;
      }
      const Publication& known = known_[guid] = {endpoint.topic_name, endpoint.type_name, userDataOf(endpoint.qos)};
      const auto [begin, end] = watches_.equal_range(known.topic);
      for (auto entry = begin; entry != end; ++entry) addReader(*entry->second, guid, known);
    }
    if (count > 0) dds_return_loan(publications_, samples, count);
    if (count < static_cast<dds_return_t>(kBatch)) return;
  }
}

void Watcher::forgetPublication(const Guid& writer) {
  const auto found = known_.find(writer);
  if (found == known_.end()) return;
  const std::string topic = std::move(found->second.topic);
  known_.erase(found);
  // What found no place may have one now.
  const auto [begin, end] = watches_.equal_range(topic);
  for (auto entry = begin; entry != end; ++entry) {
    if (entry->second->hasProblem()) addReaders(*entry->second);
  }
}

void Watcher::addReaders(Watch& watch) {
  watch.setProblem({});
  for (const auto& [guid, publication] : known_) {
    if (publication.topic == watch.options.topic) addReader(watch, guid, publication);
  }
}

void Watcher::addReader(Watch& watch, const Guid& writer, const Publication& publication) {
  const std::string& type = publication.type;
  const bool isKeyed = isKeyedWriter(writer);
  const bool isThere = std::any_of(watch.readers.begin(), watch.readers.end(), [&](const auto& reader) {
    return reader->type == type && reader->isKeyed == isKeyed;
  });
  if (isThere) return;
  if (watch.readers.size() >= kMaxReadersPerWatch && !makeRoom(watch)) {
    watch.setProblem("its publishers have more than " + std::to_string(kMaxReadersPerWatch) +
                     " types, which are not all listened to");
    return;
  }
  auto reader = std::make_unique<WatchReader>();
  reader->watch = &watch;
  reader->watcher = this;
  reader->type = type;
  reader->isKeyed = isKeyed;
  ddsi_sertype* sertype = newOpaqueType(type.c_str(), isKeyed);
  reader->topic =
      dds_create_topic_sertype(owner_.entity(), watch.options.topic.c_str(), &sertype, nullptr, nullptr, nullptr);
  if (reader->topic < 0) {
    ddsi_sertype_unref(sertype);
    watch.setProblem("a publisher cannot be listened to: " + failure("dds_create_topic", reader->topic));
    return;
  }
  Qos qos;
  qos.isReliable = false;
  qos.depth = static_cast<int32_t>(kBatch);
  qos.lease = watch.options.leaseNs;
  dds_qos_t* ddsQos = toDds(qos);
  const std::string& userData = publication.userData;
  if (!userData.empty()) dds_qset_userdata(ddsQos, userData.data(), userData.size());
  // What this process says itself is a sign of nobody else's life.
  dds_qset_ignorelocal(ddsQos, DDS_IGNORELOCAL_PARTICIPANT);
  dds_listener_t* listener = dds_create_listener(reader.get());
  dds_lset_data_available(listener, onWatchedData);
  dds_lset_subscription_matched(listener, onWatchedMatch);
  dds_lset_liveliness_changed(listener, onWatchedLiveliness);
  reader->entity = dds_create_reader(owner_.entity(), reader->topic, ddsQos, listener);
  dds_delete_listener(listener);
  dds_delete_qos(ddsQos);
  if (reader->entity < 0) {
    dds_delete(reader->topic);
    watch.setProblem("a publisher cannot be listened to: " + failure("dds_create_reader", reader->entity));
    return;
  }
  watch.readers.push_back(std::move(reader));
}

// Takes the reader of a type that no publisher has any more.
bool Watcher::makeRoom(Watch& watch) {
  for (auto at = watch.readers.begin(); at != watch.readers.end(); ++at) {
    WatchReader& reader = **at;
    const bool isUsed = std::any_of(known_.begin(), known_.end(), [&](const auto& entry) {
      return entry.second.topic == watch.options.topic && entry.second.type == reader.type &&
             isKeyedWriter(entry.first) == reader.isKeyed;
    });
    if (isUsed) continue;
    remove(reader);
    watch.forget(reader.type, reader.isKeyed);
    watch.readers.erase(at);
    return true;
  }
  return false;
}

void Watcher::remove(WatchReader& reader) {
  dds_delete(reader.entity);
  dds_delete(reader.topic);
  // What listeners had to say of it.
  const std::lock_guard lock(mutex_);
  changes_.erase(std::remove_if(changes_.begin(), changes_.end(),
                                [&](const auto& change) { return change.reader == &reader; }),
                 changes_.end());
}

// Not in the listener: it would ask the library for what that is about to change.
void Watcher::resolve(const MatchChange& change) {
  Watch& watch = *change.reader->watch;
  if (!change.isMatched) {
    watch.onUnmatched(change.writer, change.atNs);
    return;
  }
  dds_builtintopic_endpoint_t* endpoint = dds_get_matched_publication_data(change.reader->entity, change.writer);
  // Gone again.
  if (endpoint == nullptr) return;
  Guid guid;
  memcpy(guid.data(), endpoint->key.v, guid.size());
  watch.onMatched(guid, change.writer, change.reader->type, fromDds(endpoint->qos, true), change.atNs);
  dds_builtintopic_free_endpoint(endpoint);
}

void Watcher::removeClosed(const std::shared_ptr<Watch>& watch) {
  const auto [begin, end] = watches_.equal_range(watch->options.topic);
  for (auto entry = begin; entry != end; ++entry) {
    if (entry->second != watch) continue;
    for (auto& reader : watch->readers) remove(*reader);
    watches_.erase(entry);
    return;
  }
}
