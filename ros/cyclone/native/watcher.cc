#include "watcher.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "failure.h"

namespace {

constexpr int64_t kMs = 1'000'000;
// Silence is decided at multiples of it, so that a thousand watches share their wake-ups.
constexpr int64_t kGrainNs = 2 * kMs;
// When this thread was kept from running for longer, those that receive were too.
constexpr int64_t kLateNs = 20 * kMs;
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

}  // namespace

Watcher::Watcher(dds_entity_t participant, const Guid& guid, Mailbox& mailbox)
    : participant_(participant), guid_(guid), mailbox_(mailbox) {
  dds_listener_t* listener = dds_create_listener(this);
  dds_lset_data_available(listener, onPublications);
  publications_ = dds_create_reader(participant_, DDS_BUILTIN_TOPIC_DCPSPUBLICATION, nullptr, listener);
  dds_delete_listener(listener);
  if (publications_ < 0) throw std::runtime_error(failure("dds_create_reader", publications_));
  hasPublications_ = true;
  thread_ = std::thread(&Watcher::run, this);
}

Watcher::~Watcher() { stop(); }

std::shared_ptr<Watch> Watcher::add(uint32_t id, WatchOptions options) {
  auto watch = std::make_shared<Watch>(id, std::move(options), mailbox_);
  poke(watch);
  return watch;
}

void Watcher::remove(const std::shared_ptr<Watch>& watch) {
  watch->close();
  poke(watch);
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

void Watcher::onData(dds_entity_t entity, void* argument) {
  const Reader& reader = *static_cast<Reader*>(argument);
  for (;;) {
    ddsi_serdata* data[kBatch];
    dds_sample_info_t infos[kBatch];
    const dds_return_t count = dds_takecdr(entity, data, kBatch, infos, DDS_ANY_STATE);
    for (dds_return_t i = 0; i < count; i++) {
      const auto& sample = *reinterpret_cast<const Sample*>(data[i]);
      if (infos[i].valid_data) {
        reader.watch->onSample({sample.writer, infos[i].publication_handle, reader.type, sample.receivedNs,
                                infos[i].source_timestamp});
      }
      ddsi_serdata_unref(data[i]);
    }
    if (count < static_cast<dds_return_t>(kBatch)) return;
  }
}

void Watcher::onMatch(dds_entity_t, dds_subscription_matched_status_t status, void* argument) {
  auto& reader = *static_cast<Reader*>(argument);
  if (status.current_count_change == 0) return;
  Watcher& watcher = *reader.watcher;
  const std::lock_guard lock(watcher.mutex_);
  const bool isMatched = status.current_count_change > 0;
  watcher.changes_.push_back({&reader, status.last_publication_handle, isMatched, monotonicNs()});
  watcher.changed_.notify_one();
}

void Watcher::onLiveliness(dds_entity_t, dds_liveliness_changed_status_t status, void* argument) {
  if (status.not_alive_count_change <= 0 && status.alive_count_change <= 0) return;
  const bool isAlive = status.not_alive_count_change <= 0;
  static_cast<Reader*>(argument)->watch->onLiveliness(status.last_publication_handle, isAlive, monotonicNs());
}

void Watcher::onPublications(dds_entity_t, void* argument) {
  auto& watcher = *static_cast<Watcher*>(argument);
  const std::lock_guard lock(watcher.mutex_);
  watcher.hasPublications_ = true;
  watcher.changed_.notify_one();
}

void Watcher::run() {
  std::unique_lock lock(mutex_);
  while (!isStopping_) {
    waitForWork(lock);
    const bool hasPublications = std::exchange(hasPublications_, false);
    const auto poked = std::exchange(poked_, {});
    const auto changes = std::exchange(changes_, {});
    lock.unlock();

    // Before readers go that they speak of.
    for (const auto& change : changes) resolve(change);
    if (hasPublications) takePublications();
    for (const auto& watch : poked) look(watch);
    decideOnSilence();
    lock.lock();
  }
}

void Watcher::waitForWork(std::unique_lock<std::mutex>& lock) {
  const auto hasWork = [this] { return isStopping_ || hasPublications_ || !poked_.empty() || !changes_.empty(); };
  if (timers_.empty()) {
    changed_.wait(lock, hasWork);
    return;
  }
  using Clock = std::chrono::steady_clock;
  const auto due = std::chrono::nanoseconds(roundUp(timers_.top().dueNs, kGrainNs));
  changed_.wait_until(lock, Clock::time_point(due), hasWork);
}

// At one that is new, or closed.
void Watcher::look(const std::shared_ptr<Watch>& watch) {
  if (watch->isClosed()) {
    removeClosed(watch);
    return;
  }
  Watched& watched = watches_.emplace(watch->options.topic, Watched{watch, {}})->second;
  addReaders(watched);
  if (const int64_t next = watch->checkSilence(monotonicNs(), false); next != 0) timers_.push({next, watch});
}

void Watcher::decideOnSilence() {
  const int64_t now = monotonicNs();
  while (!timers_.empty() && timers_.top().dueNs <= now) {
    const Timer timer = timers_.top();
    timers_.pop();
    const auto watch = timer.watch.lock();
    if (watch == nullptr) continue;
    const bool wasLate = now - roundUp(timer.dueNs, kGrainNs) > kLateNs;
    if (const int64_t next = watch->checkSilence(now, wasLate); next != 0) timers_.push({next, watch});
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
      if (memcmp(guid.data(), guid_.data(), kPrefixSize) == 0) continue;
      if (!infos[i].valid_data || infos[i].instance_state != DDS_IST_ALIVE) {
        forgetPublication(guid);
        continue;
      }
      const Publication& known = known_[guid] = {endpoint.topic_name, endpoint.type_name, userDataOf(endpoint.qos)};
      const auto [begin, end] = watches_.equal_range(known.topic);
      for (auto entry = begin; entry != end; ++entry) addReader(entry->second, guid, known);
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
    if (entry->second.watch->hasProblem()) addReaders(entry->second);
  }
}

void Watcher::addReaders(Watched& watched) {
  watched.watch->setProblem({});
  for (const auto& [guid, publication] : known_) {
    if (publication.topic == watched.watch->options.topic) addReader(watched, guid, publication);
  }
}

void Watcher::addReader(Watched& watched, const Guid& writer, const Publication& publication) {
  auto& [watch, readers] = watched;
  const std::string& type = publication.type;
  const bool isKeyed = isKeyedWriter(writer);
  const bool isThere = std::any_of(readers.begin(), readers.end(), [&](const auto& reader) {
    return reader->type == type && reader->isKeyed == isKeyed;
  });
  if (isThere) return;
  if (readers.size() >= kMaxReadersPerWatch && !makeRoom(watched)) {
    watch->setProblem("its publishers have more than " + std::to_string(kMaxReadersPerWatch) +
                      " types, which are not all listened to");
    return;
  }
  auto reader = std::make_unique<Reader>(Reader{this, watch.get(), type, isKeyed});
  try {
    open(*reader, publication);
  } catch (const std::runtime_error& error) {
    watch->setProblem(std::string("a publisher cannot be listened to: ") + error.what());
    return;
  }
  readers.push_back(std::move(reader));
}

// Throws std::runtime_error.
void Watcher::open(Reader& reader, const Publication& publication) {
  const WatchOptions& options = reader.watch->options;
  ddsi_sertype* sertype = newOpaqueType(reader.type.c_str(), reader.isKeyed);
  reader.topic =
      dds_create_topic_sertype(participant_, options.topic.c_str(), &sertype, nullptr, nullptr, nullptr);
  if (reader.topic < 0) {
    ddsi_sertype_unref(sertype);
    throw std::runtime_error(failure("dds_create_topic", reader.topic));
  }
  Qos qos;
  qos.isReliable = false;
  qos.depth = static_cast<int32_t>(kBatch);
  qos.lease = options.leaseNs;
  dds_qos_t* ddsQos = toDds(qos);
  const std::string& userData = publication.userData;
  if (!userData.empty()) dds_qset_userdata(ddsQos, userData.data(), userData.size());
  // What this process says itself is a sign of nobody else's life.
  dds_qset_ignorelocal(ddsQos, DDS_IGNORELOCAL_PARTICIPANT);
  dds_listener_t* listener = dds_create_listener(&reader);
  dds_lset_data_available(listener, onData);
  dds_lset_subscription_matched(listener, onMatch);
  dds_lset_liveliness_changed(listener, onLiveliness);
  reader.entity = dds_create_reader(participant_, reader.topic, ddsQos, listener);
  dds_delete_listener(listener);
  dds_delete_qos(ddsQos);
  if (reader.entity >= 0) return;
  dds_delete(reader.topic);
  throw std::runtime_error(failure("dds_create_reader", reader.entity));
}

// Takes the reader of a type that no publisher has any more.
bool Watcher::makeRoom(Watched& watched) {
  auto& [watch, readers] = watched;
  for (auto at = readers.begin(); at != readers.end(); ++at) {
    Reader& reader = **at;
    const bool isUsed = std::any_of(known_.begin(), known_.end(), [&](const auto& entry) {
      return entry.second.topic == reader.watch->options.topic && entry.second.type == reader.type &&
             isKeyedWriter(entry.first) == reader.isKeyed;
    });
    if (isUsed) continue;
    removeReader(reader);
    watch->forget(reader.type, reader.isKeyed);
    readers.erase(at);
    return true;
  }
  return false;
}

void Watcher::removeReader(Reader& reader) {
  dds_delete(reader.entity);
  dds_delete(reader.topic);
  // What listeners had to say of it.
  const std::lock_guard lock(mutex_);
  changes_.erase(std::remove_if(changes_.begin(), changes_.end(),
                                [&](const auto& change) { return change.reader == &reader; }),
                 changes_.end());
}

void Watcher::removeClosed(const std::shared_ptr<Watch>& watch) {
  const auto [begin, end] = watches_.equal_range(watch->options.topic);
  for (auto entry = begin; entry != end; ++entry) {
    auto& [watched, readers] = entry->second;
    if (watched != watch) continue;
    for (auto& reader : readers) removeReader(*reader);
    watches_.erase(entry);
    return;
  }
}

// Not in the listener: it would ask the library for what that is about to change.
void Watcher::resolve(const MatchChange& change) {
  const Reader& reader = *change.reader;
  if (!change.isMatched) {
    reader.watch->onUnmatched(change.writer, change.atNs);
    return;
  }
  dds_builtintopic_endpoint_t* endpoint = dds_get_matched_publication_data(reader.entity, change.writer);
  // Gone again.
  if (endpoint == nullptr) return;
  WriterKey writer{{}, change.writer, reader.type};
  memcpy(writer.guid.data(), endpoint->key.v, writer.guid.size());
  reader.watch->onMatched(writer, fromDds(endpoint->qos, true), change.atNs);
  dds_builtintopic_free_endpoint(endpoint);
}
